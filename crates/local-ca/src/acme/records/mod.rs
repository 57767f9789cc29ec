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
use std::sync::atomic::AtomicI64;

use rusqlite::OptionalExtension;

use crate::store::{Store, StoreError};

pub(crate) use accounts::{Account, AccountChange, AccountStatus, Bound, Ended, NewAccount};
pub(crate) use authorizations::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, Found, NewAuthorization,
};
pub(crate) use orders::{NewOrder, Order, OrderStatus};

/// The version of the tables, among the settings.
const VERSION: usize = UPGRADES.len() + 1;

/// From each version to the next, the first from 1 to 2.
const UPGRADES: &[&str] = &[
    "ALTER TABLE acme_account ADD COLUMN terms_url TEXT;
     CREATE INDEX acme_authorization_expires ON acme_authorization (expires);",
    "ALTER TABLE acme_challenge ADD COLUMN began_at INTEGER;
     ALTER TABLE acme_challenge ADD COLUMN tried TEXT;",
    "ALTER TABLE acme_account ADD COLUMN network TEXT;
     CREATE INDEX acme_account_network ON acme_account (network, created_at);",
];

/// The tables.
#[derive(Clone)]
pub(crate) struct Records {
    store: Arc<Store>,
    /// When old authorizations were forgotten last, since this process began.
    forgotten_at: Arc<AtomicI64>,
}

impl Records {
    /// Makes the tables where an authority has none yet.
    pub(crate) fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let found = store.write(|transaction| {
            let found: Option<String> = transaction
                .query_row(
                    "SELECT value FROM setting WHERE name = 'acme_tables'",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(found) = found else {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.execute(
                    "INSERT INTO setting (name, value) VALUES ('acme_tables', ?1)",
                    [VERSION.to_string()],
                )?;
                return Ok(VERSION);
            };
            let found = found.parse().unwrap_or(usize::MAX);
            let Some(missing) = UPGRADES.get(found.saturating_sub(1)..) else {
                return Ok(found);
            };
            for upgrade in missing {
                transaction.execute_batch(upgrade)?;
            }
            if !missing.is_empty() {
                transaction.execute(
                    "UPDATE setting SET value = ?1 WHERE name = 'acme_tables'",
                    [VERSION.to_string()],
                )?;
            }
            Ok(VERSION)
        })?;
        let number = |version: usize| i64::try_from(version).unwrap_or(i64::MAX);
        match found {
            VERSION => Ok(Self {
                store,
                forgotten_at: Arc::default(),
            }),
            newer => Err(store.newer(number(newer), number(VERSION))),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}
