//! Networks in CIDR notation, and the set of them that may be connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use crate::registry::Purpose;

/// A range of addresses, as in `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Zero in all bits after the prefix.
    address: IpAddr,
    prefix_length: u8,
}

impl Network {
    /// For the tables: neither bits after the prefix nor an impossible length may be written there.
    pub(crate) const fn of_const(address: IpAddr, prefix_length: u8) -> Network {
        assert!(is_well_formed(address, prefix_length));
        Network {
            address,
            prefix_length,
        }
    }

    /// The first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits all its addresses share.
    #[must_use]
    pub const fn prefix_length(&self) -> u8 {
        self.prefix_length
    }

    /// Whether `address`, as it is written, lies in this range. IPv4 ranges hold no IPv6 addresses and the reverse.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address, self.prefix_length) == Some(self.address)
    }
}

/// `address` with the bits after the prefix cleared; nothing if there are not so many bits.
fn masked(address: IpAddr, prefix_length: u8) -> Option<IpAddr> {
    let length = u32::from(prefix_length);
    // A shift by all bits (prefix 0) gives no mask at all, which is a mask of zeros.
    Some(match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32u32.checked_sub(length)?)
                .unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128u32.checked_sub(length)?)
                .unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    })
}

const fn is_well_formed(address: IpAddr, prefix_length: u8) -> bool {
    let (trailing_zeros, bits) = match address {
        IpAddr::V4(v4) => (v4.to_bits().trailing_zeros(), 32),
        IpAddr::V6(v6) => (v6.to_bits().trailing_zeros(), 128),
    };
    prefix_length <= bits && trailing_zeros >= (bits - prefix_length) as u32
}

/// Why a text is no network.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{given}` is no network: {reason}")]
pub struct NetworkError {
    given: String,
    reason: &'static str,
}

/// `10.0.0.0/8`, `fd00::/8`, or a single address.
impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| NetworkError {
            given: text.chars().take(64).collect(),
            reason,
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| error("expected an address like 10.0.0.0 or fd00:: before the slash"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_length = match length {
            None => bits,
            Some(length) => length
                .parse()
                .ok()
                .filter(|length| *length <= bits)
                .ok_or_else(|| error("expected the number of leading bits after the slash"))?,
        };
        if !is_well_formed(address, prefix_length) {
            return Err(error("bits are set after the prefix"));
        }
        Ok(Network {
            address,
            prefix_length,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_length)
    }
}

/// Which addresses may be connected to.
///
/// ```
/// use stampmill_outbound::Networks;
///
/// let strangers = Networks::public();
/// assert!(strangers.allow("9.9.9.9".parse()?));
/// assert!(!strangers.allow("192.168.1.1".parse()?));
///
/// let laboratory = Networks::none().with_loopback().with("192.168.1.0/24".parse()?);
/// assert!(laboratory.allow("::1".parse()?));
/// assert!(laboratory.allow("192.168.1.1".parse()?));
/// assert!(!laboratory.allow("9.9.9.9".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    public: bool,
    loopback: bool,
    named: Vec<Network>,
}

impl Networks {
    /// No address at all, to add to.
    #[must_use]
    pub fn none() -> Networks {
        Networks::default()
    }

    /// Public addresses and nothing else: right for whatever strangers name.
    #[must_use]
    pub fn public() -> Networks {
        Networks {
            public: true,
            ..Networks::default()
        }
    }

    /// And this machine.
    #[must_use]
    pub fn with_loopback(mut self) -> Networks {
        self.loopback = true;
        self
    }

    /// And this range, whatever it is for.
    #[must_use]
    pub fn with(mut self, network: Network) -> Networks {
        self.named.push(network);
        self
    }

    /// Whether this address may be connected to.
    #[must_use]
    pub fn allow(&self, address: IpAddr) -> bool {
        // `::ffff:10.0.0.1` is 10.0.0.1 to the operating system, so it is here.
        let address = address.to_canonical();
        let by_purpose = match Purpose::of(address) {
            Purpose::Public => self.public,
            Purpose::Loopback => self.loopback,
            Purpose::Special(_) => false,
        };
        by_purpose || self.named.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_are_read_strictly() {
        let network: Network = "10.0.0.0/8".parse().unwrap();
        assert!(network.contains("10.255.0.1".parse().unwrap()));
        assert!(!network.contains("11.0.0.0".parse().unwrap()));
        assert!(!network.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
        for everything in ["0.0.0.0/0", "::/0"] {
            assert_eq!(
                everything.parse::<Network>().unwrap().to_string(),
                everything
            );
        }
        for bad in [
            "",
            "10/8",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0.0/",
            "fd00::/8/8",
            "localhost",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_disguise_of_an_ipv4_address_neither_opens_nor_closes_a_door() {
        let private = Networks::none().with("10.0.0.0/8".parse().unwrap());
        assert!(private.allow("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!Networks::public().allow("::ffff:10.1.2.3".parse().unwrap()));
        assert!(
            !Networks::public()
                .with_loopback()
                .allow("64:ff9b::127.0.0.1".parse().unwrap())
        );
        assert!(
            Networks::none()
                .with_loopback()
                .allow("::ffff:127.0.0.1".parse().unwrap())
        );
    }

    proptest! {
        #[test]
        fn a_range_holds_what_shares_its_prefix(bits: u32, other: u32, length in 0u8..=32) {
            let mask = if length == 0 { 0 } else { u32::MAX << (32 - length) };
            let network: Network = format!("{}/{length}", Ipv4Addr::from_bits(bits & mask)).parse().unwrap();
            prop_assert!(network.contains(Ipv4Addr::from_bits(bits).into()));
            prop_assert_eq!(network.contains(Ipv4Addr::from_bits(other).into()), bits & mask == other & mask);
        }

        #[test]
        fn nothing_is_allowed_by_nothing(bits: u128) {
            prop_assert!(!Networks::none().allow(Ipv6Addr::from_bits(bits).into()));
        }
    }
}
