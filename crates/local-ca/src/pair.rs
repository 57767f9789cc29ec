//! A certificate and its key as two files that change together.
//!
//! A server opens one file after the other, and the system exchanges one file at a time. Two renames leave a moment, and after a crash a state,
//! in which the new key lies beside the old certificate: a server that starts then does not start. So the files become links into a folder
//! behind *one* link, and that one is exchanged:
//!
//! ```text
//!   app.test.pem ─▶ .app.test.pem.pair/live/app.test.pem          .app.test.pem.pair/live ─▶ 1
//!   app.test.key ─▶ .app.test.pem.pair/live/app.test.key                                  └▶ 2   one rename
//! ```
//!
//! Plain files become links first, to themselves: whoever looks in between finds the pair that was there. What remains is a server that opens
//! the certificate just before and the key just after; it finds them not to match, and the next attempt does. It never finds nothing: the pair
//! before stays where it was, for who is on the way to it, until the next exchange. The folder of them is locked from the first step to the
//! last, so that two who renew at once do so one after the other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::authority::lock::Lock;
use crate::files::FileError;

/// Each time somebody else must have removed the folder since the last.
const MOST_TRIES: u32 = 1000;

/// The two files.
#[derive(Clone, Debug)]
pub struct PairFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// The next pair, on its way: the key is on the disk, and nobody sees it. Dropped, it is gone.
#[derive(Debug)]
pub struct StagedPair<'a> {
    files: &'a PairFiles,
    folder: PathBuf,
    kept: bool,
    /// Dropped last: until then nobody else makes or removes a pair.
    _lock: Lock,
}

impl PairFiles {
    /// The pair in these two files of one folder.
    #[must_use]
    pub fn new(certificate: &Path, key: &Path) -> Self {
        Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Writes the next key beside the present one, with its owner and mode.
    ///
    /// # Errors
    /// [`FileError::Io`]: one of the two is absent, in another folder or a link of somebody else's, its owner cannot be kept, the folder cannot be written,
    /// or somebody else is exchanging the pair and does not come to an end.
    pub fn stage(&self, key: &[u8]) -> Result<StagedPair<'_>, FileError> {
        if self.certificate.parent() != self.key.parent() {
            let why = "it lies in another folder than the certificate";
            return Err(FileError::io("replace", &self.key)(io::Error::other(why)));
        }
        for path in [&self.certificate, &self.key] {
            let metadata = io("read", path, path.symlink_metadata())?;
            if metadata.is_symlink() && !self.is_ours(path) {
                let why = "a symbolic link of somebody else's: name the files that it stands for";
                return Err(FileError::io("replace", path)(io::Error::other(why)));
            }
        }
        let lock = self.lock()?;
        let staged = StagedPair {
            files: self,
            folder: self.next_folder()?,
            kept: false,
            _lock: lock,
        };
        staged.write(&self.key, key)?;
        Ok(staged)
    }

    /// Waits until nobody else exchanges the pair. Who gave up meanwhile may have removed the folder that was waited for.
    fn lock(&self) -> Result<Lock, FileError> {
        use io::ErrorKind::{AlreadyExists, NotFound};
        let pairs = self.pairs();
        for _ in 0..MOST_TRIES {
            match create_open_folder(&pairs) {
                Err(error) if [AlreadyExists, NotFound].contains(&error.kind()) => {}
                made => io("create", &pairs, made)?,
            }
            let lock = match Lock::of(&pairs) {
                Err(FileError::Io { error, .. }) if error.kind() == NotFound => continue,
                lock => lock?,
            };
            if io("read", &pairs, lock.is_of(&pairs))? {
                return Ok(lock);
            }
        }
        Err(FileError::io("lock", &pairs)(NotFound.into()))
    }

    /// Where all pairs are kept: beside the files, so that a rename is enough.
    fn pairs(&self) -> PathBuf {
        let name = file_name(&self.certificate);
        self.certificate.with_file_name(format!(".{name}.pair"))
    }

    fn live(&self) -> PathBuf {
        self.pairs().join("live")
    }

    /// What one of the two files points at.
    fn target(&self, path: &Path) -> PathBuf {
        let pairs = format!(".{}.pair", file_name(&self.certificate));
        Path::new(&pairs).join("live").join(file_name(path))
    }

    fn is_ours(&self, path: &Path) -> bool {
        fs::read_link(path).is_ok_and(|target| target == self.target(path))
    }

    /// A new folder with the number after the highest.
    fn next_folder(&self) -> Result<PathBuf, FileError> {
        let pairs = self.pairs();
        let numbers = self.numbers()?;
        let folder = pairs.join((numbers.iter().max().unwrap_or(&0) + 1).to_string());
        io("create", &folder, create_open_folder(&folder))?;
        Ok(folder)
    }

    fn numbers(&self) -> Result<Vec<u64>, FileError> {
        let pairs = self.pairs();
        let entries = io("read", &pairs, fs::read_dir(&pairs))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    /// Both files become links to themselves, unless they are links already.
    fn adopt(&self, sync: &mut impl SyncFolder) -> Result<(), FileError> {
        let both = [&self.certificate, &self.key];
        if both.iter().all(|path| self.is_ours(path)) {
            return Ok(());
        }
        let folder = self.next_folder()?;
        for path in both {
            // the same file under a second name, with its owner and mode
            let real = io("read", path, fs::canonicalize(path))?;
            io(
                "link",
                path,
                fs::hard_link(&real, folder.join(file_name(path))),
            )?;
        }
        self.point_at(&folder)?;
        io("write", &self.live(), sync(&self.pairs()))?;
        for path in both {
            io("replace", path, relink(&self.target(path), path))?;
        }
        Ok(())
    }

    /// The folder of the pair that is seen.
    fn present(&self) -> Option<PathBuf> {
        let number = fs::read_link(self.live()).ok()?;
        Some(self.pairs().join(number))
    }

    fn point_at(&self, folder: &Path) -> Result<(), FileError> {
        let live = self.live();
        io(
            "replace",
            &live,
            relink(Path::new(&file_name(folder)), &live),
        )
    }
}

impl StagedPair<'_> {
    /// Puts the pair in the place of the one before, which stays hidden beside it until the next exchange; those before that are removed.
    ///
    /// # Errors
    /// [`FileError::Io`]; the pair before is then still there, or the new one, if only its place in the folder may not have reached the disk.
    pub fn commit(self, certificate: &[u8]) -> Result<(), FileError> {
        self.commit_by(certificate, &mut sync_folder)
    }

    fn commit_by(
        mut self,
        certificate: &[u8],
        sync: &mut impl SyncFolder,
    ) -> Result<(), FileError> {
        let files = self.files;
        self.write(&files.certificate, certificate)?;
        io("write", &self.folder, sync(&self.folder))?;
        files.adopt(sync)?;
        let before = files.present();
        files.point_at(&self.folder)?;
        // From here on it is the pair that is seen, whatever fails.
        self.kept = true;
        io("write", &files.live(), sync(&files.pairs()))?;
        let folder = files
            .certificate
            .parent()
            .filter(|one| *one != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        io("write", folder, sync(folder))?;
        for number in files.numbers()? {
            let folder = files.pairs().join(number.to_string());
            if folder != self.folder && Some(&folder) != before.as_ref() {
                // nobody sees it any more: at worst it stays until the next time
                let _ = fs::remove_dir_all(folder);
            }
        }
        Ok(())
    }

    /// A file with the name, the owner and the mode of the present one.
    fn write(&self, present: &Path, bytes: &[u8]) -> Result<(), FileError> {
        use io::Write as _;
        let path = self.folder.join(file_name(present));
        let metadata = io("read", present, fs::metadata(present))?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = io("write", &path, options.open(&path))?;
        io("write", &path, file.write_all(bytes))?;
        io("keep the owner of", present, keep_owner(&file, &metadata))?;
        io("write", &path, file.set_permissions(metadata.permissions()))?;
        io("write", &path, file.sync_all())
    }
}

impl Drop for StagedPair<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing points there. The folder around it goes with it, if it was the first.
            let _ = fs::remove_dir_all(&self.folder);
            let _ = fs::remove_dir(self.files.pairs());
        }
    }
}

/// Has what a folder names last: [`sync_folder`], or what fails in its place.
trait SyncFolder: FnMut(&Path) -> io::Result<()> {}

impl<F: FnMut(&Path) -> io::Result<()>> SyncFolder for F {}

fn io<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, FileError> {
    result.map_err(FileError::io(action, path))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// Who may read the files themselves, their modes say.
fn create_open_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(())
}

#[cfg(unix)]
fn keep_owner(file: &fs::File, present: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    let differs = |old: u32, new: u32| (old != new).then_some(old);
    match (
        differs(present.uid(), new.uid()),
        differs(present.gid(), new.gid()),
    ) {
        (None, None) => Ok(()),
        (uid, gid) => fchown(file, uid, gid),
    }
}

/// A link under another name, renamed over the present file.
#[cfg(unix)]
fn relink(target: &Path, path: &Path) -> io::Result<()> {
    let unique = rand::RngExt::random::<u64>(&mut rand::rng());
    let temporary = path.with_file_name(format!(".{}.{unique:016x}.tmp", file_name(path)));
    std::os::unix::fs::symlink(target, &temporary)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn keep_owner(_file: &fs::File, _present: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn relink(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Whatever step is the last one that works: both files are there, of one pair.
    #[test]
    fn a_pair_is_there_whichever_sync_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        fs::write(path("a.pem"), "0").unwrap();
        fs::write(path("a.key"), "0").unwrap();
        let files = PairFiles::new(&path("a.pem"), &path("a.key"));
        let (mut failed, mut present) = (0, "0".to_owned());
        // the first exchange makes the links as well: each is tried twice
        for round in 0..2 {
            for working in 0..10 {
                let next = format!("{round}.{working}");
                let mut left = working;
                let mut sync = |_: &Path| match left {
                    0 => Err(io::Error::other("planted")),
                    _ => {
                        left -= 1;
                        Ok(())
                    }
                };
                let staged = files.stage(next.as_bytes()).unwrap();
                let done = staged.commit_by(next.as_bytes(), &mut sync);
                let (certificate, key) = (read("a.pem"), read("a.key"));
                assert_eq!(certificate, key);
                assert!(certificate == next || certificate == present);
                match done {
                    Ok(()) => assert_eq!(certificate, next),
                    Err(_) => failed += 1,
                }
                present = certificate;
            }
        }
        assert!(failed >= 6, "{failed}");
    }

    /// Who waits for somebody who gives up finds the folder removed, and makes another.
    #[test]
    fn pairs_are_exchanged_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a.pem"), "0").unwrap();
        fs::write(path("a.key"), "0").unwrap();
        let files = PairFiles::new(&path("a.pem"), &path("a.key"));
        let exchange = |name: String| {
            for round in 0..40 {
                let text = format!("{name} {round}");
                let staged = files.stage(text.as_bytes()).unwrap();
                match round % 3 {
                    0 => drop(staged),
                    _ => staged.commit(text.as_bytes()).unwrap(),
                }
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..3 {
                scope.spawn(move || exchange(thread.to_string()));
            }
        });
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        assert_eq!(read("a.pem"), read("a.key"));
        assert_eq!(
            fs::read_dir(files.pairs()).unwrap().count(),
            3,
            "live, its pair, the one before"
        );
    }
}
