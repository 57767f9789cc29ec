//! DPoP at the token endpoint and at UserInfo: RFC 9449.

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, SigningKey, dpop_proof};

use super::support::{Answer, Browser, Fixture, ISSUER, VERIFIER, ask_for, claims};

const REDIRECT_URI: &str = "http://127.0.0.1:5555/callback";

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

fn proof(fixture: &Fixture, key: &SigningKey, path: &str) -> String {
    let now = fixture.service.now();
    dpop_proof(key, "POST", &format!("{ISSUER}{path}"), None, None, now).unwrap()
}

/// A good proof for the token endpoint but for these claims.
fn proof_of(fixture: &Fixture, key: &SigningKey, changes: Value) -> String {
    let jwk: Value = serde_json::from_str(&key.public_jwk().to_json()).unwrap();
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let mut claims = json!({
        "jti": "a", "htm": "POST", "htu": format!("{ISSUER}/token"), "iat": fixture.service.now(),
    });
    let changes = changes.as_object().unwrap().clone();
    claims.as_object_mut().unwrap().extend(changes);
    key.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
        .unwrap()
}

async fn post(fixture: &Fixture, proofs: &[&str], form: &str) -> Answer {
    let mut request =
        Request::post("/token").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    fixture
        .send(request.body(Body::from(form.to_owned())).unwrap())
        .await
}

/// What redeems a fresh code of `native`, a public client.
async fn redemption(fixture: &Fixture, more: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("client_id", "native"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid offline_access"),
    ];
    parameters.extend(more);
    let back = Browser::default()
        .through(fixture, &ask_for(&parameters))
        .await;
    let code = back.parameter("code").unwrap();
    format!(
        "grant_type=authorization_code&client_id=native&code={code}&redirect_uri={REDIRECT_URI}&code_verifier={VERIFIER}"
    )
}

async fn userinfo(fixture: &Fixture, scheme: &str, token: &str, proofs: &[String]) -> Answer {
    let mut request = Request::get("/userinfo").header(AUTHORIZATION, format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    fixture.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn rfc9449_5_tokens_are_bound_to_the_key() {
    let fixture = Fixture::new().await;
    let (key, thief) = (key(), key());
    let form = redemption(&fixture, &[]).await;
    let tokens = post(&fixture, &[&proof(&fixture, &key, "/token")], &form).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let tokens = tokens.json();
    assert_eq!(tokens["token_type"], "DPoP");
    assert_eq!(claims(&tokens["access_token"])["cnf"]["jkt"], key.kid());

    let refresh = format!(
        "grant_type=refresh_token&client_id=native&refresh_token={}",
        tokens["refresh_token"].as_str().unwrap()
    );
    for proofs in [vec![], vec![proof(&fixture, &thief, "/token")]] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let answer = post(&fixture, &proofs, &refresh).await;
        assert_eq!(
            answer.error(),
            "invalid_grant",
            "a public client's refresh token is bound"
        );
    }
    let refreshed = post(&fixture, &[&proof(&fixture, &key, "/token")], &refresh).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
    assert_eq!(refreshed.json()["token_type"], "DPoP");
}

#[tokio::test]
async fn rfc9449_4_3_bad_proofs_spend_nothing() {
    let fixture = Fixture::new().await;
    let key = key();
    let form = redemption(&fixture, &[]).await;
    let (good, other) = (
        proof(&fixture, &key, "/token"),
        proof(&fixture, &key, "/revoke"),
    );
    let old = {
        let then = fixture.service.now() - 3600;
        dpop_proof(&key, "POST", &format!("{ISSUER}/token"), None, None, then).unwrap()
    };
    let (expired, nameless) = (
        proof_of(&fixture, &key, json!({"exp": fixture.service.now() - 1})),
        proof_of(&fixture, &key, json!({"jti": ""})),
    );
    for (name, proofs) in [
        ("no JWT", vec!["nonsense"]),
        ("for another address", vec![&other]),
        ("an hour old", vec![&old]),
        ("expired by its own word", vec![&expired]),
        ("without a name", vec![&nameless]),
        ("two of them", vec![&good, &good]),
    ] {
        let answer = post(&fixture, &proofs, &form).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
            "{name}"
        );
    }
    let answer = post(&fixture, &[&good], &form).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the code was not spent: {answer:?}"
    );
    let form = redemption(&fixture, &[]).await;
    let replayed = post(&fixture, &[&good], &form).await;
    assert_eq!(
        replayed.error(),
        "invalid_dpop_proof",
        "§11.1: a jti works once"
    );
}

#[tokio::test]
async fn rfc9449_10_a_code_bound_by_dpop_jkt_needs_its_key() {
    let fixture = Fixture::new().await;
    let (key, thief) = (key(), key());
    let form = redemption(&fixture, &[("dpop_jkt", key.kid())]).await;
    let stolen = post(&fixture, &[&proof(&fixture, &thief, "/token")], &form).await;
    assert_eq!(stolen.error(), "invalid_grant");
    let without = post(&fixture, &[], &form).await;
    assert_eq!(without.error(), "invalid_grant");
    let rightful = post(&fixture, &[&proof(&fixture, &key, "/token")], &form).await;
    assert_eq!(rightful.status, StatusCode::OK, "{rightful:?}");
    let bad = fixture.get(&ask_for(&[("dpop_jkt", "short")])).await;
    assert_eq!(bad.parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn rfc9449_5_2_a_client_that_registered_for_it_gets_no_bearer_tokens() {
    let fixture = Fixture::new().await;
    let secret = fixture.register("bound", |registration| {
        registration.dpop_bound = true;
        registration.redirect_uris = Vec::new();
        registration.grant_types = vec![crate::domain::GrantType::ClientCredentials];
        registration.scope = "api".into();
    });
    let secret = secret.await;
    let basic = super::support::basic("bound", &secret);
    let without = fixture
        .post("/token", Some(basic), "grant_type=client_credentials")
        .await;
    assert_eq!(without.error(), "invalid_dpop_proof");
}

#[tokio::test]
async fn rfc9449_7_a_bound_token_needs_its_key_at_userinfo() {
    let fixture = Fixture::new().await;
    let (key, thief) = (key(), key());
    let form = redemption(&fixture, &[]).await;
    let tokens = post(&fixture, &[&proof(&fixture, &key, "/token")], &form)
        .await
        .json();
    let token = tokens["access_token"].as_str().unwrap();
    let prove = |key: &SigningKey, token: &str| {
        let (uri, now) = (format!("{ISSUER}/userinfo"), fixture.service.now());
        dpop_proof(key, "GET", &uri, Some(token), None, now).unwrap()
    };
    let good = prove(&key, token);
    let answer = userinfo(&fixture, "dPoP", token, std::slice::from_ref(&good)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let another = prove(&key, "another");
    // §7.1: a bad proof is told in its own scheme, as the guard of an API tells it.
    let (token_is_bad, proof_is_bad) = (
        r#"Bearer realm="stampmill", error="invalid_token""#,
        r#"DPoP realm="stampmill", error="invalid_dpop_proof""#,
    );
    for (name, scheme, proofs, told) in [
        ("as a bearer token", "Bearer", vec![], token_is_bad),
        (
            "as a bearer token, with a proof",
            "Bearer",
            vec![prove(&key, token)],
            token_is_bad,
        ),
        ("no proof", "DPoP", vec![], proof_is_bad),
        (
            "two proofs",
            "DPoP",
            vec![prove(&key, token), prove(&key, token)],
            proof_is_bad,
        ),
        (
            "another key",
            "DPoP",
            vec![prove(&thief, token)],
            token_is_bad,
        ),
        ("for another token", "DPoP", vec![another], proof_is_bad),
        ("used before", "DPoP", vec![good], proof_is_bad),
    ] {
        let answer = userinfo(&fixture, scheme, token, &proofs).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with(told), "{name}: {challenge}");
        let all = answer.headers.get_all("www-authenticate").iter();
        let offers = all.filter(|one| {
            let text = one.to_str().unwrap();
            text.starts_with("DPoP ") && text.contains(", algs=\"")
        });
        assert_eq!(offers.count(), 1, "{name}");
    }
    // A proof is for one method, and HEAD is another than GET.
    let (uri, now) = (format!("{ISSUER}/userinfo"), fixture.service.now());
    for (method, good) in [("HEAD", true), ("GET", false)] {
        let proof = dpop_proof(&key, method, &uri, Some(token), None, now).unwrap();
        let request = Request::head("/userinfo")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof);
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status == StatusCode::OK, good, "{method}");
    }
    let unbound = fixture.tokens().await;
    let token = unbound["access_token"].as_str().unwrap();
    let answer = userinfo(&fixture, "DPoP", token, &[prove(&key, token)]).await;
    assert_eq!(
        answer.status,
        StatusCode::UNAUTHORIZED,
        "a bearer token is no bound one"
    );
}

#[tokio::test]
async fn rfc9449_6_2_introspection_names_the_key() {
    let fixture = Fixture::new().await;
    let key = key();
    let request = Request::post("/token")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, fixture.basic("machine").unwrap())
        .header("dpop", proof(&fixture, &key, "/token"))
        .body(Body::from("grant_type=client_credentials"))
        .unwrap();
    let tokens = fixture.send(request).await.json();
    let form = format!("token={}", tokens["access_token"].as_str().unwrap());
    let answer = fixture
        .post("/introspect", fixture.basic("machine"), &form)
        .await;
    let body: Value = answer.json();
    assert_eq!(
        (&body["cnf"]["jkt"], &body["token_type"]),
        (&key.kid().into(), &"DPoP".into())
    );
}

#[tokio::test]
async fn rfc9449_7_and_at_the_api() {
    let fixture = Fixture::new().await;
    let key = key();
    let form = redemption(&fixture, &[]).await;
    let tokens = post(&fixture, &[&proof(&fixture, &key, "/token")], &form)
        .await
        .json();
    let token = tokens["access_token"].as_str().unwrap();
    let (uri, now) = (format!("{ISSUER}/api/me"), fixture.service.now());
    let proof = dpop_proof(&key, "GET", &uri, Some(token), None, now).unwrap();
    let ask = async |scheme: &str| {
        let request = Request::get("/api/me")
            .header(AUTHORIZATION, format!("{scheme} {token}"))
            .header("dpop", &proof)
            .body(Body::empty());
        fixture.send(request.unwrap()).await
    };
    assert_eq!(ask("DPoP").await.status, StatusCode::OK);
    let replayed = ask("DPoP").await;
    assert!(
        replayed.header("www-authenticate").starts_with("DPoP "),
        "{replayed:?}"
    );
    assert_eq!(ask("Bearer").await.status, StatusCode::UNAUTHORIZED);
}

async fn with_nonces() -> Fixture {
    let policy = crate::policy::Policy::strict().with_dpop_nonces(true);
    Fixture::configured(policy, Vec::new(), Default::default()).await
}

fn proof_with(
    fixture: &Fixture,
    key: &SigningKey,
    method: &str,
    path: &str,
    token: Option<&str>,
    nonce: &str,
) -> String {
    let (uri, now) = (format!("{ISSUER}{path}"), fixture.service.now());
    dpop_proof(key, method, &uri, token, Some(nonce), now).unwrap()
}

#[tokio::test]
async fn rfc9449_8_the_token_endpoint_asks_for_its_nonce_and_spends_nothing_before() {
    let (fixture, key) = (with_nonces().await, key());
    let form = redemption(&fixture, &[]).await;
    let first = post(&fixture, &[&proof(&fixture, &key, "/token")], &form).await;
    assert_eq!(first.status, StatusCode::BAD_REQUEST);
    assert_eq!(first.error(), "use_dpop_nonce");
    let nonce = first.header("dpop-nonce").to_owned();
    for wrong in ["", "x", &nonce[1..]] {
        let proof = proof_with(&fixture, &key, "POST", "/token", None, wrong);
        let refused = post(&fixture, &[&proof], &form).await;
        assert_eq!(refused.error(), "use_dpop_nonce", "{wrong:?}");
    }
    let again = proof_with(&fixture, &key, "POST", "/token", None, &nonce);
    let tokens = post(&fixture, &[&again], &form).await;
    assert_eq!(
        tokens.status,
        StatusCode::OK,
        "the code is still good: {tokens:?}"
    );
    assert_eq!(tokens.header("dpop-nonce"), nonce, "§8.2: on success, too");
    assert_eq!(
        tokens.header("access-control-expose-headers"),
        "WWW-Authenticate, DPoP-Nonce"
    );
    // The one before still counts, older ones do not.
    for (seconds, error) in [(120, ""), (120, "use_dpop_nonce")] {
        fixture.clock.advance(seconds);
        let form = redemption(&fixture, &[]).await;
        let proof = proof_with(&fixture, &key, "POST", "/token", None, &nonce);
        let answer = post(&fixture, &[&proof], &form).await;
        assert_eq!(answer.error(), error, "{answer:?}");
        assert_ne!(answer.header("dpop-nonce"), nonce);
    }
}

#[tokio::test]
async fn rfc9449_8_a_client_without_dpop_is_not_asked() {
    let fixture = with_nonces().await;
    let code = fixture.code().await;
    assert_eq!(fixture.redeem(&code).await.status, StatusCode::OK);
    let without = Fixture::new().await;
    let answer = without.get("/userinfo").await;
    assert!(
        answer.headers.get("dpop-nonce").is_none(),
        "not asked for, not told"
    );
}

#[tokio::test]
async fn rfc9449_9_userinfo_and_the_guard_ask_for_it() {
    let (fixture, key) = (with_nonces().await, key());
    let form = redemption(&fixture, &[]).await;
    let [nonce, _] = fixture.service.dpop_nonces();
    let at_token = proof_with(&fixture, &key, "POST", "/token", None, &nonce);
    let tokens = post(&fixture, &[&at_token], &form).await.json();
    let token = tokens["access_token"].as_str().unwrap();
    for path in ["/userinfo", "/api/me"] {
        let ask = async |nonce: Option<&str>| {
            let (uri, now) = (format!("{ISSUER}{path}"), fixture.service.now());
            let proof = dpop_proof(&key, "GET", &uri, Some(token), nonce, now).unwrap();
            let request = Request::get(path)
                .header(AUTHORIZATION, format!("DPoP {token}"))
                .header("dpop", proof);
            fixture.send(request.body(Body::empty()).unwrap()).await
        };
        for wrong in [None, Some("x")] {
            let refused = ask(wrong).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
            let challenge = refused.header("www-authenticate");
            assert!(challenge.starts_with("DPoP "), "{path}: {challenge}");
            assert!(
                challenge.contains("error=\"use_dpop_nonce\""),
                "{path}: {challenge}"
            );
            assert_eq!(refused.header("dpop-nonce"), nonce, "{path}");
        }
        let answer = ask(Some(&nonce)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        assert_eq!(answer.header("dpop-nonce"), nonce, "{path}");
    }
}

#[tokio::test]
async fn rfc9449_8_nor_is_the_clients_assertion_spent() {
    use crate::domain::Registration;
    let fixture = with_nonces().await;
    let own = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = stampmill_jose::Jwks::new(vec![own.public_jwk()]).to_json();
    fixture
        .register("signer", |client: &mut Registration| {
            client.secret_method = None;
            client.jwks = Some(jwks);
            client.grant_types = vec![crate::domain::GrantType::ClientCredentials];
        })
        .await;
    let now = fixture.service.now();
    let assertion = serde_json::json!({
        "iss": "signer", "sub": "signer", "aud": ISSUER, "jti": "one", "iat": now, "exp": now + 60,
    });
    let assertion = own.sign_jwt("JWT", &assertion).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id=signer&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}&scope=profile"
    );
    let key = key();
    let first = post(&fixture, &[&proof(&fixture, &key, "/token")], &form).await;
    assert_eq!(first.error(), "use_dpop_nonce", "{first:?}");
    let again = proof_with(
        &fixture,
        &key,
        "POST",
        "/token",
        None,
        first.header("dpop-nonce"),
    );
    let answer = post(&fixture, &[&again], &form).await;
    assert!(
        answer.error() != "invalid_client",
        "the same assertion again: {answer:?}"
    );
}

/// Pushes a request of `native`, a public client, with these proofs.
async fn push(fixture: &Fixture, proofs: &[&str], more: &[(&str, &str)]) -> Answer {
    let mut parameters = vec![("client_id", "native"), ("redirect_uri", REDIRECT_URI)];
    parameters.extend(more);
    let form = ask_for(&parameters).split_once('?').unwrap().1.to_owned();
    let mut request =
        Request::post("/par").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    fixture.send(request.body(Body::from(form)).unwrap()).await
}

#[tokio::test]
async fn rfc9449_10_1_a_proof_at_the_par_endpoint_binds_the_code() {
    let fixture = Fixture::new().await;
    let (key, thief) = (key(), key());
    let good = proof(&fixture, &key, "/par");
    let elsewhere = proof(&fixture, &key, "/token");
    for (name, proofs, jkt) in [
        ("no JWT", vec!["x"], ""),
        ("for another address", vec![&*elsewhere], ""),
        ("two of them", vec![&*good, &*good], ""),
        ("another key than dpop_jkt", vec![&*good], thief.kid()),
    ] {
        let refused = push(&fixture, &proofs, &[("dpop_jkt", jkt)]).await;
        assert_eq!(
            (refused.status, refused.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
            "{name}"
        );
    }
    for jkt in ["", key.kid()] {
        let good = proof(&fixture, &key, "/par");
        let pushed = push(&fixture, &[&good], &[("dpop_jkt", jkt)]).await;
        assert_eq!(pushed.status, StatusCode::CREATED, "{pushed:?}");
        let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let path = format!("/authorize?client_id=native&request_uri={uri}");
        let back = Browser::default().through(&fixture, &path).await;
        let code = back.parameter("code").unwrap();
        let form = format!(
            "grant_type=authorization_code&client_id=native&code={code}&redirect_uri={REDIRECT_URI}&code_verifier={VERIFIER}"
        );
        for proofs in [vec![], vec![proof(&fixture, &thief, "/token")]] {
            let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
            let refused = post(&fixture, &proofs, &form).await;
            assert_eq!(refused.error(), "invalid_grant", "{refused:?}");
        }
        let tokens = post(&fixture, &[&proof(&fixture, &key, "/token")], &form).await;
        assert_eq!(tokens.json()["token_type"], "DPoP", "{tokens:?}");
    }
}

#[tokio::test]
async fn rfc9449_8_the_par_endpoint_asks_for_its_nonce_and_spends_nothing_before() {
    let fixture = with_nonces().await;
    let (own, key) = (key(), key());
    let jwks = stampmill_jose::Jwks::new(vec![own.public_jwk()]).to_json();
    fixture
        .register("signer", |client| {
            client.secret_method = None;
            client.jwks = Some(jwks);
        })
        .await;
    let now = fixture.service.now();
    let assertion = serde_json::json!({
        "iss": "signer", "sub": "signer", "aud": ISSUER, "jti": "one", "iat": now, "exp": now + 60,
    });
    let assertion = own.sign_jwt("JWT", &assertion).unwrap();
    let more = [
        ("client_id", "signer"),
        ("redirect_uri", "https://client.example/cb"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
    ];
    let form = ask_for(&more).split_once('?').unwrap().1.to_owned();
    let ask = async |proof: String| {
        let request = Request::post("/par")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("dpop", proof);
        let request = request.body(Body::from(form.clone())).unwrap();
        fixture.send(request).await
    };
    let first = ask(proof(&fixture, &key, "/par")).await;
    assert_eq!(
        (first.status, first.error().as_str()),
        (StatusCode::BAD_REQUEST, "use_dpop_nonce"),
        "{first:?}"
    );
    let nonce = first.header("dpop-nonce").to_owned();
    let with_nonce = proof_with(&fixture, &key, "POST", "/par", None, &nonce);
    let pushed = ask(with_nonce).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{pushed:?}");
    assert_eq!(pushed.header("dpop-nonce"), nonce, "§8.2: on success, too");
}
