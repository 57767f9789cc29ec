//! The audience that prints: text for people, or one JSON object a line for programs.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::event::{Channel, Event, Exchange, Outcome};
use crate::stage::Audience;

const WIDTH: usize = 96;
const LONGEST_VALUE: usize = 72;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints events as text. Give it an [`anstream`] stream, which drops the colours where they do not belong.
pub struct Terminal<W: Write> {
    out: W,
    svg: Option<PathBuf>,
}

impl<W: Write> Terminal<W> {
    /// A terminal that prints to `out`.
    pub fn new(out: W) -> Self {
        Self { out, svg: None }
    }

    /// Writes the lesson's picture to a file; if it has several, the last one stays.
    #[must_use]
    pub fn with_svg(self, file: Option<PathBuf>) -> Self {
        Self { svg: file, ..self }
    }

    fn line(&mut self, text: impl std::fmt::Display) {
        // A reader who closed the pipe has seen enough: the lesson still ends with its own verdict.
        let _ = writeln!(self.out, "{text}");
    }

    fn named_values(&mut self, values: &[(String, String)]) {
        for (name, value) in values {
            self.line(format_args!(
                "{DIM}      {name} = {}{DIM:#}",
                shorten(value)
            ));
        }
    }

    fn http(&mut self, exchange: &Exchange) {
        let way = match exchange.channel {
            Channel::Front => "front channel",
            Channel::Back => "back channel",
        };
        self.line(format_args!(
            "  {BOLD}{} → {}{BOLD:#}  {}  {DIM}({way}){DIM:#}",
            exchange.from,
            exchange.to,
            shorten(&exchange.request)
        ));
        self.named_values(&exchange.sent);
        self.line(format_args!("    ← {}", exchange.status));
        self.named_values(&exchange.received);
    }

    fn picture(&mut self, title: &str, svg: &str) {
        let line = match &self.svg {
            None => format!("{DIM}{title}: --svg FILE keeps the picture{DIM:#}"),
            Some(file) => match fs::write(file, svg) {
                Ok(()) => format!("{title}: {}", file.display()),
                Err(error) => format!("{BAD}{}: {error}{BAD:#}", file.display()),
            },
        };
        self.line(format_args!("  {line}"));
    }

    fn stop(&mut self, number: usize, topic: &str, results: &[String], example: &str) {
        let mut label = format!("{number} {topic}");
        for result in results {
            self.line(format_args!("{BOLD}{label:<18}{BOLD:#}{result}"));
            label.clear();
        }
        self.line(format_args!(
            "{DIM}{:18}more: cargo run --example {example}{DIM:#}",
            ""
        ));
    }

    fn compute(
        &mut self,
        formula: &str,
        inputs: &[(String, String)],
        output: &str,
        command: Option<&str>,
    ) {
        self.line(format_args!(
            "  {formula} = {BOLD}{}{BOLD:#}",
            shorten(output)
        ));
        self.named_values(inputs);
        if let Some(command) = command {
            self.line(format_args!(
                "{DIM}      the same by hand: {command}{DIM:#}"
            ));
        }
    }

    fn check(&mut self, event: &Event) {
        let Event::Check {
            name,
            expected,
            actual,
            ok,
            spec,
        } = event
        else {
            return;
        };
        let rule = spec
            .as_deref()
            .map(|spec| format!("  {DIM}{spec}{DIM:#}"))
            .unwrap_or_default();
        if *ok {
            self.line(format_args!(
                "  {GOOD}ok{GOOD:#}    {name}: {}{rule}",
                shorten(actual)
            ));
        } else {
            self.line(format_args!(
                "  {BAD}FAIL{BAD:#}  {name}: expected {}, got {}{rule}",
                shorten(expected),
                shorten(actual)
            ));
        }
    }
}

impl<W: Write> Audience for Terminal<W> {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Heading { title } => {
                self.line("");
                self.line(format_args!("{BOLD}{title}{BOLD:#}"));
            }
            Event::Stop {
                number,
                topic,
                results,
                example,
            } => self.stop(*number, topic, results, example),
            Event::Printed { line } => self.line(line),
            Event::Http(exchange) => self.http(exchange),
            Event::Compute {
                formula,
                inputs,
                output,
                command,
            } => self.compute(formula, inputs, output, command.as_deref()),
            Event::Check { .. } => self.check(event),
            Event::Note { text } => {
                for line in wrap(text, WIDTH - 2) {
                    self.line(format_args!("  {line}"));
                }
            }
            Event::Listing { title, text } => {
                self.line(format_args!("  {title}:"));
                for line in text.lines() {
                    self.line(format_args!("    {line}"));
                }
            }
            Event::Picture { title, svg } => self.picture(title, svg),
            Event::Timing { what, elapsed } => {
                self.line(format_args!(
                    "  {DIM}{what} took {}{DIM:#}",
                    rounded(*elapsed)
                ));
            }
            Event::Verdict { attack, outcome } => match outcome {
                Outcome::Succeeded => {
                    self.line(format_args!("  {BAD}SUCCEEDED{BAD:#}  {attack}"));
                }
                Outcome::Blocked { by, spec } => self.line(format_args!(
                    "  {GOOD}BLOCKED{GOOD:#}  {attack}: {by}  {DIM}{spec}{DIM:#}"
                )),
            },
        }
    }
}

/// Prints each event as one line of JSON.
pub struct JsonLines<W: Write> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    /// Prints to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Audience for JsonLines<W> {
    fn take(&mut self, event: &Event) {
        // A reader who closed the pipe has seen enough, as in `Terminal`; and no event fails to serialize.
        let _ = serde_json::to_writer(&mut self.out, event);
        let _ = writeln!(self.out);
    }
}

/// The time with the unit that leaves one to three digits before the point.
fn rounded(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s if s >= 1e-6 => format!("{:.1} µs", s * 1e6),
        s => format!("{:.0} ns", s * 1e9),
    }
}

/// The beginning and the length of a value too long for a line.
fn shorten(value: &str) -> String {
    let length = value.chars().count();
    if length <= LONGEST_VALUE {
        return value.to_owned();
    }
    let beginning: String = value.chars().take(LONGEST_VALUE - 24).collect();
    format!("{beginning}… ({length} characters)")
}

/// The text in lines of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    fn printed(play: impl FnOnce(&mut Stage<'_>)) -> String {
        let mut terminal = Terminal::new(anstream::StripStream::new(Vec::new()));
        play(&mut Stage::new(&mut terminal));
        String::from_utf8(terminal.out.into_inner()).expect("events are text")
    }

    #[test]
    fn lines_of_the_posts_are_printed_to_the_letter() {
        assert_eq!(
            printed(|stage| stage.printed("42 + 58 = 100")),
            "42 + 58 = 100\n"
        );
    }

    #[test]
    fn a_failed_check_says_what_was_expected_and_what_came() {
        let text = printed(|stage| {
            assert!(!stage.check("shared secret", 8, 9));
            assert_eq!(stage.failed(), ["shared secret"]);
        });
        assert_eq!(text, "  FAIL  shared secret: expected 8, got 9\n");
    }

    #[test]
    fn long_values_are_cut_and_say_how_long_they_are() {
        let text = printed(|stage| stage.compute("token", &[], "x".repeat(500)));
        assert!(text.contains("… (500 characters)"), "{text}");
    }

    #[test]
    fn notes_are_broken_at_spaces() {
        let text = printed(|stage| stage.note("word ".repeat(60)));
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert_eq!(text.matches("word").count(), 60);
    }
}
