//! One at a time: who changes several files of a folder locks the folder itself.
//!
//! The lock is the kernel's (`flock`) and goes with the process, however that ends: nothing is left behind that somebody would have to remove.
//! A folder is opened for reading to lock it, so no file is made for it, and one that cannot be written to can be waited for.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::{Duration, Instant};

use crate::files::FileError;

/// Longer than anybody takes who does not wait for something himself.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(20);
#[cfg(unix)]
const PAUSE: Duration = Duration::from_millis(10);

/// The folder is this one's alone until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: Option<File>,
}

impl Lock {
    /// Waits until nobody else has it, but not for ever.
    ///
    /// # Errors
    /// [`FileError::Io`]: it cannot be opened, or somebody else is still at work there.
    #[cfg(unix)]
    pub(crate) fn of(folder: &Path) -> Result<Self, FileError> {
        use std::fs::TryLockError;
        let path = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let file = File::open(path).map_err(FileError::io("lock", path))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { folder: Some(file) }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let why =
                        "another process is changing what lies there; try again when it has ended";
                    return Err(FileError::io("lock", path)(io::Error::other(why)));
                }
                Err(TryLockError::Error(error)) => return Err(FileError::io("lock", path)(error)),
            }
        }
    }

    /// Elsewhere a folder cannot be opened as a file.
    #[cfg(not(unix))]
    pub(crate) fn of(_folder: &Path) -> Result<Self, FileError> {
        Ok(Self { folder: None })
    }

    /// Whether the path still names the folder that was locked: who waited may have been given one that was removed meanwhile.
    #[cfg(unix)]
    pub(crate) fn is_of(&self, path: &Path) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt as _;
        let Some(folder) = &self.folder else {
            return Ok(true);
        };
        let (locked, there) = (folder.metadata()?, std::fs::metadata(path));
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino())))
    }

    #[cfg(not(unix))]
    pub(crate) fn is_of(&self, _path: &Path) -> io::Result<bool> {
        Ok(self.folder.is_none())
    }
}
