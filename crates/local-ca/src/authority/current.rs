//! The issuer of the moment: another process may renew the intermediate while this one serves.
//!
//! Whoever needs the intermediate asks here each time, and asking looks at its file: not into it, only whether it is the one that was read
//! (`stat`, about a microsecond). So a renewal is seen by the next request, by everything that shares the authority, without anybody being
//! told. The key stays the same in a renewal, so no passphrase is needed again; with a new key, only if that has none.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::{Authority, Issuer, read_authority, read_key};
use crate::certificate::Certificate;

/// The one who signs from day to day.
pub(super) struct Current {
    issuer: RwLock<Arc<Issuer>>,
    /// There where the intermediate has a file.
    file: Option<File>,
}

struct File {
    path: PathBuf,
    read: Mutex<Option<Stamp>>,
}

/// What tells one file from the one that took its place: renewals are written beside it and renamed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    number: u64,
}

impl Current {
    /// It, for good: in memory, or a root that signs leaves itself.
    pub(super) fn fixed(issuer: Issuer) -> Current {
        Current {
            issuer: RwLock::new(Arc::new(issuer)),
            file: None,
        }
    }

    /// It, as the file has it. The stamp is of before the file was read: what came between is read again.
    pub(super) fn following(issuer: Issuer, path: PathBuf, stamp: Option<Metadata>) -> Current {
        Current {
            file: Some(File {
                path,
                read: Mutex::new(stamp.as_ref().map(Stamp::of)),
            }),
            ..Current::fixed(issuer)
        }
    }

    /// The issuer by now. What does not fit is told in the log once, and the one before goes on.
    pub(super) fn get(&self, root: &Certificate) -> Arc<Issuer> {
        if let Some(file) = &self.file {
            self.look(file, root);
        }
        let issuer = self.issuer.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&issuer)
    }

    /// A renewal of this process's own.
    pub(super) fn renewed(&self, certificate: Certificate) {
        let mut issuer = self.issuer.write().unwrap_or_else(PoisonError::into_inner);
        *issuer = Arc::new(Issuer {
            certificate,
            ..Issuer::clone(&issuer)
        });
    }

    /// Another key as well.
    pub(super) fn replaced(&self, next: Issuer) {
        let mut issuer = self.issuer.write().unwrap_or_else(PoisonError::into_inner);
        *issuer = Arc::new(next);
    }

    fn look(&self, file: &File, root: &Certificate) {
        let Ok(there) = file.path.symlink_metadata() else {
            return;
        };
        let there = Stamp::of(&there);
        let mut read = file.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == Some(there) {
            return;
        }
        *read = Some(there);
        match self.next(&file.path, root) {
            Ok(None) => {}
            Ok(Some(next)) => {
                let serial = next.certificate.serial();
                tracing::info!(serial, "the authority's intermediate was renewed");
                self.replaced(next);
            }
            Err(error) => {
                let path = file.path.display();
                tracing::error!(%path, error, "another intermediate does not fit; the one before goes on");
            }
        }
    }

    /// What the file has now, if it is another certificate; where that is for another key, with the key beside it.
    fn next(&self, path: &Path, root: &Certificate) -> Result<Option<Issuer>, String> {
        let found = read_authority(path, Some(root)).map_err(|error| error.to_string())?;
        let issuer = self.issuer.read().unwrap_or_else(PoisonError::into_inner);
        if found == issuer.certificate {
            return Ok(None);
        }
        let mut next = Issuer {
            certificate: found,
            ..Issuer::clone(&issuer)
        };
        let fits = |one: &Issuer| one.certificate.parsed().spki == one.signer.public().spki();
        if !fits(&next) {
            let key = path.with_file_name(Authority::ISSUING_KEY_FILE);
            next.signer = read_key(&key, None)
                .map_err(|error| format!("it is for another key: {error}; start anew"))?;
        }
        match fits(&next) {
            true => Ok(Some(next)),
            false => Err("it is for another key".to_owned()),
        }
    }
}

impl Stamp {
    fn of(there: &Metadata) -> Stamp {
        Stamp {
            modified: there.modified().ok(),
            length: there.len(),
            #[cfg(unix)]
            number: std::os::unix::fs::MetadataExt::ino(there),
            #[cfg(not(unix))]
            number: 0,
        }
    }
}
