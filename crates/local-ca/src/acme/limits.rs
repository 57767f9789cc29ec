//! Rate limits (RFC 8555 §6.6): counted in the records, so that they hold across restarts and processes.

use std::net::{IpAddr, Ipv6Addr};

use super::AcmeServer;
use super::identifier::Identifier;
use super::problem::{Problem, ProblemKind};

const HOUR: i64 = 60 * 60;

impl AcmeServer {
    /// From one address, so that a neighbour who makes many keeps nobody else out; and from all together, so that many addresses do not
    /// fill the records.
    pub(super) fn check_account_rate(
        &self,
        network: Option<&str>,
        now: i64,
    ) -> Result<(), Problem> {
        let limits = &self.settings.limits;
        if let Some(network) = network {
            let counted = self.records.accounts_from(network, now - HOUR)?;
            let what = "new accounts from one address";
            within(counted, limits.accounts_per_address, what, now)?;
        }
        let counted = self.records.accounts_since(now - HOUR)?;
        within(counted, limits.accounts_per_hour, "new accounts", now)
    }

    pub(super) fn check_order_rate(&self, account: &str, now: i64) -> Result<(), Problem> {
        let counted = self.records.orders_since(account, now - HOUR)?;
        within(counted, self.settings.limits.orders_per_hour, "orders", now)
    }

    /// A name that does not validate is not tried for ever.
    pub(super) fn check_failure_rate(
        &self,
        account: &str,
        identifier: &Identifier,
        now: i64,
    ) -> Result<(), Problem> {
        let (base, _) = identifier.base();
        let counted = self.records.failures_since(account, &base, now - HOUR)?;
        let what = "failed validations of this name";
        within(counted, self.settings.limits.failures_per_hour, what, now)
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, which one subscriber has.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let prefix = Ipv6Addr::from(u128::from(six) & !u128::from(u64::MAX));
            format!("{prefix}/64")
        }
    }
}

/// How many there were in the last hour, and when the first: once that is an hour ago, there is room for one.
fn within(
    (count, first): (u32, Option<i64>),
    limit: u32,
    what: &str,
    now: i64,
) -> Result<(), Problem> {
    if count < limit {
        return Ok(());
    }
    let wait = (first.unwrap_or(now) + HOUR - now).clamp(1, HOUR);
    let detail = format!("{limit} {what} in an hour are allowed; try again in {wait} seconds");
    Err(Problem::new(ProblemKind::RateLimited, detail).retry_after(wait))
}
