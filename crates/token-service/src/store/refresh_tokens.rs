//! Refresh tokens in SQL. Whether a token may be used is decided by one statement, and everything that follows from it is
//! written in the same transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::database;
use super::{StoreError, execute, rows};
use crate::domain::{Grace, GrantId, NewRefreshToken, RefreshToken, Rotation};
use crate::secret::Digest;

/// A token that was never used, or the direct predecessor of one that was never used, within its grace; of a grant that
/// stands.
const USE: &str = "UPDATE refresh_tokens
    SET uses = uses + 1, used_at = coalesce(used_at, ?2)
    WHERE token_hash = ?1 AND expires_at > ?2
      AND (uses = 0
           OR (uses <= ?3 AND used_at + ?4 > ?2
               AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS successor
                               WHERE successor.predecessor = refresh_tokens.id AND successor.uses > 0)))
      AND EXISTS (SELECT 1 FROM grants WHERE grants.grant_id = refresh_tokens.grant_id
                  AND grants.revoked_at IS NULL AND grants.expires_at > ?2)
    RETURNING uses, grant_id, id";

pub(super) fn rotate(
    connection: &Connection,
    hash: Digest,
    successor: &NewRefreshToken,
    grace: Grace,
    now: i64,
) -> Result<Rotation, StoreError> {
    let used = connection
        .prepare_cached(USE)
        .and_then(|mut statement| {
            let parameters = params![hash.as_bytes(), now, grace.uses, grace.seconds];
            let row = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?))
            };
            statement.query_row(parameters, row).optional()
        })
        .map_err(database)?;
    match used {
        Some((1, grant, id)) => {
            let grant = GrantId::from_text(grant);
            insert(connection, &grant, Some(id), successor).map(|()| Rotation::Rotated)
        }
        Some(_) => Ok(Rotation::Again),
        None => refuse(connection, hash, now),
    }
}

/// A used token that came again is in two hands: its family dies (RFC 9700 §4.14.2).
fn refuse(connection: &Connection, hash: Digest, now: i64) -> Result<Rotation, StoreError> {
    let revoked = connection
        .prepare_cached(
            "UPDATE grants SET revoked_at = ?2 WHERE revoked_at IS NULL
             AND grant_id = (SELECT grant_id FROM refresh_tokens WHERE token_hash = ?1 AND uses > 0)",
        )
        .and_then(|mut statement| statement.execute(params![hash.as_bytes(), now]))
        .map_err(database)?;
    Ok(match revoked {
        0 => Rotation::Dead,
        _ => Rotation::Reused,
    })
}

pub(super) fn insert(
    connection: &Connection,
    grant: &GrantId,
    predecessor: Option<i64>,
    token: &NewRefreshToken,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO refresh_tokens (token_hash, grant_id, predecessor, seed, dpop_jkt, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = params![
        token.hash.as_bytes(),
        grant.as_str(),
        predecessor,
        token.seed,
        token.dpop_jkt,
        token.expires_at,
    ];
    execute(connection, sql, row).map(drop)
}

pub(super) fn find(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<RefreshToken>, StoreError> {
    let sql = "SELECT seed, uses, dpop_jkt, refresh_tokens.expires_at,
               grants.grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, grants.expires_at
               FROM refresh_tokens JOIN grants USING (grant_id)
               WHERE token_hash = ?1 AND revoked_at IS NULL AND grants.expires_at > ?2";
    rows::one(connection, sql, params![hash.as_bytes(), now], |row| {
        Ok(RefreshToken {
            seed: row.get(0)?,
            used: row.get::<_, i64>(1)? > 0,
            dpop_jkt: row.get(2)?,
            expires_at: row.get(3)?,
            grant: rows::grant(row, 4)?,
        })
    })
}
