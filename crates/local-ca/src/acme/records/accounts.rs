//! Accounts (RFC 8555 §7.1.2), and the keys of an operator that some are bound to (§7.3.4).

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::Value;
use stampmill_jose::Jwk;
use zeroize::Zeroizing;

use super::Records;
use crate::store::{Event, StoreError, log};

/// Who asks for certificates.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) jwk: Jwk,
    pub(crate) status: AccountStatus,
    pub(crate) contact: Vec<String>,
    pub(crate) terms: bool,
    /// Which terms, where that is known.
    pub(crate) terms_url: Option<String>,
    pub(crate) binding: Option<Value>,
    pub(crate) created_at: i64,
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
    /// The terms that were agreed to; empty for those of a server that has none.
    pub(crate) terms: Option<&'a str>,
    /// The operator's key, and the binding as it came.
    pub(crate) binding: Option<(&'a str, &'a Value)>,
    /// Where it is made from, if that is known.
    pub(crate) network: Option<&'a str>,
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
    /// The account has another key by now, or ended.
    AccountChanged,
}

/// What becomes of an account: all of it or nothing.
#[derive(Default)]
pub(crate) struct AccountChange<'a> {
    pub(crate) contact: Option<Vec<String>>,
    /// As in [`NewAccount`].
    pub(crate) terms: Option<&'a str>,
    /// Given up by its holder (RFC 8555 §7.3.6).
    pub(crate) deactivate: bool,
}

/// Whether an account ended that should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Yes,
    /// It had before.
    Before(AccountStatus),
    Unknown,
}

const COLUMNS: &str = "id, jwk, status, contact, terms, terms_url, binding, created_at";

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
                "INSERT INTO acme_account (id, number, key, jwk, status, contact, terms, terms_url, binding, created_at, network)
                 VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM acme_account), ?2, ?3, 'valid', ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    new.id,
                    new.jwk.thumbprint(),
                    json_text(new.jwk),
                    json_text(&new.contact),
                    new.terms.is_some(),
                    new.terms,
                    new.binding.map(|(_, binding)| binding.to_string()),
                    new.at,
                    new.network,
                ],
            )?;
            if let Some((kid, _)) = new.binding {
                transaction.execute(
                    "UPDATE acme_external_key SET account = ?2 WHERE kid = ?1",
                    params![kid, new.id],
                )?;
            }
            let with = new.binding.map(|(kid, _)| format!(" with the external key {kid}"));
            let detail = format!("{} made{}", new.id, with.unwrap_or_default());
            log(transaction, new.at, Event::Account, None, &detail)?;
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

    /// Changes an account that is valid; false if it no longer is.
    pub(crate) fn change_account(
        &self,
        id: &str,
        change: &AccountChange<'_>,
        at: i64,
    ) -> Result<bool, StoreError> {
        self.store().write(|transaction| {
            let contact = change.contact.as_ref().map(json_text);
            let changed = transaction.execute(
                "UPDATE acme_account SET contact = coalesce(?2, contact), terms = terms OR ?3 IS NOT NULL,
                     terms_url = coalesce(?3, terms_url), status = CASE WHEN ?4 THEN 'deactivated' ELSE status END
                 WHERE id = ?1 AND status = 'valid'",
                params![id, contact, change.terms, change.deactivate],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            let told = [
                (change.contact.is_some(), Event::Account, "has other contacts"),
                (change.terms.is_some(), Event::Account, "agreed to the terms"),
                (change.deactivate, Event::AccountEnd, "deactivated by its holder"),
            ];
            if change.deactivate {
                cancel_all(transaction, id)?;
            }
            for (_, event, what) in told.into_iter().filter(|(happened, ..)| *happened) {
                log(transaction, at, event, None, &format!("{id} {what}"))?;
            }
            Ok(true)
        })
    }

    /// Ends an account by the operator's word (RFC 8555 §7.1.6: `revoked`).
    pub(crate) fn revoke_account(&self, id: &str, at: i64) -> Result<Ended, StoreError> {
        self.store().write(|transaction| {
            let query = "SELECT status FROM acme_account WHERE id = ?1";
            let status: Option<String> = transaction
                .query_row(query, [id], |row| row.get(0))
                .optional()?;
            match status.as_deref().map(AccountStatus::from_name) {
                None => return Ok(Ended::Unknown),
                Some(AccountStatus::Valid) => {}
                Some(ended) => return Ok(Ended::Before(ended)),
            }
            let update = "UPDATE acme_account SET status = 'revoked' WHERE id = ?1";
            transaction.execute(update, [id])?;
            cancel_all(transaction, id)?;
            let detail = format!("{id} revoked by the operator");
            log(transaction, at, Event::AccountEnd, None, &detail)?;
            Ok(Ended::Yes)
        })
    }

    /// Gives an account another key, unless one has it already (RFC 8555 §7.3.5), or the account has changed since `old` was seen.
    pub(crate) fn change_key(
        &self,
        id: &str,
        old: &Jwk,
        new: &Jwk,
        at: i64,
    ) -> Result<Bound, StoreError> {
        self.store().write(|transaction| {
            if key_is_taken(transaction, new)? {
                return Ok(Bound::KeyTaken);
            }
            let changed = transaction.execute(
                "UPDATE acme_account SET key = ?3, jwk = ?4 WHERE id = ?1 AND key = ?2 AND status = 'valid'",
                params![id, old.thumbprint(), new.thumbprint(), json_text(new)],
            )?;
            if changed == 0 {
                return Ok(Bound::AccountChanged);
            }
            let detail = format!("{id} has the key {}", new.thumbprint());
            log(transaction, at, Event::AccountKey, None, &detail)?;
            Ok(Bound::Yes)
        })
    }

    /// Every account, the oldest first, with the number of its orders that are in the records.
    pub(crate) fn accounts(&self) -> Result<Vec<(Account, u32)>, StoreError> {
        self.store().read(|connection| {
            connection
                .prepare(&format!(
                    "SELECT {COLUMNS}, (SELECT count(*) FROM acme_order o WHERE o.account = a.id) FROM acme_account a ORDER BY number"
                ))?
                .query_map([], |row| Ok((account(row)?, row.get(8)?)))?
                .collect()
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

    /// The same for those made from one network.
    pub(crate) fn accounts_from(
        &self,
        network: &str,
        since: i64,
    ) -> Result<(u32, Option<i64>), StoreError> {
        self.store().read(|connection| {
            connection.query_row(
                "SELECT count(*), min(created_at) FROM acme_account WHERE network = ?1 AND created_at > ?2",
                params![network, since],
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
            transaction.execute(
                "INSERT INTO acme_external_key (kid, secret, created_at) VALUES (?1, ?2, ?3)",
                params![kid, secret, at],
            )?;
            let detail = format!("{kid} made");
            log(transaction, at, Event::ExternalKey, None, &detail)
        })
    }

    /// The names of all keys that were made, when, and the account that each is bound to; the oldest first.
    pub(crate) fn external_keys(&self) -> Result<Vec<(String, i64, Option<String>)>, StoreError> {
        self.store().read(|connection| {
            connection
                .prepare("SELECT kid, created_at, account FROM acme_external_key ORDER BY created_at, kid")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
    }

    /// Forgets a key that no account was made with yet; false if there is none.
    pub(crate) fn withdraw_external_key(&self, kid: &str, at: i64) -> Result<bool, StoreError> {
        self.store().write(|transaction| {
            let delete = "DELETE FROM acme_external_key WHERE kid = ?1 AND account IS NULL";
            let gone = transaction.execute(delete, [kid])? == 1;
            if gone {
                let detail = format!("{kid} withdrawn");
                log(transaction, at, Event::ExternalKey, None, &detail)?;
            }
            Ok(gone)
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

/// What an account that ended had begun, or had proved: its open orders become invalid with it (RFC 8555 §7.3.6).
fn cancel_all(transaction: &Transaction<'_>, account: &str) -> rusqlite::Result<()> {
    let update = "UPDATE acme_authorization SET status = 'deactivated'
                  WHERE account = ?1 AND status IN ('pending', 'valid')";
    transaction.execute(update, [account]).map(drop)
}

fn external_key_is_free(transaction: &Transaction<'_>, kid: &str) -> rusqlite::Result<bool> {
    let query =
        "SELECT EXISTS (SELECT 1 FROM acme_external_key WHERE kid = ?1 AND account IS NULL)";
    transaction.query_row(query, [kid], |row| row.get(0))
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let (jwk, status): (String, String) = (row.get(1)?, row.get(2)?);
    let (contact, binding): (String, Option<String>) = (row.get(3)?, row.get(6)?);
    Ok(Account {
        id: row.get(0)?,
        jwk: Jwk::from_json(jwk.as_bytes()).map_err(|error| damaged(1, error))?,
        status: AccountStatus::from_name(&status),
        contact: serde_json::from_str(&contact).map_err(|error| damaged(3, error))?,
        terms: row.get(4)?,
        terms_url: row.get(5)?,
        binding: binding
            .map(|text| serde_json::from_str(&text).map_err(|error| damaged(6, error)))
            .transpose()?,
        created_at: row.get(7)?,
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
