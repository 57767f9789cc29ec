//! Accounts (RFC 8555 §7.1.2), and the keys of an operator that some are bound to (§7.3.4).

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::Value;
use stampmill_jose::Jwk;
use zeroize::Zeroizing;

use super::Records;
use crate::store::StoreError;

/// Who asks for certificates.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) jwk: Jwk,
    pub(crate) status: AccountStatus,
    pub(crate) contact: Vec<String>,
    pub(crate) terms: bool,
    pub(crate) binding: Option<Value>,
}

/// RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountStatus {
    Valid,
    /// By its holder.
    Deactivated,
    /// By the operator.
    Revoked,
}

impl AccountStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Deactivated => "deactivated",
            Self::Revoked => "revoked",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "valid" => Self::Valid,
            "deactivated" => Self::Deactivated,
            _ => Self::Revoked,
        }
    }
}

/// An account to be made.
pub(crate) struct NewAccount<'a> {
    pub(crate) id: &'a str,
    pub(crate) jwk: &'a Jwk,
    pub(crate) contact: &'a [String],
    pub(crate) terms: bool,
    /// The operator's key, and the binding as it came.
    pub(crate) binding: Option<(&'a str, &'a Value)>,
    pub(crate) at: i64,
}

/// What became of a key that some account should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Yes,
    /// Another account has this key.
    KeyTaken,
    /// Another account was made with this key of the operator's.
    ExternalKeyTaken,
}

const COLUMNS: &str = "id, jwk, status, contact, terms, binding";

impl Records {
    /// Records an account and spends the operator's key: both or nothing.
    pub(crate) fn add_account(&self, new: &NewAccount<'_>) -> Result<Bound, StoreError> {
        self.store().write(|transaction| {
            if key_is_taken(transaction, new.jwk)? {
                return Ok(Bound::KeyTaken);
            }
            if let Some((kid, _)) = new.binding
                && !external_key_is_free(transaction, kid)?
            {
                return Ok(Bound::ExternalKeyTaken);
            }
            transaction.execute(
                "INSERT INTO acme_account (id, number, key, jwk, status, contact, terms, binding, created_at)
                 VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM acme_account), ?2, ?3, 'valid', ?4, ?5, ?6, ?7)",
                params![
                    new.id,
                    new.jwk.thumbprint(),
                    json_text(new.jwk),
                    json_text(&new.contact),
                    new.terms,
                    new.binding.map(|(_, binding)| binding.to_string()),
                    new.at,
                ],
            )?;
            if let Some((kid, _)) = new.binding {
                transaction.execute(
                    "UPDATE acme_external_key SET account = ?2 WHERE kid = ?1",
                    params![kid, new.id],
                )?;
            }
            Ok(Bound::Yes)
        })
    }

    pub(crate) fn account(&self, id: &str) -> Result<Option<Account>, StoreError> {
        self.find_account("id", id)
    }

    pub(crate) fn account_of_key(&self, jwk: &Jwk) -> Result<Option<Account>, StoreError> {
        self.find_account("key", &jwk.thumbprint())
    }

    fn find_account(&self, column: &str, value: &str) -> Result<Option<Account>, StoreError> {
        self.store().read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM acme_account WHERE {column} = ?1"
                ))?
                .query_row([value], account)
                .optional()
        })
    }

    pub(crate) fn set_contact(&self, id: &str, contact: &[String]) -> Result<(), StoreError> {
        self.store().write(|transaction| {
            let update = "UPDATE acme_account SET contact = ?2 WHERE id = ?1";
            transaction
                .execute(update, params![id, json_text(&contact)])
                .map(drop)
        })
    }

    pub(crate) fn agree_to_terms(&self, id: &str) -> Result<(), StoreError> {
        self.store().write(|transaction| {
            transaction
                .execute("UPDATE acme_account SET terms = 1 WHERE id = ?1", [id])
                .map(drop)
        })
    }

    pub(crate) fn deactivate_account(&self, id: &str) -> Result<(), StoreError> {
        self.store().write(|transaction| {
            let update = "UPDATE acme_account SET status = 'deactivated' WHERE id = ?1";
            transaction.execute(update, [id]).map(drop)
        })
    }

    /// Gives an account another key, unless one has it already (RFC 8555 §7.3.5).
    pub(crate) fn change_key(&self, id: &str, jwk: &Jwk) -> Result<Bound, StoreError> {
        self.store().write(|transaction| {
            if key_is_taken(transaction, jwk)? {
                return Ok(Bound::KeyTaken);
            }
            let update = "UPDATE acme_account SET key = ?2, jwk = ?3 WHERE id = ?1";
            transaction.execute(update, params![id, jwk.thumbprint(), json_text(jwk)])?;
            Ok(Bound::Yes)
        })
    }

    /// How many accounts were made since, and when the first of them was.
    pub(crate) fn accounts_since(&self, since: i64) -> Result<(u32, Option<i64>), StoreError> {
        self.store().read(|connection| {
            connection.query_row(
                "SELECT count(*), min(created_at) FROM acme_account WHERE created_at > ?1",
                [since],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
    }

    /// Keeps a key to be given out.
    pub(crate) fn add_external_key(
        &self,
        kid: &str,
        secret: &[u8],
        at: i64,
    ) -> Result<(), StoreError> {
        self.store().write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO acme_external_key (kid, secret, created_at) VALUES (?1, ?2, ?3)",
                    params![kid, secret, at],
                )
                .map(drop)
        })
    }

    /// The secret of this key, if no account was made with it yet.
    pub(crate) fn external_key(&self, kid: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.store().read(|connection| {
            let query = "SELECT secret FROM acme_external_key WHERE kid = ?1 AND account IS NULL";
            let secret = connection
                .query_row(query, [kid], |row| row.get(0))
                .optional()?;
            Ok(secret.map(Zeroizing::new))
        })
    }
}

fn key_is_taken(transaction: &Transaction<'_>, jwk: &Jwk) -> rusqlite::Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM acme_account WHERE key = ?1)";
    transaction.query_row(query, [jwk.thumbprint()], |row| row.get(0))
}

fn external_key_is_free(transaction: &Transaction<'_>, kid: &str) -> rusqlite::Result<bool> {
    let query =
        "SELECT EXISTS (SELECT 1 FROM acme_external_key WHERE kid = ?1 AND account IS NULL)";
    transaction.query_row(query, [kid], |row| row.get(0))
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let (jwk, status): (String, String) = (row.get(1)?, row.get(2)?);
    let (contact, binding): (String, Option<String>) = (row.get(3)?, row.get(5)?);
    Ok(Account {
        id: row.get(0)?,
        jwk: Jwk::from_json(jwk.as_bytes()).map_err(|error| damaged(1, error))?,
        status: AccountStatus::from_name(&status),
        contact: serde_json::from_str(&contact).map_err(|error| damaged(3, error))?,
        terms: row.get(4)?,
        binding: binding
            .map(|text| serde_json::from_str(&text).map_err(|error| damaged(5, error)))
            .transpose()?,
    })
}

/// A text of ours that is no longer what it was.
pub(super) fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    let kind = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}

fn json_text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("keys and texts can be written as JSON")
}
