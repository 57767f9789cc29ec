//! Proves that no request, however it is made wrong, is answered with an error of the server's own, with nothing, or with a form that clients
//! cannot read: right requests to every address, signed, with parts of header, payload and body replaced, dropped or damaged.

use std::time::Duration;

use crate::support::{BASE, Client, Scene, csr, full, identifier, jws, send};
use axum::body::Body;
use http::{Request, StatusCode, Uri};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, SigningKey, base64url};
use stampmill_local_ca::Certificate;

/// A request that is right as it stands.
#[derive(Clone)]
struct Right {
    path: String,
    by_key: bool,
    payload: Value,
    /// At the finalize address of an order that is ready, each time another.
    of_ready_order: bool,
    /// Header and payload of a request within the request.
    inner: Option<(Value, Value)>,
}

/// One thing done to it.
#[derive(Clone, Debug)]
enum Mutation {
    /// The n-th node of the header, the payload or the inner request becomes another value.
    Header(usize, Value),
    Payload(usize, Value),
    InnerHeader(usize, Value),
    InnerPayload(usize, Value),
    /// A member more, or another value for it.
    HeaderMember(String, Value),
    PayloadMember(String, Value),
    DropHeader(usize),
    DropPayload(usize),
    /// The payload is these bytes, and signed.
    Raw(Vec<u8>),
    /// After signing: a part of the body is another, is cut off, or is damaged.
    Part(String, Value),
    Cut(usize),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    /// The last part of the path, percent-encoded, or what follows `?`; signed for there.
    Path(Vec<u8>),
    Query(String),
    /// Another key signs.
    Stranger,
    Method(&'static str),
    ContentType(String),
}

fn odd() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "none",
        "HS256",
        "RS256",
        "EdDSA",
        "ES384",
        "valid",
        "\u{0}",
        "../..",
        "a.test",
        "*.a.test",
        "*",
        "*.",
        "127.0.0.1",
        "fe80::1%eth0",
        "mailto:a@b.test",
        "mailto:",
        "2026-13-45T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-262143-01-01T00:00:00Z",
        "AAAA",
        "MIIB",
        "MAA",
        "e30",
        "W10",
        "\u{1f600}",
        "dns",
        "ip",
        "email",
        "server",
        "deactivated ",
    ];
    let text = prop::sample::select(texts.map(|text| json!(text)).to_vec());
    let other = prop::sample::select(vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([[[[[[[[]]]]]]]]),
        json!({"type": "dns", "value": "b.test"}),
        json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
        json!({"protected": "e30", "payload": "e30", "signature": ""}),
        json!("x".repeat(3000)),
        (0..100).fold(json!(0), |inside, _| json!([inside])),
    ]);
    let random = ".{0,40}".prop_map(|text| json!(text));
    let octets = prop::collection::vec(any::<u8>(), 0..80)
        .prop_map(|octets| json!(base64url::encode(octets)));
    prop_oneof![3 => text, 3 => other, 1 => random, 1 => octets]
}

fn member() -> impl Strategy<Value = String> {
    let known = [
        "alg",
        "kid",
        "jwk",
        "nonce",
        "url",
        "crit",
        "b64",
        "typ",
        "cty",
        "x5c",
        "identifiers",
        "notBefore",
        "notAfter",
        "replaces",
        "profile",
        "contact",
        "status",
        "termsOfServiceAgreed",
        "onlyReturnExisting",
        "externalAccountBinding",
        "csr",
        "certificate",
        "reason",
        "account",
        "oldKey",
        "protected",
        "payload",
        "signature",
        "header",
        "signatures",
    ];
    prop_oneof![5 => prop::sample::select(known.map(str::to_owned).to_vec()), 1 => ".{0,20}"]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = || any::<usize>();
    let bytes = || prop::collection::vec(any::<u8>(), 0..60);
    let other = prop_oneof![
        bytes().prop_map(Mutation::Raw),
        (member(), odd()).prop_map(|(name, value)| Mutation::Part(name, value)),
        place().prop_map(Mutation::Cut),
        (place(), 1..=255_u8).prop_map(|(place, bits)| Mutation::Flip(place, bits)),
        (place(), bytes()).prop_map(|(place, more)| Mutation::Insert(place, more)),
        // `/acme/` itself is where the routes are mounted, not one of them
        prop::collection::vec(any::<u8>(), 1..60).prop_map(Mutation::Path),
        "[!-~]{0,30}".prop_map(Mutation::Query),
        Just(Mutation::Stranger),
        prop::sample::select(vec!["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
            .prop_map(Mutation::Method),
        "[ -~]{0,30}".prop_map(Mutation::ContentType),
    ];
    prop_oneof![
        2 => (place(), odd()).prop_map(|(place, value)| Mutation::Header(place, value)),
        6 => (place(), odd()).prop_map(|(place, value)| Mutation::Payload(place, value)),
        1 => (place(), odd()).prop_map(|(place, value)| Mutation::InnerHeader(place, value)),
        1 => (place(), odd()).prop_map(|(place, value)| Mutation::InnerPayload(place, value)),
        2 => (member(), odd()).prop_map(|(name, value)| Mutation::HeaderMember(name, value)),
        3 => (member(), odd()).prop_map(|(name, value)| Mutation::PayloadMember(name, value)),
        1 => place().prop_map(Mutation::DropHeader),
        2 => place().prop_map(Mutation::DropPayload),
        5 => other,
    ]
}

/// The n-th node of a value, itself the first, becomes another.
fn replace(value: &mut Value, place: usize, other: &Value) {
    let pointers = pointers(value);
    let pointer = &pointers[place % pointers.len()];
    if let Some(node) = value.pointer_mut(pointer) {
        *node = other.clone();
    }
}

/// The n-th member goes.
fn drop_member(value: &mut Value, place: usize) {
    if let Some(members) = value.as_object_mut()
        && !members.is_empty()
    {
        let name = members.keys().nth(place % members.len()).unwrap().clone();
        members.remove(&name);
    }
}

fn set(value: &mut Value, name: &str, other: &Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), other.clone());
    }
}

fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |name: String, inside: &Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{at}/{name}");
        found.push(pointer.clone());
        collect(inside, &pointer, found);
    };
    match value {
        Value::Object(members) => {
            for (name, inside) in members {
                below(name.clone(), inside);
            }
        }
        Value::Array(list) => {
            for (place, inside) in list.iter().enumerate() {
                below(place.to_string(), inside);
            }
        }
        _ => {}
    }
}

/// An account with an order in every state, and a right request for every address.
async fn prepare(scene: &Scene) -> (Client, Vec<Right>) {
    let client = scene.client().await;
    let account = client.kid.clone().unwrap();
    let chain = client.certificate(&scene.world, &["app.test"]).await;
    let leaf = Certificate::from_pem(chain.as_bytes()).unwrap();
    client.ready(&scene.world, &["127.0.0.1"]).await;
    let pending = client.order(&["pending.test"]).await;
    let authorization = pending.body["authorizations"][0].as_str().unwrap();
    let challenge = client.challenge(authorization, "dns-01").await.url;
    let new = SigningKey::generate(Algorithm::Es256).unwrap();
    let inner = (
        json!({"alg": "ES256", "jwk": crate::support::jwk(&new), "url": full("/key-change")}),
        json!({"account": account, "oldKey": crate::support::jwk(&new)}),
    );
    let right = |path: &str, payload: Value| Right {
        path: path.strip_prefix(BASE).unwrap_or(path).to_owned(),
        by_key: false,
        of_ready_order: false,
        payload,
        inner: None,
    };
    let binding = json!({"protected": "e30", "payload": "e30", "signature": "AAAA"});
    let moment = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap().to_string();
    let now = stampmill_local_ca::now();
    let order = json!({
        "identifiers": [identifier("a.test"), identifier("127.0.0.2")],
        "notBefore": moment(now), "notAfter": moment(now + 9000), "profile": "server",
    });
    let new_account = json!({"contact": ["mailto:a@b.test"], "termsOfServiceAgreed": true});
    let bound = json!({"externalAccountBinding": binding});
    let list = vec![
        right("/directory", Value::Null),
        right("/new-nonce", Value::Null),
        Right {
            by_key: true,
            ..right("/new-account", new_account.clone())
        },
        Right {
            by_key: true,
            ..right("/new-account", bound)
        },
        right(&account, json!({"contact": ["mailto:a@b.test"]})),
        right(&account, Value::Null),
        right(&format!("{account}/orders"), Value::Null),
        Right {
            inner: Some(inner),
            ..right("/key-change", Value::Null)
        },
        right("/new-order", order),
        right(&pending.header("location"), Value::Null),
        Right {
            of_ready_order: true,
            ..right("", json!({"csr": csr(&["127.0.0.1"]).0}))
        },
        right(
            &pending.text("finalize"),
            json!({"csr": csr(&["pending.test"]).0}),
        ),
        right(authorization, Value::Null),
        right(authorization, json!({"status": "pending"})),
        right(&challenge, Value::Null),
        right(&challenge, json!({})),
        right(&format!("/certificate/{}", leaf.serial()), Value::Null),
        right(
            "/revoke-cert",
            json!({"certificate": base64url::encode(leaf.der()), "reason": 4}),
        ),
        Right {
            by_key: true,
            ..right(
                "/revoke-cert",
                json!({"certificate": base64url::encode(leaf.der())}),
            )
        },
        right("/renewal-info/AAAA.AAAA", Value::Null),
        right("/nowhere", Value::Null),
    ];
    (client, list)
}

/// The request with all that is done to it; nothing where HTTP itself has no such request.
async fn request(client: &Client, right: &Right, mutations: &[Mutation]) -> Option<Request<Body>> {
    let mut right = right.clone();
    if right.of_ready_order {
        // the proof of the first holds for an hour
        let order = client.order(&["127.0.0.1"]).await;
        right.path = order.text("finalize").strip_prefix(BASE)?.to_owned();
    }
    for mutation in mutations {
        match mutation {
            Mutation::Path(bytes) => {
                let last: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
                let above = right.path.rsplit_once('/').map_or("", |(above, _)| above);
                right.path = format!("{above}/{last}");
            }
            Mutation::Query(query) => right.path = format!("{}?{query}", right.path),
            Mutation::InnerHeader(place, value) => {
                if let Some((header, _)) = &mut right.inner {
                    replace(header, *place, value);
                }
            }
            Mutation::InnerPayload(place, value) => {
                if let Some((_, payload)) = &mut right.inner {
                    replace(payload, *place, value);
                }
            }
            _ => {}
        }
    }
    let url = full(&right.path);
    let key = &client.key;
    let mut header = json!({"alg": "ES256", "nonce": client.nonce().await, "url": url});
    match right.by_key {
        true => header["jwk"] = client.jwk(),
        false => header["kid"] = json!(client.kid),
    }
    let mut payload = match &right.inner {
        Some((header, payload)) => jws(key, header, payload),
        None => right.payload.clone(),
    };
    let (mut raw, mut stranger) = (None, None);
    let (mut method, mut kind) = ("POST", "application/jose+json".to_owned());
    for mutation in mutations {
        match mutation {
            Mutation::Header(place, value) => replace(&mut header, *place, value),
            Mutation::Payload(place, value) => replace(&mut payload, *place, value),
            Mutation::HeaderMember(name, value) => set(&mut header, name, value),
            Mutation::PayloadMember(name, value) => set(&mut payload, name, value),
            Mutation::DropHeader(place) => drop_member(&mut header, *place),
            Mutation::DropPayload(place) => drop_member(&mut payload, *place),
            Mutation::Raw(bytes) => raw = Some(bytes.clone()),
            Mutation::Stranger => stranger = Some(SigningKey::generate(Algorithm::Es256).unwrap()),
            Mutation::Method(other) => method = other,
            Mutation::ContentType(other) => kind.clone_from(other),
            _ => {}
        }
    }
    let signer = stranger.as_ref().unwrap_or(key);
    let mut body = match raw {
        None => jws(signer, &header, &payload),
        Some(bytes) => {
            let (protected, payload) = (
                base64url::encode(header.to_string()),
                base64url::encode(bytes),
            );
            let signature = signer
                .sign(format!("{protected}.{payload}").as_bytes())
                .unwrap();
            json!({"protected": protected, "payload": payload, "signature": base64url::encode(signature)})
        }
    };
    for mutation in mutations {
        if let Mutation::Part(name, value) = mutation {
            set(&mut body, name, value);
        }
    }
    let mut bytes = body.to_string().into_bytes();
    for mutation in mutations {
        let length = bytes.len().max(1);
        match mutation {
            Mutation::Cut(place) => bytes.truncate(place % length),
            Mutation::Flip(place, bits) => {
                if let Some(byte) = bytes.get_mut(place % length) {
                    *byte ^= bits;
                }
            }
            Mutation::Insert(place, more) => {
                let place = (place % length).min(bytes.len());
                bytes.splice(place..place, more.iter().copied());
            }
            _ => {}
        }
    }
    let uri: Uri = url.parse().ok()?;
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", kind);
    request.body(Body::from(bytes)).ok()
}

#[test]
fn nothing_that_is_sent_is_too_much() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let scene = Scene::new(|settings| {
        settings.limits.accounts_per_hour = u32::MAX;
        settings.limits.orders_per_hour = u32::MAX;
        settings.limits.failures_per_hour = u32::MAX;
    });
    let (client, right) = runtime.block_on(prepare(&scene));
    let cases = (0..right.len(), prop::collection::vec(mutation(), 0..4));
    // The same cases each time: what they have to reach, below, is not left to chance.
    let config = Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    runner
        .run(&cases, |(place, mutations)| {
            let answer = runtime.block_on(async {
                let request = request(&client, &right[place], &mutations).await?;
                let method = request.method().clone();
                // not how quick it is: that it ends
                let answer =
                    tokio::time::timeout(Duration::from_secs(60), send(&scene.router, request));
                Some((method, answer.await.expect("an answer")))
            });
            let Some((method, answer)) = answer else {
                return Ok(());
            };
            seen.borrow_mut()
                .insert((answer.status.as_u16(), answer.problem().to_owned()));
            prop_assert!(
                answer.status.as_u16() < 500,
                "{}: {:?}",
                right[place].path,
                answer
            );
            if answer.status.as_u16() >= 400 && method != "HEAD" {
                prop_assert_eq!(answer.header("content-type"), "application/problem+json");
                prop_assert!(
                    !answer.problem().is_empty() && answer.problem() != "serverInternal",
                    "{:?}",
                    answer
                );
                prop_assert_eq!(&answer.body["status"], &json!(answer.status.as_u16()));
                prop_assert!(answer.text.len() < 8192, "{:?}", answer);
            }
            if method == "POST" {
                answer.header("replay-nonce");
            }
            Ok(())
        })
        .unwrap();
    // the mutations reached behind the first checks
    let seen = seen.into_inner();
    for expected in [
        (200, ""),
        (201, ""),
        (400, "badNonce"),
        (400, "badCSR"),
        (400, "badSignatureAlgorithm"),
        (400, "malformed"),
        (403, "orderNotReady"),
        (403, "unauthorized"),
        (404, "malformed"),
        (405, "malformed"),
        (415, "malformed"),
    ] {
        assert!(
            seen.contains(&(expected.0, expected.1.to_owned())),
            "{expected:?}: {seen:?}"
        );
    }
    let still = runtime.block_on(client.order(&["localhost"]));
    assert_eq!(
        still.status,
        StatusCode::CREATED,
        "the account is as it was"
    );
}

#[test]
fn a_request_of_the_longest_kind_is_answered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scene = Scene::new(|_| {});
    runtime.block_on(async {
        let client = scene.client().await;
        // a hundred names of the greatest length, just below the limit
        let label = "a".repeat(55);
        let names: Vec<Value> = (0..100).map(|n| identifier(&format!("{label}{n}.{label}.{label}.{label}.test"))).collect();
        let made = client.post("/new-order", json!({"identifiers": names})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let outside: Vec<Value> = (0..100).map(|n| identifier(&format!("a{n}.example"))).collect();
        let refused = client.post("/new-order", json!({"identifiers": outside})).await;
        assert_eq!(refused.body["subproblems"].as_array().unwrap().len(), 100);
        // deep, wide, and large: each refused before it is worked on
        for payload in [
            format!("{{\"identifiers\":{}0{}}}", "[".repeat(10_000), "]".repeat(10_000)),
            format!("{{\"identifiers\":[{}0]}}", "0,".repeat(15_000)),
            format!("{{{}\"a\":0}}", (0..2500).map(|n| format!("\"m{n}\":0,")).collect::<String>()),
        ] {
            let header = json!({"alg": "ES256", "kid": client.kid, "nonce": client.nonce().await, "url": full("/new-order")});
            let (protected, payload) = (base64url::encode(header.to_string()), base64url::encode(payload));
            let signature = client.key.sign(format!("{protected}.{payload}").as_bytes()).unwrap();
            let body = json!({"protected": protected, "payload": payload, "signature": base64url::encode(signature)});
            let refused = client.post_bytes("/new-order", body.to_string()).await;
            assert_eq!(refused.problem(), "malformed", "{}", refused.body);
        }
    });
}
