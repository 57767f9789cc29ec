//! Orders (RFC 8555 §7.4): what a certificate should be for, checked before anybody has to prove anything.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::AcmeServer;
use super::challenge::ChallengeKind;
use super::identifier::Identifier;
use super::jws;
use super::problem::{Problem, ProblemKind};
use super::records::{AuthorizationStatus, NewOrder, Order, OrderStatus};
use super::routes::{Call, Reply};
use super::settings::OrderProfile;
use crate::moment::DAY;
pub(super) use crate::moment::rfc3339;
use crate::names::shown;
use crate::profile::RuleSet;
use crate::request::CertificateRequest;

/// Orders on one page of an account's list (§7.1.2.1).
const PAGE: u32 = 100;

/// How far ahead of its signature a certificate may begin under the public-like rules (Baseline Requirements §7.1.2.7).
const MOST_AHEAD: i64 = 2 * DAY;

/// newOrder.
pub(super) fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let (server, asked, account) = (call.server, call.object(), call.account());
    server.check_terms(account)?;
    let identifiers = identifiers(call)?;
    let profile = server.profile(jws::text(asked, "profile")?.as_deref())?;
    let life = life(asked, profile, server.authority.rules(), call.now)?;
    let replaces = jws::text(asked, "replaces")?;
    if let Some(replaces) = &replaces {
        super::renewal::check_replaces(call, replaces, &identifiers)?;
    }
    server.check_order_rate(&account.id, call.now)?;
    let identifiers = identifiers.into_iter().map(|identifier| {
        let challenges = server.challenges_for(&identifier);
        (identifier, challenges)
    });
    let made = server.records.add_order(&NewOrder {
        account: &account.id,
        profile: &profile.name,
        not_before: life.0,
        not_after: life.1,
        replaces: replaces.as_deref(),
        identifiers: identifiers.collect(),
        at: call.now,
        expires: call.now + server.settings.order_life,
    })?;
    let Some(id) = made else {
        let detail = "another order replaces this certificate already";
        return Err(Problem::new(ProblemKind::AlreadyReplaced, detail));
    };
    let order = server.order_of(call, &id)?;
    Ok(Reply::json(server.order_json(&order, call.now)).created(server.order_url(&id)))
}

/// An order's own address.
pub(super) fn show(call: &Call<'_>) -> Result<Reply, Problem> {
    let order = call.server.order_of(call, call.id)?;
    let reply = Reply::json(call.server.order_json(&order, call.now));
    // §7.4: what a client waits for is the look at its challenges; it takes moments
    Ok(match order.status(call.now) {
        OrderStatus::Pending => reply.retry_after(1),
        _ => reply,
    })
}

/// The orders of an account, a page at a time (§7.1.2.1).
pub(super) fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let server = call.server;
    if call.id != call.account().id {
        return Err(Problem::unauthorized("this is another account's list"));
    }
    let after = match call.query.strip_prefix("after=") {
        None if call.query.is_empty() => 0,
        Some(place) if place.parse::<i64>().is_ok() => place.parse().unwrap_or_default(),
        _ => return Err(Problem::not_found("page")),
    };
    let (ids, next) = server.records.orders_of(call.id, after, PAGE, call.now)?;
    let orders: Vec<String> = ids.iter().map(|id| server.order_url(id)).collect();
    let reply = Reply::json(json!({"orders": orders}));
    Ok(match next {
        Some(place) => {
            let path = format!("/account/{}/orders?after={place}", call.id);
            reply.link(server.url(&path), "next")
        }
        None => reply,
    })
}

impl AcmeServer {
    pub(super) fn order_url(&self, id: &str) -> String {
        self.url(&format!("/order/{id}"))
    }

    /// The order of this name, if it is the caller's.
    pub(super) fn order_of(&self, call: &Call<'_>, id: &str) -> Result<Order, Problem> {
        let order = self.records.order(id)?;
        let order = order.ok_or_else(|| Problem::not_found("order"))?;
        match order.account == call.account().id {
            true => Ok(order),
            false => Err(Problem::unauthorized("this is another account's order")),
        }
    }

    /// §7.1.3.
    pub(super) fn order_json(&self, order: &Order, now: i64) -> Value {
        let mut members = Map::new();
        let mut tell = |name: &str, value: Value| members.insert(name.to_owned(), value);
        let identifiers = order.identifiers();
        let authorizations = order
            .authorizations
            .iter()
            .map(|authorization| self.authorization_url(&authorization.id));
        tell("status", json!(order.status(now).name()));
        tell("expires", json!(rfc3339(order.expires)));
        tell(
            "identifiers",
            identifiers.iter().map(Identifier::to_json).collect(),
        );
        tell("profile", json!(order.profile));
        if let Some(moment) = order.not_before {
            tell("notBefore", json!(rfc3339(moment)));
        }
        if let Some(moment) = order.not_after {
            tell("notAfter", json!(rfc3339(moment)));
        }
        tell("authorizations", json!(authorizations.collect::<Vec<_>>()));
        tell(
            "finalize",
            json!(format!("{}/finalize", self.order_url(&order.id))),
        );
        if let Some(replaces) = &order.replaces {
            tell("replaces", json!(replaces));
        }
        if let Some(error) = error(order, now) {
            tell("error", error.to_json());
        }
        if let Some(serial) = &order.serial {
            tell(
                "certificate",
                json!(self.url(&format!("/certificate/{serial}"))),
            );
        }
        Value::Object(members)
    }

    /// Whether this authority could issue for a name at all: the sooner that is said, the better.
    pub(super) fn check_identifier(
        &self,
        account: &str,
        identifier: &Identifier,
        now: i64,
    ) -> Result<(), Problem> {
        if !self.authority.permits(&identifier.to_name()) {
            let detail = format!(
                "`{}` lies outside the authority's name constraints",
                identifier.value()
            );
            return Err(Problem::new(ProblemKind::RejectedIdentifier, detail));
        }
        if self.challenges_for(identifier).is_empty() {
            let detail = format!(
                "there is no way to prove `{}` here: a wildcard takes dns-01, an address does not",
                identifier.value()
            );
            return Err(Problem::new(ProblemKind::RejectedIdentifier, detail));
        }
        self.check_failure_rate(account, identifier, now)
    }

    /// The ways to prove this one.
    pub(super) fn challenges_for(&self, identifier: &Identifier) -> Vec<ChallengeKind> {
        let offered = self.settings.challenges.iter().copied();
        offered.filter(|kind| kind.proves(identifier)).collect()
    }

    /// The profile of this name, or the first (draft-ietf-acme-profiles §4).
    fn profile(&self, name: Option<&str>) -> Result<&OrderProfile, Problem> {
        let Some(name) = name else {
            return Ok(&self.settings.profiles[0]);
        };
        let known = &self.settings.profiles;
        known
            .iter()
            .find(|profile| profile.name == name)
            .ok_or_else(|| {
                let detail = format!(
                    "there is no profile `{}`; the directory lists them",
                    shown(name)
                );
                Problem::new(ProblemKind::InvalidProfile, detail)
            })
    }
}

/// Why an order is invalid (§7.1.3): what the failed challenges found, or that the account gave an authorization up. One that nobody
/// answered in time has no error: `expires` tells.
fn error(order: &Order, now: i64) -> Option<Problem> {
    if order.status(now) != OrderStatus::Invalid {
        return None;
    }
    let problems = order.authorizations.iter().filter_map(|authorization| {
        let failed = authorization.error().and_then(Problem::from_json);
        let over = || {
            use AuthorizationStatus::{Deactivated, Expired};
            let status = authorization.status(now);
            matches!(status, Deactivated | Expired).then(|| {
                let detail = format!("an authorization of this order is {}", status.name());
                Problem::unauthorized(detail)
            })
        };
        let problem = failed.or_else(over)?;
        Some((authorization.ordered().to_json(), problem))
    });
    Problem::of_identifiers(problems.collect())
}

/// Each once, in the order in which they came. What is wrong with any of them is told of all at once (§6.7.1).
fn identifiers(call: &Call<'_>) -> Result<Vec<Identifier>, Problem> {
    let most = CertificateRequest::MAX_NAMES;
    let list = call.object().get("identifiers").and_then(Value::as_array);
    let list = list
        .filter(|list| (1..=most).contains(&list.len()))
        .ok_or_else(|| Problem::malformed(format!("`identifiers` is a list of 1 to {most}")))?;
    let mut seen = BTreeSet::new();
    let (mut identifiers, mut problems) = (Vec::new(), Vec::new());
    for value in list {
        match identifier(call, value) {
            Ok(identifier) if seen.insert(identifier.clone()) => identifiers.push(identifier),
            Ok(_) => {}
            Err(problem) => problems.push((as_asked(value), problem)),
        }
    }
    Problem::of_identifiers(problems).map_or(Ok(identifiers), Err)
}

/// One that this authority could issue for.
fn identifier(call: &Call<'_>, value: &Value) -> Result<Identifier, Problem> {
    let identifier = Identifier::from_json(value)?;
    let account = &call.account().id;
    call.server
        .check_identifier(account, &identifier, call.now)?;
    Ok(identifier)
}

/// The two members that an identifier has, no longer than a name can be.
fn as_asked(value: &Value) -> Value {
    let text = |member| {
        let text = value.get(member).and_then(Value::as_str)?;
        Some(text.chars().take(253).collect::<String>())
    };
    json!({"type": text("type"), "value": text("value")})
}

/// notBefore and notAfter, if the client asks for them: within what the profile and the rules give.
fn life(
    asked: &Map<String, Value>,
    profile: &OrderProfile,
    rules: RuleSet,
    now: i64,
) -> Result<(Option<i64>, Option<i64>), Problem> {
    let moment = |name: &str| {
        let text = jws::text(asked, name)?;
        text.map(|text| read_rfc3339(&text)).transpose()
    };
    let (not_before, not_after) = (moment("notBefore")?, moment("notAfter")?);
    let first = not_before.unwrap_or(now);
    let longest = now + i64::from(profile.profile.wanted_days()) * DAY;
    // an hour for clocks that differ
    if first < now - 3600 || first > longest {
        return Err(Problem::malformed(
            "notBefore is now, or within the profile's life",
        ));
    }
    if rules == RuleSet::PublicLike && first > now + MOST_AHEAD {
        return Err(Problem::malformed(
            "notBefore is within 48 hours of signing (Baseline Requirements §7.1.2.7)",
        ));
    }
    if not_after.is_some_and(|last| last <= first.max(now) || last > longest) {
        let detail = format!(
            "notAfter lies behind now and notBefore, and not behind {}",
            rfc3339(longest)
        );
        return Err(Problem::malformed(detail));
    }
    Ok((not_before, not_after))
}

fn read_rfc3339(text: &str) -> Result<i64, Problem> {
    let read: Result<Timestamp, _> = text.parse();
    read.map(Timestamp::as_second)
        .map_err(|_| Problem::malformed(format!("`{}` is no date of RFC 3339", shown(text))))
}
