//! Orders (RFC 8555 §7.1.3).

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::Records;
use super::authorizations::{self, Authorization, AuthorizationStatus, NewAuthorization};
use crate::acme::challenge::ChallengeKind;
use crate::acme::identifier::Identifier;
use crate::acme::random_id;
use crate::moment::DAY;
use crate::store::StoreError;

/// One certificate, from the wish to the serial number.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    number: i64,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) profile: String,
    /// As the client asked.
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) expires: i64,
    pub(crate) replaces: Option<String>,
    pub(crate) serial: Option<String>,
    /// One for each identifier.
    pub(crate) authorizations: Vec<Authorization>,
}

/// RFC 8555 §7.1.6. `processing` does not occur: a certificate is there before the request to finalize is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderStatus {
    Pending,
    Ready,
    Valid,
    Invalid,
}

impl OrderStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
        }
    }
}

impl Order {
    /// Where it stands.
    pub(crate) fn status(&self, now: i64) -> OrderStatus {
        if self.serial.is_some() {
            return OrderStatus::Valid;
        }
        let is = |wanted| move |authorization: &Authorization| authorization.status(now) == wanted;
        let (pending, valid) = (AuthorizationStatus::Pending, AuthorizationStatus::Valid);
        let alive = |one: &Authorization| is(pending)(one) || is(valid)(one);
        if self.expires < now || !self.authorizations.iter().all(alive) {
            return OrderStatus::Invalid;
        }
        match self.authorizations.iter().all(is(valid)) {
            true => OrderStatus::Ready,
            false => OrderStatus::Pending,
        }
    }

    /// What it is for.
    pub(crate) fn identifiers(&self) -> Vec<Identifier> {
        self.authorizations
            .iter()
            .map(Authorization::ordered)
            .collect()
    }
}

/// An order to be made.
pub(crate) struct NewOrder<'a> {
    pub(crate) account: &'a str,
    pub(crate) profile: &'a str,
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) replaces: Option<&'a str>,
    /// Each with the ways to prove it.
    pub(crate) identifiers: Vec<(Identifier, Vec<ChallengeKind>)>,
    pub(crate) at: i64,
    pub(crate) expires: i64,
}

const COLUMNS: &str =
    "number, id, account, profile, not_before, not_after, expires, replaces, serial";

impl Records {
    /// Records an order with an authorization for each identifier: one that is valid already, or a new one. `None` if the certificate
    /// that it would replace has a successor by now (RFC 9773 §5).
    pub(crate) fn add_order(&self, new: &NewOrder<'_>) -> Result<Option<String>, StoreError> {
        let id = random_id();
        self.store().write(|transaction| {
            forget_old(transaction, new.at)?;
            self.forget_authorizations(transaction, new.at)?;
            if let Some(replaces) = new.replaces
                && replaced(transaction, replaces, new.at)?
            {
                return Ok(None);
            }
            transaction.execute(
                "INSERT INTO acme_order (id, account, profile, not_before, not_after, created_at, expires, replaces)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![id, new.account, new.profile, new.not_before, new.not_after, new.at, new.expires, new.replaces],
            )?;
            let order = transaction.last_insert_rowid();
            for (place, (identifier, challenges)) in (0_i64..).zip(&new.identifiers) {
                let valid =
                    authorizations::reusable(transaction, new.account, identifier, new.at)?;
                let authorization = match valid {
                    Some(number) => number,
                    None => {
                        let new = NewAuthorization {
                            account: new.account,
                            identifier,
                            challenges: challenges.clone(),
                            at: new.at,
                            expires: new.expires,
                        };
                        authorizations::insert(transaction, &new)?
                    }
                };
                transaction.execute(
                    r#"INSERT INTO acme_order_authorization ("order", place, "authorization") VALUES (?1, ?2, ?3)"#,
                    params![order, place, authorization],
                )?;
            }
            Ok(Some(id.clone()))
        })
    }

    pub(crate) fn order(&self, id: &str) -> Result<Option<Order>, StoreError> {
        self.store().read(|connection| {
            let found = connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM acme_order WHERE id = ?1"))?
                .query_row([id], order)
                .optional()?;
            let Some(mut order) = found else {
                return Ok(None);
            };
            order.authorizations = authorizations::of_order(connection, order.number)?;
            Ok(Some(order))
        })
    }

    /// The names of an account's orders behind a place in the list, the oldest first, and the place to go on from. What became
    /// invalid is not listed (§7.1.2.1).
    pub(crate) fn orders_of(
        &self,
        account: &str,
        after: i64,
        most: u32,
        now: i64,
    ) -> Result<(Vec<String>, Option<i64>), StoreError> {
        let mut found: Vec<(i64, String)> = self.store().read(|connection| {
            connection
                .prepare_cached(
                    r#"SELECT number, id FROM acme_order o WHERE account = ?1 AND number > ?2 AND (serial IS NOT NULL OR (expires >= ?4
                         AND NOT EXISTS (SELECT 1 FROM acme_order_authorization l JOIN acme_authorization a ON a.number = l."authorization"
                                         WHERE l."order" = o.number AND (a.expires < ?4 OR a.status NOT IN ('pending', 'valid')))))
                     ORDER BY number LIMIT ?3"#,
                )?
                .query_map(params![account, after, most + 1, now], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let page = usize::try_from(most).unwrap_or(usize::MAX);
        let more = found.len() > page;
        found.truncate(page);
        let next = found.last().map(|(number, _)| *number).filter(|_| more);
        Ok((found.into_iter().map(|(_, id)| id).collect(), next))
    }

    /// The newest orders, of all accounts or of one, and when each was made.
    pub(crate) fn newest_orders(
        &self,
        account: Option<&str>,
        most: u32,
    ) -> Result<Vec<(Order, i64)>, StoreError> {
        self.store().read(|connection| {
            let mut found: Vec<(Order, i64)> = connection
                .prepare(&format!(
                    "SELECT {COLUMNS}, created_at FROM acme_order WHERE ?1 IS NULL OR account = ?1 ORDER BY number DESC LIMIT ?2"
                ))?
                .query_map(params![account, most], |row| Ok((order(row)?, row.get(9)?)))?
                .collect::<rusqlite::Result<_>>()?;
            for (order, _) in &mut found {
                order.authorizations = authorizations::of_order(connection, order.number)?;
            }
            Ok(found)
        })
    }

    /// How many orders an account made since, and when the first of them was.
    pub(crate) fn orders_since(
        &self,
        account: &str,
        since: i64,
    ) -> Result<(u32, Option<i64>), StoreError> {
        self.store().read(|connection| {
            connection
                .prepare_cached(
                    "SELECT count(*), min(created_at) FROM acme_order WHERE account = ?1 AND created_at > ?2",
                )?
                .query_row(params![account, since], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }
}

/// Whether an order that is not invalid names this certificate as the one it replaces.
fn replaced(transaction: &Transaction<'_>, replaces: &str, now: i64) -> rusqlite::Result<bool> {
    let mut query = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM acme_order WHERE replaces = ?1"
    ))?;
    let found: Vec<Order> = query
        .query_map([replaces], order)?
        .collect::<rusqlite::Result<_>>()?;
    for mut order in found {
        order.authorizations = authorizations::of_order(transaction, order.number)?;
        if order.status(now) != OrderStatus::Invalid {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Orders that nobody finalized are forgotten a day after they expired, so that asking costs no room for ever.
fn forget_old(transaction: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    let old = "DELETE FROM acme_order WHERE serial IS NULL AND expires < ?1";
    transaction.execute(old, [now - DAY]).map(drop)
}

fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        number: row.get(0)?,
        id: row.get(1)?,
        account: row.get(2)?,
        profile: row.get(3)?,
        not_before: row.get(4)?,
        not_after: row.get(5)?,
        expires: row.get(6)?,
        replaces: row.get(7)?,
        serial: row.get(8)?,
        authorizations: Vec::new(),
    })
}
