//! Which public keys are certified (Baseline Requirements §6.1.5, §6.1.6): P-256, P-384, RSA from 2048 bits on, Ed25519, ML-DSA,
//! each in exactly one spelling.

use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Public};

use super::{KeyError, edwards, known, p256, weak};
use crate::der::{self, oid, write};
use crate::digest::{sha1, sha256};

/// P-256 by name.
pub(super) const P256_ALGORITHM: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// The only spellings of `AlgorithmIdentifier` that are certified: curves by name, never by parameters (RFC 5480 §2.1.1), RSA with
/// NULL (RFC 3279 §2.3.1), Ed25519 and ML-DSA with nothing (RFC 8410 §3, RFC 9881 §2).
const ALGORITHMS: &[(&[u8], Algorithm)] = &[
    (P256_ALGORITHM, Algorithm::P256),
    (
        b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        Algorithm::P384,
    ),
    (
        b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
        Algorithm::Rsa,
    ),
    (b"\x30\x05\x06\x03\x2b\x65\x70", Algorithm::Ed25519),
    (
        b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11",
        Algorithm::MlDsa44,
    ),
    (
        b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12",
        Algorithm::MlDsa65,
    ),
    (
        b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13",
        Algorithm::MlDsa87,
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    P256,
    P384,
    Rsa,
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl Algorithm {
    /// The name of the signatures of those that hash by themselves, which is the key's name as well.
    pub(crate) fn own_oid(self) -> Option<&'static [u8]> {
        match self {
            Self::P256 | Self::P384 | Self::Rsa => None,
            Self::Ed25519 => Some(oid::ED25519),
            Self::MlDsa44 => Some(oid::ML_DSA_44),
            Self::MlDsa65 => Some(oid::ML_DSA_65),
            Self::MlDsa87 => Some(oid::ML_DSA_87),
        }
    }
}

/// A public key that may be certified: checked, and kept as the bytes that go into the certificate.
#[derive(Clone)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    /// `SubjectPublicKeyInfo` as it came.
    spki: Vec<u8>,
    /// The BIT STRING's contents.
    bits: Vec<u8>,
    key: Key,
}

/// P-256 needs no more than the bits.
#[derive(Clone)]
enum Key {
    P256,
    Other(PKey<Public>),
}

impl PublicKey {
    /// Reads and checks a `SubjectPublicKeyInfo`.
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let mut info = der::only(spki, der::SEQUENCE)
            .map_err(|_| KeyError::Damaged)?
            .inside();
        let identifier = info.expect(der::SEQUENCE).map_err(|_| KeyError::Damaged)?;
        let bits = info
            .expect(der::BIT_STRING)
            .map_err(|_| KeyError::Damaged)?;
        info.finish().map_err(|_| KeyError::Damaged)?;
        let (_, algorithm) = ALGORITHMS
            .iter()
            .find(|(spelling, _)| *spelling == identifier.whole)
            .ok_or(KeyError::Type)?;
        let bits = bits.contents.strip_prefix(&[0]).ok_or(KeyError::Damaged)?;
        let key = match algorithm {
            Algorithm::P256 if p256::is_point(bits) => Key::P256,
            Algorithm::P256 => return Err(KeyError::Damaged),
            _ => {
                let key = PKey::public_key_from_der(spki).map_err(|_| KeyError::Damaged)?;
                check(&key, *algorithm, bits)?;
                Key::Other(key)
            }
        };
        known::check(*algorithm, spki, bits)?;
        Ok(Self {
            algorithm: *algorithm,
            spki: spki.to_vec(),
            bits: bits.to_vec(),
            key,
        })
    }

    pub(crate) fn of<T: HasPublic>(key: &PKeyRef<T>) -> Result<Self, KeyError> {
        Self::from_spki(&key.public_key_to_der().map_err(|_| KeyError::Damaged)?)
    }

    /// Of a P-256 key's bits, which belong to a private key and so are a point.
    pub(super) fn of_point(point: &[u8]) -> Result<Self, KeyError> {
        let algorithm = Algorithm::P256;
        let spki = write::sequence([P256_ALGORITHM.to_vec(), write::bit_string(point)]);
        known::check(algorithm, &spki, point)?;
        Ok(Self {
            algorithm,
            spki,
            bits: point.to_vec(),
            key: Key::P256,
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The key's bits: a point, or RSA's two numbers.
    pub(crate) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`: what the store knows a key by.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// The subject key identifier: SHA-1 of the key's bits (RFC 5280 §4.2.1.2, method 1).
    pub(crate) fn identifier(&self) -> [u8; 20] {
        sha1(&self.bits)
    }

    /// Whether the signature under this `AlgorithmIdentifier` is by this key.
    pub(crate) fn verifies(&self, algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
        use openssl::hash::MessageDigest;
        use openssl::sign::Verifier;
        let Ok(identifier) = der::only(algorithm, der::SEQUENCE) else {
            return false;
        };
        let Ok(name) = identifier.inside().expect(der::OID) else {
            return false;
        };
        if let (Key::P256, oid::ECDSA_WITH_SHA256) = (&self.key, name.contents) {
            return p256::verifies(&self.bits, message, signature);
        }
        let digest = match (self.algorithm, name.contents) {
            (Algorithm::P256 | Algorithm::P384, oid::ECDSA_WITH_SHA256)
            | (Algorithm::Rsa, oid::SHA256_WITH_RSA) => Some(MessageDigest::sha256()),
            (Algorithm::P256 | Algorithm::P384, oid::ECDSA_WITH_SHA384)
            | (Algorithm::Rsa, oid::SHA384_WITH_RSA) => Some(MessageDigest::sha384()),
            (Algorithm::P256 | Algorithm::P384, oid::ECDSA_WITH_SHA512)
            | (Algorithm::Rsa, oid::SHA512_WITH_RSA) => Some(MessageDigest::sha512()),
            (algorithm, name) if algorithm.own_oid() == Some(name) => None,
            _ => return false,
        };
        let Ok(key) = self.to_openssl() else {
            return false;
        };
        let verifier = match digest {
            Some(digest) => Verifier::new(digest, &key),
            None => Verifier::new_without_digest(&key),
        };
        verifier
            .and_then(|mut verifier| verifier.verify_oneshot(signature, message))
            .unwrap_or(false)
    }

    pub(crate) fn to_openssl(&self) -> Result<PKey<Public>, ErrorStack> {
        match &self.key {
            Key::P256 => PKey::from_ec_key(p256::to_openssl(&self.bits)?),
            Key::Other(key) => Ok(key.clone()),
        }
    }

    /// An RSA key's modulus, without leading zeros.
    pub(crate) fn modulus(&self) -> Option<Vec<u8>> {
        match &self.key {
            Key::Other(key) => key.rsa().ok().map(|key| key.n().to_vec()),
            Key::P256 => None,
        }
    }

    /// For people: `P-256`, `RSA 2048 bits`.
    pub(crate) fn describe(&self) -> String {
        match (&self.key, self.algorithm.own_oid()) {
            (Key::P256, _) => "P-256".to_owned(),
            (Key::Other(_), Some(name)) => oid::name(name),
            (Key::Other(key), None) => super::describe(key),
        }
    }
}

fn check<T: HasPublic>(
    key: &PKeyRef<T>,
    algorithm: Algorithm,
    bits: &[u8],
) -> Result<(), KeyError> {
    match key.id() {
        Id::EC => {
            // the point lies on the curve and is not the point at infinity
            let key = key.ec_key().map_err(|_| KeyError::Type)?;
            key.check_key().map_err(|_| KeyError::Damaged)
        }
        Id::RSA => check_rsa(&*key.rsa().map_err(|_| KeyError::Type)?),
        Id::ED25519 => edwards::check(bits),
        // OpenSSL has looked at their length, and any such bytes are a key
        _ if matches!(
            algorithm,
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87
        ) =>
        {
            Ok(())
        }
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
    if !odd || key.e().num_bits() < 17 || exponent.len() > 8 {
        return Err(KeyError::RsaExponent);
    }
    weak::check(key.n())
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;

    use super::*;
    use crate::keys::KeyKind;

    #[test]
    fn other_keys_are_not_certified() {
        let of = |key: &PKeyRef<Private>| PublicKey::of(key).map(|key| key.algorithm());
        let p521 = EcGroup::from_curve_name(Nid::SECP521R1).unwrap();
        let p521 = PKey::from_ec_key(EcKey::generate(&p521).unwrap()).unwrap();
        assert_eq!(of(&p521), Err(KeyError::Type));
        assert_eq!(of(&PKey::generate_ed448().unwrap()), Err(KeyError::Type));
        let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        assert_eq!(of(&small), Err(KeyError::RsaSize { actual: 1024 }));
        let three = openssl::bn::BigNum::from_u32(3).unwrap();
        let lax = PKey::from_rsa(Rsa::generate_with_e(2048, &three).unwrap()).unwrap();
        assert_eq!(of(&lax), Err(KeyError::RsaExponent));
        assert_eq!(
            of(&KeyKind::Ed25519.generate().unwrap()),
            Ok(Algorithm::Ed25519)
        );
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let key = KeyKind::P256.generate().unwrap();
        let mut spki = key.public_key_to_der().unwrap();
        assert!(PublicKey::from_spki(&spki).is_ok());
        *spki.last_mut().unwrap() ^= 1;
        assert_eq!(
            PublicKey::from_spki(&spki).map(drop),
            Err(KeyError::Damaged)
        );
        assert_eq!(PublicKey::from_spki(&[]).map(drop), Err(KeyError::Damaged));
    }
}
