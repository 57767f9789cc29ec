//! The command line of stampmill: parse, call a crate, print. No domain logic lives here.
//!
//! Results go to standard output, errors to standard error with an exit code other than 0; `--json` prints what a
//! program would read.
//!
//! ```text
//! cli.rs    what can be typed
//! verbs/    one file a verb: what it calls and what it prints
//! print.rs  text or JSON on standard output
//! ```
#![forbid(unsafe_code)]

mod cli;
mod print;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("stampmill: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: cli::Cli) -> anyhow::Result<()> {
    use cli::{Below, Verb};
    let out = print::Printer::new(cli.json);
    match cli.verb {
        None => verbs::tour::run(out),
        Some(Verb::Serve(args)) => verbs::serve::run(args, out),
        Some(Verb::Ca(Below { verb })) => verbs::ca::run(verb, out),
        Some(Verb::Dh(Below { verb })) => verbs::dh::run(verb, out),
        Some(Verb::Check(Below { verb })) => verbs::check::run(verb, out),
        Some(Verb::Token(Below { verb })) => verbs::token::run(verb, out),
        Some(Verb::Client(Below { verb })) => verbs::client::run(verb, out),
        Some(Verb::User(Below { verb })) => verbs::user::run(verb, out),
        Some(Verb::Keys(Below { verb })) => verbs::keys::run(verb, out),
        Some(Verb::Doctor) => verbs::doctor::run(out),
    }
}
