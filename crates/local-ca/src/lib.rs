//! A local certificate authority: root and intermediate, requests, certificates, revocation. What one does by hand with `openssl req` and
//! `openssl x509`, done as today's verifiers demand it, and what is usually left out: who took it back, and how clients hear of that.
//!
//! A browser does not know your server. It knows a few dozen *roots*: certificates that vouch for themselves and that somebody put into
//! its store. A server shows a *leaf*: "the key ... belongs to `localhost`", signed by a key that a root vouches for. To get one, the
//! server makes a key pair of its own and sends a *request*: the public key and the names it wants, signed with the private key to prove
//! that it has it. The private key never travels.
//!
//! ```text
//!      Authority                                                    whoever wants a certificate
//!   ┌───────────────────────────────────────┐  request            ┌────────────────────────────┐
//!   │ root.pem, root.key (may be elsewhere) │ ◀────────────────── │ CertificateRequest:        │
//!   │   │ signs once                        │                     │ names, key, wishes         │
//!   │   ▼                                   │                     └────────────────────────────┘
//!   │ issuing.pem, issuing.key              │  leaf + issuing.pem
//!   │   │ signs from day to day: Profile    │ ──────────────────▶  verify(leaf, [root], host)
//!   │   ▼                                   │
//!   │ ca.sqlite3: Store ── revoke ──▶ crl, OcspResponder ────────▶  clients that ask whether it is still good
//!   │                                       │   Published (plain HTTP)
//!   │ acme::AcmeServer                      │ ◀─────────────────  a program that proves it has a name, and comes
//!   └───────────────────────────────────────┘                      again before the certificate ends (HTTPS)
//! ```
//!
//! What goes wrong in practice is rarely the mathematics. It is the root that lives 30 days because nobody said how long, the root without
//! `keyUsage` that strict verifiers refuse, the leaf whose name stands in the common name where browsers have not looked since 2017, the
//! request that asks for `CA:TRUE` and gets it, the key file that others can read, the list of revoked certificates that lapsed on a Sunday.
//! So a [`Profile`] decides what a certificate says; a request may choose names and key, and what else it asks for is refused by name.
//! An authority is good for private names only unless told otherwise ([`NameConstraints`]), and says so in its own certificates, so that a
//! stolen key is good for no bank.
//!
//! | part | rules |
//! |---|---|
//! | [`Authority`] | root and intermediate, P-256 unless told, ten years; files written whole or not at all, keys 0600, perhaps under a passphrase (PBES2, scrypt), nothing overwritten |
//! | [`CertificateRequest`] | signature checked, weak keys and known ones refused, P-256, P-384, RSA from 2048 bits on, Ed25519, ML-DSA where OpenSSL has it |
//! | [`Profile`], [`RuleSet`] | server, client, OCSP responder, sub-CA in one table; private rules, or the Baseline Requirements' as far as private names allow |
//! | [`Authority::issue`] | names within the constraints, random serial of 128 bits, never beyond the issuer's end, backdated five minutes, recorded before anybody has it |
//! | [`Authority::renew_issuing`] | a new intermediate for the same key, before the old one ends; chains of either hold |
//! | [`Authority::renew_issuing_key`] | a new intermediate with a new key, when the old one was revoked |
//! | [`RenewalWindow`] | when a certificate is exchanged for the next: the same for ACME clients and for a service that asks itself |
//! | [`Successor`], [`PairFiles`] | with what, and how its two files change at one moment |
//! | [`Store`] | SQLite, one file: find, list, what expires, the log; several processes at once |
//! | [`Authority::crl`], [`OcspResponder`] | lists that renew themselves when asked for, in parts when they are long; answers signed by a delegated key, kept while they hold |
//! | [`verify`], [`verify_by_hand`] | OpenSSL's own verdict; and each question that a verifier asks, with the answer and the rule |
//! | [`RevocationList`], [`OcspResponse`], [`status_in_records`] | anybody's lists and answers, held against a chain: who signed, what they cover, whether they hold |
//! | [`lint`], [`view`], [`explain`] | the checks of auditors; every byte with its name; a certificate field by field: read by another library than the one that made it |
//! | [`Zoo`] | servers whose certificates are wrong in exactly one way each, for tests of clients |
//! | [`trust_stores`] | how a root gets into each store and out again; refused for a root that is good for every name |
//! | [`acme`] | RFC 8555: a program proves that it has a name, gets a certificate, and comes again; validation goes where the operator allows |
//! | [`write_private`], [`read_private`] | for every key file of this project |
//!
//! Certificates, requests, CRLs and OCSP answers are written by the small DER writer of this crate. Keys of the usual kind, P-256, and their
//! signatures are ring's; all others are OpenSSL's, as are TLS, PKCS #12 and the verdict on a chain.
//! That is quicker (OpenSSL's own way over providers costs several signatures a certificate), and every byte has a line of code that put it
//! there.
//!
//! # Example
//! ```
//! use stampmill_local_ca::{Authority, CertificateRequest, Profile, Reason, VerifyOptions, now, verify};
//!
//! # let scratch = std::env::temp_dir().join(format!("stampmill-doc-{}", std::process::id()));
//! # let dir = scratch.join("ca");
//! let authority = Authority::create(&dir, "localhost-ca")?;
//! let names = ["localhost".parse()?, "127.0.0.1".parse()?];
//! let (request, _key) = CertificateRequest::new("localhost", &names)?;
//! let leaf = authority.issue(&request, &Profile::server())?;
//!
//! let roots = [authority.root()];
//! assert_eq!(verify(&leaf, &roots, &VerifyOptions::for_host("127.0.0.1".parse()?))?.to_string(), "OK");
//! let elsewhere = verify(&leaf, &roots, &VerifyOptions::for_host("example.test".parse()?))?;
//! assert_eq!(elsewhere.to_string(), "error 62 at 0 depth: hostname mismatch");
//!
//! // what a request does not get
//! let (bank, _key) = CertificateRequest::new("", &["bank.example".parse()?])?;
//! let refused = authority.issue(&bank, &Profile::server()).unwrap_err().to_string();
//! assert!(refused.starts_with("`bank.example` lies outside the authority's name constraints"));
//!
//! authority.revoke(&leaf.serial(), Reason::KeyCompromise, now())?;
//! # std::fs::remove_dir_all(scratch)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod acme;

mod authority;
mod base_url;
mod certificate;
mod constraints;
mod crl;
mod der;
mod digest;
mod explain;
mod files;
mod front;
mod http;
mod input;
mod keys;
mod limits;
mod lint;
mod moment;
mod names;
mod ocsp;
mod pair;
mod path;
mod pem;
mod pkcs12;
mod profile;
mod reason;
mod renewal;
mod request;
mod status;
mod store;
mod subject;
mod tbs;
mod trust;
mod verify;
mod view;
mod wishes;
mod zoo;

pub use authority::{Authority, AuthorityProfile, CaError, IssueError, Renewed};
pub use base_url::{BaseUrl, BaseUrlError};
pub use certificate::{Certificate, CertificateError};
pub use constraints::NameConstraints;
pub use crl::{CrlError, Overdue, RootList, RootListState, crl_pem};
pub use explain::{Field, explain};
pub use files::{
    FileError, NewFiles, create_private, create_private_folder, create_public, read_private,
    read_public, read_up_to, write_private, write_public, write_result,
};
pub use http::Published;
pub use input::{InputError, read_certificate, read_name};
pub use keys::{KeyError, KeyKind, LeafKey, Passphrase};
pub use lint::{Finding, LintAs, LintError, Severity, lint, lint_all, lint_checks};
pub use moment::{now, rfc3339, utc};
pub use names::{DnsName, EmailAddress, NameError, SubjectAltName, Uri};
pub use ocsp::{OcspAnswer, OcspError, OcspResponder};
pub use pair::{PairFiles, StagedPair};
pub use path::{Step, verify_by_hand};
pub use pkcs12::{Pkcs12Protection, pkcs12};
pub use profile::{Profile, ProfileError, Role, RuleSet};
pub use reason::{Reason, ReasonError};
pub use renewal::{RenewalWindow, Successor};
pub use request::{CertificateRequest, RequestError};
pub use status::{OcspResponse, RevocationList, status_in_records};
pub use store::{Entry, Filter, LogLine, Status, Store, StoreError};
pub use trust::{TrustError, TrustPlaces, TrustStep, TrustStore, check_trustworthy, trust_stores};
pub use verify::{Purpose, UnknownPurpose, Verdict, VerifyOptions, verify};
pub use view::{Line, View, ViewError, view, view_all};
pub use zoo::{Inhabitant, Zoo, ZooError};
