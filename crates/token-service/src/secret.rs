//! Values whoever holds may use: codes, session and browser cookies, client secrets. Made, hashed, sealed and compared
//! here.

use std::fmt;

use hkdf::Hkdf;
use openssl::sha::Sha256;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use stampmill_jose::base64url;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::clock::{Random, random_bytes};

/// A secret text: redacted in `Debug`, wiped on drop, compared in constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Characters of a [generated](Self::generate) or [derived](SealingKey::derive) one.
    pub(crate) const GENERATED: usize = 43;

    /// Wraps a text that came from outside.
    pub fn new(text: impl Into<String>) -> Secret {
        let text: String = text.into();
        // As long as it is: there is no spare room to be wiped. Where there was, the text moves, and does not stay behind.
        if text.len() == text.capacity() {
            return Secret(Zeroizing::new(text.into_boxed_str()));
        }
        let text = Zeroizing::new(text);
        Secret(Zeroizing::new(text.as_str().into()))
    }

    /// 256 fresh bits as 43 base64url characters (RFC 6749 §10.10 asks for 128 or more).
    pub fn generate(random: &dyn Random) -> Secret {
        let bytes = Zeroizing::new(random_bytes::<32>(random));
        Secret::new(base64url::encode(bytes.as_slice()))
    }

    /// The text itself. The name is long so that a reader sees where secrets leave.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Equality whose time does not depend on where the texts differ.
    pub fn ct_eq(&self, other: &Secret) -> bool {
        // Both sides are hashed first, so that their lengths do not show either.
        Digest::of(self.expose()).ct_eq(&Digest::of(other.expose()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256 of a secret: what the store keeps instead of it.
///
/// No salt and no slow hash: the inputs carry 256 random bits, so there is nothing to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// Hashes the text.
    pub fn of(text: &str) -> Digest {
        // Not `sha256`, which in OpenSSL 3 looks the algorithm up at each call; that takes longer than hashing does.
        let mut hash = Sha256::new();
        hash.update(text.as_bytes());
        Digest(hash.finish())
    }

    /// Equality whose time does not depend on where the hashes differ.
    pub fn ct_eq(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key in the data folder under which client secrets and half-finished sign-ins are sealed (AES-256-GCM). The tags and masks of
/// handles, successors of refresh tokens and pseudonyms come of it, too: with another key, every code, refresh token and opaque token
/// that is out ends.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// Length of the key in bytes.
    pub const LENGTH: usize = 32;

    /// A fresh key.
    pub fn generate(random: &dyn Random) -> SealingKey {
        SealingKey(Zeroizing::new(random_bytes(random)))
    }

    /// The key from its file's bytes; `None` unless there are exactly 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<SealingKey> {
        Some(SealingKey(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The bytes to write to the key file.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Encrypts and authenticates: `nonce (12) | ciphertext | tag (16)`.
    ///
    /// Each purpose has a key of its own, derived from this one, so that a value sealed for one client or one page
    /// opens nowhere else. The nonce is random: at 2^32 seals under one key the chance of a repeated one is still below
    /// 2^-32 (NIST SP 800-38D §8.3). Strangers make us seal as many pages as they like; that wears out the pages' key
    /// and not the one of a client's secret.
    pub fn seal(&self, random: &dyn Random, purpose: &str, plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; 12] = random_bytes(random);
        let mut tag = [0; 16];
        let ciphertext = encrypt_aead(
            Cipher::aes_256_gcm(),
            self.subkey(purpose).as_slice(),
            Some(&nonce),
            purpose.as_bytes(),
            plaintext,
            &mut tag,
        )
        .expect("AES-256-GCM takes any plaintext with a 32-byte key and a 12-byte nonce");
        [&nonce[..], &ciphertext, &tag].concat()
    }

    /// HKDF-Expand (RFC 5869 §2.3) with the purpose as `info`. This key is uniformly random, so there is nothing to
    /// extract (§3.3).
    pub(crate) fn subkey(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut subkey = Zeroizing::new([0; 32]);
        Hkdf::<sha2::Sha256>::from_prk(self.as_bytes())
            .expect("32 bytes are as many as SHA-256 has")
            .expand(purpose.as_bytes(), subkey.as_mut_slice())
            .expect("32 bytes are one block of it");
        subkey
    }

    /// A secret computed from another: the same for the same three, and unguessable without this key *and* the other
    /// secret. HKDF-Expand of one block is HMAC, which is what makes that so.
    pub fn derive(&self, purpose: &str, seed: &[u8; 16], secret: &Secret) -> Secret {
        let info = Zeroizing::new(format!(
            "{purpose}:{}:{}",
            base64url::encode(seed),
            secret.expose()
        ));
        Secret::new(base64url::encode(self.subkey(&info).as_slice()))
    }

    /// A name made of a text: the same for the same two, and without this key neither computed nor traced back. 43
    /// characters.
    pub fn pseudonym(&self, purpose: &str, text: &str) -> String {
        base64url::encode(self.subkey(&format!("{purpose}:{text}")).as_slice())
    }

    /// Opens what [`seal`](Self::seal) made for the same purpose; `None` if one bit differs.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_at_checked(12)?;
        let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
        decrypt_aead(
            Cipher::aes_256_gcm(),
            self.subkey(purpose).as_slice(),
            Some(nonce),
            purpose.as_bytes(),
            ciphertext,
            tag,
        )
        .ok()
        .map(Zeroizing::new)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn sealed_values_open_for_their_purpose_only() {
        let key = SealingKey::generate(&SystemRandom);
        let sealed = key.seal(&SystemRandom, "client_secret:a", b"value");
        assert_eq!(
            key.open("client_secret:a", &sealed)
                .as_deref()
                .map(Vec::as_slice),
            Some(&b"value"[..])
        );
        assert!(
            key.open("client_secret:b", &sealed).is_none(),
            "another client's row"
        );
        assert!(
            SealingKey::generate(&SystemRandom)
                .open("client_secret:a", &sealed)
                .is_none(),
            "another key"
        );
        for byte in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[byte] ^= 1;
            assert!(
                key.open("client_secret:a", &changed).is_none(),
                "byte {byte} changed"
            );
        }
        assert!(
            (0..sealed.len())
                .all(|length| key.open("client_secret:a", &sealed[..length]).is_none()),
            "cut short"
        );
    }

    #[test]
    fn rfc5869_2_3_each_purpose_has_its_own_key() {
        let key = SealingKey::generate(&SystemRandom);
        // HKDF-Expand of one block, written out: HMAC-SHA-256(key, info | 0x01).
        let mac_key = openssl::pkey::PKey::hmac(key.as_bytes()).unwrap();
        let mut mac =
            openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &mac_key).unwrap();
        let expected = mac.sign_oneshot_to_vec(b"purpose\x01").unwrap();
        assert_eq!(key.subkey("purpose").as_slice(), expected);
        assert_ne!(key.subkey("another").as_slice(), expected);
        let sealed = key.seal(&SystemRandom, "purpose", b"value");
        let (nonce, rest) = sealed.split_at(12);
        let (ciphertext, tag) = rest.split_at(rest.len() - 16);
        let opened = decrypt_aead(
            Cipher::aes_256_gcm(),
            &expected,
            Some(nonce),
            b"purpose",
            ciphertext,
            tag,
        );
        assert_eq!(opened.unwrap(), b"value");
    }

    #[test]
    fn derived_secrets_depend_on_everything() {
        let (key, secret) = (SealingKey::generate(&SystemRandom), Secret::new("token"));
        let derived = key.derive("successor", &[1; 16], &secret);
        assert_eq!(derived.expose().len(), 43);
        assert!(derived.ct_eq(&key.derive("successor", &[1; 16], &secret)));
        for other in [
            key.derive("another", &[1; 16], &secret),
            key.derive("successor", &[2; 16], &secret),
            key.derive("successor", &[1; 16], &Secret::new("other")),
            SealingKey::generate(&SystemRandom).derive("successor", &[1; 16], &secret),
        ] {
            assert!(!derived.ct_eq(&other));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
        assert_eq!(
            format!("{:?}", SealingKey::generate(&SystemRandom)),
            "SealingKey(..)"
        );
    }

    #[test]
    fn secrets_compare_by_content() {
        assert!(Secret::new("a").ct_eq(&Secret::new("a")));
        assert!(!Secret::new("a").ct_eq(&Secret::new("b")));
        assert!(!Secret::new("a").ct_eq(&Secret::new("aa")));
    }
}
