//! Proves that Debian's oidc-agent gets its tokens from `stampmill serve`: by the device grant, and by registering itself and a code. The
//! cases are the files of `node/oidc_agent`.

use std::process::ExitCode;

use stampmill_interop::{node_cases, node_needs, run_cases};

fn main() -> ExitCode {
    let needs = node_needs(&["oidc-agent", "oidc-gen", "oidc-token", "oidc-add"]);
    run_cases(needs, node_cases("oidc_agent"))
}
