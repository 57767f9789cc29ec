//! A zoo of bad certificates: one TLS port behind which every host name shows a chain that is wrong in exactly one way, and one that is
//! right. Whoever writes a client points it here and sees what it believes.
//!
//! ```text
//!   client ── "expired.localhost" (SNI) ──▶ one TLS port ──▶ that inhabitant's chain and key ──▶ a page that says what is wrong
//!      └───── is it revoked? ──────────────▶ one HTTP port ──▶ the zoo's CRL and OCSP responder
//! ```
//!
//! Everything hangs from a root that is made when the zoo opens and whose key never leaves the memory. It was "made" 400 days ago, so that
//! the expired certificate is one that was good once, by the code that issues every other. What the authority's own code refuses to make
//! (a name in the common name alone, version 1, a short key) is written by hand in `make.rs`.
//!
//! The names end in `.localhost`, which is everybody's own machine (RFC 6761 §6.3): browsers and curl find them without a name server.

mod make;
mod server;

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use thiserror::Error;

use crate::authority::{Authority, CaError, IssueError};
use crate::base_url::BaseUrl;
use crate::certificate::Certificate;
use crate::crl::CrlError;
use crate::http::Published;
use crate::names::NameError;
use crate::ocsp::OcspError;
use crate::request::RequestError;

use make::Keeper;

/// What the names of its hosts end in.
const DOMAIN: &str = "localhost";

/// One host of the zoo.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inhabitant {
    /// Its name, the first label of its host: `expired`.
    pub name: &'static str,
    /// What is wrong with it.
    pub wrong: &'static str,
    /// The number of the check in this project's list, where there is one; [`lint`](crate::lint()) finds those that need one certificate.
    pub check: &'static str,
    /// The rule that is broken.
    pub rule: &'static str,
    /// What a verifier should say, in OpenSSL's words; `OK` for the one that is right.
    pub verdict: &'static str,
    /// What the server shows: the leaf and those behind it.
    pub chain: Certificate,
    key: Key,
}

impl Inhabitant {
    /// Its host name: `expired.localhost`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.{DOMAIN}", self.name)
    }
}

/// The key of a certificate that is good for nothing; all the same it is not shown.
#[derive(Clone)]
struct Key(PKey<Private>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A row: name, what is wrong, check, rule, verdict, and how it is made.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    fn(&Keeper, &str) -> Result<make::Shown, ZooError>,
);

const INHABITANTS: &[Row] = &[
    ("good", "nothing", "-", "RFC 5280 §6.1", "OK", Keeper::good),
    (
        "expired",
        "its life ended ten days ago",
        "-",
        "RFC 5280 §6.1.3 (a)(2)",
        "certificate has expired",
        Keeper::expired,
    ),
    (
        "not-yet-valid",
        "its life begins in thirty days",
        "-",
        "RFC 5280 §6.1.3 (a)(2)",
        "certificate is not yet valid",
        Keeper::not_yet_valid,
    ),
    (
        "wrong-host",
        "it names another host",
        "S1",
        "RFC 9525 §6.3",
        "hostname mismatch",
        Keeper::wrong_host,
    ),
    (
        "cn-only",
        "the host stands in the common name alone",
        "S1",
        "RFC 9525 §2",
        "hostname mismatch",
        Keeper::common_name_only,
    ),
    (
        "self-signed",
        "it vouches for itself",
        "-",
        "RFC 5280 §6.1",
        "self-signed certificate",
        Keeper::self_signed,
    ),
    (
        "unknown-root",
        "its root is another of the same name",
        "-",
        "RFC 5280 §6.1.1 (d)",
        "the chain does not end in a trusted root",
        Keeper::unknown_root,
    ),
    (
        "no-intermediate",
        "the server does not send the intermediate",
        "A12",
        "RFC 8446 §4.4.2",
        "unable to get local issuer certificate",
        Keeper::no_intermediate,
    ),
    (
        "rogue-leaf",
        "another leaf signed it",
        "S8",
        "RFC 5280 §6.1.4 (k)",
        "invalid CA certificate",
        Keeper::rogue_leaf,
    ),
    (
        "wrong-eku",
        "it is for clients",
        "S6",
        "RFC 5280 §4.2.1.12",
        "unsuitable certificate purpose",
        Keeper::for_clients,
    ),
    (
        "revoked",
        "it was taken back",
        "L10",
        "RFC 5280 §6.3",
        "certificate revoked",
        Keeper::revoked,
    ),
    (
        "name-constraints",
        "its issuer is good for .test only",
        "I6",
        "RFC 5280 §4.2.1.10",
        "permitted subtree violation",
        Keeper::outside_constraints,
    ),
    (
        "weak-key",
        "an RSA key of 1024 bits",
        "R7",
        "Baseline Requirements §6.1.5",
        "EE certificate key too weak",
        Keeper::weak_key,
    ),
    (
        "weak-digest",
        "signed over SHA-1",
        "G3",
        "Baseline Requirements §7.1.3.2",
        "CA signature digest algorithm too weak",
        Keeper::weak_digest,
    ),
    (
        "v1",
        "version 1, and so no extensions",
        "G1",
        "RFC 5280 §4.1.2.1",
        "hostname mismatch",
        Keeper::version_one,
    ),
    (
        "critical",
        "a critical extension that nobody knows",
        "S13",
        "RFC 5280 §4.2",
        "unhandled critical extension",
        Keeper::unknown_critical,
    ),
];

/// A zoo, ready to be shown. Clones are the same zoo.
#[derive(Clone, Debug)]
pub struct Zoo {
    root: Certificate,
    inhabitants: Vec<Inhabitant>,
    published: Published,
    /// Of the intermediate that is good for `.test` only.
    narrow: Arc<Narrow>,
}

/// What is published of it, in DER.
#[derive(Debug)]
struct Narrow {
    certificate: Vec<u8>,
    crl: Vec<u8>,
}

/// Why there is no zoo.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ZooError {
    /// Its authority.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// One of its certificates.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// One of its requests.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// One of its names.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Its list of revoked certificates.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// Its responder.
    #[error(transparent)]
    Ocsp(#[from] OcspError),
    /// OpenSSL failed: out of memory, no randomness, or a key that it does not sign with.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl From<ErrorStack> for ZooError {
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}

impl Zoo {
    /// Makes the root and every inhabitant. `base_url` is where [`Zoo::serve`] will publish CRL and OCSP answers; `now` is in seconds since
    /// the epoch.
    ///
    /// # Errors
    /// [`ZooError`].
    pub fn open(base_url: &BaseUrl, now: i64) -> Result<Self, ZooError> {
        let keeper = Keeper::new(base_url, now)?;
        let inhabitants = INHABITANTS
            .iter()
            .map(|(name, wrong, check, rule, verdict, make)| {
                let (chain, key) = make(&keeper, &format!("{name}.{DOMAIN}"))?;
                Ok(Inhabitant {
                    name,
                    wrong,
                    check,
                    rule,
                    verdict,
                    chain,
                    key: Key(key),
                })
            })
            .collect::<Result<_, ZooError>>()?;
        Ok(Self {
            root: keeper.authority.root(),
            inhabitants,
            narrow: Arc::new(Narrow {
                certificate: keeper.narrow_certificate().der(),
                crl: keeper.narrow_crl()?,
            }),
            published: keeper.publish()?,
        })
    }

    /// What a client is told to trust.
    #[must_use]
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// Everybody, the good one first.
    #[must_use]
    pub fn inhabitants(&self) -> &[Inhabitant] {
        &self.inhabitants
    }

    /// The list of the second intermediate, which is good for names in `.test` only, in DER. With the authority's two every chain here is
    /// covered.
    #[must_use]
    pub fn narrow_crl(&self) -> &[u8] {
        &self.narrow.crl
    }

    /// The authority, for its CRLs.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        self.published.authority()
    }
}
