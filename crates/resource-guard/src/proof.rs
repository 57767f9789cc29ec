//! DPoP at a resource (RFC 9449 §7): a bound token comes with a fresh proof of its key, for this request and this token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::request::Parts;
use stampmill_jose::{DpopExpectations, JwtError, base64url, sha256, verify_dpop_proof};
use thiserror::Error;

use crate::BoxError;
use crate::bearer::{Credentials, Scheme};
use crate::keys::BoxFuture;
use crate::refusal::Refusal;
use crate::token::{AccessToken, Binding, ProfileError};

/// Why a proof proves nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// RFC 9449 §4.3: exactly one `DPoP` header field.
    #[error("expected one DPoP header, found {0}")]
    Headers(usize),
    /// One of the checks of RFC 9449 §4.3.
    #[error(transparent)]
    Invalid(#[from] JwtError),
    /// No nonce of ours in it, or one that no longer counts (§9).
    #[error("the proof has no nonce that counts now")]
    Nonce,
    /// The token is bound to another key (§7.1).
    #[error("the proof is of another key than the token is bound to")]
    OtherKey,
    /// §11.1.
    #[error("the proof was used before")]
    Replayed,
}

/// Remembers which proofs were used. Instances that share an address should share one.
pub trait ReplayStore: Send + Sync + 'static {
    /// Whether this name is used for the first time; it may be forgotten from `expires_at` on, in seconds since the epoch.
    fn first_use(
        &self,
        name: String,
        expires_at: i64,
        now: i64,
    ) -> BoxFuture<'_, Result<bool, BoxError>>;
}

/// A [`ReplayStore`] in the memory of one process, of bounded size: when it is full of proofs that still count, it refuses
/// rather than forgets.
#[derive(Debug, Default)]
pub struct ReplayMemory {
    seen: Mutex<HashMap<[u8; 32], i64>>,
}

impl ReplayMemory {
    /// Most proofs remembered at once.
    pub const MOST: usize = 100_000;
}

impl ReplayStore for ReplayMemory {
    fn first_use(
        &self,
        name: String,
        expires_at: i64,
        now: i64,
    ) -> BoxFuture<'_, Result<bool, BoxError>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ReplayMemory::MOST {
            seen.retain(|_, expires_at| *expires_at > now);
        }
        let answer = if seen.len() >= ReplayMemory::MOST {
            Err("too many proofs at once".into())
        } else {
            let known = seen.insert(sha256(name.as_bytes()), expires_at);
            Ok(known.is_none_or(|expires_at| expires_at <= now))
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Values of ours that proofs must carry (RFC 9449 §9), so that none can be made ahead of time and kept. They change; the one
/// before still counts, or every client would have to try twice at each change.
pub trait NonceSource: Send + Sync + 'static {
    /// What is accepted at a time, in seconds since the epoch: the newest first, which is also what clients are told.
    fn accepted(&self, now: i64) -> [String; 2];
}

/// A [`NonceSource`] without memory: the nonce of a stretch of time is the hash of a secret and its number. Instances that
/// share an address share the secret.
pub struct RollingNonces {
    secret: [u8; 32],
    seconds: i64,
}

impl RollingNonces {
    /// Nonces that change every so many seconds, at least one. The secret is for nothing else, and random.
    pub fn new(secret: [u8; 32], seconds: u32) -> RollingNonces {
        RollingNonces {
            secret,
            seconds: i64::from(seconds.max(1)),
        }
    }

    fn of(&self, stretch: i64) -> String {
        // Secret and number always have 40 bytes together, so that nothing can be hung on (as it could with SHA-256 over
        // messages of any length), and the hash is as good as a MAC.
        let mut message = [0; 40];
        message[..32].copy_from_slice(&self.secret);
        message[32..].copy_from_slice(&stretch.to_be_bytes());
        base64url::encode(sha256(&message))
    }
}

impl NonceSource for RollingNonces {
    fn accepted(&self, now: i64) -> [String; 2] {
        let stretch = now.div_euclid(self.seconds);
        [self.of(stretch), self.of(stretch - 1)]
    }
}

impl fmt::Debug for RollingNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollingNonces")
            .field("seconds", &self.seconds)
            .finish_non_exhaustive()
    }
}

/// The address of this service as clients know it, the memory, and what proofs must carry.
pub(crate) struct Dpop {
    pub(crate) origin: String,
    pub(crate) replay: Box<dyn ReplayStore>,
    pub(crate) nonces: Option<Box<dyn NonceSource>>,
}

/// §7: a bound token with its proof, a free one without. A token that is bound to anything else is refused: what cannot be
/// checked does not hold.
pub(crate) async fn check_binding(
    dpop: Option<&Dpop>,
    request: &Parts,
    credentials: Credentials<'_>,
    token: &AccessToken,
    now: i64,
) -> Result<(), Refusal> {
    match (credentials.scheme, token.binding(), dpop) {
        (Scheme::Bearer, Binding::None, _) => Ok(()),
        (Scheme::Dpop, Binding::Key(jkt), Some(dpop)) => {
            dpop.check(request, credentials.token, jkt, now).await
        }
        (Scheme::Dpop, Binding::None, _) => Err(ProfileError::NotBound.into()),
        _ => Err(ProfileError::SenderConstrained.into()),
    }
}

impl Dpop {
    async fn check(
        &self,
        request: &Parts,
        token: &str,
        jkt: &str,
        now: i64,
    ) -> Result<(), Refusal> {
        let headers: Vec<_> = request.headers.get_all("dpop").iter().collect();
        let [proof] = headers[..] else {
            return Err(ProofError::Headers(headers.len()).into());
        };
        let uri = format!("{}{}", self.origin, request.uri.path());
        let nonces = self.nonces.as_ref().map(|nonces| nonces.accepted(now));
        let nonces: Vec<&str> = nonces.iter().flatten().map(String::as_str).collect();
        let expect = DpopExpectations::new(request.method.as_str(), &uri)
            .with_access_token(token)
            .with_nonces(&nonces);
        let proof = proof.to_str().unwrap_or_default();
        let proven = verify_dpop_proof(proof, &expect, now).map_err(|error| match error {
            JwtError::Nonce => ProofError::Nonce,
            error => ProofError::Invalid(error),
        })?;
        if proven.jkt != jkt {
            return Err(ProofError::OtherKey.into());
        }
        let name = format!("dpop proof:{}:{}", proven.jkt, proven.jti);
        let expires_at = proven.iat + expect.max_age_seconds + expect.leeway_seconds + 1;
        match self.replay.first_use(name, expires_at, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ProofError::Replayed.into()),
            Err(error) => Err(Refusal::ReplayUnknown(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_used_once_until_it_expires() {
        let memory = ReplayMemory::default();
        let first = async |now| memory.first_use("a".into(), 100, now).await.unwrap();
        assert!(first(0).await);
        assert!(!first(99).await);
        assert!(first(100).await);
    }

    #[tokio::test]
    async fn a_full_memory_refuses() {
        let memory = ReplayMemory::default();
        for number in 0..ReplayMemory::MOST {
            let name = number.to_string();
            assert!(memory.first_use(name, 100, 0).await.unwrap());
        }
        assert!(memory.first_use("one more".into(), 200, 99).await.is_err());
        assert!(memory.first_use("one more".into(), 200, 100).await.unwrap());
    }
}
