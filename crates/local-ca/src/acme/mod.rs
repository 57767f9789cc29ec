//! ACME (RFC 8555): certificates without a person. A client proves that it has a name by putting something where only the name's holder
//! can put it, and gets a certificate for it; weeks later it does the same again, by itself.
//!
//! ```text
//!   client                                                   server
//!     │  GET  directory ───────────────────────────────────▶  where everything is
//!     │  HEAD new-nonce ───────────────────────────────────▶  a nonce, good once
//!     │  POST new-account   {contact}                 jwk ──▶  account                    account.rs, binding.rs
//!     │  POST new-order     {identifiers}             kid ──▶  order: pending             order.rs
//!     │  POST authorization                           kid ──▶  token, three ways to use it  authorization.rs
//!     │    puts token.thumbprint(account key) there
//!     │  POST challenge     {}                        kid ──▶  processing ─┐              challenge.rs
//!     │                      ◀── the server looks ─────────────────────────┘              validate/
//!     │  POST order                                   kid ──▶  order: ready
//!     │  POST finalize      {csr}                     kid ──▶  order: valid               finalize.rs
//!     │  POST certificate                             kid ──▶  leaf + intermediate
//!     │  GET  renewal-info/…                          ───▶     when to come again         renewal.rs
//! ```
//!
//! Every POST is a JWS by the account's key over the address it is sent to and over a nonce (`jws.rs`, `nonce.rs`), so that nothing can be
//! replayed or sent elsewhere, whoever ends the TLS connection. One table in [`routes`] says which address takes which key
//! and which payload; each row's function does one thing to the records and answers. What is wrong is one row of [`ProblemKind`].
//!
//! What makes an ACME server dangerous is that it connects where strangers tell it to. Here it connects to loopback, and to networks that
//! the operator named ([`AcmeSettings::networks`]): a name is resolved once, what comes out is held against those networks, and the
//! connection goes to that very address. A redirect goes through the same gate.
//!
//! Beside the server, or without it, an operator reads the same records and ends accounts ([`AcmeOperator`], `operator.rs`). Who made an
//! account, who proved which name and how, and who asked for a revocation stands in the authority's log.
//!
//! The authority decides what is issued, as for a request by hand: name constraints, profiles, weak and compromised keys. The certificate
//! is recorded in the same transaction that makes the order valid.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//! use stampmill_local_ca::Authority;
//! use stampmill_local_ca::acme::{AcmeServer, AcmeSettings, Surroundings, routes};
//!
//! # let scratch = std::env::temp_dir().join(format!("stampmill-doc-acme-{}", std::process::id()));
//! # let dir = scratch.join("ca");
//! let authority = Arc::new(Authority::create(&dir, "localhost-ca")?);
//! let settings = AcmeSettings::new("https://localhost:8381/acme");
//! let server = AcmeServer::open(authority, settings, Surroundings::system()?)?;
//! let router = axum::Router::<()>::new().nest("/acme", routes(Arc::new(server)));
//! # drop(router);
//! # std::fs::remove_dir_all(scratch)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod authorization;
mod binding;
mod challenge;
mod finalize;
mod identifier;
mod jws;
mod key_change;
mod limits;
mod nonce;
mod operator;
mod order;
mod problem;
mod records;
mod renewal;
mod revocation;
mod routes;
mod serve;
mod settings;
mod spki;
mod turns;
mod validate;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::authority::{Authority, IssueError};
use crate::front::AcmeDoor;
use crate::moment::now;
use crate::profile::{Role, RuleSet};
use crate::store::StoreError;

pub use binding::ExternalKey;
pub use challenge::ChallengeKind;
pub use operator::{
    AccountEntry, AcmeOperator, AuthorizationEntry, ChallengeEntry, ExternalKeyEntry, OrderEntry,
};
pub use problem::ProblemKind;
pub use routes::routes;
pub use settings::{AcmeLimits, AcmeSettings, OrderProfile};
pub use stampmill_outbound::{Network, Networks};
pub use validate::{Caa, DnsRecords, Surroundings};

use nonce::Nonces;
use records::Records;
use turns::Turns;

/// An ACME server: an authority, what an operator decided, and how to look around.
pub struct AcmeServer {
    authority: Arc<Authority>,
    settings: AcmeSettings,
    records: Records,
    nonces: Nonces,
    surroundings: Surroundings,
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Challenges that are being looked at by this process, or wait for it.
    turns: Arc<Turns>,
}

impl AcmeServer {
    /// Makes the tables in the authority's records, where it has none yet.
    ///
    /// # Errors
    /// [`AcmeError`]: an authority in memory, settings that fit nothing, records that cannot be written.
    pub fn open(
        authority: Arc<Authority>,
        mut settings: AcmeSettings,
        surroundings: Surroundings,
    ) -> Result<Self, AcmeError> {
        if authority.rules() == RuleSet::PublicLike {
            // those rules know no certificates for clients
            settings
                .profiles
                .retain(|offered| offered.profile.role() == Role::Server);
        }
        settings.check(authority.rules(), now())?;
        let records = Records::open(authority.shared_store().ok_or(AcmeError::NoRecords)?)?;
        Ok(Self {
            turns: Turns::new(&settings.limits),
            nonces: Nonces::new()?,
            clock: Box::new(now),
            authority,
            settings,
            records,
            surroundings,
        })
    }

    /// With another clock, in seconds since the epoch.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Where clients begin: the address of the directory.
    #[must_use]
    pub fn directory_url(&self) -> String {
        self.url("/directory")
    }

    /// What people are told of it.
    pub(crate) fn door(&self) -> AcmeDoor {
        AcmeDoor {
            directory: self.directory_url(),
            http_01_port: self.settings.http_01_port,
            external_key: self.settings.external_account_required,
        }
    }

    /// The address of a path below where the routes are mounted.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url)
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }
}

impl fmt::Debug for AcmeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeServer")
            .field("authority", &self.authority)
            .field("base_url", &self.settings.base_url)
            .finish_non_exhaustive()
    }
}

/// Why there is no ACME server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// An authority without records could promise nothing.
    #[error("an authority in memory keeps no records, so it cannot serve ACME")]
    NoRecords,
    /// Nothing to look at.
    #[error("{} holds no authority's records", folder.display())]
    NoAuthority {
        /// Where.
        folder: PathBuf,
    },
    /// A setting that fits nothing.
    #[error("ACME settings: {0}")]
    Setting(String),
    /// The system's list of name servers cannot be read.
    #[error("no name server: {0}")]
    NameServer(String),
    /// No certificate for the server itself.
    #[error("the server's own certificate: {0}")]
    OwnCertificate(IssueError),
    /// No account has this name.
    #[error("no account {id}")]
    UnknownAccount {
        /// What was looked for.
        id: String,
    },
    /// The account is no longer good.
    #[error("the account {id} is {status} already")]
    AccountEnded {
        /// Its name.
        id: String,
        /// `deactivated` or `revoked`.
        status: &'static str,
    },
    /// No external key has this name, or an account was made with it.
    #[error("no external key {kid} that is still to be used")]
    UnknownExternalKey {
        /// What was looked for.
        kid: String,
    },
    /// The listener's.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// OpenSSL failed: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl From<IssueError> for AcmeError {
    /// As below: the text above tells it already.
    fn from(error: IssueError) -> Self {
        Self::OwnCertificate(error)
    }
}

impl From<ErrorStack> for AcmeError {
    /// Not by `#[from]`: the text above tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}

/// 192 random bits as text: names of accounts, orders and authorizations, and the tokens of challenges (RFC 8555 §8.1 asks for 128).
fn random_id() -> String {
    let mut bytes = [0; 24];
    rand::RngExt::fill(&mut rand::rng(), &mut bytes);
    stampmill_jose::base64url::encode(bytes)
}
