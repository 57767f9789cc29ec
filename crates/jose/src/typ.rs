//! The kinds of tokens, so that one never passes for another (RFC 8725 §3.11): one row says what each must have.

use stampmill_claims_json::{Claim, Members};

use crate::claims::{Claims, Name};
use crate::error::JwtError;

/// The kind of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Typ {
    /// `at+jwt` (RFC 9068 §2.1, §4); must have `sub`, `client_id` and `jti`.
    AccessToken,
    /// `JWT`, or nothing: OpenID Connect Core does not ask for a type. Must have `sub`.
    IdToken,
    /// What a client proves its identity with (RFC 7523 §3, OpenID Connect Core §9): `JWT`, nothing, or
    /// `client-authentication+jwt`. Must have `sub`, `jti` and `exp`; `iat` may be absent.
    ClientAssertion,
    /// `oauth-authz-req+jwt`, `JWT`, or nothing (RFC 9101 §4, §10.8): authorization parameters signed by the client. What is there of
    /// `iss`, `aud`, `exp`, `nbf` and `iat` is checked; it must not hold another request object, nor `sub`.
    RequestObject,
    /// `logout+jwt` (OpenID Connect Back-Channel Logout §2.4); must have `jti`, `events`, and `sub` or `sid`, and must not have `nonce`.
    LogoutToken,
    /// `JWT`, or nothing: claims of the UserInfo endpoint, signed (OpenID Connect Core §5.3.2). Must have `sub`; has no times.
    UserInfo,
    /// `token-introspection+jwt` (RFC 9701 §5); must have `token_introspection` and `iat`.
    Introspection,
    /// This type and no other, with `iss`, `aud`, `exp` and `iat`.
    Exact(String),
}

/// Whether a claim must be there. If it is, it is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// What a kind must have.
pub(crate) struct Row {
    /// Values of `typ`; the first is the one named in errors.
    names: &'static [&'static str],
    /// Whether the header may be without `typ`.
    may_be_untyped: bool,
    /// `iss` and `aud`.
    pub(crate) parties: Need,
    pub(crate) exp: Need,
    pub(crate) iat: Need,
    /// Further claims that must be strings.
    pub(crate) strings: &'static [Name],
    /// Claims that must not be there.
    pub(crate) forbidden: &'static [Name],
    /// What else must hold.
    pub(crate) rule: fn(Claims<'_>) -> Result<(), JwtError>,
}

use Need::{Optional, Required};

const ACCESS_TOKEN: Row = Row {
    names: &["at+jwt"],
    strings: &[Name::Sub, Name::ClientId, Name::Jti], // RFC 9068 §2.2
    ..EXACT
};
const ID_TOKEN: Row = Row {
    names: &["JWT"],
    may_be_untyped: true,
    strings: &[Name::Sub], // OpenID Connect Core §2
    ..EXACT
};
const CLIENT_ASSERTION: Row = Row {
    names: &["JWT", "client-authentication+jwt"],
    may_be_untyped: true,
    iat: Optional,
    strings: &[Name::Sub, Name::Jti], // OpenID Connect Core §9
    ..EXACT
};
const REQUEST_OBJECT: Row = Row {
    names: &["oauth-authz-req+jwt", "JWT"],
    may_be_untyped: true,
    parties: Optional,
    exp: Optional,
    iat: Optional,
    // RFC 9101 §4; and with `sub` a client's request could be taken for its assertion, or the reverse (§10.8)
    forbidden: &[Name::Request, Name::RequestUri, Name::Sub],
    ..EXACT
};
const LOGOUT_TOKEN: Row = Row {
    names: &["logout+jwt"],
    strings: &[Name::Jti],
    forbidden: &[Name::Nonce],
    rule: is_logout,
    ..EXACT
};
const USER_INFO: Row = Row {
    names: &["JWT"],
    may_be_untyped: true,
    exp: Optional,
    iat: Optional,
    strings: &[Name::Sub],
    ..EXACT
};
const INTROSPECTION: Row = Row {
    names: &["token-introspection+jwt"],
    exp: Optional,
    rule: |claims| object(claims, Name::TokenIntrospection).map(drop),
    ..EXACT
};
/// What the others differ from.
const EXACT: Row = Row {
    names: &[],
    may_be_untyped: false,
    parties: Required,
    exp: Required,
    iat: Required,
    strings: &[],
    forbidden: &[],
    rule: |_| Ok(()),
};

impl Typ {
    pub(crate) fn row(&self) -> &'static Row {
        match self {
            Self::AccessToken => &ACCESS_TOKEN,
            Self::IdToken => &ID_TOKEN,
            Self::ClientAssertion => &CLIENT_ASSERTION,
            Self::RequestObject => &REQUEST_OBJECT,
            Self::LogoutToken => &LOGOUT_TOKEN,
            Self::UserInfo => &USER_INFO,
            Self::Introspection => &INTROSPECTION,
            Self::Exact(_) => &EXACT,
        }
    }

    /// The value of `typ` for a token of this kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Exact(name) => name,
            _ => self.row().names[0],
        }
    }

    /// Media types are compared without case, and `application/` may be left out (RFC 7515 §4.1.9).
    pub(crate) fn permits(&self, typ: Option<&str>) -> bool {
        let Some(typ) = typ else {
            return self.row().may_be_untyped;
        };
        let same = |name: &str| short(typ).eq_ignore_ascii_case(short(name));
        match self {
            Self::Exact(name) => same(name),
            _ => self.row().names.iter().any(|name| same(name)),
        }
    }
}

fn short(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.get(..PREFIX.len()) {
        // a further slash means a parameter, where the prefix has to stay (RFC 7515 §4.1.9)
        Some(prefix)
            if prefix.eq_ignore_ascii_case(PREFIX) && !typ[PREFIX.len()..].contains('/') =>
        {
            &typ[PREFIX.len()..]
        }
        _ => typ,
    }
}

/// OpenID Connect Back-Channel Logout §2.4, §2.6.
fn is_logout(claims: Claims<'_>) -> Result<(), JwtError> {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    if !matches!(
        object(claims, Name::Events)?.get(EVENT),
        Some(Claim::Map(_))
    ) {
        return Err(JwtError::ClaimType {
            claim: Name::Events.name(),
            expected: "the member of a back-channel logout, an object",
        });
    }
    match claims.get(Name::Sub).or(claims.get(Name::Sid)) {
        Some(_) => Ok(()),
        None => Err(JwtError::ClaimMissing {
            claim: Name::Sub.name(),
        }),
    }
}

fn object(claims: Claims<'_>, name: Name) -> Result<Members<'_>, JwtError> {
    let claim = name.name();
    match claims.get(name) {
        None => Err(JwtError::ClaimMissing { claim }),
        Some(Claim::Map(members)) => Ok(members),
        Some(_) => Err(JwtError::ClaimType {
            claim,
            expected: "an object",
        }),
    }
}
