//! Keys whose private half everybody can have: those printed in RFCs, which programs ship by mistake, and the first few multiples of a
//! curve's generator, whose private keys are 1, 2, 3 ... (Baseline Requirements §6.1.1.3: keys that a proven method finds).

use std::sync::OnceLock;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;

use super::KeyError;
use super::policy::Algorithm;
use crate::digest::sha256;

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

/// The first 64 bits of x of G, 2G, 3G ... on P-256, most significant first. It would take longer to compute them than to sign a certificate,
/// and they suffice: of 2^58 other keys one begins like one of these.
#[rustfmt::skip]
const P256_MULTIPLES: [u64; MULTIPLES as usize] = [
    0x6b17_d1f2_e12c_4247, 0x7cf2_7b18_8d03_4f7e, 0x5ecb_e4d1_a633_0a44, 0xe253_4a35_32d0_8fbb,
    0x5159_0b7a_5151_40d2, 0xb01a_172a_76a4_602c, 0x8e53_3b6f_a0bf_7b46, 0x62d9_779d_bee9_b053,
    0xea68_d7b6_fedf_0b71, 0xcef6_6d6b_2a3a_993e, 0x3ed1_13b7_883b_4c59, 0x741d_d5bd_a817_d95e,
    0x177c_837a_e0ac_495a, 0x54e7_7a00_1c38_62b9, 0xf045_4dc6_971a_bae7, 0x76a9_4d13_8a6b_4185,
    0x4777_6904_c0f1_cc3a, 0x1057_e0ab_5780_f470, 0xcb6d_2861_102c_0c25, 0x83a0_1a93_7839_5bab,
    0x3250_fcf6_8663_7c7b, 0xc0dd_241a_50d4_8f99, 0x0e91_c723_9c26_40d7, 0xdb47_4918_ec62_ad7e,
    0x3a67_e255_4b0c_0bb6, 0xf575_7c01_2185_a599, 0x184f_fa58_19d8_0d51, 0x38d8_6fa5_5b4f_d158,
    0xd6d3_3ade_fa19_5b07, 0x409f_8da2_1aea_236a, 0x301d_9e50_2dc7_e05d, 0x2377_c7d6_90a2_42ca,
    0x9807_d699_fcd8_1356, 0x2f9e_6ebf_717d_ef11, 0xd58d_4a58_9ed2_7d16, 0xda5b_d2d1_11c3_731d,
    0x419a_6a64_6ddb_817d, 0x9715_81bd_d135_6ea1, 0x22a6_82f7_c399_6d4d, 0xbea0_1e7d_aad4_6131,
    0x67a6_bec2_40de_e065, 0x6780_c5fc_7027_5e2c, 0x986a_e250_6f1f_f104, 0x4756_686a_0d7e_11cb,
    0xa891_d066_70bd_e99b, 0xb1bb_852c_fea7_01fc, 0x42c3_15cc_4895_8708, 0x9482_fb0e_4925_39ec,
    0xf785_b0e0_9806_8875, 0xba68_21cb_a9ba_b3ba, 0x672c_4a51_4d9d_e43e, 0x194e_35c4_ec2f_25ef,
    0x6f01_bd49_c9d9_5245, 0x6fc0_cd21_31b9_eb05, 0x079d_ba7b_a068_c926, 0x6f9a_14fb_bcf2_815a,
    0xc116_e30e_bb4d_2865, 0xec24_7d21_6208_539a, 0x665f_1a6f_fe0c_6437, 0x05da_e8c2_c5a5_afba,
    0x059c_cb19_edd3_da9a, 0x571c_05c8_4021_edce, 0x6a95_01d8_5bf5_dc80, 0x0a06_43fb_8fcc_14de,
];

/// Refuses a key that anybody can have.
pub(super) fn check(algorithm: Algorithm, spki: &[u8], bits: &[u8]) -> Result<(), KeyError> {
    let digest = sha256(spki);
    if let Some((_, reason)) = PRINTED.iter().find(|(known, _)| **known == digest) {
        return Err(KeyError::Weak { reason });
    }
    // 04, x, y: k and -k share x
    let x = bits.get(1..1 + bits.len() / 2).unwrap_or_default();
    let known = match (algorithm, x.first_chunk()) {
        (Algorithm::P256, Some(first)) => P256_MULTIPLES.contains(&u64::from_be_bytes(*first)),
        (Algorithm::P384, _) => multiples_of_p384().iter().any(|known| known == x),
        _ => false,
    };
    match known {
        true => Err(KeyError::Weak {
            reason: "its private key is a number below 65, or such a number below zero",
        }),
        false => Ok(()),
    }
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
    fn the_table_is_what_openssl_computes() {
        let computed = multiples(Nid::X9_62_PRIME256V1).unwrap();
        assert_eq!(computed.len(), P256_MULTIPLES.len());
        for (x, first) in computed.iter().zip(P256_MULTIPLES) {
            assert_eq!(x[..8], first.to_be_bytes());
        }
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
