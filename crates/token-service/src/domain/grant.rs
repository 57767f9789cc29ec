//! Sessions, grants and codes: what a person did, what they allowed, and the ticket a client trades for tokens.

use std::fmt;

use stampmill_jose::base64url;

use super::{ClientId, CodeChallenge, Scope, UserId};
use crate::clock::{Random, random_bytes};

/// A browser's sign-in. The store finds it by the hash of its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    pub user: UserId,
    /// When they typed their password (`auth_time`).
    pub auth_time: i64,
    /// When the session ends.
    pub expires_at: i64,
}

/// The name of a grant: everything derived from one "allow" carries it, and dies with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GrantId(String);

impl GrantId {
    /// A fresh id of 128 random bits.
    pub fn generate(random: &dyn Random) -> GrantId {
        GrantId(base64url::encode(random_bytes::<16>(random)))
    }

    pub(crate) fn from_text(text: String) -> GrantId {
        GrantId(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One "allow" of one person to one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// To whom.
    pub client: ClientId,
    /// By whom.
    pub user: UserId,
    /// When the last token that can come of it has died, and the row may go.
    pub expires_at: i64,
}

/// What a code stands for: everything the token endpoint will compare or copy (RFC 6749 §4.1.3, RFC 7636 §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The grant it hands out.
    pub grant: GrantId,
    /// The only client that may redeem it.
    pub client: ClientId,
    /// The person.
    pub user: UserId,
    /// The redirect URI of the request, as it was sent.
    pub redirect_uri: String,
    /// What the verifier must hash to.
    pub challenge: Option<CodeChallenge>,
    /// To be copied to the ID token.
    pub nonce: Option<String>,
    /// What was allowed.
    pub scope: Scope,
    /// When the person signed in.
    pub auth_time: i64,
    /// Whether the ID token must say so (`max_age` was sent: OIDC Core §3.1.2.1).
    pub auth_time_wanted: bool,
    /// First second at which the code is too old.
    pub expires_at: i64,
    /// The spent record stays until the longest derived token dies, so that a late second use still kills it.
    pub keep_until: i64,
}

/// A code as found in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// What it stands for.
    pub code: AuthorizationCode,
    /// Whether it was redeemed already.
    pub spent: bool,
}
