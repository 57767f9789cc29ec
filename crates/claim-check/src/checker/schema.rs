//! The claims that specifications define, with their types: one table.

use super::Type;
use crate::function::T;

/// A registered claim.
pub(crate) struct Claim {
    pub(crate) name: &'static str,
    pub(crate) ty: ClaimType,
    /// Whether access tokens and ID tokens always have it.
    pub(crate) required: bool,
    /// The claim without which this one proves nothing.
    pub(crate) verified_by: Option<&'static str>,
}

/// The type of a claim.
#[derive(Clone, Copy)]
pub(crate) enum ClaimType {
    Is(T),
    /// A string, or a list of strings (RFC 7519 §4.1.3).
    StringOrList,
    /// The address of OpenID Connect Core §5.1.1.
    Address,
}

impl ClaimType {
    pub(crate) fn to_type(self) -> Type {
        match self {
            ClaimType::Is(ty) => ty.to_type(),
            ClaimType::StringOrList => Type::Dyn,
            ClaimType::Address => Type::Record(
                ADDRESS
                    .iter()
                    .map(|name| ((*name).to_owned(), Type::String))
                    .collect(),
            ),
        }
    }
}

const ADDRESS: [&str; 6] = [
    "formatted",
    "street_address",
    "locality",
    "region",
    "postal_code",
    "country",
];

const fn row(name: &'static str, ty: ClaimType) -> Claim {
    Claim {
        name,
        ty,
        required: false,
        verified_by: None,
    }
}

const fn required(name: &'static str, ty: ClaimType) -> Claim {
    Claim {
        required: true,
        ..row(name, ty)
    }
}

const fn verified(name: &'static str, by: &'static str) -> Claim {
    Claim {
        verified_by: Some(by),
        ..row(name, TEXT)
    }
}

const TEXT: ClaimType = ClaimType::Is(T::Str);
const TIME: ClaimType = ClaimType::Is(T::Int);
const FLAG: ClaimType = ClaimType::Is(T::Bool);
const TEXTS: ClaimType = ClaimType::Is(T::List(&T::Str));
const OBJECT: ClaimType = ClaimType::Is(T::Map(&T::Str, &T::Dyn));

#[rustfmt::skip]
static CLAIMS: &[Claim] = &[
    // RFC 7519 §4.1
    required("iss", TEXT),
    required("sub", TEXT),
    required("aud", ClaimType::StringOrList),
    required("exp", TIME),
    row("nbf", TIME),
    required("iat", TIME),
    row("jti", TEXT),
    // OpenID Connect Core §5.1
    row("name", TEXT),
    row("given_name", TEXT),
    row("family_name", TEXT),
    row("middle_name", TEXT),
    row("nickname", TEXT),
    row("preferred_username", TEXT),
    row("profile", TEXT),
    row("picture", TEXT),
    row("website", TEXT),
    verified("email", "email_verified"),
    row("email_verified", FLAG),
    row("gender", TEXT),
    row("birthdate", TEXT),
    row("zoneinfo", TEXT),
    row("locale", TEXT),
    verified("phone_number", "phone_number_verified"),
    row("phone_number_verified", FLAG),
    row("address", ClaimType::Address),
    row("updated_at", TIME),
    // OpenID Connect Core §2, Session Management, Front-Channel Logout
    row("auth_time", TIME),
    row("nonce", TEXT),
    row("acr", TEXT),
    row("amr", TEXTS),
    row("azp", TEXT),
    row("at_hash", TEXT),
    row("c_hash", TEXT),
    row("sid", TEXT),
    // RFC 8693 §4, RFC 9068 §2.2
    row("scope", TEXT),
    row("client_id", TEXT),
    row("act", OBJECT),
    row("may_act", OBJECT),
    row("cnf", OBJECT),
    row("roles", ClaimType::Is(T::Dyn)),
    row("groups", ClaimType::Is(T::Dyn)),
    row("entitlements", ClaimType::Is(T::Dyn)),
];

/// The registered claim of a name.
pub(crate) fn registered(name: &str) -> Option<&'static Claim> {
    CLAIMS.iter().find(|claim| claim.name == name)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|claim| claim.name)
}
