//! Other people's clients and judges, to be tested by.
//!
//! Nothing here is linked into the product: this crate starts the built `stampmill serve` as a user would, and lets programs
//! that nobody here wrote talk to it.
//!
//! ```text
//!   tests/openid_client.rs     openid-client, oauth4webapi: every grant and endpoint; an attacker on the wire   node/cases
//!   tests/issuer_path.rs       the same, with an issuer that has a path, behind nginx as docs/configuration.md sets it up   node/cases
//!   tests/oidc_client_ts.rs    oidc-client-ts in Chromium: a page's login, silent renewal, session, sign-out   node/chromium
//!   tests/authlib.rs           Python's Authlib: a Flask client, sessions, client assertions, a resource server   python/
//!   tests/cargo_clients.rs     the crates openidconnect and oauth2
//!   tests/mod_auth_openidc.rs  Debian's Apache before an application: login, claims, both logouts   node/mod_auth_openidc
//!   tests/oidc_agent.rs        Debian's oidc-agent: the device grant, registration and a code   node/oidc_agent
//!   tests/openssl_and_curl.rs  openssl, curl           the certificates and the TLS server
//!   tests/ca_judges.rs         openssl, certtool, NSS, webpki, cryptography, Python, Node, curl, Chromium, Go, Java, pkilint   judges/
//!   tests/ca_status.rs         openssl, ocsptool, curl, nginx: CRL, OCSP, PKCS #12, the records when the disk is full
//!   tests/ca_zoo.rs            openssl, curl, GnuTLS, Python, Node, Go, Chromium before certificates that are wrong in one way each
//!   tests/acme_clients         certbot, lego, acme-tiny, dehydrated, uacme, acme-client, instant-acme, nginx, Caddy   judges/ node-acme/
//!   tests/structure.rs         cargo's own metadata    who may use whom, and where `unsafe` may stand
//! ```
//!
//! A program that is absent makes its cases *ignored*, with its name in the report; with `STAMPMILL_OUTSIDE_REQUIRED=1`, which
//! CI sets, it makes them fail. Nothing is ever skipped and counted as passed.
//!
//! All clients share one browser: `node/lib/browser.mjs` where cookies, redirects and forms are enough, Chromium where they are
//! not.
//!
//! The program under test is the one in the same target folder, so build it first (`cargo build`); `STAMPMILL_BIN` names
//! another.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod case;
mod node;
mod serve;

pub use case::{
    Case, Needs, Verdict, judges_folder, run_cases, run_cases_on, run_verdicts,
    run_waiting_verdicts,
};
pub use node::{SITE, context, node_cases, node_needs, walk};
pub use serve::{FirstStart, Serve, run_stampmill, stampmill_program};
