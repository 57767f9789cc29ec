//! `stampmill client …`: the OAuth clients the service knows.

use serde_json::json;
use stampmill_jose::Algorithm;
use stampmill_token_service::Admin;
use stampmill_token_service::domain::{
    ApplicationType, Client, GrantType, LogoutMetadata, Registration, SecretMethod,
};

use crate::cli::{ClientVerb, SecretIn};
use crate::print::Printer;
use crate::verbs::block_on;

pub(crate) fn run(verb: ClientVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        ClientVerb::Add {
            data,
            name,
            redirect_uris,
            public,
            secret_in,
            native,
            grants,
            scope,
            logout,
        } => {
            let registration = Registration {
                id: None,
                name,
                secret_method: (!public).then_some(match secret_in {
                    SecretIn::Basic => SecretMethod::Basic,
                    SecretIn::Post => SecretMethod::Post,
                    SecretIn::Jwt => SecretMethod::Jwt,
                }),
                secret: None,
                application: if native {
                    ApplicationType::Native
                } else {
                    ApplicationType::Web
                },
                grant_types: grants_or_default(grants, &redirect_uris),
                redirect_uris,
                scope,
                jwks: None,
                id_token_alg: Algorithm::Rs256,
                dpop_bound: false,
                post_logout_redirect_uris: logout.post_logout_redirect_uris,
                logout: LogoutMetadata {
                    backchannel_logout_uri: logout.backchannel_logout_uri,
                    backchannel_logout_session_required: logout.backchannel_logout_session_required,
                    frontchannel_logout_uri: logout.frontchannel_logout_uri,
                    frontchannel_logout_session_required: logout
                        .frontchannel_logout_session_required,
                },
                ..Registration::default()
            };
            let (client, secret) = block_on(Admin::open(&data.data)?.add_client(registration))??;
            let mut fields = row(&client);
            fields.extend(logout_of(&client));
            fields.push((
                "client_secret",
                json!(secret.as_ref().map(|secret| secret.expose())),
            ));
            out.fields(&fields);
            Ok(())
        }
        ClientVerb::Secret { data, client_id } => {
            let secret = block_on(Admin::open(&data.data)?.renew_secret(&client_id))??;
            out.fields(&[
                ("client_id", json!(client_id)),
                ("client_secret", json!(secret.expose())),
            ]);
            Ok(())
        }
        ClientVerb::Remove { data, client_id } => {
            block_on(Admin::open(&data.data)?.remove_client(&client_id))??;
            out.fields(&[("removed", json!(client_id))]);
            Ok(())
        }
        ClientVerb::Invite { data, uses, hours } => {
            let admin = Admin::open(&data.data)?;
            let token = block_on(admin.add_initial_token(uses, hours * 3600))??;
            out.fields(&[
                ("initial_access_token", json!(token.expose())),
                ("uses", json!(uses)),
                ("hours", json!(hours)),
            ]);
            Ok(())
        }
        ClientVerb::List { data } => {
            let clients = block_on(Admin::open(&data.data)?.clients())??;
            out.rows(clients.iter().map(|client| {
                let mut fields = row(client);
                if out.is_json() {
                    fields.extend(logout_of(client));
                }
                fields
            }));
            Ok(())
        }
    }
}

/// What was asked for; else what the client can do: log people in if they can come back to it, or speak for itself.
fn grants_or_default(asked: Vec<GrantType>, redirect_uris: &[String]) -> Vec<GrantType> {
    match (asked.is_empty(), redirect_uris.is_empty()) {
        (false, _) => asked,
        (true, false) => vec![GrantType::AuthorizationCode],
        (true, true) => vec![GrantType::ClientCredentials],
    }
}

/// What a client registered of how sessions end, as far as it did.
fn logout_of(client: &Client) -> impl Iterator<Item = (&'static str, serde_json::Value)> {
    let back = client.post_logout_redirect_uris.iter();
    let back: Vec<String> = back.map(ToString::to_string).collect();
    let logout = &client.logout;
    let flag = |set: bool| set.then_some(json!(true));
    let all = [
        (
            "post_logout_redirect_uris",
            (!back.is_empty()).then(|| json!(back)),
        ),
        (
            "backchannel_logout_uri",
            logout.backchannel_logout_uri.as_ref().map(|uri| json!(uri)),
        ),
        (
            "backchannel_logout_session_required",
            flag(logout.backchannel_logout_session_required),
        ),
        (
            "frontchannel_logout_uri",
            logout
                .frontchannel_logout_uri
                .as_ref()
                .map(|uri| json!(uri)),
        ),
        (
            "frontchannel_logout_session_required",
            flag(logout.frontchannel_logout_session_required),
        ),
    ];
    all.into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
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
        ("scope", json!(client.scope.to_string())),
    ]
}
