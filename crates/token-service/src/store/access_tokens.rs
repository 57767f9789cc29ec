//! Opaque access tokens, and JWTs that were revoked, in SQL.

use rusqlite::{Connection, params};

use super::writer::database;
use super::{OpaqueToken, StoreError, rows};
use crate::domain::GrantId;
use crate::secret::Digest;

pub(super) fn insert(connection: &Connection, token: &OpaqueToken) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO access_tokens (token_hash, grant_id, client_id, claims, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                token.hash.as_bytes(),
                token.grant.as_ref().map(GrantId::as_str),
                token.client.as_str(),
                token.claims,
                token.expires_at,
            ])
        })
        .map(drop)
        .map_err(database)
}

pub(super) fn find(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<OpaqueToken>, StoreError> {
    let sql = "SELECT token_hash, grant_id, client_id, claims, expires_at FROM access_tokens AS token
               WHERE token_hash = ?1 AND expires_at > ?2
                 AND (grant_id IS NULL OR EXISTS (SELECT 1 FROM grants WHERE grants.grant_id = token.grant_id
                      AND revoked_at IS NULL AND grants.expires_at > ?2))";
    rows::one(connection, sql, params![hash.as_bytes(), now], |row| {
        Ok(OpaqueToken {
            hash: Digest(row.get("token_hash")?),
            grant: row
                .get::<_, Option<String>>("grant_id")?
                .map(GrantId::from_text),
            client: rows::client_id(row)?,
            claims: row.get("claims")?,
            expires_at: row.get("expires_at")?,
        })
    })
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
