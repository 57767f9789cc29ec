//! Runs every test of a folder of [Project Wycheproof](https://github.com/C2SP/wycheproof)'s files that is of a kind this project implements:
//! `cargo run --release -p stampmill-jose --example wycheproof -- DIR`.
//!
//! One line for each file, one for each failure, and at the end `N passed, M failed, K skipped`; the exit code is 1 when something
//! failed. What is skipped is named with its reason.

mod signatures;
mod suite;
mod tokens;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use suite::{Planted, Tally, run_folder};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        println!("usage: wycheproof DIR, a folder of Wycheproof's files (testvectors_v1)");
        return ExitCode::from(2);
    };
    match run_folder(&folder, Planted::Nothing, &mut io::stdout().lock()) {
        Ok(Tally { failed: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
