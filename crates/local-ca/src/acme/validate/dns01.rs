//! dns-01 (RFC 8555 §8.4): a TXT record of `_acme-challenge.NAME` is base64url(SHA-256(key authorization)).

use stampmill_jose::base64url;

use super::{Probe, Surroundings, incorrect};
use crate::acme::problem::{Problem, ProblemKind};

/// Any of the records will do: a name and its wildcard are proved by two. A CNAME is followed by whoever answers us.
pub(super) async fn look(surroundings: &Surroundings, probe: &Probe) -> Result<(), Problem> {
    let name = format!("_acme-challenge.{}", probe.identifier.value());
    probe.tried.note(format!("TXT {name}"));
    let found = surroundings.records().txt(&name).await;
    let found = found.map_err(|error| {
        Problem::new(ProblemKind::Dns, format!("no answer about {name}: {error}"))
    })?;
    let expected = base64url::encode(probe.digest());
    if found.iter().any(|text| text == expected.as_bytes()) {
        return Ok(());
    }
    Err(incorrect(format!(
        "{name} has {} TXT records, none of them the digest of the key authorization",
        found.len()
    )))
}
