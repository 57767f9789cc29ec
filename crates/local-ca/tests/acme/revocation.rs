//! Proves what RFC 8555 §7.6 asks: a certificate is taken back by whom it belongs to, for a reason that is theirs to give.

use crate::support::*;

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
