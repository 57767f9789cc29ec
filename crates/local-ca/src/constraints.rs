//! Name constraints (RFC 5280 §4.2.1.10): the names an authority may certify, written into its own certificate, so that a stolen key is
//! good for no bank.
//!
//! A permitted `test` covers `test` and everything below it. Names of a kind that is not mentioned stay free, so to forbid a kind one
//! excludes it whole: host names and addresses where none are permitted, mail addresses and URIs unless somebody asks for them. There is no
//! one way to exclude those two that every verifier reads. OpenSSL takes the empty name, which RFC 5280 has for host names, for a host without
//! a name, and Java does not read it at all; GnuTLS passes over permitted URIs. What all of them, NSS, Go and rustls follow is a host that
//! nobody has, permitted and excluded at once:
//!
//! ```text
//!   permitted:  test, ..., 127.0.0.0/8, ...   mail: nowhere.invalid   URI: nowhere.invalid      nothing else of either kind,
//!   excluded:                                 mail: nowhere.invalid   URI: nowhere.invalid      and not this either
//! ```
//!
//! Where they are asked for they are not mentioned: rustls refuses any certificate with a mail address or a URI below an authority that
//! constrains that kind at all. Then the domains hold them when *we* sign, and nobody when a thief does.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::der::{self, Der, NotDer, oid, write};
use crate::names::{DnsName, NameError, SubjectAltName, shown};

/// The names an authority is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameConstraints {
    domains: Vec<DnsName>,
    networks: Vec<Network>,
    mail: bool,
    uris: bool,
}

/// A host that nobody has (RFC 6761 §6.4).
const NOWHERE: &[u8] = b"nowhere.invalid";
/// `rfc822Name` and `uniformResourceIdentifier` in `GeneralName` (RFC 5280 §4.2.1.6).
const MAIL: u8 = 1;
const URI: u8 = 6;

/// Names that nobody else has (RFC 6761, RFC 8375, and `.internal`, which ICANN keeps free), loopback and private addresses.
const PRIVATE: &[&str] = &[
    "localhost",
    "test",
    "internal",
    "home.arpa",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
];

/// Names and addresses that exist on one's own machines only.
impl Default for NameConstraints {
    fn default() -> Self {
        PRIVATE
            .iter()
            .fold(Self::nothing(), |constraints, subtree| {
                constraints
                    .permitting(subtree)
                    .expect("every row of the table is a domain or a network: a test reads it")
            })
    }
}

impl NameConstraints {
    /// Nothing is permitted yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            domains: Vec::new(),
            networks: Vec::new(),
            mail: false,
            uris: false,
        }
    }

    /// Mail addresses are certified as well, those at a permitted domain; for verifiers they are free.
    #[must_use]
    pub fn with_mail(self) -> Self {
        Self { mail: true, ..self }
    }

    /// URIs are certified as well, those with a host in a permitted domain; for verifiers they are free.
    #[must_use]
    pub fn with_uris(self) -> Self {
        Self { uris: true, ..self }
    }

    /// Neither mail addresses nor URIs, whatever verifiers would say.
    pub(crate) fn for_servers(self) -> Self {
        Self {
            mail: false,
            uris: false,
            ..self
        }
    }

    /// Whether names of this kind are certified at all, if the domains permit.
    pub(crate) fn has_kind_of(&self, name: &SubjectAltName) -> bool {
        match name {
            SubjectAltName::Email(_) => self.mail,
            SubjectAltName::Uri(_) => self.uris,
            SubjectAltName::Dns(_) | SubjectAltName::Ip(_) => true,
        }
    }

    /// Permits one domain with all below it (`example.test`, `.test`), or one network (`10.0.0.0/8`, `::1`).
    ///
    /// # Errors
    /// [`NameError::Subtree`].
    pub fn permitting(mut self, subtree: &str) -> Result<Self, NameError> {
        let refuse = |reason| NameError::Subtree {
            name: shown(subtree),
            reason,
        };
        if let Ok(network) = subtree.parse::<Network>() {
            if !self.networks.contains(&network) {
                self.networks.push(network);
            }
            return Ok(self);
        }
        if subtree.contains('/') {
            return Err(refuse("no network: the address, or the number of bits"));
        }
        let domain = DnsName::parse(subtree.strip_prefix('.').unwrap_or(subtree))
            .map_err(|_| refuse("not a well-formed name"))?;
        if domain.is_wildcard() {
            return Err(refuse("a domain covers what is below it without `*`"));
        }
        if !self.domains.contains(&domain) {
            self.domains.push(domain);
        }
        Ok(self)
    }

    /// Each domain and network it permits, and other kinds of names, as it is shown.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        let domains = self.domains.iter().map(|domain| domain.as_str().to_owned());
        let networks = self.networks.iter().map(ToString::to_string);
        let kinds = match (self.mail, self.uris) {
            (true, true) => Some("mail addresses and URIs there"),
            (true, false) => Some("mail addresses there"),
            (false, true) => Some("URIs there"),
            (false, false) => None,
        };
        let kinds = kinds.map(str::to_owned);
        domains.chain(networks).chain(kinds).collect()
    }

    /// Whether a name lies within.
    #[must_use]
    pub fn permits(&self, name: &SubjectAltName) -> bool {
        match name {
            SubjectAltName::Dns(name) => self.permits_host(name),
            SubjectAltName::Email(address) => self.mail && self.permits_host(address.host()),
            SubjectAltName::Uri(uri) => self.uris && self.permits_host(uri.host()),
            SubjectAltName::Ip(address) => self
                .networks
                .iter()
                .any(|network| network.contains(*address)),
        }
    }

    fn permits_host(&self, name: &DnsName) -> bool {
        // `*.example.test` stands for names below `example.test`
        let name = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
        self.domains.iter().any(|domain| {
            name.strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// The extension, critical (RFC 5280 demands that). `minimum` has the default 0 and `maximum` is absent. Subjects begin with `directory`,
    /// a `Name`, where there is one.
    pub(crate) fn extension(&self, directory: Option<&[u8]>) -> Vec<u8> {
        let mut permitted: Vec<Vec<u8>> = self.domains.iter().map(dns_subtree).collect();
        permitted.extend(self.networks.iter().map(|network| network.subtree()));
        let mut excluded = Vec::new();
        if self.domains.is_empty() {
            // the empty name covers all names
            excluded.push(write::sequence([write::context_bytes(2, b"")]));
        }
        if self.networks.is_empty() {
            excluded.extend([Network::ALL_V4, Network::ALL_V6].map(Network::subtree));
        }
        if let Some(name) = directory {
            permitted.push(write::sequence([write::context(4, [name.to_vec()])]));
        }
        for (kind, free) in [(MAIL, self.mail), (URI, self.uris)] {
            if !free {
                let nowhere = write::sequence([write::context_bytes(kind, NOWHERE)]);
                permitted.push(nowhere.clone());
                excluded.push(nowhere);
            }
        }
        let list = |number, subtrees: Vec<Vec<u8>>| match subtrees.is_empty() {
            true => Vec::new(),
            false => write::context(number, subtrees),
        };
        let value = write::sequence([list(0, permitted), list(1, excluded)]);
        write::extension(oid::NAME_CONSTRAINTS, true, &value)
    }

    /// Reads what [`extension`](Self::extension) wrote; constraints of other kinds and excluded subtrees are passed over. Mail addresses and
    /// URIs that are permitted somewhere count as excluded: nowhere is where we permit them.
    pub(crate) fn read(value: &[u8]) -> Result<Self, NotDer> {
        let mut constraints = Self::nothing().with_mail().with_uris();
        let mut lists = der::only(value, der::SEQUENCE)?.inside();
        let Some(permitted) = lists.optional(der::CONTEXT_0)? else {
            return Ok(constraints);
        };
        let mut subtrees: Der<'_> = permitted.inside();
        while !subtrees.is_empty() {
            let base = subtrees.expect(der::SEQUENCE)?.inside().element()?;
            match base.tag {
                0x82 => {
                    let text = String::from_utf8_lossy(base.contents);
                    constraints = constraints.permitting(&text).map_err(|_| NotDer)?;
                }
                0x87 => constraints
                    .networks
                    .push(Network::from_octets(base.contents).ok_or(NotDer)?),
                0x81 => constraints.mail = false,
                0x86 => constraints.uris = false,
                _ => {}
            }
        }
        Ok(constraints)
    }
}

/// `localhost, test, 127.0.0.0/8`; where they are certified, `mail addresses and URIs there`.
impl fmt::Display for NameConstraints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.list();
        match all.is_empty() {
            true => f.write_str("nothing"),
            false => f.write_str(&all.join(", ")),
        }
    }
}

fn dns_subtree(domain: &DnsName) -> Vec<u8> {
    write::sequence([write::context_bytes(2, domain.as_str().as_bytes())])
}

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    const ALL_V4: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        bits: 0,
    };
    const ALL_V6: Self = Self {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        bits: 0,
    };

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (length, ours) = number(self.address);
        let (other_length, theirs) = number(address);
        // a shift by all bits would be none
        let difference = (ours ^ theirs).checked_shr(length - self.bits).unwrap_or(0);
        length == other_length && difference == 0
    }

    /// Address and mask side by side (RFC 5280 §4.2.1.10).
    fn subtree(self) -> Vec<u8> {
        let octets = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                [address.octets(), mask.to_be_bytes()].concat()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                [address.octets(), mask.to_be_bytes()].concat()
            }
        };
        write::sequence([write::context_bytes(7, &octets)])
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let (address, mask) = octets.split_at(octets.len() / 2);
        let address: IpAddr = match octets.len() {
            8 => <[u8; 4]>::try_from(address).ok()?.into(),
            32 => <[u8; 16]>::try_from(address).ok()?.into(),
            _ => return None,
        };
        let bits = mask.iter().map(|byte| byte.count_ones()).sum();
        Some(Self { address, bits })
    }
}

/// How many bits an address has, and the address as a number.
fn number(address: IpAddr) -> (u32, u128) {
    match address {
        IpAddr::V4(address) => (32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (128, address.to_bits()),
    }
}

/// `10.0.0.0/8`, or one address. Bits behind the prefix must be zero, so that nobody permits another network than the one they read.
impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(drop)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(drop)?;
        let (length, value) = number(address);
        let bits = bits.unwrap_or(length);
        if bits > length {
            return Err(());
        }
        match value.checked_shl(128 - length + bits).unwrap_or(0) {
            0 => Ok(Self { address, bits }),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_are_within_and_public_ones_are_not() {
        for mail_or_uri in ["alice@example.test", "spiffe://example.test/x"] {
            let name = mail_or_uri.parse().unwrap();
            assert!(!NameConstraints::default().permits(&name), "{mail_or_uri}");
        }
        let constraints = NameConstraints::default().with_mail().with_uris();
        for inside in [
            "localhost",
            "app.localhost",
            "a.b.test",
            "*.example.test",
            "db.internal",
            "nas.home.arpa",
            "127.0.0.1",
            "127.255.255.255",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "::1",
            "fd00::1",
            "alice@example.test",
            "spiffe://example.test/x",
        ] {
            assert!(constraints.permits(&inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "example.com",
            "test.example.com",
            "contest",
            "arpa",
            "*.example.com",
            "8.8.8.8",
            "172.32.0.1",
            "128.0.0.1",
            "::2",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "alice@example.com",
            "https://example.com/.test",
        ] {
            assert!(!constraints.permits(&outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn constraints_are_read_as_they_were_written() {
        let all = NameConstraints::nothing()
            .permitting("0.0.0.0/0")
            .and_then(|all| all.permitting("::/0"))
            .and_then(|all| all.permitting("10.1.2.3"))
            .unwrap();
        let mail = NameConstraints::default().with_mail();
        for constraints in [NameConstraints::default(), all, mail] {
            let extension = constraints.extension(None);
            let mut parts = der::only(&extension, der::SEQUENCE).unwrap().inside();
            assert_eq!(
                parts.expect(der::OID).unwrap().contents,
                oid::NAME_CONSTRAINTS
            );
            assert_eq!(parts.expect(der::BOOLEAN).unwrap().contents, [0xff]);
            let value = parts.expect(der::OCTET_STRING).unwrap().contents;
            assert_eq!(NameConstraints::read(value), Ok(constraints));
        }
        for bad in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "a/b",
            "*.test",
            "",
            "::1/129",
            "a b",
        ] {
            assert!(
                NameConstraints::nothing().permitting(bad).is_err(),
                "{bad:?}"
            );
        }
        let shown = NameConstraints::nothing()
            .permitting(".Test")
            .and_then(|some| some.permitting("::1"))
            .unwrap();
        assert_eq!(shown.to_string(), "test, ::1/128");
    }
}
