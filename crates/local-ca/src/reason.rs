//! Why a certificate is revoked (RFC 5280 §5.3.1). One table: number, name, who may be given it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::names::shown;

/// A reason that is given here. `certificateHold`, which can be undone, is not; nor is what only CRLs of changes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// None is told.
    #[default]
    Unspecified,
    /// Somebody else has, or may have, the key. Such a key is never certified again.
    KeyCompromise,
    /// An authority's key is in other hands.
    CaCompromise,
    /// The holder belongs elsewhere now.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// The server or service is no more.
    CessationOfOperation,
    /// The holder may no longer do what the certificate says.
    PrivilegeWithdrawn,
}

const TABLE: &[(Reason, u8, &str)] = &[
    (Reason::Unspecified, 0, "unspecified"),
    (Reason::KeyCompromise, 1, "keyCompromise"),
    (Reason::CaCompromise, 2, "cACompromise"),
    (Reason::AffiliationChanged, 3, "affiliationChanged"),
    (Reason::Superseded, 4, "superseded"),
    (Reason::CessationOfOperation, 5, "cessationOfOperation"),
    (Reason::PrivilegeWithdrawn, 9, "privilegeWithdrawn"),
];

impl Reason {
    /// Every reason, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(reason, ..)| *reason)
    }

    /// Its number in CRLs, OCSP answers and ACME requests.
    #[must_use]
    pub fn code(self) -> u8 {
        self.row().1
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The reason of this number.
    ///
    /// # Errors
    /// [`ReasonError`] for numbers that mean nothing, or nothing that is given here.
    pub fn from_code(code: u8) -> Result<Self, ReasonError> {
        TABLE
            .iter()
            .find(|row| row.1 == code)
            .map(|row| row.0)
            .ok_or_else(|| ReasonError {
                actual: code.to_string(),
            })
    }

    /// Whether a certificate of this kind is revoked for it (Baseline Requirements §7.2.2): an authority's entry says why, and only an authority
    /// is compromised as one. Of a leaf nothing need be said.
    #[must_use]
    pub fn is_for(self, authority: bool) -> bool {
        self != match authority {
            true => Self::Unspecified,
            false => Self::CaCompromise,
        }
    }

    /// The names of those, for people.
    pub(crate) fn all_for(authority: bool) -> String {
        let names = Self::all().filter(|reason| reason.is_for(authority));
        names.map(Self::name).collect::<Vec<_>>().join(", ")
    }

    /// Whether somebody else may have the key.
    #[must_use]
    pub fn is_compromise(self) -> bool {
        matches!(self, Self::KeyCompromise | Self::CaCompromise)
    }

    /// The numbers of those for which that is so, as SQL lists them: `1, 2`.
    pub(crate) fn compromises() -> String {
        let codes = Self::all().filter(|reason| reason.is_compromise());
        let codes: Vec<String> = codes.map(|reason| reason.code().to_string()).collect();
        codes.join(", ")
    }

    fn row(self) -> &'static (Self, u8, &'static str) {
        TABLE
            .iter()
            .find(|(reason, ..)| *reason == self)
            .expect("every reason has a row: a test walks the table")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By name, in any case, or by number.
impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        if let Ok(code) = text.parse() {
            return Self::from_code(code);
        }
        TABLE
            .iter()
            .find(|row| row.2.eq_ignore_ascii_case(text))
            .map(|row| row.0)
            .ok_or_else(|| ReasonError {
                actual: shown(text),
            })
    }
}

/// Not a reason that is given here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{actual}` is no reason for a revocation; expected one of unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn"
)]
pub struct ReasonError {
    /// What came.
    actual: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_number_and_one_name() {
        for reason in Reason::all() {
            assert_eq!(Reason::from_code(reason.code()), Ok(reason));
            assert_eq!(reason.name().to_ascii_uppercase().parse(), Ok(reason));
            assert_eq!(reason.code().to_string().parse(), Ok(reason));
        }
        let names = |authority| Reason::all_for(authority).matches(',').count() + 1;
        assert_eq!((names(true), names(false)), (6, 6));
        assert_eq!(Reason::compromises(), "1, 2");
        for bad in ["6", "7", "8", "10", "certificateHold", ""] {
            assert!(bad.parse::<Reason>().is_err(), "{bad}");
        }
    }
}
