//! Proves what the operator sees of it and may do, and that records of an earlier version are brought up to date.

use crate::support::*;

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

#[tokio::test]
async fn tables_of_before_are_brought_up_to_date_and_newer_ones_left_alone() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let records = rusqlite::Connection::open(scene.database()).unwrap();
    records
        .execute_batch(
            "ALTER TABLE acme_account DROP COLUMN terms_url; DROP INDEX acme_authorization_expires;
             DROP INDEX acme_account_network; ALTER TABLE acme_account DROP COLUMN network;
             ALTER TABLE acme_challenge DROP COLUMN began_at; ALTER TABLE acme_challenge DROP COLUMN tried;
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
        .execute_batch("UPDATE setting SET value = '5' WHERE name = 'acme_tables'")
        .unwrap();
    let newer = AcmeOperator::open(&scene.authority)
        .unwrap_err()
        .to_string();
    assert!(newer.contains("version 5"), "{newer}");
}

#[tokio::test]
async fn the_operator_sees_why_an_order_failed_and_where_was_looked() {
    let (scene, moment) = with_clock();
    let began = moment.load(Ordering::SeqCst);
    let client = scene.client().await;
    let operator = AcmeOperator::open(&scene.authority).unwrap();
    scene.world.name("app.test", &["127.0.0.7"]);
    scene.world.name("inside.test", &["10.1.2.3"]);
    for name in ["app.test", "inside.test", "nowhere.test"] {
        failed(&scene, &client, name, |_| {}).await;
    }
    let challenge = client.challenged("records.test", "dns-01").await;
    client.take_up(&challenge).await;
    client.decided(&challenge.authorization).await;
    client.order(&["waits.test"]).await;

    let orders = operator.orders(None, 10, began).unwrap();
    let looked = |name: &str| {
        let order = orders.iter().find(|one| one.names[0] == name).unwrap();
        let [authorization] = order.authorizations.as_slice() else {
            panic!("{order:?}");
        };
        assert_eq!(
            (authorization.name.as_str(), authorization.status),
            (name, order.status)
        );
        authorization.challenges.clone()
    };
    for (name, kind, problem, words, tried) in [
        (
            "app.test",
            "http-01",
            "incorrectResponse",
            "404",
            vec!["127.0.0.7:80"],
        ),
        (
            "inside.test",
            "http-01",
            "connection",
            "does not connect to",
            vec!["10.1.2.3 (not allowed: private)"],
        ),
        ("nowhere.test", "http-01", "dns", "no address", vec![]),
        (
            "records.test",
            "dns-01",
            "incorrectResponse",
            "0 TXT records",
            vec!["TXT _acme-challenge.records.test"],
        ),
    ] {
        let [look] = &looked(name)[..] else {
            panic!("one look at {name}");
        };
        assert_eq!((look.kind.name(), look.status), (kind, "invalid"));
        assert_eq!((look.began_at, look.ended_at), (Some(began), Some(began)));
        let (told, detail) = look.problem.clone().unwrap();
        assert!(
            told == problem && detail.contains(words),
            "{name}: {told}: {detail}"
        );
        assert_eq!(look.tried, tried, "{name}");
    }
    assert!(looked("waits.test").is_empty(), "nothing was looked at");
}
