//! Proves that the npm packages openid-client and oauth4webapi log in through `stampmill serve`, trusting its CA certificate alone, and do
//! all else that they can; and that they refuse what an attacker on the wire alters. The cases are the files of `node/cases`.

use std::process::ExitCode;

use stampmill_interop::{node_cases, node_needs, run_cases};

fn main() -> ExitCode {
    run_cases(node_needs(&[]), node_cases("cases"))
}
