//! Key pairs of authorities, servers and clients: their kinds, and the files they are kept in.
//!
//! [`policy`] says which public keys are certified, [`private`] has the other half and its file, [`signer`] signs with an authority's, `pkcs8`
//! puts a passphrase on one, `p256` is the usual kind without OpenSSL. What is no key at all, or everybody's: `weak` for RSA, `edwards` for
//! Ed25519, `known` and `blocked` for any.

mod blocked;
mod edwards;
mod known;
mod ml_dsa;
mod p256;
mod pkcs8;
mod policy;
mod private;
mod signer;
mod weak;

use std::fmt;
use std::str::FromStr;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use blocked::BlockedKeys;
pub(crate) use policy::PublicKey;
pub(crate) use private::{PrivateKey, is_encrypted};
pub(crate) use signer::{Signer, SignerError};

use policy::Algorithm;

/// The kinds of keys that are made here. Requests may bring RSA keys of other lengths from 2048 bits on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// ECDSA on P-256: small, quick, taken by every verifier.
    #[default]
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits, as in many tutorials. Making one takes seconds.
    Rsa4096,
    /// Ed25519: small and quick; NSS, Chromium and the Baseline Requirements do not take it.
    Ed25519,
    /// ML-DSA-44 (FIPS 204, RFC 9881), for a world with quantum computers: signatures of 2,420 bytes. OpenSSL from 3.5 on and what is built
    /// on it takes it; browsers, Node, Go, Java, NSS, rustls and the Baseline Requirements do not.
    MlDsa44,
    /// ML-DSA-65: 3,309 bytes; otherwise likewise.
    MlDsa65,
    /// ML-DSA-87: 4,627 bytes; otherwise likewise.
    MlDsa87,
}

/// What a kind is made with.
enum Recipe {
    Curve(Nid),
    Bits(u32),
    Edwards,
    Lattice(Algorithm),
}

const TABLE: &[(KeyKind, &str, Recipe)] = &[
    (KeyKind::P256, "p256", Recipe::Curve(Nid::X9_62_PRIME256V1)),
    (KeyKind::P384, "p384", Recipe::Curve(Nid::SECP384R1)),
    (KeyKind::Rsa2048, "rsa2048", Recipe::Bits(2048)),
    (KeyKind::Rsa3072, "rsa3072", Recipe::Bits(3072)),
    (KeyKind::Rsa4096, "rsa4096", Recipe::Bits(4096)),
    (KeyKind::Ed25519, "ed25519", Recipe::Edwards),
    (
        KeyKind::MlDsa44,
        "ml-dsa-44",
        Recipe::Lattice(Algorithm::MlDsa44),
    ),
    (
        KeyKind::MlDsa65,
        "ml-dsa-65",
        Recipe::Lattice(Algorithm::MlDsa65),
    ),
    (
        KeyKind::MlDsa87,
        "ml-dsa-87",
        Recipe::Lattice(Algorithm::MlDsa87),
    ),
];

impl KeyKind {
    /// Every kind, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(kind, ..)| *kind)
    }

    /// Its name on the command line: `p256`, `rsa2048`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// One that OpenSSL makes.
    pub(crate) fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        match self.row().2 {
            Recipe::Curve(curve) => {
                let group = EcGroup::from_curve_name(curve)?;
                PKey::from_ec_key(EcKey::generate(&group)?)
            }
            Recipe::Bits(bits) => PKey::from_rsa(Rsa::generate(bits)?),
            Recipe::Edwards => PKey::generate_ed25519(),
            Recipe::Lattice(algorithm) => ml_dsa::generate(algorithm),
        }
    }

    /// Whether the OpenSSL that this program is linked with makes such keys: 3.5 and later know ML-DSA.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    pub fn available(self) -> Result<(), KeyError> {
        match self.row().2 {
            Recipe::Lattice(_) if self.generate().is_err() => Err(KeyError::Unavailable {
                kind: self.name(),
                library: openssl::version::version(),
            }),
            _ => Ok(()),
        }
    }

    /// Who does not take such keys, for people who are about to make one.
    #[must_use]
    pub fn caveat(self) -> Option<&'static str> {
        match self.row().2 {
            Recipe::Edwards => Some("NSS, Chromium and Firefox take no Ed25519 certificate"),
            Recipe::Lattice(_) => Some(
                "OpenSSL from 3.5 on takes ML-DSA certificates; browsers, Node, Go, Java, NSS and rustls do not",
            ),
            _ => None,
        }
    }

    fn row(self) -> &'static (Self, &'static str, Recipe) {
        TABLE
            .iter()
            .find(|(kind, ..)| *kind == self)
            .expect("every kind has a row: a test walks the enum")
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::all()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| KeyError::UnknownKind {
                expected: TABLE.iter().map(|row| row.1).collect::<Vec<_>>().join(", "),
                actual: name
                    .chars()
                    .take(40)
                    .flat_map(char::escape_default)
                    .collect(),
            })
    }
}

/// Why a key is not made, read or certified.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No kind has this name.
    #[error("key kind: expected one of {expected}, got `{actual}`")]
    UnknownKind {
        /// The names.
        expected: String,
        /// What came.
        actual: String,
    },
    /// The linked OpenSSL has no such keys.
    #[error("{library} knows no {kind} keys: OpenSSL 3.5 and later do")]
    Unavailable {
        /// The kind.
        kind: &'static str,
        /// What it calls itself.
        library: &'static str,
    },
    /// None of the kinds that are certified, or a curve that is spelt out as parameters instead of named.
    #[error("key type: expected P-256, P-384, RSA, Ed25519 or ML-DSA")]
    Type,
    /// The bytes are not a public key: a point off its curve, for instance.
    #[error("the public key is damaged, or no point of its curve")]
    Damaged,
    /// An RSA modulus that is too short, too long, or not a whole number of bytes.
    #[error("RSA modulus: expected 2048 to 8192 bits, a multiple of 8, got {actual}")]
    RsaSize {
        /// Its bits.
        actual: u32,
    },
    /// An RSA exponent that is even or below 65537 (Baseline Requirements §6.1.6).
    #[error("RSA exponent: expected an odd number from 65537 on")]
    RsaExponent,
    /// A key whose private half somebody can find (Baseline Requirements §6.1.1.3).
    #[error("weak key: {reason}")]
    Weak {
        /// How.
        reason: &'static str,
    },
    /// Not one private key in PKCS #8 PEM.
    #[error("not a private key in PKCS #8 PEM (`-----BEGIN PRIVATE KEY-----`), or damaged")]
    Pem,
    /// The key is encrypted, and no passphrase was given.
    #[error("the key is protected by a passphrase, and none was given")]
    PassphraseNeeded,
    /// The passphrase is not text.
    #[error("a passphrase is UTF-8 text")]
    PassphraseText,
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key, or the file is damaged")]
    Passphrase,
}

/// A passphrase: wiped when it is dropped, never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The first line of what a file holds, without its line end.
    ///
    /// # Errors
    /// [`KeyError::PassphraseNeeded`] when that is empty; [`KeyError::PassphraseText`] when it is not UTF-8.
    pub fn from_file_contents(contents: &[u8]) -> Result<Self, KeyError> {
        let line = contents
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| KeyError::PassphraseText)?;
        match text.is_empty() {
            true => Err(KeyError::PassphraseNeeded),
            false => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The private key of a server. `Debug` shows its kind only; it is wiped when it is dropped, but for ring's copy of a P-256 key.
#[derive(Clone)]
pub struct LeafKey(PrivateKey);

impl LeafKey {
    /// A new key.
    ///
    /// # Errors
    /// OpenSSL's, when there is no randomness or memory.
    pub fn generate(kind: KeyKind) -> Result<Self, ErrorStack> {
        PrivateKey::generate(kind).map(Self)
    }

    /// Reads an unencrypted PKCS #8 key.
    ///
    /// # Errors
    /// [`KeyError::Pem`], or [`KeyError::Type`], [`KeyError::RsaSize`], [`KeyError::RsaExponent`] for a key that is not certified.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<Self, KeyError> {
        PrivateKey::read(pem, None).map(Self)
    }

    /// The key as PKCS #8 PEM, unencrypted; wiped when dropped. [`write_private`](crate::write_private) puts it into a file.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<Vec<u8>> {
        self.0.pem()
    }

    /// For a TLS acceptor.
    #[must_use]
    pub fn as_openssl(&self) -> &PKeyRef<Private> {
        self.0.as_openssl()
    }

    pub(crate) fn private(&self) -> &PrivateKey {
        &self.0
    }
}

impl fmt::Debug for LeafKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafKey")
            .field("kind", &self.0.describe())
            .finish_non_exhaustive()
    }
}

/// For people: `P-256`, `RSA 2048 bits`.
pub(crate) fn describe<T: HasPublic>(key: &PKeyRef<T>) -> String {
    match key.id() {
        Id::EC => format!("P-{}", key.bits()),
        Id::RSA => format!("RSA {} bits", key.bits()),
        Id::ED25519 => "Ed25519".to_owned(),
        _ => match PublicKey::of(key) {
            Ok(key) => key.describe(),
            Err(_) => "another kind".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row() {
        for kind in KeyKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!(KeyKind::all().count(), 9);
        assert!(matches!(
            "dsa".parse::<KeyKind>(),
            Err(KeyError::UnknownKind { .. })
        ));
    }

    #[test]
    fn ml_dsa_is_there_or_said_to_be_absent() {
        for kind in [KeyKind::MlDsa44, KeyKind::MlDsa65, KeyKind::MlDsa87] {
            match kind.available() {
                Ok(()) => {
                    let key = PrivateKey::generate(kind).unwrap();
                    let signer = Signer::new(key.clone()).unwrap();
                    let signature = signer.sign(b"message").unwrap();
                    let public = signer.public();
                    assert!(public.verifies(&signer.algorithm(), b"message", &signature));
                    assert!(!public.verifies(&signer.algorithm(), b"massage", &signature));
                    let read = PrivateKey::read(&key.pem(), None).unwrap();
                    assert!(read.as_openssl().public_eq(key.as_openssl()));
                    assert_eq!(public.describe(), kind.name().to_uppercase());
                }
                Err(error) => {
                    assert!(openssl::version::number() < 0x3050_0000);
                    assert!(error.to_string().contains("3.5 and later"), "{error}");
                }
            }
        }
    }
}
