//! Proves that the npm packages openid-client and oauth4webapi do with an issuer that has a path all that they do with one that has none:
//! the cases are the same files of `node/cases`, attacks included.

use std::process::ExitCode;

use stampmill_interop::{Serve, node_cases, node_needs, run_cases_on};

fn main() -> ExitCode {
    run_cases_on(
        || Serve::start_below("/realms/one"),
        node_needs(&[]),
        node_cases("cases"),
    )
}
