//! The root's list: of intermediates and sub-authorities. Few entries, seldom one more, and a key that may be elsewhere.
//!
//! ```text
//!   thisUpdate ──────────── 270 days ─────────── made anew when somebody asks ── 360 days: nextUpdate, this one is void
//!        └── an authority was revoked: made anew when somebody asks
//! ```
//!
//! A client that checks every link of a chain wants this list as well, and refuses everything without it. So it is made anew like the other
//! wherever the root's key can be used without asking. Where it cannot, because it is elsewhere or has a passphrase, what there is comes with
//! what has to be done.

use std::fmt;
use std::path::Path;

use super::{CrlError, life, make_crl};
use crate::authority::{Authority, CaError, Issuer, check_life};
use crate::certificate::Certificate;
use crate::keys::Passphrase;
use crate::moment::{DAY, utc};
use crate::store::{ListScope, Store, StoreError};

/// At most 12 months (Baseline Requirements §7.2), because the root's key is seldom at hand.
const LIFE: i64 = 360 * DAY;
/// When the next is made, and when people are told that they have to: a key may take time to be fetched.
const NOTICE: i64 = 90 * DAY;

/// What there is of the root's list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RootList {
    /// The list that was made last, in DER; `None` before the first.
    pub der: Option<Vec<u8>>,
    /// Why there should be another, and why there is none.
    pub overdue: Option<Overdue>,
}

/// What is wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootListState {
    /// Nothing but that its time is over at this moment, which is soon.
    Ends(i64),
    /// Something was revoked that is not in it.
    Lacks,
    /// Its time was over at this moment.
    Lapsed(i64),
    /// Its time begins only at this moment: the clock was wrong when it was made.
    Ahead(i64),
    /// There is none.
    Absent,
}

/// A list that should be made anew, by somebody who has the root's key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overdue {
    /// What is wrong with the one there is.
    pub state: RootListState,
    /// Why it was not made here.
    pub why: String,
}

impl Overdue {
    /// Whether the list must not be relied on: it lapsed, begins later, lacks a revocation, or is not there.
    #[must_use]
    pub fn is_void(&self) -> bool {
        !matches!(self.state, RootListState::Ends(_))
    }
}

/// What is wrong, what to do, and why it was not done.
impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            RootListState::Absent => f.write_str("there is no CRL of the root yet")?,
            RootListState::Lacks => f.write_str("the root's CRL lacks a revocation")?,
            RootListState::Lapsed(at) => write!(f, "the root's CRL lapsed at {}", utc(at))?,
            RootListState::Ahead(at) => write!(f, "the root's CRL begins only at {}", utc(at))?,
            RootListState::Ends(at) => write!(f, "the root's CRL lapses at {}", utc(at))?,
        }
        let renew = "`stampmill ca crl --of-root --renew --root-key FILE` makes the next";
        write!(f, ": {renew} ({})", self.why)
    }
}

impl std::error::Error for Overdue {}

impl RootList {
    /// The list, if it may be relied on.
    ///
    /// # Errors
    /// [`Overdue`], unless it only lapses soon.
    pub fn good(self) -> Result<Vec<u8>, Overdue> {
        match (self.der, self.overdue) {
            (_, Some(overdue)) if overdue.is_void() => Err(overdue),
            (der, _) => Ok(der.expect("a list that is absent is overdue")),
        }
    }
}

impl Authority {
    /// The root's list in DER, made anew when it lacks a revocation or lapses within 90 days, where the root's key lies in the folder without
    /// a passphrase, or was unlocked.
    ///
    /// # Errors
    /// [`CrlError::RootListOverdue`] where it cannot be made, and what there is lapsed or lacks a revocation.
    pub fn root_crl(&self, now: i64) -> Result<Vec<u8>, CrlError> {
        Ok(self.root_list(now)?.good()?)
    }

    /// The same, with what there is in any case.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn root_list(&self, now: i64) -> Result<RootList, CrlError> {
        let root = || self.root_without_asking();
        current_or_next(self.records()?, &self.root(), root, now)
    }

    /// The same for the authority in `dir`, of which it takes no other key than the root's.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn root_list_in(dir: &Path, now: i64) -> Result<RootList, CrlError> {
        let store = Store::in_folder(dir)?.ok_or(CrlError::NoRecords)?;
        let certificate = Self::root_certificate_of(dir)?;
        let root = || Self::root_of(dir, None, None);
        current_or_next(&store, &certificate, root, now)
    }

    /// Makes the root's list anew; needs the root's key ([`Authority::unlock_root`]).
    ///
    /// # Errors
    /// [`CrlError::RootKeyAbsent`].
    pub fn renew_root_crl(&self, now: i64) -> Result<Vec<u8>, CrlError> {
        let root = self.root_issuer().ok_or(CrlError::RootKeyAbsent)?;
        make(self.records()?, &root, now)
    }

    /// The same for the authority in `dir`, of which it takes the root's key and no other: from the folder, or from `key`.
    ///
    /// # Errors
    /// [`CrlError::Authority`] where a file is absent, locked or does not fit; [`CrlError`].
    pub fn renew_root_crl_in(
        dir: &Path,
        key: Option<&Path>,
        passphrase: Option<&Passphrase>,
        now: i64,
    ) -> Result<Vec<u8>, CrlError> {
        let store = Store::in_folder(dir)?.ok_or(CrlError::NoRecords)?;
        let root = Self::root_of(dir, key, passphrase)?;
        make(&store, &root, now)
    }

    /// At creation, when the root's key is at hand.
    pub(crate) fn publish_root_crl(&self, now: i64) -> Result<(), CaError> {
        match self.renew_root_crl(now) {
            Ok(_) => Ok(()),
            Err(CrlError::Store(error)) => Err(error.into()),
            Err(CrlError::OpenSsl(error)) => Err(error.into()),
            // a clock that was set back meanwhile, to before the root's life
            Err(error) => Err(CaError::RootList(Box::new(error))),
        }
    }
}

impl Store {
    /// The root's list in DER, as it was made last. It takes no key.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn root_crl(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let current = self.current_crl(&ListScope::whole("root"))?;
        Ok(current.map(|crl| crl.der))
    }
}

/// The list there is while it is good; else the next, if `root` has the key; else what there is, and why.
fn current_or_next(
    store: &Store,
    certificate: &Certificate,
    root: impl FnOnce() -> Result<Issuer, CaError>,
    now: i64,
) -> Result<RootList, CrlError> {
    check_life("root", certificate, now)?;
    let current = store.current_crl(&ListScope::whole("root"))?;
    let state = match &current {
        None => Some(RootListState::Absent),
        Some(crl) if !crl.complete => Some(RootListState::Lacks),
        Some(crl) => match life(&crl.der).unwrap_or_default() {
            (_, end) if end < now => Some(RootListState::Lapsed(end)),
            (start, _) if now < start => Some(RootListState::Ahead(start)),
            // what ends with the root cannot be made to end later
            (_, end) if end < now + NOTICE && end < certificate.not_after() => {
                Some(RootListState::Ends(end))
            }
            _ => None,
        },
    };
    let current = current.map(|crl| crl.der);
    let Some(state) = state else {
        return Ok(RootList {
            der: current,
            overdue: None,
        });
    };
    let made = root()
        .map_err(CrlError::from)
        .and_then(|root| make(store, &root, now));
    let (der, overdue) = match made {
        Ok(der) => (Some(der), None),
        Err(error) => {
            let why = error.to_string();
            (current, Some(Overdue { state, why }))
        }
    };
    Ok(RootList { der, overdue })
}

fn make(store: &Store, root: &Issuer, now: i64) -> Result<Vec<u8>, CrlError> {
    root.check_life(now)?;
    make_crl(store, root, &ListScope::whole("root"), None, (now, LIFE))
}

impl From<CaError> for CrlError {
    fn from(error: CaError) -> Self {
        Self::Authority(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::AuthorityProfile;

    #[test]
    fn a_clock_that_is_set_back_while_an_authority_is_made_is_an_error() {
        let now = crate::moment::now();
        let profile = AuthorityProfile::new("clock");
        let authority = Authority::generate_recorded(&profile, now).unwrap();
        let refused = authority.publish_root_crl(now - DAY).unwrap_err();
        assert!(matches!(refused, CaError::RootList(_)), "{refused}");
        assert!(refused.to_string().contains("is the clock right?"));
    }
}
