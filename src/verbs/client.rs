//! `stampmill client …`: the OAuth clients the service knows.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use stampmill_local_ca::read_up_to;
use stampmill_token_service::Admin;
use stampmill_token_service::domain::{
    ApplicationType, Client, ClientAuthentication, ClientKeys, GrantType, LogoutMetadata,
    Registration, SecretMethod, SubjectType,
};

use crate::cli::{ClientAddArgs, ClientVerb, SecretIn};
use crate::print::Printer;
use crate::verbs::block_on;

pub(crate) fn run(verb: ClientVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        ClientVerb::Add(args) => add(*args, out),
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
                    fields.extend(further(client));
                } else {
                    fields.iter_mut().for_each(fill);
                }
                fields
            }));
            Ok(())
        }
    }
}

/// A cell that would be empty holds a hyphen: in a row, the ones after it are told by their places.
fn fill((_, value): &mut (&'static str, Value)) {
    if matches!(value, Value::Array(members) if members.is_empty()) || *value == json!("") {
        *value = Value::Null;
    }
}

fn add(args: ClientAddArgs, out: Printer) -> anyhow::Result<()> {
    let admin = Admin::open(&args.data.data)?;
    let registration = registration(args)?;
    let others = block_on(admin.clients())??;
    let (client, secret) = block_on(admin.add_client(registration))??;
    let mut fields = row(&client);
    fields.extend(further(&client));
    fields.push((
        "client_secret",
        json!(secret.as_ref().map(|secret| secret.expose())),
    ));
    out.fields(&fields);
    for hint in hints(&client, &others) {
        // Not among the result, which programs read; and no failure if nobody listens.
        let _ = writeln!(anstream::stderr(), "stampmill: {hint}");
    }
    Ok(())
}

fn registration(args: ClientAddArgs) -> anyhow::Result<Registration> {
    let jwks = args.jwks.as_deref().map(read_jwks).transpose()?;
    let by_key = jwks.is_some() || args.jwks_uri.is_some();
    let (logout, defaults) = (args.logout, Registration::default());
    Ok(Registration {
        name: args.name,
        secret_method: (!args.public && !by_key).then_some(match args.secret_in {
            None | Some(SecretIn::Basic) => SecretMethod::Basic,
            Some(SecretIn::Post) => SecretMethod::Post,
            Some(SecretIn::Jwt) => SecretMethod::Jwt,
        }),
        application: if args.native {
            ApplicationType::Native
        } else {
            ApplicationType::Web
        },
        grant_types: grants_or_default(args.grants, &args.redirect_uris),
        response_types: match args.response_types.is_empty() {
            true => defaults.response_types.clone(),
            false => args.response_types,
        },
        redirect_uris: args.redirect_uris,
        subject_type: match args.subject_type.as_str() {
            "pairwise" => SubjectType::Pairwise,
            _ => SubjectType::Public,
        },
        scope: args.scope,
        jwks,
        jwks_uri: args.jwks_uri,
        post_logout_redirect_uris: logout.post_logout_redirect_uris,
        logout: LogoutMetadata {
            backchannel_logout_uri: logout.backchannel_logout_uri,
            backchannel_logout_session_required: logout.backchannel_logout_session_required,
            frontchannel_logout_uri: logout.frontchannel_logout_uri,
            frontchannel_logout_session_required: logout.frontchannel_logout_session_required,
        },
        ..defaults
    })
}

/// Longest JWK set that is read, in bytes.
const MAX_JWKS: u64 = 64 * 1024;

fn read_jwks(path: &Path) -> anyhow::Result<String> {
    let bytes = read_up_to(path, MAX_JWKS)?;
    String::from_utf8(bytes).with_context(|| format!("{} is no JSON", path.display()))
}

/// What is legal and was probably not meant.
fn hints(client: &Client, others: &[Client]) -> Vec<String> {
    let mut hints = Vec::new();
    let renews = client.grant_types.contains(&GrantType::RefreshToken);
    if client.scope.contains("offline_access") && !renews {
        hints.push(
            "offline_access gives this client nothing: without --grant refresh_token (and --grant authorization_code) it gets no \
             refresh token"
                .to_owned(),
        );
    }
    if let Some(other) = others.iter().find(|other| other.name == client.name) {
        hints.push(format!(
            "the client {} is called {:?}, too: people who are asked for consent cannot tell the two apart",
            other.id, client.name
        ));
    }
    if client.response_types.iter().any(|one| one.is_hybrid()) {
        let all = others.iter().flat_map(|other| &other.response_types);
        let known: Vec<_> = all.collect();
        if !client.response_types.iter().all(|one| known.contains(&one)) {
            hints.push(
                "a running server takes the new response types up when it is started again, or reads its configuration again (SIGHUP)"
                    .to_owned(),
            );
        }
    }
    hints
}

/// What was asked for; else what the client can do: log people in if they can come back to it, or speak for itself.
fn grants_or_default(asked: Vec<GrantType>, redirect_uris: &[String]) -> Vec<GrantType> {
    match (asked.is_empty(), redirect_uris.is_empty()) {
        (false, _) => asked,
        (true, false) => vec![GrantType::AuthorizationCode],
        (true, true) => vec![GrantType::ClientCredentials],
    }
}

/// What a client registered beyond what every client has.
fn further(client: &Client) -> impl Iterator<Item = (&'static str, Value)> {
    let back = client.post_logout_redirect_uris.iter();
    let back: Vec<String> = back.map(ToString::to_string).collect();
    let response_types = client.response_types.iter().map(|one| one.name());
    let response_types: Vec<&str> = response_types.collect();
    let keys_at = match &client.authentication {
        ClientAuthentication::PrivateKey {
            keys: ClientKeys::At(address),
        } => Some(json!(address.as_str())),
        _ => None,
    };
    let logout = &client.logout;
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let flag = |set: bool| set.then_some(json!(true));
    let all = [
        (
            "response_types",
            (response_types != ["code"]).then(|| json!(response_types)),
        ),
        (
            "subject_type",
            client.sector.is_some().then(|| json!("pairwise")),
        ),
        ("jwks_uri", keys_at),
        (
            "post_logout_redirect_uris",
            (!back.is_empty()).then(|| json!(back)),
        ),
        (
            "backchannel_logout_uri",
            text(&logout.backchannel_logout_uri),
        ),
        (
            "backchannel_logout_session_required",
            flag(logout.backchannel_logout_session_required),
        ),
        (
            "frontchannel_logout_uri",
            text(&logout.frontchannel_logout_uri),
        ),
        (
            "frontchannel_logout_session_required",
            flag(logout.frontchannel_logout_session_required),
        ),
    ];
    all.into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
}

fn row(client: &Client) -> Vec<(&'static str, Value)> {
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
