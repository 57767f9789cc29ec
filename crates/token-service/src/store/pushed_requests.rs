//! Pushed authorization requests, in SQL.

use rusqlite::{Connection, params};

use super::statements::{execute, one};
use super::{PushedRequest, StoreError, clients};
use crate::secret::Digest;

pub(super) fn insert(
    connection: &Connection,
    hash: Digest,
    request: &PushedRequest,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO pushed_requests (uri_hash, client_id, form_sealed, expires_at, keep_until)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![
        hash.as_bytes(),
        request.client.as_str(),
        request.form_sealed,
        request.expires_at,
        request.keep_until,
    ];
    execute(connection, sql, row).map(drop)
}

pub(super) fn find(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<PushedRequest>, StoreError> {
    let sql = "SELECT client_id, form_sealed, expires_at, keep_until FROM pushed_requests
               WHERE uri_hash = ?1 AND expires_at > ?2";
    one(connection, sql, params![hash.as_bytes(), now], |row| {
        Ok(PushedRequest {
            client: clients::client_id(row, "client_id")?,
            form_sealed: row.get("form_sealed")?,
            expires_at: row.get("expires_at")?,
            keep_until: row.get("keep_until")?,
        })
    })
}

/// True for exactly one caller: the one whose statement found the row.
pub(super) fn spend(connection: &Connection, hash: Digest) -> Result<bool, StoreError> {
    let sql = "DELETE FROM pushed_requests WHERE uri_hash = ?1";
    Ok(execute(connection, sql, [hash.as_bytes()])? == 1)
}
