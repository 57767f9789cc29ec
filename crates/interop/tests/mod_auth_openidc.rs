//! Proves that Debian's Apache with mod_auth_openidc protects an application by `stampmill serve`: login, claims, both kinds of logout,
//! and no entry with a forged ID token. The cases are the files of `node/mod_auth_openidc`.

use std::process::ExitCode;

use stampmill_interop::{node_cases, node_needs, run_cases};

const APACHE: &str = "/usr/sbin/apache2";
const MODULE: &str = "/usr/lib/apache2/modules/mod_auth_openidc.so";

fn main() -> ExitCode {
    let needs = node_needs(&[])
        .and_path(APACHE.into(), "apache2")
        .and_path(MODULE.into(), "libapache2-mod-auth-openidc");
    run_cases(needs, node_cases("mod_auth_openidc"))
}
