//! Sessions in SQL. What ends a session runs in the writer's transaction: the row, the grants that end with it, and the
//! list of those who must hear of it belong together.

use rusqlite::{Connection, Row, params};

use super::statements::{all, execute, one};
use super::{StoreError, clients};
use crate::domain::{Client, ClientId, EndedSession, Session, SessionId, UserId};
use crate::secret::Digest;

const SESSION: &str = "SELECT session_id, user_id, auth_time, expires_at FROM sessions";

pub(super) fn find(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<Session>, StoreError> {
    let sql = format!("{SESSION} WHERE session_hash = ?1 AND expires_at > ?2");
    one(connection, &sql, params![hash.as_bytes(), now], session)
}

/// A session that is replaced by one of the same name goes on under another cookie; any other ends.
pub(super) fn start(
    connection: &Connection,
    hash: Digest,
    session: &Session,
    replaces: Option<Digest>,
    now: i64,
) -> Result<Option<EndedSession>, StoreError> {
    let mut ended = None;
    if let Some(old) = replaces {
        let renewed = execute(
            connection,
            "UPDATE sessions SET session_hash = ?2, auth_time = ?3, expires_at = ?4
             WHERE session_hash = ?1 AND session_id = ?5 AND user_id = ?6",
            params![
                old.as_bytes(),
                hash.as_bytes(),
                session.auth_time,
                session.expires_at,
                session.id.as_str(),
                session.user.as_str(),
            ],
        )?;
        if renewed == 1 {
            return Ok(None);
        }
        ended = end(connection, old, now)?;
    }
    execute(
        connection,
        "INSERT INTO sessions (session_hash, session_id, user_id, auth_time, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            hash.as_bytes(),
            session.id.as_str(),
            session.user.as_str(),
            session.auth_time,
            session.expires_at
        ],
    )?;
    Ok(ended)
}

pub(super) fn end(
    connection: &Connection,
    hash: Digest,
    now: i64,
) -> Result<Option<EndedSession>, StoreError> {
    let sql = format!("{SESSION} WHERE session_hash = ?1");
    let session = one(connection, &sql, [hash.as_bytes()], session)?;
    let Some(session) = session else {
        return Ok(None);
    };
    let clients = clients_in(connection, "session_clients", &session.id)?;
    // Back-Channel Logout §2.7: what was granted without offline_access was for this session.
    execute(
        connection,
        "UPDATE grants SET revoked_at = ?2 WHERE session_id = ?1 AND revoked_at IS NULL
         AND instr(' ' || scope || ' ', ' offline_access ') = 0",
        params![session.id.as_str(), now],
    )?;
    // Until they are told, whoever tells them.
    execute(
        connection,
        "INSERT OR IGNORE INTO untold_logouts (session_id, user_id, client_id)
         SELECT session_id, ?2, client_id FROM session_clients JOIN clients USING (client_id)
         WHERE session_id = ?1 AND json_extract(logout, '$.backchannel_logout_uri') IS NOT NULL",
        [session.id.as_str(), session.user.as_str()],
    )?;
    // Its list of clients goes with it.
    execute(
        connection,
        "DELETE FROM sessions WHERE session_hash = ?1",
        [hash.as_bytes()],
    )?;
    Ok(Some(EndedSession {
        session: session.id,
        user: session.user,
        clients,
    }))
}

/// Whoever knew the old password is out, and whoever is gone. Which clients have to hear of it is kept.
pub(super) fn end_all_of(
    connection: &Connection,
    user: &UserId,
    now: i64,
) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT OR IGNORE INTO untold_logouts (session_id, user_id, client_id)
         SELECT session_id, user_id, client_id FROM sessions JOIN session_clients USING (session_id)
         WHERE user_id = ?1 AND expires_at > ?2",
        params![user.as_str(), now],
    )?;
    execute(
        connection,
        "DELETE FROM sessions WHERE user_id = ?1",
        [user.as_str()],
    )?;
    execute(
        connection,
        "UPDATE grants SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL",
        params![user.as_str(), now],
    )
    .map(drop)
}

pub(super) fn untold(connection: &Connection) -> Result<Vec<EndedSession>, StoreError> {
    let sql = "SELECT DISTINCT session_id, user_id FROM untold_logouts ORDER BY session_id";
    let names = |row: &Row<'_>| {
        let session = SessionId::from_store(row.get(0)?);
        Ok((session, UserId::from_store(row.get(1)?)))
    };
    let mut ended = Vec::new();
    for (session, user) in all(connection, sql, [], names)? {
        let clients = clients_in(connection, "untold_logouts", &session)?;
        ended.push(EndedSession {
            session,
            user,
            clients,
        });
    }
    Ok(ended)
}

pub(super) fn told(
    connection: &Connection,
    session: &SessionId,
    client: &ClientId,
) -> Result<(), StoreError> {
    execute(
        connection,
        "DELETE FROM untold_logouts WHERE session_id = ?1 AND client_id = ?2",
        [session.as_str(), client.as_str()],
    )
    .map(drop)
}

/// Whether the person is still signed in with it. Asked where a grant is written, so that a session cannot end in between.
pub(super) fn lives(
    connection: &Connection,
    session: &SessionId,
    user: &UserId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sessions WHERE session_id = ?1 AND user_id = ?2";
    let params = [session.as_str(), user.as_str()];
    let found = one(connection, sql, params, |row| row.get::<_, i64>(0))?;
    Ok(found.is_some())
}

/// Remembers that a session signed the person in to a client.
pub(super) fn signed_in_to(
    connection: &Connection,
    session: &SessionId,
    client: &ClientId,
) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT OR IGNORE INTO session_clients (session_id, client_id)
         SELECT session_id, ?2 FROM sessions WHERE session_id = ?1",
        params![session.as_str(), client.as_str()],
    )
    .map(drop)
}

fn clients_in(
    connection: &Connection,
    table: &'static str,
    session: &SessionId,
) -> Result<Vec<Client>, StoreError> {
    let sql = format!(
        "{} JOIN {table} USING (client_id) WHERE session_id = ?1 ORDER BY client_id",
        clients::CLIENT
    );
    all(connection, &sql, [session.as_str()], clients::client)
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId::from_store(row.get("session_id")?),
        user: UserId::from_store(row.get("user_id")?),
        auth_time: row.get("auth_time")?,
        expires_at: row.get("expires_at")?,
    })
}
