//! tls-alpn-01 (RFC 8737): whoever speaks TLS under the name shows, to those who ask for `acme-tls/1`, a certificate of its own making
//! with the name alone and the digest of the key authorization.

use std::net::IpAddr;
use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};
use stampmill_outbound::BoxStream;
use tokio_openssl::SslStream;

use super::{Probe, Surroundings, failed, incorrect, outbound};
use crate::acme::identifier::Identifier;
use crate::acme::problem::{Problem, ProblemKind};
use crate::acme::settings::AcmeSettings;
use crate::certificate::Certificate;
use crate::der::{self, oid, write};

const PROTOCOL: &[u8] = b"acme-tls/1";
/// With its length before it (RFC 7301 §3.1).
const OFFERED: &[u8] = b"\x0aacme-tls/1";

/// Shakes hands, and reads the certificate.
pub(super) async fn look(
    settings: &AcmeSettings,
    surroundings: &Surroundings,
    probe: &Probe,
) -> Result<(), Problem> {
    let outbound = outbound(settings, surroundings, probe);
    let connection = outbound
        .connect(&probe.host(), settings.tls_alpn_01_port)
        .await;
    let connection = connection.map_err(|error| failed(&error, probe))?;
    let tls = |error: &dyn std::fmt::Display| {
        let detail = format!("no TLS connection with {}: {error}", probe.host());
        Problem::new(ProblemKind::Tls, detail)
    };
    let mut stream = session(probe)
        .and_then(|session| SslStream::new(session, connection.stream))
        .map_err(|error| tls(&error))?;
    let shaken = tokio::time::timeout(super::PATIENCE, Pin::new(&mut stream).connect()).await;
    shaken
        .map_err(|error| tls(&error))?
        .map_err(|error| tls(&error))?;
    judge(&stream, probe)
}

/// Asks for the protocol and the name; who answers is seen from the certificate, not believed because of it.
fn session(probe: &Probe) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_verify(SslVerifyMode::NONE);
    // RFC 8737 §4: "MUST use TLS 1.2 or higher"
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_alpn_protos(OFFERED)?;
    let mut session = Ssl::new(&context.build())?;
    session.set_hostname(&server_name(&probe.identifier))?;
    Ok(session)
}

/// SNI holds no addresses, so RFC 8738 §6 takes their reverse names.
fn server_name(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => name.as_str().to_owned(),
        Identifier::Ip(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Identifier::Ip(IpAddr::V6(address)) => {
            let nibbles = address
                .octets()
                .into_iter()
                .rev()
                .flat_map(|byte| [byte & 15, byte >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
    }
}

/// RFC 8737 §3, sentence by sentence.
fn judge(stream: &SslStream<BoxStream>, probe: &Probe) -> Result<(), Problem> {
    if stream.ssl().selected_alpn_protocol() != Some(PROTOCOL) {
        return Err(incorrect("the server did not take the protocol acme-tls/1"));
    }
    let shown = stream
        .ssl()
        .peer_certificate()
        .and_then(|shown| shown.to_der().ok());
    let shown = shown.and_then(|der| Certificate::from_der(&der).ok());
    let shown =
        shown.ok_or_else(|| incorrect("the server showed no certificate that can be read"))?;
    let parsed = shown.parsed();
    let self_signed = parsed.issuer == parsed.subject && shown.verifies_by_openssl(&shown);
    if !self_signed {
        return Err(incorrect("the certificate is not self-signed"));
    }
    // exactly one entry, of the kind and value that is validated: the whole extension is compared
    let only = write::sequence([probe.identifier.to_name().to_general_name()]);
    let same = parsed
        .extension(oid::SUBJECT_ALT_NAME)
        .is_some_and(|shown| match probe.identifier {
            // in any case; of an address every octet counts, `A` and `a` as well
            Identifier::Dns(_) => shown.eq_ignore_ascii_case(&only),
            Identifier::Ip(_) => shown == only,
        });
    if !same {
        return Err(incorrect(format!(
            "the certificate's subjectAltName is not `{}` alone",
            probe.identifier.value()
        )));
    }
    let digest = match parsed.marked_extension(oid::ACME_IDENTIFIER) {
        Some((true, value)) => der::only(value, der::OCTET_STRING).map(|octets| octets.contents),
        Some((false, _)) => return Err(incorrect("acmeIdentifier is not critical")),
        None => return Err(incorrect("the certificate has no acmeIdentifier")),
    };
    let expected = probe.digest();
    match digest {
        Ok(digest) if digest.len() == expected.len() && memcmp::eq(digest, &expected) => Ok(()),
        _ => Err(incorrect(
            "acmeIdentifier is not the digest of the key authorization",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        let name = |kind, value| server_name(&Identifier::new(kind, value).unwrap());
        assert_eq!(name("dns", "a.test"), "a.test");
        // the examples of RFC 8738 §6
        assert_eq!(name("ip", "203.0.113.1"), "1.113.0.203.in-addr.arpa");
        assert_eq!(
            name("ip", "2001:db8::1"),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
