//! The signing keys at hand, and their rotation: made, published, used and let go, so that no token is ever unverifiable.
//!
//! What is true lies in the store; a server looks there every second ([`Service::follow_keys`]) and does what is due every
//! minute ([`Service::tend_keys`]). A new key is published a quarter of an hour before it signs: longer than the five minutes
//! that our key set may be cached. A replaced key stays published for a day: no token lives longer
//! (`Policy::with_lifetimes`).
//!
//! A key that got into the wrong hands has no such time: [`withdraw`] takes it out of the store, and another signs at once.

use std::sync::{Arc, PoisonError, RwLock};

use stampmill_jose::{Algorithm, Backend, Jwks, SigningKey};

use crate::clock::Random;
use crate::domain::{KeyState, SIGNING_ALGORITHMS, StoredKey, replaced_at, signing_now, state};
use crate::protocol::{Document, Service};
use crate::secret::SealingKey;
use crate::store::{Store, StoreError};

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
    /// A `kid` that no key has.
    #[error("no signing key has the kid {kid:?}: `stampmill keys list` shows those there are")]
    Unknown {
        /// What was asked for.
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
        self.take_in(kept)
    }

    /// Takes in what other programs did to the keys, and does nothing else: cheap enough for every second.
    pub(crate) async fn follow_keys(&self) -> Result<(), KeysError> {
        self.take_in(self.store.signing_keys().await?)
    }

    /// Makes these the keys in use. One that cannot be opened is left out, and told: whatever is wrong with it must not keep
    /// another that was withdrawn in use.
    fn take_in(&self, keys: Vec<StoredKey>) -> Result<(), KeysError> {
        let ring = self.keys.ring();
        if ring.stored == keys {
            return Ok(());
        }
        self.tell_withdrawn(&ring.stored, &keys);
        let (mut stored, mut opened, mut failed) = (Vec::new(), Vec::new(), Ok(()));
        for row in keys {
            match self.open_known(&ring, &row) {
                Ok(key) => {
                    opened.push(key);
                    stored.push(row);
                }
                Err(error) => failed = Err(error),
            }
        }
        self.keys.exchange(KeyRing::new(stored, opened));
        failed
    }

    /// Logs the keys that are gone before their time.
    fn tell_withdrawn(&self, before: &[StoredKey], after: &[StoredKey]) {
        let now = self.now();
        let gone = before
            .iter()
            .filter(|key| after.iter().all(|kept| kept.kid != key.kid));
        for key in gone {
            let replaced = replaced_at(before, key, now);
            if replaced.is_none_or(|replaced| replaced + KEPT_AFTER > now) {
                let (kid, alg) = (&key.kid, key.algorithm.name());
                tracing::warn!(kid, alg, "signing key withdrawn: what it signed is refused");
            }
        }
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

    fn open_known(&self, ring: &KeyRing, row: &StoredKey) -> Result<Arc<SigningKey>, KeysError> {
        let at_hand = ring.opened.iter().find(|key| key.kid() == row.kid);
        match at_hand {
            Some(key) => Ok(Arc::clone(key)),
            None => open_key(row, &self.sealing, self.signatures.backend()).map(Arc::new),
        }
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

/// A key that was taken out of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawnKey {
    /// The key.
    pub key: StoredKey,
    /// Where in its life it was.
    pub was: KeyState,
    /// What signs instead from now on; `None` if it did not sign.
    pub replaced_by: Option<StoredKey>,
}

/// Takes a key out of use at once. If it signs, another is made first, unpublished ahead as it is: a verifier that meets its
/// `kid` fetches the set once more.
///
/// The new key is written before the old one goes. Interrupted in between, the old one only verifies, and the same command
/// does the rest.
pub(crate) async fn withdraw(
    store: &dyn Store,
    kid: &str,
    sealing: &SealingKey,
    random: &dyn Random,
    now: i64,
) -> Result<WithdrawnKey, KeysError> {
    let keys = store.signing_keys().await?;
    let unknown = || KeysError::Unknown {
        kid: kid.to_owned(),
    };
    let key = keys.iter().find(|key| key.kid == kid).ok_or_else(unknown)?;
    let was = state(&keys, key, now);
    let mut replaced_by = None;
    if was == KeyState::Signing {
        let new = make_key(key.algorithm, sealing, random, now, now).await?;
        store.insert_signing_key(new.clone()).await?;
        replaced_by = Some(new);
    }
    store.delete_signing_key(kid.to_owned()).await?;
    Ok(WithdrawnKey {
        key: key.clone(),
        was,
        replaced_by,
    })
}
