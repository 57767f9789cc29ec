//! `stampmill client …`: the OAuth clients the service knows.

use serde_json::json;
use stampmill_token_service::Admin;
use stampmill_token_service::domain::{
    ApplicationType, Client, GrantType, Registration, SecretMethod,
};

use crate::cli::ClientVerb;
use crate::print::Printer;
use crate::verbs::block_on;

/// What a client may ask for unless the service learns to ask more of its administrator.
const SCOPE: &str = "openid profile email";

pub(crate) fn run(verb: ClientVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        ClientVerb::Add {
            data,
            name,
            redirect_uris,
            public,
        } => {
            let registration = registration(name, redirect_uris, public);
            let (client, secret) = block_on(Admin::open(&data.data)?.add_client(registration))??;
            let mut fields = row(&client);
            fields.push((
                "client_secret",
                json!(secret.as_ref().map(|secret| secret.expose())),
            ));
            out.fields(&fields);
            Ok(())
        }
        ClientVerb::List { data } => {
            let clients = block_on(Admin::open(&data.data)?.clients())??;
            out.rows(clients.iter().map(row));
            Ok(())
        }
    }
}

/// A confidential client may act for users, if they can come back to it, and for itself; a public one for users alone.
fn registration(name: String, redirect_uris: Vec<String>, public: bool) -> Registration {
    let mut grant_types = Vec::new();
    if !redirect_uris.is_empty() {
        grant_types.push(GrantType::AuthorizationCode);
    }
    if !public {
        grant_types.push(GrantType::ClientCredentials);
    }
    Registration {
        id: None,
        name,
        secret_method: (!public).then_some(SecretMethod::Basic),
        application: if public {
            ApplicationType::Native
        } else {
            ApplicationType::Web
        },
        redirect_uris,
        grant_types,
        scope: SCOPE.to_owned(),
    }
}

fn row(client: &Client) -> Vec<(&'static str, serde_json::Value)> {
    let redirect_uris: Vec<String> = client
        .redirect_uris
        .iter()
        .map(ToString::to_string)
        .collect();
    let grant_types: Vec<&str> = client
        .grant_types
        .iter()
        .map(|grant| grant.name())
        .collect();
    vec![
        ("client_id", json!(client.id.as_str())),
        ("name", json!(client.name)),
        ("authentication", json!(client.authentication.name())),
        ("grant_types", json!(grant_types)),
        ("redirect_uris", json!(redirect_uris)),
    ]
}
