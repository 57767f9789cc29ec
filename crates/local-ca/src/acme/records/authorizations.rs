//! Authorizations and their challenges (RFC 8555 §7.1.4, §7.1.5).

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Value, json};

use super::Records;
use super::accounts::damaged;
use crate::acme::challenge::ChallengeKind;
use crate::acme::identifier::Identifier;
use crate::acme::problem::Problem;
use crate::acme::random_id;
use crate::moment::DAY;
use crate::store::{Event, StoreError, log};

/// Whether an account may have certificates for a name.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) number: i64,
    pub(crate) id: String,
    pub(crate) account: String,
    /// Without `*.`.
    pub(crate) identifier: Identifier,
    pub(crate) wildcard: bool,
    stored: AuthorizationStatus,
    pub(crate) expires: i64,
    pub(crate) challenges: Vec<Challenge>,
}

/// RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationStatus {
    Pending,
    Valid,
    Invalid,
    Deactivated,
    Expired,
}

/// One way to show that one has the name.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) id: String,
    pub(crate) kind: ChallengeKind,
    pub(crate) token: String,
    pub(crate) status: ChallengeStatus,
    pub(crate) began_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    /// Where the server looked.
    pub(crate) tried: Vec<String>,
    pub(crate) error: Option<Value>,
}

/// What a look found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    /// Why that was not the proof.
    pub(crate) error: Option<&'a Value>,
    /// Where the server looked.
    pub(crate) tried: &'a [String],
    pub(crate) at: i64,
    /// Until when a proof holds.
    pub(crate) valid_until: i64,
}

/// An authorization to be made.
pub(crate) struct NewAuthorization<'a> {
    pub(crate) account: &'a str,
    pub(crate) identifier: &'a Identifier,
    /// The ways to prove it.
    pub(crate) challenges: Vec<ChallengeKind>,
    pub(crate) at: i64,
    pub(crate) expires: i64,
}

/// RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChallengeStatus {
    Pending,
    Processing,
    Valid,
    Invalid,
}

impl AuthorizationStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "valid" => Self::Valid,
            "deactivated" => Self::Deactivated,
            _ => Self::Invalid,
        }
    }
}

impl ChallengeStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "processing" => Self::Processing,
            "valid" => Self::Valid,
            _ => Self::Invalid,
        }
    }
}

impl Authorization {
    /// Where it stands: what nobody answered in time is invalid, what was good once is expired.
    pub(crate) fn status(&self, now: i64) -> AuthorizationStatus {
        match self.stored {
            AuthorizationStatus::Pending if self.expires < now => AuthorizationStatus::Invalid,
            AuthorizationStatus::Valid if self.expires < now => AuthorizationStatus::Expired,
            stored => stored,
        }
    }

    /// What its challenge found, if that was not the proof.
    pub(crate) fn error(&self) -> Option<&Value> {
        let mut errors = self.challenges.iter().map(|one| one.error.as_ref());
        errors.find_map(|error| error)
    }

    /// What was ordered: with `*.` again.
    pub(crate) fn ordered(&self) -> Identifier {
        match self.wildcard {
            false => self.identifier.clone(),
            true => {
                let name = format!("*.{}", self.identifier.value());
                Identifier::new(self.identifier.kind(), &name)
                    .expect("it was ordered as a wildcard")
            }
        }
    }
}

const HOUR: i64 = 3600;
const COLUMNS: &str = "number, id, account, kind, value, wildcard, status, expires";
const CHALLENGE_COLUMNS: &str = "id, kind, token, status, ended_at, error, began_at, tried";

impl Records {
    pub(crate) fn authorization(&self, id: &str) -> Result<Option<Authorization>, StoreError> {
        self.find_authorization("id = ?1", id)
    }

    /// The authorization that a challenge belongs to.
    pub(crate) fn authorization_of_challenge(
        &self,
        challenge: &str,
    ) -> Result<Option<Authorization>, StoreError> {
        let condition = r#"number = (SELECT "authorization" FROM acme_challenge WHERE id = ?1)"#;
        self.find_authorization(condition, challenge)
    }

    fn find_authorization(
        &self,
        condition: &str,
        value: &str,
    ) -> Result<Option<Authorization>, StoreError> {
        self.store().read(|connection| {
            let found = connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM acme_authorization WHERE {condition}"
                ))?
                .query_row([value], authorization)
                .optional()?;
            found
                .map(|found| with_challenges(connection, found))
                .transpose()
        })
    }

    /// Records an authorization without an order, or finds the one there is: valid already, or still waiting for its proof. `None` if there are so
    /// many already that are not proved.
    pub(crate) fn add_authorization(
        &self,
        new: &NewAuthorization<'_>,
        most: u32,
    ) -> Result<Option<String>, StoreError> {
        self.store().write(|transaction| {
            self.forget_authorizations(transaction, new.at)?;
            let number = match reusable(transaction, new.account, new.identifier, new.at)? {
                Some(valid) => valid,
                None => match waiting(transaction, new)? {
                    Some(waiting) => waiting,
                    None if without_order(transaction, new)? >= most => return Ok(None),
                    None => insert(transaction, new)?,
                },
            };
            let query = "SELECT id FROM acme_authorization WHERE number = ?1";
            transaction.query_row(query, [number], |row| row.get(0))
        })
    }

    /// Authorizations without an order are forgotten a day after they expired, whosever they are, so that asking costs no room for ever.
    /// Once an hour: all that ever expired is looked at.
    pub(super) fn forget_authorizations(
        &self,
        transaction: &Transaction<'_>,
        now: i64,
    ) -> rusqlite::Result<()> {
        let last = self.forgotten_at.load(Ordering::Relaxed);
        if (last..last + HOUR).contains(&now) {
            return Ok(());
        }
        let old = format!("DELETE FROM acme_authorization WHERE expires < ?1 AND {NO_ORDER}");
        transaction.execute(&old, [now - DAY])?;
        self.forgotten_at.store(now, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn deactivate_authorization(&self, id: &str) -> Result<(), StoreError> {
        self.store().write(|transaction| {
            let update = "UPDATE acme_authorization SET status = 'deactivated'
                          WHERE id = ?1 AND status IN ('pending', 'valid')";
            transaction.execute(update, [id]).map(drop)
        })
    }

    /// Marks a challenge as being looked at. False if it was before, or its authorization is decided or over.
    pub(crate) fn begin_challenge(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        self.store().write(|transaction| {
            let changed = transaction.execute(
                r#"UPDATE acme_challenge SET status = 'processing', began_at = ?2
                   WHERE id = ?1 AND status = 'pending'
                     AND EXISTS (SELECT 1 FROM acme_authorization a
                                 WHERE a.number = "authorization" AND a.status = 'pending' AND a.expires >= ?2)"#,
                params![id, now],
            )?;
            Ok(changed == 1)
        })
    }

    /// Writes down what was found, and with it decides the authorization. Once only.
    ///
    /// An authorization that ran out, or was given up, while we looked stays as it is. Then the challenge has not proved anything: it is
    /// valid only where its authorization is (§7.1.6), be it by another challenge.
    pub(crate) fn end_challenge(&self, id: &str, end: &Found<'_>) -> Result<(), StoreError> {
        let Found {
            error,
            tried,
            at: now,
            valid_until,
        } = *end;
        let found = if error.is_none() { "valid" } else { "invalid" };
        let over = Problem::unauthorized(
            "the authorization ran out, or was given up, before this was looked at",
        );
        let over = over.to_json();
        self.store().write(|transaction| {
            let decided = transaction.execute(
                r#"UPDATE acme_authorization SET status = ?2, expires = CASE ?2 WHEN 'valid' THEN ?3 ELSE expires END
                   WHERE number = (SELECT "authorization" FROM acme_challenge WHERE id = ?1 AND status = 'processing')
                     AND status = 'pending' AND expires >= ?4"#,
                params![id, found, valid_until, now],
            )?;
            let (status, error) = match error {
                None if !is_authorized(transaction, id)? => ("invalid", Some(&over)),
                error => (found, error),
            };
            transaction.execute(
                "UPDATE acme_challenge SET status = ?2, ended_at = ?3, error = ?4, tried = ?5
                 WHERE id = ?1 AND status = 'processing'",
                params![id, status, now, error.map(Value::to_string), json!(tried).to_string()],
            )?;
            match decided {
                0 => Ok(()),
                _ => log_proof(transaction, id, status, now),
            }
        })
    }

    /// Whether an account has valid authorizations for every one of these names (RFC 8555 §7.6).
    pub(crate) fn holds(
        &self,
        account: &str,
        names: &[Identifier],
        now: i64,
    ) -> Result<bool, StoreError> {
        self.store().read(|connection| {
            for name in names {
                if reusable(connection, account, name, now)?.is_none() {
                    return Ok(false);
                }
            }
            Ok(!names.is_empty())
        })
    }

    /// How many validations of this name have failed for an account since, and when the first of them did.
    pub(crate) fn failures_since(
        &self,
        account: &str,
        identifier: &Identifier,
        since: i64,
    ) -> Result<(u32, Option<i64>), StoreError> {
        self.store().read(|connection| {
            connection
                .prepare_cached(
                    r#"SELECT count(*), min(c.ended_at) FROM acme_authorization a
                       JOIN acme_challenge c ON c."authorization" = a.number
                       WHERE a.account = ?1 AND a.value = ?2 AND a.kind = ?3 AND c.status = 'invalid' AND c.ended_at > ?4"#,
                )?
                .query_row(
                    params![account, identifier.value(), identifier.kind(), since],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
        })
    }
}

/// Whether a challenge's authorization is valid.
fn is_authorized(transaction: &Transaction<'_>, challenge: &str) -> rusqlite::Result<bool> {
    let query = r#"SELECT EXISTS (SELECT 1 FROM acme_challenge c JOIN acme_authorization a ON a.number = c."authorization"
                                  WHERE c.id = ?1 AND a.status = 'valid')"#;
    transaction.query_row(query, [challenge], |row| row.get(0))
}

/// Who has shown, or not, to have which name, and how.
fn log_proof(
    transaction: &Transaction<'_>,
    challenge: &str,
    status: &str,
    now: i64,
) -> rusqlite::Result<()> {
    let query = r#"SELECT a.account || ' ' || CASE WHEN a.wildcard THEN '*.' ELSE '' END || a.value || ' by ' || c.kind
                   FROM acme_challenge c JOIN acme_authorization a ON a.number = c."authorization" WHERE c.id = ?1"#;
    let what: String = transaction.query_row(query, [challenge], |row| row.get(0))?;
    let detail = format!("{what}: {status}");
    log(transaction, now, Event::Proof, None, &detail)
}

/// A valid authorization of this account for this very name, if there is one.
pub(super) fn reusable(
    connection: &Connection,
    account: &str,
    name: &Identifier,
    now: i64,
) -> rusqlite::Result<Option<i64>> {
    let (base, wildcard) = name.base();
    connection
        .prepare_cached(
            "SELECT number FROM acme_authorization
             WHERE account = ?1 AND value = ?2 AND kind = ?3 AND wildcard = ?4 AND status = 'valid' AND expires > ?5
             ORDER BY expires DESC LIMIT 1",
        )?
        .query_row(
            params![account, base.value(), base.kind(), wildcard, now],
            |row| row.get(0),
        )
        .optional()
}

/// An authorization without an order for this very name that still waits for its proof.
fn waiting(connection: &Connection, new: &NewAuthorization<'_>) -> rusqlite::Result<Option<i64>> {
    let (base, wildcard) = new.identifier.base();
    connection
        .prepare_cached(&format!(
            "SELECT number FROM acme_authorization WHERE {OWN} AND status = 'pending' AND {NO_ORDER} AND value = ?3 AND kind = ?4 AND wildcard = ?5 LIMIT 1"
        ))?
        .query_row(
            params![new.account, new.at, base.value(), base.kind(), wildcard],
            |row| row.get(0),
        )
        .optional()
}

/// How many authorizations without an order this account has that are not proved: that wait, and that it failed or gave up, which take as
/// much room until their time is over.
fn without_order(connection: &Connection, new: &NewAuthorization<'_>) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM acme_authorization WHERE {OWN} AND status <> 'valid' AND {NO_ORDER}"
        ))?
        .query_row(params![new.account, new.at], |row| row.get(0))
}

const NO_ORDER: &str =
    r#"NOT EXISTS (SELECT 1 FROM acme_order_authorization l WHERE l."authorization" = number)"#;
/// An account's whose time is not over.
const OWN: &str = "account = ?1 AND expires >= ?2";

/// A new one, with its challenges.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    new: &NewAuthorization<'_>,
) -> rusqlite::Result<i64> {
    let (base, wildcard) = new.identifier.base();
    transaction.execute(
        "INSERT INTO acme_authorization (id, account, kind, value, wildcard, status, expires)
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6)",
        params![
            random_id(),
            new.account,
            base.kind(),
            base.value(),
            wildcard,
            new.expires
        ],
    )?;
    let number = transaction.last_insert_rowid();
    for (place, kind) in (0_i64..).zip(&new.challenges) {
        transaction.execute(
            r#"INSERT INTO acme_challenge (id, "authorization", place, kind, token, status)
               VALUES (?1, ?2, ?3, ?4, ?5, 'pending')"#,
            params![random_id(), number, place, kind.name(), random_id()],
        )?;
    }
    Ok(number)
}

/// The authorizations of an order, in the order of its identifiers.
pub(super) fn of_order(
    connection: &Connection,
    order: i64,
) -> rusqlite::Result<Vec<Authorization>> {
    let columns = COLUMNS.replace("number", "a.number");
    let mut query = connection.prepare_cached(&format!(
        r#"SELECT {columns} FROM acme_authorization a
           JOIN acme_order_authorization l ON l."authorization" = a.number WHERE l."order" = ?1 ORDER BY l.place"#
    ))?;
    let found: Vec<Authorization> = query
        .query_map([order], authorization)?
        .collect::<rusqlite::Result<_>>()?;
    let found = found.into_iter();
    found.map(|one| with_challenges(connection, one)).collect()
}

fn authorization(row: &Row<'_>) -> rusqlite::Result<Authorization> {
    let (kind, value): (String, String) = (row.get(3)?, row.get(4)?);
    let status: String = row.get(6)?;
    let identifier = Identifier::new(&kind, &value)
        .map_err(|problem| damaged(4, std::io::Error::other(problem.detail)))?;
    Ok(Authorization {
        number: row.get(0)?,
        id: row.get(1)?,
        account: row.get(2)?,
        identifier,
        wildcard: row.get(5)?,
        stored: AuthorizationStatus::from_name(&status),
        expires: row.get(7)?,
        challenges: Vec::new(),
    })
}

fn with_challenges(
    connection: &Connection,
    mut authorization: Authorization,
) -> rusqlite::Result<Authorization> {
    let query = format!(
        r#"SELECT {CHALLENGE_COLUMNS} FROM acme_challenge WHERE "authorization" = ?1 ORDER BY place"#
    );
    authorization.challenges = connection
        .prepare_cached(&query)?
        .query_map([authorization.number], challenge)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(authorization)
}

fn challenge(row: &Row<'_>) -> rusqlite::Result<Challenge> {
    let (kind, status): (String, String) = (row.get(1)?, row.get(3)?);
    let (error, tried): (Option<String>, Option<String>) = (row.get(5)?, row.get(7)?);
    let kind = ChallengeKind::from_name(&kind)
        .ok_or_else(|| damaged(1, std::io::Error::other("an unknown kind of challenge")))?;
    Ok(Challenge {
        id: row.get(0)?,
        kind,
        token: row.get(2)?,
        status: ChallengeStatus::from_name(&status),
        began_at: row.get(6)?,
        ended_at: row.get(4)?,
        tried: match tried {
            None => Vec::new(),
            Some(text) => serde_json::from_str(&text).map_err(|error| damaged(7, error))?,
        },
        error: error
            .map(|text| serde_json::from_str(&text).map_err(|error| damaged(5, error)))
            .transpose()?,
    })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::authority::{Authority, AuthorityProfile};

    const NOW: i64 = 1_800_000_000;

    /// One authorization that runs out in a minute, with two challenges that are looked at.
    fn records() -> Records {
        let profile = AuthorityProfile::new("challenges");
        let authority = Authority::generate_recorded(&profile, NOW).unwrap();
        let records = Records::open(authority.shared_store().unwrap()).unwrap();
        let rows = format!(
            "INSERT INTO acme_account (id, number, key, jwk, status, contact, terms, created_at)
               VALUES ('me', 1, 't', '{{}}', 'valid', '[]', 0, {NOW});
             INSERT INTO acme_authorization (number, id, account, kind, value, wildcard, status, expires)
               VALUES (1, 'a', 'me', 'dns', 'a.test', 0, 'pending', {NOW} + 60);
             INSERT INTO acme_challenge (id, \"authorization\", place, kind, token, status)
               VALUES ('one', 1, 0, 'http-01', 'x', 'pending'), ('two', 1, 1, 'dns-01', 'y', 'pending');"
        );
        let insert = records.store().write(|file| file.execute_batch(&rows));
        insert.unwrap();
        for id in ["one", "two"] {
            assert!(records.begin_challenge(id, NOW).unwrap());
        }
        records
    }

    fn found(error: Option<&Value>, at: i64) -> Found<'_> {
        Found {
            error,
            tried: &[],
            at,
            valid_until: at + 1000,
        }
    }

    fn states(records: &Records, now: i64) -> (AuthorizationStatus, [ChallengeStatus; 2]) {
        let found = records.authorization("a").unwrap().unwrap();
        let challenges = [found.challenges[0].status, found.challenges[1].status];
        (found.status(now), challenges)
    }

    #[test]
    fn a_challenge_is_valid_only_where_its_authorization_is() {
        use AuthorizationStatus as A;
        use ChallengeStatus as C;
        let proved = |records: &Records, id, now| {
            records.end_challenge(id, &found(None, now)).unwrap();
        };

        let good = records();
        proved(&good, "one", NOW);
        assert_eq!(states(&good, NOW), (A::Valid, [C::Valid, C::Processing]));
        proved(&good, "two", NOW);
        assert_eq!(states(&good, NOW), (A::Valid, [C::Valid, C::Valid]));

        let given_up = records();
        given_up.deactivate_authorization("a").unwrap();
        proved(&given_up, "one", NOW);
        assert_eq!(
            states(&given_up, NOW),
            (A::Deactivated, [C::Invalid, C::Processing])
        );

        let too_late = records();
        proved(&too_late, "one", NOW + 61);
        assert_eq!(
            states(&too_late, NOW + 61),
            (A::Invalid, [C::Invalid, C::Processing])
        );

        // what another challenge has lost is lost, and what was found stays
        let lost = records();
        let no = Problem::unauthorized("no").to_json();
        lost.end_challenge("two", &found(Some(&no), NOW)).unwrap();
        proved(&lost, "one", NOW);
        proved(&lost, "two", NOW);
        assert_eq!(states(&lost, NOW), (A::Invalid, [C::Invalid, C::Invalid]));
    }
}
