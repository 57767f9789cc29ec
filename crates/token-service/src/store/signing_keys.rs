//! Signing keys in SQL.

use rusqlite::{Connection, Row, named_params};

use super::StoreError;
use super::statements::{all, database, nonsense};
use crate::domain::{StoredKey, signing_algorithm};

const SIGNING_KEYS: &str = "SELECT kid, alg, pem_sealed, created_at, signs_from FROM signing_keys ORDER BY created_at, kid";

pub(super) fn every(connection: &Connection) -> Result<Vec<StoredKey>, StoreError> {
    all(connection, SIGNING_KEYS, [], signing_key)
}

fn signing_key(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey {
        kid: row.get("kid")?,
        algorithm: signing_algorithm(&row.get::<_, String>("alg")?)
            .ok_or_else(|| nonsense("signing_keys.alg"))?,
        pem_sealed: row.get("pem_sealed")?,
        created_at: row.get("created_at")?,
        signs_from: row.get("signs_from")?,
    })
}

pub(super) fn insert(connection: &Connection, key: &StoredKey) -> Result<(), StoreError> {
    let inserted = connection.execute(
        "INSERT INTO signing_keys (kid, alg, pem_sealed, created_at, signs_from)
         VALUES (:kid, :alg, :pem_sealed, :created_at, :signs_from)",
        named_params! {
            ":kid": key.kid,
            ":alg": key.algorithm.name(),
            ":pem_sealed": key.pem_sealed,
            ":created_at": key.created_at,
            ":signs_from": key.signs_from,
        },
    );
    inserted.map(drop).map_err(database)
}
