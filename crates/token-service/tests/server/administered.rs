//! What an administrator does beside a running server, it hears of.

use std::net::Ipv4Addr;
use std::time::Duration;

use http::StatusCode;
use stampmill_jose::{Expectations, Jwks, verify_jwt};
use stampmill_token_service::domain::{
    ApplicationType, LogoutMetadata, PersonClaims, Registration, SecretMethod,
};
use stampmill_token_service::secret::Secret;
use stampmill_token_service::{Admin, Config, ConfigFile, DataFolder, Listen, NewUser, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{CALLBACK, Client, Folder, ISSUER, VERIFIER, fresh, now, request_of};

/// An application on a person's machine, `app`.
fn app() -> Registration {
    Registration {
        id: Some("app".into()),
        name: "Another application".into(),
        application: ApplicationType::Native,
        redirect_uris: vec![CALLBACK.into()],
        scope: "openid profile email".into(),
        ..Registration::default()
    }
}

/// Somebody of whom no more is known than a name, and who gets a password.
fn person(username: &str) -> NewUser {
    NewUser {
        username: username.into(),
        name: String::new(),
        email: None,
        claims: PersonClaims::default(),
        password: None,
    }
}

#[tokio::test]
async fn an_administrator_adds_clients_and_people_beside_a_running_server() {
    let (server, _, folder) = fresh().await;
    let admin = Admin::open(&folder).unwrap();
    let registration = Registration {
        secret_method: Some(SecretMethod::Post),
        ..app()
    };
    let (_, secret) = admin.add_client(registration.clone()).await.unwrap();
    let taken = admin.add_client(registration).await.unwrap_err();
    assert_eq!(taken.to_string(), "the name \"app\" is taken");
    let (_, password) = admin.add_user(person("Bob")).await.unwrap();
    let taken = admin.add_user(person("Bob")).await.unwrap_err();
    assert_eq!(taken.to_string(), "the name \"bob\" is taken");
    let names: Vec<_> = admin
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|user| user.username.to_string())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
    let short = NewUser {
        password: Some(Secret::new("short")),
        ..person("eve")
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
    let (server, first, folder) = fresh().await;
    let admin = Admin::open(&folder).unwrap();
    let mut client = Client::of(&server);
    client.first_code(&first).await;

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
    let answer = client.own_token(&first.client_id, &secret).await;
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
    let (server, first, folder) = fresh().await;
    let admin = Admin::open(&folder).unwrap();
    let mut client = Client::of(&server);
    let (id, old) = (&first.client_id, &first.client_secret);
    let answer = client.own_token(id, old).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let new = admin.renew_secret(id).await.unwrap();
    let answer = client.own_token(id, old).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "the old secret");

    let answer = client.own_token(id, &new).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    admin.remove_client(id).await.unwrap();
    let answer = client.own_token(id, &new).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "no such client");
    let answer = client.bearer("/api/me", &token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "its token");
    server.shutdown().await;
}

/// Back-Channel Logout §2.5, where it is not the server that ends the session.
#[tokio::test]
async fn clients_hear_of_a_new_password_and_of_a_person_who_is_gone() {
    let folder = Folder::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
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
        logout: LogoutMetadata {
            backchannel_logout_uri: Some(uri),
            ..LogoutMetadata::default()
        },
        ..app()
    };
    admin.add_client(registration).await.unwrap();
    let (bob, password) = admin.add_user(person("bob")).await.unwrap();
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
async fn a_key_that_a_program_beside_it_withdraws_is_out_of_use_within_seconds() {
    let (server, first, folder) = fresh().await;
    let mut client = Client::of(&server);
    let token = async |client: &mut Client| {
        let answer = client.own_token(&first.client_id, &first.client_secret);
        let answer = answer.await.json();
        answer["access_token"].as_str().unwrap().to_owned()
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
