//! Rate limits (RFC 8555 §6.6): counted in the records, so that they hold across restarts and processes.

use super::AcmeServer;
use super::identifier::Identifier;
use super::problem::{Problem, ProblemKind};

const HOUR: i64 = 60 * 60;

impl AcmeServer {
    pub(super) fn check_account_rate(&self, now: i64) -> Result<(), Problem> {
        let counted = self.records.accounts_since(now - HOUR)?;
        within(
            counted,
            self.settings.limits.accounts_per_hour,
            "new accounts",
            now,
        )
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
