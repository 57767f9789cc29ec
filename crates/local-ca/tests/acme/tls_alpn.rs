//! Proves that tls-alpn-01 believes the certificate of RFC 8737 §3 and RFC 8738 §6, made by OpenSSL, and none that differs from it in one
//! thing.

use crate::support::{Scene, challenge};
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::sha::sha256;
use openssl::ssl::{AlpnError, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Builder, X509Extension, X509NameBuilder};
use serde_json::{Value, json};
use stampmill_local_ca::{KeyKind, LeafKey};

/// What a server shows.
#[derive(Clone)]
struct Shown {
    names: Vec<String>,
    digest: Vec<u8>,
    critical: bool,
    identifier: bool,
    /// The digest without the octet string around it.
    bare: bool,
    self_signed: bool,
    protocol: &'static [u8],
    most: Option<SslVersion>,
}

impl Shown {
    fn right(name: &str, proof: &str) -> Self {
        Self {
            names: vec![name.to_owned()],
            digest: sha256(proof.as_bytes()).to_vec(),
            critical: true,
            identifier: true,
            bare: false,
            self_signed: true,
            protocol: b"\x0aacme-tls/1",
            most: None,
        }
    }

    fn acceptor(&self) -> SslAcceptor {
        let key = LeafKey::generate(KeyKind::P256).unwrap();
        let other = LeafKey::generate(KeyKind::P256).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        let nobody = X509NameBuilder::new().unwrap().build();
        builder.set_subject_name(&nobody).unwrap();
        builder.set_issuer_name(&nobody).unwrap();
        builder.set_pubkey(key.as_openssl()).unwrap();
        let (from, to) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(1));
        builder.set_not_before(&from.unwrap()).unwrap();
        builder.set_not_after(&to.unwrap()).unwrap();
        if !self.names.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in &self.names {
                match name.parse::<std::net::IpAddr>() {
                    Ok(_) => names.ip(name),
                    Err(_) => names.dns(name),
                };
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        if self.identifier {
            let length = u8::try_from(self.digest.len()).unwrap();
            let mut value = if self.bare {
                vec![]
            } else {
                vec![0x04, length]
            };
            value.extend(&self.digest);
            let kind = Asn1Object::from_str("1.3.6.1.5.5.7.1.31").unwrap();
            let value = Asn1OctetString::new_from_bytes(&value).unwrap();
            let identifier = X509Extension::new_from_der(&kind, self.critical, &value).unwrap();
            builder.append_extension(identifier).unwrap();
        }
        let signer = if self.self_signed { &key } else { &other };
        builder
            .sign(signer.as_openssl(), MessageDigest::sha256())
            .unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&builder.build()).unwrap();
        acceptor.set_private_key(key.as_openssl()).unwrap();
        acceptor.set_max_proto_version(self.most).unwrap();
        let protocol = self.protocol;
        acceptor.set_alpn_select_callback(move |_, offered| {
            select_next_proto(protocol, offered).ok_or(AlpnError::NOACK)
        });
        acceptor.build()
    }
}

/// The problem that a name is refused with; empty if it is proved.
async fn judged(name: &str, change: impl FnOnce(&mut Shown)) -> (String, String) {
    let scene = Scene::new(|_| {});
    let client = scene.client().await;
    if name.parse::<std::net::IpAddr>().is_err() {
        scene.world.name(&name.to_ascii_lowercase(), &["127.0.0.1"]);
    }
    let order = client.order(&[name]).await;
    let authorization = order.body["authorizations"][0].as_str().unwrap();
    let shown = client.post(authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "tls-alpn-01");
    let mut shown = Shown::right(name, &client.proof(&token));
    change(&mut shown);
    scene.world.tls(shown.acceptor());
    client.post(&url, json!({})).await;
    let decided = client.decided(authorization).await.body;
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
