//! What the operator sees of an ACME server and may do to it, beside the server or without it: the records are the same.

use std::path::Path;
use std::sync::Arc;

use super::AcmeError;
use super::binding::ExternalKey;
use super::challenge::ChallengeKind;
use super::identifier::Identifier;
use super::problem::Problem;
use super::records::{
    Account, AccountStatus, Authorization, Challenge, ChallengeStatus, Ended, Order, Records,
};
use crate::authority::Authority;
use crate::store::Store;

/// The operator's side of the ACME records.
///
/// ```
/// use std::sync::Arc;
/// use stampmill_local_ca::{Authority, now};
/// use stampmill_local_ca::acme::{AcmeOperator, ExternalKey};
///
/// # let scratch = std::env::temp_dir().join(format!("stampmill-doc-operator-{}", std::process::id()));
/// # let dir = scratch.join("ca");
/// let authority = Arc::new(Authority::create(&dir, "localhost-ca")?);
/// let key = ExternalKey::make(&authority)?;
/// let operator = AcmeOperator::open(&authority)?;
/// assert!(operator.accounts()?.is_empty());
/// assert_eq!(operator.external_keys()?[0].account, None);
/// operator.withdraw_external_key(key.kid(), now())?;
/// assert!(operator.revoke_account("nobody", now()).is_err());
/// # std::fs::remove_dir_all(scratch)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AcmeOperator {
    records: Records,
}

/// An account, for its operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountEntry {
    /// The last part of its address.
    pub id: String,
    /// `valid`, `deactivated` (by its holder) or `revoked` (by the operator).
    pub status: &'static str,
    /// Addresses to write to.
    pub contact: Vec<String>,
    /// The thumbprint of its key (RFC 7638).
    pub key: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// The operator's key that it was made with.
    pub external_key: Option<String>,
    /// How many of its orders are in the records.
    pub orders: u32,
}

/// An order, for the operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OrderEntry {
    /// The last part of its address.
    pub id: String,
    /// Of the account.
    pub account: String,
    /// `pending`, `ready`, `valid` or `invalid` (RFC 8555 §7.1.6).
    pub status: &'static str,
    /// What was ordered: `server`.
    pub profile: String,
    /// For which names.
    pub names: Vec<String>,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// Until when it can be finalized.
    pub expires: i64,
    /// Of the certificate, once there is one.
    pub serial: Option<String>,
    /// One for each name.
    pub authorizations: Vec<AuthorizationEntry>,
}

/// Whether an account has shown that it has a name, and how that went, for the operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationEntry {
    /// As it was ordered: `*.app.test`.
    pub name: String,
    /// `pending`, `valid`, `invalid`, `deactivated` or `expired` (RFC 8555 §7.1.6).
    pub status: &'static str,
    /// Until when it can be proved, or the proof holds.
    pub expires: i64,
    /// The challenges that its client had answered: what was looked at.
    pub challenges: Vec<ChallengeEntry>,
}

/// A look at a challenge, for the operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChallengeEntry {
    /// Which way.
    pub kind: ChallengeKind,
    /// `processing`, `valid` or `invalid` (RFC 8555 §7.1.6).
    pub status: &'static str,
    /// When the client said that all is in its place; not known of before this was recorded.
    pub began_at: Option<i64>,
    /// When the server had looked.
    pub ended_at: Option<i64>,
    /// Where it looked, in the order in which it did: `127.0.0.1:80`, `TXT _acme-challenge.app.test`; with the reason where it may not.
    pub tried: Vec<String>,
    /// Why that was not the proof, as the client was told: the problem's type, without its prefix, and detail (RFC 8555 §6.7).
    pub problem: Option<(&'static str, String)>,
}

/// A key that was given out, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalKeyEntry {
    /// Its name.
    pub kid: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// The account that was made with it.
    pub account: Option<String>,
}

impl AcmeOperator {
    /// Makes the tables in the authority's records, where it has none yet.
    ///
    /// # Errors
    /// [`AcmeError`]: an authority in memory, or records that cannot be written.
    pub fn open(authority: &Arc<Authority>) -> Result<Self, AcmeError> {
        let store = authority.shared_store().ok_or(AcmeError::NoRecords)?;
        Ok(Self {
            records: Records::open(store)?,
        })
    }

    /// The same for the authority in this folder, without its keys: the operator signs nothing.
    ///
    /// # Errors
    /// [`AcmeError`]: no records there, or they cannot be written.
    pub fn in_folder(dir: &Path) -> Result<Self, AcmeError> {
        let store = Store::in_folder(dir)?.ok_or_else(|| AcmeError::NoAuthority {
            folder: dir.to_owned(),
        })?;
        Ok(Self {
            records: Records::open(Arc::new(store))?,
        })
    }

    /// Makes a key for somebody's account.
    ///
    /// # Errors
    /// [`AcmeError::Store`], or no randomness.
    pub fn make_external_key(&self) -> Result<ExternalKey, AcmeError> {
        ExternalKey::make_in(&self.records)
    }

    /// Every account, the oldest first.
    ///
    /// # Errors
    /// [`AcmeError::Store`].
    pub fn accounts(&self) -> Result<Vec<AccountEntry>, AcmeError> {
        let keys = self.external_keys()?;
        let found = self.records.accounts()?.into_iter();
        Ok(found
            .map(|(account, orders)| entry(account, orders, &keys))
            .collect())
    }

    /// The newest orders, at most so many, of all accounts or of one; their states are those of `now`.
    ///
    /// # Errors
    /// [`AcmeError::Store`].
    pub fn orders(
        &self,
        account: Option<&str>,
        most: u32,
        now: i64,
    ) -> Result<Vec<OrderEntry>, AcmeError> {
        let found = self.records.newest_orders(account, most)?.into_iter();
        Ok(found
            .map(|(order, created_at)| order_entry(order, created_at, now))
            .collect())
    }

    /// Ends an account: its requests are refused from now on, and so its orders come to nothing. What was issued stays good.
    ///
    /// # Errors
    /// [`AcmeError::UnknownAccount`], [`AcmeError::AccountEnded`].
    pub fn revoke_account(&self, id: &str, now: i64) -> Result<(), AcmeError> {
        let id = id.to_owned();
        match self.records.revoke_account(&id, now)? {
            Ended::Yes => Ok(()),
            Ended::Before(status) => Err(AcmeError::AccountEnded {
                id,
                status: status.name(),
            }),
            Ended::Unknown => Err(AcmeError::UnknownAccount { id }),
        }
    }

    /// Every key that was given out and not withdrawn, the oldest first.
    ///
    /// # Errors
    /// [`AcmeError::Store`].
    pub fn external_keys(&self) -> Result<Vec<ExternalKeyEntry>, AcmeError> {
        let found = self.records.external_keys()?.into_iter();
        let entry = |(kid, created_at, account)| ExternalKeyEntry {
            kid,
            created_at,
            account,
        };
        Ok(found.map(entry).collect())
    }

    /// Takes a key back that no account was made with.
    ///
    /// # Errors
    /// [`AcmeError::UnknownExternalKey`]: there is none, or it was used: then the account can be ended.
    pub fn withdraw_external_key(&self, kid: &str, now: i64) -> Result<(), AcmeError> {
        match self.records.withdraw_external_key(kid, now)? {
            true => Ok(()),
            false => Err(AcmeError::UnknownExternalKey {
                kid: kid.to_owned(),
            }),
        }
    }
}

impl std::fmt::Debug for AcmeOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcmeOperator").finish_non_exhaustive()
    }
}

fn entry(account: Account, orders: u32, keys: &[ExternalKeyEntry]) -> AccountEntry {
    let with = |key: &&ExternalKeyEntry| key.account.as_ref() == Some(&account.id);
    AccountEntry {
        external_key: keys.iter().find(with).map(|key| key.kid.clone()),
        status: AccountStatus::name(account.status),
        key: account.jwk.thumbprint(),
        id: account.id,
        contact: account.contact,
        created_at: account.created_at,
        orders,
    }
}

fn order_entry(order: Order, created_at: i64, now: i64) -> OrderEntry {
    OrderEntry {
        authorizations: order
            .authorizations
            .iter()
            .map(|one| authorization_entry(one, now))
            .collect(),
        status: order.status(now).name(),
        names: order.identifiers().iter().map(Identifier::value).collect(),
        id: order.id,
        account: order.account,
        profile: order.profile,
        created_at,
        expires: order.expires,
        serial: order.serial,
    }
}

fn authorization_entry(authorization: &Authorization, now: i64) -> AuthorizationEntry {
    let looked_at = |one: &&Challenge| one.status != ChallengeStatus::Pending;
    let looked_at = authorization.challenges.iter().filter(looked_at);
    AuthorizationEntry {
        name: authorization.ordered().value(),
        status: authorization.status(now).name(),
        expires: authorization.expires,
        challenges: looked_at.map(challenge_entry).collect(),
    }
}

fn challenge_entry(challenge: &Challenge) -> ChallengeEntry {
    let problem = challenge.error.as_ref().and_then(Problem::from_json);
    ChallengeEntry {
        kind: challenge.kind,
        status: challenge.status.name(),
        began_at: challenge.began_at,
        ended_at: challenge.ended_at,
        tried: challenge.tried.clone(),
        problem: problem.map(|problem| (problem.kind.name(), problem.detail.clone())),
    }
}
