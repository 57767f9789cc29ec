//! Proves, section by section, what RFC 8555 and its companions (RFC 8657, RFC 8737, RFC 9773) ask of a server beyond the way to a
//! certificate; and what the operator sees of it.
#![allow(clippy::unwrap_used)]

mod acme_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use acme_support::{BASE, Client, Scene, World, challenge, csr, full, identifier, jwk, jws, send};
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, SigningKey, base64url};
use stampmill_local_ca::acme::{AcmeOperator, ExternalKey};
use stampmill_local_ca::{Certificate, Reason, now};

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// A scene with a clock that can be set forward.
fn with_clock() -> (Scene, Arc<AtomicI64>) {
    let moment = Arc::new(AtomicI64::new(now()));
    let clock = Arc::clone(&moment);
    (
        Scene::at(|_| {}, move || clock.load(Ordering::SeqCst)),
        moment,
    )
}

fn links(answer: &acme_support::Answer) -> Vec<String> {
    let links = answer.headers.get_all("link").iter();
    links
        .map(|link| link.to_str().unwrap().to_owned())
        .collect()
}

fn first(order: &Value, member: &str) -> String {
    order[member][0].as_str().unwrap().to_owned()
}

fn der_of(chain: &str) -> String {
    base64url::encode(Certificate::from_pem(chain.as_bytes()).unwrap().der())
}

// ---- RFC 8555 §6: messages ------------------------------------------------------------------------------------------

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
    assert!(directory.body.get("newAuthz").is_none(), "there is none");
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

// ---- RFC 8555 §7.1: what is kept -------------------------------------------------------------------------------------

#[tokio::test]
async fn section_7_1_2_1_orders_come_in_pages_and_without_the_invalid_ones() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let mut made = Vec::new();
    for _ in 0..102 {
        made.push(client.order(&["localhost"]).await.header("location"));
    }
    let lost = client.order(&["lost.test"]).await;
    let authorization = first(&lost.body, "authorizations");
    client
        .post(&authorization, json!({"status": "deactivated"}))
        .await;

    let mut listed = Vec::new();
    let mut page = format!("{}/orders", client.kid.as_ref().unwrap());
    loop {
        let answer = client.post(&page, Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let orders = answer.body["orders"].as_array().unwrap().clone();
        assert!(orders.len() <= 100);
        listed.extend(orders.iter().map(|one| one.as_str().unwrap().to_owned()));
        let next = links(&answer)
            .into_iter()
            .find(|link| link.ends_with("rel=\"next\""));
        match next {
            Some(next) => page = next[1..next.find('>').unwrap()].to_owned(),
            None => break,
        }
    }
    assert_eq!(listed, made);
    for odd in [
        "after=x",
        "after=",
        "after=99999999999999999999",
        "before=1",
        "after=1&after=2",
    ] {
        let page = format!("{}/orders?{odd}", client.kid.as_ref().unwrap());
        assert_eq!(
            client.post(&page, Value::Null).await.status,
            StatusCode::NOT_FOUND,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn section_7_1_3_an_invalid_order_says_why() {
    let (scene, clock) = with_clock();
    let client = scene.client().await;
    let order = client.order(&["a.test", "b.test", "c.test"]).await;
    assert_eq!(order.body.get("error"), None);
    let authorizations = order.body["authorizations"].as_array().unwrap();
    let fail = async |url: &Value| {
        let url = url.as_str().unwrap();
        let shown = client.post(url, Value::Null).await;
        let (challenge, _) = challenge(&shown.body, "http-01");
        client.post(&challenge, json!({})).await;
        assert_eq!(client.decided(url).await.body["status"], "invalid");
    };
    fail(&authorizations[0]).await;
    let one = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(one.body["status"], "invalid");
    assert_eq!(
        one.body["error"]["type"], "urn:ietf:params:acme:error:dns",
        "{}",
        one.body
    );
    fail(&authorizations[1]).await;
    client
        .post(
            authorizations[2].as_str().unwrap(),
            json!({"status": "deactivated"}),
        )
        .await;
    let all = client.post(&order.header("location"), Value::Null).await;
    let error = &all.body["error"];
    assert_eq!(error["type"], "urn:ietf:params:acme:error:compound");
    assert_eq!(error["subproblems"][1]["identifier"], identifier("b.test"));
    assert_eq!(
        error["subproblems"][2]["type"],
        "urn:ietf:params:acme:error:unauthorized"
    );

    let slow = client.order(&["d.test"]).await;
    clock.fetch_add(86_401, Ordering::SeqCst);
    let late = client.post(&slow.header("location"), Value::Null).await;
    assert_eq!(late.body["status"], "invalid");
    assert_eq!(late.body.get("error"), None, "`expires` tells");
}

#[tokio::test]
async fn section_7_1_6_what_ran_out_or_was_given_up_is_not_proved_any_more() {
    let (scene, clock) = with_clock();
    let client = scene.client().await;
    let prepare = async || {
        let order = client.order(&["127.0.0.1"]).await;
        let authorization = first(&order.body, "authorizations");
        let shown = client.post(&authorization, Value::Null).await;
        let (url, token) = challenge(&shown.body, "http-01");
        scene.world.page(
            &format!("/.well-known/acme-challenge/{token}"),
            &client.proof(&token),
        );
        (authorization, url)
    };
    let (late, url) = prepare().await;
    clock.fetch_add(86_401, Ordering::SeqCst);
    let refused = client.post(&url, json!({})).await;
    assert_eq!(refused.problem(), "malformed", "{}", refused.body);
    assert_eq!(
        client.post(&late, Value::Null).await.body["status"],
        "invalid"
    );

    let (given_up, url) = prepare().await;
    client
        .post(&given_up, json!({"status": "deactivated"}))
        .await;
    assert_eq!(client.post(&url, json!({})).await.problem(), "malformed");
    assert!(scene.world.connections().is_empty());
    let anew = client.order(&["127.0.0.1"]).await;
    assert_eq!(anew.body["status"], "pending", "nothing was proved");

    // proved by one challenge: the others have nothing left to do
    let (proved, url) = prepare().await;
    client.post(&url, json!({})).await;
    assert_eq!(client.decided(&proved).await.body["status"], "valid");
    // a proof holds for an hour, and an order that leans on it no longer
    let order = client.order(&["127.0.0.1"]).await;
    assert_eq!(order.body["status"], "ready");
    clock.fetch_add(3601, Ordering::SeqCst);
    let (request, _) = csr(&["127.0.0.1"]);
    let refused = client
        .post(&order.text("finalize"), json!({"csr": request}))
        .await;
    assert_eq!(refused.problem(), "orderNotReady");
    let shown = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(
        shown.body["error"]["type"],
        "urn:ietf:params:acme:error:unauthorized"
    );
}

// ---- RFC 8555 §7.3: accounts -----------------------------------------------------------------------------------------

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
    let shown = after.post(&authorization, Value::Null).await;
    let (challenge, token) = challenge(&shown.body, "http-01");
    let path = format!("/.well-known/acme-challenge/{token}");
    scene.world.page(&path, &after.proof(&token));
    after.post(&challenge, json!({})).await;
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
        let shown = client.post(&authorization, Value::Null).await;
        let (challenge, _) = challenge(&shown.body, "http-01");
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

// ---- RFC 8555 §7.4: names ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn section_7_1_4_names_are_read_as_names() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    for (asked, kept) in [
        ("APP.Test", "app.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("localhost", "localhost"),
        ("2001:DB8::0:1", ""),
        ("::FFFF:127.0.0.1", ""),
        ("FD00::1", "fd00::1"),
        ("a.test.", ""),
        (".a.test", ""),
        ("a..test", ""),
        ("a_b.test", ""),
        ("*.*.a.test", ""),
        ("a.*.test", ""),
        ("*", ""),
        ("*.test", ""),
        ("", ""),
        ("a.test\u{0}.example", ""),
        ("a.test/x", ""),
        ("a.test:443", ""),
        ("a.test ", ""),
        ("https://a.test", ""),
        ("0x7f.1", ""),
        ("127.1", ""),
        ("\u{ff41}.test", ""),
    ] {
        let answer = client.order(&[asked]).await;
        match kept {
            "" => assert!(
                ["malformed", "rejectedIdentifier"].contains(&answer.problem()),
                "{asked}: {}",
                answer.body
            ),
            kept => assert_eq!(
                answer.body["identifiers"][0]["value"], kept,
                "{}",
                answer.body
            ),
        }
    }
    let long = format!("{}.test", ["a"; 130].join("."));
    assert_eq!(client.order(&[&long]).await.problem(), "malformed");
    // the same name twice, in two spellings, is one
    let twice = client.order(&["a.test", "A.TEST"]).await;
    assert_eq!(twice.body["authorizations"].as_array().unwrap().len(), 1);
    // a wildcard is proved by dns-01 alone, and not by its base name's proof
    client.ready(&scene.world, &["example.test"]).await;
    let wildcard = client.order(&["*.example.test"]).await;
    let shown = client
        .post(&first(&wildcard.body, "authorizations"), Value::Null)
        .await;
    assert_eq!(shown.body["wildcard"], true);
    assert_eq!(shown.body["identifier"]["value"], "example.test");
    assert_eq!(shown.body["status"], "pending");
    let kinds: Vec<&str> = shown.body["challenges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["dns-01"]);
}

// ---- RFC 8555 §7.6: revocation ---------------------------------------------------------------------------------------

#[tokio::test]
async fn section_7_6_each_reason_that_is_a_holders_to_give() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let store = scene.authority.store().unwrap();
    for (code, reason) in [
        (json!(0), Reason::Unspecified),
        (json!(1), Reason::KeyCompromise),
        (json!(3), Reason::AffiliationChanged),
        (json!(4), Reason::Superseded),
        (json!(5), Reason::CessationOfOperation),
        (json!(9), Reason::PrivilegeWithdrawn),
    ] {
        let chain = client.certificate(&scene.world, &["app.test"]).await;
        for bad in [json!(null), json!(1.5), json!(2), json!(11), json!([1])] {
            let asked = json!({"certificate": der_of(&chain), "reason": bad});
            assert_eq!(
                client.post("/revoke-cert", asked).await.problem(),
                "badRevocationReason",
                "{bad}"
            );
        }
        let asked = json!({"certificate": der_of(&chain), "reason": code});
        let done = client.post("/revoke-cert", asked.clone()).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
        assert!(done.text.is_empty());
        let entry = store
            .find(&Certificate::from_pem(chain.as_bytes()).unwrap().serial())
            .unwrap();
        assert_eq!(entry.revoked.map(|(_, reason)| reason), Some(reason));
        assert_eq!(
            client.post("/revoke-cert", asked).await.problem(),
            "alreadyRevoked"
        );
    }
}

// ---- RFC 8657: CAA for one account, by one way -------------------------------------------------------------------------

#[tokio::test]
async fn rfc_8657_a_name_is_for_one_account_by_one_way() {
    let scene = Scene::new(|settings| settings.caa_identities = vec!["ca.internal".to_owned()]);
    let (alice, bob) = (scene.client().await, scene.client().await);
    let account = alice.kid.as_ref().unwrap();
    scene.world.caa(
        "test",
        &format!("ca.internal; accounturi={account}; validationmethods=http-01"),
    );
    alice.ready(&scene.world, &["app.test"]).await;
    assert_eq!(http_error(&scene.world, &bob, "app.test").await, "caa");

    scene
        .world
        .caa("b.test", "ca.internal; validationmethods=dns-01");
    scene.world.name("b.test", &["127.0.0.1"]);
    assert_eq!(http_error(&scene.world, &alice, "b.test").await, "caa");
}

/// What an honest http-01 proof of a name fails with; empty if it does not.
async fn http_error(world: &World, client: &Client, name: &str) -> String {
    let order = client.order(&[name]).await;
    let authorization = first(&order.body, "authorizations");
    let shown = client.post(&authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "http-01");
    world.page(
        &format!("/.well-known/acme-challenge/{token}"),
        &client.proof(&token),
    );
    client.post(&url, json!({})).await;
    let decided = client.decided(&authorization).await;
    let kind = decided.body["challenges"][0]["error"]["type"]
        .as_str()
        .unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default().to_owned()
}

// ---- RFC 9773 §5 -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc_9773_section_5_a_certificate_has_one_successor() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let chain = client.certificate(&scene.world, &["app.test"]).await;
    let leaf = Certificate::from_pem(chain.as_bytes()).unwrap();
    let id = renewal_id(&leaf);
    let asked = json!({"identifiers": [identifier("app.test")], "replaces": id});
    for odd in [
        json!(7),
        json!(""),
        json!("."),
        json!("AAAA"),
        json!("AAAA.AAAA"),
        json!("a.b.c"),
    ] {
        let mut asked = asked.clone();
        asked["replaces"] = odd.clone();
        assert_eq!(
            client.post("/new-order", asked).await.problem(),
            "malformed",
            "{odd}"
        );
    }
    let order = client.post("/new-order", asked.clone()).await;
    assert_eq!(
        (order.status.as_u16(), &order.body["replaces"]),
        (201, &json!(id))
    );
    let (request, _) = csr(&["app.test"]);
    let valid = client
        .post(&order.text("finalize"), json!({"csr": request}))
        .await;
    assert_eq!(valid.body["status"], "valid");
    let twice = client.post("/new-order", asked).await;
    assert_eq!(
        (twice.status.as_u16(), twice.problem()),
        (409, "alreadyReplaced")
    );
    let plain = json!({"identifiers": [identifier("app.test")]});
    assert_eq!(
        client.post("/new-order", plain).await.status,
        StatusCode::CREATED
    );
}

/// RFC 9773 §4.1, of x509-parser's reading.
fn renewal_id(leaf: &Certificate) -> String {
    use x509_parser::prelude::*;
    let der = leaf.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let mut extensions = certificate.extensions().iter();
    let key = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.clone(),
        _ => None,
    });
    let serial = base64url::encode(certificate.raw_serial());
    format!("{}.{serial}", base64url::encode(key.unwrap().0))
}

// ---- time and room -----------------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn hosts_that_say_nothing_are_given_up_and_few_are_asked_at_once() {
    let scene = Scene::new(|settings| settings.limits.validations_at_once = 3);
    let client = scene.client().await;
    scene.world.fall_silent();
    let mut waiting = Vec::new();
    for place in 1..=7 {
        for kind in ["http-01", "tls-alpn-01"] {
            let order = client
                .order(&[&format!("127.0.{}.{place}", u8::from(kind == "http-01"))])
                .await;
            let authorization = first(&order.body, "authorizations");
            let shown = client.post(&authorization, Value::Null).await;
            let (url, _) = challenge(&shown.body, kind);
            let answer = client.post(&url, json!({})).await;
            assert_eq!(answer.body["status"], "processing");
            assert_eq!(answer.header("retry-after"), "1", "§7.5.1");
            assert!(
                links(&answer)
                    .iter()
                    .any(|link| link.ends_with("rel=\"up\"")),
                "§7.1"
            );
            waiting.push((kind, authorization));
        }
    }
    for (kind, authorization) in waiting {
        let error = loop {
            let shown = client.post(&authorization, Value::Null).await;
            if shown.body["status"] == "invalid" {
                break shown.body["challenges"][0]["error"].clone();
            }
            assert_eq!(shown.header("retry-after"), "1");
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        };
        let expected = if kind == "http-01" {
            "connection"
        } else {
            "tls"
        };
        assert!(
            error["type"].as_str().unwrap().ends_with(expected),
            "{error}"
        );
    }
    assert_eq!(scene.world.most_open(), 3);
}

#[tokio::test]
async fn what_ran_out_leaves_the_records() {
    let (scene, clock) = with_clock();
    let client = scene.client().await;
    let count = |table: &str| -> i64 {
        let records = rusqlite::Connection::open(scene.database()).unwrap();
        let query = format!("SELECT count(*) FROM {table}");
        records.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    client.certificate(&scene.world, &["app.test"]).await;
    for place in 0..20 {
        client
            .order(&[&format!("a{place}.test"), "*.example.test"])
            .await;
    }
    assert_eq!((count("acme_order"), count("acme_authorization")), (21, 41));
    clock.fetch_add(2 * 86_400 + 1, Ordering::SeqCst);
    client.order(&["b.test"]).await;
    assert_eq!((count("acme_order"), count("acme_authorization")), (2, 2));
    assert_eq!(
        (count("acme_challenge"), count("acme_order_authorization")),
        (6, 2)
    );
}

// ---- the operator ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_operator_sees_accounts_orders_and_what_happened() {
    let scene = Scene::new(|_| {});
    let external = ExternalKey::make(&scene.authority).unwrap();
    let unused = ExternalKey::make(&scene.authority).unwrap();
    let operator = AcmeOperator::open(&scene.authority).unwrap();
    let client = scene.stranger(key());
    let secret = base64url::decode(external.hmac_key().as_str()).unwrap();
    let binding = binding(&secret, external.kid(), &client.jwk());
    let asked = json!({"contact": ["mailto:a@b.test"], "externalAccountBinding": binding});
    let made = client.post_as_key("/new-account", asked).await;
    let client = Client {
        kid: Some(made.header("location")),
        ..client
    };
    let id = client
        .kid
        .as_ref()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();

    let chain = client.certificate(&scene.world, &["app.test"]).await;
    assert_eq!(
        http_error(&scene.world, &client, "nowhere.test").await,
        "dns"
    );
    client.order(&["pending.test"]).await;
    client
        .post("/revoke-cert", json!({"certificate": der_of(&chain)}))
        .await;

    let accounts = operator.accounts().unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!(
        (
            accounts[0].id.as_str(),
            accounts[0].status,
            accounts[0].orders
        ),
        (id.as_str(), "valid", 3)
    );
    assert_eq!(accounts[0].external_key.as_deref(), Some(external.kid()));
    assert_eq!(
        (accounts[0].contact.as_slice(), &accounts[0].key),
        (
            ["mailto:a@b.test".to_owned()].as_slice(),
            &client.key.public_jwk().thumbprint()
        )
    );
    let orders = operator.orders(None, 10, now()).unwrap();
    let seen: Vec<(&str, &str)> = orders
        .iter()
        .map(|one| (one.names[0].as_str(), one.status))
        .collect();
    assert_eq!(
        seen,
        [
            ("pending.test", "pending"),
            ("nowhere.test", "invalid"),
            ("app.test", "valid")
        ]
    );
    assert!(orders[2].serial.is_some() && orders.iter().all(|one| one.account == id));
    assert_eq!(operator.orders(None, 1, now()).unwrap().len(), 1);
    assert!(
        operator
            .orders(Some("nobody"), 10, now())
            .unwrap()
            .is_empty()
    );

    assert!(
        operator
            .withdraw_external_key(external.kid(), now())
            .is_err(),
        "it was used"
    );
    operator.withdraw_external_key(unused.kid(), now()).unwrap();
    assert_eq!(operator.external_keys().unwrap().len(), 1);
    operator.revoke_account(&id, now()).unwrap();
    let again = operator.revoke_account(&id, now()).unwrap_err().to_string();
    assert_eq!(again, format!("the account {id} is revoked already"));
    assert!(operator.revoke_account("nobody", now()).is_err());
    assert_eq!(
        client.order(&["localhost"]).await.status,
        StatusCode::UNAUTHORIZED
    );

    let log = scene.authority.store().unwrap().log(100).unwrap();
    let told: Vec<String> = log
        .iter()
        .rev()
        .map(|line| format!("{} {}", line.event, line.detail))
        .collect();
    let (kid, unused) = (external.kid(), unused.kid());
    for expected in [
        format!("external-key {kid} made"),
        format!("account {id} made with the external key {kid}"),
        format!("proof {id} app.test by http-01: valid"),
        "issue server app.test".to_owned(),
        format!("proof {id} nowhere.test by http-01: invalid"),
        "revoke unspecified".to_owned(),
        format!("revoke-request by the account {id}"),
        format!("external-key {unused} withdrawn"),
        format!("account-end {id} revoked by the operator"),
    ] {
        assert!(told.contains(&expected), "{expected}: {told:#?}");
    }
}

/// RFC 8555 §7.3.4.
fn binding(secret: &[u8], kid: &str, account: &Value) -> Value {
    let header = json!({"alg": "HS256", "kid": kid, "url": full("/new-account")});
    let (protected, payload) = (
        base64url::encode(header.to_string()),
        base64url::encode(account.to_string()),
    );
    let hmac = openssl::pkey::PKey::hmac(secret).unwrap();
    let mut signer =
        openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &hmac).unwrap();
    let mac = signer
        .sign_oneshot_to_vec(format!("{protected}.{payload}").as_bytes())
        .unwrap();
    json!({"protected": protected, "payload": payload, "signature": base64url::encode(mac)})
}

#[tokio::test]
async fn tables_of_before_are_brought_up_to_date_and_newer_ones_left_alone() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let records = rusqlite::Connection::open(scene.database()).unwrap();
    records
        .execute_batch(
            "ALTER TABLE acme_account DROP COLUMN terms_url; DROP INDEX acme_authorization_expires;
             UPDATE setting SET value = '1' WHERE name = 'acme_tables';",
        )
        .unwrap();
    let after = Client {
        router: scene.restarted(|_| {}),
        ..client
    };
    assert_eq!(
        after.order(&["localhost"]).await.status,
        StatusCode::CREATED
    );
    records
        .execute_batch("UPDATE setting SET value = '3' WHERE name = 'acme_tables'")
        .unwrap();
    let newer = AcmeOperator::open(&scene.authority)
        .unwrap_err()
        .to_string();
    assert!(newer.contains("version 3"), "{newer}");
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
