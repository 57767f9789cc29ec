//! Opaque access tokens, and JWTs that were revoked, in SQL.
//!
//! A token's number begins with the second in which it expires, so rows lie in the order in which they will go, and what is
//! expired is the front of the table. What many tokens say alike (client, audience, scope, lifetime) is a row of
//! `access_token_kinds`, what a person's tokens say alike is in the grant: neither is referenced in SQL's sense, because it would
//! take an index to remove a kind or a grant. A token whose kind or grant has gone is dead, and goes when it expires.

use rusqlite::{Connection, params};
use subtle::ConstantTimeEq;

use super::statements::{database, execute, one};
use super::{FoundToken, OpaqueToken, Person, StoreError, clients};
use crate::domain::{GrantId, UserId};
use crate::handle::Shown;
use crate::secret::Digest;

/// A number is the second of expiry, times this, and a count. More tokens than that in a second are refused.
const SECOND: i64 = 1 << 22;

/// Seconds for which a kind is kept beyond its tokens, so that not every token has to write how long that is.
const KINDS_KEPT: i64 = 3600;

/// Keeps a token; gives its number. One whose grant has gone in the meantime (a person who was removed, say) is none: without its
/// grant it would be read as the client's own.
pub(super) fn insert(
    connection: &Connection,
    hash: Digest,
    token: &OpaqueToken,
) -> Result<Option<i64>, StoreError> {
    // A time beyond what a number can begin with is none that is ever reached.
    let first = token.expires_at.min(i64::MAX / SECOND - 1) * SECOND;
    let kind = kind_of(connection, token)?;
    let sql = "INSERT INTO access_tokens (number, secret_hash, kind, grant_number, jkt)
        SELECT coalesce((SELECT max(number) + 1 FROM access_tokens WHERE number >= ?1 AND number < ?2), ?1),
               ?3, ?4, grants.number, ?6
        FROM (SELECT 1) LEFT JOIN grants ON grant_id = ?5
        WHERE ?5 IS NULL OR grants.number IS NOT NULL";
    let row = params![
        first,
        first + SECOND,
        kept(&hash),
        kind,
        token.grant.as_ref().map(GrantId::as_str),
        token.jkt,
    ];
    match execute(connection, sql, row)? {
        0 => Ok(None),
        _ => Ok(Some(connection.last_insert_rowid())),
    }
}

/// What is kept of a secret's hash.
fn kept(hash: &Digest) -> &[u8] {
    &hash.as_bytes()[..16]
}

/// The number of what the token says like others, which is there for as long as the token lives.
fn kind_of(connection: &Connection, token: &OpaqueToken) -> Result<i64, StoreError> {
    let sql = "SELECT kind FROM access_token_kinds
               WHERE client_id = ?1 AND audience = ?2 AND scope = ?3 AND lifetime = ?4 AND keep_until >= ?5";
    let lifetime = token.expires_at - token.issued_at;
    let (client, until) = (token.client.as_str(), token.expires_at);
    let known = params![client, token.audience, token.scope, lifetime, until];
    if let Some(kind) = one(connection, sql, known, |row| row.get(0))? {
        return Ok(kind);
    }
    let sql = "INSERT INTO access_token_kinds (client_id, audience, scope, lifetime, keep_until) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET keep_until = excluded.keep_until RETURNING kind";
    let until = until.saturating_add(KINDS_KEPT);
    let new = params![client, token.audience, token.scope, lifetime, until];
    let mut statement = connection.prepare_cached(sql).map_err(database)?;
    statement.query_row(new, |row| row.get(0)).map_err(database)
}

/// By number, at a time. A grant that has gone has no end, which is no later one.
pub(super) const FIND: &str =
    "SELECT token.number, secret_hash, kinds.client_id, audience, kinds.scope, lifetime, jkt, grant_id, user_id, auth_time
     FROM access_tokens AS token JOIN access_token_kinds AS kinds USING (kind)
          LEFT JOIN grants ON grants.number = token.grant_number
     WHERE token.number = ?1 AND (grant_number IS NULL OR (revoked_at IS NULL AND grants.expires_at > ?2))";

pub(super) fn find(
    connection: &Connection,
    shown: &Shown,
    now: i64,
) -> Result<Option<FoundToken>, StoreError> {
    // By number, as the columns stand above: to find each by its name takes longer than to read it.
    let found = one(connection, FIND, [shown.place.number, now], |row| {
        let expires_at = row.get::<_, i64>(0)? / SECOND;
        let grant = row.get::<_, Option<String>>(7)?.map(GrantId::from_text);
        let person = match &grant {
            None => None,
            Some(_) => Some(Person {
                user: UserId::from_store(row.get(8)?),
                auth_time: row.get(9)?,
            }),
        };
        let token = OpaqueToken {
            grant,
            client: clients::client_id(row, 2)?,
            audience: row.get(3)?,
            scope: row.get(4)?,
            issued_at: expires_at - row.get::<_, i64>(5)?,
            expires_at,
            jkt: row.get(6)?,
        };
        Ok((row.get::<_, [u8; 16]>(1)?, FoundToken { token, person }))
    })?;
    Ok(found.and_then(|(hash, found)| {
        let same = bool::from(hash.ct_eq(kept(&shown.hash)));
        (same && found.token.expires_at > now).then_some(found)
    }))
}

pub(super) fn delete(connection: &Connection, shown: &Shown) -> Result<(), StoreError> {
    let sql = "DELETE FROM access_tokens WHERE number = ?1 AND secret_hash = ?2";
    execute(
        connection,
        sql,
        params![shown.place.number, kept(&shown.hash)],
    )
    .map(drop)
}

/// Takes expired tokens off the front, and kinds that no token can name any more; gives how many.
pub(super) fn purge(connection: &Connection, now: i64) -> Result<usize, StoreError> {
    let first_alive = now.saturating_add(1).saturating_mul(SECOND);
    let tokens = "DELETE FROM access_tokens WHERE number < ?1";
    let kinds = "DELETE FROM access_token_kinds WHERE keep_until <= ?1";
    Ok(execute(connection, tokens, [first_alive])? + execute(connection, kinds, [now])?)
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
    let stands = one(
        connection,
        sql,
        params![jti.as_bytes(), grant, now],
        |row| row.get(0),
    );
    Ok(stands?.unwrap_or(false))
}
