//! Opaque access tokens, and JWTs that were revoked, in SQL.

use rusqlite::{Connection, params};

use super::{OpaqueToken, StoreError, execute, rows};
use crate::domain::GrantId;
use crate::secret::Digest;

pub(super) fn insert(connection: &Connection, token: &OpaqueToken) -> Result<(), StoreError> {
    let sql = "INSERT INTO access_tokens
               (token_hash, grant_id, client_id, subject, audience, scope, issued_at, expires_at, auth_time, jkt)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let row = params![
        token.hash.as_bytes(),
        token.grant.as_ref().map(GrantId::as_str),
        token.client.as_str(),
        token.subject,
        token.audience,
        token.scope,
        token.issued_at,
        token.expires_at,
        token.auth_time,
        token.jkt,
    ];
    execute(connection, sql, row).map(drop)
}

/// By hash, at a time.
pub(super) const FIND: &str =
    "SELECT token_hash, client_id, grant_id, subject, audience, scope, issued_at, expires_at, auth_time, jkt
     FROM access_tokens AS token
     WHERE substr(token_hash, 1, 8) = substr(?1, 1, 8) AND token_hash = ?1 AND expires_at > ?2
       AND (grant_id IS NULL OR EXISTS (SELECT 1 FROM grants WHERE grants.grant_id = token.grant_id
            AND revoked_at IS NULL AND grants.expires_at > ?2))";

pub(super) fn find(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<OpaqueToken>, StoreError> {
    // By number, as the columns stand above: to find each by its name takes longer than to read it.
    rows::one(connection, FIND, params![hash.as_bytes(), now], |row| {
        Ok(OpaqueToken {
            hash: Digest(row.get(0)?),
            client: rows::client_id(row, 1)?,
            grant: row.get::<_, Option<String>>(2)?.map(GrantId::from_text),
            subject: row.get(3)?,
            audience: row.get(4)?,
            scope: row.get(5)?,
            issued_at: row.get(6)?,
            expires_at: row.get(7)?,
            auth_time: row.get(8)?,
            jkt: row.get(9)?,
        })
    })
}

pub(super) fn delete(connection: &Connection, hash: Digest) -> Result<(), StoreError> {
    let sql = "DELETE FROM access_tokens WHERE substr(token_hash, 1, 8) = substr(?1, 1, 8) AND token_hash = ?1";
    execute(connection, sql, [hash.as_bytes()]).map(drop)
}

pub(super) fn jti_stands(
    connection: &Connection,
    jti: Digest,
    grant: Option<&GrantId>,
    now: i64,
) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti_hash = ?1)
               AND (?2 IS NULL OR EXISTS (SELECT 1 FROM grants WHERE grant_id = ?2
                    AND revoked_at IS NULL AND expires_at > ?3))";
    let grant = grant.map(GrantId::as_str);
    let stands = rows::one(
        connection,
        sql,
        params![jti.as_bytes(), grant, now],
        |row| row.get(0),
    );
    Ok(stands?.unwrap_or(false))
}
