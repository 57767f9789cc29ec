//! IP addresses and networks, as Kubernetes has them (CEL `net` extension).
//!
//! One address has one value: IPv4 addresses mapped into IPv6 (`::ffff:c0a8:1`) are the IPv4 addresses. Texts that others
//! may read differently are refused: zones (`fe80::1%en0`), leading zeros, mapped addresses with dots or with a prefix length.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::semantics::Outcome;

/// An address or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Ip(IpAddr),
    Cidr(Cidr),
}

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    pub(crate) address: IpAddr,
    pub(crate) length: u8,
}

/// The functions of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    /// `ip(text)` and `cidr.ip()`.
    Ip,
    IsIp,
    IsCanonical,
    Family,
    IsUnspecified,
    IsLoopback,
    IsGlobalUnicast,
    IsLinkLocalMulticast,
    IsLinkLocalUnicast,
    Cidr,
    IsCidr,
    ContainsIp,
    ContainsCidr,
    Masked,
    PrefixLength,
}

/// Calls a function; the receiver is the first argument.
pub(crate) fn call<'a>(function: Net, arguments: &[Item<'a>]) -> Outcome<'a> {
    use Network::{Cidr as OfCidr, Ip as OfIp};
    let parsed = |text: &str| parse_ip(text).ok_or(ErrorKind::BadConversion);
    Ok(match (function, arguments) {
        (Net::Ip, [Item::String(text)]) => Item::Network(OfIp(parsed(text)?)),
        (Net::Ip, [Item::Network(OfCidr(cidr))]) => Item::Network(OfIp(cidr.address)),
        (Net::IsIp, [Item::String(text)]) => Item::Bool(parse_ip(text).is_some()),
        (Net::IsCanonical, [Item::String(text)]) => Item::Bool(parsed(text)?.to_string() == **text),
        (Net::Cidr, [Item::String(text)]) => {
            Item::Network(OfCidr(Cidr::parse(text).ok_or(ErrorKind::BadConversion)?))
        }
        (Net::IsCidr, [Item::String(text)]) => Item::Bool(Cidr::parse(text).is_some()),
        (_, [Item::Network(OfIp(address))]) => return of_address(function, *address),
        (Net::Masked, [Item::Network(OfCidr(cidr))]) => Item::Network(OfCidr(cidr.masked())),
        (Net::PrefixLength, [Item::Network(OfCidr(cidr))]) => Item::Int(cidr.length.into()),
        (Net::ContainsIp, [Item::Network(OfCidr(cidr)), Item::Network(OfIp(address))]) => {
            Item::Bool(cidr.contains(*address))
        }
        (Net::ContainsIp, [Item::Network(OfCidr(cidr)), Item::String(text)]) => {
            Item::Bool(cidr.contains(parsed(text)?))
        }
        (Net::ContainsCidr, [Item::Network(OfCidr(cidr)), Item::Network(OfCidr(other))]) => {
            Item::Bool(cidr.contains_cidr(*other))
        }
        (Net::ContainsCidr, [Item::Network(OfCidr(cidr)), Item::String(text)]) => {
            let other = Cidr::parse(text).ok_or(ErrorKind::BadConversion)?;
            Item::Bool(cidr.contains_cidr(other))
        }
        _ => return Err(ErrorKind::NoSuchOverload),
    })
}

fn of_address<'a>(function: Net, address: IpAddr) -> Outcome<'a> {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    Ok(match function {
        Net::Family => Item::Int(if address.is_ipv4() { 4 } else { 6 }),
        Net::IsUnspecified => Item::Bool(address.is_unspecified()),
        Net::IsLoopback => Item::Bool(address.is_loopback()),
        // Private addresses are global unicast here, as in Go.
        Net::IsGlobalUnicast => Item::Bool(
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || link_local
                || address == IpAddr::from([255; 4])),
        ),
        Net::IsLinkLocalMulticast => Item::Bool(match address {
            IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
            IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
        }),
        Net::IsLinkLocalUnicast => Item::Bool(link_local),
        _ => return Err(ErrorKind::NoSuchOverload),
    })
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let dotted = address.is_ipv6() && text.contains('.');
    (!dotted).then(|| address.to_canonical())
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let number: u8 = length.parse().ok()?;
        let plain = number.to_string() == length && address.to_canonical() == address;
        let fits = number <= bits(address).1;
        (plain && fits).then_some(Self {
            address,
            length: number,
        })
    }

    fn masked(self) -> Self {
        let (value, width) = bits(self.address);
        let kept = prefix(value, width, self.length);
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4((kept as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(kept.into()),
        };
        Self { address, ..self }
    }

    fn contains(self, address: IpAddr) -> bool {
        let ((own, width), (other, other_width)) = (bits(self.address), bits(address));
        width == other_width && prefix(own, width, self.length) == prefix(other, width, self.length)
    }

    fn contains_cidr(self, other: Cidr) -> bool {
        self.length <= other.length && self.contains(other.address)
    }
}

/// An address as a number, and its width.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The number with all bits behind the prefix cleared; `length` is `width` at most.
fn prefix(value: u128, width: u8, length: u8) -> u128 {
    let behind = u32::from(width - length);
    value
        .checked_shr(behind)
        .and_then(|kept| kept.checked_shl(behind))
        .unwrap_or(0)
}

impl Display for Network {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Network::Ip(address) => write!(f, "{address}"),
            Network::Cidr(Cidr { address, length }) => write!(f, "{address}/{length}"),
        }
    }
}
