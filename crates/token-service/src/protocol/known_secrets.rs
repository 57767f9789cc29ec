//! Client secrets that were opened before, as their hashes.
//!
//! A secret is sealed in the store, and opening it (a derived key, then AES-GCM) takes longer than the rest of the
//! comparison. What a comparison needs is the secret's hash, so that is what stays in memory, under the sealed form it
//! came from: a secret that is renewed is sealed anew, and the old hash is never asked for again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::{ClientId, SealedSecret};
use crate::secret::{Digest, SealingKey};

/// Hashes kept at most: bounds memory.
const CAPACITY: usize = 4096;

#[derive(Default)]
pub(crate) struct KnownSecrets(Mutex<HashMap<SealedSecret, Digest>>);

impl KnownSecrets {
    /// The hash of the client's secret; `None` if the row or the key is not what it was.
    pub(super) fn digest(
        &self,
        key: &SealingKey,
        client: &ClientId,
        sealed: &SealedSecret,
    ) -> Option<Digest> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known.get(sealed) {
            return Some(*digest);
        }
        let digest = Digest::of(sealed.open(key, client)?.expose());
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(sealed.clone(), digest);
        Some(digest)
    }
}
