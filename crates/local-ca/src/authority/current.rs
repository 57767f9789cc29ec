//! The issuer of the moment: another process may renew the intermediate while this one serves.
//!
//! Whoever needs the intermediate asks here each time, and asking looks at its file: not into it, only whether it is the one that was read
//! (`stat`, about a microsecond). So a renewal is seen by the next request, by everything that shares the authority, without anybody being
//! told. The key stays the same in a renewal, so no passphrase is needed again.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::{Issuer, read_authority};
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
            Ok(Some(certificate)) => {
                let serial = certificate.serial();
                tracing::info!(serial, "the authority's intermediate was renewed");
                self.renewed(certificate);
            }
            Err(error) => {
                let path = file.path.display();
                tracing::error!(%path, error, "another intermediate does not fit; the one before goes on");
            }
        }
    }

    /// What the file has now, if it is another certificate for the same key.
    fn next(&self, path: &Path, root: &Certificate) -> Result<Option<Certificate>, String> {
        let found = read_authority(path, Some(root)).map_err(|error| error.to_string())?;
        let issuer = self.issuer.read().unwrap_or_else(PoisonError::into_inner);
        if found == issuer.certificate {
            return Ok(None);
        }
        match found.parsed().spki == issuer.signer.public().spki() {
            true => Ok(Some(found)),
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
