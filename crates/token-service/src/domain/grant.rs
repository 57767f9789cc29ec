//! Sessions, grants and codes: what a person did, what they allowed, and the ticket a client trades for tokens.

use std::fmt;

use stampmill_jose::base64url;

use super::{ClientId, CodeChallenge, RequestedClaims, Resource, Scope, UserId};
use crate::clock::{Random, random_bytes};

/// The name of a session: no secret, and never told as it is. What an ID token calls `sid` is made of it, for each client
/// another (OpenID Connect Front-Channel Logout 1.0 §3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// A fresh name of 128 random bits.
    pub fn generate(random: &dyn Random) -> SessionId {
        SessionId(base64url::encode(random_bytes::<16>(random)))
    }

    pub(crate) fn from_store(text: String) -> SessionId {
        SessionId(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A browser's sign-in. The store finds it by the hash of its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name; the cookie changes with each sign-in, the name when another person signs in.
    pub id: SessionId,
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

/// One "allow" of one person to one client, and what it allows. Codes, refresh tokens and access tokens name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// To whom.
    pub client: ClientId,
    /// By whom.
    pub user: UserId,
    /// What was allowed; refreshing narrows tokens, never this.
    pub scope: Scope,
    /// The resources tokens of it may be for (RFC 8707); none means the service's own.
    pub resources: Vec<Resource>,
    /// Single claims about the person that were asked for beside the scope (OIDC Core §5.5).
    pub claims: RequestedClaims,
    /// The session it was given in; `None` where it shall not end with one, as on a device (RFC 8628).
    pub session: Option<SessionId>,
    /// When the person signed in (`auth_time`).
    pub auth_time: i64,
    /// When the last token that can come of it has died, and the row may go.
    pub expires_at: i64,
}

/// What a code stands for: everything the token endpoint will compare or copy (RFC 6749 §4.1.3, RFC 7636 §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The grant it hands out, and the only client that may redeem it.
    pub grant: Grant,
    /// The redirect URI of the request, as it was sent; empty where none was (RFC 6749 §3.1.2.3).
    pub redirect_uri: String,
    /// What the verifier must hash to.
    pub challenge: Option<CodeChallenge>,
    /// The key that must prove itself at the token endpoint (`dpop_jkt`, RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// To be copied to the ID token.
    pub nonce: Option<String>,
    /// First second at which the code is too old.
    pub expires_at: i64,
}

/// A code as found in the store. A spent one is kept as long as its grant, so that a late second use still kills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// What it stands for.
    pub code: AuthorizationCode,
    /// Whether it was redeemed already.
    pub spent: bool,
}
