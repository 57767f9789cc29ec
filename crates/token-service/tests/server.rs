//! Proves that the service does over real sockets and TLS what it does in memory, stops gracefully, and starts again
//! losing nothing.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::{Method, StatusCode};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};
use stampmill_jose::{Algorithm, Expectations, Jwks, SigningKey, verify_jwt};
use stampmill_token_service::domain::{
    ApplicationType, GrantType, LogoutMetadata, PersonClaims, Registration, SecretMethod,
};
use stampmill_token_service::secret::Secret;
use stampmill_token_service::{
    Admin, Backend, Config, ConfigFile, DataFolder, Listen, NewUser, RunningServer, Server,
    StartError, password_hash,
};
use support::{CALLBACK, Client, ISSUER, VERIFIER, basic, request_of, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .cast_signed()
}

#[tokio::test]
async fn a_client_gets_in_over_tls_with_the_local_root_as_its_only_trust() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, first) = start(&scratch.path().join("data")).await;
    let first = first.unwrap();
    let mut client = Client::of(&server);
    let code = client
        .code(&first.client_id, &first.username, first.password.expose())
        .await;
    let tokens = client.redeem(&first, &code).await.json();
    let keys = Jwks::from_json(client.get("/jwks.json").await.body.as_bytes()).unwrap();
    let expect = Expectations::id_token(ISSUER, &first.client_id).with_nonce("n");
    let id_token = verify_jwt(tokens["id_token"].as_str().unwrap(), &keys, &expect, now()).unwrap();
    let access = tokens["access_token"].as_str().unwrap();
    let info = client.bearer("/userinfo", access).await.json();
    assert_eq!(
        info["sub"].as_str().map(str::to_owned),
        id_token.claim_str("sub")
    );
    assert_eq!(
        client.bearer("/api/me", access).await.json()["sub"],
        info["sub"]
    );
    let again = client.redeem(&first, &code).await;
    assert_eq!(again.json()["error"], "invalid_grant");
    assert_eq!(
        client.bearer("/api/me", access).await.status,
        StatusCode::UNAUTHORIZED,
        "revoked by the reuse"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn http2_and_every_name_of_this_machine() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, _) = start(&scratch.path().join("data")).await;
    let mut client = Client::of(&server);
    assert_eq!(
        client
            .get_h2("/.well-known/openid-configuration")
            .await
            .json()["issuer"],
        ISSUER
    );
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(
            client.connect(name, b"\x08http/1.1").await.is_ok(),
            "{name}"
        );
    }
    assert!(
        client
            .connect("example.com", b"\x08http/1.1")
            .await
            .is_err(),
        "not a name of ours"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn rfc9325_3_1_1_nothing_below_tls_1_2() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, _) = start(&scratch.path().join("data")).await;
    for (version, accepted) in [
        (SslVersion::TLS1_1, false),
        (SslVersion::TLS1_2, true),
        (SslVersion::TLS1_3, true),
    ] {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        // The client would be willing: only the server says no.
        context.set_security_level(0);
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let tcp = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        let mut stream =
            tokio_openssl::SslStream::new(Ssl::new(&context.build()).unwrap(), tcp).unwrap();
        let connected = std::pin::Pin::new(&mut stream).connect().await.is_ok();
        assert_eq!(connected, accepted, "{version:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn tokens_codes_and_sessions_outlive_the_process() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (server, first) = start(&folder).await;
    let first = first.unwrap();
    let mut client = Client::of(&server);
    let code = client
        .code(&first.client_id, &first.username, first.password.expose())
        .await;
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
    let scratch = tempfile::tempdir().unwrap();
    let (server, first) = start(&scratch.path().join("data")).await;
    let first = first.unwrap();
    let mut stream = Client::of(&server)
        .connect("localhost", b"\x08http/1.1")
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
async fn noise_hurts_nobody() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, _) = start(&scratch.path().join("data")).await;
    let mut plain = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "no plain HTTP on the TLS port"
    );
    let mut client = Client::of(&server);
    let long = client
        .send(Method::GET, "/", &[("x-long", &"x".repeat(100_000))], "")
        .await;
    assert_eq!(long.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let many = client.post("/token", &[], &[("a", "1"); 101]).await;
    assert_eq!(many.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    server.shutdown().await;
}

#[tokio::test]
async fn plain_http_is_for_this_machine_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let mut config = Config::new(DataFolder::open_or_create(&folder).unwrap().0);
    config.listen_plain = Some((Ipv4Addr::UNSPECIFIED, 0).into());
    let error = Server::start(config).await.unwrap_err();
    assert!(
        matches!(error, StartError::PlainBeyondLoopback { .. }),
        "{error}"
    );

    let mut config = Config::new(DataFolder::open(&folder).unwrap());
    config.listen = None;
    config.listen_plain = Some((Ipv4Addr::LOCALHOST, 0).into());
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::IssuerNeeded), "{error}");

    let mut config = Config::new(DataFolder::open(&folder).unwrap());
    config.listen = None;
    config.listen_plain = Some((Ipv4Addr::LOCALHOST, 0).into());
    config.issuer = Some("https://id.example".into());
    let server = Server::start(config).await.unwrap();
    let mut stream = TcpStream::connect(server.plain_addr().unwrap())
        .await
        .unwrap();
    stream.write_all(b"GET /.well-known/openid-configuration HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.contains("\"issuer\":\"https://id.example\""),
        "{answer}"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_a_sentence() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let taken = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let mut config = Config::new(DataFolder::open_or_create(&folder).unwrap().0);
    config.listen = Some(Listen::Address(address));
    let error = Server::start(config).await.unwrap_err();
    assert!(error.to_string().contains("the port is in use"), "{error}");
    let source = std::error::Error::source(&error);
    assert!(
        source.is_none(),
        "told twice in a chain: {error}: {source:?}"
    );
    // The folder was let go.
    DataFolder::open(&folder).unwrap();
}

#[tokio::test]
async fn the_certificate_is_kept_until_the_names_change() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
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
            .connect("id.example.test", b"\x08http/1.1")
            .await
            .is_ok()
    );
    server.shutdown().await;
    // A torn pair is made again.
    std::fs::write(folder.join("tls/key.pem"), "cut").unwrap();
    let (server, _) = start(&folder).await;
    assert!(
        Client::of(&server)
            .connect("localhost", b"\x08http/1.1")
            .await
            .is_ok()
    );
    server.shutdown().await;
}

#[tokio::test]
async fn rfc9112_3_2_a_request_names_its_host_once() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, _) = DataFolder::open_or_create(&scratch.path().join("data")).unwrap();
    let config = Config {
        listen_plain: Some((Ipv4Addr::LOCALHOST, 0).into()),
        listen: Some(Listen::Localhost(0)),
        ..Config::new(data)
    };
    let server = Server::start(config).await.unwrap();
    let plain = server.plain_addr().unwrap();
    for (head, status) in [
        ("GET /jwks.json HTTP/1.1\r\nHost: localhost\r\n", "200"),
        ("GET /jwks.json HTTP/1.1\r\n", "400"),
        ("GET /jwks.json HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET /jwks.json HTTP/1.0\r\n", "200"),
        (
            "GET /jwks.json HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n",
            "304",
        ),
    ] {
        let mut stream = TcpStream::connect(plain).await.unwrap();
        let request = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(&answer[9..12], status, "{head}{answer}");
        if status == "304" {
            assert!(
                !answer.to_ascii_lowercase().contains("content-length"),
                "{answer}"
            );
            assert!(
                !answer.to_ascii_lowercase().contains("transfer-encoding"),
                "{answer}"
            );
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn after_a_stop_the_database_is_one_file() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (server, first) = start(&folder).await;
    let first = first.unwrap();
    let mut client = Client::of(&server);
    let code = client.code(&first.client_id, &first.username, first.password.expose());
    code.await;
    server.shutdown().await;
    let log = folder.join("stampmill.sqlite3-wal");
    let length = std::fs::metadata(log).map_or(0, |file| file.len());
    assert_eq!(length, 0, "the write-ahead log is in the database");
}

#[tokio::test]
async fn the_signing_key_of_an_earlier_folder_moves_into_the_database() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
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

#[tokio::test]
async fn clients_of_the_configuration_come_and_go_with_it() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let configured = |client_id: &str| {
        format!(
            "[[clients]]\nclient_id = '{client_id}'\nclient_secret = '{SECRET}'\ngrant_types = ['client_credentials']\nscope = 'api'\n"
        )
    };
    let start = async |text: &str| {
        let (data, _) = DataFolder::open_or_create(&folder).unwrap();
        let config = Config {
            listen: Some(Listen::Localhost(0)),
            settings: ConfigFile::parse("test.toml", text).unwrap().settings,
            ..Config::new(data)
        };
        Server::start(config).await
    };
    let token = async |server: &RunningServer| {
        let mut client = Client::of(server);
        let credentials = basic("batch", SECRET);
        let headers = [("authorization", credentials.as_str())];
        let form = [("grant_type", "client_credentials")];
        client.post("/token", &headers, &form).await.status
    };
    let server = start(&configured("batch")).await.unwrap();
    assert_eq!(token(&server).await, StatusCode::OK);
    server.shutdown().await;
    let server = start("").await.unwrap();
    assert_eq!(
        token(&server).await,
        StatusCode::UNAUTHORIZED,
        "it left the file"
    );
    server.shutdown().await;
    let taken = start(&configured("demo")).await.unwrap_err();
    assert!(matches!(taken, StartError::ClientTaken { client_id } if client_id == "demo"));
}

#[tokio::test]
async fn an_administrator_adds_clients_and_people_beside_a_running_server() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (server, _) = start(&folder).await;
    let admin = Admin::open(&folder).unwrap();
    let registration = Registration {
        id: Some("app".into()),
        name: "Another application".into(),
        secret_method: Some(SecretMethod::Post),
        secret: None,
        application: ApplicationType::Native,
        redirect_uris: vec!["http://localhost:3000/callback".into()],
        grant_types: vec![GrantType::AuthorizationCode],
        scope: "openid profile email".into(),
        jwks: None,
        id_token_alg: Algorithm::Rs256,
        dpop_bound: false,
        ..Registration::default()
    };
    let (_, secret) = admin.add_client(registration.clone()).await.unwrap();
    let taken = admin.add_client(registration).await.unwrap_err();
    assert_eq!(taken.to_string(), "the name \"app\" is taken");
    let person = NewUser {
        username: "Bob".into(),
        name: String::new(),
        email: None,
        claims: PersonClaims::default(),
        password: None,
    };
    let (_, password) = admin.add_user(person.clone()).await.unwrap();
    assert_eq!(
        admin.add_user(person).await.unwrap_err().to_string(),
        "the name \"bob\" is taken"
    );
    let names: Vec<_> = admin
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|user| user.username.to_string())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
    let short = NewUser {
        username: "eve".into(),
        name: "Eve".into(),
        email: None,
        claims: PersonClaims::default(),
        password: Some(Secret::new("short")),
    };
    assert!(admin.add_user(short).await.is_err());

    let mut client = Client::of(&server);
    let code = client.code("app", "bob", password.unwrap().expose()).await;
    let secret = secret.unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", "app"),
        ("client_secret", secret.expose()),
    ];
    let tokens = client.post("/token", &[], &form).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    server.shutdown().await;
}

#[tokio::test]
async fn lost_secrets_are_made_anew_beside_a_running_server() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (server, first) = start(&folder).await;
    let first = first.unwrap();
    let admin = Admin::open(&folder).unwrap();
    let mut client = Client::of(&server);
    client
        .code(&first.client_id, &first.username, first.password.expose())
        .await;

    let password = admin.reset_password("Alice").await.unwrap();
    let page = client.get(&request_of(&first.client_id, "")).await;
    assert!(
        page.body.contains("/sign-in"),
        "the session ended: {}",
        page.body
    );
    let form = [
        ("request", &*page.hidden()),
        ("username", "alice"),
        ("password", first.password.expose()),
    ];
    assert_eq!(
        client.post("/sign-in", &[], &form).await.status,
        StatusCode::OK,
        "the old password"
    );
    let code = Client::of(&server)
        .code(&first.client_id, "alice", password.expose())
        .await;

    let secret = admin.renew_secret(&first.client_id).await.unwrap();
    let authorization = basic(&first.client_id, secret.expose());
    let form = [("grant_type", "client_credentials")];
    let answer = client
        .post("/token", &[("authorization", &authorization)], &form)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(
        client.redeem(&first, &code).await.status,
        StatusCode::UNAUTHORIZED,
        "the old secret"
    );

    let error = admin.reset_password("nobody").await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("no user is named \"nobody\"") && error.contains("user list"));
    let error = admin.renew_secret("nobody").await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("no client has the id \"nobody\"") && error.contains("client list"));
    server.shutdown().await;
}

/// What the help of `client secret` and `client remove` says: once they have answered, a running server has heard of it.
#[tokio::test]
async fn what_became_of_a_client_holds_from_the_answer_on() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (server, first) = start(&folder).await;
    let first = first.unwrap();
    let admin = Admin::open(&folder).unwrap();
    let mut client = Client::of(&server);
    let form = [("grant_type", "client_credentials")];
    let old = basic(&first.client_id, first.client_secret.expose());
    let answer = client
        .post("/token", &[("authorization", &old)], &form)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let secret = admin.renew_secret(&first.client_id).await.unwrap();
    let answer = client
        .post("/token", &[("authorization", &old)], &form)
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "the old secret");

    let new = basic(&first.client_id, secret.expose());
    let answer = client
        .post("/token", &[("authorization", &new)], &form)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    admin.remove_client(&first.client_id).await.unwrap();
    let answer = client
        .post("/token", &[("authorization", &new)], &form)
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "no such client");
    let answer = client.bearer("/api/me", &token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "its token");
    server.shutdown().await;
}

/// Back-Channel Logout §2.5, where it is not the server that ends the session.
#[tokio::test]
async fn clients_hear_of_a_new_password_and_of_a_person_who_is_gone() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let uri = format!("http://{}/out", listener.local_addr().unwrap());
    let next_notice = async || {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        // A JWT ends with 256 bytes of signature; nothing comes after it.
        while !bytes.windows(13).any(|some| some == b"logout_token=") || !has_three_parts(&bytes) {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        }
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.split_once("logout_token=").unwrap().1.to_owned()
    };
    let (data, _) = DataFolder::open_or_create(&folder).unwrap();
    let config = Config {
        listen: Some(Listen::Localhost(0)),
        issuer: Some(ISSUER.into()),
        settings: ConfigFile::parse("test.toml", "networks = ['loopback']")
            .unwrap()
            .settings,
        ..Config::new(data)
    };
    let server = Server::start(config).await.unwrap();
    let admin = Admin::open(&folder).unwrap();
    let registration = Registration {
        id: Some("app".into()),
        name: "App".into(),
        secret_method: Some(SecretMethod::Basic),
        application: ApplicationType::Native,
        redirect_uris: vec![CALLBACK.into()],
        grant_types: vec![GrantType::AuthorizationCode],
        scope: "openid profile email".into(),
        logout: LogoutMetadata {
            backchannel_logout_uri: Some(uri),
            ..LogoutMetadata::default()
        },
        ..Registration::default()
    };
    admin.add_client(registration).await.unwrap();
    let bob = NewUser {
        username: "bob".into(),
        name: String::new(),
        email: None,
        claims: PersonClaims::default(),
        password: None,
    };
    let (bob, password) = admin.add_user(bob).await.unwrap();
    Client::of(&server)
        .code("app", "bob", password.unwrap().expose())
        .await;
    let keys =
        Jwks::from_json(Client::of(&server).get("/jwks.json").await.body.as_bytes()).unwrap();
    let expect = Expectations::logout_token(ISSUER, "app");

    let password = admin.reset_password("bob").await.unwrap();
    let token = verify_jwt(&next_notice().await, &keys, &expect, now()).unwrap();
    assert_eq!(token.claim_str("sub").as_deref(), Some(bob.id.as_str()));
    Client::of(&server)
        .code("app", "bob", password.expose())
        .await;
    admin.remove_user("bob").await.unwrap();
    let gone = verify_jwt(&next_notice().await, &keys, &expect, now()).unwrap();
    assert_eq!(gone.claim_str("sub").as_deref(), Some(bob.id.as_str()));
    assert_ne!(
        gone.claim_str("sid"),
        token.claim_str("sid"),
        "another session"
    );
    let error = admin.remove_user("bob").await.unwrap_err();
    assert!(error.to_string().contains("no user is named \"bob\""));
    server.shutdown().await;
}

#[tokio::test]
async fn what_the_file_says_of_clients_and_people_holds_and_nothing_is_made_up_beside_it() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let hash = password_hash(&Secret::new("correct horse")).unwrap();
    let text = format!(
        "[[clients]]\nclient_id = 'web'\nclient_secret = '{}'\nredirect_uris = ['https://a.example/cb']\n\
         [[users]]\nusername = 'alice'\npassword_hash = '{}'\n",
        "0123456789abcdef".repeat(2),
        hash.as_phc()
    );
    let mut config = Config::new(DataFolder::open_or_create_without_demo(&folder).unwrap());
    config.listen = Some(Listen::Localhost(0));
    config.settings = ConfigFile::parse("id.toml", &text).unwrap().settings;
    let server = Server::start(config).await.unwrap();
    let admin = Admin::open(&folder).unwrap();
    let users = admin.users().await.unwrap();
    let clients = admin.clients().await.unwrap();
    assert_eq!((users.len(), clients.len()), (1, 1));

    let refused = [
        admin.reset_password("alice").await.unwrap_err(),
        admin.remove_user("alice").await.unwrap_err(),
        admin.renew_secret("web").await.unwrap_err(),
        admin.remove_client("web").await.unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("configuration file"), "{error}");
    }
    let registration = Registration {
        id: Some("added".into()),
        ..clients_own_registration()
    };
    admin.add_client(registration).await.unwrap();
    admin.remove_client("added").await.unwrap();
    let error = admin.remove_client("added").await.unwrap_err();
    assert!(error.to_string().contains("no client has the id \"added\""));
    server.shutdown().await;
}

/// A client that speaks for itself.
fn clients_own_registration() -> Registration {
    Registration {
        name: "Added".into(),
        secret_method: Some(SecretMethod::Basic),
        grant_types: vec![GrantType::ClientCredentials],
        scope: "api".into(),
        ..Registration::default()
    }
}

/// Whether what follows `logout_token=` is a whole JWT by RS256.
fn has_three_parts(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let signature = text
        .rsplit_once('.')
        .map_or(0, |(_, signature)| signature.len());
    text.split("logout_token=")
        .last()
        .is_some_and(|token| token.split('.').count() == 3)
        && signature == 342
}

#[tokio::test]
async fn signatures_by_our_own_rsa() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, first) = DataFolder::open_or_create(&scratch.path().join("data")).unwrap();
    let mut config = Config::new(data);
    config.listen = Some(Listen::Localhost(0));
    config.backend = Backend::Stampmill;
    let server = Server::start(config).await.unwrap();
    let first = first.unwrap();
    let mut client = Client::of(&server);
    let authorization = basic(&first.client_id, first.client_secret.expose());
    let answer = client
        .post(
            "/token",
            &[("authorization", &authorization)],
            &[("grant_type", "client_credentials")],
        )
        .await
        .json();
    assert_eq!(answer["scope"], "api");
    assert_eq!(
        client
            .bearer("/api/me", answer["access_token"].as_str().unwrap())
            .await
            .status,
        StatusCode::OK
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_key_that_a_program_beside_it_withdraws_is_out_of_use_within_seconds() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (server, first) = start(&folder).await;
    let first = first.unwrap();
    let mut client = Client::of(&server);
    let authorization = basic(&first.client_id, first.client_secret.expose());
    let token = async |client: &mut Client| {
        let headers = [("authorization", &*authorization)];
        let form = [("grant_type", "client_credentials")];
        let answer = client.post("/token", &headers, &form).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    };
    let stolen = token(&mut client).await;
    assert_eq!(
        client.bearer("/api/me", &stolen).await.status,
        StatusCode::OK
    );
    let admin = Admin::open(&folder).unwrap();
    let keys = admin.signing_keys().await.unwrap();
    let (key, _) = keys
        .iter()
        .find(|(key, state)| key.algorithm.name() == "RS256" && state.name() == "signing")
        .unwrap();
    let withdrawn = admin.withdraw_signing_key(&key.kid).await.unwrap();
    let new = withdrawn.replaced_by.unwrap().kid;
    let mut keys = String::new();
    for _ in 0..100 {
        keys = client.get("/jwks.json").await.body;
        if !keys.contains(&key.kid) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!keys.contains(&key.kid) && keys.contains(&new), "{keys}");
    let refused = client.bearer("/api/me", &stolen).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let fresh = token(&mut client).await;
    assert_eq!(
        client.bearer("/api/me", &fresh).await.status,
        StatusCode::OK
    );
    let unknown = admin.withdraw_signing_key(&key.kid).await.unwrap_err();
    assert!(unknown.to_string().contains("keys list"), "{unknown}");
    server.shutdown().await;
}
