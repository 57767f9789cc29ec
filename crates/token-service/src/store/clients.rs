//! Clients in SQL. Those of the configuration file stand beside registered ones, and come and go with the file.

use rusqlite::{Connection, Row, RowIndex, named_params, params};
use stampmill_jose::Algorithm;

use super::StoreError;
use super::grants::scope;
use super::statements::{database, execute, nonsense, one, words};
use crate::domain::{
    ApplicationType, Client, ClientAuthentication, ClientId, ClientKeys, GrantType, RedirectUri,
    ResponseType, SealedSecret, SecretMethod, signing_algorithm,
};

pub(super) const CLIENT: &str = "SELECT client_id, name, auth_method, secret_sealed, jwks, application, redirect_uris, grant_types, scope, id_token_alg, dpop_bound, created_at, response_types, post_logout_redirect_uris, logout, sector, requests, profile, userinfo_alg FROM clients";

pub(super) fn find(connection: &Connection, id: &ClientId) -> Result<Option<Client>, StoreError> {
    let sql = format!("{CLIENT} WHERE client_id = ?1");
    one(connection, &sql, [id.as_str()], client)
}

/// Those of the file are these, and no others.
pub(super) fn configure_all(connection: &Connection, clients: &[Client]) -> Result<(), StoreError> {
    for client in clients {
        if let Some(before) = find(connection, &client.id)? {
            forget_consents_to_another(connection, &before, client)?;
        }
        if configure_client(connection, client).map_err(database)? == 0 {
            return Err(StoreError::ClientTaken(client.id.to_string()));
        }
    }
    let kept: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
    // Ids have no spaces, so a list of them is a text.
    let gone =
        "DELETE FROM clients WHERE origin = 'file' AND instr(?1, ' ' || client_id || ' ') = 0";
    execute(connection, gone, [format!(" {} ", kept.join(" "))]).map(drop)
}

/// Only one that is there: what inserts would bring a deleted client back.
pub(super) fn update(connection: &Connection, client: &Client) -> Result<bool, StoreError> {
    let Some(before) = find(connection, &client.id)? else {
        return Ok(false);
    };
    forget_consents_to_another(connection, &before, client)?;
    Ok(update_client(connection, client).map_err(database)? == 1)
}

/// What people allowed is forgotten where they would find another client in the place of the one they saw.
fn forget_consents_to_another(
    connection: &Connection,
    before: &Client,
    client: &Client,
) -> Result<(), StoreError> {
    if client.is_another_than(before) {
        let forget = "DELETE FROM consents WHERE client_id = ?1";
        execute(connection, forget, [client.id.as_str()])?;
    }
    Ok(())
}

pub(super) fn set_secret(
    connection: &Connection,
    client: &ClientId,
    secret: &SealedSecret,
) -> Result<bool, StoreError> {
    let changed = execute(
        connection,
        "UPDATE clients SET secret_sealed = ?2 WHERE client_id = ?1 AND secret_sealed IS NOT NULL AND origin <> 'file'",
        params![client.as_str(), secret.as_bytes()],
    )?;
    Ok(changed == 1)
}

pub(super) fn client(row: &Row<'_>) -> rusqlite::Result<Client> {
    let method: String = row.get("auth_method")?;
    let secret: Option<Vec<u8>> = row.get("secret_sealed")?;
    let secret = secret.map(SealedSecret::from_store);
    let jwks: Option<String> = row.get("jwks")?;
    let confidential = |secret, method| ClientAuthentication::Confidential { secret, method };
    let authentication = match (method.as_str(), secret, jwks) {
        ("none", None, None) => ClientAuthentication::Public,
        ("client_secret_basic", Some(secret), None) => confidential(secret, SecretMethod::Basic),
        ("client_secret_post", Some(secret), None) => confidential(secret, SecretMethod::Post),
        ("client_secret_jwt", Some(secret), None) => confidential(secret, SecretMethod::Jwt),
        ("private_key_jwt", None, Some(jwks)) => ClientAuthentication::PrivateKey {
            keys: ClientKeys::read(&jwks).map_err(|_| nonsense("clients.jwks"))?,
        },
        _ => return Err(nonsense("clients.auth_method")),
    };
    let application = match row.get::<_, String>("application")?.as_str() {
        "web" => ApplicationType::Web,
        "native" => ApplicationType::Native,
        _ => return Err(nonsense("clients.application")),
    };
    let grants: String = row.get("grant_types")?;
    let grant_types = words(&grants)
        .map(GrantType::parse)
        .collect::<Option<_>>()
        .ok_or_else(|| nonsense("clients.grant_types"))?;
    Ok(Client {
        id: client_id(row, "client_id")?,
        name: row.get("name")?,
        authentication,
        application,
        redirect_uris: redirect_uris(row, "redirect_uris")?,
        grant_types,
        response_types: response_types(row)?,
        post_logout_redirect_uris: redirect_uris(row, "post_logout_redirect_uris")?,
        logout: serde_json::from_str(&row.get::<_, String>("logout")?)
            .map_err(|_| nonsense("clients.logout"))?,
        sector: row.get("sector")?,
        scope: scope(row, "scope")?,
        id_token_alg: signing_algorithm(&row.get::<_, String>("id_token_alg")?)
            .ok_or_else(|| nonsense("clients.id_token_alg"))?,
        dpop_bound: row.get("dpop_bound")?,
        userinfo_alg: row
            .get::<_, Option<String>>("userinfo_alg")?
            .map(|name| signing_algorithm(&name).ok_or_else(|| nonsense("clients.userinfo_alg")))
            .transpose()?,
        requests: json(row, "requests")?,
        profile: json(row, "profile")?,
        created_at: row.get("created_at")?,
    })
}

fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &'static str,
) -> rusqlite::Result<T> {
    serde_json::from_str(&row.get::<_, String>(column)?).map_err(|_| nonsense(column))
}

fn as_json(members: &impl serde::Serialize) -> String {
    serde_json::to_string(members).expect("texts, numbers and booleans have a JSON form")
}

fn redirect_uris(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<RedirectUri>> {
    let uris: String = row.get(column)?;
    let uris = words(&uris).map(|uri| RedirectUri::from_store(uri.into()));
    Ok(uris.collect())
}

fn response_types(row: &Row<'_>) -> rusqlite::Result<Vec<ResponseType>> {
    let names: String = row.get("response_types")?;
    let names = names.split(',').filter(|name| !name.is_empty());
    names
        .map(ResponseType::parse)
        .collect::<Option<_>>()
        .ok_or_else(|| nonsense("clients.response_types"))
}

/// A registered client.
pub(super) fn insert_client(connection: &Connection, client: &Client) -> rusqlite::Result<usize> {
    write_client(connection, client, "registered", "")
}

/// A client of the configuration file; 0 if a registered one has its id.
fn configure_client(connection: &Connection, client: &Client) -> rusqlite::Result<usize> {
    let or_update =
        format!("ON CONFLICT (client_id) DO UPDATE SET {CHANGED} WHERE origin = 'file'");
    write_client(connection, client, "file", &or_update)
}

/// Another registration of a client; 0 if there is none of its id that was registered.
fn update_client(connection: &Connection, client: &Client) -> rusqlite::Result<usize> {
    let update =
        format!("ON CONFLICT (client_id) DO UPDATE SET {CHANGED} WHERE origin = 'registered'");
    write_client(connection, client, "registered", &update)
}

/// What of a client can be another.
const CHANGED: &str = "name = excluded.name, auth_method = excluded.auth_method,
        secret_sealed = excluded.secret_sealed, jwks = excluded.jwks, application = excluded.application, redirect_uris = excluded.redirect_uris,
        grant_types = excluded.grant_types, scope = excluded.scope, id_token_alg = excluded.id_token_alg, dpop_bound = excluded.dpop_bound,
        response_types = excluded.response_types, post_logout_redirect_uris = excluded.post_logout_redirect_uris, logout = excluded.logout, sector = excluded.sector,
        requests = excluded.requests, profile = excluded.profile, userinfo_alg = excluded.userinfo_alg";

fn write_client(
    connection: &Connection,
    client: &Client,
    origin: &str,
    on_conflict: &str,
) -> rusqlite::Result<usize> {
    let (secret, jwks) = match &client.authentication {
        ClientAuthentication::Public => (None, None),
        ClientAuthentication::Confidential { secret, .. } => (Some(secret.as_bytes()), None),
        ClientAuthentication::PrivateKey { keys } => (None, Some(keys.as_text())),
    };
    let logout =
        serde_json::to_string(&client.logout).expect("texts and booleans have a JSON form");
    let join = |words: Vec<&str>| words.join(" ");
    let insert = "INSERT INTO clients (client_id, name, auth_method, secret_sealed, jwks, application, redirect_uris, grant_types, scope, id_token_alg, dpop_bound, created_at, origin, response_types, post_logout_redirect_uris, logout, sector, requests, profile, userinfo_alg)
         VALUES (:client_id, :name, :auth_method, :secret_sealed, :jwks, :application, :redirect_uris, :grant_types, :scope, :id_token_alg, :dpop_bound, :created_at, :origin, :response_types, :post_logout_redirect_uris, :logout, :sector, :requests, :profile, :userinfo_alg)";
    connection.execute(
        &format!("{insert} {on_conflict}"),
        named_params! {
            ":client_id": client.id.as_str(),
            ":name": client.name,
            ":auth_method": client.authentication.name(),
            ":secret_sealed": secret,
            ":jwks": jwks,
            ":application": match client.application { ApplicationType::Web => "web", ApplicationType::Native => "native" },
            ":redirect_uris": join(client.redirect_uris.iter().map(RedirectUri::as_str).collect()),
            ":grant_types": join(client.grant_types.iter().map(|grant| grant.name()).collect()),
            ":scope": client.scope.to_string(),
            ":id_token_alg": client.id_token_alg.name(),
            ":dpop_bound": client.dpop_bound,
            ":created_at": client.created_at,
            ":origin": origin,
            ":userinfo_alg": client.userinfo_alg.map(Algorithm::name),
            ":requests": as_json(&client.requests),
            ":profile": as_json(&client.profile),
            ":post_logout_redirect_uris": join(client.post_logout_redirect_uris.iter().map(RedirectUri::as_str).collect()),
            ":logout": logout,
            ":sector": client.sector,
            ":response_types": client.response_types.iter().map(|one| one.name()).collect::<Vec<_>>().join(","),
        },
    )
}

pub(super) fn client_id(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<ClientId> {
    ClientId::parse(row.get_ref(column)?.as_str()?).map_err(|_| nonsense("client_id"))
}
