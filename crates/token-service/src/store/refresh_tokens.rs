//! Refresh tokens in SQL: one row a family, changed in place. Whether a token may be used is decided by one statement, which
//! writes what follows from it; of the three below at most one finds its row.

use rusqlite::{Connection, OptionalExtension, params};

use super::statements::{database, execute, one};
use super::{FirstRefresh, StoreError, grants};
use crate::domain::{Grace, RefreshToken, Rotation, Successor};
use crate::handle::Shown;
use crate::secret::Digest;

/// The current token: its successor takes its place, and it becomes the predecessor.
pub(super) const ROTATE: &str = "UPDATE refresh_families
    SET generation = generation + 1, predecessor = token_hash, token_hash = ?5, seed = ?6, rotated_at = ?4, graces = 0, expires_at = ?7
    WHERE number = ?1 AND generation = ?2 AND token_hash = ?3 AND expires_at > ?4
      AND EXISTS (SELECT 1 FROM grants WHERE grants.number = ?1 AND revoked_at IS NULL AND grants.expires_at > ?4)";

/// The direct predecessor of the current token, within its grace.
const AGAIN: &str = "UPDATE refresh_families SET graces = graces + 1
    WHERE number = ?1 AND generation = ?2 + 1 AND predecessor = ?3 AND expires_at > ?4
      AND graces < ?5 AND rotated_at + ?6 > ?4
      AND EXISTS (SELECT 1 FROM grants WHERE grants.number = ?1 AND revoked_at IS NULL AND grants.expires_at > ?4)
    RETURNING seed";

/// Any other that was used: it is in two hands, and its family dies (RFC 9700 §4.14.2). No hash of it is kept; that it is of the
/// family its handle proves.
const END: &str = "UPDATE grants SET revoked_at = ?3 WHERE number = ?1 AND revoked_at IS NULL
    AND EXISTS (SELECT 1 FROM refresh_families WHERE refresh_families.number = ?1 AND generation > ?2)";

pub(super) fn rotate(
    connection: &Connection,
    shown: &Shown,
    successor: &Successor,
    grace: Grace,
    now: i64,
) -> Result<Rotation, StoreError> {
    let (place, hash) = (shown.place, shown.hash.as_bytes());
    let (number, generation) = (place.number, place.generation);
    let next = params![
        number,
        generation,
        hash,
        now,
        successor.hash.as_bytes(),
        successor.seed,
        successor.expires_at
    ];
    if execute(connection, ROTATE, next)? == 1 {
        return Ok(Rotation::Rotated);
    }
    let again = params![number, generation, hash, now, grace.uses, grace.seconds];
    let seed = connection
        .prepare_cached(AGAIN)
        .and_then(|mut statement| statement.query_row(again, |row| row.get(0)).optional())
        .map_err(database)?;
    if let Some(seed) = seed {
        return Ok(Rotation::Again { seed });
    }
    Ok(
        match execute(connection, END, params![number, generation, now])? {
            0 => Rotation::Dead,
            _ => Rotation::Reused,
        },
    )
}

/// Begins a family: the grant lives for as long as it can.
pub(super) fn begin(
    connection: &Connection,
    number: i64,
    first: &FirstRefresh,
) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE grants SET expires_at = ?2 WHERE number = ?1",
        [number, first.grant_expires_at],
    )?;
    let token = &first.token;
    let sql = "INSERT INTO refresh_families (number, generation, token_hash, graces, dpop_jkt, expires_at) VALUES (?1, 0, ?2, 0, ?3, ?4)";
    let row = params![
        number,
        token.hash.as_bytes(),
        token.dpop_jkt,
        token.expires_at
    ];
    execute(connection, sql, row).map(drop)
}

struct Family {
    generation: i64,
    current: Digest,
    predecessor: Option<Digest>,
    token: RefreshToken,
}

pub(super) fn find(
    connection: &Connection,
    shown: &Shown,
    now: i64,
) -> Result<Option<RefreshToken>, StoreError> {
    let sql = "SELECT generation, token_hash, predecessor, dpop_jkt, family.expires_at,
               grants.grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, grants.expires_at
               FROM refresh_families AS family JOIN grants USING (number)
               WHERE number = ?1 AND revoked_at IS NULL AND grants.expires_at > ?2";
    let family = one(connection, sql, [shown.place.number, now], |row| {
        Ok(Family {
            generation: row.get(0)?,
            current: Digest(row.get(1)?),
            predecessor: row.get::<_, Option<_>>(2)?.map(Digest),
            token: RefreshToken {
                dpop_jkt: row.get(3)?,
                expires_at: row.get(4)?,
                grant: grants::grant(row, 5)?,
                used: false,
            },
        })
    });
    Ok(family?.and_then(|family| family.token_of(shown)))
}

impl Family {
    /// The token as it was shown, if it is of this family.
    fn token_of(self, shown: &Shown) -> Option<RefreshToken> {
        let same = |hash: Digest| hash.ct_eq(&shown.hash);
        let behind = self.generation - i64::from(shown.place.generation);
        let known = match behind {
            ..0 => false,
            0 => same(self.current),
            1 => self.predecessor.is_some_and(same),
            // Its hash is not kept; its handle proves it.
            2.. => true,
        };
        known.then_some(RefreshToken {
            used: behind > 0,
            ..self.token
        })
    }
}
