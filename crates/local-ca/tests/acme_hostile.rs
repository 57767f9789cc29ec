//! Proves what the ACME server refuses: replays, other people's things, requests for more than was ordered, servers that lead it
//! elsewhere, and a store that does not take what it should.
#![allow(clippy::unwrap_used)]

mod acme_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use acme_support::{BASE, Client, Scene, challenge, csr, full, identifier, jwk, jws, send};
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, MacAlgorithm, SharedSecret, SigningKey, base64url};
use stampmill_local_ca::acme::ExternalKey;
use stampmill_local_ca::{Certificate, CertificateRequest, LeafKey, Reason};

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

// ---- requests ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_nonce_is_good_once_and_every_answer_brings_the_next() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let nonce = client.nonce().await;
    let header =
        json!({"alg": "ES256", "kid": client.kid, "nonce": nonce, "url": full("/new-order")});
    let order = json!({"identifiers": [identifier("localhost")]});
    let first = client.post_signed("/new-order", &header, &order).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_ne!(first.header("replay-nonce"), nonce);
    assert_eq!(first.header("cache-control"), "no-store");
    let again = client.post_signed("/new-order", &header, &order).await;
    assert_eq!((again.status.as_u16(), again.problem()), (400, "badNonce"));
    assert_eq!(again.header("content-type"), "application/problem+json");
    // with the fresh one it goes through (§6.5)
    let mut header = header;
    header["nonce"] = json!(again.header("replay-nonce"));
    let third = client.post_signed("/new-order", &header, &order).await;
    assert_eq!(third.status, StatusCode::CREATED);
    for foreign in [
        json!("AAAA"),
        json!(null),
        json!(Scene::new(|_| {}).client().await.nonce().await),
    ] {
        header["nonce"] = foreign;
        if header["nonce"].is_null() {
            header.as_object_mut().unwrap().remove("nonce");
        }
        let refused = client.post_signed("/new-order", &header, &order).await;
        assert_eq!(refused.problem(), "badNonce");
    }
    let get = scene.get("/new-nonce").await;
    assert_eq!(get.status, StatusCode::NO_CONTENT);
    assert_eq!(get.header("cache-control"), "no-store");
    get.header("replay-nonce");
}

#[tokio::test]
async fn a_request_is_good_at_its_own_address_under_its_own_key_only() {
    let scene = Scene::new(|_| {});
    let (alice, mallory) = (scene.client().await, scene.client().await);
    let order = json!({"identifiers": [identifier("localhost")]});
    let header = |url: &str, nonce: String| json!({"alg": "ES256", "kid": alice.kid, "nonce": nonce, "url": url});

    let elsewhere = header("https://other.test/acme/new-order", alice.nonce().await);
    let elsewhere = alice.post_signed("/new-order", &elsewhere, &order).await;
    assert_eq!(
        (elsewhere.status.as_u16(), elsewhere.problem()),
        (403, "unauthorized")
    );
    let other_path = header(&full("/revoke-cert"), alice.nonce().await);
    assert_eq!(
        alice
            .post_signed("/new-order", &other_path, &order)
            .await
            .problem(),
        "unauthorized"
    );

    // alice's account, mallory's key
    let forged = header(&full("/new-order"), alice.nonce().await);
    assert_eq!(
        mallory
            .post_signed("/new-order", &forged, &order)
            .await
            .problem(),
        "unauthorized"
    );

    let mut unknown = header(&full("/new-order"), alice.nonce().await);
    unknown["kid"] = json!(full("/account/nobody"));
    assert_eq!(
        alice
            .post_signed("/new-order", &unknown, &order)
            .await
            .problem(),
        "accountDoesNotExist"
    );
    assert_eq!(
        alice
            .post_as_key("/new-order", order.clone())
            .await
            .problem(),
        "malformed"
    );

    for algorithm in ["none", "HS256", "PS256", "RS256"] {
        let mut header = header(&full("/new-order"), alice.nonce().await);
        header["alg"] = json!(algorithm);
        let refused = alice.post_signed("/new-order", &header, &order).await;
        assert_eq!(refused.problem(), "badSignatureAlgorithm", "{algorithm}");
        assert_eq!(
            refused.body["algorithms"],
            json!(["RS256", "ES256", "ES384", "EdDSA"])
        );
    }
    // a public key is no secret: HMAC with it is not even tried
    let nonce = alice.nonce().await;
    let secret = SharedSecret::new(MacAlgorithm::Hs256, alice.jwk().to_string()).unwrap();
    let compact = secret.sign_jwt("JWT", &json!({"nonce": nonce})).unwrap();
    let parts: Vec<&str> = compact.split('.').collect();
    let mac = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
    assert_ne!(
        alice.post_bytes("/new-order", mac.to_string()).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn what_is_no_acme_request_is_told_so() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let plain = Request::post(full("/new-order")).header("content-type", "application/json");
    let plain = send(&scene.router, plain.body(Body::from("{}")).unwrap()).await;
    assert_eq!((plain.status.as_u16(), plain.problem()), (415, "malformed"));
    let large = client.post_bytes("/new-order", "x".repeat(65 * 1024)).await;
    assert_eq!((large.status.as_u16(), large.problem()), (413, "malformed"));
    let get = scene.get("/new-order").await;
    assert_eq!((get.status.as_u16(), get.problem()), (405, "malformed"));
    let nowhere = scene.get("/nowhere").await;
    assert_eq!(
        (nowhere.status.as_u16(), nowhere.problem()),
        (404, "malformed")
    );
    for body in [
        "",
        "{}",
        "[]",
        "{\"protected\":\"\",\"payload\":\"\",\"signature\":\"\"}",
        "\u{0}",
    ] {
        let refused = client.post_bytes("/new-order", body.to_owned()).await;
        assert_eq!(refused.problem(), "malformed", "{body:?}");
        refused.header("replay-nonce");
    }
    for payload in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({"identifiers": []}),
        json!({"identifiers": [1]}),
    ] {
        let refused = client.post("/new-order", payload.clone()).await;
        assert_eq!(refused.problem(), "malformed", "{payload}");
    }
    let many: Vec<Value> = (0..101)
        .map(|n| identifier(&format!("a{n}.test")))
        .collect();
    assert_eq!(
        client
            .post("/new-order", json!({"identifiers": many}))
            .await
            .problem(),
        "malformed"
    );
}

// ---- accounts ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_account_is_its_key() {
    let scene =
        Scene::new(|settings| settings.terms_of_service = Some("https://ca.test/terms".to_owned()));
    let stranger = scene.stranger(key());
    let none = stranger
        .post_as_key("/new-account", json!({"onlyReturnExisting": true}))
        .await;
    assert_eq!(none.problem(), "accountDoesNotExist");
    let no_terms = stranger.post_as_key("/new-account", json!({})).await;
    assert_eq!(
        (no_terms.status.as_u16(), no_terms.problem()),
        (403, "userActionRequired")
    );
    assert!(no_terms.header("link").contains("https://ca.test/terms"));
    for (contact, problem) in [
        (json!(["tel:+1"]), "unsupportedContact"),
        (json!(["mailto:a@b.test,c@d.test"]), "invalidContact"),
        (json!(["mailto:a@b.test?subject=x"]), "invalidContact"),
        (json!(["mailto:nobody"]), "invalidContact"),
        (json!("mailto:a@b.test"), "malformed"),
        (json!([1]), "malformed"),
    ] {
        let asked = json!({"termsOfServiceAgreed": true, "contact": contact});
        assert_eq!(
            stranger.post_as_key("/new-account", asked).await.problem(),
            problem,
            "{contact}"
        );
    }
    let asked = json!({"termsOfServiceAgreed": true, "contact": ["mailto:a@b.test"]});
    let made = stranger.post_as_key("/new-account", asked.clone()).await;
    assert_eq!(
        (made.status.as_u16(), made.body["status"].as_str()),
        (201, Some("valid"))
    );
    let again = stranger.post_as_key("/new-account", asked).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.header("location"), made.header("location"));

    let mut client = stranger;
    client.kid = Some(made.header("location"));
    let shown = client.post(&made.header("location"), Value::Null).await;
    assert_eq!(shown.body["contact"], json!(["mailto:a@b.test"]));
    let other = scene
        .client_with(key(), json!({"termsOfServiceAgreed": true}))
        .await;
    let foreign = other.post(&made.header("location"), Value::Null).await;
    assert_eq!(foreign.problem(), "unauthorized");

    let gone = client
        .post(&made.header("location"), json!({"status": "deactivated"}))
        .await;
    assert_eq!(gone.body["status"], "deactivated");
    let after = client.order(&["localhost"]).await;
    assert_eq!(
        (after.status.as_u16(), after.problem()),
        (401, "unauthorized")
    );
    let back = client
        .post_as_key("/new-account", json!({"termsOfServiceAgreed": true}))
        .await;
    assert_eq!(
        (back.status.as_u16(), back.problem()),
        (401, "unauthorized")
    );
}

#[tokio::test]
async fn a_binding_is_for_one_key_one_address_and_once() {
    let scene = Scene::new(|settings| settings.external_account_required = true);
    let external = ExternalKey::make(&scene.authority).unwrap();
    let secret = base64url::decode(external.hmac_key().as_str()).unwrap();
    let bind = |secret: &[u8], header: &Value, payload: &Value| {
        let protected = base64url::encode(header.to_string());
        let payload = base64url::encode(payload.to_string());
        let hmac = openssl::pkey::PKey::hmac(secret).unwrap();
        let digest = openssl::hash::MessageDigest::sha256();
        let mut signer = openssl::sign::Signer::new(digest, &hmac).unwrap();
        let mac = signer
            .sign_oneshot_to_vec(format!("{protected}.{payload}").as_bytes())
            .unwrap();
        json!({"protected": protected, "payload": payload, "signature": base64url::encode(mac)})
    };
    let good = json!({"alg": "HS256", "kid": external.kid(), "url": full("/new-account")});
    let changed = |member: &str, value: Value| {
        let mut header = good.clone();
        header[member] = value;
        header
    };
    let client = scene.stranger(key());
    let own = client.jwk();
    for (binding, problem) in [
        (bind(&[7; 32], &good, &own), "unauthorized"),
        (bind(&secret, &good, &jwk(&key())), "malformed"),
        (
            bind(&secret, &changed("kid", json!("nobody")), &own),
            "unauthorized",
        ),
        (
            bind(&secret, &changed("alg", json!("HS512")), &own),
            "unauthorized",
        ),
        (
            bind(&secret, &changed("alg", json!("none")), &own),
            "unauthorized",
        ),
        (
            bind(&secret, &changed("url", json!(full("/new-order"))), &own),
            "malformed",
        ),
        (
            bind(&secret, &changed("nonce", json!("n")), &own),
            "malformed",
        ),
        (json!("x"), "malformed"),
    ] {
        let asked = json!({"externalAccountBinding": binding});
        assert_eq!(
            client.post_as_key("/new-account", asked).await.problem(),
            problem,
            "{binding}"
        );
    }
    let asked = json!({"externalAccountBinding": bind(&secret, &good, &own)});
    let made = client.post_as_key("/new-account", asked).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert!(made.body["externalAccountBinding"].is_object());
    let other = scene.stranger(key());
    let asked = json!({"externalAccountBinding": bind(&secret, &good, &other.jwk())});
    assert_eq!(
        other.post_as_key("/new-account", asked).await.problem(),
        "unauthorized"
    );
}

#[tokio::test]
async fn a_key_is_changed_by_both_keys_together() {
    let scene = Scene::new(|_| {});
    let (alice, bob) = (scene.client().await, scene.client().await);
    let new = key();
    let url = full("/key-change");
    let payload = json!({"account": alice.kid, "oldKey": alice.jwk()});
    let header = json!({"alg": "ES256", "jwk": jwk(&new), "url": url});
    let with = |what: &Value, member: &str, value: Value| {
        let mut what = what.clone();
        what[member] = value;
        what
    };
    for (name, inner) in [
        ("signed by another key", jws(&key(), &header, &payload)),
        (
            "for bob's account",
            jws(&new, &header, &with(&payload, "account", json!(bob.kid))),
        ),
        (
            "another old key",
            jws(&new, &header, &with(&payload, "oldKey", jwk(&key()))),
        ),
        (
            "with a nonce",
            jws(&new, &with(&header, "nonce", json!("n")), &payload),
        ),
        (
            "for another address",
            jws(
                &new,
                &with(&header, "url", json!(full("/new-order"))),
                &payload,
            ),
        ),
        ("no JWS", json!({})),
    ] {
        let refused = alice.post("/key-change", inner).await;
        assert!(refused.status.is_client_error(), "{name}: {}", refused.body);
    }
    let taken = json!({"alg": "ES256", "jwk": bob.jwk(), "url": url});
    let taken = alice
        .post("/key-change", jws(&bob.key, &taken, &payload))
        .await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert_eq!(taken.header("location"), *bob.kid.as_ref().unwrap());

    let done = alice
        .post("/key-change", jws(&new, &header, &payload))
        .await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(
        alice.order(&["localhost"]).await.problem(),
        "unauthorized",
        "the old key"
    );
    let after = Client {
        key: new,
        kid: alice.kid.clone(),
        router: scene.router.clone(),
    };
    assert_eq!(
        after.order(&["localhost"]).await.status,
        StatusCode::CREATED
    );
}

// ---- orders --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn names_outside_the_constraints_are_refused_at_once_and_by_name() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let refused = client.order(&["a.test", "bank.example", "8.8.8.8"]).await;
    assert_eq!(refused.problem(), "rejectedIdentifier");
    let about: Vec<&str> = refused.body["subproblems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["identifier"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(about, ["bank.example", "8.8.8.8"]);
    for (identifiers, problem) in [
        (
            json!([{"type": "email", "value": "a@b.test"}]),
            "unsupportedIdentifier",
        ),
        (json!([{"type": "dns", "value": "127.0.0.1"}]), "malformed"),
        (
            json!([{"type": "dns", "value": "b\u{fc}cher.test"}]),
            "malformed",
        ),
        (json!([{"type": "dns"}]), "malformed"),
    ] {
        let refused = client
            .post("/new-order", json!({"identifiers": identifiers}))
            .await;
        assert_eq!(refused.problem(), problem, "{identifiers}");
    }
    let only_http = Scene::new(|settings| settings.challenges = vec!["http-01".parse().unwrap()]);
    let wildcard = only_http.client().await.order(&["*.example.test"]).await;
    assert_eq!(wildcard.problem(), "rejectedIdentifier");
    let profile = json!({"identifiers": [identifier("a.test")], "profile": "bank"});
    assert_eq!(
        client.post("/new-order", profile).await.problem(),
        "invalidProfile"
    );
}

#[tokio::test]
async fn a_life_is_shorter_if_asked_and_never_longer() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let now = stampmill_local_ca::now();
    let moment = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap().to_string();
    let ask = |from: i64, to: i64| json!({"identifiers": [identifier("127.0.0.1")], "notBefore": moment(from), "notAfter": moment(to)});
    for (from, to) in [
        (now, now - 1),
        (now, now + 91 * 86_400),
        (now - 86_400, now + 86_400),
        (now + 500, now + 400),
    ] {
        assert_eq!(
            client.post("/new-order", ask(from, to)).await.problem(),
            "malformed"
        );
    }
    let mut odd = ask(now, now + 60);
    odd["notAfter"] = json!("tomorrow");
    assert_eq!(client.post("/new-order", odd).await.problem(), "malformed");
    client.ready(&scene.world, &["127.0.0.1"]).await;
    let order = client.post("/new-order", ask(now, now + 7200)).await;
    assert_eq!(
        order.body["status"], "ready",
        "the proof of a moment ago holds"
    );
    let (request, _) = csr(&["127.0.0.1"]);
    let valid = client
        .post(&order.text("finalize"), json!({"csr": request}))
        .await;
    let chain = client.post(&valid.text("certificate"), Value::Null).await;
    let leaf = Certificate::from_pem(chain.text.as_bytes()).unwrap();
    assert_eq!((leaf.not_before(), leaf.not_after()), (now, now + 7200));
}

#[tokio::test]
async fn what_is_another_accounts_stays_so() {
    let scene = Scene::new(|_| {});
    let (alice, mallory) = (scene.client().await, scene.client().await);
    let chain = alice.certificate(&scene.world, &["app.test"]).await;
    let pending = alice.order(&["b.test"]).await;
    let authorization = pending.body["authorizations"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = alice.post(&authorization, Value::Null).await;
    let (challenge, _) = challenge(&shown.body, "http-01");
    let serial = Certificate::from_pem(chain.as_bytes()).unwrap().serial();
    let (csr, _) = csr(&["b.test"]);
    for (url, payload) in [
        (pending.header("location"), Value::Null),
        (pending.text("finalize"), json!({"csr": csr})),
        (authorization.clone(), Value::Null),
        (authorization, json!({"status": "deactivated"})),
        (challenge.clone(), Value::Null),
        (challenge, json!({})),
        (full(&format!("/certificate/{serial}")), Value::Null),
        (
            format!("{}/orders", alice.kid.as_ref().unwrap()),
            Value::Null,
        ),
    ] {
        let refused = mallory.post(&url, payload).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (403, "unauthorized"),
            "{url}"
        );
    }
    let list = alice
        .post(
            &format!("{}/orders", alice.kid.as_ref().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(list.body["orders"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_request_is_for_exactly_what_was_ordered() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let pending = client.order(&["b.test"]).await;
    let early = client
        .post(
            &pending.text("finalize"),
            json!({"csr": csr(&["b.test"]).0}),
        )
        .await;
    assert_eq!(
        (early.status.as_u16(), early.problem()),
        (403, "orderNotReady")
    );

    let order = client.ready(&scene.world, &["app.test", "127.0.0.1"]).await;
    assert_eq!(order.body["status"], "ready");
    let finalize = order.text("finalize");
    let account_key = LeafKey::from_pkcs8_pem(&client.key.to_pkcs8_pem()).unwrap();
    let names = ["app.test".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let by_account_key = CertificateRequest::for_key(&account_key, "", &names).unwrap();
    let mut damaged = base64url::decode(csr(&["app.test", "127.0.0.1"]).0).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    for (what, csr) in [
        ("fewer", csr(&["app.test"]).0),
        ("more", csr(&["app.test", "127.0.0.1", "bank.test"]).0),
        ("others", csr(&["app.test", "127.0.0.2"]).0),
        ("a wildcard", csr(&["*.app.test", "127.0.0.1"]).0),
        (
            "the account's key",
            base64url::encode(by_account_key.to_der()),
        ),
        ("damaged", base64url::encode(damaged)),
        ("nothing", String::new()),
        ("padded", "AAAA====".to_owned()),
    ] {
        let refused = client.post(&finalize, json!({"csr": csr})).await;
        assert_eq!(refused.problem(), "badCSR", "{what}: {}", refused.body);
    }
    assert_eq!(scene.issued(), 0);
    // in another order and another case
    let (good, _) = csr(&["127.0.0.1", "APP.test"]);
    let valid = client.post(&finalize, json!({"csr": good})).await;
    assert_eq!(valid.body["status"], "valid");
    let again = client.post(&finalize, json!({"csr": good})).await;
    assert_eq!(
        (again.status.as_u16(), again.problem()),
        (403, "orderNotReady"),
        "§7.4: an order that is valid is not ready"
    );
    let shown = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(shown.body["certificate"], valid.body["certificate"]);
    assert_eq!(scene.issued(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_requests_at_once_one_is_issued() {
    let scene = Arc::new(Scene::new(|_| {}));
    let client = Arc::new(scene.client().await);
    let order = client.ready(&scene.world, &["app.test"]).await;
    let tries = (0..8).map(|_| {
        let (client, finalize) = (Arc::clone(&client), order.text("finalize"));
        tokio::spawn(async move {
            let (csr, _) = csr(&["app.test"]);
            client.post(&finalize, json!({"csr": csr})).await
        })
    });
    let mut certificates = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        let answer = one.await.unwrap();
        match answer.status {
            StatusCode::OK => certificates.push(answer.text("certificate")),
            // each brought a key of its own, and nobody is told that it was certified
            _ => assert_eq!(answer.problem(), "orderNotReady"),
        }
    }
    assert_eq!(certificates.len(), 1, "{certificates:?}");
    assert_eq!(scene.issued(), 1);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_handed_out() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let order = client.ready(&scene.world, &["app.test"]).await;
    let other_process = rusqlite::Connection::open(scene.database()).unwrap();
    let (csr, _) = csr(&["app.test"]);
    for trouble in [
        "BEFORE INSERT ON certificate",
        "BEFORE INSERT ON name",
        "BEFORE UPDATE OF serial ON acme_order",
    ] {
        let full =
            format!("CREATE TRIGGER full {trouble} BEGIN SELECT RAISE(FAIL, 'disk is full'); END");
        other_process.execute_batch(&full).unwrap();
        let refused = client
            .post(&order.text("finalize"), json!({"csr": csr}))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (500, "serverInternal")
        );
        assert!(
            !refused.text.contains("full"),
            "the log tells, not the answer"
        );
        assert_eq!(scene.issued(), 0, "{trouble}: nothing is half recorded");
        other_process.execute_batch("DROP TRIGGER full").unwrap();
        let still = client.post(&order.header("location"), Value::Null).await;
        assert_eq!(still.body["status"], "ready");
    }
    let valid = client
        .post(&order.text("finalize"), json!({"csr": csr}))
        .await;
    assert_eq!(valid.body["status"], "valid");
    assert_eq!(scene.issued(), 1);
}

#[tokio::test]
async fn orders_and_proofs_end() {
    let now = Arc::new(AtomicI64::new(stampmill_local_ca::now()));
    let clock = Arc::clone(&now);
    let scene = Scene::at(|_| {}, move || clock.load(Ordering::SeqCst));
    let client = scene.client().await;
    let ready = client.ready(&scene.world, &["app.test"]).await;
    let reused = client.order(&["app.test"]).await;
    assert_eq!(reused.body["status"], "ready");
    // the proof holds for an hour
    now.fetch_add(3601, Ordering::SeqCst);
    let late = client.post(&ready.header("location"), Value::Null).await;
    assert_eq!(late.body["status"], "invalid");
    let refused = client
        .post(
            &ready.text("finalize"),
            json!({"csr": csr(&["app.test"]).0}),
        )
        .await;
    assert_eq!(refused.problem(), "orderNotReady");
    let anew = client.order(&["app.test"]).await;
    assert_eq!(anew.body["status"], "pending");
    // an order a day
    now.fetch_add(86_401, Ordering::SeqCst);
    let late = client.post(&anew.header("location"), Value::Null).await;
    assert_eq!(late.body["status"], "invalid");

    let ready = client.ready(&scene.world, &["127.0.0.1"]).await;
    let authorization = ready.body["authorizations"][0].as_str().unwrap();
    let gone = client
        .post(authorization, json!({"status": "deactivated"}))
        .await;
    assert_eq!(gone.body["status"], "deactivated");
    let after = client.post(&ready.header("location"), Value::Null).await;
    assert_eq!(after.body["status"], "invalid");
}

#[tokio::test]
async fn too_many_of_anything_are_told_when_to_come_again() {
    let scene = Scene::new(|settings| {
        settings.limits.accounts_per_hour = 1;
        settings.limits.orders_per_hour = 3;
        settings.limits.failures_per_hour = 1;
    });
    let client = scene.client().await;
    let second = scene
        .stranger(key())
        .post_as_key("/new-account", json!({}))
        .await;
    assert_eq!(
        (second.status.as_u16(), second.problem()),
        (429, "rateLimited")
    );
    let wait: i64 = second.header("retry-after").parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");

    failed(&scene, &client, "a.test", |_, _| {}).await;
    assert_eq!(client.order(&["a.test"]).await.problem(), "rateLimited");
    client.order(&["b.test"]).await;
    client.order(&["b.test"]).await;
    assert_eq!(client.order(&["b.test"]).await.problem(), "rateLimited");
}

// ---- validation ----------------------------------------------------------------------------------------------------

/// Orders `name`, sets the world up with token and proof, and returns the problem of http-01.
async fn failed(scene: &Scene, client: &Client, name: &str, put: impl FnOnce(&str, &str)) -> Value {
    let order = client.order(&[name]).await;
    let authorization = order.body["authorizations"][0].as_str().unwrap();
    let shown = client.post(authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "http-01");
    put(
        &format!("/.well-known/acme-challenge/{token}"),
        &client.proof(&token),
    );
    let started = client.post(&url, json!({})).await;
    assert_eq!(started.status, StatusCode::OK, "{}", started.body);
    assert!(
        started.header("link").contains("up") || started.headers.get_all("link").iter().count() > 1
    );
    let decided = client.decided(authorization).await;
    assert_eq!(decided.body["status"], "invalid", "{}", decided.body);
    let order = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(order.body["status"], "invalid");
    let challenges = decided.body["challenges"].as_array().unwrap();
    assert_eq!(challenges.len(), 1, "the one that decided");
    assert_eq!(scene.issued(), 0);
    challenges[0]["error"].clone()
}

fn kind(error: &Value) -> &str {
    let kind = error["type"].as_str().unwrap();
    kind.strip_prefix("urn:ietf:params:acme:error:").unwrap()
}

#[tokio::test]
async fn validation_goes_nowhere_but_where_it_may() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let world = scene.world.clone();

    world.name("metadata.test", &["169.254.169.254"]);
    let error = failed(&scene, &client, "metadata.test", |_, _| {}).await;
    assert_eq!(kind(&error), "connection");
    assert!(
        !error["detail"].as_str().unwrap().contains("169.254"),
        "{error}"
    );
    world.name("both.test", &["127.0.0.1", "10.0.0.1"]);
    assert_eq!(
        kind(&failed(&scene, &client, "both.test", |_, _| {}).await),
        "connection"
    );
    world.name("mapped.test", &["::ffff:10.0.0.1"]);
    assert_eq!(
        kind(&failed(&scene, &client, "mapped.test", |_, _| {}).await),
        "connection"
    );
    assert_eq!(
        kind(&failed(&scene, &client, "nowhere.test", |_, _| {}).await),
        "dns"
    );
    assert_eq!(
        kind(&failed(&scene, &client, "10.1.2.3", |_, _| {}).await),
        "connection"
    );
    assert!(world.connections().is_empty(), "{:?}", world.connections());

    // an honest name that leads away
    world.name("a.test", &["127.0.0.1"]);
    for to in [
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.test/",
        "https://10.0.0.1/",
        "http://127.0.0.1:6379/",
        "ftp://a.test/",
        "http://user:secret@a.test/",
        "gopher:x",
    ] {
        let error = failed(&scene, &client, "a.test", |path, _| {
            world.redirect(path, to)
        })
        .await;
        assert_eq!(kind(&error), "connection", "{to}: {error}");
    }
    assert!(
        world
            .connections()
            .iter()
            .all(|address| address.to_string() == "127.0.0.1:80"),
        "{:?}",
        world.connections()
    );
    let error = failed(&scene, &client, "a.test", |path, _| {
        world.redirect(path, path)
    })
    .await;
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("more than 10 redirects"),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_to_where_it_may_is_followed() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    scene.world.name("a.test", &["127.0.0.1"]);
    scene.world.name("b.test", &["127.0.0.3"]);
    let order = client.order(&["a.test"]).await;
    let authorization = order.body["authorizations"][0].as_str().unwrap();
    let shown = client.post(authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "http-01");
    let path = format!("/.well-known/acme-challenge/{token}");
    scene.world.redirect(&path, "http://b.test/elsewhere");
    scene
        .world
        .page("/elsewhere", &format!("{}  \n", client.proof(&token)));
    client.post(&url, json!({})).await;
    assert_eq!(client.decided(authorization).await.body["status"], "valid");
    // once decided, it stays so
    let again = client.post(&url, json!({})).await;
    assert_eq!(again.body["status"], "valid");
    assert_eq!(scene.world.connections().len(), 2);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    // rebinding: loopback for the check, something inside for the connection
    scene.world.name("a.test", &["127.0.0.9"]);
    scene.world.name("a.test", &["10.0.0.1"]);
    let error = failed(&scene, &client, "a.test", |_, _| {}).await;
    assert_eq!(
        kind(&error),
        "incorrectResponse",
        "404 of the first address"
    );
    assert_eq!(scene.world.asked("a.test"), 1);
    assert_eq!(scene.world.connections()[0].to_string(), "127.0.0.9:80");
}

#[tokio::test]
async fn only_the_key_authorization_is_good() {
    let scene = Scene::new(|_| {});
    let (client, mallory) = (scene.client().await, scene.client().await);
    let world = &scene.world;
    world.name("a.test", &["127.0.0.1"]);
    let token = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let error = failed(&scene, &client, "a.test", |path, _| {
        world.page(path, &mallory.proof(&token(path)))
    })
    .await;
    assert_eq!(kind(&error), "incorrectResponse");
    for put in [
        |proof: &str| format!("x{proof}"),
        |proof: &str| format!("{proof}x"),
        |proof: &str| proof.split('.').next().unwrap().to_owned(),
        |_: &str| String::new(),
    ] {
        let error = failed(&scene, &client, "a.test", |path, proof| {
            world.page(path, &put(proof))
        })
        .await;
        assert_eq!(kind(&error), "incorrectResponse");
    }
    let large = "x".repeat(100_000);
    let error = failed(&scene, &client, "a.test", |path, _| {
        world.page(path, &large)
    })
    .await;
    assert_eq!(kind(&error), "connection", "{error}");
    let error = failed(&scene, &client, "a.test", |path, _| {
        world.answer(path, "SSH-2.0-x\r\n".to_owned())
    })
    .await;
    assert_eq!(kind(&error), "connection", "{error}");
    let evil = "\u{1b}[2J<script>".to_owned();
    let error = failed(&scene, &client, "a.test", |path, _| world.page(path, &evil)).await;
    assert!(
        !error["detail"].as_str().unwrap().contains('\u{1b}'),
        "{error}"
    );
}

#[tokio::test]
async fn caa_records_are_honoured_where_the_operator_has_a_name() {
    let scene = Scene::new(|settings| settings.caa_identities = vec!["ca.internal".to_owned()]);
    let client = scene.client().await;
    scene.world.name("app.other.test", &["127.0.0.1"]);
    scene.world.caa("other.test", "someone-else.test");
    let put = |path: &str, proof: &str| scene.world.page(path, proof);
    let error = failed(&scene, &client, "app.other.test", put).await;
    assert_eq!(kind(&error), "caa");
    scene
        .world
        .caa("app.test", "ca.internal; validationmethods=http-01");
    client.ready(&scene.world, &["app.test"]).await;
    assert!(scene.get("/directory").await.text.contains("ca.internal"));
}

// ---- after issuing -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_certificate_is_revoked_by_whom_it_belongs_to() {
    let scene = Scene::new(|_| {});
    let (alice, mallory) = (scene.client().await, scene.client().await);
    let revoke = |chain: &str, reason: Value| {
        let der = Certificate::from_pem(chain.as_bytes()).unwrap().der();
        json!({"certificate": base64url::encode(der), "reason": reason})
    };
    let chain = alice.certificate(&scene.world, &["app.test"]).await;
    let refused = mallory.post("/revoke-cert", revoke(&chain, json!(0))).await;
    assert_eq!(refused.problem(), "unauthorized");
    let stranger = scene
        .stranger(key())
        .post_as_key("/revoke-cert", revoke(&chain, json!(0)))
        .await;
    assert_eq!(stranger.problem(), "unauthorized");
    for reason in [
        json!(2),
        json!(6),
        json!(7),
        json!(8),
        json!(10),
        json!(-1),
        json!("1"),
        json!(300),
    ] {
        let refused = alice
            .post("/revoke-cert", revoke(&chain, reason.clone()))
            .await;
        assert_eq!(refused.problem(), "badRevocationReason", "{reason}");
    }
    // another holder of the name, who does not hold the key
    mallory.ready(&scene.world, &["app.test"]).await;
    let key_of_others = mallory.post("/revoke-cert", revoke(&chain, json!(1))).await;
    assert_eq!(key_of_others.problem(), "badRevocationReason");
    let done = mallory.post("/revoke-cert", revoke(&chain, json!(4))).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let twice = alice.post("/revoke-cert", revoke(&chain, json!(0))).await;
    assert_eq!(twice.problem(), "alreadyRevoked");

    // by the certificate's own key, which is then certified never again
    let order = alice.ready(&scene.world, &["app.test"]).await;
    let (request, leaf_key) = csr(&["app.test"]);
    let valid = alice
        .post(&order.text("finalize"), json!({"csr": request}))
        .await;
    let chain = alice
        .post(&valid.text("certificate"), Value::Null)
        .await
        .text;
    let holder = SigningKey::from_pkcs8_pem(&leaf_key.to_pkcs8_pem()).unwrap();
    let done = scene
        .stranger(holder)
        .post_as_key("/revoke-cert", revoke(&chain, json!(1)))
        .await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let entry = scene.authority.store().unwrap();
    let entry = entry
        .find(&Certificate::from_pem(chain.as_bytes()).unwrap().serial())
        .unwrap();
    assert_eq!(
        entry.revoked.map(|(_, reason)| reason),
        Some(Reason::KeyCompromise)
    );
    let order = alice.ready(&scene.world, &["app.test"]).await;
    let again = alice
        .post(&order.text("finalize"), json!({"csr": request}))
        .await;
    assert_eq!(again.problem(), "badCSR", "{}", again.body);

    let other = Scene::new(|_| {});
    let foreign = other
        .client()
        .await
        .certificate(&other.world, &["app.test"])
        .await;
    let unknown = alice.post("/revoke-cert", revoke(&foreign, json!(0))).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for bad in [
        json!({}),
        json!({"certificate": "AAAA"}),
        json!({"certificate": 1}),
    ] {
        assert_eq!(alice.post("/revoke-cert", bad).await.problem(), "malformed");
    }
}

#[tokio::test]
async fn renewal_information_is_for_certificates_of_ours() {
    let scene = Scene::new(|_| {});
    let (alice, bob) = (scene.client().await, scene.client().await);
    let chain = alice.certificate(&scene.world, &["app.test"]).await;
    let leaf = Certificate::from_pem(chain.as_bytes()).unwrap();
    let id = certificate_id(&leaf);
    let info = scene.get(&format!("/renewal-info/{id}")).await;
    assert_eq!(info.status, StatusCode::OK, "{}", info.body);
    assert_eq!(info.header("retry-after"), "21600");
    let (key, serial) = id.split_once('.').unwrap();
    for (path, status) in [
        (format!("{key}.{}", base64url::encode([1, 2, 3])), 404),
        (format!("{}.{serial}", base64url::encode([0; 20])), 404),
        (serial.to_owned(), 400),
        (format!("{key}.!"), 400),
    ] {
        let refused = scene.get(&format!("/renewal-info/{path}")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (status, "malformed"),
            "{path}"
        );
    }
    let replacing = |names: &[&str]| {
        let identifiers: Vec<Value> = names.iter().map(|name| identifier(name)).collect();
        json!({"identifiers": identifiers, "replaces": id})
    };
    assert_eq!(
        bob.post("/new-order", replacing(&["app.test"]))
            .await
            .problem(),
        "unauthorized"
    );
    assert_eq!(
        alice
            .post("/new-order", replacing(&["b.test"]))
            .await
            .problem(),
        "malformed"
    );
    let good = alice
        .post("/new-order", replacing(&["app.test", "b.test"]))
        .await;
    assert_eq!(good.body["replaces"], json!(id));
    let twice = alice.post("/new-order", replacing(&["app.test"])).await;
    assert_eq!(
        (twice.status.as_u16(), twice.problem()),
        (409, "alreadyReplaced")
    );
    // an order that came to nothing replaces nothing
    let authorization = good.body["authorizations"][1].as_str().unwrap();
    alice
        .post(authorization, json!({"status": "deactivated"}))
        .await;
    let anew = alice.post("/new-order", replacing(&["app.test"])).await;
    assert_eq!(anew.status, StatusCode::CREATED, "{}", anew.body);
}

/// RFC 9773 §4.1, by x509-parser.
fn certificate_id(leaf: &Certificate) -> String {
    use x509_parser::prelude::*;
    let der = leaf.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let mut extensions = certificate.extensions().iter();
    let key = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.clone(),
        _ => None,
    });
    let (key, serial) = (key.unwrap(), certificate.raw_serial());
    format!("{}.{}", base64url::encode(key.0), base64url::encode(serial))
}

#[tokio::test]
async fn the_directory_says_where_everything_is() {
    let scene = Scene::new(|settings| settings.external_account_required = true);
    let directory = scene.get("/directory").await;
    for member in [
        "newNonce",
        "newAccount",
        "newOrder",
        "revokeCert",
        "keyChange",
        "renewalInfo",
    ] {
        assert!(directory.text(member).starts_with(BASE), "{member}");
    }
    assert_eq!(directory.body["meta"]["externalAccountRequired"], true);
    assert!(directory.body["meta"]["profiles"]["shortlived"].is_string());
    let client = scene
        .stranger(key())
        .post_as_key("/new-account", json!({}))
        .await;
    assert_eq!(client.problem(), "externalAccountRequired");
    assert!(
        client
            .headers
            .get_all("link")
            .iter()
            .any(|link| link.to_str().unwrap().contains("rel=\"index\""))
    );
}
