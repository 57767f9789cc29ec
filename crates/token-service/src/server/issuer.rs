//! The issuer of a server that is told none, and the names that a certificate needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use stampmill_local_ca::SubjectAltName;
use url::Host;

use super::error::StartError;
use super::listen::Listen;
use crate::domain::Issuer;

pub(super) fn parse(text: &str) -> Result<Issuer, StartError> {
    Issuer::parse(text).map_err(|reason| StartError::Issuer {
        issuer: text.to_owned(),
        reason,
    })
}

/// What clients call a server that nobody gave a name.
pub(super) fn of(
    listen: Option<Listen>,
    address: Option<&SocketAddr>,
) -> Result<Issuer, StartError> {
    match (listen, address) {
        (Some(Listen::Localhost(_)), Some(address)) => {
            parse(&format!("https://localhost{}", port_suffix(address.port())))
        }
        (Some(Listen::Address(_)), Some(address)) if address.ip().is_loopback() => {
            let host = match address.ip() {
                IpAddr::V4(v4) => v4.to_string(),
                IpAddr::V6(v6) => format!("[{v6}]"),
            };
            parse(&format!("https://{host}{}", port_suffix(address.port())))
        }
        _ => Err(StartError::IssuerNeeded),
    }
}

/// The names of this machine, and the issuer's own.
pub(super) fn certificate_names(issuer: &Issuer) -> Vec<SubjectAltName> {
    let own = match issuer.host() {
        Host::Domain(name) => SubjectAltName::dns(name).ok(),
        Host::Ipv4(v4) => Some(SubjectAltName::Ip((*v4).into())),
        Host::Ipv6(v6) => Some(SubjectAltName::Ip((*v6).into())),
    };
    let localhost = SubjectAltName::dns("localhost").ok();
    let addresses =
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(SubjectAltName::Ip);
    let mut names: Vec<SubjectAltName> = localhost.into_iter().chain(addresses).collect();
    names.extend(own.filter(|own| !names.contains(own)));
    names
}

fn port_suffix(port: u16) -> String {
    if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    }
}
