//! Passwords: argon2id, slow on purpose, off the async threads, a few at a time.

use std::fmt;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::clock::{Random, random_bytes};
use crate::secret::Secret;

/// Longest password taken, in bytes: far beyond any typed one, short enough that hashing it costs nothing extra.
pub const MAX_PASSWORD_BYTES: usize = 1024;

// OWASP Password Storage Cheat Sheet: m = 19 MiB, t = 2, p = 1 is the least; these are that, and the PHC string in each
// row names its own, so that raising them here leaves old rows verifiable.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

// The most of a hash that came from elsewhere. Anybody may try a password, and each try takes as much, on every core at once.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 10;
const MOST_LANES: u32 = 16;

/// Why a text is no password hash for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// A password, or a hash of another kind.
    #[error("expected an argon2id hash as `stampmill user hash` makes it, not a password")]
    NoHash,
    /// Anybody could keep the machine busy by trying passwords.
    #[error(
        "an argon2id hash may ask for {name}={most} at most, because every try to sign in costs as much; this one asks for {found}"
    )]
    TooCostly {
        /// Of argon2id: `m` is KiB of memory, `t` passes over it, `p` lanes.
        name: char,
        /// What it asks for.
        found: u32,
        /// What it may.
        most: u32,
    },
}

/// The PHC string of an argon2id hash (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A row's text; it is checked when a password is tried.
    pub fn from_phc(phc: String) -> PasswordHash {
        PasswordHash(phc)
    }

    /// Reads a PHC string that this program could verify, for a price that every try may have.
    pub fn parse(phc: &str) -> Result<PasswordHash, PasswordHashError> {
        const NO_HASH: PasswordHashError = PasswordHashError::NoHash;
        let stored = argon2::PasswordHash::new(phc).map_err(|_| NO_HASH)?;
        if !phc.starts_with("$argon2id$") {
            return Err(NO_HASH);
        }
        let params = Params::try_from(&stored).map_err(|_| NO_HASH)?;
        for (name, found, most) in [
            ('m', params.m_cost(), MOST_MEMORY_KIB),
            ('t', params.t_cost(), MOST_PASSES),
            ('p', params.p_cost(), MOST_LANES),
        ] {
            if found > most {
                return Err(PasswordHashError::TooCostly { name, found, most });
            }
        }
        Ok(PasswordHash(phc.to_owned()))
    }

    /// The text for the row.
    pub fn as_phc(&self) -> &str {
        &self.0
    }

    /// Hashes a password. Takes some tens of milliseconds: call it where blocking is allowed.
    pub fn of(password: &Secret, random: &dyn Random) -> PasswordHash {
        let salt: [u8; 16] = random_bytes(random);
        let hash = hasher()
            .hash_password_with_salt(password.expose().as_bytes(), &salt)
            .expect("a 16-byte salt and fixed parameters are legal");
        PasswordHash(hash.to_string())
    }

    fn matches(&self, password: &Secret) -> bool {
        self.computed_again(password)
            .is_some_and(|(stored, now)| stored.ct_eq(&now).into())
    }

    /// The hash that was stored, and the password's with the same salt and parameters; nothing, if the text is no hash.
    fn computed_again(&self, password: &Secret) -> Option<(Vec<u8>, Vec<u8>)> {
        let stored = argon2::PasswordHash::new(&self.0).ok()?;
        let (salt, hash) = (stored.salt.as_ref()?, stored.hash.as_ref()?);
        let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
        let version = stored
            .version
            .map_or(Ok(Version::default()), Version::try_from);
        let params = Params::try_from(&stored).ok()?;
        let mut memory = memory(params.block_count());
        let mut now = vec![0; hash.as_bytes().len()];
        Argon2::new(algorithm, version.ok()?, params)
            .hash_password_into_with_memory(
                password.expose().as_bytes(),
                salt,
                &mut now,
                &mut memory,
            )
            .ok()?;
        Some((hash.as_bytes().to_vec(), now))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Memory for a computation. The allocator of glibc keeps what is given back to it, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD):
/// with room for more, of which the rest is never touched, it goes back to the system.
fn memory(blocks: usize) -> Vec<Block> {
    const ROOM: usize = 33 * 1024 * 1024 / Block::SIZE;
    let mut memory = Vec::with_capacity(blocks.max(ROOM));
    memory.resize(blocks, Block::default());
    memory
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the parameters above are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Verifies passwords: at most one per core at once, so that a flood of sign-ins fills neither the memory nor the
/// threads.
#[derive(Clone)]
pub struct PasswordGate {
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    nobody: PasswordHash,
}

impl PasswordGate {
    /// How many may stand before it for each core: a few seconds' work with hashes of ours, more with heavier ones of a
    /// configuration. Whoever comes later would wait for longer than a person does, and in the end for nothing.
    const ROOM_A_CORE: usize = 64;

    /// A gate with as many places as cores. Hashes one throwaway password: some tens of milliseconds.
    pub fn new(random: &dyn Random) -> PasswordGate {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let nobody = PasswordHash::of(&Secret::generate(random), random);
        PasswordGate {
            places: Arc::new(Semaphore::new(cores)),
            room: Arc::new(Semaphore::new(cores * Self::ROOM_A_CORE)),
            nobody,
        }
    }

    /// Room before the gate, for as long as what is given lives; none where too many stand there.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// Whether the password belongs to the hash; without a hash (unknown user) the answer is no and costs the same.
    pub async fn verify(&self, hash: Option<PasswordHash>, password: Secret) -> bool {
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return false;
        }
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return false;
        };
        let nobody = self.nobody.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let _place = place;
            let known = hash.is_some();
            let matches = hash.unwrap_or(nobody).matches(&password);
            known && matches
        });
        checked.await.unwrap_or(false)
    }
}

impl fmt::Debug for PasswordGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordGate")
            .field("free", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}

/// A password a person can type: five groups of four characters from 31 that are not mistaken for one another (99
/// bits).
pub(crate) fn typable_password(random: &dyn Random) -> Secret {
    const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut text = Zeroizing::new(String::with_capacity(24));
    let mut count = 0;
    while count < 20 {
        let [byte] = random_bytes::<1>(random);
        // 248 = 8 * 31: larger bytes are thrown away, so that no character is likelier than another.
        if byte < 248 {
            if count > 0 && count % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            count += 1;
        }
    }
    Secret::new(text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[tokio::test]
    async fn right_password_only() {
        let gate = PasswordGate::new(&SystemRandom);
        let hash = PasswordHash::of(&Secret::new("correct horse"), &SystemRandom);
        assert!(
            hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.as_phc()
        );
        assert!(
            gate.verify(Some(hash.clone()), Secret::new("correct horse"))
                .await
        );
        assert!(
            !gate
                .verify(Some(hash.clone()), Secret::new("correct house"))
                .await
        );
        assert!(
            !gate
                .verify(Some(hash), Secret::new("x".repeat(MAX_PASSWORD_BYTES + 1)))
                .await
        );
        assert!(!gate.verify(None, Secret::new("correct horse")).await);
        assert!(
            !gate
                .verify(
                    Some(PasswordHash::from_phc("garbage".into())),
                    Secret::new("x")
                )
                .await
        );
    }

    #[test]
    fn typable_passwords_are_groups_of_four() {
        let password = typable_password(&SystemRandom);
        let groups: Vec<_> = password.expose().split('-').collect();
        assert!(groups.len() == 5 && groups.iter().all(|group| group.len() == 4));
    }
}
