//! The place where a lesson happens: it takes events, passes them on, and remembers which checks failed.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::event::{Event, Exchange, Outcome};

/// Something that takes the events of a scenario: a renderer or a test.
pub trait Audience {
    /// Takes the next event.
    fn take(&mut self, event: &Event);
}

impl Audience for Vec<Event> {
    fn take(&mut self, event: &Event) {
        self.push(event.clone());
    }
}

/// A lesson's view of its audience, with a short method for each kind of event.
pub struct Stage<'a> {
    audience: &'a mut dyn Audience,
    failed: Vec<String>,
}

impl<'a> Stage<'a> {
    /// A stage before this audience.
    pub fn new(audience: &'a mut dyn Audience) -> Self {
        Self {
            audience,
            failed: Vec::new(),
        }
    }

    /// Begins a new part of the lesson.
    pub fn heading(&mut self, title: impl Display) {
        self.emit(Event::Heading {
            title: title.to_string(),
        });
    }

    /// Shows one stop of the tour.
    pub fn stop(&mut self, number: usize, topic: &str, results: &[String], example: &str) {
        self.emit(Event::Stop {
            number,
            topic: topic.to_owned(),
            results: results.to_vec(),
            example: example.to_owned(),
        });
    }

    /// Prints a line exactly as the blog post's program does.
    pub fn printed(&mut self, line: impl Display) {
        self.emit(Event::Printed {
            line: line.to_string(),
        });
    }

    /// Explains.
    pub fn note(&mut self, text: impl Display) {
        self.emit(Event::Note {
            text: text.to_string(),
        });
    }

    /// Shows lines of text under a title.
    pub fn listing(&mut self, title: impl Display, text: impl Display) {
        self.emit(Event::Listing {
            title: title.to_string(),
            text: text.to_string(),
        });
    }

    /// Shows a picture, drawn in SVG.
    pub fn picture(&mut self, title: impl Display, svg: String) {
        self.emit(Event::Picture {
            title: title.to_string(),
            svg,
        });
    }

    /// Shows a computation: formula, named inputs, output.
    pub fn compute(
        &mut self,
        formula: impl Display,
        inputs: &[(&str, &dyn Display)],
        output: impl Display,
    ) {
        self.emit(computation(formula, inputs, output, None));
    }

    /// Shows a computation together with a shell command that computes the same.
    pub fn compute_as(
        &mut self,
        formula: impl Display,
        inputs: &[(&str, &dyn Display)],
        output: impl Display,
        command: impl Display,
    ) {
        self.emit(computation(
            formula,
            inputs,
            output,
            Some(command.to_string()),
        ));
    }

    /// Compares what came with what should have come; one failed check fails the scenario. Says whether they agree.
    pub fn check(
        &mut self,
        name: impl Display,
        expected: impl Display,
        actual: impl Display,
    ) -> bool {
        self.compare(name, expected, actual, None)
    }

    /// Like [`Stage::check`], naming the specification that sets the rule.
    pub fn check_rule(
        &mut self,
        name: impl Display,
        expected: impl Display,
        actual: impl Display,
        spec: &str,
    ) -> bool {
        self.compare(name, expected, actual, Some(spec))
    }

    /// Shows an HTTP request and its answer.
    pub fn http(&mut self, exchange: Exchange) {
        self.emit(Event::Http(exchange));
    }

    /// Runs `work` and shows how long it took.
    pub fn time<T>(&mut self, what: impl Display, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.timing(what, begun.elapsed());
        result
    }

    /// Shows how long something took.
    pub fn timing(&mut self, what: impl Display, elapsed: Duration) {
        self.emit(Event::Timing {
            what: what.to_string(),
            elapsed,
        });
    }

    /// The attack got what it wanted, as the lesson meant to show.
    pub fn succeeded(&mut self, attack: impl Display) {
        self.emit(Event::Verdict {
            attack: attack.to_string(),
            outcome: Outcome::Succeeded,
        });
    }

    /// The attack was refused by this defence.
    pub fn blocked(&mut self, attack: impl Display, by: impl Display, spec: impl Display) {
        self.emit(Event::Verdict {
            attack: attack.to_string(),
            outcome: Outcome::Blocked {
                by: by.to_string(),
                spec: spec.to_string(),
            },
        });
    }

    /// The names of the checks that failed so far.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    fn compare(
        &mut self,
        name: impl Display,
        expected: impl Display,
        actual: impl Display,
        spec: Option<&str>,
    ) -> bool {
        let (name, expected, actual) = (name.to_string(), expected.to_string(), actual.to_string());
        let ok = expected == actual;
        if !ok {
            self.failed.push(name.clone());
        }
        self.emit(Event::Check {
            name,
            expected,
            actual,
            ok,
            spec: spec.map(str::to_owned),
        });
        ok
    }

    fn emit(&mut self, event: Event) {
        self.audience.take(&event);
    }
}

fn computation(
    formula: impl Display,
    inputs: &[(&str, &dyn Display)],
    output: impl Display,
    command: Option<String>,
) -> Event {
    Event::Compute {
        formula: formula.to_string(),
        inputs: inputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_string()))
            .collect(),
        output: output.to_string(),
        command,
    }
}
