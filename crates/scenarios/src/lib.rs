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
mod ca_acme;
mod dh;
mod event;
mod jit;
mod oauth;
mod oauth_device;
mod oauth_login;
mod oauth_requests;
mod oauth_tokens;
mod own_service;
mod relying_party;
mod rsa;
mod stage;
mod terminal;
mod tour;

pub mod http_client;

pub use event::{Channel, Event, Exchange, Outcome};
pub use stage::{Audience, Stage};
pub use terminal::{JsonLines, Terminal};

use std::io::Write as _;
use std::path::PathBuf;
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
        name: "asm_limbs",
        summary: "256 bits added limb by limb, with the carry and without",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/asm/limbs.rs",
        run: asm::limbs,
    },
    Scenario {
        name: "asm_clobber",
        summary: "a routine that does not give a register back, and its caller's wrong sum",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/asm/clobber.rs",
        run: asm::clobber,
    },
    Scenario {
        name: "asm_modexp",
        summary: "one 2048-bit power by every engine and by OpenSSL, and the time of each",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/asm/engines.rs",
        run: asm::engines,
    },
    Scenario {
        name: "asm_timing_leak",
        summary: "what the time of square and multiply tells about the exponent, and what ours tells",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/asm/timing_leak.rs",
        run: asm::timing_leak,
    },
    Scenario {
        name: "rsa_by_hand",
        summary: "the signature of an issued token checked by seventeen multiplications",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/rsa/by_hand.rs",
        run: rsa::by_hand,
    },
    Scenario {
        name: "rsa_fault",
        summary: "one wrong bit in half a signature gives the key away, unless the result is checked",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/rsa/fault.rs",
        run: rsa::fault,
    },
    Scenario {
        name: "rsa_lax_padding",
        summary: "a signature forged by a cube root, for verifiers that parse instead of comparing",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/rsa/lax_padding.rs",
        run: rsa::lax_padding,
    },
    Scenario {
        name: "rsa_two_signatures",
        summary: "the public key computed from two signatures, and what hiding it does not protect from",
        guide: "docs/02-assembly.md",
        code: "crates/scenarios/src/rsa/two_signatures.rs",
        run: rsa::two_signatures,
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
        name: "jit_call_rust",
        summary: "machine code calls a Rust function: symbol, signature, address, and what the caller may not assume",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/call_rust.rs",
        run: jit::call_rust,
    },
    Scenario {
        name: "jit_abi_mistake",
        summary: "functions called as what they are not: what is computed then, and what is noticed",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/abi_mistake.rs",
        run: jit::abi_mistake,
    },
    Scenario {
        name: "jit_wx",
        summary: "pages that are written or executed, never both, and the signals for who tries",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/wx.rs",
        run: jit::wx,
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
        name: "attack_code_pages",
        summary: "attack 42: six bytes written over a rule's machine code, with pages that allow it and as they are",
        guide: "docs/03-jit.md",
        code: "crates/scenarios/src/jit/wx.rs",
        run: jit::code_pages,
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
        summary: "an HTTPS server with a certificate of its own authority, and every verifier of this machine",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca.rs",
        run: ca::https,
    },
    Scenario {
        name: "ca_verify_by_hand",
        summary: "a chain verified question by question, and one signature opened down to the hash",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca/by_hand.rs",
        run: ca::verify_chain_by_hand,
    },
    Scenario {
        name: "ca_mtls_revoked",
        summary: "a client's certificate that was taken back, and how a server hears of it",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca/revoked.rs",
        run: ca::mtls_revoked,
    },
    Scenario {
        name: "ca_rogue",
        summary: "certificates that claim too much, before verifiers that look",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca/rogue.rs",
        run: ca::rogue,
    },
    Scenario {
        name: "ca_pinning",
        summary: "a client that knows the key it expects, and what that costs",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca/pinning.rs",
        run: ca::pinning,
    },
    Scenario {
        name: "ca_acme",
        summary: "a certificate without a person: ACME message by message, and what it refuses",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca_acme.rs",
        run: ca_acme::acme,
    },
    Scenario {
        name: "ca_zoo",
        summary: "hosts that are wrong in one way each, before every verifier of this machine",
        guide: "docs/04-certificate-authority.md",
        code: "crates/scenarios/src/ca/zoo.rs",
        run: ca::zoo,
    },
    Scenario {
        name: "oauth_code_pkce",
        summary: "a login with code and PKCE, message by message, and what a thief of its parts gets",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth.rs",
        run: oauth::code_pkce,
    },
    Scenario {
        name: "oauth_state",
        summary: "a browser that finishes somebody else's login, and the value that ties answers to browsers",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_login.rs",
        run: oauth_login::state,
    },
    Scenario {
        name: "oauth_pkce",
        summary: "a stolen code brought to the honest client, and the verifier it cannot bring",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_login.rs",
        run: oauth_login::pkce,
    },
    Scenario {
        name: "oauth_oidc",
        summary: "an access token taken for a login, and the ID token that says for whom it is",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_login.rs",
        run: oauth_login::oidc,
    },
    Scenario {
        name: "oauth_hybrid",
        summary: "an ID token beside the code, and the hash that vouches for it",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_login.rs",
        run: oauth_login::hybrid,
    },
    Scenario {
        name: "oauth_logout",
        summary: "a session ends, and the client hears of it, server to server",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_login.rs",
        run: oauth_login::logout,
    },
    Scenario {
        name: "oauth_requests",
        summary: "a client registers itself and pushes or signs its requests, and nobody alters them",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_requests.rs",
        run: oauth_requests::requests,
    },
    Scenario {
        name: "oauth_client_credentials",
        summary: "a client that speaks for itself, and what it may not",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth.rs",
        run: oauth::client_credentials,
    },
    Scenario {
        name: "oauth_refresh",
        summary: "refresh tokens that rotate, a lost answer, and a thief's late use",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_tokens.rs",
        run: oauth_tokens::refresh,
    },
    Scenario {
        name: "oauth_device",
        summary: "a device shows a code, and a person allows it elsewhere",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_device.rs",
        run: oauth_device::device,
    },
    Scenario {
        name: "oauth_split",
        summary: "tokens that speak for themselves against tokens that are asked about",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_tokens.rs",
        run: oauth_tokens::split,
    },
    Scenario {
        name: "oauth_jwks_rotation",
        summary: "a signing key is replaced, and no token becomes unverifiable",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_tokens.rs",
        run: oauth_tokens::jwks_rotation,
    },
    Scenario {
        name: "oauth_dpop",
        summary: "a token bound to a key, and what a thief of it gets",
        guide: "docs/05-oauth.md",
        code: "crates/scenarios/src/oauth_tokens.rs",
        run: oauth_tokens::dpop,
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
/// line; `--svg FILE` keeps its picture, `--help` tells of both; says where to read on; fails if the scenario does.
#[must_use]
pub fn main(name: &str) -> ExitCode {
    let Some(scenario) = Scenario::named(name) else {
        anstream::eprintln!("there is no scenario named {name}");
        return ExitCode::FAILURE;
    };
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(argument) => {
            anstream::eprintln!("{name} does not take {argument}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        anstream::println!(
            "{name}: {}\n\n{USAGE}\n\nthe code: {}\nread on: {}",
            scenario.summary,
            scenario.code,
            scenario.guide
        );
        return ExitCode::SUCCESS;
    }
    let played = if arguments.json {
        scenario.play(&mut JsonLines::new(std::io::stdout()))
    } else {
        let terminal = Terminal::new(anstream::stdout());
        let played = scenario.play(&mut terminal.with_svg(arguments.svg));
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

const USAGE: &str = "\
--json      one event a line, for programs
--svg FILE  keep the lesson's picture, if it has one";

/// What an example takes on its command line.
#[derive(Debug, Default)]
struct Arguments {
    help: bool,
    json: bool,
    svg: Option<PathBuf>,
}

impl Arguments {
    /// The first argument that is anything else is an error.
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--help" | "-h" => arguments.help = true,
                "--json" => arguments.json = true,
                "--svg" => arguments.svg = Some(given.next().ok_or(argument)?.into()),
                _ => return Err(argument),
            }
        }
        Ok(arguments)
    }
}
