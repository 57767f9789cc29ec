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
:ast, :types, :cost, :clif, :vcode, :asm EXPRESSION
                       what it is compiled to
:history, !NUMBER      what was typed; one of it again
:timing on|off         whether times are told
:quit
";

/// What can be shown of an expression, by its command without the colon.
const SHOWN: &[(&str, Show)] = &[
    ("ast", Show::Ast),
    ("types", Show::Types),
    ("cost", Show::Cost),
    ("clif", Show::Clif),
    ("vcode", Show::Vcode),
    ("asm", Show::Asm),
];

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
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// For the reader; empty, or with a line's end.
    pub text: String,
    /// Whether the session is over.
    pub ends: bool,
    /// Whether the line is a mistake, or has no value: `text` says why.
    pub failed: bool,
    /// Of an expression.
    pub value: Option<Value>,
    /// Of a definition.
    pub name: Option<String>,
    /// How long parsing, checking and compiling took, if times are told.
    pub compiled: Option<Duration>,
    /// How long an evaluation takes, the claims read from their bytes each time; likewise.
    pub evaluated: Option<Duration>,
}

impl Reply {
    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A reply that says what is wrong.
    fn failed(text: impl std::fmt::Display) -> Self {
        Self {
            text: format!("{text}\n"),
            failed: true,
            ..Self::default()
        }
    }
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
        match line.strip_prefix('!') {
            Some(number)
                if !number.starts_with(['=', '(']) && number.trim().parse::<usize>().is_ok() =>
            {
                let number = number.trim().parse::<usize>().unwrap_or(0);
                let again = number.checked_sub(1).and_then(|at| self.history.get(at));
                match again.cloned() {
                    Some(line) => {
                        let reply = self.line(&line);
                        let text = format!("{line}\n{}", reply.text);
                        Reply { text, ..reply }
                    }
                    None => Reply::failed(format_args!("there is no line {number}")),
                }
            }
            _ => {
                if !line.is_empty() {
                    self.history.push(line.to_owned());
                }
                self.command(line)
            }
        }
    }

    fn command(&mut self, line: &str) -> Reply {
        let (command, rest) = match line.split_once(char::is_whitespace) {
            Some((command, rest)) => (command, rest.trim()),
            None => (line, ""),
        };
        match command {
            "" => Reply::default(),
            ":quit" | ":q" => Reply {
                ends: true,
                ..Reply::default()
            },
            ":help" | ":h" => Reply::text(HELP),
            ":claims" => self.set_claims(rest),
            ":now" => match rest.parse() {
                Ok(now) => {
                    self.now = now;
                    Reply::default()
                }
                Err(_) => Reply::failed("a time is a number of seconds since 1970"),
            },
            ":timing" => {
                self.timing = rest != "off";
                Reply::default()
            }
            ":history" => Reply::text(self.history.iter().enumerate().fold(
                String::new(),
                |mut text, (index, line)| {
                    let _ = writeln!(text, "{:>4}  {line}", index + 1);
                    text
                },
            )),
            ":explain" => self.compiled(rest, |check, bindings| match check.explain(bindings) {
                Ok(explanation) => Reply::text(explanation.to_string()),
                Err(error) => Reply::failed(error),
            }),
            ":type" => self.compiled(rest, |check, _| {
                Reply::text(format!("{}\n", check.result_type()))
            }),
            _ if command.starts_with(':') => {
                match SHOWN.iter().find(|(name, _)| *name == &command[1..]) {
                    Some((_, show)) => {
                        self.compiled(rest, |check, _| Reply::text(check.show(*show)))
                    }
                    None => Reply::failed(format_args!(
                        "there is no {command}; :help lists what there is"
                    )),
                }
            }
            _ => self.evaluate(line),
        }
    }

    fn set_claims(&mut self, payload: &str) -> Reply {
        // Refused now, not with every line that follows.
        let read = ClaimCheck::interpreted_in("true", &Environment::claims())
            .map(|check| check.evaluate_with(&Bindings::new(payload.as_bytes(), 0)));
        match read {
            Ok(Ok(_)) => {
                self.claims(payload.as_bytes());
                Reply::default()
            }
            Ok(Err(error)) => Reply::failed(error),
            Err(error) => Reply::failed(error),
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
        show: impl FnOnce(&ClaimCheck, &Bindings<'_>) -> Reply,
    ) -> Reply {
        match ClaimCheck::compile_in(source, &self.environment()) {
            Ok(check) => show(&check, &self.bindings()),
            Err(error) => Reply::failed(error),
        }
    }

    /// An expression, or a definition.
    fn evaluate(&mut self, line: &str) -> Reply {
        let (name, source) = match definition(line) {
            Some((name, source)) => (Some(name), source),
            None => (None, line),
        };
        let start = Instant::now();
        let check = match ClaimCheck::compile_in(source, &self.environment()) {
            Ok(check) => check,
            Err(error) => return Reply::failed(error),
        };
        let compiled = start.elapsed();
        let bindings = self.bindings();
        let value = match check.evaluate_with(&bindings) {
            Ok(value) => value,
            Err(error) => return Reply::failed(error.render(source)),
        };
        let prefix = name.map_or(String::new(), |name| format!("{name} = "));
        let mut reply = Reply::text(format!("{prefix}{value} : {}\n", value.type_name()));
        if self.timing {
            let one = time_of_one(|| check.evaluate_with(&bindings).is_ok());
            let _ = writeln!(
                reply.text,
                "compiled in {compiled:.0?}, evaluated in {one:.0?}"
            );
            (reply.compiled, reply.evaluated) = (Some(compiled), Some(one));
        }
        if let Some(name) = name {
            let ty = check.result_type().clone();
            self.definitions.retain(|(known, _, _)| known != name);
            self.definitions.push((name.to_owned(), ty, value.clone()));
            reply.name = Some(name.to_owned());
        }
        reply.value = Some(value);
        reply
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
