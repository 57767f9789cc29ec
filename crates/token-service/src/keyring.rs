//! The signing keys at hand, and their rotation: made, published, used and let go, so that no token is ever unverifiable.
//!
//! What is true lies in the store; a server reads it again every minute ([`Service::tend_keys`]). A new key is published a
//! quarter of an hour before it signs: longer than a minute and the five that our key set may be cached. A replaced key
//! stays published for a day: no token lives longer (`Policy::with_lifetimes`).

use std::sync::{Arc, PoisonError, RwLock};

use stampmill_jose::{Algorithm, Backend, Jwks, SigningKey};

use crate::clock::Random;
use crate::domain::{SIGNING_ALGORITHMS, StoredKey, replaced_at, signing_now};
use crate::protocol::{Document, Service};
use crate::secret::SealingKey;
use crate::store::StoreError;

/// Seconds between a key's publication and its first signature.
pub const PUBLISHED_AHEAD: i64 = 900;

/// Seconds a replaced key stays published.
pub const KEPT_AFTER: i64 = 86_400;

/// What signs and what verifies, as of the last look into the store.
pub(crate) struct KeyRing {
    stored: Vec<StoredKey>,
    opened: Vec<Arc<SigningKey>>,
    pub(crate) jwks: Arc<Jwks>,
    pub(crate) document: Document,
}

/// The ring in use. Read on every signature and verification; exchanged whole.
pub(crate) struct Keys(RwLock<Arc<KeyRing>>);

impl Keys {
    /// None yet: [`Service::tend_keys`] fetches or makes them.
    pub(crate) fn none() -> Keys {
        Keys(RwLock::new(Arc::new(KeyRing::new(Vec::new(), Vec::new()))))
    }

    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn exchange(&self, ring: KeyRing) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

impl KeyRing {
    fn new(stored: Vec<StoredKey>, opened: Vec<Arc<SigningKey>>) -> KeyRing {
        let jwks = Jwks::new(opened.iter().map(|key| key.public_jwk()).collect());
        KeyRing {
            stored,
            document: Document::new(jwks.to_json()),
            jwks: Arc::new(jwks),
            opened,
        }
    }

    /// The key that signs with this algorithm now.
    pub(crate) fn signer(&self, algorithm: Algorithm, now: i64) -> Option<Arc<SigningKey>> {
        let current = signing_now(&self.stored, algorithm, now)?;
        self.opened
            .iter()
            .find(|key| key.kid() == current.kid)
            .cloned()
    }
}

/// Why the keys could not be brought up to date. Those at hand stay in use.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key that could not be made, or that the chosen backend does not take.
    #[error("a signing key cannot be used: {0}")]
    Key(String),
    /// A row that the sealing key does not open.
    #[error("the signing key {kid} cannot be opened: it was sealed with another key")]
    Sealed {
        /// Which.
        kid: String,
    },
}

impl Service {
    /// Looks after the keys: makes what is missing, the next one before the present one is too old, lets go what no
    /// token needs any more, and takes in what other processes did.
    pub(crate) async fn tend_keys(&self) -> Result<(), KeysError> {
        let mut stored = self.store.signing_keys().await?;
        for algorithm in SIGNING_ALGORITHMS {
            if let Some(signs_from) = self.next_needed(&stored, algorithm) {
                let key = make_key(
                    algorithm,
                    &self.sealing,
                    &*self.random,
                    self.now(),
                    signs_from,
                );
                let key = key.await?;
                tracing::info!(
                    kid = key.kid,
                    alg = algorithm.name(),
                    signs_from,
                    "signing key made"
                );
                self.store.insert_signing_key(key.clone()).await?;
                stored.push(key);
            }
        }
        let now = self.now();
        let (kept, gone): (Vec<_>, Vec<_>) = stored.clone().into_iter().partition(|key| {
            replaced_at(&stored, key, now).is_none_or(|replaced| replaced + KEPT_AFTER > now)
        });
        for key in gone {
            tracing::info!(kid = key.kid, "signing key let go");
            self.store.delete_signing_key(key.kid).await?;
        }
        if self.keys.ring().stored != kept {
            let opened = self.open_keys(&kept)?;
            self.keys.exchange(KeyRing::new(kept, opened));
        }
        Ok(())
    }

    /// When a key of this algorithm should begin to sign, if one has to be made now.
    fn next_needed(&self, stored: &[StoredKey], algorithm: Algorithm) -> Option<i64> {
        let now = self.now();
        let mine = stored.iter().filter(|key| key.algorithm == algorithm);
        match mine.map(|key| key.signs_from).max() {
            // The very first: nobody has cached a set without it.
            None => Some(now),
            Some(newest) => {
                let old_at = newest + self.policy.signing_key_lifetime();
                (old_at - PUBLISHED_AHEAD <= now).then_some(now + PUBLISHED_AHEAD)
            }
        }
    }

    fn open_keys(&self, stored: &[StoredKey]) -> Result<Vec<Arc<SigningKey>>, KeysError> {
        let known = self.keys.ring();
        stored
            .iter()
            .map(|row| {
                let at_hand = known.opened.iter().find(|key| key.kid() == row.kid);
                match at_hand {
                    Some(key) => Ok(Arc::clone(key)),
                    None => open_key(row, &self.sealing, self.signatures.backend()).map(Arc::new),
                }
            })
            .collect()
    }
}

fn open_key(
    row: &StoredKey,
    sealing: &SealingKey,
    backend: Backend,
) -> Result<SigningKey, KeysError> {
    let sealed_otherwise = || KeysError::Sealed {
        kid: row.kid.clone(),
    };
    row.open(sealing)
        .ok_or_else(sealed_otherwise)?
        .with_backend(backend)
        .map_err(|error| KeysError::Key(error.to_string()))
}

/// A new key, off the async threads: an RSA key takes a tenth of a second or two.
pub(crate) async fn make_key(
    algorithm: Algorithm,
    sealing: &SealingKey,
    random: &dyn Random,
    now: i64,
    signs_from: i64,
) -> Result<StoredKey, KeysError> {
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
    let key = match made {
        Ok(Ok(key)) => key,
        Ok(Err(error)) => return Err(KeysError::Key(error.to_string())),
        Err(error) => return Err(KeysError::Key(error.to_string())),
    };
    Ok(StoredKey::seal(&key, sealing, random, now, signs_from))
}
