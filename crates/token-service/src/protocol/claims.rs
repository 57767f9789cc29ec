//! Claims about the person (OIDC Core §5): which are told, where, and the `claims` parameter that asks for single ones.
//!
//! Scopes ask UserInfo (§5.4); `claims` asks UserInfo or the ID token (§5.5). A claim that is not known of the person, or has
//! another value than was asked for, is left out, be it `essential` or not (§5.5.1); only `acr` and `sub` may stop a request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Service;
use super::authorization::AuthorizationRequest;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::tokens::ACR;
use crate::domain::{Client, PERSON_CLAIMS, RequestedClaims, Scope, User, scope_of};

/// In the words of the consent page and of what is remembered of it: a claim asked for by itself.
pub(crate) const SINGLE: &str = "claim:";

/// The rule: `claims` is an object of the form of §5.5, and what it demands can be given.
pub(super) fn claims_are_understood(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NOT_CLAIMS: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "claims is not a JSON object as in OIDC Core section 5.5",
    );
    const OTHER_PEOPLE: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "claims and id_token_hint name different people",
    );
    const NOT_THIS_ACR: OAuthError = OAuthError::new(
        ErrorCode::UnmetAuthenticationRequirements,
        "none of the acr values that were asked for as essential can be reached here",
    );
    let Some(text) = parameters.one("claims")? else {
        return Ok(());
    };
    // Names that come twice, or bytes that are no JSON, are for the client to hear of.
    let claims: Value = serde_json::from_str(text).map_err(|_| NOT_CLAIMS)?;
    let claims = claims.as_object().ok_or(NOT_CLAIMS)?;
    let read = |place: &str| match claims.get(place) {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(asked) => entries(asked),
    };
    let userinfo = read("userinfo").ok_or(NOT_CLAIMS)?;
    let id_token = read("id_token").ok_or(NOT_CLAIMS)?;

    if let Some(acr) = id_token.get("acr").filter(|acr| acr.essential)
        && !acr.accepts(&ACR.into())
    {
        return Err(NOT_THIS_ACR);
    }
    for entries in [&userinfo, &id_token] {
        let sub = entries.get("sub").and_then(|sub| sub.values.as_ref());
        let Some(sub) = sub.and_then(|values| values.first()) else {
            continue;
        };
        let sub = sub.as_str().ok_or(NOT_CLAIMS)?.to_owned();
        let expected = request.expected_user.get_or_insert_with(|| sub.clone());
        if *expected != sub {
            return Err(OTHER_PEOPLE);
        }
    }
    let about_the_person = |entries: BTreeMap<String, Entry>| {
        let entries = entries.into_iter();
        let entries = entries.filter(|(name, _)| may_learn(&request.client, name));
        entries.map(|(name, entry)| (name, entry.values)).collect()
    };
    if request.scope.contains("openid") {
        request.claims = RequestedClaims {
            userinfo: about_the_person(userinfo),
            id_token: about_the_person(id_token),
        };
    }
    Ok(())
}

/// A client learns no more by this door than by its scopes; what is not known is ignored (§5.5).
fn may_learn(client: &Client, claim: &str) -> bool {
    scope_of(claim).is_some_and(|scope| client.scope.contains(scope))
}

/// §5.5.1: how one claim is asked for.
struct Entry {
    essential: bool,
    /// `value` or `values`.
    values: Option<Vec<Value>>,
}

impl Entry {
    fn accepts(&self, value: &Value) -> bool {
        self.values
            .as_ref()
            .is_none_or(|values| values.contains(value))
    }
}

/// Reads `userinfo` or `id_token`; `None` where its form is wrong.
fn entries(asked: &Value) -> Option<BTreeMap<String, Entry>> {
    let entry = |asked: &Value| {
        let members = match asked {
            Value::Null => {
                return Some(Entry {
                    essential: false,
                    values: None,
                });
            }
            Value::Object(members) => members,
            _ => return None,
        };
        let essential = match members.get("essential") {
            None => false,
            Some(essential) => essential.as_bool()?,
        };
        let values = match (members.get("value"), members.get("values")) {
            (None, None) => None,
            (Some(value), None) => Some(vec![value.clone()]),
            (None, Some(values)) => Some(values.as_array()?.clone()),
            (Some(_), Some(_)) => return None,
        };
        Some(Entry { essential, values })
    };
    let members = asked.as_object()?.iter();
    members
        .map(|(name, asked)| Some((name.clone(), entry(asked)?)))
        .collect()
}

impl AuthorizationRequest {
    /// What the person is asked to allow: scopes, and single claims that no scope of them brings.
    pub(crate) fn to_consent(&self) -> Scope {
        let names = self.claims.names();
        let mut single: Vec<String> = names
            .filter(|name| scope_of(name).is_some_and(|scope| !self.scope.contains(scope)))
            .map(|name| format!("{SINGLE}{name}"))
            .collect();
        single.sort_unstable();
        single.dedup();
        let single: Scope = single.join(" ").parse().unwrap_or_default();
        self.scope.union(&single)
    }

    /// Whether all of that was allowed before. Who allowed a scope allowed each of its claims (§5.4).
    pub(crate) fn is_covered_by(&self, allowed: &Scope) -> bool {
        self.to_consent().iter().all(|asked| {
            let scope = asked.strip_prefix(SINGLE).and_then(scope_of);
            allowed.contains(asked) || scope.is_some_and(|scope| allowed.contains(scope))
        })
    }
}

/// What UserInfo tells this client beside `sub`.
pub(super) fn for_userinfo(
    user: &User,
    client: &Client,
    scope: &Scope,
    asked: &RequestedClaims,
) -> Map<String, Value> {
    let by_scope = PERSON_CLAIMS
        .iter()
        .filter(|(_, of, _)| scope.contains(of))
        .filter_map(|(name, ..)| Some(((*name).to_owned(), user.claim(name)?)));
    by_scope
        .chain(single(user, client, &asked.userinfo))
        .collect()
}

/// What the ID token tells this client of the person beside `sub`.
pub(super) fn for_id_token(
    user: &User,
    client: &Client,
    asked: &RequestedClaims,
) -> Map<String, Value> {
    single(user, client, &asked.id_token).collect()
}

fn single<'a>(
    user: &'a User,
    client: &'a Client,
    asked: &'a BTreeMap<String, Option<Vec<Value>>>,
) -> impl Iterator<Item = (String, Value)> + 'a {
    // Asked again, because the client's scopes may have become fewer since the request.
    let may_learn = |name: &str| may_learn(client, name);
    asked.iter().filter_map(move |(name, values)| {
        let value = user.claim(name)?;
        let wanted = values.as_ref().is_none_or(|values| values.contains(&value));
        (wanted && may_learn(name)).then(|| (name.clone(), value))
    })
}
