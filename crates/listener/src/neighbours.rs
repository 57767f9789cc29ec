//! Who is here already: connections counted by where they come from.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::Limits;

/// The connections of each address.
#[derive(Debug)]
pub(crate) struct Neighbours {
    most: usize,
    loopback_counts: bool,
    here: Mutex<HashMap<IpAddr, usize>>,
}

impl Neighbours {
    pub(crate) fn new(limits: &Limits) -> Arc<Neighbours> {
        Arc::new(Neighbours {
            most: limits.per_address,
            loopback_counts: limits.loopback_counts,
            here: Mutex::default(),
        })
    }

    /// One more from there; `None` if its share is taken.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let address = address.to_canonical();
        if address.is_loopback() && !self.loopback_counts {
            return Some(Admitted(None));
        }
        let origin = origin(address);
        let mut here = self.here();
        let count = here.entry(origin).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Admitted(Some((Arc::clone(self), origin))))
    }

    fn here(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one: an IPv4 address, or the network of 64 bits that an IPv6 address is one of.
fn origin(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => Ipv6Addr::from(u128::from(six) & !u128::from(u64::MAX)).into(),
    }
}

/// A connection that is counted, if it counts at all, until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted(Option<(Arc<Neighbours>, IpAddr)>);

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some((neighbours, origin)) = &self.0 else {
            return;
        };
        let mut here = neighbours.here();
        match here.get_mut(origin) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(here.remove(origin)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(loopback_counts: bool) -> Arc<Neighbours> {
        Neighbours::new(&Limits {
            per_address: 2,
            loopback_counts,
            ..Limits::of(8)
        })
    }

    #[test]
    fn each_has_its_share_and_leaves_nothing_behind() {
        let neighbours = neighbours(false);
        let admit = |text: &str| neighbours.admit(text.parse().unwrap());
        let held = [admit("192.0.2.1"), admit("192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("::ffff:192.0.2.1").is_none(), "the same one");
        assert!(admit("192.0.2.2").is_some());
        drop(held);
        assert!(admit("192.0.2.1").is_some());
        assert!(neighbours.here().is_empty());
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let neighbours = neighbours(false);
        let admit = |text: &str| neighbours.admit(text.parse().unwrap());
        let _held = [admit("2001:db8::1"), admit("2001:db8::2:0:0:1")];
        assert!(admit("2001:db8::3").is_none());
        assert!(admit("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn this_machine_counts_where_that_is_said() {
        for counts in [false, true] {
            let neighbours = neighbours(counts);
            let admit = |_| neighbours.admit("127.0.0.1".parse().unwrap());
            let held: Vec<_> = (0..3).map(admit).collect();
            assert_eq!(held[2].is_none(), counts);
        }
    }
}
