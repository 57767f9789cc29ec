//! A stop is graceful, and the next start finds everything again: tokens, sessions, keys, certificates.

use std::time::Duration;

use http::StatusCode;
use stampmill_jose::{Jwks, SigningKey};
use stampmill_token_service::{Config, DataFolder, Listen, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, Folder, HTTP_1_1, basic, fresh, request_of, start};

#[tokio::test]
async fn tokens_codes_and_sessions_outlive_the_process() {
    let (server, first, folder) = fresh().await;
    let mut client = Client::of(&server);
    let code = client.first_code(&first).await;
    let tokens = client.redeem(&first, &code).await.json();
    let unredeemed = client.code(&first.client_id, "", "").await;
    let half_done = client
        .get(&request_of(&first.client_id, "&prompt=login"))
        .await;
    let keys = client.get("/jwks.json").await.body;
    let root = server.ca_root_pem().to_owned();
    server.shutdown().await;

    let (server, nothing_new) = start(&folder).await;
    assert!(nothing_new.is_none(), "secrets are told once");
    let mut client = client.moved_to(&server);
    assert_eq!(server.ca_root_pem(), root);
    assert_eq!(client.get("/jwks.json").await.body, keys);
    assert_eq!(
        client
            .bearer("/userinfo", tokens["access_token"].as_str().unwrap())
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        client.redeem(&first, &unredeemed).await.status,
        StatusCode::OK,
        "a code issued before"
    );
    assert_eq!(
        client.redeem(&first, &code).await.status,
        StatusCode::BAD_REQUEST,
        "a code spent before stays spent"
    );
    let silent = client
        .get(&request_of(&first.client_id, "&prompt=none"))
        .await;
    assert!(
        silent.location().contains("code="),
        "the session and the consent: {}",
        silent.location()
    );
    let form = [
        ("request", &*half_done.hidden()),
        ("username", &*first.username),
        ("password", first.password.expose()),
    ];
    assert_eq!(
        client.post("/sign-in", &[], &form).await.status,
        StatusCode::SEE_OTHER,
        "a page shown before"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_end() {
    let (server, first, _folder) = fresh().await;
    let mut stream = Client::of(&server)
        .connect("localhost", HTTP_1_1)
        .await
        .unwrap();
    let body = "grant_type=client_credentials";
    let authorization = basic(&first.client_id, first.client_secret.expose());
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The head is there, the body is not: the request is under way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let address = server.local_addrs()[0];
    let stopping = tokio::spawn(server.shutdown());
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopping.await.unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "and nobody listens any more"
    );
}

#[tokio::test]
async fn the_certificate_is_kept_until_the_names_change() {
    let folder = Folder::new();
    let certificate = || std::fs::read(folder.join("tls/certificate.pem")).unwrap();
    start(&folder).await.0.shutdown().await;
    let first = certificate();
    start(&folder).await.0.shutdown().await;
    assert_eq!(certificate(), first);
    let mut config = Config::new(DataFolder::open(&folder).unwrap());
    config.listen = Some(Listen::Localhost(0));
    config.issuer = Some("https://id.example.test".into());
    let server = Server::start(config).await.unwrap();
    assert_ne!(certificate(), first);
    assert!(
        Client::of(&server)
            .connect("id.example.test", HTTP_1_1)
            .await
            .is_ok()
    );
    server.shutdown().await;
    // A torn pair is made again.
    std::fs::write(folder.join("tls/key.pem"), "cut").unwrap();
    let (server, _) = start(&folder).await;
    assert!(
        Client::of(&server)
            .connect("localhost", HTTP_1_1)
            .await
            .is_ok()
    );
    server.shutdown().await;
}

#[tokio::test]
async fn after_a_stop_the_database_is_one_file() {
    let (server, first, folder) = fresh().await;
    let mut client = Client::of(&server);
    let code = client.first_code(&first);
    code.await;
    server.shutdown().await;
    let log = folder.join("stampmill.sqlite3-wal");
    let length = std::fs::metadata(log).map_or(0, |file| file.len());
    assert_eq!(length, 0, "the write-ahead log is in the database");
}

#[tokio::test]
async fn the_signing_key_of_an_earlier_folder_moves_into_the_database() {
    let folder = Folder::new();
    drop(DataFolder::open_or_create(&folder).unwrap());
    let (file, key) = (
        folder.join("keys/signing.pem"),
        SigningKey::generate_rsa(2048).unwrap(),
    );
    std::fs::write(&file, key.to_pkcs8_pem()).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for _ in 0..2 {
        let (server, _) = start(&folder).await;
        let body = Client::of(&server).get("/jwks.json").await.body;
        let keys = Jwks::from_json(body.as_bytes()).unwrap();
        assert!(keys.find(key.kid()).is_some() && !file.exists());
        server.shutdown().await;
    }
}
