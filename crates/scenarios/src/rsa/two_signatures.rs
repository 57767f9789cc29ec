//! `rsa_two_signatures`, attack 34: two signatures give the public key away, so keeping it to oneself protects nothing. What it was
//! hidden for is a verifier that lets the token choose between RS256 and HS256; the defence is one that does not.

use anyhow::Context as _;
use num_bigint::BigUint;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::json;
use stampmill_jose::{Expectations, Jwks, SigningKey, base64url, inspect, verify_jwt};
use stampmill_rsa::{PrivateKey, PublicKey};

use super::{Key, bytes, encoded, ends, greatest_common_divisor};
use crate::stage::Stage;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
const NOW: i64 = 1_800_000_000;

pub(crate) fn two_signatures(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let key = Key::generate(3)?;
    let recovered = recover(stage, &key)?;
    confusion(stage, &key, &recovered)?;
    fixed_algorithm(stage)
}

/// The modulus from two tokens.
fn recover(stage: &mut Stage<'_>, key: &Key) -> anyhow::Result<BigUint> {
    stage.note("A service signs with RS256 and does not publish its key. Mallory has two of its tokens, and guesses e = 3.");
    let signer = PrivateKey::from_pkcs1_der(&key.to_openssl()?.private_key_to_der()?)?;
    let mut multiples = Vec::new();
    for subject in ["alice", "bob"] {
        let text = signing_input("RS256", subject);
        let signature = signer.sign_pkcs1v15_sha256(text.as_bytes())?;
        stage.compute(
            format_args!("s of {subject}'s token"),
            &[],
            ends(&signature),
        );
        // Over the integers, nothing reduced: s^e - EM = k·n for some k.
        let power = BigUint::from_bytes_be(&signature).pow(3);
        multiples.push(power - BigUint::from_bytes_be(&encoded(text.as_bytes())));
    }
    stage.heading("What two multiples of n have in common");
    stage.note(
        "s^e = EM modulo n, so s^e - EM is a multiple of n, and EM is computed from the token's text. Two such multiples have n in common and \
         hardly anything else; a small factor that is left is divided off.",
    );
    let [first, second] = &multiples[..] else {
        anyhow::bail!("there are two tokens");
    };
    stage.compute(
        "bits of each s^3 - EM",
        &[],
        format_args!("{}, {}", first.bits(), second.bits()),
    );
    let common = greatest_common_divisor(first.clone(), second.clone());
    let n = without_small_factors(common);
    stage.compute("gcd, which is n", &[], ends(&bytes(&n)));
    if stage.check("it is the service's n", true, n == key.n) {
        stage.succeeded("attack 34: the public key from two signatures");
    }
    stage.note(
        "With e = 65537 the same numbers have 134 million bits, and Euclid's algorithm as it stands here is far too slow for them; faster ones \
         exist. There is no defence, and no need of one: a public key is public.",
    );
    Ok(n)
}

/// Two random multiples share a factor beyond n now and then; it is small, and n, of two large primes, has none.
fn without_small_factors(mut number: BigUint) -> BigUint {
    for factor in 2_u32..100_000 {
        while number.bits() > 2048 && &number % factor == BigUint::ZERO {
            number /= factor;
        }
    }
    number
}

/// What Mallory does with it where the token's header decides how it is verified.
fn confusion(stage: &mut Stage<'_>, key: &Key, n: &BigUint) -> anyhow::Result<()> {
    stage.heading("A verifier that asks the token how to verify it");
    let pem = pem(n, &key.e)?;
    stage.note(
        "It has one key, the public key in PEM, and uses it as the header says: for RS256 as an RSA key, for HS256 as the secret of an \
         HMAC. Mallory has the same PEM now.",
    );
    let token = hs256(&pem, "admin")?;
    let header = inspect(&token).header.json.unwrap_or_default();
    stage.listing("header of Mallory's token", header);
    let service_pem = self::pem(&key.n, &key.e)?;
    if stage.check(
        "it accepts Mallory's token for admin",
        true,
        asks_the_token(&service_pem, &token)?,
    ) {
        stage.succeeded("HS256 with the public key that was never published");
    }
    Ok(())
}

/// The defence, with a key as one would have it today.
fn fixed_algorithm(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("A verifier whose key knows its algorithm");
    let key = SigningKey::generate_rsa(2048)?;
    let keys = Jwks::new(vec![key.public_jwk()]);
    let numbers = keys.keys()[0].rsa_numbers();
    let (n, e) = numbers.context("an RSA key was made")?;
    let (n, e) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
    let expect = Expectations::access_token(ISSUER, AUDIENCE);
    let honest = key.sign_jwt("at+jwt", &claims("alice"))?;
    stage.check(
        "a token of the service",
        true,
        verify_jwt(&honest, &keys, &expect, NOW).is_ok(),
    );
    match verify_jwt(&hs256(&pem(&n, &e)?, "admin")?, &keys, &expect, NOW) {
        Err(error) => stage.blocked("HS256 with the public key", &error, error.rule().1),
        Ok(_) => {
            stage.check("Mallory's token is refused", true, false);
        }
    }
    Ok(())
}

fn claims(subject: &str) -> serde_json::Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "client_id": "web", "jti": subject, "iat": NOW - 60, "exp": NOW + 600,
    })
}

fn signing_input(algorithm: &str, subject: &str) -> String {
    let header = json!({ "alg": algorithm, "typ": "at+jwt" });
    let [header, claims] =
        [header, claims(subject)].map(|part| base64url::encode(part.to_string()));
    format!("{header}.{claims}")
}

fn hs256(secret: &[u8], subject: &str) -> anyhow::Result<String> {
    let text = signing_input("HS256", subject);
    Ok(format!(
        "{text}.{}",
        base64url::encode(hmac(secret, &text)?)
    ))
}

fn hmac(secret: &[u8], text: &str) -> anyhow::Result<Vec<u8>> {
    let secret = PKey::hmac(secret)?;
    Ok(Signer::new(MessageDigest::sha256(), &secret)?.sign_oneshot_to_vec(text.as_bytes())?)
}

fn pem(n: &BigUint, e: &BigUint) -> anyhow::Result<Vec<u8>> {
    let [n, e] = [n, e].map(|number| BigNum::from_slice(&number.to_bytes_be()));
    Ok(PKey::from_rsa(Rsa::from_public_components(n?, e?)?)?.public_key_to_pem()?)
}

/// The mistake: `alg` comes from the token.
fn asks_the_token(pem: &[u8], token: &str) -> anyhow::Result<bool> {
    let Some((text, signature)) = token.rsplit_once('.') else {
        return Ok(false);
    };
    let signature = base64url::decode(signature)?;
    let header = inspect(token).header.json.unwrap_or_default();
    let header: serde_json::Value = serde_json::from_str(&header)?;
    Ok(match header["alg"].as_str() {
        Some("HS256") => openssl::memcmp::eq(&hmac(pem, text)?, &signature),
        Some("RS256") => {
            let key = PKey::public_key_from_pem(pem)?.rsa()?;
            let key = PublicKey::new(&key.n().to_vec(), &key.e().to_vec())?;
            key.verify_pkcs1v15_sha256(text.as_bytes(), &signature)
                .is_ok()
        }
        _ => false,
    })
}
