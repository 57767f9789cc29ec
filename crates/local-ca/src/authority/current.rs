//! The issuer of the moment: another process may renew the intermediate while this one serves.
//!
//! Whoever needs the intermediate asks here each time, and asking looks at its file: not into it, only whether it is the one that was read
//! (`stat`, about a microsecond). So a renewal is seen by the next request, by everything that shares the authority, without anybody being
//! told. The key stays the same in a renewal, so no passphrase is needed again; with a new key, only if that has none.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::{Authority, CaError, Issuer, damaged, read_authority, read_key};
use crate::certificate::Certificate;
use crate::files::FileError;

/// The one who signs from day to day.
pub(super) struct Current {
    issuer: RwLock<Arc<Issuer>>,
    /// There where the intermediate has a file.
    file: Option<File>,
}

struct File {
    path: PathBuf,
    read: Mutex<Read>,
}

/// What is known of the file.
#[derive(Clone, Copy, Default)]
struct Read {
    /// Of which one the answer is known: it was taken, or does not fit.
    stamp: Option<Stamp>,
    /// Of which one it was said that it cannot be read. That may pass: it is tried again.
    told: Option<Stamp>,
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
                read: Mutex::new(Read {
                    stamp: stamp.as_ref().map(Stamp::of),
                    told: None,
                }),
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
        if read.stamp == Some(there) {
            return;
        }
        let next = self.next(&file.path, root);
        // too many open files, say: what is wrong is not the file
        let passes = matches!(next, Err(CaError::File(FileError::Io { .. })));
        if !passes {
            read.stamp = Some(there);
        }
        match next {
            Ok(None) => {}
            Ok(Some(next)) => {
                let serial = next.certificate.serial();
                tracing::info!(serial, "the authority's intermediate was renewed");
                self.replaced(next);
            }
            Err(_) if passes && read.told == Some(there) => {}
            Err(error) => {
                let path = file.path.display();
                tracing::error!(%path, %error, "another intermediate does not fit; the one before goes on");
                read.told = Some(there);
            }
        }
    }

    /// What the file has now, if it is another certificate; where that is for another key, with the key beside it.
    fn next(&self, path: &Path, root: &Certificate) -> Result<Option<Issuer>, CaError> {
        let found = read_authority(path, Some(root))?;
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
            next.signer = read_key(&key, None).map_err(|error| match error {
                CaError::File(FileError::Io { .. }) => error,
                error => damaged(path, format!("it is for another key: {error}; start anew")),
            })?;
        }
        match fits(&next) {
            true => Ok(Some(next)),
            false => Err(damaged(path, "it is for another key")),
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
