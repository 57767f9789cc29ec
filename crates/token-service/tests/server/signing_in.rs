//! A client gets in with the local root as its only trust, whoever signs its tokens.

use http::StatusCode;
use stampmill_jose::{Expectations, Jwks, verify_jwt};
use stampmill_token_service::{Backend, Config, DataFolder, Listen, Server};

use crate::support::{Client, Folder, ISSUER, fresh, now};

#[tokio::test]
async fn a_client_gets_in_over_tls_with_the_local_root_as_its_only_trust() {
    let (server, first, _folder) = fresh().await;
    let mut client = Client::of(&server);
    let code = client.first_code(&first).await;
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
async fn signatures_by_our_own_rsa() {
    let folder = Folder::new();
    let (data, first) = DataFolder::open_or_create(&folder).unwrap();
    let mut config = Config::new(data);
    config.listen = Some(Listen::Localhost(0));
    config.backend = Backend::Stampmill;
    let server = Server::start(config).await.unwrap();
    let first = first.unwrap();
    let mut client = Client::of(&server);
    let answer = client.own_token(&first.client_id, &first.client_secret);
    let answer = answer.await.json();
    assert_eq!(answer["scope"], "api");
    let token = answer["access_token"].as_str().unwrap();
    let me = client.bearer("/api/me", token).await;
    assert_eq!(me.status, StatusCode::OK);
    server.shutdown().await;
}
