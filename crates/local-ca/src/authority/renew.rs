//! A new intermediate before the old one ends: the same name and the same key, a new life and a new serial number.
//!
//! ```text
//!   root ─┬─▶ issuing (until May)      ─┐
//!         └─▶ issuing (until November) ─┴─ one key ─▶ leaves, CRL, OCSP responder: signed by either
//! ```
//!
//! Because the key stays, nothing that was signed has to be signed again: a chain with the old certificate holds until that ends, one with the
//! new beyond, and CRL and OCSP answers serve both. What it takes is the root's key, and that may be elsewhere: so this is asked for in good
//! time.
//!
//! A key that was stolen is another matter. The root revokes the intermediate, whose key then signs nothing any more, and the next has another
//! key and another name (lists and answers are told apart by names). What the old one signed is void with it, and issued anew.
//!
//! ```text
//!   issuing.key.next, issuing.pem.next, both whole ──▶ the key into its place ──▶ the certificate into its place
//!                                                                             └── cut off here: the next who opens the folder does it
//! ```
//!
//! The folder is locked meanwhile: one renews at a time, and who opens it in the middle waits for the end of it.

use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::lock::Lock;
use super::{Authority, BACKDATE, CaError, IssueError, Issuer, last_second, read_authority};
use crate::certificate::Certificate;
use crate::der::{self, oid};
use crate::files;
use crate::keys::{KeyKind, Passphrase, Signer};
use crate::moment::DAY;
use crate::profile::{ProfileError, RuleSet};
use crate::reason::Reason;
use crate::store::{Event, Issued, Recorded, StoreError};
use crate::subject;
use crate::tbs;

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
    /// Whether the intermediate ends soon though its root does not; or begins only in the future though its root does not: it was made
    /// while the clock was wrong.
    #[must_use]
    pub fn issuing_is_due(&self, now: i64) -> bool {
        let issuing = self.issuing();
        let (start, end) = (issuing.not_before(), issuing.not_after());
        let notice = NOTICE.min((end - start) / 4);
        let ends = end < self.root.not_after() && now > end - notice;
        let ahead = now < start && now >= self.root.not_before();
        issuing != self.root && (ends || ahead)
    }

    /// Makes the next intermediate, for the key there is, and puts it in the place of the present one, which is kept beside it.
    ///
    /// It lives `days`, or as long as the one before did, and never beyond the root. The root's key must be unlocked
    /// ([`Authority::unlock_root`]).
    ///
    /// # Errors
    /// [`CaError::RootKeyAbsent`] when the root's key is not at hand; [`CaError::NothingToRenew`] when the root itself signs leaves, or ends
    /// no later than the intermediate; [`CaError::IssuingKeyCompromised`]: such a key is never certified again; [`CaError::Overtaken`];
    /// the files' and the records'. In any case the present one stays until the next is written.
    pub fn renew_issuing(
        &mut self,
        dir: &Path,
        days: Option<u32>,
        now: i64,
    ) -> Result<Renewed, CaError> {
        let folder = Folder::of(dir);
        let (_lock, before) = self.lock_issuing(&folder)?;
        let revoked = self.issuing_revoked()?;
        if let Some((serial, reason)) = &revoked
            && reason.is_compromise()
        {
            return Err(CaError::IssuingKeyCompromised {
                serial: serial.clone(),
            });
        }
        // what was revoked, or does not live yet, is exchanged even if the next lives no longer
        let stands = revoked.is_none() && before.not_before() <= now;
        let outlived = before.not_after() >= self.root.not_after() && stands;
        if before == self.root || outlived {
            return Err(CaError::NothingToRenew);
        }
        let parsed = before.parsed();
        let plan = Plan {
            subject: parsed.subject,
            spki: parsed.spki,
            extensions: parsed.extensions(),
            days,
        };
        let certificate = self.next_issuing(&before, &plan, now)?;
        files::create_public(&free_name(&folder).0, before.pem().as_bytes())?;
        files::write_public(&folder.issuing, certificate.pem().as_bytes())?;
        self.note_renewal(&before, &certificate, now)?;
        self.issuing.renewed(certificate.clone());
        Ok(Renewed {
            certificate,
            before,
        })
    }

    /// Makes the next intermediate for a new key, in the place of one that was revoked; the old key is overwritten. The key gets the passphrase
    /// that the authority's profile would give it.
    ///
    /// # Errors
    /// As [`Authority::renew_issuing`]; [`CaError::IssuingNotRevoked`]: what a good key has signed needs it for its list and its answers;
    /// [`CaError::Key`] for a kind that cannot be made here.
    pub fn renew_issuing_key(
        &mut self,
        dir: &Path,
        kind: KeyKind,
        passphrase: Option<&Passphrase>,
        days: Option<u32>,
        now: i64,
    ) -> Result<Renewed, CaError> {
        let folder = Folder::of(dir);
        let (_lock, before) = self.lock_issuing(&folder)?;
        if before == self.root {
            return Err(CaError::NothingToRenew);
        }
        if self.issuing_revoked()?.is_none() {
            return Err(CaError::IssuingNotRevoked {
                serial: before.serial(),
            });
        }
        if self.rules == RuleSet::PublicLike && kind.caveat().is_some() {
            let key = kind.to_string();
            return Err(ProfileError::PublicLikeKey { key }.into());
        }
        let signer = Signer::generate(kind)?;
        let (kept, number) = free_name(&folder);
        let subject = self.free_subject(&before, number + 1, signer.public().spki())?;
        let identifier = tbs::subject_key_identifier(&signer.public().identifier());
        let mut extensions = before.parsed().extensions();
        extensions.retain(|extension| !is_key_identifier(extension));
        extensions.push(identifier);
        let plan = Plan {
            subject: &subject,
            spki: signer.public().spki(),
            extensions,
            days,
        };
        let certificate = self.next_issuing(&before, &plan, now)?;
        files::create_public(&kept, before.pem().as_bytes())?;
        let key = signer.private().protected_pem(passphrase)?;
        files::write_private(&folder.next_key(), &key)?;
        files::write_public(&folder.next_issuing(), certificate.pem().as_bytes())?;
        files::rename(&folder.next_key(), &folder.issuing_key)?;
        files::rename(&folder.next_issuing(), &folder.issuing)?;
        self.note_renewal(&before, &certificate, now)?;
        self.issuing.replaced(Issuer {
            name: "issuing",
            certificate: certificate.clone(),
            signer,
        });
        Ok(Renewed {
            certificate,
            before,
        })
    }

    /// Waits until nobody else exchanges the intermediate; and the one that is there then.
    fn lock_issuing(&self, folder: &Folder) -> Result<(Lock, Certificate), CaError> {
        let lock = Lock::of(&folder.dir)?;
        let before = self.issuing();
        let there = || read_authority(&folder.issuing, Some(&self.root));
        match before == self.root || before == there()? {
            true => Ok((lock, before)),
            false => Err(CaError::Overtaken {
                path: folder.issuing.clone(),
            }),
        }
    }

    /// Signs it, and records it: whatever exists can be found and revoked.
    fn next_issuing(
        &self,
        before: &Certificate,
        plan: &Plan<'_>,
        now: i64,
    ) -> Result<Certificate, CaError> {
        let root = self.root_issuer().ok_or_else(|| CaError::RootKeyAbsent {
            path: self.root_key_path.clone(),
        })?;
        let start = (now - BACKDATE).max(root.certificate.not_before());
        let end = match plan.days {
            Some(days) => last_second(start, days.max(1)),
            None => start + (before.not_after() - before.not_before()),
        };
        let life = (start, end.min(root.certificate.not_after()));
        let certificate = root.sign(plan.subject, plan.spki, life, &plan.extensions)?;
        self.record_issuing(&certificate, now)?;
        Ok(certificate)
    }

    /// The next's name, which no sub-authority has.
    fn free_subject(
        &self,
        before: &Certificate,
        mut number: u32,
        spki: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        loop {
            let name = numbered(before.parsed().subject, &self.display_name(), number);
            if self.bearer(&name, spki)?.is_none() {
                return Ok(name);
            }
            number += 1;
        }
    }

    fn note_renewal(
        &self,
        before: &Certificate,
        certificate: &Certificate,
        now: i64,
    ) -> Result<(), CaError> {
        if let Some(store) = &self.store {
            let detail = format!("{} after {}", certificate.serial(), before.serial());
            store.note(now, Event::Renewed, Some(&certificate.serial()), &detail)?;
        }
        Ok(())
    }

    /// Whether the intermediate may sign: neither it nor its key was revoked.
    ///
    /// # Errors
    /// [`IssueError::IssuerRevoked`], which says what to do; the records'.
    pub fn check_issuing(&self) -> Result<(), IssueError> {
        match self.issuing_revoked()? {
            None => Ok(()),
            Some((serial, reason)) => Err(IssueError::IssuerRevoked {
                serial,
                reason,
                remedy: match reason.is_compromise() {
                    true => "`stampmill ca renew-issuing --new-key` makes another key",
                    false => "`stampmill ca renew-issuing` makes the next",
                },
            }),
        }
    }

    /// The revocation of the intermediate, or of one before it whose key was compromised: it is the same key.
    fn issuing_revoked(&self) -> Result<Option<(String, Reason)>, StoreError> {
        match &self.store {
            None => Ok(None),
            Some(store) => {
                let issuing = self.issuing_issuer();
                let key = issuing.signer.public().fingerprint();
                store.revocation_of_issuer(&key, &issuing.certificate.serial())
            }
        }
    }

    /// Records the present intermediate, in folders of before this was done at creation.
    pub(super) fn record_first_issuing(&self, now: i64) -> Result<(), CaError> {
        let issuing = self.issuing();
        let Some(store) = self.store.as_ref().filter(|_| issuing != self.root) else {
            return Ok(());
        };
        match store.status_of("root", &issuing.serial())? {
            Some(_) => Ok(()),
            None => self.record_issuing(&issuing, now),
        }
    }

    /// One that is there already is no failure: another process may have been quicker.
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

/// What the next intermediate is to be.
struct Plan<'a> {
    subject: &'a [u8],
    spki: &'a [u8],
    extensions: Vec<Vec<u8>>,
    days: Option<u32>,
}

/// Where the present one is kept, and its number there.
fn free_name(folder: &Folder) -> (PathBuf, u32) {
    (1..)
        .map(|number| (folder.dir.join(format!("issuing-{number}.pem")), number))
        .find(|(path, _)| path.symlink_metadata().is_err())
        .expect("there is no end of numbers")
}

/// The same name with another common name: the root's, and ` issuing 2`.
fn numbered(before: &[u8], root: &str, number: u32) -> Vec<u8> {
    subject::renamed(before, &format!("{root} issuing {number}"))
}

fn is_key_identifier(extension: &[u8]) -> bool {
    let kind =
        der::only(extension, der::SEQUENCE).and_then(|whole| whole.inside().expect(der::OID));
    kind.is_ok_and(|kind| kind.contents == oid::SUBJECT_KEY_IDENTIFIER)
}
