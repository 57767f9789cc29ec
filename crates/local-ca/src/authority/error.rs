//! Why there is no authority, and why a certificate is not issued.

use std::path::PathBuf;

use openssl::error::ErrorStack;
use thiserror::Error;

use super::Authority;
use crate::crl::CrlError;
use crate::files::FileError;
use crate::keys::{KeyError, SignerError};
use crate::names::NameError;
use crate::profile::ProfileError;
use crate::reason::Reason;
use crate::store::StoreError;

/// Why there is no authority.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaError {
    /// There is one already.
    #[error("{} holds an authority already; it is not overwritten", dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// There is none.
    #[error("{} holds no authority ({} is absent); `stampmill ca init` makes one", dir.display(), Authority::ROOT_FILE)]
    Missing {
        /// Where.
        dir: PathBuf,
    },
    /// Half of one.
    #[error("{} holds half an authority: {present} is there, {missing} is not. Its creation was interrupted or a file was removed; bring {missing} back, or create the authority anew in an empty folder", dir.display())]
    Interrupted {
        /// Where.
        dir: PathBuf,
        /// A file that is there.
        present: &'static str,
        /// The file that is not.
        missing: &'static str,
    },
    /// A file that is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two files that do not belong together.
    #[error("{}: {key} is not the key of {certificate}", dir.display())]
    Mismatch {
        /// Where.
        dir: PathBuf,
        /// The key's file.
        key: String,
        /// The certificate's file.
        certificate: &'static str,
    },
    /// A key behind a passphrase, or a wrong passphrase.
    #[error("{}: {error}", path.display())]
    Locked {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        error: KeyError,
    },
    /// The root's key is kept elsewhere.
    #[error("{} is not here: what the root itself signs needs its key; say where it is", path.display())]
    RootKeyAbsent {
        /// Where it would be.
        path: PathBuf,
    },
    /// The intermediate ends with its root, or there is none.
    #[error("the issuing certificate ends with its root: a new one would end no later")]
    NothingToRenew,
    /// Another process has put another intermediate there, which this one cannot take up.
    #[error("{} was renewed by another process meanwhile; nothing was changed, start anew", path.display())]
    Overtaken {
        /// The intermediate's file.
        path: PathBuf,
    },
    /// The intermediate's key is in other hands: it is never certified again.
    #[error(
        "the issuing key was revoked as compromised (serial {serial}), and is never certified again: `stampmill ca renew-issuing --new-key` makes another"
    )]
    IssuingKeyCompromised {
        /// The certificate that was revoked.
        serial: String,
    },
    /// A new key takes the place of one that is void, with all it signed.
    #[error(
        "the issuing certificate {serial} is good, and with another key nobody could say which of those it signed are revoked: `stampmill ca renew-issuing` keeps the key; if it was stolen, `stampmill ca revoke {serial} --reason cACompromise` comes first"
    )]
    IssuingNotRevoked {
        /// The certificate.
        serial: String,
    },
    /// Rules that ask for an address to publish at.
    #[error(
        "the public-like rules need an address for CRL, OCSP and the issuer's certificate (Baseline Requirements §7.1.2.7.7): give a base URL"
    )]
    BaseUrlNeeded,
    /// A root's life that those rules do not know.
    #[error(
        "under the public-like rules a root lives 2922 to 9132 days, not {actual} (Baseline Requirements §7.1.2.1.1); `--issuing-days` shortens the intermediate's life"
    )]
    PublicLikeDays {
        /// What was asked for.
        actual: u32,
    },
    /// A common name, country or organization that no certificate can carry.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What its rules do not allow.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A key that no certificate is made for.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The root's first list cannot be made.
    #[error(transparent)]
    RootList(Box<CrlError>),
    /// OpenSSL failed: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl From<ErrorStack> for CaError {
    /// Not by `#[from]`: the text above tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}

impl From<SignerError> for CaError {
    fn from(error: SignerError) -> Self {
        match error {
            SignerError::Key(error) => error.into(),
            SignerError::OpenSsl(error) => error.into(),
        }
    }
}

/// Why a certificate is not issued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The profile does not allow it.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A name that the authority is not good for: every verifier would refuse the certificate.
    #[error("`{name}` lies outside the authority's name constraints ({permitted})")]
    NotPermitted {
        /// The name.
        name: String,
        /// What it is good for.
        permitted: String,
    },
    /// A name of a kind that the authority's constraints exclude whole.
    #[error(
        "`{name}`: the authority's name constraints exclude every {kind}, and verifiers would refuse the certificate; `ca init {option}` makes an authority that certifies them"
    )]
    KindNotPermitted {
        /// The name.
        name: String,
        /// `mail address`, `URI`.
        kind: &'static str,
        /// What makes another authority.
        option: &'static str,
    },
    /// The issuer's life is over.
    #[error("the {issuer} certificate expired at {end}, now it is {now}")]
    IssuerExpired {
        /// `root` or `issuing`.
        issuer: &'static str,
        /// Its last second.
        end: String,
        /// Our clock.
        now: String,
    },
    /// The issuer's life has not begun: the clock is wrong.
    #[error(
        "the {issuer} certificate is valid from {start} on, now it is {now}; is the clock right?"
    )]
    IssuerNotYetValid {
        /// `root` or `issuing`.
        issuer: &'static str,
        /// Its first second.
        start: String,
        /// Our clock.
        now: String,
    },
    /// The issuer, or its key, was revoked: whoever looks refuses what it signs.
    #[error("the issuing certificate {serial} was revoked ({reason}): {remedy}")]
    IssuerRevoked {
        /// The certificate that was revoked.
        serial: String,
        /// Why.
        reason: Reason,
        /// What to do.
        remedy: &'static str,
    },
    /// The request brings a key of the authority.
    #[error("the request brings the authority's own key")]
    OwnKey,
    /// The key was revoked as compromised (Baseline Requirements §6.1.1.3).
    #[error("the request brings a key that was revoked as compromised (serial {serial})")]
    CompromisedKey {
        /// The certificate that was revoked.
        serial: String,
    },
    /// A key on a list of keys that others know, such as Debian's of 2008 (Baseline Requirements §6.1.1.3).
    #[error("the request brings a key that is on a list of known keys")]
    BlockedKey,
    /// Such a list cannot be read: nothing is issued without it.
    #[error("the lists of known keys cannot be read: {reason}")]
    BlockedKeys {
        /// Which, and why.
        reason: String,
    },
    /// Only the root's key signs this, and it is not here.
    #[error("a {profile} certificate is signed by the root, whose key is not unlocked")]
    RootKeyAbsent {
        /// The profile.
        profile: &'static str,
    },
    /// An authority that nobody could call by its name (RFC 5280 §4.1.2.6).
    #[error(
        "a sub-ca certificate needs a common name in the request's subject: verifiers refuse an issuer without a name"
    )]
    AuthorityWithoutName,
    /// An authority with the name of another and a key of its own (RFC 5280 §4.1.2.6).
    #[error(
        "`{name}` is the name of an authority with another key ({bearer}): the lists and serial numbers of the two could not be told apart"
    )]
    AuthorityName {
        /// The name.
        name: String,
        /// `the root`, `the issuing authority`, a serial number.
        bearer: String,
    },
    /// The ACME order has its certificate already, or may have none any more.
    #[error("the order has a certificate already, or is no longer ready")]
    OrderTaken,
    /// The records: nothing was issued.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// OpenSSL failed: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl From<ErrorStack> for IssueError {
    /// Not by `#[from]`: the text above tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}
