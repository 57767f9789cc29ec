//! The folder's authority serves others when the configuration says so and not otherwise: somebody else's ACME client gets and revokes a
//! certificate beside the OpenID addresses, and what that certificate points at answers over plain HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use instant_acme::{
    Account, BodyWrapper, BytesResponse, ChallengeType, Error, HttpClient, Identifier, NewAccount,
    NewOrder, OrderStatus, RetryPolicy, RevocationRequest,
};
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspRequest, OcspResponse};
use openssl::x509::{CrlStatus, X509, X509Crl};
use stampmill_local_ca::{
    Authority, AuthorityProfile, CertificateRequest, SubjectAltName, VerifyOptions, now, verify,
};
use stampmill_token_service::{Config, ConfigFile, DataFolder, Server, StartError};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Client, Folder, HTTP_1_1, configured, fresh};

/// instant-acme's way to the server, over TLS with the local root as its only trust.
struct OverTls(Client);

impl HttpClient for OverTls {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let authority = parts.uri.authority().unwrap().to_string();
            let path = parts.uri.path_and_query().unwrap().to_string();
            parts
                .headers
                .insert(header::HOST, authority.parse().unwrap());
            parts.uri = path.parse().unwrap();
            let stream = client.connect("localhost", HTTP_1_1).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let request = Request::from_parts(parts, Full::new(body));
            let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Ok(BytesResponse {
                parts,
                body: Box::new(body),
            })
        })
    }
}

/// Over plain HTTP, to an address as certificates have it.
async fn plain(url: &str, question: Option<Vec<u8>>) -> (StatusCode, Vec<u8>) {
    let (authority, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let stream = TcpStream::connect(authority).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .uri(format!("/{path}"))
        .header(header::HOST, authority);
    let request = match question {
        None => request.body(Full::new(Bytes::new())),
        Some(question) => request
            .method("POST")
            .header(header::CONTENT_TYPE, "application/ocsp-request")
            .body(Full::new(question.into())),
    };
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, body.into())
}

async fn status(leaf: &X509, issuer: &X509) -> OcspCertStatus {
    let id = || OcspCertId::from_cert(MessageDigest::sha1(), leaf, issuer).unwrap();
    let mut question = OcspRequest::new().unwrap();
    question.add_id(id()).unwrap();
    let responder = leaf.ocsp_responders().unwrap()[0].to_string();
    let (status, answer) = plain(&responder, Some(question.to_der().unwrap())).await;
    assert_eq!(status, StatusCode::OK);
    let answer = OcspResponse::from_der(&answer).unwrap().basic().unwrap();
    answer.find_status(&id()).unwrap().status
}

fn crl_address(leaf: &X509) -> String {
    let points = leaf.crl_distribution_points().unwrap();
    let names = points[0].distpoint().unwrap().fullname().unwrap();
    names[0].uri().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_word_nothing_of_it_is_served() {
    let (server, _, _folder) = fresh().await;
    assert_eq!(
        (server.acme_directory(), server.authority_addr()),
        (None, None)
    );
    let mut client = Client::of(&server);
    for path in ["/acme/directory", "/ca/root.pem", "/ca/crl/issuing.crl"] {
        assert_eq!(
            client.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_of_others_gets_and_revokes_a_certificate_beside_the_openid_addresses() {
    let web = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let folder = Folder::new();
    let port = web.local_addr().unwrap().port();
    let toml = format!("[authority]\nlisten = '127.0.0.1:0'\nhttp_01_port = {port}\n");
    let server = configured(&folder, &toml).await.unwrap();
    let mut client = Client::of(&server);
    let discovery = client.get("/.well-known/openid-configuration").await.json();
    assert_eq!(discovery["issuer"], server.issuer());
    let directory = server.acme_directory().unwrap().to_owned();
    assert_eq!(directory, format!("{}/acme/directory", server.issuer()));

    let new = NewAccount {
        contact: &[],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_http(Box::new(OverTls(client.clone())));
    let (account, _) = builder.create(&new, directory, None).await.unwrap();
    let wanted = [Identifier::Ip(Ipv4Addr::LOCALHOST.into())];
    let mut order = account.new_order(&NewOrder::new(&wanted)).await.unwrap();
    {
        let mut authorizations = order.authorizations();
        let mut authorization = authorizations.next().await.unwrap().unwrap();
        let mut challenge = authorization.challenge(ChallengeType::Http01).unwrap();
        let path = format!("/.well-known/acme-challenge/{}", challenge.token);
        let proof = challenge.key_authorization().as_str().to_owned();
        let pages = Router::new().route(&path, get(async move || proof));
        tokio::spawn(async move { axum::serve(web, pages).await });
        challenge.set_ready().await.unwrap();
    }
    let ready = order.poll_ready(&RetryPolicy::default()).await.unwrap();
    assert_eq!(ready, OrderStatus::Ready);
    let names = [SubjectAltName::Ip(Ipv4Addr::LOCALHOST.into())];
    let (request, _key) = CertificateRequest::new("", &names).unwrap();
    order.finalize_csr(&request.to_der()).await.unwrap();
    let chain = order
        .poll_certificate(&RetryPolicy::default())
        .await
        .unwrap();

    let leaf = stampmill_local_ca::Certificate::from_pem(chain.as_bytes()).unwrap();
    let root = stampmill_local_ca::Certificate::from_pem(server.ca_root_pem().as_bytes()).unwrap();
    let host = VerifyOptions::for_host(names[0].clone());
    assert_eq!(verify(&leaf, &[root], &host).unwrap().to_string(), "OK");
    let [leaf, issuing] = &X509::stack_from_pem(chain.as_bytes()).unwrap()[..] else {
        panic!("leaf and intermediate")
    };
    let published = format!("http://{}/", server.authority_addr().unwrap());
    let crl = crl_address(leaf);
    assert!(crl.starts_with(&published), "{crl}");
    assert_eq!(status(leaf, issuing).await, OcspCertStatus::GOOD);

    let request = RevocationRequest {
        certificate: &leaf.to_der().unwrap().into(),
        reason: None,
    };
    account.revoke(&request).await.unwrap();
    assert_eq!(status(leaf, issuing).await, OcspCertStatus::REVOKED);
    let (found, list) = plain(&crl, None).await;
    let list = X509Crl::from_der(&list).unwrap();
    assert!(found.is_success() && list.verify(&issuing.public_key().unwrap()).unwrap());
    assert!(matches!(list.get_by_cert(leaf), CrlStatus::Revoked(_)));

    // The same beside the OpenID addresses, for those who have nothing against a TLS certificate.
    let root = client.get("/ca/root.pem").await;
    assert_eq!(root.body, server.ca_root_pem());
    // What the server shows itself points there, too, and its answer comes along.
    let own = client.connect("localhost", HTTP_1_1).await.unwrap();
    let own = own.ssl().peer_certificate().unwrap();
    assert_eq!(status(&own, issuing).await, OcspCertStatus::GOOD);
    server.shutdown().await;
}

/// The authority is the host's, whatever the issuer's path is; and the names in certificates have nothing to do with it.
#[tokio::test]
async fn with_an_issuer_that_has_a_path_the_authority_stays_where_it_is() {
    let folder = Folder::new();
    let toml =
        "issuer = 'https://localhost:4433/realms/one'\n[authority]\nlisten = '127.0.0.1:0'\n";
    let server = configured(&folder, toml).await.unwrap();
    assert_eq!(server.issuer(), "https://localhost:4433/realms/one");
    let directory = server.acme_directory().unwrap();
    assert_eq!(directory, "https://localhost:4433/acme/directory");
    let mut client = Client::of(&server);
    let document = client.get("/acme/directory").await.json();
    assert_eq!(
        document["newOrder"],
        "https://localhost:4433/acme/new-order"
    );
    assert_eq!(client.get("/ca/root.pem").await.body, server.ca_root_pem());
    for (path, status) in [
        ("/realms/one/acme/directory", StatusCode::NOT_FOUND),
        ("/realms/one/ca/root.pem", StatusCode::NOT_FOUND),
        ("/jwks.json", StatusCode::NOT_FOUND),
        ("/realms/one/jwks.json", StatusCode::OK),
    ] {
        assert_eq!(client.get(path).await.status, status, "{path}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn an_intermediate_that_was_renewed_is_followed() {
    let folder = Folder::new();
    drop(DataFolder::open_or_create(&folder).unwrap());
    std::fs::remove_dir_all(folder.join("ca")).unwrap();
    let mut profile = AuthorityProfile::new("test");
    profile.issuing_days = Some(60);
    Authority::create_with(&folder.join("ca"), &profile).unwrap();
    let server = configured(
        &folder,
        "[authority]\nlisten = '127.0.0.1:0'\nacme = false\n",
    )
    .await;
    let server = server.unwrap();
    assert_eq!(server.acme_directory(), None);
    let issuing = format!("http://{}/issuing.cer", server.authority_addr().unwrap());
    let (_, before) = plain(&issuing, None).await;

    let mut beside = Authority::open(&folder.join("ca")).unwrap();
    beside.unlock_root(None, None).unwrap();
    let renewed = beside.renew_issuing(&folder.join("ca"), Some(90), now());
    let renewed = renewed.unwrap().certificate.der();
    let serial = server.renew_certificate().await.unwrap();
    let client = Client::of(&server);
    let stream = client.connect("localhost", HTTP_1_1).await.unwrap();
    let chain = stream.ssl().peer_cert_chain().unwrap();
    assert_eq!(chain[1].to_der().unwrap(), renewed);
    let shown = chain[0].serial_number().to_bn().unwrap();
    assert_eq!(shown, openssl::bn::BigNum::from_hex_str(&serial).unwrap());
    let mut published = before;
    while published != renewed {
        tokio::time::sleep(Duration::from_millis(10)).await;
        published = plain(&issuing, None).await.1;
    }
    server.shutdown().await;
}

/// What another process that opens the authority has certificates point at.
fn recorded(folder: &Path) -> Option<String> {
    let authority = Authority::open(&folder.join("ca")).unwrap();
    authority.base_url().map(ToString::to_string)
}

#[tokio::test]
async fn an_address_lasts_as_long_as_the_configuration_names_it() {
    let folder = Folder::new();
    let fixed = "[authority]\nurl = 'http://pki.internal'\nacme = false\n";
    let free = "[authority]\nlisten = '127.0.0.1:0'\nacme = false\n";
    for (toml, expected) in [
        (free, None),
        (fixed, Some("http://pki.internal".to_owned())),
        ("", None),
        (fixed, Some("http://pki.internal".to_owned())),
        (free, None),
        (fixed, Some("http://pki.internal".to_owned())),
        // ACME alone: no address over plain HTTP.
        ("[authority]\n", None),
    ] {
        configured(&folder, toml).await.unwrap().shutdown().await;
        assert_eq!(recorded(&folder), expected, "{toml}");
    }
}

#[tokio::test]
async fn certificates_do_not_point_at_every_address() {
    let folder = Folder::new();
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let (data, _) = DataFolder::open_or_create(&folder).unwrap();
    let mut config = Config::new(data);
    config.settings.authority.get_or_insert_default().listen = Some(everywhere);
    let refused = Server::start(config).await;
    assert!(matches!(
        refused,
        Err(StartError::AuthorityUrlNeeded { address }) if address == everywhere
    ));
    let file = ConfigFile::parse("test.toml", "[authority]\nlisten = '0.0.0.0:0'\n");
    let refused = file.unwrap_err().to_string();
    assert!(refused.contains("test.toml:2:10"), "{refused}");
    let toml = "[authority]\nlisten = '0.0.0.0:0'\nurl = 'http://pki.internal'\nacme = false\n";
    let server = configured(&folder, toml).await.unwrap();
    let client = Client::of(&server);
    let own = client.connect("localhost", HTTP_1_1).await.unwrap();
    let own = own.ssl().peer_certificate().unwrap();
    assert_eq!(crl_address(&own), "http://pki.internal/crl/issuing.crl");
    let port = server.authority_addr().unwrap().port();
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (found, _) = plain(&format!("http://{here}/crl/root.crl"), None).await;
    assert_eq!(found, StatusCode::OK);
    server.shutdown().await;
}
