//! The name of an authority: it has one, and nobody else has it.
//!
//! Verifiers find an issuer by its name, and tell lists and serial numbers apart by it (RFC 5280 §4.1.2.6). Two authorities of one name and
//! two keys could not be told apart; and one with the root's name would count as self-issued, which is exempt from name constraints and
//! the length of paths (§6.1.3, §6.1.4).

use super::{Authority, IssueError};
use crate::names::shown;
use crate::request::CertificateRequest;
use crate::store::StoreError;
use crate::subject;

impl Authority {
    /// Whether the request has a name that an authority beside this one may bear.
    pub(super) fn check_authority_name(
        &self,
        request: &CertificateRequest,
    ) -> Result<(), IssueError> {
        let name = request.common_name();
        let common_name = name.ok_or(IssueError::AuthorityWithoutName)?;
        let name = subject::common_name(name);
        match self.bearer(&name, request.public_key().spki())? {
            None => Ok(()),
            Some(bearer) => Err(IssueError::AuthorityName {
                name: shown(common_name),
                bearer,
            }),
        }
    }

    /// Which authority has this name with another key, now or at any time.
    pub(super) fn bearer(&self, name: &[u8], spki: &[u8]) -> Result<Option<String>, StoreError> {
        let mut all = vec![
            ("the root".to_owned(), self.root()),
            ("the issuing authority".to_owned(), self.issuing()),
        ];
        if let Some(store) = &self.store {
            let beside = store.authorities()?.into_iter();
            all.extend(beside.map(|entry| (entry.serial.clone(), entry.certificate())));
        }
        let bearer = all.into_iter().find(|(_, one)| {
            let one = one.parsed();
            subject::is_same(one.subject, name) && one.spki != spki
        });
        Ok(bearer.map(|(bearer, _)| bearer))
    }
}
