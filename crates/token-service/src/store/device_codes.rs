//! Device codes in SQL. Whoever decides, polls or spends runs in the writer's transaction, so that each sees what the one
//! before wrote.

use rusqlite::{Connection, named_params, params};

use super::statements::{database, one};
use super::{FirstRefresh, StoreError, clients, grants, refresh_tokens};
use crate::domain::{ClientId, DeviceRequest, Grant, Polled, Resource, UserCode};
use crate::secret::Digest;

/// RFC 8628 §3.5: "the interval MUST be increased by 5 seconds".
const SLOWER_BY: i64 = 5;

pub(super) fn insert(
    connection: &Connection,
    hash: Digest,
    request: &DeviceRequest,
    interval: i64,
    most: i64,
    now: i64,
) -> rusqlite::Result<usize> {
    let resources: Vec<&str> = request.resources.iter().map(Resource::as_str).collect();
    connection.execute(
        "INSERT INTO device_codes (device_hash, user_code, client_id, scope, resources, expires_at, poll_interval)
         SELECT :hash, :user_code, :client_id, :scope, :resources, :expires_at, :interval
         WHERE (SELECT count(*) FROM device_codes
                WHERE client_id = :client_id AND expires_at > :now AND spent_at IS NULL) < :most",
        named_params! {
            ":hash": hash.as_bytes(),
            ":user_code": request.user_code.letters(),
            ":client_id": request.client.as_str(),
            ":scope": request.scope.to_string(),
            ":resources": resources.join(" "),
            ":expires_at": request.expires_at,
            ":interval": interval,
            ":most": most,
            ":now": now,
        },
    )
}

pub(super) fn find(
    connection: &Connection,
    code: &UserCode,
    now: i64,
) -> Result<Option<DeviceRequest>, StoreError> {
    let sql = "SELECT user_code, client_id, scope, resources, expires_at FROM device_codes
               WHERE user_code = ?1 AND expires_at > ?2 AND grant_id IS NULL AND denied = 0";
    one(connection, sql, params![code.letters(), now], |row| {
        Ok(DeviceRequest {
            user_code: UserCode::from_store(row.get("user_code")?),
            client: clients::client_id(row, "client_id")?,
            scope: grants::scope(row, "scope")?,
            resources: grants::resources(row, "resources")?,
            expires_at: row.get("expires_at")?,
        })
    })
}

pub(super) fn decide(
    connection: &Connection,
    code: &UserCode,
    grant: Option<&Grant>,
    now: i64,
) -> Result<bool, StoreError> {
    if let Some(grant) = grant {
        grants::insert(connection, grant, now).map_err(database)?;
    }
    let id = grant.map(|grant| grant.id.as_str());
    let decided = connection
        .prepare_cached(
            "UPDATE device_codes SET grant_id = ?2, denied = (?2 IS NULL)
             WHERE user_code = ?1 AND expires_at > ?3 AND grant_id IS NULL AND denied = 0",
        )
        .and_then(|mut statement| statement.execute(params![code.letters(), id, now]))
        .map_err(database)?;
    match (decided, grant) {
        (1, _) => Ok(true),
        // Nobody will redeem it: take the grant back.
        (_, Some(grant)) => connection
            .execute(
                "DELETE FROM grants WHERE grant_id = ?1",
                [grant.id.as_str()],
            )
            .map(|_| false)
            .map_err(database),
        (_, None) => Ok(false),
    }
}

struct Row {
    expires_at: i64,
    interval: i64,
    polled_at: Option<i64>,
    denied: bool,
    allowed: bool,
}

pub(super) fn poll(
    connection: &Connection,
    hash: Digest,
    client: &ClientId,
    now: i64,
) -> Result<Polled, StoreError> {
    let sql = "SELECT expires_at, poll_interval, polled_at, denied, grant_id IS NOT NULL AS allowed FROM device_codes
               WHERE device_hash = ?1 AND client_id = ?2 AND spent_at IS NULL";
    let key = params![hash.as_bytes(), client.as_str()];
    let found = one(connection, sql, key, |row| {
        Ok(Row {
            expires_at: row.get("expires_at")?,
            interval: row.get("poll_interval")?,
            polled_at: row.get("polled_at")?,
            denied: row.get("denied")?,
            allowed: row.get("allowed")?,
        })
    });
    match found? {
        None => Ok(Polled::Unknown),
        Some(row) if row.denied => Ok(Polled::Denied),
        Some(row) if row.expires_at <= now => Ok(Polled::Expired),
        Some(row) if row.allowed => grant_of(connection, hash, now),
        Some(row) => {
            let too_soon = row.polled_at.is_some_and(|last| now < last + row.interval);
            let interval = row.interval + if too_soon { SLOWER_BY } else { 0 };
            let sql =
                "UPDATE device_codes SET polled_at = ?2, poll_interval = ?3 WHERE device_hash = ?1";
            connection
                .execute(sql, params![hash.as_bytes(), now, interval])
                .map_err(database)?;
            Ok(if too_soon {
                Polled::TooSoon
            } else {
                Polled::Pending
            })
        }
    }
}

fn grant_of(connection: &Connection, hash: Digest, now: i64) -> Result<Polled, StoreError> {
    let sql = format!(
        "{} WHERE grant_id = (SELECT grant_id FROM device_codes WHERE device_hash = ?1)
         AND revoked_at IS NULL AND expires_at > ?2",
        grants::GRANT
    );
    let read = |row: &rusqlite::Row<'_>| grants::grant(row, 0);
    let grant = one(connection, &sql, params![hash.as_bytes(), now], read)?;
    Ok(grant.map_or(Polled::Unknown, |grant| Polled::Allowed(Box::new(grant))))
}

/// Spends a code that was allowed, once, and writes what follows from it; gives the grant's number.
pub(super) fn spend(
    connection: &Connection,
    hash: Digest,
    now: i64,
    first: Option<&FirstRefresh>,
) -> Result<Option<i64>, StoreError> {
    let sql = "UPDATE device_codes SET spent_at = ?2
               WHERE device_hash = ?1 AND spent_at IS NULL AND grant_id IS NOT NULL AND expires_at > ?2
               RETURNING (SELECT number FROM grants WHERE grants.grant_id = device_codes.grant_id)";
    let key = params![hash.as_bytes(), now];
    let number = one(connection, sql, key, |row| row.get(0))?;
    if let (Some(number), Some(first)) = (number, first) {
        refresh_tokens::begin(connection, number, first)?;
    }
    Ok(number)
}
