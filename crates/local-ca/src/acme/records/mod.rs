//! The ACME server's share of the records: accounts, orders, authorizations, in the authority's one SQLite file.
//!
//! The states of RFC 8555 §7.1.6 are kept where something happens, and computed where they follow: an order is *ready* because all its
//! authorizations are valid, *invalid* because one is not or because it expired. So there is no second truth to fall behind, and a
//! certificate is recorded in the very statement that makes its order valid (`store/mod.rs`): two requests to finalize one order are
//! one certificate, whoever asks and however often the power fails.

mod accounts;
mod authorizations;
mod orders;

use std::sync::Arc;

use rusqlite::OptionalExtension;

use crate::authority::Authority;
use crate::store::{Store, StoreError};

pub(crate) use accounts::{Account, AccountChange, AccountStatus, Bound, Ended, NewAccount};
pub(crate) use authorizations::{Authorization, AuthorizationStatus, Challenge, ChallengeStatus};
pub(crate) use orders::{NewOrder, Order, OrderStatus};

/// The version of the tables, among the settings.
const VERSION: &str = "2";

/// From version 1 to 2.
const UPGRADE: &str = "
    ALTER TABLE acme_account ADD COLUMN terms_url TEXT;
    CREATE INDEX acme_authorization_expires ON acme_authorization (expires);
    UPDATE setting SET value = '2' WHERE name = 'acme_tables';
";

/// The tables.
#[derive(Clone)]
pub(crate) struct Records {
    authority: Arc<Authority>,
}

impl Records {
    /// Makes the tables where an authority has none yet; `None` for an authority without records.
    pub(crate) fn open(authority: Arc<Authority>) -> Result<Option<Self>, StoreError> {
        let Some(store) = authority.store() else {
            return Ok(None);
        };
        let found = store.write(|transaction| {
            let found: Option<String> = transaction
                .query_row(
                    "SELECT value FROM setting WHERE name = 'acme_tables'",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            match found.as_deref() {
                None => {
                    transaction.execute_batch(include_str!("schema.sql"))?;
                    transaction.execute(
                        "INSERT INTO setting (name, value) VALUES ('acme_tables', ?1)",
                        [VERSION],
                    )?;
                }
                Some("1") => transaction.execute_batch(UPGRADE)?,
                Some(_) => {}
            }
            Ok(found)
        })?;
        match found.as_deref() {
            None | Some("1" | VERSION) => Ok(Some(Self { authority })),
            Some(newer) => Err(store.newer(newer.parse().unwrap_or(i64::MAX), 2)),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.authority
            .store()
            .expect("`open` has seen that it is there")
    }
}
