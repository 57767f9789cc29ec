//! What may be told of a person: the claims of OIDC Core §5.1, by scope (§5.4) or one by one (§5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a claim's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// A text.
    Text,
    /// An http or https address.
    Url,
    /// True or false.
    Boolean,
    /// Seconds since the epoch.
    Time,
    /// The object of §5.1.1.
    Address,
}

use ClaimKind::{Address, Boolean, Text, Time, Url};

/// Every claim about a person: its name, the scope that asks for it, what it is.
#[rustfmt::skip]
pub const PERSON_CLAIMS: &[(&str, &str, ClaimKind)] = &[
    ("name",                  "profile", Text),
    ("given_name",            "profile", Text),
    ("family_name",           "profile", Text),
    ("middle_name",           "profile", Text),
    ("nickname",              "profile", Text),
    ("preferred_username",    "profile", Text),
    ("profile",               "profile", Url),
    ("picture",               "profile", Url),
    ("website",               "profile", Url),
    ("gender",                "profile", Text),
    ("birthdate",             "profile", Text),
    ("zoneinfo",              "profile", Text),
    ("locale",                "profile", Text),
    ("updated_at",            "profile", Time),
    ("email",                 "email",   Text),
    ("email_verified",        "email",   Boolean),
    ("address",               "address", Address),
    ("phone_number",          "phone",   Text),
    ("phone_number_verified", "phone",   Boolean),
];

/// The members of `address` (§5.1.1).
const ADDRESS: [&str; 6] = [
    "formatted",
    "street_address",
    "locality",
    "region",
    "postal_code",
    "country",
];

/// The claims that a user's row has columns for: they are set there.
const COLUMNS: [&str; 5] = [
    "name",
    "preferred_username",
    "updated_at",
    "email",
    "email_verified",
];

/// Longest text of a claim, in bytes.
const LONGEST: usize = 1024;

/// The scope that asks for a claim; `None` for what is no claim about a person.
pub(crate) fn scope_of(claim: &str) -> Option<&'static str> {
    let mut rows = PERSON_CLAIMS.iter();
    rows.find(|(name, ..)| *name == claim)
        .map(|(_, scope, _)| *scope)
}

/// Claims about one person beyond those a [`User`](super::User) has fields for. Each has the right type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonClaims(Map<String, Value>);

impl Eq for PersonClaims {}

/// Why a claim cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Not in §5.1.
    #[error("{0:?} is no claim about a person that can be set here (OIDC Core §5.1)")]
    Unknown(String),
    /// Another type than the standard has.
    #[error("the claim {name} is {expected}")]
    Type {
        /// Which.
        name: String,
        /// What it is.
        expected: &'static str,
    },
}

impl PersonClaims {
    /// Sets a claim.
    ///
    /// ```
    /// use stampmill_token_service::domain::PersonClaims;
    /// let mut claims = PersonClaims::default();
    /// claims.set("given_name", "Alice".into()).unwrap();
    /// claims.set("address", serde_json::json!({ "country": "GB" })).unwrap();
    /// assert!(claims.set("phone_number_verified", "yes".into()).is_err());
    /// ```
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), ClaimError> {
        let unknown = || ClaimError::Unknown(name.to_owned());
        let mut rows = PERSON_CLAIMS.iter();
        let row = rows.find(|(known, ..)| *known == name && !COLUMNS.contains(known));
        let (_, _, kind) = row.ok_or_else(unknown)?;
        let (good, expected) = kind.judge(&value);
        if !good {
            let name = name.to_owned();
            return Err(ClaimError::Type { name, expected });
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// A claim's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl ClaimKind {
    /// Whether a value is of this kind, and what it should be.
    fn judge(self, value: &Value) -> (bool, &'static str) {
        let text = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            let clean = !text.chars().any(|c| c.is_control() && c != '\n');
            !text.is_empty() && text.len() <= LONGEST && clean
        };
        match self {
            Text => (text(value), "a text of 1 to 1024 bytes"),
            Url => {
                let url = value.as_str().and_then(|text| url::Url::parse(text).ok());
                let web = url.is_some_and(|url| matches!(url.scheme(), "http" | "https"));
                (web && text(value), "an http or https address")
            }
            Boolean => (value.is_boolean(), "true or false"),
            Time => (value.is_i64(), "a number of seconds"),
            Address => {
                let members = value.as_object();
                let good = members.is_some_and(|members| {
                    let known = |name: &String| ADDRESS.contains(&name.as_str());
                    !members.is_empty()
                        && members
                            .iter()
                            .all(|(name, value)| known(name) && text(value))
                });
                (
                    good,
                    "an object with formatted, street_address, locality, region, postal_code, country",
                )
            }
        }
    }
}

/// What a request's `claims` parameter asked for (§5.5): claims about the person, where they shall be told, and which values
/// they may have to be told at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestedClaims {
    /// By UserInfo.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Option<Vec<Value>>>,
    /// In the ID token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Option<Vec<Value>>>,
}

impl Eq for RequestedClaims {}

impl RequestedClaims {
    /// The names, wherever they were asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.userinfo
            .keys()
            .chain(self.id_token.keys())
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn oidc_core_5_1_claims_have_types() {
        let mut claims = PersonClaims::default();
        for (name, value) in [
            ("given_name", json!("Alice")),
            ("picture", json!("https://a.example/p.png")),
            ("birthdate", json!("0000-03-01")),
            ("phone_number_verified", json!(false)),
            (
                "address",
                json!({"formatted": "1 High St\nTown", "country": "GB"}),
            ),
        ] {
            assert_eq!(claims.set(name, value), Ok(()), "{name}");
        }
        for (name, value) in [
            ("email", json!("a@b")),
            ("name", json!("A")),
            ("sub", json!("user-x")),
            ("shoe_size", json!(43)),
            ("given_name", json!(1)),
            ("given_name", json!("")),
            ("given_name", json!("a\u{7}")),
            ("given_name", json!("x".repeat(1025))),
            ("picture", json!("javascript:alert(1)")),
            ("phone_number_verified", json!("true")),
            ("address", json!("1 High St")),
            ("address", json!({})),
            ("address", json!({"planet": "Earth"})),
        ] {
            assert!(claims.set(name, value.clone()).is_err(), "{name} {value}");
        }
    }
}
