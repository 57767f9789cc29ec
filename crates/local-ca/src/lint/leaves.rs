//! The checks of what stands at the end of a chain: S, servers, and C, clients.

use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::input::{CA_ISSUERS, Input, KEY_CERT_SIGN, OCSP};
use super::{Found, error, unless, warning};
use crate::names::{DnsName, EmailAddress, shown};

/// Days of a life that needs no pointers.
const SHORT_LIVED: i64 = 7;

pub(super) fn alternative_names(input: &Input<'_>) -> Found {
    let hosts = input.names().map(|(_, names)| {
        names
            .iter()
            .any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_)))
    });
    unless(
        hosts == Some(true),
        error("no host in subjectAltName: Go, rustls, Chromium and others see no name at all"),
    )
}

pub(super) fn alternative_names_critical(input: &Input<'_>) -> Found {
    let empty = input.certificate.subject().iter().next().is_none();
    match input.names() {
        Some((critical, _)) if critical != empty => {
            error("subjectAltName is critical exactly when the subject is empty")
        }
        _ => None,
    }
}

pub(super) fn common_name(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    let stray = input
        .certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok())
        .find(|common| {
            !names.iter().any(|name| match name {
                GeneralName::DNSName(host) => host == common,
                GeneralName::IPAddress(octets) => crate::names::SubjectAltName::ip_octets(octets)
                    .is_ok_and(|address| address.to_string() == *common),
                _ => false,
            })
        });
    match stray {
        None => None,
        Some(stray) => error(format!(
            "the common name `{}` is none of the names",
            shown(stray)
        )),
    }
}

pub(super) fn host_names(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    names.iter().find_map(|name| match name {
        GeneralName::DNSName(host) => match DnsName::parse(host) {
            Ok(parsed) => unless(
                parsed.as_str() == *host,
                error(format!("`{host}` is not in lower case")),
            ),
            Err(refused) => error(refused.to_string()),
        },
        _ => None,
    })
}

pub(super) fn addresses(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    let odd = names.iter().any(
        |name| matches!(name, GeneralName::IPAddress(octets) if !matches!(octets.len(), 4 | 16)),
    );
    unless(!odd, error("an address has 4 or 16 octets"))
}

pub(super) fn purposes(input: &Input<'_>) -> Found {
    match input.purposes() {
        None => error("no extendedKeyUsage: it logs in as a client, too"),
        Some(_) if input.purposes_are_critical() => error("extendedKeyUsage is critical"),
        Some(purposes) if purposes.any => error("anyExtendedKeyUsage"),
        Some(purposes) if !purposes.server_auth => error("extendedKeyUsage lacks serverAuth"),
        Some(purposes) if purposes.client_auth => warning("for servers and clients at once"),
        Some(_) => None,
    }
}

pub(super) fn server_usage(input: &Input<'_>) -> Found {
    match input.usage() {
        Some((_, flags)) if flags & 1 == 0 => error("keyUsage lacks digitalSignature: no TLS 1.3"),
        _ => None,
    }
}

/// RFC 5280 §4.2.1.3 and §4.2.1.9: what is no authority does not sign certificates.
pub(super) fn no_signer(input: &Input<'_>) -> Found {
    if input.is_authority() {
        return error("a leaf with cA TRUE: whoever has its key is an authority");
    }
    match input.usage() {
        Some((_, flags)) if flags & KEY_CERT_SIGN != 0 => error("a leaf with keyCertSign"),
        _ => None,
    }
}

pub(super) fn no_authority(input: &Input<'_>) -> Found {
    if let Some(found) = no_signer(input) {
        return Some(found);
    }
    let constraints = input.extension(|one| matches!(one, ParsedExtension::BasicConstraints(_)));
    unless(
        constraints.is_none_or(|one| one.critical),
        error("basicConstraints is not critical"),
    )
}

pub(super) fn public_life(input: &Input<'_>) -> Found {
    let (days, start) = (
        input.days(),
        input.certificate.validity().not_before.timestamp(),
    );
    let limit = match start {
        ..1_805_068_800 => 200,
        1_805_068_800..1_868_227_200 => 100,
        _ => 47,
    };
    unless(
        days <= limit,
        error(format!("{days} days; {limit} are allowed")),
    )
}

pub(super) fn private_life(input: &Input<'_>) -> Found {
    let days = input.days();
    unless(
        days <= 825,
        error(format!("{days} days: Apple's systems refuse more than 825")),
    )
}

/// S11: where the issuer is found, and the status, unless it is over before anybody asks.
pub(super) fn pointers(input: &Input<'_>) -> Found {
    let Some(access) = input.access() else {
        return error("no authorityInfoAccess");
    };
    let points_at = |method: &str| access.iter().any(|one| one == method);
    if !points_at(CA_ISSUERS) {
        return error("authorityInfoAccess without caIssuers");
    }
    let list = input.extension(|one| matches!(one, ParsedExtension::CRLDistributionPoints(_)));
    unless(
        points_at(OCSP) || list.is_some() || input.days() <= SHORT_LIVED,
        error("neither an OCSP pointer nor a list's"),
    )
}

pub(super) fn policy(input: &Input<'_>) -> Found {
    let policies = super::values::policies(input);
    let reserved = policies
        .iter()
        .filter(|policy| policy.starts_with("2.23.140.1.2."))
        .count();
    unless(
        reserved == 1,
        error("not exactly one reserved policy (2.23.140.1.2...)"),
    )
}

pub(super) fn client_purpose(input: &Input<'_>) -> Found {
    if input.purposes().is_some_and(|purposes| purposes.any) {
        return error("anyExtendedKeyUsage");
    }
    let usage = input.usage().is_some_and(|(_, flags)| flags & 1 == 1);
    unless(usage, error("keyUsage lacks digitalSignature"))
}

pub(super) fn client_names(input: &Input<'_>) -> Found {
    unless(
        input.names().is_some_and(|(_, names)| !names.is_empty()),
        error("a client without a name in subjectAltName: some verifiers refuse it"),
    )
}

/// Names that are no hosts: a URI is absolute, a mail address a mailbox alone.
pub(super) fn other_names(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => unless(
            url::Url::parse(uri).is_ok(),
            error(format!("`{}` is no absolute URI", shown(uri))),
        ),
        GeneralName::RFC822Name(address) => match EmailAddress::parse(address) {
            Ok(_) => None,
            Err(refused) => error(refused.to_string()),
        },
        _ => None,
    })
}
