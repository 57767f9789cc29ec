//! A session: expressions are compiled when they are typed, and run.
//!
//! ```text
//!  line ──▶ parse, check, compile ──▶ machine code ──▶ value      times of both
//!  name = line                                     └─▶ a variable of the lines that follow
//! ```

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::check::{ClaimCheck, Show};
use crate::environment::{Bindings, Environment};
use crate::value::Value;

/// Evaluations are repeated for so long to tell how long one takes.
const TIMED: Duration = Duration::from_millis(2);

const HELP: &str = "\
an expression          its value, its type, and how long compiling and evaluating took
name = expression      a variable for the lines that follow
:claims {...}          another payload
:now SECONDS           another time
:explain EXPRESSION    the value of every part, and which one decided
:type EXPRESSION       its type, without evaluating it
:ast, :types, :clif, :asm EXPRESSION
                       what it is compiled to
:history, !NUMBER      what was typed; one of it again
:timing on|off         whether times are told
:quit
";

/// A session with claims, a time, definitions and a history.
///
/// ```
/// let mut session = stampmill_claim_check::Repl::new();
/// session.timing(false);
/// session.line(r#":claims {"exp": 1700000060, "roles": ["ops"]}"#);
/// session.line(":now 1700000000");
/// assert_eq!(session.line("left = claims.exp - now").text, "left = 60 : int\n");
/// assert_eq!(session.line("left > 30 && 'ops' in claims.roles").text, "true : bool\n");
/// assert!(session.line("left + 'a'").text.starts_with("error: no matching overload"));
/// assert!(session.line(":quit").ends);
/// ```
#[derive(Debug)]
pub struct Repl {
    payload: Vec<u8>,
    now: i64,
    definitions: Vec<(String, crate::Type, Value)>,
    history: Vec<String>,
    timing: bool,
}

/// What a line gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// For the reader; empty, or with a line's end.
    pub text: String,
    /// Whether the session is over.
    pub ends: bool,
}

impl Default for Repl {
    fn default() -> Self {
        Self::new()
    }
}

impl Repl {
    /// A session with the payload `{}` at time 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            payload: b"{}".to_vec(),
            now: 0,
            definitions: Vec::new(),
            history: Vec::new(),
            timing: true,
        }
    }

    /// Whether replies tell times.
    pub fn timing(&mut self, on: bool) {
        self.timing = on;
    }

    /// The claims from now on: UTF-8 JSON.
    pub fn claims(&mut self, payload: &[u8]) {
        self.payload = payload.to_vec();
    }

    /// The time from now on, in seconds since the epoch.
    pub fn now(&mut self, now: i64) {
        self.now = now;
    }

    /// Does what a line says.
    pub fn line(&mut self, line: &str) -> Reply {
        let line = line.trim();
        let text = match line.strip_prefix('!') {
            Some(number)
                if !number.starts_with(['=', '(']) && number.trim().parse::<usize>().is_ok() =>
            {
                let number = number.trim().parse::<usize>().unwrap_or(0);
                let again = number.checked_sub(1).and_then(|at| self.history.get(at));
                match again.cloned() {
                    Some(line) => format!("{line}\n{}", self.line(&line).text),
                    None => format!("there is no line {number}\n"),
                }
            }
            _ => {
                if !line.is_empty() {
                    self.history.push(line.to_owned());
                }
                self.command(line)
            }
        };
        Reply {
            text,
            ends: matches!(line, ":quit" | ":q"),
        }
    }

    fn command(&mut self, line: &str) -> String {
        let (command, rest) = match line.split_once(char::is_whitespace) {
            Some((command, rest)) => (command, rest.trim()),
            None => (line, ""),
        };
        match command {
            "" | ":quit" | ":q" => String::new(),
            ":help" | ":h" => HELP.to_owned(),
            ":claims" => self.set_claims(rest),
            ":now" => match rest.parse() {
                Ok(now) => {
                    self.now = now;
                    String::new()
                }
                Err(_) => "a time is a number of seconds since 1970\n".to_owned(),
            },
            ":timing" => {
                self.timing = rest != "off";
                String::new()
            }
            ":history" => {
                self.history
                    .iter()
                    .enumerate()
                    .fold(String::new(), |mut text, (index, line)| {
                        let _ = writeln!(text, "{:>4}  {line}", index + 1);
                        text
                    })
            }
            ":explain" => self.compiled(rest, |check, bindings| match check.explain(bindings) {
                Ok(explanation) => explanation.to_string(),
                Err(error) => format!("{error}\n"),
            }),
            ":type" => self.compiled(rest, |check, _| format!("{}\n", check.result_type())),
            ":ast" => self.compiled(rest, |check, _| check.show(Show::Ast)),
            ":types" => self.compiled(rest, |check, _| check.show(Show::Types)),
            ":clif" => self.compiled(rest, |check, _| check.show(Show::Clif)),
            ":asm" => self.compiled(rest, |check, _| check.show(Show::Asm)),
            _ if command.starts_with(':') => {
                format!("there is no {command}; :help lists what there is\n")
            }
            _ => self.evaluate(line),
        }
    }

    fn set_claims(&mut self, payload: &str) -> String {
        // Refused now, not with every line that follows.
        let read = ClaimCheck::compile("true")
            .map(|check| check.evaluate_with(&Bindings::new(payload.as_bytes(), 0)));
        match read {
            Ok(Ok(_)) => {
                self.claims(payload.as_bytes());
                String::new()
            }
            Ok(Err(error)) => format!("{error}\n"),
            Err(error) => format!("{error}\n"),
        }
    }

    fn environment(&self) -> Environment {
        let definitions = self.definitions.iter();
        definitions.fold(Environment::claims(), |environment, (name, ty, _)| {
            environment.variable(name, ty.clone())
        })
    }

    fn bindings(&self) -> Bindings<'_> {
        let bindings = Bindings::new(&self.payload, self.now);
        let definitions = self.definitions.iter();
        definitions.fold(bindings, |bindings, (name, _, value)| {
            bindings.variable(name, value.clone())
        })
    }

    fn compiled(
        &self,
        source: &str,
        show: impl FnOnce(&ClaimCheck, &Bindings<'_>) -> String,
    ) -> String {
        match ClaimCheck::compile_in(source, &self.environment()) {
            Ok(check) => show(&check, &self.bindings()),
            Err(error) => format!("{error}\n"),
        }
    }

    /// An expression, or a definition.
    fn evaluate(&mut self, line: &str) -> String {
        let (name, source) = match definition(line) {
            Some((name, source)) => (Some(name), source),
            None => (None, line),
        };
        let start = Instant::now();
        let check = match ClaimCheck::compile_in(source, &self.environment()) {
            Ok(check) => check,
            Err(error) => return format!("{error}\n"),
        };
        let compiled = start.elapsed();
        let bindings = self.bindings();
        let value = match check.evaluate_with(&bindings) {
            Ok(value) => value,
            Err(error) => return format!("{}\n", error.render(source)),
        };
        let prefix = name.map_or(String::new(), |name| format!("{name} = "));
        let mut text = format!("{prefix}{value} : {}\n", value.type_name());
        if self.timing {
            let one = time_of_one(|| check.evaluate_with(&bindings).is_ok());
            let _ = writeln!(text, "compiled in {compiled:.0?}, evaluated in {one:.0?}");
        }
        if let Some(name) = name {
            let ty = check.result_type().clone();
            self.definitions.retain(|(known, _, _)| known != name);
            self.definitions.push((name.to_owned(), ty, value));
        }
        text
    }
}

/// The mean time of one run, over as many as fit into [`TIMED`].
fn time_of_one(run: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    let mut runs = 0u32;
    while start.elapsed() < TIMED && runs < 10_000 {
        std::hint::black_box(run());
        runs += 1;
    }
    start.elapsed() / runs.max(1)
}

/// `name = expression`, which CEL itself does not have.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, source) = line.split_once('=')?;
    let name = name.trim();
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (is_name && !source.starts_with('=')).then_some((name, source.trim()))
}
