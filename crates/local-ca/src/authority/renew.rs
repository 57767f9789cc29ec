//! A new intermediate before the old one ends: the same name and the same key, a new life and a new serial number.
//!
//! ```text
//!   root ─┬─▶ issuing (until May)      ─┐
//!         └─▶ issuing (until November) ─┴─ one key ─▶ leaves, CRL, OCSP responder: signed by either
//! ```
//!
//! Because the key stays, nothing that was signed has to be signed again: a chain with the old certificate holds until that ends, one with the
//! new beyond, and CRL and OCSP answers serve both. (A key that was stolen is another matter: then the *root* revokes the intermediate, and a
//! new authority is made.) What it takes is the root's key, and that may be elsewhere: so this is asked for in good time.

use std::path::Path;

use super::folder::Folder;
use super::{Authority, BACKDATE, CaError, last_second};
use crate::certificate::Certificate;
use crate::files;
use crate::moment::DAY;
use crate::store::{Event, Issued, Recorded};

/// The intermediate is due when less than this is left of it, or a quarter of its life if that is less.
const NOTICE: i64 = 90 * DAY;

/// What a renewal did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Renewed {
    /// The intermediate that signs from now on.
    pub certificate: Certificate,
    /// The one before, which holds until its end.
    pub before: Certificate,
}

impl Authority {
    /// Whether the intermediate ends soon though its root does not.
    #[must_use]
    pub fn issuing_is_due(&self, now: i64) -> bool {
        let issuing = self.issuing();
        let (start, end) = (issuing.not_before(), issuing.not_after());
        let notice = NOTICE.min((end - start) / 4);
        issuing != self.root && end < self.root.not_after() && now > end - notice
    }

    /// Makes the next intermediate, for the key there is, and puts it in the place of the present one, which is kept beside it.
    ///
    /// It lives `days`, or as long as the one before did, and never beyond the root. The root's key must be unlocked
    /// ([`Authority::unlock_root`]).
    ///
    /// # Errors
    /// [`CaError::RootKeyAbsent`] when the root's key is not at hand; [`CaError::NothingToRenew`] when the root itself signs leaves, or ends
    /// no later than the intermediate; the files' and the records'. In any case the present one stays until the next is written.
    pub fn renew_issuing(
        &mut self,
        dir: &Path,
        days: Option<u32>,
        now: i64,
    ) -> Result<Renewed, CaError> {
        let before = self.issuing();
        let root = self.root_issuer().ok_or_else(|| CaError::RootKeyAbsent {
            path: self.root_key_path.clone(),
        })?;
        if before == self.root || before.not_after() >= self.root.not_after() {
            return Err(CaError::NothingToRenew);
        }
        let parsed = before.parsed();
        let start = (now - BACKDATE).max(root.certificate.not_before());
        let end = match days {
            Some(days) => last_second(start, days.max(1)),
            None => start + (before.not_after() - before.not_before()),
        };
        let life = (start, end.min(root.certificate.not_after()));
        let certificate = root.sign(parsed.subject, parsed.spki, life, &parsed.extensions())?;

        // The records first: whatever exists can be found and revoked.
        for one in [&before, &certificate] {
            self.record_issuing(one, now)?;
        }
        let folder = Folder::of(dir);
        let kept = (1..)
            .map(|number| folder.dir.join(format!("issuing-{number}.pem")))
            .find(|path| path.symlink_metadata().is_err())
            .expect("there is no end of numbers");
        files::create_public(&kept, before.pem().as_bytes())?;
        files::write_public(&folder.issuing, certificate.pem().as_bytes())?;
        if let Some(store) = &self.store {
            let detail = format!("{} after {}", certificate.serial(), before.serial());
            store.note(now, Event::Renewed, Some(&certificate.serial()), &detail)?;
        }
        self.issuing.renewed(certificate.clone());
        Ok(Renewed {
            certificate,
            before,
        })
    }

    /// One that is there already is no failure: the first intermediate is recorded when it is renewed.
    fn record_issuing(&self, certificate: &Certificate, now: i64) -> Result<(), CaError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let _known: Recorded = store.record(&Issued {
            certificate,
            issuer: "root",
            profile: "sub-ca",
            part: None,
            order: None,
            at: now,
        })?;
        Ok(())
    }

    /// The intermediate of this serial number: the present one, or one before it.
    pub(crate) fn issuing_of(&self, serial: &str) -> Option<Certificate> {
        let present = self.issuing();
        if present.serial() == serial {
            return Some(present);
        }
        let entry = self.store.as_ref()?.find(serial).ok()?;
        let certificate = entry.certificate();
        let same_key = certificate.parsed().spki == present.parsed().spki;
        (entry.profile == "sub-ca" && same_key).then_some(certificate)
    }
}
