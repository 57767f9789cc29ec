//! Proves what RFC 8555 §8, RFC 8657 and RFC 8659 ask of validation, and that it goes nowhere but where it may: other networks, redirects,
//! names that change their address, servers that say nothing.

use crate::support::*;

#[tokio::test]
async fn validation_goes_nowhere_but_where_it_may() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    let world = scene.world.clone();

    for (name, addresses, expected) in [
        ("metadata.test", &["169.254.169.254"][..], "connection"),
        ("both.test", &["127.0.0.1", "10.0.0.1"], "connection"),
        // one that may be connected to does not cover for one that may not, in whatever order
        ("public.test", &["127.0.0.1", "8.8.8.8"], "connection"),
        ("first.test", &["8.8.8.8", "::1"], "connection"),
        ("mapped.test", &["::ffff:10.0.0.1"], "connection"),
        ("nowhere.test", &[], "dns"),
        ("10.1.2.3", &[], "connection"),
    ] {
        if !addresses.is_empty() {
            world.name(name, addresses);
        }
        let error = failed(&scene, &client, name, |_| {}).await;
        assert_eq!(kind(&error), expected, "{name}: {error}");
        let told = addresses.iter().find(|one| detail(&error).contains(**one));
        assert_eq!(told, None, "{error}");
    }
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
        let error = failed(&scene, &client, "a.test", |challenge| {
            world.redirect(&challenge.path(), to)
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
    let error = failed(&scene, &client, "a.test", |challenge| {
        world.redirect(&challenge.path(), &challenge.path())
    })
    .await;
    assert!(detail(&error).contains("more than 10 redirects"));
}

#[tokio::test]
async fn a_redirect_to_where_it_may_is_followed() {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    scene.world.name("a.test", &["127.0.0.1"]);
    scene.world.name("b.test", &["127.0.0.3"]);
    let challenge = client.challenged("a.test", "http-01").await;
    let there = "http://b.test/elsewhere";
    scene.world.redirect(&challenge.path(), there);
    let page = format!("{}  \n", challenge.proof);
    scene.world.page("/elsewhere", &page);
    client.take_up(&challenge).await;
    let decided = client.decided(&challenge.authorization).await;
    assert_eq!(decided.body["status"], "valid");
    // once decided, it stays so
    let again = client.take_up(&challenge).await;
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
    let error = failed(&scene, &client, "a.test", |_| {}).await;
    assert_eq!(
        kind(&error),
        "incorrectResponse",
        "404 of the first address"
    );
    assert_eq!(scene.world.asked("a.test"), 1);
    assert_eq!(scene.world.connections()[0].to_string(), "127.0.0.9:80");
}

/// A page where the proof should be.
type Page<'a> = &'a dyn Fn(&Challenge) -> String;

#[tokio::test]
async fn only_the_key_authorization_is_good() {
    let scene = Scene::new(|_| {});
    let (client, mallory) = (scene.client().await, scene.client().await);
    let world = &scene.world;
    world.name("a.test", &["127.0.0.1"]);
    let page_of = async |page: Page<'_>| {
        let put = |challenge: &Challenge| world.page(&challenge.path(), &page(challenge));
        failed(&scene, &client, "a.test", put).await
    };
    let wrong: [Page<'_>; 5] = [
        &|challenge| mallory.proof(&challenge.token),
        &|challenge| format!("x{}", challenge.proof),
        &|challenge| format!("{}x", challenge.proof),
        &|challenge| challenge.token.clone(),
        &|_| String::new(),
    ];
    for page in wrong {
        assert_eq!(kind(&page_of(page).await), "incorrectResponse");
    }
    let error = page_of(&|_| "x".repeat(100_000)).await;
    assert_eq!(kind(&error), "connection", "{error}");
    let error = failed(&scene, &client, "a.test", |challenge| {
        world.answer(&challenge.path(), "SSH-2.0-x\r\n".to_owned())
    });
    let error = error.await;
    assert_eq!(kind(&error), "connection", "{error}");
    let error = page_of(&|_| "\u{1b}[2J<script>".to_owned()).await;
    assert!(!detail(&error).contains('\u{1b}'), "{error}");
}

#[tokio::test]
async fn caa_records_are_honoured_where_the_operator_has_a_name() {
    let scene = Scene::new(|settings| settings.caa_identities = vec!["ca.internal".to_owned()]);
    let client = scene.client().await;
    scene.world.name("app.other.test", &["127.0.0.1"]);
    scene.world.caa("other.test", "someone-else.test");
    let error = failed(&scene, &client, "app.other.test", |challenge| {
        scene.world.prove(challenge);
    });
    let error = error.await;
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
            let name = format!("127.0.{}.{place}", u8::from(kind == "http-01"));
            let challenge = client.challenged(&name, kind).await;
            let answer = client.take_up(&challenge).await;
            assert_eq!(answer.body["status"], "processing");
            assert_eq!(answer.header("retry-after"), "1", "§7.5.1");
            assert!(
                links(&answer)
                    .iter()
                    .any(|link| link.ends_with("rel=\"up\"")),
                "§7.1"
            );
            waiting.push((kind, challenge.authorization));
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
    let error = failed(&scene, &client, "a.test", |challenge| {
        scene
            .world
            .redirect(&challenge.path(), "http://b.test/there")
    });
    let error = error.await;
    assert!(detail(&error).contains("more than 10 redirects"));
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
        let challenge = greedy.challenged(&name, "http-01").await;
        greedy.take_up(&challenge).await;
    }
    let challenge = modest.challenged("app.test", "dns-01").await;
    let digest = base64url::encode(openssl::sha::sha256(challenge.proof.as_bytes()));
    scene.world.text("_acme-challenge.app.test", &digest);
    let before = tokio::time::Instant::now();
    modest.take_up(&challenge).await;
    let decided = modest.decided(&challenge.authorization).await;
    assert_eq!(decided.body["status"], "valid");
    // the clock stands unless everybody waits: nobody had to give up first
    assert!(before.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(scene.world.most_open(), 2);
}
