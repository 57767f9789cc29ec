//! Renewal information (ARI, RFC 9773): the server tells when to come again, so that a revocation is followed by a renewal and not by an
//! outage, and a day on which everybody got a certificate is not repeated sixty days later.

use serde_json::json;
use stampmill_jose::base64url;

use super::AcmeServer;
use super::identifier::Identifier;
use super::order::rfc3339;
use super::problem::{Problem, ProblemKind};
use super::routes::{Call, Reply};
use crate::certificate::serial_text;
use crate::renewal::RenewalWindow;
use crate::store::Entry;

/// When a client asks again: a 24th of the certificate's life, between a minute and six hours (§4.3).
const MOST_PATIENCE: i64 = 6 * 60 * 60;

/// `GET renewal-info/{certID}` (§4.1).
pub(super) fn info(server: &AcmeServer, id: &str) -> Result<Reply, Problem> {
    let entry = find(server, id)?;
    let RenewalWindow { start, end } = RenewalWindow::of(&entry);
    let life = entry.not_after - entry.not_before;
    let reply = Reply::json(json!({
        "suggestedWindow": {"start": rfc3339(start), "end": rfc3339(end)},
    }));
    Ok(reply.retry_after((life / 24).clamp(60, MOST_PATIENCE)))
}

/// Whether a new order may name this certificate as the one it replaces (§5). That nothing else replaces it is asked when the order is
/// recorded.
pub(super) fn check_replaces(
    call: &Call<'_>,
    id: &str,
    identifiers: &[Identifier],
) -> Result<(), Problem> {
    let entry = find(call.server, id)?;
    if entry.account.as_ref() != Some(&call.account().id) {
        let detail = "the certificate to be replaced is another account's";
        return Err(Problem::unauthorized(detail));
    }
    let names: Vec<_> = entry.certificate().names();
    let shared = names
        .iter()
        .filter_map(Identifier::of_name)
        .any(|name| identifiers.contains(&name));
    match shared {
        true => Ok(()),
        false => Err(Problem::new(
            ProblemKind::Malformed,
            "the certificate to be replaced has none of the order's names",
        )),
    }
}

/// The certificate that `base64url(keyIdentifier).base64url(serialNumber)` names (§4.1). The number is written as in DER, with the zero
/// byte that keeps it positive.
fn find(server: &AcmeServer, id: &str) -> Result<Entry, Problem> {
    let malformed = || {
        Problem::malformed(
            "a certificate is named by base64url(keyIdentifier).base64url(serialNumber)",
        )
    };
    let (key, serial) = id.split_once('.').ok_or_else(malformed)?;
    let octets = |text: &str| base64url::decode(text).map_err(|_| malformed());
    let (key, serial) = (octets(key)?, octets(serial)?);
    let entry = server.records.store().exactly(&serial_text(&serial))?;
    entry
        .filter(|entry| {
            let certificate = entry.certificate();
            let parsed = certificate.parsed();
            parsed.serial == serial && parsed.authority_key_identifier() == Some(&key)
        })
        .ok_or_else(|| Problem::not_found("certificate"))
}
