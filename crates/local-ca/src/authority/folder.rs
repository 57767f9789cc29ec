//! An authority's folder: which files there are, and whether they form a whole.
//!
//! ```text
//!   stampmill-ca/        0700
//!     root.pem           what clients trust; written last, so that it stands for a whole authority
//!     root.key           0600; may be encrypted, and may be moved elsewhere ("offline")
//!     issuing.pem        the intermediate that signs from day to day
//!     issuing-1.pem ...  what it was before it was renewed
//!     issuing.key        0600
//!     ca.sqlite3         0600; everything that was issued or revoked, the CRLs, the log
//! ```
//!
//! Folders of before the intermediate have `root.pem` and `root.key` only; there the root signs, as it did.

use std::path::{Path, PathBuf};

use super::CaError;
use super::lock::Lock;
use crate::files;

/// The file names.
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    pub(super) root: PathBuf,
    pub(super) root_key: PathBuf,
    pub(super) issuing: PathBuf,
    pub(super) issuing_key: PathBuf,
    pub(super) store: PathBuf,
}

/// What is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    /// A root and its key, and no intermediate.
    RootOnly,
    Complete,
}

impl Folder {
    pub(super) fn of(dir: &Path) -> Self {
        use super::Authority as A;
        Self {
            dir: dir.to_owned(),
            root: dir.join(A::ROOT_FILE),
            root_key: dir.join(A::KEY_FILE),
            issuing: dir.join(A::ISSUING_FILE),
            issuing_key: dir.join(A::ISSUING_KEY_FILE),
            store: dir.join(A::STORE_FILE),
        }
    }

    /// An intermediate and its key that are about to take the place of those there are.
    pub(super) fn next_issuing(&self) -> PathBuf {
        self.dir.join("issuing.pem.next")
    }

    pub(super) fn next_key(&self) -> PathBuf {
        self.dir.join("issuing.key.next")
    }

    /// Ends an exchange of both that was cut off when the key was in its place and the certificate was not.
    pub(super) fn finish_exchange(&self) -> Result<(), CaError> {
        if !self.is_half_exchanged() {
            return Ok(());
        }
        // Perhaps nobody was cut off, and it is being done at this moment.
        let _lock = Lock::of(&self.dir)?;
        match self.is_half_exchanged() {
            true => Ok(files::rename(&self.next_issuing(), &self.issuing)?),
            false => Ok(()),
        }
    }

    fn is_half_exchanged(&self) -> bool {
        let there = |path: PathBuf| path.symlink_metadata().is_ok();
        there(self.next_issuing()) && !there(self.next_key())
    }

    /// What is seen, unless somebody is changing it at this moment: files that do not belong together are looked at again when nobody is.
    /// Without need nobody is waited for, so that who only looks holds nobody up.
    pub(super) fn settled<T>(&self, look: impl Fn() -> Result<T, CaError>) -> Result<T, CaError> {
        match look() {
            Err(error @ (CaError::Interrupted { .. } | CaError::Mismatch { .. })) => {
                match Lock::of(&self.dir) {
                    Ok(_lock) => look(),
                    Err(_) => Err(error),
                }
            }
            seen => seen,
        }
    }

    /// Where there is an authority, or half of one, none is made.
    pub(super) fn refuse_present(&self) -> Result<(), CaError> {
        match self.state() {
            Ok(State::Empty) => Ok(()),
            Ok(_) => Err(CaError::Exists {
                dir: self.dir.clone(),
            }),
            Err(error) => Err(error),
        }
    }

    /// One part without another means that a creation did not finish, or that someone removed a file.
    pub(super) fn state(&self) -> Result<State, CaError> {
        use super::Authority as A;
        let there = |path: &Path| path.symlink_metadata().is_ok();
        let files = [
            (&self.root, A::ROOT_FILE),
            (&self.root_key, A::KEY_FILE),
            (&self.issuing, A::ISSUING_FILE),
            (&self.issuing_key, A::ISSUING_KEY_FILE),
            (&self.store, A::STORE_FILE),
        ];
        let half = |missing: &'static str| {
            let present = files.iter().find(|(path, _)| there(path));
            Err(CaError::Interrupted {
                dir: self.dir.clone(),
                present: present.map_or("nothing", |(_, name)| name),
                missing,
            })
        };
        let [root, root_key, issuing, issuing_key, store] = files.map(|(path, _)| there(path));
        match (root, issuing, issuing_key) {
            (false, false, false) if !root_key && !store => Ok(State::Empty),
            (false, ..) => half(A::ROOT_FILE),
            (true, false, false) if root_key => Ok(State::RootOnly),
            (true, false, false) => half(A::KEY_FILE),
            (true, true, false) => half(A::ISSUING_KEY_FILE),
            (true, false, true) => half(A::ISSUING_FILE),
            // without its records an authority would forget what it revoked
            (true, true, true) if !store => half(A::STORE_FILE),
            (true, true, true) => Ok(State::Complete),
        }
    }
}
