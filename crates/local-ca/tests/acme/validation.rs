//! Proves what RFC 8555 §8, RFC 8657 and RFC 8659 ask of validation, and that it goes nowhere but where it may: other networks, redirects,
//! names that change their address, servers that say nothing.

use crate::support::*;

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
    // one that may be connected to does not cover for one that may not, in whatever order
    for (name, addresses) in [
        ("public.test", ["127.0.0.1", "8.8.8.8"]),
        ("first.test", ["8.8.8.8", "::1"]),
    ] {
        world.name(name, &addresses);
        assert_eq!(
            kind(&failed(&scene, &client, name, |_, _| {}).await),
            "connection"
        );
    }
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

/// Two hosts that send the server to each other, for ever.
#[tokio::test]
async fn redirects_in_a_circle_end() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    scene.world.name("a.test", &["127.0.0.1"]);
    scene.world.name("b.test", &["127.0.0.2"]);
    scene.world.redirect("/there", "http://a.test/here");
    scene.world.redirect("/here", "http://b.test/there");
    let error = failed(&scene, &client, "a.test", |path, _| {
        scene.world.redirect(path, "http://b.test/there")
    });
    let error = error.await;
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("more than 10 redirects"),
        "{error}"
    );
    assert_eq!(scene.world.connections().len(), 11);
}

/// What a wildcard's own challenge list does not offer cannot be had by its address either.
#[tokio::test]
async fn a_wildcard_has_no_http_01() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let order = client.order(&["*.app.test", "app.test"]).await;
    let mut offered = Vec::new();
    for authorization in order.body["authorizations"].as_array().unwrap() {
        let shown = client
            .post(authorization.as_str().unwrap(), Value::Null)
            .await;
        let kinds = shown.body["challenges"].as_array().unwrap().len();
        offered.push((shown.body["wildcard"] == true, kinds));
    }
    assert_eq!(offered, [(true, 1), (false, 3)]);
    // the base name's proof is not the wildcard's
    client.ready(&scene.world, &["app.test"]).await;
    let again = client.order(&["*.app.test"]).await;
    assert_eq!(again.body["status"], "pending");
}

/// One account whose names lead to hosts that say nothing holds its share of the places, and no more.
#[tokio::test(start_paused = true)]
async fn one_account_does_not_keep_the_others_waiting() {
    let scene = Scene::new(|settings| {
        settings.limits.validations_at_once = 3;
        settings.limits.validations_per_account = 2;
    });
    let (greedy, modest) = (scene.client().await, scene.client().await);
    scene.world.fall_silent();
    for number in 0..6 {
        let name = format!("silent{number}.test");
        scene.world.name(&name, &["127.0.0.1"]);
        let order = greedy.order(&[&name]).await;
        let shown = greedy
            .post(&first(&order.body, "authorizations"), Value::Null)
            .await;
        let (url, _) = challenge(&shown.body, "http-01");
        greedy.post(&url, json!({})).await;
    }
    let order = modest.order(&["app.test"]).await;
    let authorization = first(&order.body, "authorizations");
    let shown = modest.post(&authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "dns-01");
    let digest = openssl::sha::sha256(modest.proof(&token).as_bytes());
    scene
        .world
        .text("_acme-challenge.app.test", &base64url::encode(digest));
    let before = tokio::time::Instant::now();
    modest.post(&url, json!({})).await;
    assert_eq!(modest.decided(&authorization).await.body["status"], "valid");
    // the clock stands unless everybody waits: nobody had to give up first
    assert!(before.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(scene.world.most_open(), 2);
}
