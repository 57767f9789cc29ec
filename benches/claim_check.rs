//! Claim checks: the tree interpreter, machine code, and the same rule written by hand in Rust over serde.
//!
//! Two payloads: a small access token (about 300 bytes) and one with profile and roles (about 1,200 bytes). "from bytes" begins
//! with the payload's JSON, as a server does; "claims read" begins with what each reader made of it.
//! All three deciders are held equal on accepted and refused tokens before anything is timed.

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use serde::Deserialize;
use stampmill_claim_check::{ClaimCheck, Context};
use stampmill_claims_json::{Limits, Map, Value, parse};
use std::hint::black_box;
use std::time::Duration;

const NOW: i64 = 1_700_000_000;
const CONTEXT: Context = Context { now: NOW };

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = access_token, profile, compile
}
criterion_main!(benches);

// ---- issuer, audience, times ----

const ACCESS_RULE: &str = r#"claims.iss == "https://login.example.com" && "https://api.example.com" in claims.aud
    && claims.exp > now && claims.nbf <= now"#;

const ACCESS_TOKEN: &str = r#"{"iss":"https://login.example.com","sub":"248289761001","aud":["https://api.example.com","https://files.example.com"],"exp":1700000300,"nbf":1699999990,"iat":1699999990,"jti":"0b2c6c0e-7f5e-4d0a-9c39-5d9b1a3f7e21","client_id":"s6BhdRkqt3","scope":"openid profile files.read"}"#;

#[derive(Deserialize)]
struct Access<'a> {
    #[serde(borrow)]
    iss: &'a str,
    #[serde(borrow)]
    aud: Vec<&'a str>,
    exp: i64,
    nbf: i64,
}

impl Access<'_> {
    fn accepted(&self) -> bool {
        self.iss == "https://login.example.com"
            && self.aud.contains(&"https://api.example.com")
            && self.exp > NOW
            && self.nbf <= NOW
    }
}

fn access_token(criterion: &mut Criterion) {
    let refused = [
        ACCESS_TOKEN.replace("1700000300", "1700000000"),
        ACCESS_TOKEN.replace("api.", "apx."),
        ACCESS_TOKEN.replace("//login", "//logix"),
        ACCESS_TOKEN.replace("\"nbf\":1699999990", "\"nbf\":1700000001"),
    ];
    let from_bytes = |payload: &[u8]| {
        serde_json::from_slice::<Access<'_>>(payload).is_ok_and(|claims| claims.accepted())
    };
    let check = agreeing(ACCESS_RULE, ACCESS_TOKEN, &refused, from_bytes);

    let mut group =
        criterion.benchmark_group(format!("iss, aud, exp, nbf ({} bytes)", ACCESS_TOKEN.len()));
    ours(&mut group, &check, ACCESS_TOKEN);
    group.bench_function("from bytes: hand-written", |bencher| {
        bencher.iter(|| from_bytes(black_box(ACCESS_TOKEN.as_bytes())));
    });
    let claims: Access<'_> = serde_json::from_str(ACCESS_TOKEN).expect("the constant above");
    group.bench_function("claims read: hand-written", |bencher| {
        bencher.iter(|| black_box(&claims).accepted())
    });
    group.finish();
}

// ---- verified address of the company, role ----

const PROFILE_RULE: &str = r#"claims.email_verified && claims.email.endsWith("@example.com")
    && "ops" in claims.realm_access.roles && !has(claims.act)"#;

const PROFILE: &str = r#"{"exp":1700000300,"iat":1700000000,"auth_time":1699999700,"jti":"5b1c5f0e-58a9-4f0b-9b35-2f4ad3f0c8a4","iss":"https://login.example.com/realms/main","aud":["account","files","billing"],"sub":"f:5c2ad1a5-2d3f-4a39-8f6e-9a1d22b7b8ce:alice","typ":"Bearer","azp":"console","session_state":"a3bb2f60-4b52-4d5a-8a5d-1d9c1d2f3e44","acr":"1","allowed-origins":["https://console.example.com","https://files.example.com"],"realm_access":{"roles":["default-roles-main","offline_access","uma_authorization","developer","auditor","ops"]},"resource_access":{"console":{"roles":["viewer","editor"]},"files":{"roles":["reader","writer","owner"]},"billing":{"roles":["viewer"]},"account":{"roles":["manage-account","manage-account-links","view-profile"]}},"scope":"openid profile email groups","sid":"a3bb2f60-4b52-4d5a-8a5d-1d9c1d2f3e44","email_verified":true,"name":"Alice Example","groups":["/staff","/staff/engineering","/staff/engineering/platform","/oncall"],"preferred_username":"alice","given_name":"Alice","family_name":"Example","email":"alice@example.com","locale":"en","zoneinfo":"Europe/Berlin","phone_number_verified":false,"updated_at":1690000000}"#;

#[derive(Deserialize)]
struct Profile<'a> {
    email_verified: bool,
    #[serde(borrow)]
    email: &'a str,
    #[serde(borrow)]
    realm_access: Roles<'a>,
    #[serde(default)]
    act: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Roles<'a> {
    #[serde(borrow)]
    roles: Vec<&'a str>,
}

impl Profile<'_> {
    fn accepted(&self) -> bool {
        self.email_verified
            && self.email.ends_with("@example.com")
            && self.realm_access.roles.contains(&"ops")
            && self.act.is_none()
    }
}

fn profile(criterion: &mut Criterion) {
    let refused = [
        PROFILE.replace("\"email_verified\":true", "\"email_verified\":false"),
        PROFILE.replace("alice@example.com", "alice@example.org"),
        PROFILE.replace("\"ops\"", "\"opx\""),
        PROFILE.replace("\"typ\"", "\"act\":{\"sub\":\"eve\"},\"typ\""),
    ];
    let from_bytes = |payload: &[u8]| {
        serde_json::from_slice::<Profile<'_>>(payload).is_ok_and(|claims| claims.accepted())
    };
    let check = agreeing(PROFILE_RULE, PROFILE, &refused, from_bytes);

    let mut group = criterion.benchmark_group(format!("email, role ({} bytes)", PROFILE.len()));
    ours(&mut group, &check, PROFILE);
    group.bench_function("from bytes: hand-written", |bencher| {
        bencher.iter(|| from_bytes(black_box(PROFILE.as_bytes())));
    });
    let claims: Profile<'_> = serde_json::from_str(PROFILE).expect("the constant above");
    group.bench_function("claims read: hand-written", |bencher| {
        bencher.iter(|| black_box(&claims).accepted())
    });
    group.finish();
}

// ---- what a check costs before it decides ----

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.bench_function("iss, aud, exp, nbf", |bencher| {
        bencher.iter(|| ClaimCheck::compile(black_box(ACCESS_RULE)))
    });
    group.bench_function("email, role", |bencher| {
        bencher.iter(|| ClaimCheck::compile(black_box(PROFILE_RULE)))
    });
    group.finish();
}

/// Compiles a rule and sees that machine code, interpreter and the hand-written function give the same answers.
fn agreeing(
    rule: &str,
    accepted: &str,
    refused: &[String],
    by_hand: impl Fn(&[u8]) -> bool,
) -> ClaimCheck {
    let check = ClaimCheck::compile(rule).unwrap_or_else(|error| panic!("{error}"));
    let tokens = std::iter::once((accepted, true))
        .chain(refused.iter().map(|token| (token.as_str(), false)));
    for (token, expected) in tokens {
        assert_eq!(
            check.decide(token.as_bytes(), &CONTEXT),
            Ok(expected),
            "machine code: {token}"
        );
        let parsed = read(token);
        assert_eq!(
            check.interpret_on(object(&parsed), &CONTEXT),
            Ok(expected),
            "interpreter: {token}"
        );
        assert_eq!(by_hand(token.as_bytes()), expected, "hand-written: {token}");
    }
    check
}

/// The rows of our own: both evaluators from both beginnings, and the reading alone.
fn ours(group: &mut BenchmarkGroup<'_, WallTime>, check: &ClaimCheck, payload: &str) {
    let interpret = |payload: &str| check.interpret_on(object(&read(payload)), &CONTEXT);
    group.bench_function("from bytes: reading alone", |bencher| {
        bencher.iter(|| read(black_box(payload)))
    });
    group.bench_function("from bytes: interpreter", |bencher| {
        bencher.iter(|| interpret(black_box(payload)))
    });
    group.bench_function("from bytes: machine code", |bencher| {
        bencher.iter(|| check.decide(black_box(payload).as_bytes(), &CONTEXT));
    });
    let parsed = read(payload);
    let claims = object(&parsed);
    group.bench_function("claims read: interpreter", |bencher| {
        bencher.iter(|| check.interpret_on(black_box(claims), &CONTEXT));
    });
    group.bench_function("claims read: machine code", |bencher| {
        bencher.iter(|| check.decide_on(black_box(claims), &CONTEXT));
    });
}

fn read(payload: &str) -> Value<'_> {
    parse(payload.as_bytes(), &Limits::TOKEN).expect("the payloads above are JSON")
}

fn object<'a>(value: &'a Value<'a>) -> &'a Map<'a> {
    value.as_map().expect("the payloads above are objects")
}
