//! Handles: the texts of codes, refresh tokens and opaque access tokens (RFC 6819 §3.1 calls a token that stands for a row of
//! the server's a *handle*).
//!
//! ```text
//!   secret: 256 bits        number ⊕ mask   tag
//!   43 characters           12 bytes        16 bytes      81 characters in all
//!        │                       ▲             │
//!        ├── SHA-256 ──▶ the row │             │
//!        └── tag = HMAC(key₁, kind, number, SHA-256 of the secret)
//!                                └── mask = HMAC(key₂, tag)
//! ```
//! The secret is what makes a handle worth something: the row keeps its hash, and whoever shows a handle must show that. The
//! number says where the row is, so that it is fetched and not searched: no index of hashes has to be kept, and rows lie in the
//! order they were made.
//!
//! The number is masked, because it would tell how many tokens were given out before this one, and when. The tag says that
//! we made the handle, and is its own mask's nonce (the construction is SIV's, RFC 5297 §2): a number that somebody guesses, or
//! a bit that somebody turns, is refused by the same arithmetic each time, before any row is looked for. It also lets a token that
//! was used long ago be known for what it is though nothing of it is kept: that is how a refresh token that comes a second time
//! ends its family.
//!
//! Keys of both are made of the service's sealing key. Who has that key and not the secrets can make handles that pass the tag
//! and are refused by the row, and could end a family by pretending that an old token of it came back; nothing more.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use stampmill_jose::base64url;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::{Digest, SealingKey, Secret};

/// What a handle is for. One of one kind is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleKind {
    /// An authorization code.
    Code,
    /// A refresh token.
    RefreshToken,
    /// An opaque access token.
    AccessToken,
}

impl HandleKind {
    /// As the store writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            HandleKind::Code => "code",
            HandleKind::RefreshToken => "refresh_token",
            HandleKind::AccessToken => "access_token",
        }
    }
}

/// Where a handle's row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The row's number. Never given twice to what could be mistaken for each other.
    pub number: i64,
    /// Which token of the row's it is, counted from 0: a refresh token's row is its family's.
    pub generation: u32,
}

/// A handle that somebody showed, and that we made. Whether its secret is the row's is for whoever reads the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Where its row is.
    pub place: Place,
    /// The hash of its secret.
    pub hash: Digest,
}

/// Makes and reads handles.
pub(crate) struct HandleKeys {
    tags: Hkdf<Sha256>,
    masks: Hkdf<Sha256>,
}

const PLACE: usize = 8 + 4;
const TAG: usize = 16;
/// A secret's length as a text.
const SECRET: usize = Secret::GENERATED;

impl HandleKeys {
    pub(crate) fn new(sealing: &SealingKey) -> HandleKeys {
        let key = |purpose| {
            Hkdf::from_prk(sealing.subkey(purpose).as_slice())
                .expect("32 bytes are as many as SHA-256 has")
        };
        HandleKeys {
            tags: key("tags of handles"),
            masks: key("numbers in handles"),
        }
    }

    /// The text for a secret that [`Secret::generate`] or [`SealingKey::derive`] made.
    pub(crate) fn write(&self, kind: HandleKind, place: Place, secret: &Secret) -> Secret {
        let tag = self.tag(kind, place, Digest::of(secret.expose()));
        let mut end = [0; PLACE + TAG];
        end[..PLACE].copy_from_slice(&self.masked(place.to_bytes(), &tag));
        end[PLACE..].copy_from_slice(&tag);
        let mut text = String::with_capacity(SECRET + (PLACE + TAG) * 4 / 3 + 1);
        text.push_str(secret.expose());
        text.push_str(&base64url::encode(end));
        Secret::new(text)
    }

    /// Where the row of a handle is; `None` for what we did not make, or made for something else.
    pub(crate) fn read(&self, kind: HandleKind, text: &str) -> Option<Shown> {
        let (secret, end) = text.split_at_checked(SECRET)?;
        let end: [u8; PLACE + TAG] = base64url::decode(end).ok()?.try_into().ok()?;
        let (place, tag) = end.split_first_chunk::<PLACE>()?;
        let tag: &[u8; TAG] = tag.try_into().ok()?;
        let place = Place::from_bytes(self.masked(*place, tag));
        let hash = Digest::of(secret);
        let ours = self.tag(kind, place, hash).ct_eq(tag);
        bool::from(ours).then_some(Shown { place, hash })
    }

    /// The secret in a handle.
    pub(crate) fn secret_in(text: &str) -> Secret {
        let end = text.len().min(SECRET);
        Secret::new(text.get(..end).unwrap_or_default())
    }

    fn tag(&self, kind: HandleKind, place: Place, hash: Digest) -> [u8; TAG] {
        let mut tag = [0; TAG];
        let said = [
            kind.name().as_bytes(),
            b":",
            &place.to_bytes(),
            hash.as_bytes(),
        ];
        // HKDF-Expand of one block is HMAC, with the key's part of it computed beforehand.
        self.tags
            .expand_multi_info(&said, &mut tag)
            .expect("16 bytes are less than a block");
        tag
    }

    fn masked(&self, mut place: [u8; PLACE], tag: &[u8; TAG]) -> [u8; PLACE] {
        let mut mask = Zeroizing::new([0; PLACE]);
        self.masks
            .expand(tag, mask.as_mut_slice())
            .expect("12 bytes are less than a block");
        for (byte, mask) in place.iter_mut().zip(mask.iter()) {
            *byte ^= mask;
        }
        place
    }
}

impl fmt::Debug for HandleKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandleKeys(..)")
    }
}

impl Place {
    fn to_bytes(self) -> [u8; PLACE] {
        let mut bytes = [0; PLACE];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..].copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; PLACE]) -> Place {
        let [number @ .., a, b, c, d] = bytes;
        Place {
            number: i64::from_be_bytes(number),
            generation: u32::from_be_bytes([a, b, c, d]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;
    use HandleKind::{AccessToken, Code, RefreshToken};

    fn fresh() -> (HandleKeys, Secret) {
        let keys = HandleKeys::new(&SealingKey::generate(&SystemRandom));
        (keys, Secret::generate(&SystemRandom))
    }

    #[test]
    fn what_was_written_is_read_for_its_kind_and_with_its_key_only() {
        let (keys, secret) = fresh();
        let place = Place {
            number: i64::MAX - 7,
            generation: 9,
        };
        let text = keys.write(RefreshToken, place, &secret);
        let hash = Digest::of(secret.expose());
        let shown = keys.read(RefreshToken, text.expose());
        assert_eq!(shown, Some(Shown { place, hash }));
        assert!(HandleKeys::secret_in(text.expose()).ct_eq(&secret));
        for other in [Code, AccessToken] {
            assert_eq!(keys.read(other, text.expose()), None, "{other:?}");
        }
        assert_eq!(fresh().0.read(RefreshToken, text.expose()), None);
    }

    #[test]
    fn no_character_can_be_another_and_none_be_missing() {
        let (keys, secret) = fresh();
        let place = Place {
            number: 5,
            generation: 0,
        };
        let text = keys.write(AccessToken, place, &secret);
        assert_eq!(text.expose().len(), 81);
        for at in 0..text.expose().len() {
            let mut changed = text.expose().as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(keys.read(AccessToken, &changed), None, "character {at}");
            assert_eq!(keys.read(AccessToken, &text.expose()[..at]), None, "{at}");
        }
        for bad in ["", "x", &format!("{}A", text.expose()), &"ä".repeat(60)] {
            assert_eq!(keys.read(AccessToken, bad), None, "{bad}");
        }
    }

    /// Tokens of neighbouring rows have nothing in common that would tell that they are.
    #[test]
    fn numbers_do_not_show() {
        let (keys, _) = fresh();
        let masked = |number: i64| {
            let place = Place {
                number,
                generation: 0,
            };
            let text = keys.write(Code, place, &Secret::generate(&SystemRandom));
            base64url::decode(&text.expose()[SECRET..]).unwrap()[..8].to_vec()
        };
        let seen: std::collections::HashSet<Vec<u8>> = (0..64).map(|_| masked(1)).collect();
        assert_eq!(seen.len(), 64, "the same number, another mask each time");
        assert!(!(0..64_i64).any(|number| seen.contains(&number.to_be_bytes()[..])));
    }
}
