//! What kind of address this is, by the registries of special-purpose addresses that IANA keeps.
//!
//! The two tables are the whole knowledge; the longest prefix that covers an address says what it is. An address that only *carries* another
//! one is judged by the one it carries, because that is where the packets go:
//!
//! | form | carries | judged as |
//! |---|---|---|
//! | `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2) | an IPv4 address, to which the operating system connects | that address |
//! | `64:ff9b::a.b.c.d` (RFC 6052 §2.1) | an IPv4 address behind a translator | that address, and public or not at all (§3.1) |
//! | `2002:aabb:ccdd::` (RFC 3056, retired by RFC 7526) | the IPv4 address of a relay | 6to4: never public |
//! | `2001:0::/32` (RFC 4380) | server and client of a tunnel | Teredo: never public |

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::Network;

/// What an address is for, as far as that decides whether strangers may make us connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Reachable by everybody on the internet.
    Public,
    /// This machine: `127.0.0.0/8`, `::1`.
    Loopback,
    /// Anything else; the text is the registry's name for the range.
    Special(&'static str),
}

impl Purpose {
    /// What this address is for.
    ///
    /// ```
    /// use stampmill_outbound::Purpose;
    ///
    /// assert_eq!(Purpose::of("93.184.215.14".parse()?), Purpose::Public);
    /// assert_eq!(Purpose::of("169.254.169.254".parse()?), Purpose::Special("link-local, cloud metadata"));
    /// // An IPv4 address in the clothes of an IPv6 one stays what it is.
    /// assert_eq!(Purpose::of("::ffff:127.0.0.1".parse()?), Purpose::Loopback);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn of(address: IpAddr) -> Purpose {
        match address.to_canonical() {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => match translated(v6) {
                Some(v4) if of_v4(v4) == Purpose::Public => Purpose::Public,
                Some(_) => {
                    Purpose::Special("IPv4/IPv6 translation of an address that is not public")
                }
                None => of_v6(v6),
            },
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::Public => "public",
            Purpose::Loopback => "loopback",
            Purpose::Special(name) => name,
        })
    }
}

/// The IPv4 address behind a translator with the well-known prefix.
fn translated(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x0064, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() else {
        return None;
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

fn of_v4(v4: Ipv4Addr) -> Purpose {
    longest(V4, v4.into()).unwrap_or(Purpose::Public)
}

fn of_v6(v6: Ipv6Addr) -> Purpose {
    longest(V6, v6.into()).expect("the table of IPv6 begins with ::/0")
}

fn longest(table: &[(Network, Purpose)], address: IpAddr) -> Option<Purpose> {
    let covering = table
        .iter()
        .filter(|(network, _)| network.contains(address));
    covering
        .max_by_key(|(network, _)| network.prefix_length())
        .map(|(_, purpose)| *purpose)
}

/// IANA IPv4 Special-Purpose Address Registry, and what lies beside it.
#[rustfmt::skip]
const V4: &[(Network, Purpose)] = &[
    (v4([0, 0, 0, 0], 8), special("this network")),                                       // RFC 791 §3.2
    (v4([10, 0, 0, 0], 8), special("private")),                                           // RFC 1918
    (v4([100, 64, 0, 0], 10), special("shared address space")),                           // RFC 6598; one cloud's metadata is in it
    (v4([127, 0, 0, 0], 8), LOOPBACK),                                                    // RFC 1122 §3.2.1.3
    // Not in the registry: public by its number, answered by the host of the virtual machine in Azure.
    (v4([168, 63, 129, 16], 32), special("cloud metadata")),
    (v4([169, 254, 0, 0], 16), special("link-local, cloud metadata")),                    // RFC 3927
    (v4([172, 16, 0, 0], 12), special("private")),                                        // RFC 1918
    (v4([192, 0, 0, 0], 24), special("IETF protocol assignments")),                       // RFC 6890
    (v4([192, 0, 0, 9], 32), PUBLIC),                                                     // RFC 7723: PCP anycast
    (v4([192, 0, 0, 10], 32), PUBLIC),                                                    // RFC 8155: TURN anycast
    (v4([192, 0, 2, 0], 24), special("documentation")),                                   // RFC 5737
    (v4([192, 88, 99, 0], 24), special("6to4 relay anycast")),                            // RFC 7526
    (v4([192, 168, 0, 0], 16), special("private")),                                       // RFC 1918
    (v4([198, 18, 0, 0], 15), special("benchmarking")),                                   // RFC 2544
    (v4([198, 51, 100, 0], 24), special("documentation")),                                // RFC 5737
    (v4([203, 0, 113, 0], 24), special("documentation")),                                 // RFC 5737
    (v4([224, 0, 0, 0], 4), special("multicast")),                                        // RFC 5771
    (v4([240, 0, 0, 0], 4), special("reserved")),                                         // RFC 1112 §4
    (v4([255, 255, 255, 255], 32), special("limited broadcast")),                         // RFC 8190
];

/// IANA IPv6 Special-Purpose Address Registry. Only `2000::/3` has been given out as global unicast (RFC 3587), so the
/// rest is special without a row of its own.
#[rustfmt::skip]
const V6: &[(Network, Purpose)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 0), special("not assigned as global unicast")),
    (v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), PUBLIC),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), special("IPv4-compatible")),                       // RFC 4291 §2.5.5.1
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), special("unspecified")),                          // RFC 4291
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), LOOPBACK),                                        // RFC 4291
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), special("translation of one's own")),            // RFC 8215
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), special("discard-only")),                      // RFC 6666
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), special("dummy prefix")),                      // RFC 9780
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), special("IETF protocol assignments")),        // RFC 2928
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), special("Teredo")),                           // RFC 4380
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), PUBLIC),                                     // RFC 7723: PCP anycast
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), PUBLIC),                                     // RFC 8155: TURN anycast
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), PUBLIC),                                     // RFC 9665: DNS-SD SRP anycast
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), special("benchmarking")),                     // RFC 5180
    (v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), PUBLIC),                                      // RFC 7450: AMT
    (v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), PUBLIC),                                  // RFC 7535: AS112
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), special("ORCHID")),                        // RFC 4843
    // Said to be reachable by the registry, but no host: names of keys, not places.
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), special("ORCHIDv2")),                      // RFC 7343
    (v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), special("drone remote identification")),   // RFC 9374
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), special("documentation")),                // RFC 3849
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), special("6to4")),                             // RFC 3056, RFC 7526
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), special("documentation")),                    // RFC 9637
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), special("segment routing")),                  // RFC 9602
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), special("unique local")),                      // RFC 4193; one cloud's metadata is in it
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), special("link-local")),                       // RFC 4291
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), special("site-local")),                       // RFC 3879
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), special("multicast")),                         // RFC 4291
];

const PUBLIC: Purpose = Purpose::Public;
const LOOPBACK: Purpose = Purpose::Loopback;

const fn special(name: &'static str) -> Purpose {
    Purpose::Special(name)
}

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Network {
    Network::of_const(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Network {
    Network::of_const(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each range at its first and last address and one step outside, by hand from the registries.
    #[test]
    fn ranges_begin_and_end_where_the_registries_say() {
        #[rustfmt::skip]
        let rows: &[(&str, bool)] = &[
            ("0.0.0.0", false), ("0.255.255.255", false), ("1.0.0.0", true), ("9.255.255.255", true), ("10.0.0.0", false),
            ("10.255.255.255", false), ("11.0.0.0", true), ("100.63.255.255", true), ("100.64.0.0", false),
            ("100.100.100.200", false), ("100.127.255.255", false), ("100.128.0.0", true), ("126.255.255.255", true),
            ("127.0.0.0", false), ("127.255.255.255", false), ("128.0.0.0", true), ("168.63.129.15", true),
            ("168.63.129.16", false), ("168.63.129.17", true), ("169.253.255.255", true), ("169.254.0.0", false),
            ("169.254.169.254", false), ("169.254.255.255", false), ("169.255.0.0", true), ("172.15.255.255", true),
            ("172.16.0.0", false), ("172.31.255.255", false), ("172.32.0.0", true), ("191.255.255.255", true),
            ("192.0.0.0", false), ("192.0.0.8", false), ("192.0.0.9", true), ("192.0.0.10", true), ("192.0.0.11", false),
            ("192.0.0.192", false), ("192.0.0.255", false), ("192.0.1.0", true), ("192.0.2.0", false),
            ("192.0.2.255", false), ("192.0.3.0", true), ("192.31.196.1", true), ("192.52.193.1", true),
            ("192.88.98.255", true), ("192.88.99.1", false), ("192.88.100.0", true), ("192.167.255.255", true),
            ("192.168.0.0", false), ("192.168.255.255", false), ("192.169.0.0", true), ("192.175.48.1", true),
            ("198.17.255.255", true), ("198.18.0.0", false), ("198.19.255.255", false), ("198.20.0.0", true),
            ("198.51.99.255", true), ("198.51.100.0", false), ("198.51.101.0", true), ("203.0.112.255", true),
            ("203.0.113.7", false), ("203.0.114.0", true), ("223.255.255.255", true), ("224.0.0.0", false),
            ("239.255.255.255", false), ("240.0.0.0", false), ("255.255.255.255", false), ("::", false), ("::1", false),
            ("::2", false), ("::7f00:1", false), ("::ffff:8.8.8.8", true), ("::ffff:10.0.0.1", false),
            ("::ffff:0:8.8.8.8", false), ("64:ff9b::8.8.8.8", true), ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::169.254.169.254", false), ("64:ff9b::1:0:0", false), ("64:ff9b:1::8.8.8.8", false), ("100::1", false),
            ("100:0:0:1::1", false), ("1fff:ffff::", false), ("2000::1", true), ("2001::1", false), ("2001:1::", false),
            ("2001:1::1", true), ("2001:1::2", true), ("2001:1::3", true), ("2001:1::4", false), ("2001:2::1", false),
            ("2001:3::1", true), ("2001:4:111::", false), ("2001:4:112::1", true), ("2001:4:113::", false),
            ("2001:10::", false), ("2001:1f::", false), ("2001:20::1", false), ("2001:30::1", false),
            ("2001:1ff:ffff::", false), ("2001:200::1", true), ("2001:4860:4860::8888", true), ("2001:db7:ffff::", true),
            ("2001:db8::1", false), ("2001:db9::", true), ("2001:ffff::", true), ("2002:808:808::1", false),
            ("2002:7f00:1::", false), ("2003::1", true), ("2620:4f:8000::1", true), ("3ffe::1", true), ("3fff::1", false),
            ("3fff:fff::1", false), ("3fff:1000::1", true), ("4000::1", false), ("5f00::1", false), ("fbff::1", false),
            ("fc00::1", false), ("fd00:ec2::254", false), ("fe80::1", false), ("fec0::1", false), ("ff02::1", false),
        ];
        for (address, is_public) in rows {
            let purpose = Purpose::of(address.parse().unwrap());
            assert_eq!(
                purpose == Purpose::Public,
                *is_public,
                "{address} is {purpose}"
            );
        }
    }

    #[test]
    fn no_range_is_listed_twice() {
        let rows: Vec<Network> = V4.iter().chain(V6).map(|(network, _)| *network).collect();
        for (index, network) in rows.iter().enumerate() {
            assert!(!rows[..index].contains(network), "{network}");
        }
    }
}
