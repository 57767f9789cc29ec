//! The issuer identifier: what clients are configured with, and the names that a certificate for it needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use stampmill_local_ca::SubjectAltName;
use url::{Host, Url};

use super::error::StartError;
use super::listen::Listen;

/// An issuer identifier (RFC 8414 §2: https, no query, no fragment).
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) text: String,
    host: Host<String>,
}

impl Issuer {
    pub(super) fn parse(text: &str) -> Result<Issuer, StartError> {
        let refused = |reason| StartError::Issuer {
            issuer: text.to_owned(),
            reason,
        };
        let url = Url::parse(text).map_err(|_| refused("it is no URL"))?;
        if url.scheme() != "https" {
            return Err(refused("it must begin with https:// (RFC 8414 §2)"));
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(refused(
                "it may have no query, fragment or user name (RFC 8414 §2)",
            ));
        }
        if url.path() != "/" || text.ends_with('/') {
            return Err(refused(
                "it is a host and a port here, without a path or a slash at the end",
            ));
        }
        // Clients compare issuers as strings, so there is one way to write each.
        if url.origin().ascii_serialization() != text {
            return Err(refused(
                "it must be written as https://host or https://host:port, in small letters and without the default port",
            ));
        }
        let host = url
            .host()
            .ok_or_else(|| refused("it has no host"))?
            .to_owned();
        Ok(Issuer {
            text: text.to_owned(),
            host,
        })
    }

    pub(super) fn of(
        listen: Option<Listen>,
        address: Option<&SocketAddr>,
    ) -> Result<Issuer, StartError> {
        match (listen, address) {
            (Some(Listen::Localhost(_)), Some(address)) => {
                Issuer::parse(&format!("https://localhost{}", port_suffix(address.port())))
            }
            (Some(Listen::Address(_)), Some(address)) if address.ip().is_loopback() => {
                let host = match address.ip() {
                    IpAddr::V4(v4) => v4.to_string(),
                    IpAddr::V6(v6) => format!("[{v6}]"),
                };
                Issuer::parse(&format!("https://{host}{}", port_suffix(address.port())))
            }
            _ => Err(StartError::IssuerNeeded),
        }
    }

    /// The names of this machine, and the issuer's own.
    pub(super) fn certificate_names(&self) -> Vec<SubjectAltName> {
        let own = match &self.host {
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
}

fn port_suffix(port: u16) -> String {
    if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8414_2_issuers() {
        for good in [
            "https://localhost:8443",
            "https://id.example",
            "https://127.0.0.1:1",
            "https://[::1]:8443",
        ] {
            assert_eq!(Issuer::parse(good).unwrap().text, good);
        }
        for bad in [
            "http://localhost",
            "https://a.example/",
            "https://a.example/tenant",
            "https://a.example?x",
            "https://a.example#x",
            "https://A.example",
            "https://a.example:443",
            "https://me@a.example",
            "localhost:8443",
            "",
        ] {
            assert!(
                matches!(Issuer::parse(bad), Err(StartError::Issuer { .. })),
                "{bad}"
            );
        }
    }
}
