//! Each lesson of stampmill as a function that does the real thing and tells what it did.
//!
//! A scenario computes through the crates that the rest of the workspace is made of: the modular exponentiation that
//! signs tokens, the compiler that decides claim checks, the authority that issues the service's certificate. While it
//! works it emits [`Event`]s, and whoever listens makes of them what they need:
//!
//! ```text
//!                     ┌─ Terminal    text for people (examples, the tour)
//!  scenario ─ Event ──┼─ JsonLines   one object a line for programs
//!                     └─ Vec<Event>  a test that looks at what happened
//! ```
//!
//! One table, [`SCENARIOS`], names them all. An example is one line:
//!
//! ```no_run
//! # #[allow(clippy::needless_doctest_main)]
//! fn main() -> std::process::ExitCode {
//!     stampmill_scenarios::main("dh_toy")
//! }
//! ```
//!
//! A test listens with a vector:
//!
//! ```
//! use stampmill_scenarios::{Event, Stage};
//!
//! let mut events = Vec::new();
//! let mut stage = Stage::new(&mut events);
//! stage.check("both have the same secret", 8, 8);
//! assert!(matches!(events[0], Event::Check { ok: true, .. }));
//! ```

mod asm;
mod ca;
mod dh;
mod event;
mod jit;
mod oauth;
mod own_service;
mod relying_party;
mod stage;
mod terminal;
mod tour;

pub mod http_client;

pub use event::{Channel, Event, Exchange, Outcome};
pub use stage::{Audience, Stage};
pub use terminal::{JsonLines, Terminal};

use std::io::Write as _;
use std::process::ExitCode;

/// A lesson: its name, what it shows, the page of the guide that teaches it, and the function that does it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name, which is also the name of the example.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub summary: &'static str,
    /// The guide's page, as a path from the repository's root.
    pub guide: &'static str,
    /// Where its code is, likewise.
    pub code: &'static str,
    run: fn(&mut Stage<'_>) -> anyhow::Result<()>,
}

/// The tour: everything once, in seconds.
pub const TOUR: Scenario = Scenario {
    name: "tour",
    summary: "everything once, for real, in seconds",
    guide: "docs/README.md",
    code: "crates/scenarios/src/tour.rs",
    run: tour::tour,
};

/// Every scenario, in the order in which the guide teaches them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "dh_toy",
        summary: "Diffie-Hellman in small numbers, what Eve does, and which values give the secret away",
        guide: "docs/01-diffie-hellman.md",
        code: "crates/scenarios/src/dh/toy.rs",
        run: dh::toy,
    },
    Scenario {
        name: "dh_mitm",
        summary: "Mallory between Alice and Bob, and the signatures that keep her out",
        guide: "docs/01-diffie-hellman.md",
        code: "crates/scenarios/src/dh/mitm.rs",
        run: dh::mitm,
    },
    Scenario {
        name: "asm_add",
        summary: "two assembly routines called from Rust, and their bytes in memory",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/asm.rs",
        run: asm::add,
    },
    Scenario {
        name: "asm_and_c",
        summary: "C and assembly in one archive, called from Rust",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/asm.rs",
        run: asm::and_c,
    },
    Scenario {
        name: "jit_add",
        summary: "an addition compiled while the program runs: CLIF, bytes, instructions",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit.rs",
        run: jit::add,
    },
    Scenario {
        name: "jit_control_flow",
        summary: "if, a loop, and a call back into Rust, compiled while the program runs",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/control_flow.rs",
        run: jit::control_flow,
    },
    Scenario {
        name: "jit_claim_check",
        summary: "a rule about a token from its text to machine code and a decision",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit.rs",
        run: jit::claim_check,
    },
    Scenario {
        name: "jit_vs_interpreter",
        summary: "when compiling pays: one rule by interpreter and machine code, and the break-even",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/compared.rs",
        run: jit::vs_interpreter,
    },
    Scenario {
        name: "jit_repl",
        summary: "a session: each line checked, compiled and run, with what it says of mistakes",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/session.rs",
        run: jit::repl,
    },
    Scenario {
        name: "attack_expression_bomb",
        summary: "attack 41: rules that cost more to evaluate than to write, and the limits that end them",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/bomb.rs",
        run: jit::bomb,
    },
    Scenario {
        name: "ca_root_and_leaf",
        summary: "a root, a request and a leaf, and OpenSSL's verdict on them and on what tutorials make",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca.rs",
        run: ca::root_and_leaf,
    },
    Scenario {
        name: "ca_https",
        summary: "an HTTPS server with a certificate of its own authority, and three clients",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca.rs",
        run: ca::https,
    },
    Scenario {
        name: "oauth_code_pkce",
        summary: "a login with code and PKCE, message by message, and what a thief of its parts gets",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth.rs",
        run: oauth::code_pkce,
    },
    Scenario {
        name: "oauth_client_credentials",
        summary: "a client that speaks for itself, and what it may not",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth.rs",
        run: oauth::client_credentials,
    },
];

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Option<&'static Scenario> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Does the lesson before an audience.
    ///
    /// # Errors
    /// A step that could not be done, or the names of the checks that did not hold.
    pub fn play(&self, audience: &mut dyn Audience) -> anyhow::Result<()> {
        let mut stage = Stage::new(audience);
        (self.run)(&mut stage)?;
        match stage.failed() {
            [] => Ok(()),
            failed => anyhow::bail!("these checks failed: {}", failed.join(", ")),
        }
    }
}

/// The `main` of an example: does the scenario `name` on standard output, as text or, with `--json`, as one event a
/// line; says where to read on; fails if the scenario does.
#[must_use]
pub fn main(name: &str) -> ExitCode {
    let Some(scenario) = Scenario::named(name) else {
        anstream::eprintln!("there is no scenario named {name}");
        return ExitCode::FAILURE;
    };
    let json = match arguments(std::env::args().skip(1)) {
        Ok(json) => json,
        Err(argument) => {
            anstream::eprintln!("{name} takes no argument but --json; got {argument}");
            return ExitCode::from(2);
        }
    };
    let played = if json {
        scenario.play(&mut JsonLines::new(std::io::stdout()))
    } else {
        let played = scenario.play(&mut Terminal::new(anstream::stdout()));
        // As in `Terminal`, a reader who closed the pipe has seen enough.
        let _ = writeln!(
            anstream::stdout(),
            "\nthe code: {}\nread on: {}",
            scenario.code,
            scenario.guide
        );
        played
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{name} failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether `--json` was given; the first argument that is anything else is an error.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<bool, String> {
    match given.next() {
        None => Ok(false),
        Some(argument) if argument == "--json" => given.next().map_or(Ok(true), Err),
        Some(argument) => Err(argument),
    }
}
