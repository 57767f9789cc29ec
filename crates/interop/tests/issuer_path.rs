//! Proves that the locations that docs/configuration.md gives nginx are all that an issuer with a path needs: openid-client and
//! oauth4webapi work through them as they do with the service itself.

use std::process::ExitCode;

use stampmill_interop::{Serve, node_cases, node_needs, run_cases_on};

fn main() -> ExitCode {
    run_cases_on(start, node_needs(&["nginx"]), node_cases("cases"))
}

fn start() -> Result<Serve, String> {
    let page = include_str!("../../../docs/configuration.md");
    let block = page
        .split_once("```nginx\n")
        .and_then(|(_, rest)| rest.split_once("```"));
    let (locations, _) = block.ok_or("the page has no block of nginx's")?;
    Serve::start_behind_nginx("/realms/one", locations)
}
