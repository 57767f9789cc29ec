//! Keys whose private half everybody can have: those printed in RFCs, which programs ship by mistake, and the first few multiples of a
//! curve's generator, whose private keys are 1, 2, 3 ... (Baseline Requirements §6.1.1.3: keys that a proven method finds).

use std::sync::OnceLock;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::sha::sha256;

use super::KeyError;
use super::policy::Algorithm;

/// SHA-256 of the `SubjectPublicKeyInfo`, and where the private key is printed.
const PRINTED: &[(&[u8; 32], &str)] = &[
    (
        b"\x5a\x7a\x78\xcc\xa4\xa0\xf4\x20\xd9\xbc\x62\xbb\x66\x9c\x3c\x27\x59\xe3\x9f\x72\x3d\x3a\xe1\x0d\xcb\xe0\xf0\x81\x5a\x07\xec\xd4",
        "its private key is printed in RFC 6979 A.2.5",
    ),
    (
        b"\x2f\x95\x60\x1f\xa8\x20\x60\xb9\x09\xbf\xc6\xb9\x79\xdb\xd3\x03\xd3\x4d\x34\xe0\xaf\xb2\x7e\xa4\x96\xbe\xac\x36\x2f\x24\x2a\x4b",
        "its private key is printed in RFC 6979 A.2.6",
    ),
    (
        b"\x6f\xd1\x3c\x24\x35\xa3\x61\xe7\xc5\x88\xcd\x17\xf5\x5f\x5a\xd3\xdf\x01\x77\xa6\x6c\x17\x27\xa6\xa2\x00\x84\x5f\x4d\x7a\xb8\x8c",
        "its private key is printed in RFC 7515 A.2",
    ),
    (
        b"\x2b\xd1\xbb\x0c\x44\xa8\x97\xc3\x0a\x7a\xa0\x99\x1c\xde\x38\xd8\x06\x2f\xe4\x41\xde\x50\xda\x0f\x46\x82\x53\x44\xf6\x02\xe8\x27",
        "its private key is printed in RFC 7515 A.3",
    ),
    (
        b"\xad\x32\x32\x0c\xf6\xc5\x96\xd8\x84\xb0\x53\x81\xba\x57\x3a\xba\x8d\xdd\x57\x49\xb4\xde\x8f\x4a\x23\xa7\x9f\x9a\x89\xdd\xae\xb2",
        "its private key is printed in RFC 7517 A.2",
    ),
    (
        b"\x06\xe3\xfd\x8f\xda\x29\xbb\x60\xab\x59\x55\x7d\xe6\x1e\xdb\x0a\xec\xdb\x23\x11\x34\xbe\x30\xe7\x5b\x45\x5f\x8e\x1b\x79\x2f\xa9",
        "its private key is printed in RFC 8032 §7.1",
    ),
];

/// How many multiples of the generator are looked at.
const MULTIPLES: u32 = 64;

/// Refuses a key that anybody can have.
pub(super) fn check(algorithm: Algorithm, spki: &[u8], bits: &[u8]) -> Result<(), KeyError> {
    let digest = sha256(spki);
    if let Some((_, reason)) = PRINTED.iter().find(|(known, _)| **known == digest) {
        return Err(KeyError::Weak { reason });
    }
    let curve = match algorithm {
        Algorithm::P256 => multiples_of_p256(),
        Algorithm::P384 => multiples_of_p384(),
        _ => return Ok(()),
    };
    // 04, x, y: k and -k share x
    let x = bits.get(1..1 + bits.len() / 2).unwrap_or_default();
    match curve.iter().any(|known| known == x) {
        true => Err(KeyError::Weak {
            reason: "its private key is a number below 65, or such a number below zero",
        }),
        false => Ok(()),
    }
}

fn multiples_of_p256() -> &'static [Vec<u8>] {
    static KNOWN: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    KNOWN.get_or_init(|| multiples(Nid::X9_62_PRIME256V1).unwrap_or_default())
}

fn multiples_of_p384() -> &'static [Vec<u8>] {
    static KNOWN: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    KNOWN.get_or_init(|| multiples(Nid::SECP384R1).unwrap_or_default())
}

/// x of G, 2G, 3G ...
fn multiples(curve: Nid) -> Result<Vec<Vec<u8>>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let mut known = Vec::new();
    for k in 1..=MULTIPLES {
        let mut point = EcPoint::new(&group)?;
        point.mul_generator2(&group, &*BigNum::from_u32(k)?, &mut context)?;
        let bytes = point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)?;
        known.push(bytes[1..=bytes.len() / 2].to_vec());
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use openssl::ec::EcKey;
    use openssl::pkey::{Id, PKey, PKeyRef, Private};

    use super::*;
    use crate::keys::{KeyKind, PublicKey};

    fn refused(key: &PKeyRef<Private>) -> String {
        PublicKey::of(key).map(drop).unwrap_err().to_string()
    }

    fn with_private(curve: Nid, private: &str) -> PKey<Private> {
        let group = EcGroup::from_curve_name(curve).unwrap();
        let private = BigNum::from_hex_str(private).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let mut point = EcPoint::new(&group).unwrap();
        point
            .mul_generator2(&group, &private, &mut context)
            .unwrap();
        let key = EcKey::from_private_components(&group, &private, &point).unwrap();
        PKey::from_ec_key(key).unwrap()
    }

    #[test]
    fn keys_that_everybody_has_are_refused() {
        let p256 = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
        assert!(refused(&with_private(Nid::X9_62_PRIME256V1, p256)).contains("RFC 6979 A.2.5"));
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed = BigNum::from_hex_str(seed).unwrap().to_vec();
        let edwards = PKey::private_key_from_raw_bytes(&seed, Id::ED25519).unwrap();
        assert!(refused(&edwards).contains("RFC 8032"));
        for curve in [Nid::X9_62_PRIME256V1, Nid::SECP384R1] {
            for private in ["1", "2", "40"] {
                assert!(refused(&with_private(curve, private)).contains("below 65"));
            }
            assert!(PublicKey::of(&with_private(curve, "41")).is_ok());
        }
        // n - 1, whose point is the generator's mirror image
        let minus_one = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550";
        assert!(refused(&with_private(Nid::X9_62_PRIME256V1, minus_one)).contains("below zero"));
        assert!(PublicKey::of(&KeyKind::P256.generate().unwrap()).is_ok());
    }
}
