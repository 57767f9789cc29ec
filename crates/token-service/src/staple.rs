//! OCSP stapling: the server brings the proof that its certificate is not revoked, so that no client has to ask for it (RFC 6066 §8,
//! RFC 8446 §4.4.2.1).
//!
//! The answer is asked for beside the handshakes, once a minute, and the responder gives the one it has kept while that is fresh. A
//! handshake takes what is there; an answer whose time is over is not sent.

use std::sync::{Arc, PoisonError, RwLock};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspRequest};
use stampmill_local_ca::{Certificate, OcspAnswer, OcspResponder};

/// What goes along with one certificate.
pub(crate) struct Stapler {
    responder: Arc<OcspResponder>,
    question: Vec<u8>,
    kept: RwLock<Option<OcspAnswer>>,
}

impl Stapler {
    /// For a certificate with its chain; `None` where the root signs leaves itself, which no responder of ours answers for.
    pub(crate) fn new(
        responder: &Arc<OcspResponder>,
        leaf: &Certificate,
        now: i64,
    ) -> Result<Option<Arc<Stapler>>, ErrorStack> {
        let Some(issuer) = leaf.intermediates().first() else {
            return Ok(None);
        };
        // SHA-1 names the issuer here and proves nothing: the profile that everybody reads (RFC 5019 §2.1.1).
        let id = OcspCertId::from_cert(MessageDigest::sha1(), leaf.as_openssl(), issuer)?;
        let mut question = OcspRequest::new()?;
        question.add_id(id)?;
        let stapler = Stapler {
            responder: Arc::clone(responder),
            question: question.to_der()?,
            kept: RwLock::new(None),
        };
        stapler.refresh(now);
        Ok(Some(Arc::new(stapler)))
    }

    /// Asks again. Without an answer the last one stays, as long as it is good.
    pub(crate) fn refresh(&self, now: i64) {
        let answer = self.responder.answer(&self.question, now);
        match answer.cacheable {
            Some(_) => *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(answer),
            None => tracing::warn!("the OCSP responder has no answer about the TLS certificate"),
        }
    }

    /// The answer, while it is good.
    pub(crate) fn answer(&self, now: i64) -> Option<Arc<[u8]>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let answer = kept.as_ref()?;
        let (this_update, next_update) = answer.cacheable?;
        (this_update..next_update)
            .contains(&now)
            .then(|| Arc::clone(&answer.der))
    }
}
