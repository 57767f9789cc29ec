//! The authority: a root key, its self-signed certificate, and what it signs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509KeyUsage};
use thiserror::Error;

use crate::certificate::{Certificate, seconds};
use crate::files::{self, FileError};
use crate::keys::{self, KeyError, KeyKind};
use crate::names::{NameError, check_common_name};
use crate::request::{CertificateRequest, names_extension, subject};

const DAY: i64 = 24 * 60 * 60;
/// Certificates begin to live a little before they are made, for clocks that run late.
const BACKDATE: i64 = 5 * 60;

/// What a root is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootProfile {
    /// The name people see, for instance `localhost-ca`.
    pub common_name: String,
    /// Its key.
    pub key: KeyKind,
    /// Its life in days: ten years unless set. `openssl req -x509` gives 30 days unless told.
    pub days: u32,
}

impl RootProfile {
    /// P-256, ten years.
    #[must_use]
    pub fn new(common_name: impl Into<String>) -> Self {
        Self {
            common_name: common_name.into(),
            key: KeyKind::default(),
            days: 3652,
        }
    }
}

/// What a server's certificate is issued with, beside what the request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerProfile {
    /// Its life in days, from 1 to [`ServerProfile::MAX_DAYS`]; cut short by the end of the root's.
    pub days: u32,
}

impl ServerProfile {
    /// What browsers take from any authority they do not know personally: 398 days.
    pub const MAX_DAYS: u32 = 398;
}

/// 90 days.
impl Default for ServerProfile {
    fn default() -> Self {
        Self { days: 90 }
    }
}

/// A certificate authority of one level: its root signs leaves.
pub struct Authority {
    key: PKey<Private>,
    root: X509,
}

/// The file names in an authority's folder.
struct Folder {
    root: PathBuf,
    key: PathBuf,
}

impl Authority {
    /// The root certificate's file in an authority's folder.
    pub const ROOT_FILE: &str = "root.pem";
    /// The root key's file in an authority's folder.
    pub const KEY_FILE: &str = "root.key";

    /// Makes a new authority in `dir`: `root.key` (0600), then `root.pem`. The folder is made (0700) when it is absent.
    ///
    /// # Errors
    /// [`CaError::Exists`] when there is one already; [`CaError::Interrupted`] when half of one is there; nothing is ever overwritten.
    pub fn create(dir: &Path, common_name: &str) -> Result<Self, CaError> {
        Self::create_with(dir, &RootProfile::new(common_name))
    }

    /// Like [`Authority::create`], with another key or life.
    ///
    /// # Errors
    /// As [`Authority::create`].
    pub fn create_with(dir: &Path, profile: &RootProfile) -> Result<Self, CaError> {
        let folder = Folder::of(dir);
        match folder.state(dir)? {
            State::Empty => {}
            State::Complete => {
                return Err(CaError::Exists {
                    dir: dir.to_owned(),
                });
            }
        }
        let authority = Self::generate(profile, now())?;
        files::create_private_folder(dir)?;
        files::create_private(&folder.key, &keys::private_pem(&authority.key))?;
        if let Err(error) = files::create_public(&folder.root, authority.root_pem().as_bytes()) {
            // The key has signed nothing yet; without it the folder is as it was.
            let _ = std::fs::remove_file(&folder.key);
            return Err(error.into());
        }
        Ok(authority)
    }

    /// An authority in memory, for tests and lessons. `now` is in seconds since the epoch.
    ///
    /// # Errors
    /// [`CaError::Name`] for a common name that no certificate can carry; [`CaError::OpenSsl`].
    pub fn generate(profile: &RootProfile, now: i64) -> Result<Self, CaError> {
        check_common_name(&profile.common_name)?;
        let key = profile.key.generate()?;
        let root = self_signed(&key, profile, now)?;
        Ok(Self { key, root })
    }

    /// Opens the authority in `dir`, and looks whether its files still belong together.
    ///
    /// # Errors
    /// [`CaError::Missing`], [`CaError::Interrupted`], [`CaError::Damaged`], [`CaError::Mismatch`], and
    /// [`FileError::Exposed`] when other users can read the key.
    pub fn open(dir: &Path) -> Result<Self, CaError> {
        let folder = Folder::of(dir);
        if let State::Empty = folder.state(dir)? {
            return Err(CaError::Missing {
                dir: dir.to_owned(),
            });
        }
        let damaged = |path: &Path, reason: String| CaError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let pem = files::read_private(&folder.key)?;
        let key = keys::read_private_pem(&pem)
            .map_err(|error| damaged(&folder.key, error.to_string()))?;
        let root = Certificate::from_pem(&files::read_public(&folder.root)?)
            .map_err(|error| damaged(&folder.root, error.to_string()))?;
        if !root.intermediates().is_empty() {
            return Err(damaged(
                &folder.root,
                "more than one certificate".to_owned(),
            ));
        }
        let root = root.as_openssl().to_owned();
        check_root(&root).map_err(|reason| damaged(&folder.root, reason.to_owned()))?;
        if !root.public_key()?.public_eq(&key) {
            return Err(CaError::Mismatch {
                dir: dir.to_owned(),
            });
        }
        Ok(Self { key, root })
    }

    /// The root certificate.
    #[must_use]
    pub fn root(&self) -> Certificate {
        Certificate::new(self.root.clone())
    }

    /// The root certificate in PEM: what clients are told to trust.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root().pem()
    }

    /// Issues a server's certificate, from now on.
    ///
    /// # Errors
    /// As [`Authority::issue_at`].
    pub fn issue(
        &self,
        request: &CertificateRequest,
        profile: &ServerProfile,
    ) -> Result<Certificate, IssueError> {
        self.issue_at(request, profile, now())
    }

    /// Issues a server's certificate as if it were `now`, in seconds since the epoch.
    ///
    /// It never outlives the root: what would last longer ends with it.
    ///
    /// # Errors
    /// [`IssueError::Days`] for a life of none or more than 398 days; [`IssueError::RootExpired`], [`IssueError::RootNotYetValid`];
    /// [`IssueError::OwnKey`] when the request brings the authority's own key.
    pub fn issue_at(
        &self,
        request: &CertificateRequest,
        profile: &ServerProfile,
        now: i64,
    ) -> Result<Certificate, IssueError> {
        if !(1..=ServerProfile::MAX_DAYS).contains(&profile.days) {
            return Err(IssueError::Days {
                actual: profile.days,
            });
        }
        let (root_start, root_end) = (
            seconds(self.root.not_before()),
            seconds(self.root.not_after()),
        );
        if now > root_end {
            return Err(IssueError::RootExpired { root_end, now });
        }
        if now < root_start {
            return Err(IssueError::RootNotYetValid { root_start, now });
        }
        // Baseline Requirements §6.1.1.3: nobody but the authority uses its key.
        if request.public_key().public_eq(&self.key) {
            return Err(IssueError::OwnKey);
        }
        let start = (now - BACKDATE).max(root_start);
        let end = last_second(start, profile.days).min(root_end);
        let leaf = self.sign_leaf(request, start, end)?;
        Ok(Certificate::new(leaf))
    }

    fn sign_leaf(
        &self,
        request: &CertificateRequest,
        start: i64,
        end: i64,
    ) -> Result<X509, ErrorStack> {
        let mut builder = new_certificate(start, end)?;
        builder.set_subject_name(&*subject(request.common_name())?)?;
        builder.set_issuer_name(self.root.subject_name())?;
        builder.set_pubkey(request.public_key())?;

        let context = builder.x509v3_context(Some(&self.root), None);
        let empty_subject = request.common_name().is_none();
        let extensions = [
            BasicConstraints::new().critical().build()?,
            leaf_key_usage(request)?,
            ExtendedKeyUsage::new().server_auth().build()?,
            SubjectKeyIdentifier::new().build(&context)?,
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?,
            names_extension(request.names(), empty_subject, &context)?,
        ];
        for extension in extensions {
            builder.append_extension(extension)?;
        }
        builder.sign(&self.key, keys::digest_for(&self.key))?;
        Ok(builder.build())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("root", &self.root())
            .finish_non_exhaustive()
    }
}

/// digitalSignature for every key; RSA also keyEncipherment, for clients that still exchange keys with it in TLS 1.2
/// (RFC 5280 §4.2.1.3). ECDSA keys cannot encipher (RFC 8813 §3).
fn leaf_key_usage(
    request: &CertificateRequest,
) -> Result<openssl::x509::X509Extension, ErrorStack> {
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    if request.public_key().id() == openssl::pkey::Id::RSA {
        usage.key_encipherment();
    }
    usage.build()
}

fn self_signed(key: &PKey<Private>, profile: &RootProfile, now: i64) -> Result<X509, ErrorStack> {
    let start = now - BACKDATE;
    let mut builder = new_certificate(start, last_second(start, profile.days.max(1)))?;
    let name = subject(Some(&profile.common_name))?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(key)?;

    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(
        KeyUsage::new()
            .critical()
            .key_cert_sign()
            .crl_sign()
            .build()?,
    )?;
    let key_identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(key_identifier)?;
    builder.sign(key, keys::digest_for(key))?;
    Ok(builder.build())
}

/// Version 3, a serial number and a life; everything else is the caller's.
fn new_certificate(start: i64, end: i64) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?; // counted from 0: version 3
    let serial = random_serial()?;
    builder.set_serial_number(&serial)?;
    // UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5): OpenSSL chooses
    let (start, end) = (Asn1Time::from_unix(start)?, Asn1Time::from_unix(end)?);
    builder.set_not_before(&start)?;
    builder.set_not_after(&end)?;
    Ok(builder)
}

/// 128 random bits, positive, not zero: at most 17 octets of the 20 allowed (RFC 5280 §4.1.2.2); at least 64 bits are asked for
/// by the Baseline Requirements §7.1, so that nobody can prepare a collision of the certificate's hash.
fn random_serial() -> Result<Asn1Integer, ErrorStack> {
    loop {
        let mut bytes = [0; 16];
        openssl::rand::rand_bytes(&mut bytes)?;
        if bytes != [0; 16] {
            return BigNum::from_slice(&bytes)?.to_asn1_integer();
        }
    }
}

/// The end is inclusive (RFC 5280 §4.1.2.5), so 90 days end one second before they are over.
fn last_second(start: i64, days: u32) -> i64 {
    start + i64::from(days) * DAY - 1
}

/// A root that can do its work: self-signed, an authority by its extensions.
fn check_root(root: &X509) -> Result<(), &'static str> {
    let signs = root
        .key_usage()
        .is_some_and(|usage| usage.contains(X509KeyUsage::KEY_CERT_SIGN));
    if root.pathlen().is_none() || !signs {
        return Err("not the certificate of an authority: it may not sign certificates");
    }
    let key = root.public_key().map_err(|_| "its key cannot be read")?;
    match root.verify(&key) {
        Ok(true) => Ok(()),
        _ => Err("its signature does not verify"),
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs().cast_signed())
}

enum State {
    Empty,
    Complete,
}

impl Folder {
    fn of(dir: &Path) -> Self {
        Self {
            root: dir.join(Authority::ROOT_FILE),
            key: dir.join(Authority::KEY_FILE),
        }
    }

    /// The key is written before the certificate, so one without the other means that a creation did not finish, or that
    /// someone removed a file.
    fn state(&self, dir: &Path) -> Result<State, CaError> {
        let there = |path: &Path| path.symlink_metadata().is_ok();
        let (present, missing) = match (there(&self.key), there(&self.root)) {
            (false, false) => return Ok(State::Empty),
            (true, true) => return Ok(State::Complete),
            (true, false) => (Authority::KEY_FILE, Authority::ROOT_FILE),
            (false, true) => (Authority::ROOT_FILE, Authority::KEY_FILE),
        };
        Err(CaError::Interrupted {
            dir: dir.to_owned(),
            present,
            missing,
        })
    }
}

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
    #[error("{} holds no authority ({} and {} are absent)", dir.display(), Authority::KEY_FILE, Authority::ROOT_FILE)]
    Missing {
        /// Where.
        dir: PathBuf,
    },
    /// Half of one.
    #[error("{} holds half an authority: {present} is there, {missing} is not. Its creation was interrupted or a file was removed; bring {missing} back, or remove {present} and create it anew", dir.display())]
    Interrupted {
        /// Where.
        dir: PathBuf,
        /// The file that is there.
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
    #[error("{}: {} is not the key of {}", dir.display(), Authority::KEY_FILE, Authority::ROOT_FILE)]
    Mismatch {
        /// Where.
        dir: PathBuf,
    },
    /// A common name that no certificate can carry.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A key that no certificate is made for.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
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

/// Why a certificate is not issued.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A life that is none, or too long.
    #[error("a server's certificate lives 1 to {limit} days, not {actual}", limit = ServerProfile::MAX_DAYS)]
    Days {
        /// What was asked for.
        actual: u32,
    },
    /// The root's life is over.
    #[error("the root expired at {root_end}, now it is {now} (seconds since the epoch)")]
    RootExpired {
        /// Its last second.
        root_end: i64,
        /// Our clock.
        now: i64,
    },
    /// The root's life has not begun: the clock is wrong.
    #[error(
        "the root is valid from {root_start} on, now it is {now} (seconds since the epoch); is the clock right?"
    )]
    RootNotYetValid {
        /// Its first second.
        root_start: i64,
        /// Our clock.
        now: i64,
    },
    /// The request brings the authority's key.
    #[error("the request brings the authority's own key")]
    OwnKey,
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
