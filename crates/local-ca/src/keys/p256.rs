//! P-256 key files, read and written without OpenSSL's decoders and encoders.
//!
//! OpenSSL 3 finds out what a key file is by asking each of its decoders, and setting these out takes it longer than ten signatures. A program
//! that issues one certificate and ends would spend most of its time on that. The kind of key that is made unless told otherwise has one form,
//! and so is looked for first; every other goes to OpenSSL.
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

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcKey, EcKeyRef, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use zeroize::Zeroizing;

use super::policy;
use crate::der::{self, NotDer, write};

/// `[1]`, constructed: `publicKey`.
const CONTEXT_1: u8 = 0xa1;
const SCALAR_BYTES: usize = 32;
/// Not compressed (SEC 1 §2.3.3): `04`, then both coordinates.
const POINT_BYTES: usize = 65;

/// The key, if the bytes are one in exactly the form above, its two halves belonging together.
pub(super) fn read(pkcs8: &[u8]) -> Option<EcKey<Private>> {
    let (scalar, point) = parts(pkcs8).ok()?;
    key(scalar, point).ok()
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

fn key(scalar: &[u8], point: &[u8]) -> Result<EcKey<Private>, ErrorStack> {
    let group = policy::p256_group()?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(group, point, &mut context)?;
    let mut number = BigNum::from_slice(scalar)?;
    number.set_const_time();
    let key = EcKey::from_private_components(group, &number, &point);
    number.clear();
    let key = key?;
    // that the point is the number's: otherwise signatures would give the number away
    key.check_key()?;
    Ok(key)
}

/// The same form, byte for byte what OpenSSL writes.
pub(super) fn write(key: &EcKeyRef<Private>) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let padded = i32::try_from(SCALAR_BYTES).expect("32 is a small number");
    let scalar = Zeroizing::new(key.private_key().to_vec_padded(padded)?);
    let mut context = BigNumContext::new()?;
    let form = PointConversionForm::UNCOMPRESSED;
    let point = key.public_key().to_bytes(key.group(), form, &mut context)?;
    let inner = Zeroizing::new(write::sequence([
        Zeroizing::new(write::integer(1)),
        Zeroizing::new(write::octet_string(&scalar)),
        Zeroizing::new(write::context(1, [write::bit_string(&point)])),
    ]));
    let info = write::sequence([
        Zeroizing::new(write::integer(0)),
        Zeroizing::new(policy::P256_ALGORITHM.to_vec()),
        Zeroizing::new(write::octet_string(&inner)),
    ]);
    Ok(Zeroizing::new(info))
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;
    use crate::keys::KeyKind;

    #[test]
    fn the_bytes_are_openssls_both_ways() {
        for _ in 0..50 {
            let made = KeyKind::P256.generate().unwrap();
            let theirs = made.private_key_to_pkcs8().unwrap();
            let key = read(&theirs).unwrap();
            assert_eq!(*write(&key).unwrap(), theirs);
            assert!(PKey::from_ec_key(key).unwrap().public_eq(&made));
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
        assert!(read(&form(PointConversionForm::UNCOMPRESSED)).is_some());
        for other in [PointConversionForm::COMPRESSED, PointConversionForm::HYBRID] {
            let der = form(other);
            assert!(read(&der).is_none());
            let theirs = PKey::private_key_from_pkcs8(&der).unwrap();
            assert!(theirs.public_eq(&made));
        }
    }

    #[test]
    fn a_scalar_with_leading_zeros_keeps_its_length() {
        let group = policy::p256_group().unwrap();
        let number = BigNum::from_u32(1000).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let mut point = EcPoint::new(group).unwrap();
        point.mul_generator2(group, &number, &mut context).unwrap();
        let key = EcKey::from_private_components(group, &number, &point).unwrap();
        let ours = write(&key).unwrap();
        let theirs = PKey::from_ec_key(key)
            .unwrap()
            .private_key_to_pkcs8()
            .unwrap();
        assert_eq!(*ours, theirs);
        assert_eq!(*read(&ours).unwrap().private_key(), number);
    }

    #[test]
    fn whatever_is_otherwise_goes_to_openssl() {
        let good = KeyKind::P256
            .generate()
            .unwrap()
            .private_key_to_pkcs8()
            .unwrap();
        assert!(read(&good).is_some());
        // each byte, the last one of the scalar and the point among them: no key is read that is not the same key
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(&bad).is_none(), "byte {at}");
            assert!(read(&good[..at]).is_none(), "{at} bytes");
        }
        let behind = [&good[..], &[0]].concat();
        assert!(read(&behind).is_none());
        for kind in [KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519] {
            let other = kind.generate().unwrap().private_key_to_pkcs8().unwrap();
            assert!(read(&other).is_none(), "{kind}");
        }
    }
}
