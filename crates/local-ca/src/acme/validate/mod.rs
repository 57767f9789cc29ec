//! Looking whether somebody has a name: the server connects to where a stranger sent it, so everything here is about *where to* and *how
//! much*.
//!
//! `stampmill-outbound` resolves a name once, holds every address against [`AcmeSettings::networks`] and connects to exactly what it
//! checked, hop by hop; [`network`] adds which ports, and where names come from. The three files beside it say what is looked for.

mod caa;
mod dns01;
mod http01;
mod network;
mod tls_alpn01;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::sha::sha256;
use stampmill_outbound::{Limits, Outbound, OutboundError};

use super::challenge::ChallengeKind;
use super::identifier::Identifier;
use super::problem::{Problem, ProblemKind};
use super::settings::AcmeSettings;

pub use network::{Caa, DnsRecords, Surroundings};

/// From the first question to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is looked for, and where.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) kind: ChallengeKind,
    /// Without `*.`.
    pub(super) identifier: Identifier,
    pub(super) wildcard: bool,
    pub(super) token: String,
    /// `token.thumbprint` (RFC 8555 §8.1).
    pub(super) key_authorization: String,
    pub(super) account_url: String,
    pub(super) tried: Tried,
}

/// Where was looked, in the order in which it was, for the operator: addresses that were connected to or were not allowed, and records
/// that were asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried(Arc<Mutex<Vec<String>>>);

impl Tried {
    fn note(&self, place: String) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A name with very many addresses is no reason to keep them all.
        if places.len() < 16 {
            places.push(place);
        }
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Probe {
    /// SHA-256 of the key authorization, which dns-01 and tls-alpn-01 show.
    fn digest(&self) -> [u8; 32] {
        sha256(self.key_authorization.as_bytes())
    }

    /// The name as a URL has it: an IPv6 address in brackets.
    fn host(&self) -> String {
        match &self.identifier {
            Identifier::Ip(std::net::IpAddr::V6(address)) => format!("[{address}]"),
            other => other.value(),
        }
    }
}

/// Looks.
pub(super) async fn validate(
    settings: &AcmeSettings,
    surroundings: &Surroundings,
    probe: &Probe,
) -> Result<(), Problem> {
    let look = async {
        match probe.kind {
            ChallengeKind::Http01 => http01::look(settings, surroundings, probe).await?,
            ChallengeKind::Dns01 => dns01::look(surroundings, probe).await?,
            ChallengeKind::TlsAlpn01 => tls_alpn01::look(settings, surroundings, probe).await?,
        }
        caa::check(settings, surroundings, probe).await
    };
    match tokio::time::timeout(2 * PATIENCE, look).await {
        Ok(found) => found,
        Err(_) => Err(Problem::new(ProblemKind::Connection, "it took too long")),
    }
}

/// Connections to the networks that the operator named, at the ports of validation.
fn outbound(settings: &AcmeSettings, surroundings: &Surroundings, probe: &Probe) -> Outbound {
    let ports = [80, 443, settings.http_01_port, settings.tls_alpn_01_port];
    Outbound::new(settings.networks.clone())
        .with_resolver(surroundings.resolver())
        .with_connector(surroundings.connector(&ports, &probe.tried))
        .with_limits(Limits {
            time: PATIENCE,
            connect: PATIENCE / 2,
            body_bytes: 8 << 10,
            ..Limits::default()
        })
}

/// Which of RFC 8555 §6.7's types a failure is. What it says helps whoever set up the name; where it would tell of a network that the
/// client may not ask about, it says little.
fn failed(error: &OutboundError, probe: &Probe) -> Problem {
    tracing::info!(%error, "acme: validation failed");
    match error {
        OutboundError::Resolve { .. } => Problem::new(ProblemKind::Dns, error.to_string()),
        OutboundError::Forbidden {
            host,
            address,
            purpose,
        } => {
            probe
                .tried
                .note(format!("{address} (not allowed: {purpose})"));
            let detail =
                format!("{host} has an address in a network that this server does not connect to");
            Problem::new(ProblemKind::Connection, detail)
        }
        OutboundError::Tls { .. } => Problem::new(ProblemKind::Tls, error.to_string()),
        _ => Problem::new(ProblemKind::Connection, error.to_string()),
    }
}

/// What was found is not what was to be found.
fn incorrect(detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    tracing::info!(detail, "acme: validation failed");
    Problem::new(ProblemKind::IncorrectResponse, detail)
}
