//! P-256 without OpenSSL: keys, their files, signatures.
//!
//! OpenSSL 3 sets itself out before it does anything: the decoders that find out what a key file is, all digests and ciphers for the first of
//! each, the random generator on top of these. A program that issues one certificate and ends would spend most of its time on that. ring has
//! nothing to set out, and signs as quickly. So the kind of key that is made unless told otherwise is ring's, in this file and nowhere else;
//! every other kind is OpenSSL's, and so is P-256 in another form or with another digest. Tests hold both against each other.
//!
//! ```text
//!   OneAsymmetricKey (RFC 5958 §2)           SEQUENCE
//!     version 0                                02 01 00
//!     algorithm: ecPublicKey, prime256v1       30 13 06 07 .. 06 08 ..
//!     privateKey                               04 6d
//!       ECPrivateKey (RFC 5915 §3)               SEQUENCE
//!         version 1                                02 01 01
//!         privateKey: 32 bytes                     04 20 ..
//!         publicKey [1]: the point                 a1 44 03 42 00 04 ..
//! ```

use std::sync::OnceLock;

use num_bigint::BigUint;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING as ALGORITHM, EcdsaKeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use super::policy;
use crate::der::{self, NotDer, write};

/// `[1]`, constructed: `publicKey`.
const CONTEXT_1: u8 = 0xa1;
const SCALAR_BYTES: usize = 32;
/// Not compressed (SEC 1 §2.3.3): `04`, then both coordinates.
const POINT_BYTES: usize = 65;

/// A private key. ring does not wipe its own copy when it is dropped, nor the file in which it gives a new one.
pub(crate) struct Key {
    scalar: Zeroizing<[u8; SCALAR_BYTES]>,
    point: [u8; POINT_BYTES],
    pair: EcdsaKeyPair,
    /// Made when somebody asks: a TLS acceptor, PKCS #12.
    openssl: OnceLock<PKey<Private>>,
}

impl Key {
    /// A new one; `None` if the system has no randomness to give.
    pub(super) fn generate() -> Option<Self> {
        let made = EcdsaKeyPair::generate_pkcs8(&ALGORITHM, &SystemRandom::new());
        Self::read(made.ok()?.as_ref())
    }

    /// The key, if the bytes are one in exactly the form above, its two halves belonging together: otherwise signatures would give it away.
    pub(super) fn read(pkcs8: &[u8]) -> Option<Self> {
        let (scalar, point) = parts(pkcs8).ok()?;
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(&ALGORITHM, scalar, point, &random);
        Some(Self {
            scalar: Zeroizing::new(scalar.try_into().ok()?),
            point: point.try_into().ok()?,
            pair: pair.ok()?,
            openssl: OnceLock::new(),
        })
    }

    /// The same form, byte for byte what OpenSSL writes.
    pub(super) fn write(&self) -> Zeroizing<Vec<u8>> {
        let inner = Zeroizing::new(write::sequence([
            Zeroizing::new(write::integer(1)),
            Zeroizing::new(write::octet_string(&*self.scalar)),
            Zeroizing::new(write::context(1, [write::bit_string(&self.point)])),
        ]));
        Zeroizing::new(write::sequence([
            Zeroizing::new(write::integer(0)),
            Zeroizing::new(policy::P256_ALGORITHM.to_vec()),
            Zeroizing::new(write::octet_string(&inner)),
        ]))
    }

    /// The public key's bits.
    pub(super) fn point(&self) -> &[u8; POINT_BYTES] {
        &self.point
    }

    /// `ECDSA-Sig-Value` (RFC 5480 §A) over SHA-256; `None` if the system has no randomness to give.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        signature.ok().map(|signature| signature.as_ref().to_vec())
    }

    pub(super) fn as_openssl(&self) -> &PKey<Private> {
        self.openssl.get_or_init(|| {
            self.to_openssl()
                .expect("what ring takes for a key, OpenSSL does: tests compare")
        })
    }

    fn to_openssl(&self) -> Result<PKey<Private>, ErrorStack> {
        let point = to_openssl(&self.point)?;
        let mut number = BigNum::from_slice(&*self.scalar)?;
        number.set_const_time();
        let key = EcKey::from_private_components(point.group(), &number, point.public_key());
        number.clear();
        PKey::from_ec_key(key?)
    }
}

/// Whether the signature over SHA-256 is by this point.
pub(super) fn verifies(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    key.verify(message, signature).is_ok()
}

/// Whether the bits are a point of the curve, uncompressed as everybody can read it (RFC 5480 §2.2): both coordinates below p, and
/// y² = x³ - 3x + b (SEC 2 §2.4.2).
pub(super) fn is_point(bits: &[u8]) -> bool {
    const P: &[u8] = b"\xff\xff\xff\xff\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    const B: &[u8] = b"\x5a\xc6\x35\xd8\xaa\x3a\x93\xe7\xb3\xeb\xbd\x55\x76\x98\x86\xbc\x65\x1d\x06\xb0\xcc\x53\xb0\xf6\x3b\xce\x3c\x3e\x27\xd2\x60\x4b";
    let [4, coordinates @ ..] = bits else {
        return false;
    };
    if bits.len() != POINT_BYTES {
        return false;
    }
    let (x, y) = coordinates.split_at(SCALAR_BYTES);
    let [x, y, p, b] = [x, y, P, B].map(BigUint::from_bytes_be);
    let (left, right) = (&y * &y + 3_u8 * &x, &x * &x * &x + b);
    x < p && y < p && left % &p == right % p
}

/// A point that [`is_point`], as OpenSSL has it.
pub(super) fn to_openssl(point: &[u8]) -> Result<EcKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, point, &mut context)?;
    EcKey::from_public_key(&group, &point)
}

fn parts(pkcs8: &[u8]) -> Result<(&[u8], &[u8]), NotDer> {
    let mut info = der::only(pkcs8, der::SEQUENCE)?.inside();
    let version = info.expect(der::INTEGER)?.contents;
    let algorithm = info.expect(der::SEQUENCE)?.whole;
    let wrapped = info.expect(der::OCTET_STRING)?.contents;
    info.finish()?;
    let mut inner = der::only(wrapped, der::SEQUENCE)?.inside();
    let inner_version = inner.expect(der::INTEGER)?.contents;
    let scalar = inner.expect(der::OCTET_STRING)?.contents;
    let point = der::only(inner.expect(CONTEXT_1)?.contents, der::BIT_STRING)?.contents;
    inner.finish()?;
    let ours = version == [0]
        && algorithm == policy::P256_ALGORITHM
        && inner_version == [1]
        && scalar.len() == SCALAR_BYTES;
    match (ours, point) {
        (true, [0, point @ ..]) if point.len() == POINT_BYTES && point[0] == 4 => {
            Ok((scalar, point))
        }
        _ => Err(NotDer),
    }
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroupRef, PointConversionForm};
    use openssl::ecdsa::EcdsaSig;

    use super::*;
    use crate::digest::sha256;
    use crate::keys::KeyKind;

    fn group() -> EcGroup {
        EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()
    }

    #[test]
    fn the_bytes_are_openssls_both_ways() {
        for _ in 0..50 {
            let made = KeyKind::P256.generate().unwrap();
            let theirs = made.private_key_to_pkcs8().unwrap();
            let key = Key::read(&theirs).unwrap();
            assert_eq!(*key.write(), theirs);
            assert!(key.as_openssl().public_eq(&made));
            let ours = Key::generate().unwrap();
            let read = PKey::private_key_from_pkcs8(&ours.write()).unwrap();
            read.ec_key().unwrap().check_key().unwrap();
            assert!(read.public_eq(ours.as_openssl()));
            assert_eq!(read.private_key_to_pkcs8().unwrap(), *ours.write());
        }
    }

    #[test]
    fn signatures_are_good_for_openssl_and_openssls_for_us() {
        let key = Key::generate().unwrap();
        let theirs = key.as_openssl().ec_key().unwrap();
        for length in 0..200 {
            let message = vec![7; length];
            let digest = openssl::sha::sha256(&message);
            let signature = key.sign(&message).unwrap();
            let read = EcdsaSig::from_der(&signature).unwrap();
            assert_eq!(read.to_der().unwrap(), signature);
            assert!(read.verify(&digest, &theirs).unwrap());
            let mut signature = EcdsaSig::sign(&digest, &theirs).unwrap().to_der().unwrap();
            assert!(verifies(key.point(), &message, &signature));
            let other = [&message[..], &[7]].concat();
            assert!(!verifies(key.point(), &other, &signature));
            *signature.last_mut().unwrap() ^= 1;
            assert!(!verifies(key.point(), &message, &signature));
        }
        assert_ne!(sha256(b""), sha256(&[7]));
    }

    #[test]
    fn the_points_are_openssls() {
        let group = group();
        let mut context = BigNumContext::new().unwrap();
        let agree = |bits: &[u8], context: &mut BigNumContext| {
            let theirs = EcPoint::from_bytes(&group, bits, context).is_ok();
            assert_eq!(is_point(bits), theirs, "{bits:02x?}");
            theirs
        };
        let point = *Key::generate().unwrap().point();
        assert!(agree(&point, &mut context));
        for bit in 8..8 * POINT_BYTES {
            let mut other = point;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!agree(&other, &mut context));
        }
        // x = 0 has a point, as has x = 5; with p added to x, neither has
        for x in [0, 5] {
            let mut compressed = [0; 33];
            (compressed[0], compressed[32]) = (2, x);
            let found = EcPoint::from_bytes(&group, &compressed, &mut context).unwrap();
            let form = PointConversionForm::UNCOMPRESSED;
            let bits = found.to_bytes(&group, form, &mut context).unwrap();
            assert!(agree(&bits, &mut context));
            let mut beyond = bits.clone();
            let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
            let p = BigUint::parse_bytes(p.as_bytes(), 16).unwrap() + x;
            beyond[1..33].copy_from_slice(&p.to_bytes_be());
            assert!(!agree(&beyond, &mut context));
        }
        assert!(!agree(&[4; POINT_BYTES], &mut context));
        for other in [&point[..64], &[&point[..], &[0]].concat(), &[0], &[]] {
            assert!(!is_point(other));
        }
    }

    #[test]
    fn a_compressed_or_hybrid_point_goes_to_openssl() {
        let made = KeyKind::P256.generate().unwrap();
        let key = made.ec_key().unwrap();
        let scalar = key.private_key().to_vec_padded(32).unwrap();
        let form = |form| {
            let mut context = BigNumContext::new().unwrap();
            let point = key.public_key();
            let point = point.to_bytes(key.group(), form, &mut context).unwrap();
            let inner = write::sequence([
                write::integer(1),
                write::octet_string(&scalar),
                write::context(1, [write::bit_string(&point)]),
            ]);
            write::sequence([
                write::integer(0),
                policy::P256_ALGORITHM.to_vec(),
                write::octet_string(&inner),
            ])
        };
        assert!(Key::read(&form(PointConversionForm::UNCOMPRESSED)).is_some());
        for other in [PointConversionForm::COMPRESSED, PointConversionForm::HYBRID] {
            let der = form(other);
            assert!(Key::read(&der).is_none());
            let theirs = PKey::private_key_from_pkcs8(&der).unwrap();
            assert!(theirs.public_eq(&made));
        }
    }

    fn of(group: &EcGroupRef, scalar: u32) -> PKey<Private> {
        let number = BigNum::from_u32(scalar).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let mut point = EcPoint::new(group).unwrap();
        point.mul_generator2(group, &number, &mut context).unwrap();
        let key = EcKey::from_private_components(group, &number, &point).unwrap();
        PKey::from_ec_key(key).unwrap()
    }

    #[test]
    fn a_scalar_with_leading_zeros_keeps_its_length() {
        let theirs = of(&group(), 1000).private_key_to_pkcs8().unwrap();
        let ours = Key::read(&theirs).unwrap();
        assert_eq!(*ours.write(), theirs);
        let number = ours.as_openssl().ec_key().unwrap();
        assert_eq!(*number.private_key(), BigNum::from_u32(1000).unwrap());
    }

    #[test]
    fn whatever_is_otherwise_goes_to_openssl() {
        let good = Key::generate().unwrap().write();
        assert!(Key::read(&good).is_some());
        // each byte, the last one of the scalar and the point among them: no key is read that is not the same key
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(Key::read(&bad).is_none(), "byte {at}");
            assert!(Key::read(&good[..at]).is_none(), "{at} bytes");
        }
        let behind = [&good[..], &[0]].concat();
        assert!(Key::read(&behind).is_none());
        for kind in [KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519] {
            let other = kind.generate().unwrap().private_key_to_pkcs8().unwrap();
            assert!(Key::read(&other).is_none(), "{kind}");
        }
    }
}
