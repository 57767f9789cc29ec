//! Challenges (RFC 8555 §8): the client says "look", and the server looks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::AcmeServer;
use super::authorization::owned;
use super::identifier::Identifier;
use super::problem::Problem;
use super::records::{AuthorizationStatus, ChallengeStatus, Found};
use super::routes::{Call, Reply};
use super::turns::Ticket;
use super::validate::{self, Probe, Tried};
use crate::names::shown;

/// A way to prove that one has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChallengeKind {
    /// A file on the name's web server (RFC 8555 §8.3).
    Http01,
    /// A TXT record below the name (RFC 8555 §8.4); the only way for a wildcard, and none for an address.
    Dns01,
    /// A certificate that the name's TLS server shows to whoever asks for `acme-tls/1` (RFC 8737).
    TlsAlpn01,
}

const TABLE: &[(ChallengeKind, &str)] = &[
    (ChallengeKind::Http01, "http-01"),
    (ChallengeKind::Dns01, "dns-01"),
    (ChallengeKind::TlsAlpn01, "tls-alpn-01"),
];

impl ChallengeKind {
    /// Every kind, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(kind, _)| *kind)
    }

    /// `http-01`, `dns-01`, `tls-alpn-01`.
    #[must_use]
    pub fn name(self) -> &'static str {
        let row = TABLE.iter().find(|(kind, _)| *kind == self);
        row.expect("every kind has a row: a test walks the enum").1
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// RFC 8555 §7.1.3 for wildcards; RFC 8738 §7: "dns-01 MUST NOT be used to validate IP identifiers".
    pub(super) fn proves(self, identifier: &Identifier) -> bool {
        match (self, identifier) {
            (Self::Dns01, identifier) => matches!(identifier, Identifier::Dns(_)),
            (_, Identifier::Dns(name)) => !name.is_wildcard(),
            (_, Identifier::Ip(_)) => true,
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By name.
impl FromStr for ChallengeKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::from_name(name).ok_or_else(|| {
            let known = TABLE.iter().map(|row| row.1).collect::<Vec<_>>().join(", ");
            format!("expected one of {known}, got `{}`", shown(name))
        })
    }
}

/// A challenge's own address: read, or `{}` to say that all is in its place (§7.5.1).
pub(super) fn show_or_respond(call: &Call<'_>) -> Result<Reply, Problem> {
    let server = call.server;
    let read = || {
        let found = server.records.authorization_of_challenge(call.id)?;
        let authorization = owned(call, found)?;
        let mut challenges = authorization.challenges.iter().cloned();
        let challenge = challenges.find(|challenge| challenge.id == call.id);
        let challenge = challenge.ok_or_else(|| Problem::not_found("challenge"))?;
        Ok::<_, Problem>((authorization, challenge))
    };
    let (mut authorization, mut challenge) = read()?;
    let status = authorization.status(call.now);
    if call.payload().is_some() && challenge.status == ChallengeStatus::Pending {
        match status {
            AuthorizationStatus::Pending => {
                let account = &call.account().id;
                server.check_failure_rate(account, &authorization.identifier, call.now)?;
                server.records.begin_challenge(call.id, call.now)?;
                (authorization, challenge) = read()?;
            }
            // proved in another way: there is nothing left to do
            AuthorizationStatus::Valid => {}
            over => {
                let detail = format!("the challenge's authorization is {}", over.name());
                return Err(Problem::malformed(detail));
            }
        }
    }
    let up = server.authorization_url(&authorization.id);
    let mut reply = Reply::json(server.challenge_json(&challenge)).link(up, "up");
    if challenge.status == ChallengeStatus::Processing {
        reply = reply.retry_after(1);
        reply.look_at = Some(LookAt {
            account: authorization.account,
            challenge: challenge.id,
        });
    }
    Ok(reply)
}

impl AcmeServer {
    /// Looks at a challenge that is processing, beside everything else; once at a time.
    ///
    /// Where too many wait already it stays processing, and the client's next question about the authorization brings it here again.
    pub(super) fn look_at(self: &Arc<Self>, look: &LookAt) {
        let Some(ticket) = self.turns.join(&look.account, &look.challenge) else {
            return;
        };
        let server = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(problem) = server.validate(&ticket).await {
                tracing::warn!(detail = problem.detail, "acme: a challenge stays undecided");
            }
        });
    }

    async fn validate(self: &Arc<Self>, ticket: &Ticket) -> Result<(), Problem> {
        let id = ticket.challenge();
        // never closed
        let _place = ticket
            .turn()
            .await
            .map_err(|error| Problem::internal(&error))?;
        let Some(probe) = self.in_records(id, Self::probe).await? else {
            return Ok(());
        };
        let found = validate::validate(&self.settings, &self.surroundings, &probe).await;
        let error = found.err().map(|problem| problem.to_json());
        let tried = probe.tried.all();
        self.in_records(id, move |server, id| {
            let now = server.now();
            let found = Found {
                error: error.as_ref(),
                tried: &tried,
                at: now,
                valid_until: now + server.settings.authorization_life,
            };
            Ok(server.records.end_challenge(id, &found)?)
        })
        .await
    }

    /// What to look for, if it is still to be looked for.
    fn probe(&self, id: &str) -> Result<Option<Probe>, Problem> {
        let Some(authorization) = self.records.authorization_of_challenge(id)? else {
            return Ok(None);
        };
        let mut challenges = authorization.challenges.iter();
        let processing =
            challenges.find(|one| one.id == id && one.status == ChallengeStatus::Processing);
        let account = self.records.account(&authorization.account)?;
        let (Some(challenge), Some(account)) = (processing, account) else {
            return Ok(None);
        };
        Ok(Some(Probe {
            kind: challenge.kind,
            identifier: authorization.identifier.clone(),
            wildcard: authorization.wildcard,
            token: challenge.token.clone(),
            // §8.1
            key_authorization: format!("{}.{}", challenge.token, account.jwk.thumbprint()),
            account_url: self.account_url(&account.id),
            tried: Tried::default(),
        }))
    }

    async fn in_records<T: Send + 'static>(
        self: &Arc<Self>,
        id: &str,
        work: impl FnOnce(&Self, &str) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (server, id) = (Arc::clone(self), id.to_owned());
        let done = tokio::task::spawn_blocking(move || work(&server, &id)).await;
        done.unwrap_or_else(|error| Err(Problem::internal(&error)))
    }
}

/// A challenge that is processing, to be looked at once its client has an answer.
#[derive(Clone, Debug)]
pub(super) struct LookAt {
    pub(super) account: String,
    pub(super) challenge: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_proves_what_its_rfc_says() {
        for kind in ChallengeKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let offered = |kind, value| {
            let identifier = Identifier::new(kind, value).unwrap();
            let kinds = ChallengeKind::all().filter(|kind| kind.proves(&identifier));
            kinds.map(ChallengeKind::name).collect::<Vec<_>>()
        };
        assert_eq!(
            offered("dns", "a.test"),
            ["http-01", "dns-01", "tls-alpn-01"]
        );
        assert_eq!(offered("dns", "*.a.test"), ["dns-01"]);
        assert_eq!(offered("ip", "::1"), ["http-01", "tls-alpn-01"]);
        assert!("dns-02".parse::<ChallengeKind>().is_err());
    }
}
