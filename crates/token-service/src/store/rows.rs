//! Rows to domain types and back. A row nobody could have written is an error that names its column, never a guess.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, RowIndex, named_params};
use stampmill_jose::Algorithm;

use super::StoreError;
use super::writer::database;
use crate::domain::{
    ApplicationType, Client, ClientAuthentication, ClientId, ClientKeys, Grant, GrantId, GrantType,
    RedirectUri, RequestedClaims, Resource, ResponseType, Scope, SealedSecret, SecretMethod,
    Session, SessionId, StoredKey, User, UserId, Username, signing_algorithm,
};
use crate::password::PasswordHash;

pub(super) const CLIENT: &str = "SELECT client_id, name, auth_method, secret_sealed, jwks, application, redirect_uris, grant_types, scope, id_token_alg, dpop_bound, created_at, response_types, post_logout_redirect_uris, logout, sector, requests, profile, userinfo_alg FROM clients";
pub(super) const USER: &str = "SELECT user_id, username, password_hash, name, email, email_verified, claims, updated_at FROM users";
pub(super) const SESSION: &str = "SELECT session_id, user_id, auth_time, expires_at FROM sessions";
/// What [`grant`] reads, in this order.
pub(super) const GRANT: &str = "SELECT grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, expires_at FROM grants";

pub(super) const SIGNING_KEYS: &str = "SELECT kid, alg, pem_sealed, created_at, signs_from FROM signing_keys ORDER BY created_at, kid";

/// At most one row.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    statement
        .query_row(params, read)
        .optional()
        .map_err(database)
}

/// Every row.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    let rows = statement.query_map([], read).map_err(database)?;
    rows.collect::<Result<_, _>>().map_err(database)
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
pub(super) fn configure_client(
    connection: &Connection,
    client: &Client,
) -> rusqlite::Result<usize> {
    let or_update =
        format!("ON CONFLICT (client_id) DO UPDATE SET {CHANGED} WHERE origin = 'file'");
    write_client(connection, client, "file", &or_update)
}

/// Another registration of a client; 0 if there is none of its id that was registered.
pub(super) fn update_client(connection: &Connection, client: &Client) -> rusqlite::Result<usize> {
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

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::from_store(row.get("user_id")?),
        username: Username::parse(&row.get::<_, String>("username")?)
            .map_err(|_| nonsense("users.username"))?,
        password: PasswordHash::from_phc(row.get("password_hash")?),
        name: row.get("name")?,
        email: row.get("email")?,
        email_verified: row.get("email_verified")?,
        claims: serde_json::from_str(&row.get::<_, String>("claims")?)
            .map_err(|_| nonsense("users.claims"))?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) fn insert_user(connection: &Connection, user: &User) -> rusqlite::Result<usize> {
    write_user(connection, user, "registered", "")
}

/// A person of the configuration file, who keeps the `sub` they have; 0 if a registered one has the name.
pub(super) fn configure_user(connection: &Connection, user: &User) -> rusqlite::Result<usize> {
    let or_update = "ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash, name = excluded.name,
        email = excluded.email, email_verified = excluded.email_verified, claims = excluded.claims,
        updated_at = CASE WHEN users.name = excluded.name AND users.email IS excluded.email AND users.claims = excluded.claims
            AND users.email_verified = excluded.email_verified THEN users.updated_at ELSE excluded.updated_at END
        WHERE origin = 'file'";
    write_user(connection, user, "file", or_update)
}

fn write_user(
    connection: &Connection,
    user: &User,
    origin: &str,
    on_conflict: &str,
) -> rusqlite::Result<usize> {
    let claims = serde_json::to_string(&user.claims).expect("JSON values have a JSON form");
    let insert = "INSERT INTO users (user_id, username, password_hash, name, email, email_verified, claims, origin, updated_at)
         VALUES (:user_id, :username, :password_hash, :name, :email, :email_verified, :claims, :origin, :updated_at)";
    connection.execute(
        &format!("{insert} {on_conflict}"),
        named_params! {
            ":claims": claims,
            ":origin": origin,
            ":user_id": user.id.as_str(),
            ":username": user.username.as_str(),
            ":password_hash": user.password.as_phc(),
            ":name": user.name,
            ":email": user.email,
            ":email_verified": user.email_verified,
            ":updated_at": user.updated_at,
        },
    )
}

pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId::from_store(row.get("session_id")?),
        user: UserId::from_store(row.get("user_id")?),
        auth_time: row.get("auth_time")?,
        expires_at: row.get("expires_at")?,
    })
}

/// A grant whose columns begin at `first`. By number: to find each by its name takes longer than to read it.
pub(super) fn grant(row: &Row<'_>, first: usize) -> rusqlite::Result<Grant> {
    let claims = row.get_ref(first + 5)?.as_str()?;
    Ok(Grant {
        id: GrantId::from_text(row.get(first)?),
        client: client_id(row, first + 1)?,
        user: UserId::from_store(row.get(first + 2)?),
        scope: scope(row, first + 3)?,
        resources: resources(row, first + 4)?,
        claims: match claims {
            "{}" => RequestedClaims::default(),
            claims => serde_json::from_str(claims).map_err(|_| nonsense("grants.claims"))?,
        },
        session: row
            .get::<_, Option<String>>(first + 6)?
            .map(SessionId::from_store),
        auth_time: row.get(first + 7)?,
        expires_at: row.get(first + 8)?,
    })
}

/// Gives its number.
pub(super) fn insert_grant(connection: &Connection, grant: &Grant) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO grants (grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, expires_at)
         VALUES (:grant_id, :client_id, :user_id, :scope, :resources, :claims, :session_id, :auth_time, :expires_at)",
    )?;
    let resources: Vec<&str> = grant.resources.iter().map(Resource::as_str).collect();
    statement.execute(named_params! {
        ":grant_id": grant.id.as_str(),
        ":client_id": grant.client.as_str(),
        ":user_id": grant.user.as_str(),
        ":scope": grant.scope.to_string(),
        ":resources": resources.join(" "),
        ":claims": serde_json::to_string(&grant.claims).expect("JSON values have a JSON form"),
        ":session_id": grant.session.as_ref().map(SessionId::as_str),
        ":auth_time": grant.auth_time,
        ":expires_at": grant.expires_at,
    })?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn signing_key(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey {
        kid: row.get("kid")?,
        algorithm: signing_algorithm(&row.get::<_, String>("alg")?)
            .ok_or_else(|| nonsense("signing_keys.alg"))?,
        pem_sealed: row.get("pem_sealed")?,
        created_at: row.get("created_at")?,
        signs_from: row.get("signs_from")?,
    })
}

pub(super) fn insert_signing_key(
    connection: &Connection,
    key: &StoredKey,
) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO signing_keys (kid, alg, pem_sealed, created_at, signs_from)
         VALUES (:kid, :alg, :pem_sealed, :created_at, :signs_from)",
        named_params! {
            ":kid": key.kid,
            ":alg": key.algorithm.name(),
            ":pem_sealed": key.pem_sealed,
            ":created_at": key.created_at,
            ":signs_from": key.signs_from,
        },
    )
}

pub(super) fn scope(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Scope> {
    row.get_ref(column)?
        .as_str()?
        .parse()
        .map_err(|_| nonsense("scope"))
}

pub(super) fn resources(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Vec<Resource>> {
    let words = words(row.get_ref(column)?.as_str()?);
    Ok(words
        .map(|word| Resource::from_store(word.to_owned()))
        .collect())
}

pub(super) fn client_id(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<ClientId> {
    ClientId::parse(row.get_ref(column)?.as_str()?).map_err(|_| nonsense("client_id"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn nonsense(column: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        Type::Text,
        format!("{column} holds a value this program never writes").into(),
    )
}
