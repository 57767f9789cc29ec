//! Names that a certificate may carry (RFC 5280 §4.2.1.6, RFC 9525): host names and addresses of servers; mail addresses and URIs of
//! clients.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use icu_properties::props::{BidiControl, BinaryProperty as _, DefaultIgnorableCodePoint};
use thiserror::Error;

use crate::der::{Element, write};

/// One name, parsed: lower case where case means nothing, well formed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SubjectAltName {
    /// A host name in lower case, possibly with `*` as its whole first label.
    Dns(DnsName),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A person's mail address (`rfc822Name`).
    Email(EmailAddress),
    /// What a program is called, for instance `spiffe://example.test/billing` (`uniformResourceIdentifier`).
    Uri(Uri),
}

impl SubjectAltName {
    /// A host name.
    ///
    /// # Errors
    /// [`NameError`], also for what is an address.
    pub fn dns(name: &str) -> Result<Self, NameError> {
        DnsName::parse(name).map(Self::Dns)
    }

    /// The kind's name in RFC 5280 §4.2.1.6.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dNSName",
            Self::Ip(_) => "iPAddress",
            Self::Email(_) => "rfc822Name",
            Self::Uri(_) => "uniformResourceIdentifier",
        }
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

    /// Reads a `GeneralName`: the choice is the context tag.
    pub(crate) fn from_general_name(element: Element<'_>) -> Result<Self, GeneralNameError> {
        // IA5String: what is not ASCII is refused by the rules for each kind
        let text = || String::from_utf8_lossy(element.contents);
        let kind = match element.tag {
            0x81 => return Ok(EmailAddress::parse(&text()).map(Self::Email)?),
            0x82 => return Ok(Self::dns(&text())?),
            0x86 => return Ok(Uri::parse(&text()).map(Self::Uri)?),
            0x87 => return Ok(Self::ip_octets(element.contents)?),
            0xa0 => "otherName",
            0xa3 => "x400Address",
            0xa4 => "directoryName",
            0xa5 => "ediPartyName",
            0x88 => "registeredID",
            _ => return Err(GeneralNameError::Malformed),
        };
        Err(GeneralNameError::Kind(kind))
    }

    /// Writes it as a `GeneralName`.
    pub(crate) fn to_general_name(&self) -> Vec<u8> {
        match self {
            Self::Email(address) => write::context_bytes(1, address.to_string().as_bytes()),
            Self::Dns(name) => write::context_bytes(2, name.as_str().as_bytes()),
            Self::Uri(uri) => write::context_bytes(6, uri.as_str().as_bytes()),
            Self::Ip(IpAddr::V4(address)) => write::context_bytes(7, &address.octets()),
            Self::Ip(IpAddr::V6(address)) => write::context_bytes(7, &address.octets()),
        }
    }
}

/// Why a `GeneralName` is not one of ours.
pub(crate) enum GeneralNameError {
    Malformed,
    Kind(&'static str),
    Name(NameError),
}

impl From<NameError> for GeneralNameError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

/// An address is read as [`SubjectAltName::Ip`], what has `://` as a URI, what has an `@` as a mail address, everything else as a
/// host name.
///
/// ```
/// use stampmill_local_ca::SubjectAltName;
/// assert!(matches!("127.0.0.1".parse(), Ok(SubjectAltName::Ip(_))));
/// assert_eq!("LocalHost".parse(), SubjectAltName::dns("localhost"));
/// assert!(matches!("alice@example.test".parse(), Ok(SubjectAltName::Email(_))));
/// assert!(matches!("spiffe://example.test/billing".parse(), Ok(SubjectAltName::Uri(_))));
/// assert!("localhost:8443".parse::<SubjectAltName>().is_err());
/// ```
impl FromStr for SubjectAltName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        match text {
            uri if uri.contains("://") => Uri::parse(uri).map(Self::Uri),
            email if email.contains('@') => EmailAddress::parse(email).map(Self::Email),
            name => Self::dns(name),
        }
    }
}

/// The name alone, without its kind: `localhost`, `::1`.
impl fmt::Display for SubjectAltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_str()),
            Self::Ip(address) => address.fmt(f),
            Self::Email(address) => address.fmt(f),
            Self::Uri(uri) => f.write_str(uri.as_str()),
        }
    }
}

/// A mail address: a local part of the characters that need no quotes (RFC 5322 §3.2.3, `dot-atom`), and a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress {
    local: String,
    host: DnsName,
}

impl EmailAddress {
    /// Checks the form; the host becomes lower case.
    ///
    /// # Errors
    /// [`NameError::Email`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |reason| NameError::Email {
            name: shown(text),
            reason,
        };
        let (local, host) = text.rsplit_once('@').ok_or_else(|| refuse("no @"))?;
        let host = DnsName::parse(host).map_err(|_| refuse("no host name behind the @"))?;
        if host.is_wildcard() {
            return Err(refuse("a wildcard is no host"));
        }
        let atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
        let well_formed = local.len() <= 64
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(atom));
        match well_formed {
            true => Ok(Self {
                local: local.to_owned(),
                host,
            }),
            false => Err(refuse(
                "the part before the @ is empty, too long or needs quotes",
            )),
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &DnsName {
        &self.host
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host.as_str())
    }
}

/// A URI with a host (RFC 3986 §3; RFC 5280 §4.2.1.6 demands one for constraints to hold).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uri {
    text: String,
    host: DnsName,
}

impl Uri {
    /// Checks the form. The text is kept as it is.
    ///
    /// # Errors
    /// [`NameError::Uri`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |reason| NameError::Uri {
            name: shown(text),
            reason,
        };
        if text.len() > 2048 {
            return Err(refuse("longer than 2048 characters"));
        }
        let forbidden = b"\"<>\\^`{|}";
        if !text
            .bytes()
            .all(|c| c.is_ascii_graphic() && !forbidden.contains(&c))
        {
            return Err(refuse("a character that must be escaped"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("no scheme"))?;
        let good_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+-.".contains(&c));
        if !good_scheme {
            return Err(refuse("a scheme is lower-case letters, digits, +, - and ."));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(refuse("a user before the host"));
        }
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = DnsName::parse(host).map_err(|_| refuse("no host name behind the scheme"))?;
        match host.is_wildcard() {
            true => Err(refuse("a wildcard is no host")),
            false => Ok(Self {
                text: text.to_owned(),
                host,
            }),
        }
    }

    /// As it stands.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &DnsName {
        &self.host
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
                name: shown(name),
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
        let lower = host.to_ascii_lowercase();
        // Also whether letters of several alphabets, or directions, stand together as they may (UTS #46).
        if idna::domain_to_ascii_strict(&lower).ok().as_ref() != Some(&lower) {
            return refuse(
                "hyphens in places 3 and 4 make an A-label, and this is none (RFC 5890 §2.3.2.1)",
            );
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its first label is `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
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
    /// Not a mail address.
    #[error("`{name}` is not a mail address: {reason}")]
    Email {
        /// At most 80 characters of it, escaped.
        name: String,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// Not a URI with a host.
    #[error("`{name}` is not a URI for a certificate: {reason}")]
    Uri {
        /// At most 80 characters of it, escaped.
        name: String,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// Not a domain or a network to permit.
    #[error("`{name}` is neither a domain (`.test`) nor a network (`10.0.0.0/8`): {reason}")]
    Subtree {
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
    /// A country that is not two capital letters (ISO 3166).
    #[error("a country is two capital letters")]
    Country,
    /// A common name that is empty, longer than 64 characters (RFC 5280 Appendix A.1), or has characters that nobody sees.
    #[error(
        "a common name has 1 to 64 characters, and none that is not seen or turns the direction of others"
    )]
    CommonName,
    /// An authority's name that is blank, or begins or ends so: linters and GnuTLS refuse what it signs.
    #[error(
        "an authority's name, and its organization, is not blank, and neither begins nor ends with a blank"
    )]
    Blank,
}

/// At most 80 characters of a text from outside, escaped, for a message.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(80)
        .flat_map(char::escape_default)
        .collect()
}

/// A text from outside with what nobody would see escaped; letters of every alphabet stay.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(|c| match is_unseen(c) {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect()
}

/// Controls, and what makes others look otherwise: what turns the direction (Unicode's Bidi_Control), and what is not shown at all
/// (Default_Ignorable_Code_Point, but for the selectors of emoji and Han shapes).
fn is_unseen(c: char) -> bool {
    let selects = matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
        || BidiControl::for_char(c)
        || DefaultIgnorableCodePoint::for_char(c) && !selects
}

/// A common name that a certificate can carry.
pub(crate) fn check_common_name(name: &str) -> Result<(), NameError> {
    let length = name.chars().count();
    match (1..=64).contains(&length) && !name.chars().any(is_unseen) {
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
            "a-b--c.d",
            "*.xn--bcher-kva.example",
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
            "ab--cd.test",
            "a---b.c",
            "xn--.test",
            "xn--a.test",
            "xn--zzzzzzz99999.test",
            "xn--abc-.test",
            "xn--BCHER-KVA8445FOO.test",
            &long_label,
            &long_name,
        ] {
            assert!(
                matches!(DnsName::parse(bad), Err(NameError::Dns { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn what_nobody_sees_is_in_no_common_name_and_is_shown_escaped() {
        assert!(check_common_name("Ärztin Ω 好").is_ok());
        for bad in [
            "",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}",
            "\u{2066}a",
            "a\u{ad}b",
            "a\u{34f}b",
            "a\u{3164}b",
            "a\u{e0041}",
        ] {
            assert!(check_common_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(printable("Ω\u{202e}\n"), "Ω\\u{202e}\\n");
    }

    #[test]
    fn mail_addresses_and_uris_have_hosts() {
        for good in [
            "alice@example.test",
            "a.b+c@localhost",
            "o'hara@Example.Test",
        ] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "@example.test",
            "alice@",
            "alice",
            "a..b@x.test",
            "\"a b\"@x.test",
            "a@*.example.test",
            "a@b@c d",
            "a\0@x.test",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
        for good in [
            "spiffe://example.test/ns/billing",
            "https://localhost:8443/?q=1",
            "urn+x://a.test",
        ] {
            assert!(Uri::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x",
            "://a",
            "Spiffe://a.test",
            "spiffe://",
            "spiffe:///path",
            "spiffe://127.0.0.1/",
            "https://u@a.test/",
            "https://a.test/ x",
            "https://*.example.test/",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad:?}");
        }
    }
}
