//! Clients that register themselves, and what lets them, in SQL.

use rusqlite::{Connection, params};

use super::statements::{database, execute, one};
use super::{InitialToken, NewClient, Registered, StoreError, clients};
use crate::domain::{Client, ClientId};
use crate::secret::Digest;

/// One use of the initial access token, room for one more client, the client, its token: all or nothing.
pub(super) fn register(
    connection: &Connection,
    new: &NewClient,
    now: i64,
) -> Result<Registered, StoreError> {
    let count = "SELECT count(*) FROM registrations";
    let there = one(connection, count, [], |row| row.get::<_, i64>(0))?.unwrap_or(0);
    if there >= new.most {
        return Ok(Registered::Full);
    }
    if let Some(initial) = new.initial {
        let spend = "UPDATE initial_access_tokens SET uses_left = uses_left - 1
                     WHERE token_hash = ?1 AND uses_left > 0 AND expires_at > ?2";
        if execute(connection, spend, params![initial.as_bytes(), now])? == 0 {
            return Ok(Registered::TokenSpent);
        }
    }
    clients::insert_client(connection, &new.client).map_err(database)?;
    let insert = "INSERT INTO registrations (client_id, token_hash) VALUES (?1, ?2)";
    let row = params![new.client.id.as_str(), new.token.as_bytes()];
    execute(connection, insert, row).map(|_| Registered::Done)
}

/// The client that a registration access token is for.
pub(super) fn find(connection: &Connection, token: Digest) -> Result<Option<Client>, StoreError> {
    let sql = format!(
        "{} WHERE client_id = (SELECT client_id FROM registrations WHERE token_hash = ?1)",
        clients::CLIENT
    );
    one(connection, &sql, [token.as_bytes()], clients::client)
}

pub(super) fn has(connection: &Connection, client: &ClientId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM registrations WHERE client_id = ?1";
    Ok(one(connection, sql, [client.as_str()], |_| Ok(()))?.is_some())
}

/// Everything that hangs on the client goes with it: grants, codes, tokens, consents.
pub(super) fn delete(connection: &Connection, client: &ClientId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM clients WHERE client_id = ?1 AND origin = 'registered'
               AND client_id IN (SELECT client_id FROM registrations)";
    Ok(execute(connection, sql, [client.as_str()])? == 1)
}

/// The same for a client that an administrator added, too.
pub(super) fn remove(connection: &Connection, client: &ClientId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM clients WHERE client_id = ?1 AND origin <> 'file'";
    Ok(execute(connection, sql, [client.as_str()])? == 1)
}

pub(super) fn insert_initial_token(
    connection: &Connection,
    token: &InitialToken,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO initial_access_tokens (token_hash, uses_left, expires_at) VALUES (?1, ?2, ?3)";
    let row = params![token.hash.as_bytes(), token.uses, token.expires_at];
    execute(connection, sql, row).map(drop)
}

pub(super) fn initial_token_is_good(
    connection: &Connection,
    token: Digest,
    now: i64,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM initial_access_tokens WHERE token_hash = ?1 AND uses_left > 0 AND expires_at > ?2";
    let found = one(connection, sql, params![token.as_bytes(), now], |_| Ok(()));
    Ok(found?.is_some())
}
