//! Pushed authorization requests, in SQL.

use rusqlite::{Connection, params};

use super::statements::{execute, one};
use super::{PushedRequest, StoreError, clients};
use crate::secret::Digest;

pub(super) fn insert(
    connection: &Connection,
    hash: Digest,
    request: &PushedRequest,
    most: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let sql =
        "INSERT INTO pushed_requests (uri_hash, client_id, form_sealed, expires_at, keep_until)
         SELECT ?1, ?2, ?3, ?4, ?4
         WHERE (SELECT count(*) FROM pushed_requests WHERE client_id = ?2 AND keep_until > ?6) < ?5";
    let row = params![
        hash.as_bytes(),
        request.client.as_str(),
        request.form_sealed,
        request.expires_at,
        most,
        now,
    ];
    Ok(execute(connection, sql, row)? == 1)
}

pub(super) fn find(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<PushedRequest>, StoreError> {
    let sql = "SELECT client_id, form_sealed, expires_at FROM pushed_requests
               WHERE uri_hash = ?1 AND expires_at > ?2";
    one(connection, sql, params![hash.as_bytes(), now], |row| {
        Ok(PushedRequest {
            client: clients::client_id(row, "client_id")?,
            form_sealed: row.get("form_sealed")?,
            expires_at: row.get("expires_at")?,
        })
    })
}

pub(super) fn keep(connection: &Connection, hash: Digest, until: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE pushed_requests SET keep_until = max(keep_until, ?2) WHERE uri_hash = ?1";
    Ok(execute(connection, sql, params![hash.as_bytes(), until])? == 1)
}

/// True for exactly one caller: the one whose statement found the row.
pub(super) fn spend(connection: &Connection, hash: Digest) -> Result<bool, StoreError> {
    let sql = "DELETE FROM pushed_requests WHERE uri_hash = ?1";
    Ok(execute(connection, sql, [hash.as_bytes()])? == 1)
}
