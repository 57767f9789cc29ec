//! Standard output, as text for people or as JSON for programs: one verb, one result.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::process::exit;
use std::sync::OnceLock;

use serde_json::{Map, Value};

static DONE: OnceLock<String> = OnceLock::new();

/// Prints the results of a verb.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads what is printed.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// What is done and stays so, to be told should the result find nobody to take it.
    pub(crate) fn recorded(self, done: String) {
        // the first is what the verb was for
        let _ = DONE.set(done);
    }

    /// A moment in seconds since the epoch, for people, or for programs (RFC 3339).
    pub(crate) fn time(self, seconds: i64) -> Value {
        match self.json {
            true => Value::from(stampmill_local_ca::rfc3339(seconds)),
            false => Value::from(stampmill_local_ca::utc(seconds)),
        }
    }

    /// A line for people; programs read the result alone.
    pub(crate) fn say(self, line: impl Display) {
        if !self.json {
            self.line(line);
        }
    }

    /// A line, whoever reads. Ends the program where there is nothing to write to: quietly when the reader has gone (as
    /// `head` does), with a sentence otherwise.
    pub(crate) fn line(self, line: impl Display) {
        let mut out = anstream::stdout();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
            Err(error) => {
                let done = DONE.get().map_or(String::new(), |done| format!("; {done}"));
                // If standard error is gone as well there is nobody to tell.
                let _ = writeln!(
                    anstream::stderr(),
                    "stampmill: cannot write the result: {error}{done}"
                );
                exit(1);
            }
        }
    }

    /// Names and values: aligned lines, or one JSON object.
    pub(crate) fn fields(self, fields: &[(&str, Value)]) {
        if self.json {
            let object: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| (name.replace(' ', "_"), value.clone()))
                .collect();
            self.line(Value::Object(object));
        } else {
            let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let lines = fields
                .iter()
                .map(|(name, value)| format!("{name:width$}  {}", plain(value)));
            self.line(lines.collect::<Vec<_>>().join("\n"));
        }
    }

    /// Rows of names and values: one line each, or one JSON object a line.
    pub(crate) fn rows(self, rows: impl IntoIterator<Item = Vec<(&'static str, Value)>>) {
        for row in rows {
            if self.json {
                self.fields(&row);
            } else {
                let cells: Vec<String> = row.iter().map(|(_, value)| plain(value)).collect();
                self.line(cells.join("  "));
            }
        }
    }
}

/// A value without JSON's quotes; a list as its members with commas between.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(members) => members.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
