//! Where an authority's public files are found: the addresses that certificates carry.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::names::{SubjectAltName, shown};

/// `http://ca.internal:8080`: plain HTTP, because whoever fetches these files checks their signatures, and could not check a TLS
/// certificate without them (RFC 5280 §8). `stampmill ca serve` answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// An address that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{actual}` is no base for addresses: expected http://HOST or http://HOST:PORT, perhaps with a path, without a slash at the end"
)]
pub struct BaseUrlError {
    /// What came.
    actual: String,
}

impl BaseUrl {
    /// The list of what the issuing authority has revoked.
    #[must_use]
    pub fn crl(&self) -> String {
        format!("{}/crl/issuing.crl", self.0)
    }

    /// Where one part of the issuing authority's CRL is: the first part where the whole was before there were parts.
    #[must_use]
    pub fn crl_part(&self, part: u64) -> String {
        match part {
            0 => self.crl(),
            part => format!("{}/crl/issuing-{part}.crl", self.0),
        }
    }

    /// The list of what the root has revoked.
    #[must_use]
    pub fn root_crl(&self) -> String {
        format!("{}/crl/root.crl", self.0)
    }

    /// The responder.
    #[must_use]
    pub fn ocsp(&self) -> String {
        format!("{}/ocsp", self.0)
    }

    /// The issuing authority's certificate, in DER.
    #[must_use]
    pub fn issuing_certificate(&self) -> String {
        format!("{}/issuing.cer", self.0)
    }

    /// The root's certificate, in DER.
    #[must_use]
    pub fn root_certificate(&self) -> String {
        format!("{}/root.cer", self.0)
    }

    /// As it stands.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let refuse = || BaseUrlError {
            actual: shown(text),
        };
        let rest = text.strip_prefix("http://").ok_or_else(refuse)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let good_host = matches!(
            host.parse(),
            Ok(SubjectAltName::Dns(_) | SubjectAltName::Ip(_))
        );
        let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        let segment = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c))
        };
        let good_path = path.is_none_or(|path| path.split('/').all(segment));
        match good_host && good_port && good_path {
            true => Ok(Self(text.to_owned())),
            false => Err(refuse()),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_http_and_whole() {
        for good in [
            "http://localhost:8080",
            "http://ca.internal",
            "http://[::1]:80/pki",
            "http://127.0.0.1:1/a/b",
        ] {
            assert!(good.parse::<BaseUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://ca.internal",
            "http://",
            "http://ca.internal/",
            "http://ca internal",
            "http://a:99999",
            "http://u@a.test",
            "http://a.test/x?y",
            "http://a.test//x",
        ] {
            assert!(bad.parse::<BaseUrl>().is_err(), "{bad}");
        }
        let base: BaseUrl = "http://localhost:8080".parse().unwrap();
        assert_eq!(base.ocsp(), "http://localhost:8080/ocsp");
    }
}
