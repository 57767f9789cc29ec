//! RS256 tokens end to end, claims to token and back: our two backends and jsonwebtoken (its pure Rust backend).
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use stampmill_jose::{Backend, Expectations, Jwks, SigningKey, base64url, verify_jwt};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
const NOW: i64 = 1_800_000_000;

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

fn token(criterion: &mut Criterion) {
    let key = SigningKey::generate_rsa(2048).unwrap();
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
    sign(criterion, &key, &claims);
    verify(criterion, &key, &claims);
}

fn sign(criterion: &mut Criterion, key: &SigningKey, claims: &Claims) {
    let rival_key = EncodingKey::from_rsa_pem(&key.to_pkcs8_pem()).unwrap();
    let header = Header {
        typ: Some("at+jwt".into()),
        kid: Some(key.kid().into()),
        ..Header::new(Algorithm::RS256)
    };
    let mut group = criterion.benchmark_group("RS256 sign, claims to token");
    group.sample_size(20);
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| encode(&header, black_box(claims), &rival_key).unwrap());
    });
    for backend in Backend::ALL {
        let ours = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem())
            .unwrap()
            .with_backend(*backend)
            .unwrap();
        group.bench_function(format!("stampmill, {}", backend.name()), |bencher| {
            bencher.iter(|| ours.sign_jwt("at+jwt", black_box(claims)).unwrap());
        });
    }
    group.finish();
}

fn verify(criterion: &mut Criterion, key: &SigningKey, claims: &Claims) {
    let token = key.sign_jwt("at+jwt", claims).unwrap();
    let jwk = key.public_jwk();
    let (n, e) = jwk.rsa_numbers().unwrap();
    let rival_key =
        DecodingKey::from_rsa_components(&base64url::encode(n), &base64url::encode(e)).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[AUDIENCE]);
    let rival = || decode::<Claims>(&token, &rival_key, &rules).unwrap().claims;

    let keys = Jwks::new(vec![jwk]);
    let expect = Expectations::access_token(ISSUER, AUDIENCE);
    let ours = || {
        let verified = verify_jwt(&token, &keys, &expect, NOW + 1).unwrap();
        serde_json::from_slice::<Claims>(verified.payload()).unwrap()
    };
    assert_eq!((&rival(), &ours()), (claims, claims));

    let mut group = criterion.benchmark_group("RS256 verify, token to claims");
    group.sample_size(30);
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| black_box(rival()))
    });
    group.bench_function("stampmill", |bencher| bencher.iter(|| black_box(ours())));
    group.finish();
}

criterion_group!(benches, token);
criterion_main!(benches);
