//! The moment in which an ACME order gets its certificate: one transaction with the certificate's own record. The tables are
//! `acme/records/schema.sql`.

use rusqlite::{Transaction, params};

/// The order that a certificate is issued for.
pub(crate) struct ForOrder<'a> {
    pub(crate) account: &'a str,
    pub(crate) order: &'a str,
    /// A shorter life than the profile's, as the client asked.
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
}

impl ForOrder<'_> {
    /// What remains of a life.
    pub(crate) fn within(&self, (start, end): (i64, i64)) -> (i64, i64) {
        (
            self.not_before.map_or(start, |moment| moment.max(start)),
            self.not_after.map_or(end, |moment| moment.min(end)),
        )
    }

    /// Whether the order may still get a certificate: it has none, and whoever asked for it still has all names and an account.
    pub(super) fn is_open(
        &self,
        transaction: &Transaction<'_>,
        now: i64,
    ) -> rusqlite::Result<bool> {
        transaction
            .prepare_cached(
                r#"SELECT EXISTS (SELECT 1 FROM acme_order o JOIN acme_account c ON c.id = o.account
                   WHERE o.id = ?1 AND o.account = ?2 AND c.status = 'valid' AND o.serial IS NULL AND o.expires >= ?3
                     AND NOT EXISTS (SELECT 1 FROM acme_order_authorization l
                                     JOIN acme_authorization a ON a.number = l."authorization"
                                     WHERE l."order" = o.number AND (a.status <> 'valid' OR a.expires < ?3)))"#,
            )?
            .query_row(params![self.order, self.account, now], |row| row.get(0))
    }

    /// Makes the order valid.
    pub(super) fn give(&self, transaction: &Transaction<'_>, serial: &str) -> rusqlite::Result<()> {
        transaction
            .prepare_cached("UPDATE acme_order SET serial = ?2 WHERE id = ?1")?
            .execute(params![self.order, serial])
            .map(drop)
    }
}
