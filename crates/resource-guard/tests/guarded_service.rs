//! Proves that a guarded service answers every request as RFC 6750, RFC 9068, RFC 8725 and RFC 9700 say: through a real axum
//! router, with tokens signed by a real key, one test a rule.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderName, Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::{Algorithm, Jwks, SigningKey, dpop_proof};
use stampmill_resource_guard::{
    AccessToken, Guard, GuardBuilder, GuardError, GuardLayer, GuardedBody, NonceSource, Refusal,
    ReplayMemory, RollingNonces,
};
use tower::{Layer, Service, ServiceExt};

const ISSUER: &str = "https://localhost:8443";
const RESOURCE: &str = "https://localhost:8443/api";
const NOW: i64 = 1_800_000_000;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa(2048).unwrap());
static OTHER_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa(2048).unwrap());

// ---- what a good token opens -------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_9068_4_a_valid_access_token_passes_and_its_claims_reach_the_handler() {
    let answer = ask(guard(), &token(json!({}))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "alice through demo for openid profile");
}

#[tokio::test]
async fn rfc_9068_3_an_audience_list_with_this_resource_in_it_passes() {
    let answer = ask(
        guard(),
        &token(json!({"aud": ["https://elsewhere.example", RESOURCE]})),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn rfc_9110_11_1_the_scheme_is_case_blind() {
    let request = request().header(AUTHORIZATION, format!("bEARER {}", token(json!({}))));
    assert_eq!(send(guard(), request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_guard_also_wraps_a_bare_tower_service() {
    let inner = tower::service_fn(|request: Request<()>| async move {
        let token = request.extensions().get::<AccessToken>().unwrap().clone();
        Ok::<_, std::io::Error>(Response::new(token.client_id().to_owned()))
    });
    let mut service = GuardLayer::new(guard().build().unwrap()).layer(inner);
    let request = request().header(AUTHORIZATION, format!("Bearer {}", token(json!({}))));
    let response = service
        .ready()
        .await
        .unwrap()
        .call(request.body(()).unwrap())
        .await
        .unwrap();
    assert!(matches!(response.into_body(), GuardedBody::Left(client) if client == "demo"));
}

// ---- credentials: RFC 6750 §2 and §3 -------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_6750_3_1_no_credentials_get_a_bare_challenge() {
    let answer = send(guard(), request()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge, format!("Bearer realm=\"{RESOURCE}\""));
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn rfc_6750_3_1_another_scheme_gets_a_bare_challenge() {
    let answer = send(
        guard(),
        request().header(AUTHORIZATION, "Basic ZGVtbzpzZWNyZXQ="),
    )
    .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!answer.challenge.contains("error"), "{}", answer.challenge);
}

#[tokio::test]
async fn rfc_9700_4_3_2_a_token_in_the_query_is_not_accepted() {
    let uri = format!("/api/me?access_token={}", token(json!({})));
    let answer = send(guard(), Request::get(uri)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!answer.challenge.contains("error"), "{}", answer.challenge);
}

#[tokio::test]
async fn rfc_6750_3_1_two_ways_at_once_are_an_invalid_request() {
    let token = token(json!({}));
    let request = Request::get(format!("/api/me?access_token={token}"));
    let answer = send(
        guard(),
        request.header(AUTHORIZATION, format!("Bearer {token}")),
    )
    .await;
    answer.refused(StatusCode::BAD_REQUEST, "invalid_request");
}

#[tokio::test]
async fn rfc_6750_3_1_two_headers_are_an_invalid_request() {
    let header = format!("Bearer {}", token(json!({})));
    let answer = send(
        guard(),
        request()
            .header(AUTHORIZATION, &header)
            .header(AUTHORIZATION, &header),
    )
    .await;
    answer.refused(StatusCode::BAD_REQUEST, "invalid_request");
}

#[tokio::test]
async fn rfc_8725_3_11_a_token_over_the_size_limit_is_refused_unread() {
    let token = token(json!({}));
    let just_right = ask(guard().max_token_bytes(token.len()), &token).await;
    assert_eq!(just_right.status, StatusCode::OK);
    let too_long = ask(guard().max_token_bytes(token.len() - 1), &token).await;
    too_long.refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

// ---- the token: RFC 9068 §4, RFC 8725 ------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_9068_4_wrong_claims_are_an_invalid_token() {
    let cases = [
        ("iss", json!({"iss": "https://evil.example"})),
        ("iss", json!({"iss": null})),
        ("aud", json!({"aud": "https://elsewhere.example"})),
        ("aud", json!({"aud": []})),
        ("aud", json!({"aud": null})),
        ("exp", json!({"exp": NOW - 1})),
        ("exp", json!({"exp": NOW})),
        ("exp", json!({"exp": null})),
        ("exp", json!({"exp": "tomorrow"})),
        ("nbf", json!({"nbf": NOW + 3600})),
        ("sub", json!({"sub": null})),
        ("sub", json!({"sub": 7})),
        ("client_id", json!({"client_id": null})),
        ("jti", json!({"jti": null})),
        ("scope", json!({"scope": ["profile"]})),
    ];
    for (claim, change) in cases {
        let answer = ask(guard(), &token(change.clone())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{claim}: {change}");
        answer.refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
}

#[tokio::test]
async fn rfc_9068_5_an_id_token_is_no_access_token() {
    let id_token = KEY.sign_jwt("JWT", &claims(json!({}))).unwrap();
    ask(guard(), &id_token)
        .await
        .refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn rfc_7515_5_2_a_changed_signature_or_payload_is_an_invalid_token() {
    let good = token(json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = token(json!({"sub": "mallory"}));
    let others_payload = other.split('.').nth(1).unwrap();
    let flipped = format!(
        "{signed}.{}{}",
        if signature.starts_with('A') { 'B' } else { 'A' },
        &signature[1..]
    );
    for bad in [
        flipped,
        format!("{header}.{others_payload}.{signature}"),
        format!("{signed}."),
        signed.to_owned(),
    ] {
        ask(guard(), &bad)
            .await
            .refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
}

#[tokio::test]
async fn rfc_8725_3_1_a_token_of_an_unknown_key_is_an_invalid_token() {
    let foreign = OTHER_KEY.sign_jwt("at+jwt", &claims(json!({}))).unwrap();
    ask(guard(), &foreign)
        .await
        .refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn rfc_9449_7_2_a_token_bound_to_a_key_is_no_bearer_token() {
    let bound = token(json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}));
    ask(guard(), &bound)
        .await
        .refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn garbage_is_an_invalid_token_and_is_not_echoed() {
    for garbage in [
        "garbage",
        "a.b.c",
        "..",
        "a.b.c.d.e",
        "eyJhbGciOiJub25lIn0.e30.",
    ] {
        let answer = ask(guard(), garbage).await;
        answer.refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert!(!answer.body.contains("garbage") && !answer.challenge.contains("garbage"));
    }
}

// ---- what the token may do -----------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_6750_3_1_a_missing_scope_is_insufficient_scope_and_says_which_is_needed() {
    let needs = || guard().required_scope("profile").required_scope("email");
    let answer = ask(needs(), &token(json!({}))).await;
    answer.refused(StatusCode::FORBIDDEN, "insufficient_scope");
    assert!(
        answer.challenge.ends_with(", scope=\"profile email\""),
        "{}",
        answer.challenge
    );

    let answer = ask(needs(), &token(json!({"scope": "email x profile"}))).await;
    assert_eq!(answer.status, StatusCode::OK);

    for near_miss in ["Profile email", "profiles email", "profile,email", ""] {
        let answer = ask(needs(), &token(json!({"scope": near_miss}))).await;
        answer.refused(StatusCode::FORBIDDEN, "insufficient_scope");
    }
    let answer = ask(needs(), &token(json!({"scope": null}))).await;
    answer.refused(StatusCode::FORBIDDEN, "insufficient_scope");
}

#[tokio::test]
async fn the_claim_check_decides_and_refuses_with_403() {
    let check = || {
        guard().accept_when(
            ClaimCheck::compile("claims.client_id == 'demo' && claims.exp > now").unwrap(),
        )
    };
    assert_eq!(ask(check(), &token(json!({}))).await.status, StatusCode::OK);
    let answer = ask(check(), &token(json!({"client_id": "other"}))).await;
    answer.refused(StatusCode::FORBIDDEN, "insufficient_scope");
}

#[tokio::test]
async fn a_claim_check_that_cannot_be_evaluated_refuses() {
    for source in ["claims.department == 'x'", "claims.sub > 3", "claims.sub"] {
        // A check that the compiler already refuses cannot guard anything, which is as good.
        let Ok(check) = ClaimCheck::compile(source) else {
            continue;
        };
        let answer = ask(guard().accept_when(check), &token(json!({}))).await;
        answer.refused(StatusCode::FORBIDDEN, "insufficient_scope");
    }
}

/// The wire says no more than before; whoever runs the service finds out which part decided, and no value unless asked.
#[tokio::test]
async fn rfc_6750_3_1_who_runs_the_resource_learns_why_a_claim_check_refused() {
    const CHECK: &str = "claims.exp > now && claims.client_id == 'demo'";
    let check = || ClaimCheck::compile(CHECK).unwrap();
    let token = token(json!({"client_id": "somebody-else"}));
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    for (guard, values) in [
        (guard().accept_when(check()), false),
        (guard().accept_when(check()).explain_with_values(), true),
    ] {
        let refusal = guard.build().unwrap().authorize(&parts).await.unwrap_err();
        let told = format!("{refusal} {refusal:?}");
        let Refusal::ClaimCheck(denial) = refusal else {
            panic!("{told}");
        };
        assert_eq!(denial.check(), CHECK);
        let (part, span) = denial.decided_by().unwrap();
        assert_eq!(part, "claims.client_id == 'demo'");
        assert_eq!(&CHECK[span], part);
        assert_eq!((denial.error(), denial.absent_claim()), (None, None));
        assert_eq!(told.contains("somebody-else"), values, "{told}");
        let values = denial.values().map(ToString::to_string);
        assert_eq!(
            values.is_some_and(|text| text.contains("somebody-else")),
            told.contains("somebody-else")
        );
    }
    let absent = ClaimCheck::compile("claims.department == 'x'").unwrap();
    let guard = guard().accept_when(absent).build().unwrap();
    let Refusal::ClaimCheck(denial) = guard.authorize(&parts).await.unwrap_err() else {
        panic!("another refusal");
    };
    assert_eq!(denial.absent_claim(), Some("claims.department"));
    assert!(denial.error().is_some());
}

// ---- revoked grants ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_7009_2_1_a_token_of_a_revoked_grant_is_an_invalid_token() {
    let revoked = Arc::new(AtomicBool::new(false));
    let guarded = || {
        let revoked = Arc::clone(&revoked);
        guard().revoked_when(move |token| {
            let answer = revoked.load(Ordering::SeqCst) && token.jwt_id() == "token-1";
            async move { Ok(answer) }
        })
    };
    let token = token(json!({}));
    assert_eq!(ask(guarded(), &token).await.status, StatusCode::OK);
    revoked.store(true, Ordering::SeqCst);
    ask(guarded(), &token)
        .await
        .refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn revocation_state_out_of_reach_refuses_without_blaming_the_token() {
    let guarded = guard().revoked_when(|_| async { Err("the database is gone".into()) });
    let answer = ask(guarded, &token(json!({}))).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((answer.challenge.as_str(), answer.body.as_str()), ("", ""));
}

// ---- introspected tokens: RFC 7662 ---------------------------------------------------------------------------------

fn introspecting(answer: Value) -> GuardBuilder {
    let answer = answer.to_string().into_bytes();
    guard().introspect(move |token| {
        assert_eq!(token, "opaque-reference");
        let answer = answer.clone();
        async move { Ok(answer) }
    })
}

#[tokio::test]
async fn rfc_7662_2_2_an_active_token_passes_with_its_claims() {
    let mut answer = claims(json!({"active": true, "jti": null}));
    let passed = ask(introspecting(answer.clone()), "opaque-reference").await;
    assert_eq!(passed.body, "alice through demo for openid profile");
    answer["aud"] = json!(["https://elsewhere.example", RESOURCE]);
    let passed = ask(introspecting(answer), "opaque-reference").await;
    assert_eq!(passed.status, StatusCode::OK);
}

#[tokio::test]
async fn rfc_7662_2_2_whatever_is_not_active_for_us_now_is_refused() {
    for changes in [
        json!({"active": false}),
        json!({"active": null}),
        json!({"active": "true"}),
        json!({"active": true, "aud": "https://elsewhere.example"}),
        json!({"active": true, "aud": null}),
        json!({"active": true, "iss": "https://evil.example"}),
        json!({"active": true, "exp": NOW}),
        json!({"active": true, "exp": "never"}),
        json!({"active": true, "sub": null}),
    ] {
        let answer = ask(introspecting(claims(changes)), "opaque-reference").await;
        answer.refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
    let answer = ask(introspecting(json!([1])), "opaque-reference").await;
    answer.refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn introspection_out_of_reach_is_503_and_jwts_do_not_need_it() {
    let unreachable = || guard().introspect(|_| async { Err("no route".into()) });
    let answer = ask(unreachable(), "opaque-reference").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = ask(unreachable(), &token(json!({}))).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn without_keys_every_token_is_introspected() {
    let asked = Guard::builder(ISSUER, RESOURCE)
        .clock(|| NOW)
        .introspect(|_| async { Ok(claims(json!({"active": true})).to_string().into()) });
    assert_eq!(ask(asked, &token(json!({}))).await.status, StatusCode::OK);
}

// ---- proof of possession: RFC 9449 ---------------------------------------------------------------------------------

fn dpop_guard() -> GuardBuilder {
    guard().dpop("https://localhost:8443", ReplayMemory::default())
}

fn proof(key: &SigningKey, token: &str) -> String {
    let uri = "https://localhost:8443/api/me";
    dpop_proof(key, "GET", uri, Some(token), None, NOW).unwrap()
}

#[tokio::test]
async fn rfc_9449_7_a_bound_token_passes_with_a_proof_of_its_key() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let token = token(json!({"cnf": {"jkt": key.kid()}}));
    let offer = |scheme: &str, proofs: &[String]| {
        let mut request = request().header(AUTHORIZATION, format!("{scheme} {token}"));
        for proof in proofs {
            request = request.header("DPoP", proof);
        }
        request
    };
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    let good = || proof(&key, &token);
    let answer = send(dpop_guard(), offer("DPoP", &[good()])).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.challenge);
    for (name, proofs) in [
        ("none", vec![]),
        ("two", vec![good(), good()]),
        ("of another key", vec![proof(&other, &token)]),
        ("for another token", vec![proof(&key, "another")]),
        ("no JWT", vec!["x".to_owned()]),
    ] {
        let answer = send(dpop_guard(), offer("DPoP", &proofs)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert!(
            answer.challenge.starts_with("DPoP realm=")
                && answer.challenge.contains("error=\"invalid_dpop_proof\"")
                && answer.challenge.contains("algs=\"")
                && answer.challenge.contains("ES256"),
            "{name}: {}",
            answer.challenge
        );
    }
    for guard in [dpop_guard(), guard()] {
        send(guard, offer("Bearer", &[good()]))
            .await
            .refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
}

#[tokio::test]
async fn rfc_9449_11_1_a_proof_works_once() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let token = token(json!({"cnf": {"jkt": key.kid()}}));
    let guard = dpop_guard().build().unwrap();
    let proof = proof(&key, &token);
    let request = || {
        let request = request()
            .header(AUTHORIZATION, format!("DPoP {token}"))
            .header("DPoP", &proof);
        request.body(()).unwrap().into_parts().0
    };
    assert!(guard.authorize(&request()).await.is_ok());
    let again = guard.authorize(&request()).await.unwrap_err();
    assert_eq!(again.error_code(), Some("invalid_dpop_proof"));
}

#[tokio::test]
async fn a_token_bound_to_nothing_or_to_a_certificate_is_no_dpop_token() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    for cnf in [json!(null), json!({"x5t#S256": "abc"}), json!({"jkt": 1})] {
        let token = token(json!({ "cnf": cnf }));
        let request = request()
            .header(AUTHORIZATION, format!("DPoP {token}"))
            .header("DPoP", proof(&key, &token));
        let answer = send(dpop_guard(), request).await;
        answer.refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
}

// ---- metadata: RFC 9728 --------------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_9728_5_1_a_challenge_names_the_metadata() {
    let guarded = || dpop_guard().required_scope("profile").publish_metadata();
    let answer = send(guarded(), request()).await;
    let address = "https://localhost:8443/.well-known/oauth-protected-resource/api";
    assert!(
        answer
            .challenge
            .ends_with(&format!("resource_metadata=\"{address}\"")),
        "{}",
        answer.challenge
    );
    let guard = guarded().build().unwrap();
    let metadata = guard.metadata().unwrap();
    assert_eq!(metadata.path, "/.well-known/oauth-protected-resource/api");
    let document: Value = serde_json::from_str(&metadata.json).unwrap();
    assert_eq!(document["resource"], RESOURCE);
    assert_eq!(document["authorization_servers"], json!([ISSUER]));
    assert_eq!(document["scopes_supported"], json!(["profile"]));
    let nowhere = Guard::builder(ISSUER, "urn:api").keys(Arc::new(Jwks::new(vec![])));
    assert!(matches!(
        nowhere.publish_metadata().build(),
        Err(GuardError::NotAnAddress(_))
    ));
}

// ---- building a guard ----------------------------------------------------------------------------------------------

#[test]
fn a_guard_without_keys_or_with_unquotable_words_is_not_built() {
    assert_eq!(
        Guard::builder(ISSUER, RESOURCE).build().unwrap_err(),
        GuardError::NoKeys
    );
    assert!(matches!(
        guard().realm("a\"b").build().unwrap_err(),
        GuardError::Realm(_)
    ));
    assert!(matches!(
        guard().realm("a\r\nb").build().unwrap_err(),
        GuardError::Realm(_)
    ));
    assert!(matches!(
        guard().required_scope("a b").build().unwrap_err(),
        GuardError::Scope(_)
    ));
}

// ---- helpers -------------------------------------------------------------------------------------------------------

fn guard() -> GuardBuilder {
    let keys = Jwks::new(vec![KEY.public_jwk()]);
    Guard::builder(ISSUER, RESOURCE)
        .keys(Arc::new(keys))
        .clock(|| NOW)
}

/// The claims of RFC 9068 §2.2 with `changes` applied; a `null` removes the claim.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "demo", "jti": "token-1",
        "iat": NOW - 10, "exp": NOW + 300, "scope": "openid profile",
    });
    let all: &mut Map<String, Value> = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn token(changes: Value) -> String {
    KEY.sign_jwt("at+jwt", &claims(changes)).unwrap()
}

fn request() -> http::request::Builder {
    Request::get("/api/me")
}

async fn ask(guard: GuardBuilder, token: &str) -> Answer {
    send(
        guard,
        request().header(AUTHORIZATION, format!("Bearer {token}")),
    )
    .await
}

async fn send(guard: GuardBuilder, request: http::request::Builder) -> Answer {
    let handler = |Extension(token): Extension<AccessToken>| async move {
        let scope = token.scope().collect::<Vec<_>>().join(" ");
        format!(
            "{} through {} for {scope}",
            token.subject(),
            token.client_id()
        )
    };
    let api: Router = Router::new()
        .route("/api/me", get(handler))
        .layer(GuardLayer::new(guard.build().unwrap()));
    let response = api
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    Answer::read(response).await
}

struct Answer {
    status: StatusCode,
    challenge: String,
    nonce: String,
    body: String,
}

impl Answer {
    async fn read(response: Response<Body>) -> Answer {
        let (parts, body) = response.into_parts();
        let header = |name: HeaderName| {
            parts
                .headers
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        if !parts.status.is_success() {
            assert_eq!(
                header(CACHE_CONTROL),
                "no-store",
                "RFC 6750 §5.3: a refusal is not cached"
            );
        }
        let body = to_bytes(body, 64 * 1024).await.unwrap();
        Answer {
            status: parts.status,
            challenge: header(WWW_AUTHENTICATE),
            nonce: header(HeaderName::from_static("dpop-nonce")),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Status, and the same error code in the challenge and in the body.
    #[track_caller]
    fn refused(&self, status: StatusCode, code: &str) {
        assert_eq!(self.status, status, "{} {}", self.challenge, self.body);
        let start = format!("Bearer realm=\"{RESOURCE}\", error=\"{code}\", error_description=\"");
        assert!(self.challenge.starts_with(&start), "{}", self.challenge);
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["error"], code);
    }
}

#[tokio::test]
async fn rfc_9449_9_where_nonces_are_asked_for_a_proof_without_one_is_told_which() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let token = token(json!({"cnf": {"jkt": key.kid()}}));
    let nonces = || RollingNonces::new([7; 32], 60);
    let [newest, before] = nonces().accepted(NOW);
    let [_, oldest] = nonces().accepted(NOW - 60);
    assert!(newest != before && before != oldest && oldest != newest);
    assert_ne!(RollingNonces::new([8; 32], 60).accepted(NOW)[0], newest);
    assert!(!format!("{:?}", nonces()).contains('7'));
    for (nonce, good) in [
        (None, false),
        (Some("x"), false),
        (Some(&*oldest), false),
        (Some(&*before), true),
        (Some(&*newest), true),
    ] {
        let uri = "https://localhost:8443/api/me";
        let proof = dpop_proof(&key, "GET", uri, Some(&token), nonce, NOW).unwrap();
        let request = request()
            .header(AUTHORIZATION, format!("DPoP {token}"))
            .header("DPoP", proof);
        let answer = send(dpop_guard().dpop_nonces(nonces()), request).await;
        assert_eq!(answer.nonce, newest, "on every answer");
        if good {
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "{nonce:?}: {}",
                answer.challenge
            );
        } else {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{nonce:?}");
            assert!(
                answer.challenge.starts_with("DPoP realm="),
                "{}",
                answer.challenge
            );
            let asks = answer.challenge.contains("error=\"use_dpop_nonce\"");
            assert!(asks, "{nonce:?}: {}", answer.challenge);
        }
    }
    let plain = send(dpop_guard(), request()).await;
    assert_eq!(plain.nonce, "", "not asked for, not told");
}
