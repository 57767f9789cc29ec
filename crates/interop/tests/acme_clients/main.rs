//! Proves that ACME clients which nobody here wrote get, renew and revoke certificates at a running `stampmill ca serve`, by each of the
//! challenges, and that OpenSSL believes what they got and what became of it. nginx and Caddy run by the configurations of the guide.
#![allow(clippy::unwrap_used)]

mod libraries;
mod programs;
mod scene;
mod servers;
mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use stampmill_interop::{Needs, Verdict, judges_folder, run_waiting_verdicts};

/// GnuTLS knows no other place for roots, and no way to be told of one.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Clients sleep between their questions.
const AT_ONCE: usize = 5;

fn main() -> ExitCode {
    let needs = |programs: &[&str]| {
        let always: &[&str] = &["openssl", "curl", "timeout"];
        Needs::programs(&[always, programs].concat())
    };
    let python = |program: &str| {
        needs(&["python3"]).and_path(venv(program), &format!("{program} (./test --install)"))
    };
    run_waiting_verdicts(
        AT_ONCE,
        vec![
            Verdict::new(
                "certbot_renews_when_the_server_says_so",
                python("certbot"),
                programs::certbot,
            ),
            Verdict::new(
                "lego_with_a_key_that_was_given_out",
                needs(&["lego"]),
                programs::lego,
            ),
            Verdict::new(
                "lego_proves_a_name_by_its_zone",
                needs(&["lego"]),
                programs::lego_dns,
            ),
            Verdict::new(
                "acme_tiny_with_a_key_of_its_own",
                python("acme-tiny"),
                programs::acme_tiny,
            ),
            Verdict::new(
                "dehydrated_gets_a_wildcard",
                needs(&["dehydrated"]),
                programs::dehydrated,
            ),
            uacme(needs(&["uacme", "unshare"])),
            Verdict::new(
                "the_guides_caddy_replaces_what_was_revoked",
                needs(&["caddy"]),
                servers::caddy,
            ),
            Verdict::new(
                "the_guides_nginx_gets_its_certificate_by_dehydrated",
                needs(&["nginx", "dehydrated"]),
                servers::nginx,
            ),
            Verdict::new(
                "openssl_and_curl_see_a_renewed_intermediate_without_a_restart",
                needs(&[]),
                servers::renewed_intermediate,
            ),
            Verdict::new(
                "acme_client_for_node_changes_its_key",
                needs(&["node"]).and_path(
                    libraries::node_project().join("node_modules"),
                    "node_modules (npm ci in crates/interop/node-acme)",
                ),
                libraries::acme_client,
            ),
            Verdict::new(
                "instant_acme_says_what_it_replaces",
                needs(&[]),
                libraries::instant_acme,
            ),
        ],
    )
}

/// uacme has to be shown a system's bundle with our root in it, which takes a mount namespace. Where there is none it cannot be judged.
fn uacme(needs: Needs) -> Verdict {
    let namespace = namespace();
    let possible = namespace.is_some() && Path::new(SYSTEM_BUNDLE).exists();
    let needs = needs.and(
        possible,
        "a mount namespace (unshare) and Debian's ca-certificates",
    );
    let verdict = Verdict::new("uacme_for_a_name_and_an_address", needs, move || {
        programs::uacme(namespace.unwrap_or_default())
    });
    match possible {
        true => verdict,
        false => verdict.when_present(),
    }
}

/// How `unshare` makes a mount namespace here: as root, or as root of a user namespace.
fn namespace() -> Option<&'static str> {
    ["-m", "-rm"].into_iter().find(|how| {
        let tried = Command::new("unshare")
            .args([how, "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}

/// A program of the Python packages that `./test --install` puts aside.
fn venv(program: &str) -> PathBuf {
    judges_folder().join("venv/bin").join(program)
}
