//! `rsa_lax_padding`, attack 32: with e = 3, whoever parses a signature's content instead of comparing it accepts a cube root
//! (D. Bleichenbacher at CRYPTO 2006, told by H. Finney; CVE-2006-4339 and many since).

use num_bigint::BigUint;
use serde_json::json;
use stampmill_jose::{Jwk, base64url, sha256};

use super::lax_verifier::parses;
use super::{DIGEST_INFO, Key, LENGTH, bytes, encoded, hex};
use crate::stage::Stage;

const FORGED: &[u8] = b"pay 10000 to mallory";

/// The verifier that is fooled, as it runs here.
const SOURCE: &str = include_str!("lax_verifier.rs");

/// The fewest bytes of ff that the standard allows (RFC 8017 §9.2 step 5).
const SHORTEST_FILLING: usize = 8;

pub(crate) fn lax_padding(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let key = Key::generate(3)?;
    let public = key.public()?;
    stage.note(
        "A 2048-bit key with e = 3: checking a signature takes one squaring and one product, which once made it popular. Mallory \
         knows n and e, and no signature at all.",
    );
    stage.heading("What the verifiers want to see in s^3 mod n");
    stage.note("Both have this from the standard: 00 01, then ff until the end is near, 00, DigestInfo, the hash.");
    let encoded = encoded(FORGED);
    stage.compute("EM as it should be", &[], shown(&encoded));

    stage.heading("Mallory takes a cube root");
    let prefix = [
        &[0, 1][..],
        &[0xff; SHORTEST_FILLING],
        &[0],
        &DIGEST_INFO,
        &sha256(FORGED),
    ]
    .concat();
    let free = LENGTH - prefix.len();
    stage.note(format_args!(
        "She leaves out all but {SHORTEST_FILLING} of the ff and is free in the last {free} bytes. The numbers that begin like this are \
         so many that a cube is among them; its root is short, its cube less than n, and so nothing is ever reduced modulo n."
    ));
    let largest = BigUint::from_bytes_be(&[&prefix[..], &vec![0xff; free]].concat());
    let s = largest.cbrt();
    stage.compute("s, the cube root rounded down", &[], format_args!("{s:x}"));
    let cube = bytes(&s.pow(3));
    stage.compute("s^3", &[], shown(&cube));
    stage.check(
        "it begins as it should",
        hex(&prefix),
        hex(&cube[..prefix.len()]),
    );

    stage.heading("A verifier that parses");
    stage.listing(
        "it reads from left to right, and what comes behind the hash it never looks at",
        SOURCE.trim_end(),
    );
    let content = s.modpow(&key.e, &key.n);
    if stage.check(
        "it accepts s",
        true,
        parses(&bytes(&content), &sha256(FORGED)).is_some(),
    ) {
        stage.succeeded("attack 32: a signature without the key");
    }

    stage.heading("A verifier that compares");
    stage.note("Ours builds EM anew from the message and compares all of it; of the signature nothing is parsed.");
    let verdict = public.verify_pkcs1v15_sha256(FORGED, &bytes(&s));
    let refused = verdict.err().map(|error| error.to_string());
    if stage.check("it accepts s", false, refused.is_none()) {
        stage.blocked(
            "attack 32",
            refused.unwrap_or_default(),
            "RFC 8017 §8.2.2 step 4",
        );
    }
    let honest = bytes(&BigUint::from_bytes_be(&encoded).modpow(&key.d, &key.n));
    let accepted = public.verify_pkcs1v15_sha256(FORGED, &honest).is_ok();
    stage.check("it accepts a signature made with the key", true, accepted);
    let jwk = json!({ "kty": "RSA", "alg": "RS256", "n": base64url::encode(bytes(&key.n)), "e": base64url::encode([3]) });
    let refusal = Jwk::from_json(jwk.to_string().as_bytes())
        .err()
        .map(|error| error.to_string());
    stage.check(
        "our reader of key sets takes such a key",
        false,
        refusal.is_none(),
    );
    stage.compute("it says", &[], refusal.unwrap_or_default());
    stage.note(
        "With e = 65537 there is no such root: the power of anything but 0 and 1 is far longer than n. That is a second line of defence; \
         the first one is to compare.",
    );
    Ok(())
}

/// The beginning, where the parts are, and the end.
fn shown(content: &[u8]) -> String {
    format!("{} .. {}", hex(&content[..36]), hex(&content[LENGTH - 6..]))
}
