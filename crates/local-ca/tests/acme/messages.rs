//! Proves what RFC 8555 §6 and §7.1.1 ask of every message: one key, one signature, its own address, a nonce good once; problem documents;
//! the directory.

use stampmill_jose::{MacAlgorithm, SharedSecret};

use crate::support::*;

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

#[tokio::test]
async fn section_6_2_a_jws_has_one_key_one_signature_and_nothing_unprotected() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let url = full("/new-order");
    let order = json!({"identifiers": [identifier("localhost")]});
    let header =
        |nonce: String| json!({"alg": "ES256", "kid": client.kid, "nonce": nonce, "url": url});
    let private = {
        let mut private = client.jwk();
        private["d"] = json!("AAAA");
        private
    };
    for (member, value, problem) in [
        ("jwk", client.jwk(), "malformed"),
        ("crit", json!([]), "malformed"),
        ("b64", json!(false), "malformed"),
        (
            "kid",
            json!(format!("{BASE}/account/")),
            "accountDoesNotExist",
        ),
        (
            "kid",
            json!("https://other.test/acme/account/1"),
            "accountDoesNotExist",
        ),
        ("kid", json!(7), "malformed"),
        ("url", Value::Null, "malformed"),
        ("alg", json!(["ES256"]), "malformed"),
        ("alg", json!("es256"), "badSignatureAlgorithm"),
    ] {
        let mut header = header(client.nonce().await);
        header[member] = value.clone();
        let refused = client.post_signed("/new-order", &header, &order).await;
        assert_eq!(refused.problem(), problem, "{member}: {value}");
    }
    let mut by_key =
        json!({"alg": "ES256", "nonce": client.nonce().await, "url": full("/new-account")});
    by_key["jwk"] = private;
    let refused = client
        .post_signed("/new-account", &by_key, &json!({}))
        .await;
    assert_eq!(refused.problem(), "badPublicKey", "{}", refused.body);

    let good = jws(&client.key, &header(client.nonce().await), &order);
    for (member, value) in [
        ("header", json!({"kid": client.kid})),
        ("signatures", json!([])),
        ("signature", Value::Null),
    ] {
        let mut changed = good.clone();
        changed[member] = value;
        let refused = client.post_bytes("/new-order", changed.to_string()).await;
        assert_eq!(refused.problem(), "malformed", "{member}");
    }
    let twice = good.to_string().replacen('{', "{\"payload\":\"\",", 1);
    assert_eq!(
        client.post_bytes("/new-order", twice).await.problem(),
        "malformed"
    );
    let sent = client.post_bytes("/new-order", good.to_string()).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
}

#[tokio::test]
async fn section_6_3_everything_is_read_by_post_and_get_reads_three_things_only() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let directory = client.post("/directory", Value::Null).await;
    assert_eq!(directory.body, scene.get("/directory").await.body);
    let nonce = client.post("/new-nonce", Value::Null).await;
    assert_eq!(nonce.status, StatusCode::OK);
    nonce.header("replay-nonce");
    let not_empty = client.post("/directory", json!({})).await;
    assert_eq!(not_empty.problem(), "malformed");
    for path in [
        "/new-account",
        "/account/a",
        "/account/a/orders",
        "/key-change",
        "/new-order",
        "/order/a",
        "/order/a/finalize",
        "/authorization/a",
        "/challenge/a",
        "/certificate/a",
        "/revoke-cert",
    ] {
        let refused = scene.get(path).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (405, "malformed"),
            "{path}"
        );
        refused.header("replay-nonce");
        assert!(
            links(&refused)
                .iter()
                .any(|link| link.contains("rel=\"index\"")),
            "§7.1: {path}"
        );
    }
}

#[tokio::test]
async fn section_6_5_a_nonce_is_base64url_and_ends_with_the_process() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let order = json!({"identifiers": [identifier("localhost")]});
    let header = |nonce: &str| json!({"alg": "ES256", "kid": client.kid, "nonce": nonce, "url": full("/new-order")});
    for (nonce, problem) in [
        ("not base64url!", "malformed"),
        ("AA==", "malformed"),
        ("", "badNonce"),
    ] {
        let refused = client
            .post_signed("/new-order", &header(nonce), &order)
            .await;
        assert_eq!(refused.problem(), problem, "§6.5.2: {nonce}");
    }
    let before = client.nonce().await;
    let after = Client {
        router: scene.restarted(|_| {}),
        key: key(),
        kid: client.kid.clone(),
    };
    let after = Client {
        key: client.key,
        ..after
    };
    for _ in 0..20 {
        // so that the counter in the old one is one of the new process's, too
        after.nonce().await;
    }
    let refused = after
        .post_signed("/new-order", &header(&before), &order)
        .await;
    assert_eq!(refused.problem(), "badNonce");
    let fresh = refused.header("replay-nonce");
    let again = after
        .post_signed("/new-order", &header(&fresh), &order)
        .await;
    assert_eq!(
        again.status,
        StatusCode::CREATED,
        "the account is still there"
    );
}

#[tokio::test]
async fn section_6_7_1_what_is_wrong_with_each_name_is_told_of_all() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let refused = client
        .order(&["a_b.test", "good.test", "bank.example", "b\u{fc}cher.test"])
        .await;
    assert_eq!(refused.problem(), "compound", "{}", refused.body);
    let about: Vec<(&str, &str)> = refused.body["subproblems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["identifier"]["value"].as_str().unwrap(),
                one["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        about,
        [
            ("a_b.test", "urn:ietf:params:acme:error:malformed"),
            (
                "bank.example",
                "urn:ietf:params:acme:error:rejectedIdentifier"
            ),
            ("b\u{fc}cher.test", "urn:ietf:params:acme:error:malformed"),
        ]
    );
    let same = client.order(&["x.example", "y.example"]).await;
    assert_eq!(same.problem(), "rejectedIdentifier");
}

#[tokio::test]
async fn a_request_without_a_body_or_under_another_type_is_told_so() {
    let scene = Scene::new(|_| {});
    for kind in [
        "application/jose",
        "application/jose+json; charset=utf-8",
        "text/plain",
        "",
    ] {
        let request = Request::post(full("/new-order")).header("content-type", kind);
        let refused = send(&scene.router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (415, "malformed"),
            "{kind}"
        );
    }
}
