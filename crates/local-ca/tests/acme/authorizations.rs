//! Proves what RFC 8555 §7.4.1 and §7.5 ask of authorizations: asked for before any order, reused by the orders that follow, given up, and
//! no way around what an order refuses.

use crate::support::*;

async fn asked(client: &Client, name: &str) -> Answer {
    let asked = json!({"identifier": identifier(name)});
    client.post("/new-authz", asked).await
}

/// Proves a name by http-01.
async fn prove(scene: &Scene, client: &Client, name: &str, authorization: &Answer) -> String {
    scene.world.name(name, &["127.0.0.1"]);
    let location = authorization.header("location");
    let challenge = client.found(&location, &authorization.body, "http-01");
    scene.world.prove(&challenge);
    client.take_up(&challenge).await;
    let decided = client.decided(&location).await;
    decided.text("status")
}

#[tokio::test]
async fn a_name_is_proved_before_the_order_and_then_not_again() {
    let (scene, moment) = with_clock();
    let client = scene.client().await;
    let made = asked(&client, "app.test").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["status"], "pending");
    assert_eq!(made.body["identifier"]["value"], "app.test");
    let again = asked(&client, "APP.test").await;
    assert_eq!(
        again.header("location"),
        made.header("location"),
        "it waits"
    );
    assert_eq!(prove(&scene, &client, "app.test", &made).await, "valid");

    let order = client.order(&["app.test"]).await;
    assert_eq!(order.body["status"], "ready", "{}", order.body);
    assert_eq!(
        first(&order.body, "authorizations"),
        made.header("location")
    );
    let (csr, _) = csr(&["app.test"]);
    let issued = client
        .post(&order.text("finalize"), json!({"csr": csr}))
        .await;
    assert_eq!(issued.body["status"], "valid");
    let valid = asked(&client, "app.test").await;
    assert_eq!(valid.body["status"], "valid");

    // the proof holds for an hour, and for nobody else
    let other = scene.client().await;
    let order = other.order(&["app.test"]).await;
    assert_eq!(order.body["status"], "pending");
    moment.fetch_add(3601, Ordering::SeqCst);
    let order = client.order(&["app.test"]).await;
    assert_eq!(order.body["status"], "pending");
    assert_ne!(
        first(&order.body, "authorizations"),
        made.header("location")
    );
}

#[tokio::test]
async fn what_an_order_refuses_is_refused_here_too() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    for (asked, problem) in [
        (json!({}), "malformed"),
        (json!({"identifier": "app.test"}), "malformed"),
        (json!({"identifier": identifier("*.app.test")}), "malformed"),
        (
            json!({"identifier": identifier("bank.example")}),
            "rejectedIdentifier",
        ),
        (
            json!({"identifier": {"type": "email", "value": "a@b.test"}}),
            "unsupportedIdentifier",
        ),
    ] {
        let refused = client.post("/new-authz", asked.clone()).await;
        assert_eq!(refused.problem(), problem, "{asked}: {}", refused.body);
    }
    let by_key = client.post_as_key("/new-authz", json!({})).await;
    assert_eq!(by_key.problem(), "malformed", "an account asks, no key");
    let made = asked(&client, "app.test").await;
    let stranger = scene.client().await;
    let refused = stranger.post(&made.header("location"), Value::Null).await;
    assert_eq!(refused.problem(), "unauthorized");
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let (scene, moment) = with_clock_and(|settings| settings.limits.open_authorizations = 2);
    let client = scene.client().await;
    for name in ["a.test", "b.test", "a.test"] {
        assert_eq!(asked(&client, name).await.status, StatusCode::CREATED);
    }
    let refused = asked(&client, "c.test").await;
    assert_eq!(refused.problem(), "rateLimited");
    refused.header("retry-after");
    // one that was given up is still in the records
    let waiting = asked(&client, "a.test").await.header("location");
    let ended = json!({"status": "deactivated"});
    assert_eq!(
        client.post(&waiting, ended).await.body["status"],
        "deactivated"
    );
    for name in ["a.test", "c.test"] {
        let refused = asked(&client, name).await;
        assert_eq!(refused.problem(), "rateLimited");
    }
    // orders make their own, and others have their own
    assert_eq!(client.order(&["c.test"]).await.status, StatusCode::CREATED);
    let other = scene.client().await;
    assert_eq!(asked(&other, "c.test").await.status, StatusCode::CREATED);
    // what ran out makes room, and leaves the records a day later, whoever asks then
    moment.fetch_add(2 * 86_400 + 1, Ordering::SeqCst);
    assert_eq!(asked(&other, "d.test").await.status, StatusCode::CREATED);
    let records = rusqlite::Connection::open(scene.database()).unwrap();
    let query = "SELECT count(*) FROM acme_authorization WHERE value IN ('a.test', 'b.test')";
    let left: u32 = records.query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    assert_eq!(asked(&client, "d.test").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_name_that_was_given_up_is_proved_again() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let made = asked(&client, "app.test").await;
    assert_eq!(prove(&scene, &client, "app.test", &made).await, "valid");
    let ended = json!({"status": "deactivated"});
    let ended = client.post(&made.header("location"), ended).await;
    assert_eq!(ended.body["status"], "deactivated");
    let next = asked(&client, "app.test").await;
    assert_ne!(next.header("location"), made.header("location"));
    assert_eq!(next.body["status"], "pending");
}
