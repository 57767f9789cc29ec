//! What the rules put into a store: people, clients, sessions, codes of alice at `web`.

use std::path::PathBuf;

use stampmill_jose::{Algorithm, Jwks, SigningKey};

use super::NOW;
use crate::clock::SystemRandom;
use crate::domain::{
    ApplicationType, AuthorizationCode, Client, ClientAuthentication, ClientKeys, CodeChallenge,
    Grant, GrantId, GrantType, PersonClaims, Registration, RequestedClaims, Resource, SecretMethod,
    Session, SessionId, User, UserId, Username,
};
use crate::handle::{Place, Shown};
use crate::password::PasswordHash;
use crate::secret::{Digest, SealingKey};
use crate::store::Store;

/// A folder, gone with what is given, and the path of a database in it.
pub(crate) fn room() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    (folder, path)
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: UserId::from_store(format!("user-{name}")),
        username: Username::parse(name).unwrap(),
        password: PasswordHash::from_phc("$argon2id$".into()),
        name: "Somebody".into(),
        email: Some(format!("{name}@example.com")),
        email_verified: true,
        claims: PersonClaims::default(),
        updated_at: NOW,
    }
}

pub(crate) fn client(id: &str, secret_method: Option<SecretMethod>) -> Client {
    let registration = Registration {
        id: Some(id.into()),
        name: "A client".into(),
        secret_method,
        secret: None,
        application: ApplicationType::Native,
        redirect_uris: vec![
            "http://127.0.0.1/callback".into(),
            "https://client.example/cb?x=1".into(),
        ],
        grant_types: vec![GrantType::AuthorizationCode],
        scope: "openid email".into(),
        jwks: None,
        id_token_alg: Algorithm::Rs256,
        dpop_bound: false,
        ..Registration::default()
    };
    registration
        .check(&SealingKey::generate(&SystemRandom), &SystemRandom, NOW)
        .unwrap()
        .0
}

/// A client that authenticates with a key of its own.
pub(super) fn with_keys(id: &str) -> Client {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
    Client {
        authentication: ClientAuthentication::PrivateKey {
            keys: ClientKeys::parse(&jwks).unwrap(),
        },
        ..client(id, None)
    }
}

pub(super) fn code(grant: &str) -> AuthorizationCode {
    let grant = Grant {
        id: GrantId::from_text(grant.into()),
        client: client("web", None).id,
        user: user("alice").id,
        scope: "openid offline_access".parse().unwrap(),
        resources: vec![Resource::parse("https://api.example/").unwrap()],
        claims: RequestedClaims {
            userinfo: [("name".to_owned(), Some(vec![1.into()]))].into(),
            ..RequestedClaims::default()
        },
        session: None,
        auth_time: NOW - 5,
        expires_at: NOW + 660,
    };
    AuthorizationCode {
        grant,
        redirect_uri: "http://127.0.0.1:1/callback".into(),
        challenge: Some(CodeChallenge::from_bytes([7; 32])),
        nonce: Some("n".into()),
        dpop_jkt: Some("thumbprint".into()),
        expires_at: NOW + 60,
    }
}

/// Records a grant with a code of that secret; gives the code as it would be shown.
pub(super) async fn issue(store: &dyn Store, secret: &str, code: AuthorizationCode) -> Shown {
    let hash = Digest::of(secret);
    let number = store.issue_code(hash, code, None, NOW).await.unwrap();
    shown(number.unwrap(), 0, hash)
}

pub(super) fn shown(number: i64, generation: u32, hash: Digest) -> Shown {
    let place = Place { number, generation };
    Shown { place, hash }
}

pub(super) fn session(name: &str, expires_at: i64) -> Session {
    Session {
        id: SessionId::from_store(name.into()),
        user: user("alice").id,
        auth_time: NOW,
        expires_at,
    }
}
