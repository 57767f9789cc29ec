//! Authorization codes in SQL. A grant has one, which has the grant's number.

use rusqlite::{Connection, named_params, params};

use super::statements::{database, execute, one};
use super::{FirstRefresh, StoreError, grants, refresh_tokens, sessions};
use crate::domain::{AuthorizationCode, CodeChallenge, CodeRow, Scope};
use crate::handle::Shown;
use crate::secret::Digest;

/// The grant, its code, the session's list of clients and the consent; gives the grant's number.
pub(super) fn issue(
    connection: &Connection,
    hash: Digest,
    code: &AuthorizationCode,
    remember: Option<&Scope>,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let grant = &code.grant;
    if let Some(session) = &grant.session
        && !sessions::lives(connection, session, &grant.user)?
    {
        return Ok(None);
    }
    let number = grants::insert(connection, grant, now).map_err(database)?;
    insert(connection, number, hash, code).map_err(database)?;
    if let Some(session) = &grant.session {
        sessions::signed_in_to(connection, session, &grant.client)?;
    }
    if let Some(scope) = remember {
        grants::remember_consent(connection, grant, scope)?;
    }
    Ok(Some(number))
}

fn insert(
    connection: &Connection,
    number: i64,
    hash: Digest,
    code: &AuthorizationCode,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO codes (number, code_hash, redirect_uri, challenge, nonce, dpop_jkt, expires_at)
         VALUES (:number, :code_hash, :redirect_uri, :challenge, :nonce, :dpop_jkt, :expires_at)",
    )?;
    statement.execute(named_params! {
        ":number": number,
        ":code_hash": hash.as_bytes(),
        ":redirect_uri": code.redirect_uri,
        ":challenge": code.challenge.map(|challenge| *challenge.as_bytes()),
        ":nonce": code.nonce,
        ":dpop_jkt": code.dpop_jkt,
        ":expires_at": code.expires_at,
    })
}

/// The code as it was shown, spent or not.
pub(super) fn find(connection: &Connection, shown: &Shown) -> Result<Option<CodeRow>, StoreError> {
    let sql = "SELECT code_hash, redirect_uri, challenge, nonce, dpop_jkt, codes.expires_at, spent_at,
               grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, grants.expires_at
               FROM codes JOIN grants USING (number) WHERE number = ?1";
    let found = one(connection, sql, [shown.place.number], |row| {
        let code = AuthorizationCode {
            redirect_uri: row.get(1)?,
            challenge: row
                .get::<_, Option<[u8; 32]>>(2)?
                .map(CodeChallenge::from_bytes),
            nonce: row.get(3)?,
            dpop_jkt: row.get(4)?,
            expires_at: row.get(5)?,
            grant: grants::grant(row, 7)?,
        };
        let spent = row.get::<_, Option<i64>>(6)?.is_some();
        Ok((Digest(row.get(0)?), CodeRow { code, spent }))
    })?;
    Ok(found.and_then(|(hash, row)| hash.ct_eq(&shown.hash).then_some(row)))
}

/// The whole of single use: one statement finds the code unspent and spends it, so of any number of callers one changes a row.
/// Then writes what follows from it.
pub(super) fn spend(
    connection: &Connection,
    shown: &Shown,
    now: i64,
    first: Option<&FirstRefresh>,
) -> Result<bool, StoreError> {
    let sql = "UPDATE codes SET spent_at = ?3 WHERE number = ?1 AND code_hash = ?2 AND spent_at IS NULL AND expires_at > ?3
               AND EXISTS (SELECT 1 FROM grants WHERE grants.number = ?1 AND revoked_at IS NULL)";
    let number = shown.place.number;
    let spent = execute(connection, sql, params![number, shown.hash.as_bytes(), now])? == 1;
    if let Some(first) = first.filter(|_| spent) {
        refresh_tokens::begin(connection, number, first)?;
    }
    Ok(spent)
}
