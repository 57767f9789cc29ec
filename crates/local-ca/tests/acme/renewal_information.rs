//! Proves what RFC 9773 asks: when to come again, and one successor for each certificate.

use crate::support::*;

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

#[tokio::test]
async fn rfc_9773_section_5_a_certificate_has_one_successor() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let chain = client.certificate(&scene.world, &["app.test"]).await;
    let leaf = Certificate::from_pem(chain.as_bytes()).unwrap();
    let id = certificate_id(&leaf);
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
