//! People in SQL. Those of the configuration file come and go with it, and keep their `sub`.

use rusqlite::{Connection, Row, named_params, params};

use super::statements::{all, database, execute, nonsense, one};
use super::{StoreError, sessions};
use crate::domain::{User, UserId, Username};
use crate::password::PasswordHash;

pub(super) const USER: &str = "SELECT user_id, username, password_hash, name, email, email_verified, claims, updated_at FROM users";

pub(super) fn find(connection: &Connection, id: &UserId) -> Result<Option<User>, StoreError> {
    let sql = format!("{USER} WHERE user_id = ?1");
    one(connection, &sql, [id.as_str()], user)
}

pub(super) fn find_by_name(
    connection: &Connection,
    name: &Username,
) -> Result<Option<User>, StoreError> {
    let sql = format!("{USER} WHERE username = ?1");
    one(connection, &sql, [name.as_str()], user)
}

/// Those of the file are these, and no others.
pub(super) fn configure_all(
    connection: &Connection,
    users: &[User],
    now: i64,
) -> Result<(), StoreError> {
    for user in users {
        let known = find_by_name(connection, &user.username)?;
        if configure_user(connection, user).map_err(database)? == 0 {
            return Err(StoreError::UserTaken(user.username.as_str().into()));
        }
        if let Some(known) = known.filter(|known| known.password != user.password) {
            sessions::end_all_of(connection, &known.id, now)?;
        }
    }
    let kept: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    let of_file = format!("{USER} WHERE origin = 'file'");
    let of_file = all(connection, &of_file, [], user)?;
    let gone = of_file
        .iter()
        .filter(|user| !kept.contains(&user.username.as_str()));
    gone.map(|user| &user.id)
        .try_for_each(|user| remove(connection, user, now))
}

pub(super) fn set_password(
    connection: &Connection,
    user: &UserId,
    password: &PasswordHash,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = execute(
        connection,
        "UPDATE users SET password_hash = ?2, updated_at = ?3 WHERE user_id = ?1 AND origin <> 'file'",
        params![user.as_str(), password.as_phc(), now],
    )?;
    if changed == 0 {
        return Ok(false);
    }
    sessions::end_all_of(connection, user, now)?;
    Ok(true)
}

/// Removes one that was added.
pub(super) fn delete(connection: &Connection, user: &UserId, now: i64) -> Result<bool, StoreError> {
    let added = "SELECT user_id FROM users WHERE user_id = ?1 AND origin <> 'file'";
    let known = one(connection, added, [user.as_str()], |row| {
        row.get::<_, String>(0)
    })?;
    if known.is_none() {
        return Ok(false);
    }
    remove(connection, user, now).map(|()| true)
}

fn remove(connection: &Connection, user: &UserId, now: i64) -> Result<(), StoreError> {
    sessions::end_all_of(connection, user, now)?;
    let sql = "DELETE FROM users WHERE user_id = ?1";
    execute(connection, sql, [user.as_str()]).map(drop)
}

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::from_store(row.get("user_id")?),
        username: Username::parse(&row.get::<_, String>("username")?)
            .map_err(|_| nonsense("users.username"))?,
        password: PasswordHash::from_phc(row.get("password_hash")?),
        name: row.get("name")?,
        email: row.get("email")?,
        email_verified: row.get("email_verified")?,
        claims: serde_json::from_str(&row.get::<_, String>("claims")?)
            .map_err(|_| nonsense("users.claims"))?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) fn insert_user(connection: &Connection, user: &User) -> rusqlite::Result<usize> {
    write_user(connection, user, "registered", "")
}

/// A person of the configuration file, who keeps the `sub` they have; 0 if a registered one has the name.
fn configure_user(connection: &Connection, user: &User) -> rusqlite::Result<usize> {
    let or_update = "ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash, name = excluded.name,
        email = excluded.email, email_verified = excluded.email_verified, claims = excluded.claims,
        updated_at = CASE WHEN users.name = excluded.name AND users.email IS excluded.email AND users.claims = excluded.claims
            AND users.email_verified = excluded.email_verified THEN users.updated_at ELSE excluded.updated_at END
        WHERE origin = 'file'";
    write_user(connection, user, "file", or_update)
}

fn write_user(
    connection: &Connection,
    user: &User,
    origin: &str,
    on_conflict: &str,
) -> rusqlite::Result<usize> {
    let claims = serde_json::to_string(&user.claims).expect("JSON values have a JSON form");
    let insert = "INSERT INTO users (user_id, username, password_hash, name, email, email_verified, claims, origin, updated_at)
         VALUES (:user_id, :username, :password_hash, :name, :email, :email_verified, :claims, :origin, :updated_at)";
    connection.execute(
        &format!("{insert} {on_conflict}"),
        named_params! {
            ":claims": claims,
            ":origin": origin,
            ":user_id": user.id.as_str(),
            ":username": user.username.as_str(),
            ":password_hash": user.password.as_phc(),
            ":name": user.name,
            ":email": user.email,
            ":email_verified": user.email_verified,
            ":updated_at": user.updated_at,
        },
    )
}
