//! Names that a certificate may carry (RFC 5280 §4.2.1.6, RFC 9525): host names and addresses, nothing else.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// One name of a server, parsed: lower case, well formed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectAltName {
    /// A host name in lower case, possibly with `*` as its whole first label.
    Dns(DnsName),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
}

impl SubjectAltName {
    /// A host name.
    ///
    /// # Errors
    /// [`NameError`], also for what is an address.
    pub fn dns(name: &str) -> Result<Self, NameError> {
        DnsName::parse(name).map(Self::Dns)
    }

    /// The octets of an `iPAddress` (RFC 5280 §4.2.1.6): 4 or 16.
    pub(crate) fn ip_octets(octets: &[u8]) -> Result<Self, NameError> {
        if let Ok(v4) = <[u8; 4]>::try_from(octets) {
            return Ok(Self::Ip(v4.into()));
        }
        let v6 = <[u8; 16]>::try_from(octets).map_err(|_| NameError::AddressLength {
            actual: octets.len(),
        })?;
        Ok(Self::Ip(v6.into()))
    }
}

/// An address is read as [`SubjectAltName::Ip`], everything else as a host name.
///
/// ```
/// use stampmill_local_ca::SubjectAltName;
/// assert!(matches!("127.0.0.1".parse(), Ok(SubjectAltName::Ip(_))));
/// assert_eq!("LocalHost".parse(), SubjectAltName::dns("localhost"));
/// assert!("http://localhost".parse::<SubjectAltName>().is_err());
/// ```
impl FromStr for SubjectAltName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(address) => Ok(Self::Ip(address)),
            Err(_) => Self::dns(text),
        }
    }
}

/// The name alone, without its kind: `localhost`, `::1`.
impl fmt::Display for SubjectAltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_str()),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// A host name of letters, digits and hyphens (RFC 1123 §2.1, RFC 5890 §2.3.1), in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(String);

impl DnsName {
    /// Checks the form and makes the name lower case.
    ///
    /// # Errors
    /// [`NameError`] naming the rule that is broken.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let refuse = |reason| {
            Err(NameError::Dns {
                name: name
                    .chars()
                    .take(80)
                    .flat_map(char::escape_default)
                    .collect(),
                reason,
            })
        };
        if name.is_empty() {
            return refuse("it is empty");
        }
        if name.len() > 253 {
            return refuse("longer than 253 characters");
        }
        if !name.is_ascii() {
            return refuse("letters beyond ASCII are written as an A-label (`xn--...`, RFC 5890)");
        }
        if name.parse::<IpAddr>().is_ok() {
            return refuse("an address belongs into an iPAddress");
        }
        let host = match name.strip_prefix("*.") {
            // What OpenSSL and browsers match: `*.example.test`, never `*.test`.
            Some(rest) if !rest.contains('.') => {
                return refuse("a wildcard needs two labels behind it");
            }
            Some(rest) => rest,
            None => name,
        };
        for label in host.split('.') {
            match label.as_bytes() {
                [] => return refuse("an empty label: a dot at an end, or two in a row"),
                long if long.len() > 63 => return refuse("a label longer than 63 characters"),
                [b'-', ..] | [.., b'-'] => return refuse("a label begins or ends with a hyphen"),
                label if label.contains(&b'*') => {
                    return refuse("`*` is allowed as the whole first label only (RFC 9525 §6.3)");
                }
                label
                    if !label
                        .iter()
                        .all(|c| c.is_ascii_alphanumeric() || *c == b'-') =>
                {
                    return refuse("only letters, digits and hyphens are allowed");
                }
                _ => {}
            }
        }
        let last = host.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|c| c.is_ascii_digit()) {
            return refuse("the last label is a number, as in an address");
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a name for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not a host name.
    #[error("`{name}` is not a host name: {reason}")]
    Dns {
        /// At most 80 characters of it, escaped.
        name: String,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// An `iPAddress` that is neither IPv4 nor IPv6.
    #[error("an address has 4 or 16 octets, not {actual}")]
    AddressLength {
        /// Octets it has.
        actual: usize,
    },
    /// A common name that is empty, longer than 64 characters (RFC 5280 Appendix A.1), or has control characters.
    #[error("a common name has 1 to 64 characters and no control characters")]
    CommonName,
}

/// A common name that a certificate can carry.
pub(crate) fn check_common_name(name: &str) -> Result<(), NameError> {
    let length = name.chars().count();
    match (1..=64).contains(&length) && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(NameError::CommonName),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_the_rules() {
        for good in [
            "localhost",
            "a.example.test",
            "*.example.test",
            "xn--bcher-kva.example",
            "1.example",
            "a-b.c",
        ] {
            assert_eq!(DnsName::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(
            DnsName::parse("WWW.Example.Test").unwrap().as_str(),
            "www.example.test"
        );
        let long_label = format!("{}.test", "a".repeat(64));
        let long_name = format!("{}test", "a.".repeat(125));
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-.b",
            "a_b",
            "a b",
            "b\u{fc}cher.example",
            "*",
            "*.test",
            "a*.example.test",
            "*.*.test",
            "www.*.test",
            "127.0.0.1",
            "::1",
            "10.0.0.256",
            "a/b",
            "a\0b",
            "http://a",
            "a:80",
            &long_label,
            &long_name,
        ] {
            assert!(
                matches!(DnsName::parse(bad), Err(NameError::Dns { .. })),
                "{bad:?}"
            );
        }
    }
}
