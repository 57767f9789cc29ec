//! Proves what RFC 8555 §7.3 asks: an account is its key, bound to an operator's key where one is asked for, changed by both keys
//! together, and refused everywhere once it ended.

use crate::support::*;

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

#[tokio::test]
async fn section_7_3_2_an_account_changes_wholly_or_not_at_all() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let address = client.kid.clone().unwrap();
    for (asked, problem) in [
        (
            json!({"status": "deactivated", "contact": ["tel:+1"]}),
            "unsupportedContact",
        ),
        (
            json!({"contact": ["mailto:a@b.test"], "termsOfServiceAgreed": 1}),
            "malformed",
        ),
        (
            json!({"contact": ["mailto:a@b.test"], "status": "valid"}),
            "malformed",
        ),
        (json!({"contact": [], "status": null}), "malformed"),
    ] {
        assert_eq!(
            client.post(&address, asked.clone()).await.problem(),
            problem,
            "{asked}"
        );
        let shown = client.post(&address, Value::Null).await;
        assert_eq!(shown.body["status"], "valid");
        assert_eq!(shown.body.get("contact"), None, "{asked}");
    }
    let changed = client
        .post(
            &address,
            json!({"contact": ["mailto:a@b.test"], "orders": "x"}),
        )
        .await;
    assert_eq!(changed.body["contact"], json!(["mailto:a@b.test"]));
    assert_ne!(changed.body["orders"], "x", "§7.3.2: the server ignores it");
    let none = client.post(&address, json!({"contact": []})).await;
    assert_eq!(none.body.get("contact"), None);
}

#[tokio::test]
async fn section_7_3_3_terms_that_changed_are_agreed_to_again_where_the_operator_says() {
    let terms = |url: &'static str, again| {
        move |settings: &mut stampmill_local_ca::acme::AcmeSettings| {
            settings.terms_of_service = Some(url.to_owned());
            settings.terms_asked_again = again;
        }
    };
    let scene = Scene::new(terms("https://ca.test/terms-1", true));
    let client = scene
        .client_with(key(), json!({"termsOfServiceAgreed": true}))
        .await;
    assert_eq!(
        client.order(&["localhost"]).await.status,
        StatusCode::CREATED
    );

    let quiet = Client {
        router: scene.restarted(terms("https://ca.test/terms-2", false)),
        ..client
    };
    assert_eq!(
        quiet.order(&["localhost"]).await.status,
        StatusCode::CREATED
    );
    let asked = Client {
        router: scene.restarted(terms("https://ca.test/terms-2", true)),
        ..quiet
    };
    let refused = asked.order(&["localhost"]).await;
    assert_eq!(
        (refused.status.as_u16(), refused.problem()),
        (403, "userActionRequired")
    );
    assert_eq!(refused.body["instance"], "https://ca.test/terms-2");
    assert!(
        links(&refused).contains(&"<https://ca.test/terms-2>;rel=\"terms-of-service\"".to_owned())
    );
    let address = asked.kid.clone().unwrap();
    asked
        .post(&address, json!({"termsOfServiceAgreed": false}))
        .await;
    assert_eq!(
        asked.order(&["localhost"]).await.problem(),
        "userActionRequired"
    );
    asked
        .post(&address, json!({"termsOfServiceAgreed": true}))
        .await;
    assert_eq!(
        asked.order(&["localhost"]).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn section_7_3_5_the_same_key_is_taken_and_a_changed_account_is_not_changed_over() {
    let scene = Scene::new(|_| {});
    let alice = scene.client().await;
    let url = full("/key-change");
    let change = |to: &SigningKey, old: &Value| {
        let header = json!({"alg": "ES256", "jwk": jwk(to), "url": url});
        jws(to, &header, &json!({"account": alice.kid, "oldKey": old}))
    };
    let same = alice
        .post("/key-change", change(&alice.key, &alice.jwk()))
        .await;
    assert_eq!(same.status, StatusCode::CONFLICT);
    assert_eq!(same.header("location"), *alice.kid.as_ref().unwrap());
    let by_kid = json!({"alg": "ES256", "kid": alice.kid, "url": url});
    let payload = json!({"account": alice.kid, "oldKey": alice.jwk()});
    let refused = alice
        .post("/key-change", jws(&alice.key, &by_kid, &payload))
        .await;
    assert_eq!(
        refused.problem(),
        "malformed",
        "the inner request is signed by the new key"
    );
    // an order of before goes on under the new key
    let order = alice.order(&["localhost"]).await;
    let new = key();
    assert_eq!(
        alice
            .post("/key-change", change(&new, &alice.jwk()))
            .await
            .status,
        StatusCode::OK
    );
    let after = Client { key: new, ..alice };
    let shown = after.post(&order.header("location"), Value::Null).await;
    assert_eq!(shown.status, StatusCode::OK);
    let authorization = first(&order.body, "authorizations");
    let challenge = after.challenge(&authorization, "http-01").await;
    scene.world.prove(&challenge);
    after.take_up(&challenge).await;
    assert_eq!(after.decided(&authorization).await.body["status"], "valid");
}

#[tokio::test]
async fn section_7_3_6_an_account_that_ended_is_refused_everywhere() {
    let scene = Scene::new(|_| {});
    let operator = AcmeOperator::open(&scene.authority).unwrap();
    for by_operator in [false, true] {
        let client = scene.client().await;
        let account = client.kid.clone().unwrap();
        let chain = client.certificate(&scene.world, &["app.test"]).await;
        let ready = client.ready(&scene.world, &["127.0.0.1"]).await;
        let authorization = first(&ready.body, "authorizations");
        let challenge = client.challenge(&authorization, "http-01").await.url;
        let serial = Certificate::from_pem(chain.as_bytes()).unwrap().serial();
        match by_operator {
            false => drop(
                client
                    .post(&account, json!({"status": "deactivated"}))
                    .await,
            ),
            true => operator
                .revoke_account(account.rsplit('/').next().unwrap(), now())
                .unwrap(),
        }
        for (url, payload) in [
            (full("/directory"), Value::Null),
            (full("/new-nonce"), Value::Null),
            (account.clone(), Value::Null),
            (account.clone(), json!({"contact": ["mailto:a@b.test"]})),
            (format!("{account}/orders"), Value::Null),
            (full("/key-change"), json!({})),
            (
                full("/new-order"),
                json!({"identifiers": [identifier("127.0.0.1")]}),
            ),
            (ready.header("location"), Value::Null),
            (
                ready.text("finalize"),
                json!({"csr": csr(&["127.0.0.1"]).0}),
            ),
            (authorization, Value::Null),
            (challenge.clone(), json!({})),
            (full(&format!("/certificate/{serial}")), Value::Null),
            (full("/revoke-cert"), json!({"certificate": der_of(&chain)})),
        ] {
            let refused = client.post(&url, payload).await;
            assert_eq!(
                (refused.status.as_u16(), refused.problem()),
                (401, "unauthorized"),
                "{url}"
            );
        }
        // what it had begun ends with it, what it has stays
        let id = account.rsplit('/').next().unwrap();
        let orders = operator.orders(Some(id), 10, now()).unwrap();
        let states: Vec<&str> = orders.iter().map(|order| order.status).collect();
        assert_eq!(states, ["invalid", "valid"]);
        let again = client.post_as_key("/new-account", json!({})).await;
        assert_eq!(
            (again.status.as_u16(), again.problem()),
            (401, "unauthorized")
        );
        let again = client
            .post_as_key("/new-account", json!({"onlyReturnExisting": true}))
            .await;
        assert_eq!(again.problem(), "unauthorized");
    }
}

/// A key that others can break, or whose signature takes the server long to verify, makes no account.
#[tokio::test]
async fn an_account_has_a_key_that_is_worth_something() {
    let scene = Scene::new(|_| {});
    let number = |length: usize| {
        let mut bytes = vec![0x5a; length];
        (bytes[0], bytes[length - 1]) = (0xc3, 0x5b);
        base64url::encode(bytes)
    };
    let rsa = |bits: usize, e: &[u8]| json!({"kty": "RSA", "n": number(bits / 8), "e": base64url::encode(e)});
    let client = scene.stranger(key());
    for (what, alg, jwk) in [
        ("512 bits", "RS256", rsa(512, &[1, 0, 1])),
        ("1024 bits", "RS256", rsa(1024, &[1, 0, 1])),
        ("32768 bits", "RS256", rsa(32_768, &[1, 0, 1])),
        ("an exponent of 1", "RS256", rsa(2048, &[1])),
        ("an even exponent", "RS256", rsa(2048, &[2])),
        (
            "an exponent as long as the modulus",
            "RS256",
            rsa(2048, &[0x7b; 256]),
        ),
        ("a point that is not on the curve", "ES256", {
            let mut jwk = client.jwk();
            jwk["y"] = jwk["x"].clone();
            jwk
        }),
        ("a curve for nobody", "ES256K", {
            let mut jwk = client.jwk();
            jwk["crv"] = json!("secp256k1");
            jwk
        }),
    ] {
        let header = json!({"alg": alg, "jwk": jwk, "nonce": client.nonce().await, "url": full("/new-account")});
        let refused = client
            .post_signed("/new-account", &header, &json!({}))
            .await;
        let expected = ["badPublicKey", "badSignatureAlgorithm"];
        assert!(expected.contains(&refused.problem()), "{what}: {refused:?}");
    }
    let operator = AcmeOperator::open(&scene.authority).unwrap();
    assert!(operator.accounts().unwrap().is_empty());
}

/// One neighbour who makes accounts all day keeps nobody else out; of IPv6 a network of 64 bits is one neighbour.
#[tokio::test]
async fn new_accounts_are_counted_by_where_they_come_from() {
    let scene = Scene::new(|settings| {
        settings.limits.accounts_per_address = 2;
        settings.limits.accounts_per_hour = 5;
    });
    let made_from = async |address: &str| {
        let peer = std::net::SocketAddr::new(address.parse().unwrap(), 4711);
        let peer = axum::Extension(axum::extract::ConnectInfo(peer));
        let client = Client {
            router: scene.router.clone().layer(peer),
            ..scene.stranger(key())
        };
        let made = client.post_as_key("/new-account", json!({})).await;
        match made.status {
            StatusCode::CREATED => "made".to_owned(),
            _ => made.text("detail"),
        }
    };
    for (address, said) in [
        ("192.0.2.1", "made"),
        ("::ffff:192.0.2.1", "made"),
        ("192.0.2.1", "2 new accounts from one address in an hour"),
        ("2001:db8::1", "made"),
        ("2001:db8::2:0:0:1", "made"),
        ("2001:db8::3", "2 new accounts from one address in an hour"),
        ("2001:db8:0:1::1", "made"),
        ("192.0.2.2", "5 new accounts in an hour"),
    ] {
        let got = made_from(address).await;
        assert!(got.starts_with(said), "{address}: {got}");
    }
}
