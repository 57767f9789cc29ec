//! Proves that a single-page application with oidc-client-ts works in Chromium: login through the real pages, silent renewal, session
//! monitoring, sign-out. The cases are the files of `node/chromium`.
//!
//! Service and application are hosts of one site that is not this machine by name: at `https://localhost`, where any program
//! can listen, a page without a secret is asked for consent each time, and nothing is renewed silently.

use std::process::ExitCode;

use stampmill_interop::{SITE, Serve, node_cases, node_needs, run_cases_on};

fn main() -> ExitCode {
    run_cases_on(
        || Serve::start_at(&format!("id.{SITE}")),
        node_needs(&["chromium", "certutil"]),
        node_cases("chromium"),
    )
}
