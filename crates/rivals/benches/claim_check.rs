//! A claim check from the token's raw payload to the decision: ours and the `cel` crate.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use stampmill_claim_check::{ClaimCheck, Context, Value};

const NOW: i64 = 1_800_000_000;

const CHECK: &str = r#"claims.iss == "https://issuer.example" && "https://api.example" in claims.aud && claims.exp > now && claims.nbf <= now"#;

const PAYLOAD: &str = r#"{"iss":"https://issuer.example","aud":["https://api.example","https://other.example"],"sub":"248289761001","client_id":"s6BhdRkqt3","jti":"dbe39bf3a3ba4238a513f51d6e1691c4","scope":"openid profile email","iat":1799999990,"nbf":1799999990,"exp":1800000600,"email":"alice@example.test","email_verified":true}"#;

fn claim_check(criterion: &mut Criterion) {
    let ours = ClaimCheck::compile(CHECK).unwrap();
    let context = Context { now: NOW };
    let env = Arc::new(cel::Env::stdlib());
    let program = env.compile(CHECK).unwrap();
    let rival = || {
        let claims: serde_json::Value = serde_json::from_str(PAYLOAD).unwrap();
        let mut context = cel::Context::with_env(Arc::clone(&env));
        context.add_variable("claims", claims).unwrap();
        context.add_variable("now", NOW).unwrap();
        program.execute(&context).unwrap()
    };
    let payload = PAYLOAD.as_bytes();
    assert_eq!(rival(), true.into());
    assert_eq!(ours.evaluate(payload, &context).unwrap(), Value::Bool(true));
    assert_eq!(
        ours.interpret(payload, &context).unwrap(),
        Value::Bool(true)
    );

    let mut group = criterion.benchmark_group("issuer, audience and times, from bytes");
    group.sample_size(30);
    group.bench_function("cel", |bencher| bencher.iter(|| black_box(rival())));
    group.bench_function("stampmill interpreter", |bencher| {
        bencher.iter(|| ours.interpret(black_box(payload), &context).unwrap());
    });
    group.bench_function("stampmill machine code", |bencher| {
        bencher.iter(|| ours.decide(black_box(payload), &context).unwrap());
    });
    group.finish();
}

criterion_group!(benches, claim_check);
criterion_main!(benches);
