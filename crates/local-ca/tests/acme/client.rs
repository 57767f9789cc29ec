//! Proves that somebody else's client (instant-acme) gets, renews and revokes certificates by every challenge, without a socket.

use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, CertificateIdentifier, ChallengeType,
    Error, ExternalAccountKey, HttpClient, Identifier, KeyAuthorization, NewAccount, NewOrder,
    Order, OrderStatus, RetryPolicy, RevocationReason, RevocationRequest,
};
use stampmill_local_ca::acme::ExternalKey;
use stampmill_local_ca::{Certificate, CertificateRequest, SubjectAltName, VerifyOptions, verify};
use tower::ServiceExt as _;

use crate::alpn_server::Shown;
use crate::support::{BASE, Scene};

/// The router as instant-acme's way to the network.
struct InProcess(Router);

impl HttpClient for InProcess {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let router = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let request = Request::from_parts(parts, Body::from(body));
            let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Ok(BytesResponse {
                parts,
                body: Box::new(body),
            })
        })
    }
}

async fn account(scene: &Scene, key: Option<&ExternalAccountKey>) -> Result<Account, Error> {
    let new = NewAccount {
        contact: &["mailto:alice@example.test"],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_http(Box::new(InProcess(scene.router.clone())));
    let made = builder.create(&new, format!("{BASE}/directory"), key).await;
    made.map(|(account, _)| account)
}

/// Proves every name of an order, and takes the certificate.
async fn issue(
    scene: &Scene,
    order: &mut Order,
    kind: ChallengeType,
    put: impl Fn(&str, &str, &KeyAuthorization),
) -> Certificate {
    let mut names: Vec<SubjectAltName> = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.unwrap();
        names.push(authorization.identifier().to_string().parse().unwrap());
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(kind.clone()).unwrap();
        let name = match challenge.identifier().identifier {
            Identifier::Dns(name) => name.clone(),
            Identifier::Ip(address) => address.to_string(),
            other => panic!("{other:?}"),
        };
        let proof = challenge.key_authorization();
        put(&name, &challenge.token.clone(), &proof);
        challenge.set_ready().await.unwrap();
    }
    let status = order.poll_ready(&RetryPolicy::default()).await.unwrap();
    assert_eq!(status, OrderStatus::Ready);
    let (request, _key) = CertificateRequest::new("", &names).unwrap();
    order.finalize_csr(&request.to_der()).await.unwrap();
    let chain = order
        .poll_certificate(&RetryPolicy::default())
        .await
        .unwrap();
    assert_eq!(
        chain.matches("BEGIN CERTIFICATE").count(),
        2,
        "leaf and intermediate, no root"
    );
    let leaf = Certificate::from_pem(chain.as_bytes()).unwrap();
    assert_eq!(leaf.names(), names);
    for name in names {
        let host = name.to_string().replace("*.", "www.").parse().unwrap();
        let verdict = verify(
            &leaf,
            &[scene.authority.root()],
            &VerifyOptions::for_host(host),
        );
        assert_eq!(verdict.unwrap().to_string(), "OK");
    }
    leaf
}

fn identifiers(names: &[&str]) -> Vec<Identifier> {
    let one = |name: &&str| match name.parse() {
        Ok(address) => Identifier::Ip(address),
        Err(_) => Identifier::Dns((*name).to_owned()),
    };
    names.iter().map(one).collect()
}

fn web(scene: &Scene) -> impl Fn(&str, &str, &KeyAuthorization) {
    let world = scene.world.clone();
    move |name, token, proof| {
        if name.parse::<std::net::IpAddr>().is_err() {
            world.name(name, &["127.0.0.1"]);
        }
        let page = format!("{}\r\n", proof.as_str());
        world.page(&format!("/.well-known/acme-challenge/{token}"), &page);
    }
}

#[tokio::test]
async fn http_01_for_names_and_addresses() {
    let scene = Scene::new(|_| {});
    let account = account(&scene, None).await.unwrap();
    let wanted = identifiers(&["app.example.test", "localhost", "127.0.0.2", "::1"]);
    let mut order = account.new_order(&NewOrder::new(&wanted)).await.unwrap();
    issue(&scene, &mut order, ChallengeType::Http01, web(&scene)).await;
    let mut connected: Vec<String> = scene
        .world
        .connections()
        .iter()
        .map(ToString::to_string)
        .collect();
    connected.sort();
    assert_eq!(
        connected,
        ["127.0.0.1:80", "127.0.0.1:80", "127.0.0.2:80", "[::1]:80"]
    );
}

#[tokio::test]
async fn dns_01_for_a_name_and_its_wildcard() {
    let scene = Scene::new(|_| {});
    let account = account(&scene, None).await.unwrap();
    let wanted = identifiers(&["example.test", "*.example.test"]);
    let mut order = account.new_order(&NewOrder::new(&wanted)).await.unwrap();
    let put = |name: &str, _: &str, proof: &KeyAuthorization| {
        scene
            .world
            .text(&format!("_acme-challenge.{name}"), &proof.dns_value());
    };
    issue(&scene, &mut order, ChallengeType::Dns01, put).await;
    assert!(scene.world.connections().is_empty());
}

#[tokio::test]
async fn tls_alpn_01_for_a_name_and_an_address() {
    for name in ["app.example.test", "127.0.0.1", "::1"] {
        let scene = Scene::new(|_| {});
        let account = account(&scene, None).await.unwrap();
        let wanted = identifiers(&[name]);
        let mut order = account.new_order(&NewOrder::new(&wanted)).await.unwrap();
        let put = |name: &str, _: &str, proof: &KeyAuthorization| {
            scene.world.name(name, &["127.0.0.1"]);
            let shown = Shown::right(name, proof.digest().as_ref());
            scene.world.tls(shown.acceptor());
        };
        issue(&scene, &mut order, ChallengeType::TlsAlpn01, put).await;
    }
}

#[tokio::test]
async fn an_external_key_makes_one_account() {
    let scene = Scene::new(|settings| settings.external_account_required = true);
    let without = account(&scene, None).await.err().unwrap().to_string();
    assert!(without.contains("externalAccountRequired"), "{without}");
    let made = ExternalKey::make(&scene.authority).unwrap();
    let secret = stampmill_jose::base64url::decode(made.hmac_key().as_str()).unwrap();
    let key = ExternalAccountKey::new(made.kid().to_owned(), &secret);
    account(&scene, Some(&key)).await.unwrap();
    let again = account(&scene, Some(&key)).await.err().unwrap().to_string();
    assert!(again.contains("unauthorized"), "{again}");
}

#[tokio::test]
async fn a_key_is_changed_and_the_account_stays() {
    let scene = Scene::new(|_| {});
    let mut account = account(&scene, None).await.unwrap();
    let (id, thumbprint) = (account.id().to_owned(), account.key_thumbprint().to_owned());
    let _credentials = account.update_key().await.unwrap();
    assert_eq!(account.id(), id);
    assert_ne!(account.key_thumbprint(), thumbprint);
    account
        .update_contacts(&["mailto:bob@example.test"])
        .await
        .unwrap();
    let wanted = identifiers(&["localhost"]);
    let mut order = account.new_order(&NewOrder::new(&wanted)).await.unwrap();
    issue(&scene, &mut order, ChallengeType::Http01, web(&scene)).await;
    account.deactivate().await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_renewed_when_the_server_says_and_revoked() {
    let scene = Scene::new(|_| {});
    let account = account(&scene, None).await.unwrap();
    let mut profiles: Vec<&str> = account.profiles().map(|profile| profile.name).collect();
    profiles.sort_unstable();
    assert_eq!(profiles, ["client", "server", "shortlived"]);
    let wanted = identifiers(&["localhost"]);
    let short = NewOrder::new(&wanted).profile("shortlived");
    let mut order = account.new_order(&short).await.unwrap();
    let leaf = issue(&scene, &mut order, ChallengeType::Http01, web(&scene)).await;
    let days = (leaf.not_after() - leaf.not_before() + 1) / 86_400;
    assert_eq!(days, 6);

    let der = leaf.der().into();
    let id = CertificateIdentifier::try_from(&der).unwrap().into_owned();
    let (info, _) = account.renewal_info(&id).await.unwrap();
    let (start, end) = (info.suggested_window.start, info.suggested_window.end);
    let two_thirds = leaf.not_before() + (leaf.not_after() - leaf.not_before()) * 2 / 3;
    assert_eq!(start.unix_timestamp(), two_thirds);
    assert!(start < end);

    let request = RevocationRequest {
        certificate: &der,
        reason: Some(RevocationReason::Superseded),
    };
    account.revoke(&request).await.unwrap();
    let (info, _) = account.renewal_info(&id).await.unwrap();
    let end = info.suggested_window.end.unix_timestamp();
    assert!(end < stampmill_local_ca::now(), "come at once");

    let renewal = NewOrder::new(&wanted).replaces(id.clone());
    let mut order = account.new_order(&renewal).await.unwrap();
    issue(&scene, &mut order, ChallengeType::Http01, web(&scene)).await;
    let twice = account
        .new_order(&NewOrder::new(&wanted).replaces(id))
        .await;
    let twice = twice.err().unwrap().to_string();
    assert!(twice.contains("alreadyReplaced"), "{twice}");
}
