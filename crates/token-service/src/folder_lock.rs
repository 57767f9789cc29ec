//! One server a data folder, and what it tells those who come beside it.
//!
//! The lock lies on the file `lock` and goes with the process that holds it. What stands in the file counts only while it is held: that
//! the server keeps everything in memory, where what a verb writes into the folder's database would never arrive.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::data_folder::{DataFolderError, io_error};

pub(crate) const LOCK: &str = "lock";
const IN_MEMORY: &str = "memory\n";
const MOMENT: Duration = Duration::from_millis(10);

/// Keeps every other server out of the folder, as long as the file is open.
pub(crate) fn take(folder: &Path) -> Result<File, DataFolderError> {
    let path = folder.join(LOCK);
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(io_error("write", &path))?;
    // A verb that looks whether a server is there holds the lock for a moment.
    for left in (0..10).rev() {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if left > 0 => thread::sleep(MOMENT),
            Err(TryLockError::WouldBlock) => {
                return Err(DataFolderError::InUse {
                    path: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
    }
    // What a server before said.
    file.set_len(0).map_err(io_error("write", &path))?;
    Ok(file)
}

/// Tells that whoever holds the lock keeps everything in memory.
pub(crate) fn tell_in_memory(folder: &Path, mut lock: &File) -> Result<(), DataFolderError> {
    lock.write_all(IN_MEMORY.as_bytes())
        .map_err(io_error("write", &folder.join(LOCK)))
}

/// Whether what is written into the folder's database reaches the server that runs on it, or the next.
pub(crate) fn check_reachable(folder: &Path) -> Result<(), DataFolderError> {
    let path = folder.join(LOCK);
    match fs::read_to_string(&path) {
        Ok(said) if said == IN_MEMORY => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("read", &path)(error)),
    }
    let file = File::open(&path).map_err(io_error("read", &path))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(DataFolderError::InMemory {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_runs_and_keeps_everything_in_memory_is_out_of_reach() {
        let folder = tempfile::tempdir().unwrap();
        check_reachable(folder.path()).unwrap();
        let lock = take(folder.path()).unwrap();
        check_reachable(folder.path()).unwrap();
        assert!(matches!(
            take(folder.path()),
            Err(DataFolderError::InUse { .. })
        ));
        tell_in_memory(folder.path(), &lock).unwrap();
        let refused = check_reachable(folder.path());
        assert!(
            matches!(refused, Err(DataFolderError::InMemory { .. })),
            "{refused:?}"
        );
        drop(lock);
        check_reachable(folder.path()).unwrap();
        let _lock = take(folder.path()).unwrap();
        check_reachable(folder.path()).unwrap();
    }
}
