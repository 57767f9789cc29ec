//! Profiles: what a certificate is for, and with it everything about it that a request cannot choose. One table.
//!
//! | profile | signed by | its key may | as | names | days |
//! |---|---|---|---|---|---|
//! | `server` | issuing | sign handshakes | serverAuth | hosts, addresses | 90, at most 398 |
//! | `client` | issuing | sign handshakes | clientAuth | all four kinds | 90, at most 398 |
//! | `ocsp` | the authority it answers for | sign answers | OCSPSigning, nocheck | none | 7, at most 30 |
//! | `sub-ca` | root | sign certificates and CRLs | above servers and clients only | none | 1826, at most 3652 |

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::der::oid;
use crate::names::{SubjectAltName, shown};

/// The rules an authority keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuleSet {
    /// RFC 5280 and what every verifier needs.
    #[default]
    Private,
    /// Besides, the CA/Browser Forum's Baseline Requirements as far as a private name allows: shorter lives, an empty subject,
    /// a policy, addresses for status. Certifies servers only.
    PublicLike,
}

impl RuleSet {
    /// `private`, `public-like`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicLike => "public-like",
        }
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RuleSet {
    type Err = ProfileError;

    fn from_str(name: &str) -> Result<Self, ProfileError> {
        [Self::Private, Self::PublicLike]
            .into_iter()
            .find(|rules| rules.name() == name)
            .ok_or_else(|| ProfileError::Unknown {
                expected: "private, public-like",
                actual: shown(name),
            })
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// A server that TLS clients connect to.
    Server,
    /// A client that shows who it is to a TLS server: a person, a host, a program.
    Client,
    /// The service that says whether certificates are revoked.
    OcspResponder,
    /// Another authority below the root.
    SubCa,
}

/// A profile: the role, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    role: Role,
    days: u32,
    long: bool,
}

/// A row of the table.
pub(crate) struct Row {
    pub(crate) role: Role,
    pub(crate) name: &'static str,
    pub(crate) default_days: u32,
    pub(crate) max_days: u32,
    /// Bits of RFC 5280 §4.2.1.3.
    pub(crate) key_usage: u16,
    pub(crate) extended_key_usage: &'static [&'static [u8]],
    /// The kinds of names it may carry; it needs one of them, unless there is none.
    pub(crate) names: fn(&SubjectAltName) -> bool,
    pub(crate) needs_names: bool,
    /// Whether it says where its status can be asked for.
    pub(crate) status: bool,
}

pub(crate) const DIGITAL_SIGNATURE: u16 = 1;
pub(crate) const KEY_ENCIPHERMENT: u16 = 1 << 2;
pub(crate) const KEY_CERT_SIGN: u16 = 1 << 5;
pub(crate) const CRL_SIGN: u16 = 1 << 6;

const TABLE: &[Row] = &[
    Row {
        role: Role::Server,
        name: "server",
        default_days: 90,
        max_days: 398,
        key_usage: DIGITAL_SIGNATURE,
        extended_key_usage: &[oid::SERVER_AUTH],
        names: |name| matches!(name, SubjectAltName::Dns(_) | SubjectAltName::Ip(_)),
        needs_names: true,
        status: true,
    },
    Row {
        role: Role::Client,
        name: "client",
        default_days: 90,
        max_days: 398,
        key_usage: DIGITAL_SIGNATURE,
        extended_key_usage: &[oid::CLIENT_AUTH],
        names: |name| !matches!(name, SubjectAltName::Dns(host) if host.is_wildcard()),
        needs_names: true,
        status: true,
    },
    Row {
        role: Role::OcspResponder,
        name: "ocsp",
        default_days: 7,
        max_days: 30,
        key_usage: DIGITAL_SIGNATURE,
        extended_key_usage: &[oid::OCSP_SIGNING],
        names: |_| false,
        needs_names: false,
        status: false,
    },
    Row {
        role: Role::SubCa,
        name: "sub-ca",
        default_days: 1826,
        max_days: 3652,
        key_usage: KEY_CERT_SIGN | CRL_SIGN,
        extended_key_usage: &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
        names: |_| false,
        needs_names: false,
        status: true,
    },
];

impl Profile {
    /// The default life of its role.
    #[must_use]
    pub fn new(role: Role) -> Self {
        let profile = Self {
            role,
            days: 0,
            long: false,
        };
        let days = profile.row().default_days;
        profile.days(days)
    }

    /// A server's certificate of 90 days.
    #[must_use]
    pub fn server() -> Self {
        Self::new(Role::Server)
    }

    /// A client's certificate of 90 days.
    #[must_use]
    pub fn client() -> Self {
        Self::new(Role::Client)
    }

    /// With another life, in days; looked at when a certificate is issued.
    #[must_use]
    pub fn days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }

    /// With a life beyond what the profile allows. Apple's systems refuse servers' certificates of more than 825 days.
    #[must_use]
    pub fn long(mut self) -> Self {
        self.long = true;
        self
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its name: `server`, `client`, `ocsp`, `sub-ca`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.row().name
    }

    /// The life in days, before anybody has looked whether the rules allow it.
    pub(crate) fn wanted_days(&self) -> u32 {
        self.days
    }

    pub(crate) fn row(&self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.role == self.role)
            .expect("every role has a row: a test walks the enum")
    }

    /// The life in days, if these rules allow it at this moment.
    pub(crate) fn checked_days(&self, rules: RuleSet, now: i64) -> Result<u32, ProfileError> {
        let row = self.row();
        let limit = match (rules, self.role) {
            (RuleSet::PublicLike, Role::Server) => public_limit(now),
            _ if self.long => 36_525,
            _ => row.max_days,
        };
        match (1..=limit).contains(&self.days) {
            true => Ok(self.days),
            // the default is what was not asked for: it gives way
            false if self.days == row.default_days => Ok(limit.min(self.days)),
            false => Err(ProfileError::Days {
                profile: row.name,
                actual: self.days,
                limit,
            }),
        }
    }
}

/// What the Baseline Requirements §6.3.2 allow a server's certificate that is made now, less the day they advise to stay below.
fn public_limit(now: i64) -> u32 {
    const MARCH_15_2027: i64 = 1_805_068_800;
    const MARCH_15_2029: i64 = 1_868_227_200;
    match now {
        ..MARCH_15_2027 => 199,
        MARCH_15_2027..MARCH_15_2029 => 99,
        _ => 46,
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(name: &str) -> Result<Self, ProfileError> {
        TABLE
            .iter()
            .find(|row| row.name == name)
            .map(|row| Self::new(row.role))
            .ok_or_else(|| ProfileError::Unknown {
                expected: "server, client, ocsp, sub-ca",
                actual: shown(name),
            })
    }
}

/// Why a profile does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// There is none of this name.
    #[error("expected one of {expected}, got `{actual}`")]
    Unknown {
        /// The names.
        expected: &'static str,
        /// What came.
        actual: String,
    },
    /// A life that is none, or too long.
    #[error("a {profile} certificate lives 1 to {limit} days, not {actual}")]
    Days {
        /// The profile.
        profile: &'static str,
        /// What was asked for.
        actual: u32,
        /// What is allowed.
        limit: u32,
    },
    /// A certificate without a name that its role is known by.
    #[error(
        "a {profile} certificate needs a name in subjectAltName: a common name names nothing (RFC 9525)"
    )]
    NoNames {
        /// The profile.
        profile: &'static str,
    },
    /// A name of a kind that the role does not have.
    #[error("a {profile} certificate does not carry the {kind} `{name}`")]
    NameKind {
        /// The profile.
        profile: &'static str,
        /// The kind of name, as RFC 5280 calls it.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The request asks for something that the profile does not give.
    #[error("request asks for {what}; a {profile} certificate does not get it")]
    Wish {
        /// The profile.
        profile: &'static str,
        /// What: `basicConstraints CA:TRUE`.
        what: String,
    },
    /// The responder of an authority is its own.
    #[error(
        "an ocsp certificate is the authority's own responder's: `stampmill ca serve` and `stampmill ca ocsp` make it, with its key, when they need it"
    )]
    OwnResponder,
    /// These rules know servers only.
    #[error(
        "under the public-like rules there are no {profile} certificates from requests: make an authority with the private rules for them"
    )]
    PublicLike {
        /// The profile.
        profile: &'static str,
    },
    /// A key that these rules do not take.
    #[error("under the public-like rules no {key} key is certified (Baseline Requirements §6.1.5)")]
    PublicLikeKey {
        /// The key's kind.
        key: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_row_and_a_name() {
        for role in [Role::Server, Role::Client, Role::OcspResponder, Role::SubCa] {
            let profile = Profile::new(role);
            assert_eq!(profile.name().parse(), Ok(profile.clone()));
            assert!(profile.checked_days(RuleSet::Private, 0).is_ok());
        }
        assert!("root".parse::<Profile>().is_err());
        assert_eq!("public-like".parse(), Ok(RuleSet::PublicLike));
    }

    #[test]
    fn public_lives_shrink_by_the_calendar() {
        let longest = |now| {
            (1..400_u32).rfind(|days| {
                let profile = Profile::server().days(*days);
                *days != 90 && profile.checked_days(RuleSet::PublicLike, now).is_ok()
            })
        };
        assert_eq!(longest(1_795_000_000), Some(199));
        assert_eq!(longest(1_805_068_800), Some(99));
        assert_eq!(longest(1_868_227_200), Some(46));
        // the default gives way instead
        let ninety = Profile::server();
        assert_eq!(
            ninety.checked_days(RuleSet::PublicLike, 1_868_227_200),
            Ok(46)
        );
        let long = Profile::server().days(3650);
        assert!(long.checked_days(RuleSet::Private, 0).is_err());
        assert_eq!(long.long().checked_days(RuleSet::Private, 0), Ok(3650));
    }
}
