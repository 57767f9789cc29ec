//! A local certificate authority: root, request, leaf. What one does by hand with `openssl req` and `openssl x509`, done as
//! today's verifiers demand it.
//!
//! A browser does not know your server. It knows a few dozen *roots*: certificates that vouch for themselves and that somebody put into
//! its store. A server shows a *leaf*: "the key ... belongs to `localhost`", signed by a root's key. To get one, the server makes
//! a key pair of its own and sends a *request*: the public key and the names it wants, signed with the private key to prove that it
//! has it. The private key never travels.
//!
//! ```text
//!    Authority::create                    CertificateRequest::new
//!    ┌──────────────────────────┐         ┌─────────────────────────────┐
//!    │ root.key   signs         │ ◀────── │ names, public key,          │   leaf key stays
//!    │ root.pem   self-signed,  │ request │ signed by the leaf's key    │   with the server
//!    │   CA:TRUE, pathlen 0,    │         └─────────────────────────────┘
//!    │   keyCertSign, cRLSign   │ ──────▶  leaf: names, public key, serverAuth,
//!    └──────────┬───────────────┘  issue   at most 398 days, signed by root.key
//!               ▼
//!     put into the client's store  ──────▶ verify(leaf, [root], host, moment)
//! ```
//!
//! What goes wrong in practice is rarely the mathematics. It is the root that lives 30 days because nobody said how long, the root without
//! `keyUsage` that strict verifiers refuse, the leaf whose name stands in the common name where browsers have not looked since 2017, the
//! request that asks for `CA:TRUE` and gets it, the key file that others can read. So here the profile is fixed, a request may ask
//! for names only, and everything else about it is refused by name.
//!
//! | part | rules |
//! |---|---|
//! | [`Authority`] | P-256 unless told, ten years, random serial numbers, files written whole or not at all, key 0600, nothing overwritten |
//! | [`CertificateRequest`] | signature checked, DNS names and addresses only, P-256, P-384 or RSA from 2048 bits on |
//! | [`Authority::issue`] | subjectAltName always, serverAuth, 1 to 398 days, never beyond the root's end, backdated five minutes |
//! | [`verify`] | OpenSSL's own verdict, strict, with the name and the moment one asks for |
//! | [`explain`] | a certificate field by field, read by another library than the one that made it |
//! | [`write_private`], [`read_private`] | for every key file of this project |
//!
//! # Example
//! ```
//! use stampmill_local_ca::{Authority, CertificateRequest, ServerProfile, VerifyOptions, verify};
//!
//! # let scratch = std::env::temp_dir().join(format!("stampmill-doc-{}", std::process::id()));
//! # let dir = scratch.join("ca");
//! let authority = Authority::create(&dir, "localhost-ca")?;
//! let names = ["localhost".parse()?, "127.0.0.1".parse()?];
//! let (request, _key) = CertificateRequest::new("localhost", &names)?;
//! let leaf = authority.issue(&request, &ServerProfile::default())?;
//!
//! let roots = [authority.root()];
//! assert_eq!(verify(&leaf, &roots, &VerifyOptions::for_host("127.0.0.1".parse()?))?.to_string(), "OK");
//! let elsewhere = verify(&leaf, &roots, &VerifyOptions::for_host("example.test".parse()?))?;
//! assert_eq!(elsewhere.to_string(), "error 62 at 0 depth: hostname mismatch");
//! # std::fs::remove_dir_all(scratch)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod authority;
mod base_url;
mod certificate;
mod constraints;
mod crl;
mod der;
mod explain;
mod files;
mod http;
mod keys;
mod lint;
mod moment;
mod names;
mod ocsp;
mod path;
mod pem;
mod pkcs12;
mod profile;
mod reason;
mod request;
mod store;
mod subject;
mod tbs;
mod verify;
mod view;
mod wishes;

pub use authority::{Authority, AuthorityProfile, CaError, IssueError};
pub use base_url::{BaseUrl, BaseUrlError};
pub use certificate::{Certificate, CertificateError};
pub use constraints::NameConstraints;
pub use crl::{CrlError, crl_pem};
pub use explain::{Field, explain};
pub use files::{
    FileError, create_private, create_private_folder, create_public, read_private, read_public,
    write_private,
};
pub use http::Published;
pub use keys::{KeyError, KeyKind, LeafKey, Passphrase};
pub use lint::{Finding, LintAs, LintError, Severity, lint, lint_checks};
pub use moment::{now, utc};
pub use names::{DnsName, EmailAddress, NameError, SubjectAltName, Uri};
pub use ocsp::{OcspAnswer, OcspError, OcspResponder};
pub use path::{Step, verify_by_hand};
pub use pkcs12::{Pkcs12Protection, pkcs12};
pub use profile::{Profile, ProfileError, Role, RuleSet};
pub use reason::{Reason, ReasonError};
pub use request::{CertificateRequest, RequestError};
pub use store::{Entry, Filter, LogLine, Status, Store, StoreError};
pub use verify::{Verdict, VerifyOptions, verify};
pub use view::{Line, View, ViewError, view};
