//! The responder (OCSP, RFC 6960): one question, "is this certificate revoked?", one signed answer.
//!
//! ```text
//!   question: hash(issuer's name), hash(issuer's key), serial number [, nonce]
//!      │            foreign issuer ──▶ unauthorized        not to be read ──▶ malformedRequest
//!      ▼
//!   records:  issued and not revoked ──▶ good      revoked ──▶ revoked, when, why      never issued ──▶ unknown
//!      ▼
//!   answer:   status, thisUpdate, nextUpdate [, the nonce]  signed by a delegated key whose certificate lives a week
//! ```
//!
//! The authority's own key stays out of it: it signs a certificate for the responder that says OCSPSigning and nothing else. Answers
//! without a nonce are kept and given again (RFC 5019 calls that *pre-produced*) until a third of their life is over or the records
//! say something else; an answer with a nonce is signed for the one who asked.

mod request;
mod response;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::authority::{Authority, IssueError};
use crate::certificate::{Certificate, serial_text};
use crate::files::{self, FileError};
use crate::keys::{KeyKind, LeafKey, Signer};
use crate::moment::DAY;
use crate::reason::Reason;
use crate::store::StoreError;

use request::OcspRequest;
pub(crate) use request::{CertId, MAX_BYTES};
use response::{ErrorStatus, Single};

/// How long an answer is good for: between 8 hours and 10 days (Baseline Requirements §4.9.9).
const LIFE: i64 = DAY;
/// When a kept answer is made anew: 16 hours before its end.
const FRESH: i64 = LIFE / 3;
/// The responder's certificate is replaced when less than this is left of its seven days.
const RENEW: i64 = 3 * DAY;
/// Answers kept in memory. At about 1 KiB each.
const KEPT: usize = 10_000;

/// What a certificate is, according to the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertStatus {
    Good,
    Revoked(i64, Reason),
    Unknown,
}

/// An answer, and how long it may be kept by others.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OcspAnswer {
    /// `OCSPResponse` in DER.
    pub der: Arc<[u8]>,
    /// thisUpdate and nextUpdate of an answer that others may keep: successful, and without a nonce.
    pub cacheable: Option<(i64, i64)>,
}

/// The responder of an authority.
pub struct OcspResponder {
    authority: Arc<Authority>,
    /// Where its key and certificate are kept.
    folder: Option<PathBuf>,
    identity: Mutex<Arc<Identity>>,
    kept: Mutex<HashMap<Vec<u8>, Kept>>,
}

/// The delegated key.
struct Identity {
    certificate: Certificate,
    signer: Signer,
}

#[derive(Clone)]
struct Kept {
    answer: OcspAnswer,
    status: CertStatus,
    made: i64,
    /// The state of the records in which the status was looked up.
    generation: (i64, u64),
}

/// Why there is no responder.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OcspError {
    /// An authority without records knows nobody's status.
    #[error("an authority in memory keeps no records, and so knows nobody's status")]
    NoRecords,
    /// No certificate for the responder.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Its key's file.
    #[error(transparent)]
    File(#[from] FileError),
    /// OpenSSL failed: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl From<ErrorStack> for OcspError {
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}

const KEY_FILE: &str = "ocsp.key";
const CERTIFICATE_FILE: &str = "ocsp.pem";

impl OcspResponder {
    /// A responder whose key and certificate are kept in the authority's folder.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn open(authority: Arc<Authority>, folder: &Path, now: i64) -> Result<Self, OcspError> {
        Self::start(authority, Some(folder.to_owned()), now)
    }

    /// A responder with a key of its own, in memory.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn in_memory(authority: Arc<Authority>, now: i64) -> Result<Self, OcspError> {
        Self::start(authority, None, now)
    }

    fn start(
        authority: Arc<Authority>,
        folder: Option<PathBuf>,
        now: i64,
    ) -> Result<Self, OcspError> {
        if authority.store().is_none() {
            return Err(OcspError::NoRecords);
        }
        let identity = Identity::of(&authority, folder.as_deref(), now)?;
        Ok(Self {
            authority,
            folder,
            identity: Mutex::new(Arc::new(identity)),
            kept: Mutex::new(HashMap::new()),
        })
    }

    /// The certificate it signs with.
    ///
    /// # Errors
    /// [`OcspError`] when its time is over and no other can be made.
    pub fn certificate(&self, now: i64) -> Result<Certificate, OcspError> {
        Ok(self.identity(now)?.certificate.clone())
    }

    /// Answers a question. Whatever comes in, an answer goes out: what cannot be answered gets one that says so, unsigned.
    #[must_use]
    pub fn answer(&self, question: &[u8], now: i64) -> OcspAnswer {
        let Ok(request) = OcspRequest::read(question) else {
            return refusal(ErrorStatus::MalformedRequest);
        };
        let issuer = self.authority.issuing_issuer();
        let ours = |id: &CertId<'_>| id.is_of(&issuer);
        if !request.ids.iter().all(ours) {
            return refusal(ErrorStatus::Unauthorized);
        }
        let answered = match (request.nonce, request.ids.as_slice()) {
            (None, [id]) => self.kept_or_signed(id, now),
            (nonce, ids) => self.signed(ids, nonce, now),
        };
        // the records or the key cannot be reached: they may, later (RFC 6960 §2.3)
        answered.unwrap_or_else(|_| refusal(ErrorStatus::TryLater))
    }

    fn kept_or_signed(&self, id: &CertId<'_>, now: i64) -> Result<OcspAnswer, Failure> {
        let generation = self.store()?.generation()?;
        let found = self.kept().get(id.whole).cloned();
        if let Some(kept) = found.filter(|kept| (kept.made..kept.made + FRESH).contains(&now)) {
            if kept.generation == generation {
                return Ok(kept.answer);
            }
            if self.status(id)? == kept.status {
                if let Some(kept) = self.kept().get_mut(id.whole) {
                    kept.generation = generation;
                }
                return Ok(kept.answer);
            }
        }
        let status = self.status(id)?;
        let answer = self.sign(&[(id, status)], None, now)?;
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        let entry = Kept {
            answer: answer.clone(),
            status,
            made: now,
            generation,
        };
        kept.insert(id.whole.to_vec(), entry);
        Ok(answer)
    }

    fn signed(
        &self,
        ids: &[CertId<'_>],
        nonce: Option<&[u8]>,
        now: i64,
    ) -> Result<OcspAnswer, Failure> {
        let answers = ids
            .iter()
            .map(|id| Ok((id, self.status(id)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        self.sign(&answers, nonce, now)
    }

    fn sign(
        &self,
        answers: &[(&CertId<'_>, CertStatus)],
        nonce: Option<&[u8]>,
        now: i64,
    ) -> Result<OcspAnswer, Failure> {
        let identity = self.identity(now).map_err(|_| Failure)?;
        let next = (now + LIFE).min(identity.certificate.not_after());
        let singles: Vec<Single<'_>> = answers
            .iter()
            .map(|(id, status)| Single {
                id: id.whole,
                status: *status,
            })
            .collect();
        let der = response::successful(
            &identity.signer,
            identity.certificate.der_bytes(),
            &singles,
            nonce,
            (now, next),
        );
        Ok(OcspAnswer {
            der: der.map_err(|_| Failure)?.into(),
            cacheable: nonce.is_none().then_some((now, next)),
        })
    }

    fn status(&self, id: &CertId<'_>) -> Result<CertStatus, Failure> {
        let issuer = self.authority.issuing_issuer().name;
        let found = self.store()?.status_of(issuer, &serial_text(id.serial))?;
        Ok(match found {
            None => CertStatus::Unknown,
            Some(None) => CertStatus::Good,
            Some(Some((at, reason))) => CertStatus::Revoked(at, reason),
        })
    }

    fn identity(&self, now: i64) -> Result<Arc<Identity>, OcspError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if !identity.lasts(&self.authority, now) {
            let next = Identity::of(&self.authority, self.folder.as_deref(), now)?;
            *identity = Arc::new(next);
        }
        Ok(Arc::clone(&identity))
    }

    fn store(&self) -> Result<&crate::store::Store, Failure> {
        self.authority.store().ok_or(Failure)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for OcspResponder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OcspResponder")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// Something of ours that failed: whoever asked is told to try later.
struct Failure;

impl From<StoreError> for Failure {
    fn from(_: StoreError) -> Self {
        Self
    }
}

fn refusal(status: ErrorStatus) -> OcspAnswer {
    OcspAnswer {
        der: response::error(status).into(),
        cacheable: None,
    }
}

impl Identity {
    /// The one in the folder if it still fits, else a fresh one, written down.
    fn of(authority: &Authority, folder: Option<&Path>, now: i64) -> Result<Self, OcspError> {
        if let Some(identity) = folder.and_then(|folder| Self::kept(authority, folder, now)) {
            return Ok(identity);
        }
        let key = LeafKey::generate(KeyKind::P256)?;
        let certificate = authority.issue_ocsp_responder(&key, now)?;
        if let Some(folder) = folder {
            files::write_private(&folder.join(KEY_FILE), &key.to_pkcs8_pem())?;
            let pem = certificate.pem();
            files::write_private(&folder.join(CERTIFICATE_FILE), pem.as_bytes())?;
        }
        Ok(Self::new(certificate, &key))
    }

    fn kept(authority: &Authority, folder: &Path, now: i64) -> Option<Self> {
        let pem = files::read_public(&folder.join(CERTIFICATE_FILE)).ok()?;
        let certificate = Certificate::from_pem(&pem).ok()?;
        let key = files::read_private(&folder.join(KEY_FILE)).ok()?;
        let key = LeafKey::from_pkcs8_pem(&key).ok()?;
        let identity = Self::new(certificate, &key);
        let certificate = &identity.certificate;
        let same_key = identity.signer.public().spki() == certificate.parsed().spki;
        (same_key && authority.issued(certificate) && identity.lasts(authority, now))
            .then_some(identity)
    }

    fn new(certificate: Certificate, key: &LeafKey) -> Self {
        let signer = Signer::new(key.private().clone());
        Self {
            certificate,
            signer: signer.expect("a leaf's key may be certified"),
        }
    }

    /// Whether there is no reason to make another: it is this intermediate's, which has another name with every key; and its life is not nearly
    /// over, or ends with the intermediate's, as the next would, too.
    fn lasts(&self, authority: &Authority, now: i64) -> bool {
        let (start, end) = (self.certificate.not_before(), self.certificate.not_after());
        let issuing = authority.issuing();
        let last = end >= issuing.not_after();
        let its_own = self.certificate.parsed().issuer == issuing.parsed().subject;
        its_own && start <= now && now < if last { end } else { end - RENEW }
    }
}
