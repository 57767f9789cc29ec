//! Key pairs of authorities and servers, and which public keys are certified.

use std::fmt;
use std::str::FromStr;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use thiserror::Error;
use zeroize::Zeroizing;

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
}

/// What a kind is made with.
enum Recipe {
    Curve(Nid),
    Bits(u32),
}

const TABLE: &[(KeyKind, &str, Recipe)] = &[
    (KeyKind::P256, "p256", Recipe::Curve(Nid::X9_62_PRIME256V1)),
    (KeyKind::P384, "p384", Recipe::Curve(Nid::SECP384R1)),
    (KeyKind::Rsa2048, "rsa2048", Recipe::Bits(2048)),
    (KeyKind::Rsa3072, "rsa3072", Recipe::Bits(3072)),
    (KeyKind::Rsa4096, "rsa4096", Recipe::Bits(4096)),
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

    pub(crate) fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        match self.row().2 {
            Recipe::Curve(curve) => {
                let group = EcGroup::from_curve_name(curve)?;
                PKey::from_ec_key(EcKey::generate(&group)?)
            }
            Recipe::Bits(bits) => PKey::from_rsa(Rsa::generate(bits)?),
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
    /// Neither RSA nor one of the two curves that every verifier takes, named (not spelt out as parameters).
    #[error("key type: expected P-256, P-384 or RSA")]
    Type,
    /// An RSA modulus that is too short, too long, or not a whole number of bytes.
    #[error("RSA modulus: expected 2048 to 8192 bits, a multiple of 8, got {actual}")]
    RsaSize {
        /// Its bits.
        actual: u32,
    },
    /// An RSA exponent that is even or below 65537 (Baseline Requirements §6.1.6).
    #[error("RSA exponent: expected an odd number from 65537 on")]
    RsaExponent,
    /// Not one unencrypted private key in PKCS #8 PEM.
    #[error("not a private key in PKCS #8 PEM (`-----BEGIN PRIVATE KEY-----`), or damaged")]
    Pem,
}

/// The private key of a server. `Debug` shows its kind only; OpenSSL wipes it when it is dropped.
#[derive(Clone)]
pub struct LeafKey(PKey<Private>);

impl LeafKey {
    /// A new key from OpenSSL's generator.
    ///
    /// # Errors
    /// OpenSSL's, when there is no randomness or memory.
    pub fn generate(kind: KeyKind) -> Result<Self, ErrorStack> {
        kind.generate().map(Self)
    }

    /// Reads an unencrypted PKCS #8 key.
    ///
    /// # Errors
    /// [`KeyError::Pem`], or [`KeyError::Type`], [`KeyError::RsaSize`], [`KeyError::RsaExponent`] for a key that is not certified.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<Self, KeyError> {
        read_private_pem(pem).map(Self)
    }

    /// The key as PKCS #8 PEM, unencrypted; wiped when dropped. [`write_private`](crate::write_private) puts it into a file.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<Vec<u8>> {
        private_pem(&self.0)
    }

    /// For a TLS acceptor.
    #[must_use]
    pub fn as_openssl(&self) -> &PKeyRef<Private> {
        &self.0
    }
}

impl fmt::Debug for LeafKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafKey")
            .field("kind", &describe(&self.0))
            .finish_non_exhaustive()
    }
}

pub(crate) fn private_pem(key: &PKeyRef<Private>) -> Zeroizing<Vec<u8>> {
    let pem = key
        .private_key_to_pem_pkcs8()
        .expect("OpenSSL can write every key it holds");
    Zeroizing::new(pem)
}

pub(crate) fn read_private_pem(pem: &[u8]) -> Result<PKey<Private>, KeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| KeyError::Pem)?;
    if text.matches("-----BEGIN ").count() != 1 || !text.contains("-----BEGIN PRIVATE KEY-----") {
        return Err(KeyError::Pem);
    }
    // The callback keeps OpenSSL from asking a terminal for a passphrase.
    let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| KeyError::Pem)?;
    check_public(&key)?;
    Ok(key)
}

/// The policy for keys (Baseline Requirements §6.1.5, §6.1.6): P-256, P-384, RSA from 2048 bits on.
pub(crate) fn check_public<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), KeyError> {
    match key.id() {
        Id::EC => {
            let key = key.ec_key().map_err(|_| KeyError::Type)?;
            let curves = [Nid::X9_62_PRIME256V1, Nid::SECP384R1];
            let named = key
                .group()
                .curve_name()
                .is_some_and(|curve| curves.contains(&curve));
            // the point lies on the curve and is not the point at infinity
            match named && key.check_key().is_ok() {
                true => Ok(()),
                false => Err(KeyError::Type),
            }
        }
        Id::RSA => check_rsa(&*key.rsa().map_err(|_| KeyError::Type)?),
        _ => Err(KeyError::Type),
    }
}

fn check_rsa<T: HasPublic>(key: &openssl::rsa::RsaRef<T>) -> Result<(), KeyError> {
    let actual = key.n().num_bits().unsigned_abs();
    if !(2048..=8192).contains(&actual) || !actual.is_multiple_of(8) {
        return Err(KeyError::RsaSize { actual });
    }
    let exponent = key.e().to_vec();
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    // odd and of 17 bits or more means 65537 or more
    match odd && key.e().num_bits() >= 17 && exponent.len() <= 8 {
        true => Ok(()),
        false => Err(KeyError::RsaExponent),
    }
}

/// The digest that goes with a signing key: as strong as the key (RFC 5480 §4).
pub(crate) fn digest_for<T: HasPublic>(key: &PKeyRef<T>) -> MessageDigest {
    match key.id() == Id::EC && key.bits() > 256 {
        true => MessageDigest::sha384(),
        false => MessageDigest::sha256(),
    }
}

/// For people: `P-256`, `RSA 2048 bits`.
pub(crate) fn describe<T: HasPublic>(key: &PKeyRef<T>) -> String {
    match key.id() {
        Id::EC => format!("P-{}", key.bits()),
        Id::RSA => format!("RSA {} bits", key.bits()),
        other => format!("OpenSSL key type {}", other.as_raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row_and_makes_a_key_that_is_certified() {
        for kind in KeyKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!(KeyKind::all().count(), 5);
        assert!(matches!(
            "dsa".parse::<KeyKind>(),
            Err(KeyError::UnknownKind { .. })
        ));
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048] {
            assert_eq!(check_public(&kind.generate().unwrap()), Ok(()));
        }
    }

    #[test]
    fn other_keys_are_not_certified() {
        let p521 = EcGroup::from_curve_name(Nid::SECP521R1).unwrap();
        let p521 = PKey::from_ec_key(EcKey::generate(&p521).unwrap()).unwrap();
        assert_eq!(check_public(&p521), Err(KeyError::Type));
        assert_eq!(
            check_public(&PKey::generate_ed25519().unwrap()),
            Err(KeyError::Type)
        );
        let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        assert_eq!(
            check_public(&small),
            Err(KeyError::RsaSize { actual: 1024 })
        );
        let three = openssl::bn::BigNum::from_u32(3).unwrap();
        let lax = PKey::from_rsa(Rsa::generate_with_e(2048, &three).unwrap()).unwrap();
        assert_eq!(check_public(&lax), Err(KeyError::RsaExponent));
    }
}
