//! Who and what is there at the beginning: clients, people, resource servers, keys.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use stampmill_jose::SigningKey;

use super::{FILES, OTHER, PASSWORD, START, VAULT};
use crate::clock::SystemRandom;
use crate::domain::{
    ApplicationType, ClientId, GrantType, PersonClaims, Registration, Resource, ResourceServer,
    SIGNING_ALGORITHMS, SecretMethod, TokenFormat, User, UserId, Username,
};
use crate::password::PasswordHash;
use crate::secret::{SealingKey, Secret};
use crate::store::Store;

/// The same keys for all tests: making them takes longer than any of them.
pub(super) fn signing_keys() -> &'static [SigningKey] {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        SIGNING_ALGORITHMS
            .map(|algorithm| SigningKey::generate(algorithm).unwrap())
            .into()
    })
}

pub(super) fn resource_servers() -> Vec<ResourceServer> {
    let server = |uri: &str| ResourceServer::new(Resource::parse(uri).unwrap());
    let files = ResourceServer {
        scope: Some("reports.read files.read".parse().unwrap()),
        access_token_lifetime: Some(120),
        ..server(FILES)
    };
    let vault = ResourceServer {
        format: TokenFormat::Opaque,
        introspected_by: vec![ClientId::parse("machine").unwrap()],
        ..server(VAULT)
    };
    vec![server(OTHER), files, vault]
}

pub(super) async fn register_clients(
    store: &dyn Store,
    sealing: &SealingKey,
) -> BTreeMap<&'static str, String> {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, RefreshToken};
    let mut secrets = BTreeMap::new();
    let rows = [
        (
            "web",
            Some(SecretMethod::Basic),
            ApplicationType::Web,
            vec!["https://client.example/cb"],
            vec![AuthorizationCode, RefreshToken, ClientCredentials],
        ),
        (
            "post",
            Some(SecretMethod::Post),
            ApplicationType::Web,
            vec![
                "https://client.example/cb",
                "https://client.example/cb2?a=1",
            ],
            vec![AuthorizationCode],
        ),
        (
            "native",
            None,
            ApplicationType::Native,
            vec!["http://127.0.0.1/callback"],
            vec![AuthorizationCode, RefreshToken],
        ),
        (
            "tv",
            None,
            ApplicationType::Native,
            vec![],
            vec![DeviceCode, RefreshToken],
        ),
        (
            "machine",
            Some(SecretMethod::Basic),
            ApplicationType::Web,
            vec![],
            vec![ClientCredentials],
        ),
    ];
    for (id, secret_method, application, redirect_uris, grant_types) in rows {
        let registration = Registration {
            id: Some(id.into()),
            name: format!("The <{id}> client"),
            secret_method,
            application,
            redirect_uris: redirect_uris.into_iter().map(str::to_owned).collect(),
            grant_types,
            scope: "openid profile email offline_access reports.read".into(),
            ..Registration::default()
        };
        let (client, secret) = registration.check(sealing, &SystemRandom, START).unwrap();
        store.insert_client(client).await.unwrap();
        if let Some(secret) = secret {
            secrets.insert(id, secret.expose().to_owned());
        }
    }
    secrets
}

pub(super) async fn add_people(store: &dyn Store) {
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    let hash = HASH.get_or_init(|| PasswordHash::of(&Secret::new(PASSWORD), &SystemRandom));
    for name in ["alice", "bob"] {
        let user = User {
            id: UserId::generate(&SystemRandom),
            username: Username::parse(name).unwrap(),
            password: hash.clone(),
            name: format!("{name} Example"),
            email: Some(format!("{name}@example.com")),
            email_verified: true,
            claims: claims_of(name),
            updated_at: START - 1000,
        };
        store.insert_user(user).await.unwrap();
    }
}

/// Of alice much is known.
fn claims_of(name: &str) -> PersonClaims {
    let mut claims = PersonClaims::default();
    if name == "alice" {
        claims.set("given_name", "Alice".into()).unwrap();
        claims
            .set("phone_number", "+44 1632 960123".into())
            .unwrap();
        claims.set("phone_number_verified", true.into()).unwrap();
        let address = serde_json::json!({ "locality": "Ambridge", "country": "GB" });
        claims.set("address", address).unwrap();
    }
    claims
}
