//! Proves that a single-page application with oidc-client-ts works in Chromium: login through the real pages, silent renewal, session
//! monitoring, sign-out. The cases are the files of `node/chromium`.

use std::process::ExitCode;

use stampmill_interop::{node_cases, node_needs, run_cases};

fn main() -> ExitCode {
    run_cases(
        node_needs(&["chromium", "certutil"]),
        node_cases("chromium"),
    )
}
