//! A JSON Web Key as a certificate has it, to see whether two are one.

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use serde_json::Value;
use stampmill_jose::{Jwk, base64url};

use crate::keys::PublicKey;

/// The key's SubjectPublicKeyInfo, in the one spelling in which requests are read; `None` for a kind that is not certified here.
pub(super) fn of_jwk(jwk: &Jwk) -> Option<Vec<u8>> {
    let members = serde_json::to_value(jwk).ok()?;
    let key = to_openssl(&members)?;
    Some(PublicKey::of(&key).ok()?.spki().to_vec())
}

fn to_openssl(members: &Value) -> Option<PKey<Public>> {
    let bytes = |name: &str| base64url::decode(members.get(name)?.as_str()?).ok();
    let number = |name: &str| BigNum::from_slice(&bytes(name)?).ok();
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    match text("kty")? {
        "RSA" => {
            let key = Rsa::from_public_components(number("n")?, number("e")?).ok()?;
            PKey::from_rsa(key).ok()
        }
        "EC" => {
            let curve = match text("crv")? {
                "P-256" => Nid::X9_62_PRIME256V1,
                "P-384" => Nid::SECP384R1,
                _ => return None,
            };
            let group = EcGroup::from_curve_name(curve).ok()?;
            let (x, y) = (number("x")?, number("y")?);
            let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y).ok()?;
            PKey::from_ec_key(key).ok()
        }
        _ => PKey::public_key_from_raw_bytes(&bytes("x")?, Id::ED25519).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::LeafKey;
    use stampmill_jose::SigningKey;

    #[test]
    fn a_key_has_one_spelling_in_both_worlds() {
        for kind in [
            crate::KeyKind::P256,
            crate::KeyKind::P384,
            crate::KeyKind::Rsa2048,
            crate::KeyKind::Ed25519,
        ] {
            let key = LeafKey::generate(kind).unwrap();
            let jwk = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem())
                .unwrap()
                .public_jwk();
            let expected = PublicKey::of(key.as_openssl()).unwrap();
            assert_eq!(of_jwk(&jwk).unwrap(), expected.spki(), "{kind}");
        }
    }
}
