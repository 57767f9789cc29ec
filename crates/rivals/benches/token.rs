//! RS256 and PS256 tokens end to end, claims to token and back: jsonwebtoken (over aws-lc-rs) and josekit (over OpenSSL) beside our two
//! backends, and eight tokens at once by the one that has lanes.
//!
//! Every side reads every other side's token first. All check signature, issuer, audience and expiry; ours also `typ`, `kid`
//! and the strict form of the JSON.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../benches/interleaved/mod.rs"]
mod interleaved;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use interleaved::Table;
use josekit::jws::{JwsHeader, JwsSigner, JwsVerifier};
use josekit::jwt::{JwtPayload, JwtPayloadValidator};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use stampmill_jose::{
    Backend, BatchLimits, BatchSigner, Expectations, Jwks, SigningKey, base64url, verify_jwt,
    verify_jwts,
};
use stampmill_rsa::PrivateKey;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
const NOW: i64 = 1_800_000_000;
const ROUNDS: usize = 60;
const BLINDING_PERIOD: usize = 32;
const LANES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    jti: String,
    scope: String,
    iat: i64,
    exp: i64,
}

fn main() {
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "248289761001".into(),
        client_id: "s6BhdRkqt3".into(),
        jti: "dbe39bf3a3ba4238a513f51d6e1691c4".into(),
        scope: "openid profile email".into(),
        iat: NOW,
        exp: NOW + 600,
    };
    for scheme in [RS256, PS256] {
        let key = SigningKey::generate_rsa(2048).unwrap();
        let key = key.with_algorithm(scheme.ours).unwrap();
        sign(scheme, &key, &claims);
        verify(scheme, &key, &claims);
    }
}

/// A scheme in everybody's words.
#[derive(Clone, Copy)]
struct Scheme {
    ours: stampmill_jose::Algorithm,
    jsonwebtoken: Algorithm,
    josekit_signer: fn(&josekit::jwk::Jwk) -> Box<dyn JwsSigner>,
    josekit_verifier: fn(&josekit::jwk::Jwk) -> Box<dyn JwsVerifier>,
}

const RS256: Scheme = Scheme {
    ours: stampmill_jose::Algorithm::Rs256,
    jsonwebtoken: Algorithm::RS256,
    josekit_signer: |jwk| Box::new(josekit::jws::RS256.signer_from_jwk(jwk).unwrap()),
    josekit_verifier: |jwk| Box::new(josekit::jws::RS256.verifier_from_jwk(jwk).unwrap()),
};

const PS256: Scheme = Scheme {
    ours: stampmill_jose::Algorithm::Ps256,
    jsonwebtoken: Algorithm::PS256,
    josekit_signer: |jwk| Box::new(josekit::jws::PS256.signer_from_jwk(jwk).unwrap()),
    josekit_verifier: |jwk| Box::new(josekit::jws::PS256.verifier_from_jwk(jwk).unwrap()),
};

fn sign(scheme: Scheme, key: &SigningKey, claims: &Claims) {
    let pem = key.to_pkcs8_pem();
    let jsonwebtoken_key = EncodingKey::from_rsa_pem(&pem).unwrap();
    let header = Header {
        typ: Some("at+jwt".into()),
        kid: Some(key.kid().into()),
        ..Header::new(scheme.jsonwebtoken)
    };
    let jsonwebtoken = || encode(&header, black_box(claims), &jsonwebtoken_key).unwrap();
    // From a PEM file josekit reads PSS keys of another kind alone, id-RSASSA-PSS.
    let josekit_key = PrivateKey::from_pem(&pem).unwrap().to_jwk();
    let josekit_key = josekit::jwk::Jwk::from_bytes(josekit_key.as_bytes()).unwrap();
    let josekit_key = (scheme.josekit_signer)(&josekit_key);
    let mut josekit_header = JwsHeader::new();
    josekit_header.set_token_type("at+jwt");
    josekit_header.set_key_id(key.kid());
    let josekit = || {
        let claims = serde_json::to_value(black_box(claims)).unwrap();
        let claims = JwtPayload::from_map(claims.as_object().unwrap().clone()).unwrap();
        josekit::jwt::encode_with_signer(&claims, &josekit_header, &*josekit_key).unwrap()
    };
    let [openssl, stampmill] = [Backend::OpenSsl, Backend::Stampmill].map(|backend| {
        let key = SigningKey::from_pkcs8_pem(&pem).unwrap();
        let key = key.with_algorithm(scheme.ours).unwrap();
        key.with_backend(backend).unwrap()
    });
    let ours = |key: &SigningKey| key.sign_jwt("at+jwt", black_box(claims)).unwrap();
    let limits = BatchLimits {
        workers: NonZeroUsize::MIN,
        ..BatchLimits::default()
    };
    let signer = BatchSigner::new(limits).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap();
    let eight = || {
        let one = || stampmill.sign_jwt_in_batch(&signer, "at+jwt", black_box(claims));
        let all = async { tokio::join!(one(), one(), one(), one(), one(), one(), one(), one()) };
        let (a, b, c, d, e, f, g, h) = runtime.block_on(all);
        [a, b, c, d, e, f, g, h].map(Result::unwrap)
    };
    let readers = Readers::new(scheme, key);
    let alone = [jsonwebtoken(), josekit(), ours(&openssl), ours(&stampmill)];
    for token in alone.into_iter().chain(eight()) {
        readers.assert_equal(&token, claims);
    }

    Table::new(
        format!("{} sign, claims to token, 2048", scheme.ours),
        ROUNDS,
    )
    .row("jsonwebtoken, aws-lc-rs", 1, BLINDING_PERIOD, || {
        black_box(jsonwebtoken());
    })
    .row("josekit", 1, BLINDING_PERIOD, || {
        black_box(josekit());
    })
    .row("stampmill, OpenSSL's RSA", 1, BLINDING_PERIOD, || {
        black_box(ours(&openssl));
    })
    .row("stampmill, its own RSA", 1, BLINDING_PERIOD, || {
        black_box(ours(&stampmill));
    })
    .row(
        "stampmill, eight callers, a worker",
        LANES,
        BLINDING_PERIOD / LANES,
        || {
            black_box(eight());
        },
    )
    .run();
}

fn verify(scheme: Scheme, key: &SigningKey, claims: &Claims) {
    let token = key.sign_jwt("at+jwt", claims).unwrap();
    let tokens = [(); LANES].map(|()| key.sign_jwt("at+jwt", claims).unwrap());
    let readers = Readers::new(scheme, key);
    readers.assert_equal(&token, claims);
    for read in readers.eight(&tokens) {
        assert_eq!(read, *claims);
    }
    Table::new(
        format!("{} verify, token to claims, 2048", scheme.ours),
        ROUNDS,
    )
    .row("jsonwebtoken, aws-lc-rs", 1, 1, || {
        black_box(readers.jsonwebtoken(black_box(&token)));
    })
    .row("josekit", 1, 1, || {
        black_box(readers.josekit(black_box(&token)));
    })
    .row("stampmill, OpenSSL's RSA", 1, 1, || {
        black_box(readers.ours(&readers.openssl, black_box(&token)));
    })
    .row("stampmill, its own RSA", 1, 1, || {
        black_box(readers.ours(&readers.stampmill, black_box(&token)));
    })
    .row("stampmill, eight at once", LANES, 1, || {
        black_box(readers.eight(black_box(&tokens)));
    })
    .run();
}

/// Everybody's public key, made ready.
struct Readers {
    jsonwebtoken: (DecodingKey, Validation),
    josekit: (Box<dyn JwsVerifier>, JwtPayloadValidator),
    openssl: Jwks,
    stampmill: Jwks,
    expect: Expectations,
}

impl Readers {
    fn new(scheme: Scheme, key: &SigningKey) -> Readers {
        let jwk = key.public_jwk();
        let (n, e) = jwk.rsa_numbers().unwrap();
        let (n, e) = (base64url::encode(n), base64url::encode(e));
        let jsonwebtoken_key = DecodingKey::from_rsa_components(&n, &e).unwrap();
        let mut rules = Validation::new(scheme.jsonwebtoken);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        let josekit_key = josekit::jwk::Jwk::from_bytes(jwk.to_json()).unwrap();
        let mut validator = JwtPayloadValidator::new();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64 + 1);
        validator.set_base_time(now);
        validator.set_max_issued_time(now);
        validator.set_issuer(ISSUER);
        validator.set_audience(AUDIENCE);
        let keys = Jwks::new(vec![jwk]);
        let [openssl, stampmill] = [Backend::OpenSsl, Backend::Stampmill]
            .map(|backend| keys.clone().with_backend(backend).unwrap());
        Readers {
            jsonwebtoken: (jsonwebtoken_key, rules),
            josekit: ((scheme.josekit_verifier)(&josekit_key), validator),
            openssl,
            stampmill,
            expect: Expectations::access_token(ISSUER, AUDIENCE),
        }
    }

    fn jsonwebtoken(&self, token: &str) -> Claims {
        let (key, rules) = &self.jsonwebtoken;
        decode(token, key, rules).unwrap().claims
    }

    fn josekit(&self, token: &str) -> Claims {
        let (key, validator) = &self.josekit;
        let (payload, _) = josekit::jwt::decode_with_verifier(token, &**key).unwrap();
        validator.validate(&payload).unwrap();
        let claims = serde_json::Value::Object(payload.into());
        serde_json::from_value(claims).unwrap()
    }

    fn ours(&self, keys: &Jwks, token: &str) -> Claims {
        let verified = verify_jwt(token, keys, &self.expect, NOW + 1).unwrap();
        serde_json::from_slice(verified.payload()).unwrap()
    }

    fn eight(&self, tokens: &[String; LANES]) -> Vec<Claims> {
        let verified = verify_jwts(tokens, &self.stampmill, &self.expect, NOW + 1);
        let claims = verified.into_iter().map(|token| token.unwrap());
        claims
            .map(|token| serde_json::from_slice(token.payload()).unwrap())
            .collect()
    }

    fn assert_equal(&self, token: &str, claims: &Claims) {
        assert_eq!(self.jsonwebtoken(token), *claims);
        assert_eq!(self.josekit(token), *claims);
        assert_eq!(self.ours(&self.openssl, token), *claims);
        assert_eq!(self.ours(&self.stampmill, token), *claims);
    }
}
