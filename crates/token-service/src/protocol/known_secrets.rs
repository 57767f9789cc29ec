//! Client secrets that were opened before, as their hashes.
//!
//! A secret is sealed in the store, and opening it (a derived key, then AES-GCM) takes longer than the rest of the
//! comparison. What a comparison needs is the secret's hash, so that is what stays in memory, with the client and the sealed
//! form it came from: a secret that is renewed is sealed anew, and one in another client's row opens nothing there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{ClientId, SealedSecret};
use crate::secret::{Digest, SealingKey};

/// Hashes kept at most: bounds memory.
const CAPACITY: usize = 4096;

type Known = HashMap<ClientId, (SealedSecret, Digest)>;

#[derive(Default)]
pub(crate) struct KnownSecrets(Mutex<Known>);

impl KnownSecrets {
    /// The hash of the client's secret; `None` if the row or the key is not what it was.
    pub(super) fn digest(
        &self,
        key: &SealingKey,
        client: &ClientId,
        sealed: &SealedSecret,
    ) -> Option<Digest> {
        if let Some((from, digest)) = self.known().get(client)
            && from == sealed
        {
            return Some(*digest);
        }
        // Without the lock: others need not wait for the arithmetic.
        let digest = Digest::of(sealed.open(key, client)?.expose());
        let mut known = self.known();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(client.clone(), (sealed.clone(), digest));
        Some(digest)
    }

    /// A panic between two of its statements leaves nothing half done.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;
    use crate::secret::Secret;

    #[test]
    fn a_secret_in_another_clients_row_opens_nothing() {
        let (known, key) = (KnownSecrets::default(), SealingKey::generate(&SystemRandom));
        let [a, b] = ["a", "b"].map(|id| ClientId::parse(id).unwrap());
        let secret = Secret::new("of a");
        let sealed = SealedSecret::seal(&key, &SystemRandom, &a, &secret);
        let expected = Some(Digest::of(secret.expose()));
        assert_eq!(known.digest(&key, &a, &sealed), expected);
        assert_eq!(known.digest(&key, &a, &sealed), expected, "remembered");
        assert_eq!(known.digest(&key, &b, &sealed), None);
    }
}
