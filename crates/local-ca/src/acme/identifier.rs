//! Identifiers of orders: host names (RFC 8555 §7.1.4) and addresses (RFC 8738), parsed by the rules for certificates.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::problem::{Problem, ProblemKind};
use crate::names::{DnsName, SubjectAltName, shown};

/// What a certificate is asked for: `{"type": "dns", "value": "app.example.test"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identifier {
    /// A host name, possibly a wildcard.
    Dns(DnsName),
    /// An address.
    Ip(IpAddr),
}

impl Identifier {
    /// Reads one; `value` may be in any case.
    pub(crate) fn new(kind: &str, value: &str) -> Result<Self, Problem> {
        let malformed = |reason: String| Problem::new(ProblemKind::Malformed, reason);
        match kind {
            "dns" => DnsName::parse(value)
                .map(Self::Dns)
                .map_err(|error| malformed(error.to_string())),
            // RFC 8738 §3: the text forms of RFC 1123 and RFC 5952
            "ip" => value.parse().map(Self::Ip).map_err(|_| {
                malformed(format!("`{}` is not an IPv4 or IPv6 address", shown(value)))
            }),
            other => Err(Problem::new(
                ProblemKind::UnsupportedIdentifier,
                format!("identifiers are of type dns or ip, not `{}`", shown(other)),
            )),
        }
    }

    /// Reads a member of `identifiers`.
    pub(crate) fn from_json(value: &Value) -> Result<Self, Problem> {
        let text = |member| value.get(member).and_then(Value::as_str);
        match (text("type"), text("value")) {
            (Some(kind), Some(value)) => Self::new(kind, value),
            _ => Err(Problem::malformed(
                "an identifier has the texts `type` and `value`",
            )),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"type": self.kind(), "value": self.value()})
    }

    /// `dns` or `ip`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Ip(_) => "ip",
        }
    }

    /// As it is written.
    pub(crate) fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.as_str().to_owned(),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// What an authorization is for: of a wildcard the name behind `*.`, and that it was one (§7.1.4).
    pub(crate) fn base(&self) -> (Self, bool) {
        if let Self::Dns(name) = self
            && let Some(base) = name.as_str().strip_prefix("*.")
        {
            let base = DnsName::parse(base).expect("a wildcard's rest is a name");
            return (Self::Dns(base), true);
        }
        (self.clone(), false)
    }

    /// As a certificate has it.
    pub(crate) fn to_name(&self) -> SubjectAltName {
        match self {
            Self::Dns(name) => SubjectAltName::Dns(name.clone()),
            Self::Ip(address) => SubjectAltName::Ip(*address),
        }
    }

    /// A name of a certificate as an identifier, if it is of a kind that orders have.
    pub(crate) fn of_name(name: &SubjectAltName) -> Option<Self> {
        match name {
            SubjectAltName::Dns(name) => Some(Self::Dns(name.clone())),
            SubjectAltName::Ip(address) => Some(Self::Ip(*address)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_wildcards_are_told_apart() {
        let dns = Identifier::new("dns", "WWW.Example.Test").unwrap();
        assert_eq!(dns.value(), "www.example.test");
        assert_eq!(dns.base(), (dns.clone(), false));
        let wildcard = Identifier::new("dns", "*.example.test").unwrap();
        assert_eq!(
            wildcard.base(),
            (Identifier::new("dns", "example.test").unwrap(), true)
        );
        let address = Identifier::new("ip", "2001:DB8:0::1").unwrap();
        assert_eq!(address.value(), "2001:db8::1");
        for (kind, value, expected) in [
            ("dns", "127.0.0.1", ProblemKind::Malformed),
            ("ip", "localhost", ProblemKind::Malformed),
            ("dns", "*.*.test", ProblemKind::Malformed),
            ("email", "a@b.test", ProblemKind::UnsupportedIdentifier),
        ] {
            assert_eq!(Identifier::new(kind, value).unwrap_err().kind, expected);
        }
        assert!(Identifier::from_json(&json!({"type": "dns"})).is_err());
    }
}
