//! Proves what RFC 8555 §7.4 asks of the end of an order: exactly what was ordered, once, for as long as was asked; and that what cannot be
//! recorded is not handed out.

use crate::support::*;

#[tokio::test]
async fn a_life_is_shorter_if_asked_and_never_longer() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let now = now();
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

/// checks.md S9: what is signed for a day in four weeks is signed in four weeks.
#[tokio::test]
async fn br_7_1_2_7_public_like_lives_begin_within_48_hours() {
    let mut made = AuthorityProfile::new("public acme");
    made.rules = RuleSet::PublicLike;
    made.base_url = Some("http://ca.internal".parse().unwrap());
    let world = World::default();
    let surroundings = Surroundings::new(world.clone(), world.clone());
    let public = Scene::of_authority(&made, |_| {}, now, world, surroundings);
    let private = Scene::new(|_| {});
    const HOUR: i64 = 3600;
    for (scene, hours, status) in [
        (&public, 47, 201),
        (&public, 49, 400),
        (&public, 28 * 24, 400),
        (&private, 28 * 24, 201),
    ] {
        let client = scene.client().await;
        let from = jiff::Timestamp::from_second(now() + hours * HOUR).unwrap();
        let asked = json!({"identifiers": [identifier("app.test")], "notBefore": from.to_string()});
        let answer = client.post("/new-order", asked).await;
        assert_eq!(answer.status.as_u16(), status, "{hours}: {}", answer.body);
        if status == 400 {
            assert_eq!(answer.problem(), "malformed");
            assert!(answer.text("detail").contains("48 hours"));
        }
    }
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
