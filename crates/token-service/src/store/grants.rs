//! Grants and consents in SQL. A grant's number is in what came of it; its text is in JWTs.

use rusqlite::{Connection, Row, RowIndex, named_params, params};

use super::StoreError;
use super::clients::client_id;
use super::statements::{execute, nonsense, one, words};
use crate::domain::{
    ClientId, Grant, GrantId, RequestedClaims, Resource, Scope, SessionId, UserId,
};

/// What [`grant`] reads, in this order.
pub(super) const GRANT: &str = "SELECT grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, expires_at FROM grants";

/// A grant that stands.
pub(super) fn find(
    connection: &Connection,
    id: &GrantId,
    now: i64,
) -> Result<Option<Grant>, StoreError> {
    let sql = format!("{GRANT} WHERE grant_id = ?1 AND revoked_at IS NULL AND expires_at > ?2");
    let read = |row: &Row<'_>| grant(row, 0);
    one(connection, &sql, params![id.as_str(), now], read)
}

pub(super) fn is_alive(
    connection: &Connection,
    id: &GrantId,
    now: i64,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM grants WHERE grant_id = ?1 AND revoked_at IS NULL AND expires_at > ?2";
    let found = one(connection, sql, params![id.as_str(), now], |_| Ok(()))?;
    Ok(found.is_some())
}

pub(super) fn revoke(connection: &Connection, id: &GrantId, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE grants SET revoked_at = ?2 WHERE grant_id = ?1 AND revoked_at IS NULL";
    execute(connection, sql, params![id.as_str(), now]).map(drop)
}

/// What the person has allowed the client so far.
pub(super) fn consent(
    connection: &Connection,
    user: &UserId,
    client: &ClientId,
) -> Result<Option<Scope>, StoreError> {
    let sql = "SELECT scope FROM consents WHERE user_id = ?1 AND client_id = ?2";
    let read = |row: &Row<'_>| scope(row, 0);
    one(connection, sql, [user.as_str(), client.as_str()], read)
}

pub(super) fn remember_consent(
    connection: &Connection,
    grant: &Grant,
    scope: &Scope,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO consents (user_id, client_id, scope) VALUES (?1, ?2, ?3)
               ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope";
    let row = params![
        grant.user.as_str(),
        grant.client.as_str(),
        scope.to_string()
    ];
    execute(connection, sql, row).map(drop)
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

/// A grant's number is at least the second in which it was made, times this.
///
/// Numbers that merely count would count once more what a database had counted that was lost, and then put back as it was
/// earlier, or kept in memory: an old refresh token of a forgotten family would be taken for one of another family, used twice.
const SECOND: i64 = 1 << 16;

/// Gives its number, which is greater than every other's that there ever was.
pub(super) fn insert(connection: &Connection, grant: &Grant, now: i64) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO grants (number, grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, expires_at)
         VALUES (max(:least, coalesce((SELECT seq + 1 FROM sqlite_sequence WHERE name = 'grants'), 0)),
                 :grant_id, :client_id, :user_id, :scope, :resources, :claims, :session_id, :auth_time, :expires_at)",
    )?;
    let resources: Vec<&str> = grant.resources.iter().map(Resource::as_str).collect();
    statement.execute(named_params! {
        ":least": now.clamp(0, i64::MAX / SECOND) * SECOND,
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
