//! Authorizations (RFC 8555 §7.5): asked for before any order (§7.4.1), read, and given up.

use serde_json::{Map, Value, json};

use super::AcmeServer;
use super::challenge::LookAt;
use super::identifier::Identifier;
use super::order::rfc3339;
use super::problem::{Problem, ProblemKind};
use super::records::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, NewAuthorization,
};
use super::routes::{Call, Reply};

/// newAuthz (§7.4.1): a proof before there is an order. What is valid once is valid for the account's orders, as every proof is
/// ([`AcmeSettings::authorization_life`](super::AcmeSettings::authorization_life)); one that still waits is not asked for twice.
pub(super) fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let (server, account) = (call.server, call.account());
    server.check_terms(account)?;
    let asked = call.object().get("identifier");
    let asked = asked.ok_or_else(|| Problem::malformed("`identifier` is missing"))?;
    let identifier = Identifier::from_json(asked)?;
    let (_, wildcard) = identifier.base();
    if wildcard {
        let detail = "a wildcard is authorized by an order: an authorization's own identifier has no `*` (RFC 8555 §7.4.1)";
        return Err(Problem::malformed(detail));
    }
    server.check_identifier(&account.id, &identifier, call.now)?;
    let new = NewAuthorization {
        account: &account.id,
        challenges: server.challenges_for(&identifier),
        identifier: &identifier,
        at: call.now,
        expires: call.now + server.settings.order_life,
    };
    let most = server.settings.limits.open_authorizations;
    let Some(id) = server.records.add_authorization(&new, most)? else {
        let detail = format!("{most} names may be without a proof and without an order");
        return Err(Problem::new(ProblemKind::RateLimited, detail).retry_after(60));
    };
    let found = server.records.authorization(&id)?;
    let authorization = owned(call, found)?;
    let shown = server.authorization_json(&authorization, call.now);
    Ok(Reply::json(shown).created(server.authorization_url(&id)))
}

/// An authorization's own address: read, or deactivated (§7.5.2).
pub(super) fn show_or_deactivate(call: &Call<'_>) -> Result<Reply, Problem> {
    let server = call.server;
    let found = server.records.authorization(call.id)?;
    let mut authorization = owned(call, found)?;
    if let Some(asked) = call.payload() {
        if asked.get("status").and_then(Value::as_str) != Some("deactivated") {
            let detail = "an authorization's status changes to deactivated only";
            return Err(Problem::malformed(detail));
        }
        server.records.deactivate_authorization(call.id)?;
        authorization = owned(call, server.records.authorization(call.id)?)?;
    }
    let mut reply = Reply::json(server.authorization_json(&authorization, call.now));
    if authorization.status(call.now) == AuthorizationStatus::Pending {
        reply = reply.retry_after(1);
        // of before a restart
        let processing = |challenge: &&Challenge| challenge.status == ChallengeStatus::Processing;
        let waiting = authorization.challenges.iter().find(processing);
        reply.look_at = waiting.map(|challenge| LookAt {
            account: authorization.account.clone(),
            challenge: challenge.id.clone(),
        });
    }
    Ok(reply)
}

/// It, if it is the caller's.
pub(super) fn owned(
    call: &Call<'_>,
    found: Option<Authorization>,
) -> Result<Authorization, Problem> {
    let found = found.ok_or_else(|| Problem::not_found("authorization"))?;
    match found.account == call.account().id {
        true => Ok(found),
        false => Err(Problem::unauthorized("this is another account's")),
    }
}

impl AcmeServer {
    pub(super) fn authorization_url(&self, id: &str) -> String {
        self.url(&format!("/authorization/{id}"))
    }

    /// §7.1.4. Once it is decided only the challenge that decided it is shown.
    fn authorization_json(&self, authorization: &Authorization, now: i64) -> Value {
        let mut members = Map::new();
        let mut tell = |name: &str, value: Value| members.insert(name.to_owned(), value);
        let status = authorization.status(now);
        let decided = authorization
            .challenges
            .iter()
            .any(|one| one.ended_at.is_some());
        let challenges = authorization
            .challenges
            .iter()
            .filter(|challenge| !decided || challenge.ended_at.is_some())
            .map(|challenge| self.challenge_json(challenge));
        tell("status", json!(status.name()));
        tell("expires", json!(rfc3339(authorization.expires)));
        tell("identifier", authorization.identifier.to_json());
        tell("challenges", challenges.collect());
        if authorization.wildcard {
            tell("wildcard", json!(true));
        }
        Value::Object(members)
    }

    /// §7.1.5, §8.
    pub(super) fn challenge_json(&self, challenge: &Challenge) -> Value {
        let mut members = Map::new();
        let mut tell = |name: &str, value: Value| members.insert(name.to_owned(), value);
        tell("type", json!(challenge.kind.name()));
        tell(
            "url",
            json!(self.url(&format!("/challenge/{}", challenge.id))),
        );
        tell("token", json!(challenge.token));
        tell("status", json!(challenge.status.name()));
        if let (ChallengeStatus::Valid, Some(at)) = (challenge.status, challenge.ended_at) {
            tell("validated", json!(rfc3339(at)));
        }
        if let Some(error) = &challenge.error {
            tell("error", error.clone());
        }
        Value::Object(members)
    }
}
