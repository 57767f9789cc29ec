//! The keys that sign tokens, and their lives.
//!
//! ```text
//!  created_at        signs_from                  the next one's signs_from        a day later
//!      │ published       │ published, signs             │ published, verifies         │ gone
//!      └─ verifiers meet it before the first token ─────┘ and after the last one ─────┘
//! ```

use stampmill_jose::{Algorithm, SigningKey};

use crate::clock::Random;
use crate::secret::SealingKey;

/// The algorithms tokens are signed with.
pub const SIGNING_ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

/// Reads the name of one of [`SIGNING_ALGORITHMS`].
pub fn signing_algorithm(name: &str) -> Option<Algorithm> {
    SIGNING_ALGORITHMS
        .into_iter()
        .find(|algorithm| algorithm.name() == name)
}

/// A signing key as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// PKCS #8 PEM, sealed.
    pub(crate) pem_sealed: Vec<u8>,
    /// Published from here on.
    pub created_at: i64,
    /// Signs from here on.
    pub signs_from: i64,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers know it before its first token.
    Next,
    /// Signs.
    Signing,
    /// Verifies what it signed.
    Retired,
}

impl KeyState {
    /// The word for lists.
    pub fn name(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Signing => "signing",
            KeyState::Retired => "retired",
        }
    }
}

impl StoredKey {
    /// Seals a key.
    pub(crate) fn seal(
        key: &SigningKey,
        sealing: &SealingKey,
        random: &dyn Random,
        created_at: i64,
        signs_from: i64,
    ) -> StoredKey {
        let kid = key.kid().to_owned();
        StoredKey {
            pem_sealed: sealing.seal(random, &purpose(&kid), &key.to_pkcs8_pem()),
            kid,
            algorithm: key.algorithm(),
            created_at,
            signs_from,
        }
    }

    /// Opens it again; `None` if the row or the sealing key is not what it was.
    pub(crate) fn open(&self, sealing: &SealingKey) -> Option<SigningKey> {
        let pem = sealing.open(&purpose(&self.kid), &self.pem_sealed)?;
        let key = SigningKey::from_pkcs8_pem(&pem).ok()?;
        key.with_algorithm(self.algorithm).ok()
    }
}

fn purpose(kid: &str) -> String {
    format!("signing key:{kid}")
}

/// The key of this algorithm that signs now: the newest whose time has come, or else the one whose time comes first.
pub fn signing_now(keys: &[StoredKey], algorithm: Algorithm, now: i64) -> Option<&StoredKey> {
    let mine = || keys.iter().filter(|key| key.algorithm == algorithm);
    mine()
        .filter(|key| key.signs_from <= now)
        .max_by_key(|key| (key.signs_from, key.created_at))
        .or_else(|| mine().min_by_key(|key| key.signs_from))
}

/// Where a key of the list is in its life.
pub fn state(keys: &[StoredKey], key: &StoredKey, now: i64) -> KeyState {
    let current = signing_now(keys, key.algorithm, now);
    if current.is_some_and(|current| current.kid == key.kid) {
        KeyState::Signing
    } else if key.signs_from > now {
        KeyState::Next
    } else {
        KeyState::Retired
    }
}

/// When another key of its algorithm took over; `None` while none has.
pub(crate) fn replaced_at(keys: &[StoredKey], key: &StoredKey, now: i64) -> Option<i64> {
    let rank = |key: &StoredKey| (key.signs_from, key.created_at);
    keys.iter()
        .filter(|other| other.algorithm == key.algorithm && other.signs_from <= now)
        .filter(|other| rank(other) > rank(key))
        .map(|other| other.signs_from)
        .min()
}
