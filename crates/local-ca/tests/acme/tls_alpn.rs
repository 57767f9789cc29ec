//! Proves that tls-alpn-01 believes the certificate of RFC 8737 §3 and RFC 8738 §6, made by OpenSSL, and none that differs from it in one
//! thing.

use openssl::sha::sha256;
use openssl::ssl::SslVersion;

use crate::alpn_server::Shown;
use crate::support::Scene;

/// The problem that a name is refused with; empty if it is proved.
async fn judged(name: &str, change: impl FnOnce(&mut Shown)) -> (String, String) {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    if name.parse::<std::net::IpAddr>().is_err() {
        scene.world.name(&name.to_ascii_lowercase(), &["127.0.0.1"]);
    }
    let challenge = client.challenged(name, "tls-alpn-01").await;
    let digest = sha256(challenge.proof.as_bytes());
    let mut shown = Shown::right(name, &digest);
    change(&mut shown);
    scene.world.tls(shown.acceptor());
    client.take_up(&challenge).await;
    let decided = client.decided(&challenge.authorization).await.body;
    let error = &decided["challenges"][0]["error"];
    let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
    let kind = text("type").rsplit(':').next().unwrap().to_owned();
    assert_eq!(decided["status"] == "valid", kind.is_empty());
    (kind, text("detail"))
}

#[tokio::test]
async fn the_right_certificate_is_believed_over_tls_1_2_and_1_3() {
    for name in ["app.test", "127.0.0.1", "::1"] {
        assert_eq!(judged(name, |_| {}).await.0, "", "{name}");
        let older = judged(name, |shown| shown.most = Some(SslVersion::TLS1_2));
        assert_eq!(older.await.0, "", "{name}");
    }
    // names have no case (RFC 8737 §3 asks for the name, RFC 4343 says what is the same)
    assert_eq!(
        judged("app.test", |shown| shown.names =
            vec!["APP.test".to_owned()])
        .await
        .0,
        ""
    );
}

#[tokio::test]
async fn one_thing_wrong_is_too_much() {
    type Change = fn(&mut Shown);
    let wrong: &[(&str, Change, &str)] = &[
        (
            "not critical",
            |shown| shown.critical = false,
            "not critical",
        ),
        (
            "no acmeIdentifier",
            |shown| shown.identifier = false,
            "no acmeIdentifier",
        ),
        (
            "another digest",
            |shown| shown.digest[31] ^= 1,
            "not the digest",
        ),
        (
            "half a digest",
            |shown| shown.digest.truncate(16),
            "not the digest",
        ),
        ("no digest", |shown| shown.digest.clear(), "not the digest"),
        (
            "not an octet string",
            |shown| shown.bare = true,
            "not the digest",
        ),
        (
            "another name",
            |shown| shown.names = vec!["b.test".to_owned()],
            "subjectAltName",
        ),
        (
            "a wildcard",
            |shown| shown.names = vec!["*.test".to_owned()],
            "subjectAltName",
        ),
        (
            "two names",
            |shown| shown.names.push("b.test".to_owned()),
            "subjectAltName",
        ),
        (
            "an address beside it",
            |shown| shown.names.push("127.0.0.1".to_owned()),
            "subjectAltName",
        ),
        ("no name", |shown| shown.names.clear(), "subjectAltName"),
        (
            "signed by another key",
            |shown| shown.self_signed = false,
            "self-signed",
        ),
        (
            "another protocol",
            |shown| shown.protocol = b"\x08http/1.1",
            "acme-tls/1",
        ),
    ];
    for (what, change, words) in wrong {
        let (kind, detail) = judged("app.test", change).await;
        assert_eq!(kind, "incorrectResponse", "{what}: {detail}");
        assert!(detail.contains(words), "{what}: {detail}");
    }
    let old = judged("app.test", |shown| shown.most = Some(SslVersion::TLS1_1)).await;
    assert_eq!(old.0, "tls", "RFC 8737 §4: TLS 1.2 or higher: {}", old.1);
}

/// As octets 65 is `A` and 97 is `a`: addresses have no case.
#[tokio::test]
async fn of_an_address_every_octet_counts() {
    let (kind, detail) = judged("127.0.0.65", |shown| {
        shown.names = vec!["127.0.0.97".to_owned()]
    })
    .await;
    assert_eq!(kind, "incorrectResponse");
    assert!(detail.contains("subjectAltName"), "{detail}");
}
