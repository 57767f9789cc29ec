//! Proves what RFC 8555 §7.1 and §7.4 ask of orders: names read as names, nothing beyond the authority, nobody else's, nothing too large;
//! what ran out.

use crate::support::*;

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
        let challenge = client.challenge(url, "http-01").await.url;
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

#[tokio::test]
async fn section_7_1_6_what_ran_out_or_was_given_up_is_not_proved_any_more() {
    let (scene, clock) = with_clock();
    let client = scene.client().await;
    let prepare = async || {
        let challenge = client.challenged("127.0.0.1", "http-01").await;
        scene.world.prove(&challenge);
        (challenge.authorization, challenge.url)
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
async fn what_is_another_accounts_stays_so() {
    let scene = Scene::new(|_| {});
    let (alice, mallory) = (scene.client().await, scene.client().await);
    let chain = alice.certificate(&scene.world, &["app.test"]).await;
    let pending = alice.order(&["b.test"]).await;
    let authorization = pending.body["authorizations"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let challenge = alice.challenge(&authorization, "http-01").await.url;
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
async fn orders_and_proofs_end() {
    let now = Arc::new(AtomicI64::new(now()));
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

    failed(&scene, &client, "a.test", |_| {}).await;
    assert_eq!(client.order(&["a.test"]).await.problem(), "rateLimited");
    client.order(&["b.test"]).await;
    client.order(&["b.test"]).await;
    assert_eq!(client.order(&["b.test"]).await.problem(), "rateLimited");
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_worked_on() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let names: Vec<String> = (0..1000).map(|number| format!("a{number}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let refused = client.order(&names).await;
    assert_eq!(refused.problem(), "malformed", "{}", refused.body);
    assert!(refused.text("detail").contains("1 to 100"));
    assert_eq!(client.order(&[]).await.problem(), "malformed");
    let hundred = client.order(&names[..100]).await;
    assert_eq!(hundred.status, StatusCode::CREATED);

    let order = client.ready(&scene.world, &["app.test"]).await;
    for length in [32 << 10, 60 << 10, 1 << 20] {
        let csr = base64url::encode(vec![0x30; length]);
        let refused = client
            .post(&order.text("finalize"), json!({"csr": csr}))
            .await;
        assert!(
            ["badCSR", "malformed"].contains(&refused.problem()),
            "{refused:?}"
        );
    }
    let shown = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(shown.body["status"], "ready", "the order is none the worse");
}

/// An address is an address: no port, no brackets, no prefix length, no zone.
#[tokio::test]
async fn an_address_with_anything_beside_it_is_none() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    for value in [
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "127.0.0.0/8",
        "fe80::1%eth0",
        "127.0.0.1.",
        " 127.0.0.1",
        "127.0.0.01",
        "0x7f000001",
        "2130706433",
        "localhost",
        "",
    ] {
        let identifier = json!({"type": "ip", "value": value});
        let refused = client
            .post("/new-order", json!({"identifiers": [identifier]}))
            .await;
        assert_eq!(refused.problem(), "malformed", "{value}: {}", refused.body);
    }
    // and a name that looks like one is no name
    for value in ["127.0.0.1", "127.0.0.1:80", "[::1]"] {
        let identifier = json!({"type": "dns", "value": value});
        let refused = client
            .post("/new-order", json!({"identifiers": [identifier]}))
            .await;
        assert!(
            ["malformed", "rejectedIdentifier"].contains(&refused.problem()),
            "{value}"
        );
    }
}
