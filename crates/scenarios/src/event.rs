//! What happens in a lesson, as data: a terminal prints it, a test inspects it, a program reads it as JSON.

use std::time::Duration;

use serde::Serialize;

/// One thing that happened in a scenario, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum Event {
    /// A new part of the lesson begins.
    Heading {
        /// What the part is called.
        title: String,
    },
    /// One stop of the tour: a topic, what came out, and the example that goes deeper.
    Stop {
        /// Counted from 1.
        number: usize,
        /// The topic, in a word or two.
        topic: String,
        /// What was computed, a line each.
        results: Vec<String>,
        /// The name of the example that goes deeper.
        example: String,
    },
    /// A line exactly as the program of the blog post prints it.
    Printed {
        /// The line, without its line end.
        line: String,
    },
    /// One HTTP request and its answer.
    Http(Exchange),
    /// Something was computed.
    Compute {
        /// The formula with its names, for instance `A = g^a mod p`.
        formula: String,
        /// The names of the formula and their values.
        inputs: Vec<(String, String)>,
        /// What came out.
        output: String,
        /// A shell command that computes the same, where one exists.
        command: Option<String>,
    },
    /// Something was compared with what it should be.
    Check {
        /// What was checked.
        name: String,
        /// What should have come.
        expected: String,
        /// What came.
        actual: String,
        /// Whether the two agree. One failed check fails the scenario.
        ok: bool,
        /// Where the rule stands, for instance `RFC 7636 §4.6`.
        spec: Option<String>,
    },
    /// A sentence or two of explanation.
    Note {
        /// The text; the renderer breaks its lines.
        text: String,
    },
    /// Text in lines of its own: a certificate, intermediate code, a disassembly.
    Listing {
        /// What is listed.
        title: String,
        /// The lines.
        text: String,
    },
    /// A picture.
    Picture {
        /// What is to be seen.
        title: String,
        /// The whole file, in SVG.
        svg: String,
    },
    /// How long something took.
    Timing {
        /// What was timed.
        what: String,
        /// Time on the clock; this machine may have been busy.
        elapsed: Duration,
    },
    /// How an attack ended.
    Verdict {
        /// What was tried.
        attack: String,
        /// How it ended.
        outcome: Outcome,
    },
}

/// How an attack ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The attacker got what they wanted.
    Succeeded,
    /// The attacker was refused.
    Blocked {
        /// The defence that refused.
        by: String,
        /// Where the defence is specified.
        spec: String,
    },
}

/// One HTTP request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Who asks, for instance `browser`.
    pub from: String,
    /// Who answers, for instance `token service`.
    pub to: String,
    /// Whether the message passes through the user's browser.
    pub channel: Channel,
    /// Method and target, for instance `GET /authorize?client_id=…`.
    pub request: String,
    /// The parts of the request's header and body that matter to the lesson.
    pub sent: Vec<(String, String)>,
    /// The status code of the answer.
    pub status: u16,
    /// The parts of the answer's header and body that matter to the lesson.
    pub received: Vec<(String, String)>,
}

/// The way a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Through the browser: its history, its extensions and the user can see it.
    Front,
    /// Directly between two servers, over TLS.
    Back,
}
