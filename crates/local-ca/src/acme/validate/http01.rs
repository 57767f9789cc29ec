//! http-01 (RFC 8555 §8.3): `http://NAME/.well-known/acme-challenge/TOKEN` is the key authorization.

use stampmill_outbound::Trust;

use super::{Probe, Surroundings, failed, incorrect, outbound};
use crate::acme::problem::Problem;
use crate::acme::settings::AcmeSettings;
use crate::names::printable;

/// §8.3: "The server SHOULD follow redirects"; as many as public authorities do.
const MOST_REDIRECTS: u8 = 10;

/// Fetches, and compares. White space at the end does not count. A redirect may lead to HTTPS, and there to a certificate that has run
/// out: getting another is what this is for. What proves the name is the answer, and that began with plain HTTP anyway.
pub(super) async fn look(
    settings: &AcmeSettings,
    surroundings: &Surroundings,
    probe: &Probe,
) -> Result<(), Problem> {
    let outbound = outbound(settings, surroundings, probe)
        .with_plain_http()
        .with_trust(Trust::danger_anyone())
        .with_redirects(MOST_REDIRECTS);
    let port = match settings.http_01_port {
        80 => String::new(),
        other => format!(":{other}"),
    };
    let (host, token) = (probe.host(), &probe.token);
    let url = format!("http://{host}{port}/.well-known/acme-challenge/{token}");
    let answer = outbound.get(&url).await;
    let answer = answer.map_err(|error| failed(&error, probe))?;
    if !answer.status.is_success() {
        return Err(incorrect(format!(
            "{} answers {}",
            answer.url, answer.status
        )));
    }
    if answer.body.trim_ascii_end() == probe.key_authorization.as_bytes() {
        return Ok(());
    }
    let begin = String::from_utf8_lossy(&answer.body[..answer.body.len().min(100)]).into_owned();
    Err(incorrect(format!(
        "{} answers `{}`, not the key authorization",
        answer.url,
        printable(&begin)
    )))
}
