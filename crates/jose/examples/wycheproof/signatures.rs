//! Bare signatures: RSA by both backends, ECDSA and Ed25519 by OpenSSL.
//!
//! A key that JOSE takes is read as a [`Jwk`], and the signature goes through the function that tokens go through. What JOSE does not take
//! (an exponent of 3, a salt of another length) goes to the arithmetic below it: `stampmill-rsa`, and OpenSSL beside it.

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Backend, Jwk, SigningKey, base64url};
use stampmill_rsa::{Hash, MAX_BITS, PrivateKey, Pss, PublicKey, Scheme};

use crate::suite::{Ready, Skip, Verifiers};

/// RSASSA-PKCS1-v1_5 verification.
pub(crate) fn pkcs1_verify(group: &Value) -> Result<Verifiers, Skip> {
    rsa_verify(group, Scheme::Pkcs1v15(hash(group, "sha")?))
}

/// RSASSA-PSS verification with the group's hashes and length of salt.
pub(crate) fn pss_verify(group: &Value) -> Result<Verifiers, Skip> {
    if group["mgf"] != "MGF1" {
        return Err(format!(
            "the mask function {} is not implemented",
            group["mgf"]
        ));
    }
    let salt = group["sLen"]
        .as_u64()
        .and_then(|salt| usize::try_from(salt).ok());
    let pss = Pss::new(hash(group, "sha")?)
        .with_mgf_hash(hash(group, "mgfSha")?)
        .with_salt_len(salt.ok_or("no length of salt")?)
        .map_err(|error| error.to_string())?;
    rsa_verify(group, Scheme::Pss(pss))
}

fn rsa_verify(group: &Value, scheme: Scheme) -> Result<Verifiers, Skip> {
    let key = &group["publicKey"];
    let (n, e) = (number(key, "modulus")?, number(key, "publicExponent")?);
    let jwk = json!({"kty": "RSA", "n": base64url::encode(&n), "e": base64url::encode(&e)});
    if let (Some(algorithm), Ok(jwk)) = (
        jose_name(scheme),
        Jwk::from_json(jwk.to_string().as_bytes()),
    ) {
        return Ok(by_every_backend(&jwk, algorithm, 8 * n.len()));
    }
    let ours = PublicKey::new(&n, &e).map_err(|error| format!("our policy: {error}"))?;
    let openssl = openssl_public(&n, &e).map_err(|error| error.to_string())?;
    Ok(vec![
        (
            "stampmill-rsa",
            asked(move |test| {
                let (message, signature) = message_and_signature(test)?;
                ours.verify(scheme, &message, &signature)
                    .map_err(|error| error.to_string())
            }),
        ),
        (
            "openssl",
            asked(move |test| {
                let (message, signature) = message_and_signature(test)?;
                openssl_verifies(&openssl, scheme, &message, &signature)
            }),
        ),
    ])
}

/// RSASSA-PKCS1-v1_5 signatures, which must come out as printed.
pub(crate) fn pkcs1_generate(group: &Value) -> Result<Verifiers, Skip> {
    let hash = hash(group, "sha")?;
    let der = bytes(group, "privateKeyPkcs8")?;
    let openssl = PKey::private_key_from_pkcs8(&der).map_err(|error| error.to_string())?;
    let pem = openssl
        .private_key_to_pem_pkcs8()
        .map_err(|error| error.to_string())?;
    let mut signers: Verifiers = Vec::new();
    let scheme = Scheme::Pkcs1v15(hash);
    if let (Some(algorithm), Ok(key)) = (jose_name(scheme), SigningKey::from_pkcs8_pem(&pem)) {
        let key = key
            .with_algorithm(algorithm)
            .map_err(|error| error.to_string())?;
        let public = key.public_jwk();
        signers.push(("jose by openssl", signs(move |message| key.sign(message))));
        let bits = public.rsa_numbers().map_or(0, |(n, _)| 8 * n.len());
        let key = SigningKey::from_pkcs8_pem(&pem).and_then(|key| {
            Ok(key
                .with_algorithm(algorithm)?
                .with_backend(Backend::Stampmill)?)
        });
        let ready = match key {
            Ok(key) => signs(move |message| key.sign(message)),
            Err(why) => refused(Backend::Stampmill, bits, &why),
        };
        signers.push(("jose by stampmill", ready));
        return Ok(signers);
    }
    let ours = PrivateKey::from_pkcs8_der(&der).map_err(|error| format!("our policy: {error}"))?;
    signers.push((
        "stampmill-rsa",
        signs(move |message| ours.sign(scheme, message)),
    ));
    signers.push((
        "openssl",
        signs(move |message| openssl_signs(&openssl, hash, message)),
    ));
    Ok(signers)
}

fn signs<E: ToString>(sign: impl Fn(&[u8]) -> Result<Vec<u8>, E> + 'static) -> Ready {
    asked(move |test| {
        let (message, expected) = message_and_signature(test)?;
        match sign(&message) {
            Ok(signature) if signature == expected => Ok(()),
            Ok(_) => Err("another signature comes out".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
}

/// ECDSA with signatures in DER, as X.509 and TLS have them: OpenSSL reads the DER, and JOSE gets R and S.
pub(crate) fn ecdsa_der_verify(group: &Value) -> Result<Verifiers, Skip> {
    let (algorithm, half, jwk) = ec_key(group)?;
    Ok(vec![(
        "jose by openssl",
        asked(move |test| {
            let (message, der) = message_and_signature(test)?;
            let raw = raw_signature(&der, half)?;
            jwk.verify(algorithm, &message, &raw)
                .map_err(|error| error.to_string())
        }),
    )])
}

/// R and S at full length, if `der` is their only spelling.
fn raw_signature(der: &[u8], half: i32) -> Result<Vec<u8>, String> {
    let refuse = |error: openssl::error::ErrorStack| error.to_string();
    let signature = EcdsaSig::from_der(der).map_err(refuse)?;
    if signature.to_der().map_err(refuse)? != der {
        return Err("not DER".to_owned());
    }
    let mut raw = Vec::new();
    for number in [signature.r(), signature.s()] {
        if number.is_negative() {
            return Err("a negative number".to_owned());
        }
        raw.extend(number.to_vec_padded(half).map_err(refuse)?);
    }
    Ok(raw)
}

/// ECDSA with R and S one behind the other (IEEE P1363), as JOSE has them.
pub(crate) fn ecdsa_raw_verify(group: &Value) -> Result<Verifiers, Skip> {
    let (algorithm, _, jwk) = ec_key(group)?;
    Ok(vec![("jose by openssl", verifies(jwk, algorithm))])
}

/// Algorithm, octets of a coordinate, and key.
fn ec_key(group: &Value) -> Result<(Algorithm, i32, Jwk), Skip> {
    let curve = group["publicKey"]["curve"].as_str().unwrap_or("");
    let sha = group["sha"].as_str().unwrap_or("");
    let (algorithm, name, half) = match (curve, sha) {
        ("secp256r1", "SHA-256") => (Algorithm::Es256, "P-256", 32),
        ("secp384r1", "SHA-384") => (Algorithm::Es384, "P-384", 48),
        ("secp521r1", "SHA-512") => (Algorithm::Es512, "P-521", 66),
        _ => return Err(format!("ECDSA on {curve} with {sha} is not implemented")),
    };
    let point = bytes(&group["publicKey"], "uncompressed")?;
    let (x, y) = point
        .get(1..)
        .ok_or("no public key")?
        .split_at(point.len() / 2);
    let jwk =
        json!({"kty": "EC", "crv": name, "x": base64url::encode(x), "y": base64url::encode(y)});
    let jwk = Jwk::from_json(jwk.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok((algorithm, half, jwk))
}

/// Ed25519.
pub(crate) fn eddsa_verify(group: &Value) -> Result<Verifiers, Skip> {
    let key = &group["publicKey"];
    if key["curve"] != "edwards25519" {
        return Err(format!("the curve {} is not implemented", key["curve"]));
    }
    let x = base64url::encode(bytes(key, "pk")?);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    let jwk = Jwk::from_json(jwk.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok(vec![("jose by openssl", verifies(jwk, Algorithm::Ed25519))])
}

fn by_every_backend(jwk: &Jwk, algorithm: Algorithm, bits: usize) -> Verifiers {
    let by = |&backend: &Backend| {
        let name = match backend {
            Backend::OpenSsl => "jose by openssl",
            _ => "jose by stampmill",
        };
        let ready = match jwk.clone().with_backend(backend) {
            Ok(jwk) => verifies(jwk, algorithm),
            Err(why) => refused(backend, bits, &why),
        };
        (name, ready)
    };
    Backend::ALL.iter().map(by).collect()
}

/// A key that JOSE takes, and a backend of it does not.
pub(crate) fn refused(backend: Backend, bits: usize, why: &impl ToString) -> Ready {
    match backend {
        Backend::Stampmill if bits > MAX_BITS => Ready::BeyondLimits(why.to_string()),
        _ => Ready::Refuses(why.to_string()),
    }
}

pub(crate) fn asked(check: impl Fn(&Value) -> Result<(), String> + 'static) -> Ready {
    Ready::Asked(Box::new(check))
}

fn verifies(jwk: Jwk, algorithm: Algorithm) -> Ready {
    asked(move |test| {
        let (message, signature) = message_and_signature(test)?;
        jwk.verify(algorithm, &message, &signature)
            .map_err(|error| error.to_string())
    })
}

/// What JOSE calls the scheme, if it has a name for it.
fn jose_name(scheme: Scheme) -> Option<Algorithm> {
    [
        (Scheme::RS256, Algorithm::Rs256),
        (Scheme::RS384, Algorithm::Rs384),
        (Scheme::RS512, Algorithm::Rs512),
        (Scheme::PS256, Algorithm::Ps256),
        (Scheme::PS384, Algorithm::Ps384),
        (Scheme::PS512, Algorithm::Ps512),
    ]
    .into_iter()
    .find(|(named, _)| *named == scheme)
    .map(|(_, algorithm)| algorithm)
}

fn hash(group: &Value, member: &str) -> Result<Hash, Skip> {
    let name = group[member].as_str().unwrap_or("");
    Hash::ALL
        .into_iter()
        .find(|hash| hash.name() == name)
        .ok_or_else(|| format!("the hash function {name} is not implemented"))
}

fn openssl_public(n: &[u8], e: &[u8]) -> Result<PKey<Public>, openssl::error::ErrorStack> {
    let (n, e) = (BigNum::from_slice(n)?, BigNum::from_slice(e)?);
    PKey::from_rsa(Rsa::from_public_components(n, e)?)
}

fn openssl_verifies(
    key: &PKey<Public>,
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let verify = || match scheme {
        Scheme::Pkcs1v15(hash) => {
            Verifier::new(digest(hash), key)?.verify_oneshot(signature, message)
        }
        Scheme::Pss(pss) => {
            let mut verifier = Verifier::new(digest(pss.hash()), key)?;
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_mgf1_md(digest(pss.mgf_hash()))?;
            let salt = i32::try_from(pss.salt_len()).unwrap_or(i32::MAX);
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::custom(salt))?;
            verifier.verify_oneshot(signature, message)
        }
    };
    match verify() {
        Ok(true) => Ok(()),
        Ok(false) => Err("does not verify".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn openssl_signs(
    key: &PKey<Private>,
    hash: Hash,
    message: &[u8],
) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    Signer::new(digest(hash), key)?.sign_oneshot_to_vec(message)
}

fn digest(hash: Hash) -> MessageDigest {
    match hash {
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha384 => MessageDigest::sha384(),
        Hash::Sha512 => MessageDigest::sha512(),
    }
}

fn message_and_signature(test: &Value) -> Result<(Vec<u8>, Vec<u8>), String> {
    Ok((bytes(test, "msg")?, bytes(test, "sig")?))
}

/// A number without leading zero octets.
fn number(object: &Value, member: &str) -> Result<Vec<u8>, String> {
    let bytes = bytes(object, member)?;
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}

/// Bytes in hexadecimal digits.
fn bytes(object: &Value, member: &str) -> Result<Vec<u8>, String> {
    let malformed = || format!("`{member}` is not in hexadecimal digits");
    let text = object[member].as_str().ok_or_else(malformed)?;
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits
        .filter(|digits| digits.len() % 2 == 0)
        .ok_or_else(malformed)?;
    let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).unwrap_or_default();
    Ok(digits.chunks_exact(2).map(byte).collect())
}
