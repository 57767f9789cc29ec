//! Users: the people who sign in.

use std::fmt;

use serde_json::Value;
use stampmill_jose::base64url;

use super::PersonClaims;
use crate::clock::{Random, random_bytes};
use crate::password::PasswordHash;

/// `sub`: a random name for a person, never used again for another (OIDC Core §2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserId(String);

impl UserId {
    /// Every user id begins so, and no client id does (RFC 9068 §5).
    pub const PREFIX: &'static str = "user-";

    /// A fresh id of 128 random bits.
    pub fn generate(random: &dyn Random) -> UserId {
        UserId(format!(
            "{}{}",
            UserId::PREFIX,
            base64url::encode(random_bytes::<16>(random))
        ))
    }

    pub(crate) fn from_store(text: String) -> UserId {
        UserId(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person types to sign in: 1 to 64 of `a-z 0-9 - . _ @ +`. Capital letters are folded, so `Alice` is `alice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

/// A text that is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 1 to 64 characters of a-z 0-9 - . _ @ +")]
pub struct UsernameError;

impl Username {
    /// Reads a user name.
    pub fn parse(text: &str) -> Result<Username, UsernameError> {
        let text = text.trim().to_ascii_lowercase();
        let legal = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._@+".contains(&byte)
        };
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Username(text))
        } else {
            Err(UsernameError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `sub`.
    pub id: UserId,
    /// What they type (`preferred_username`).
    pub username: Username,
    /// Their password, hashed.
    pub password: PasswordHash,
    /// `name`: how they want to be called.
    pub name: String,
    /// `email`, if known.
    pub email: Option<String>,
    /// Whether somebody checked that the address is theirs.
    pub email_verified: bool,
    /// What else is known of them.
    pub claims: PersonClaims,
    /// Last changed, in seconds since the epoch (`updated_at`).
    pub updated_at: i64,
}

impl User {
    /// What may be told of them under a name of OIDC Core §5.1, if it is known.
    pub fn claim(&self, name: &str) -> Option<Value> {
        match name {
            "name" => Some(self.name.clone().into()),
            "preferred_username" => Some(self.username.as_str().into()),
            "updated_at" => Some(self.updated_at.into()),
            "email" => self.email.clone().map(Value::from),
            // Whether it was checked says nothing without it.
            "email_verified" => self.email.as_ref().map(|_| self.email_verified.into()),
            "phone_number_verified" if self.claims.get("phone_number").is_none() => None,
            name => self.claims.get(name).cloned(),
        }
    }
}
