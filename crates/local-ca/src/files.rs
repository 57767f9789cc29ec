//! Files that hold secrets: written whole or not at all, and never readable by others.
//!
//! ```text
//!   write:  temporary file beside the target (0600) → write → fsync → rename or link → fsync of the folder
//!   read:   open → look at the mode of *what was opened* → read
//! ```
//!
//! A crash leaves the old file or the new one, and at worst a temporary file whose name begins with a dot and ends in `.tmp`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// Largest key or certificate file that is read.
const MAX_BYTES: u64 = 256 * 1024;

/// Why a file was not read or written.
///
/// The text of [`Io`](FileError::Io) holds what the system said, so it is not given again as [`source`](std::error::Error::source).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The file is there already, and would be lost.
    #[error("{} exists already and is not overwritten", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A private key that other users can read. Whoever could read it may have done so.
    #[error("{} can be read by other users (mode {mode:04o}); if nobody has, `chmod 600` makes it usable again", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder in which other users can put one file into another's place.
    #[error("{} can be written by other users (mode {mode:04o}), and so could be what lies in it; `chmod 700` makes it a place for keys", path.display())]
    ExposedFolder {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Larger than any key or certificate.
    #[error("{} has {actual} bytes, at most {limit} are read", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Bytes allowed.
        limit: u64,
        /// Bytes it has.
        actual: u64,
    },
}

impl FileError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io {
            action,
            path,
            error,
        }
    }
}

/// Replaces a file that everybody may read (0644): the old one or the new one is there, never half of one.
///
/// # Errors
/// [`FileError::Io`].
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = Temporary::write(path, bytes, PUBLIC)?;
    fs::rename(&temporary.path, path).map_err(FileError::io("write", path))?;
    temporary.keep();
    sync_folder_of(path)
}

/// Puts a file that is on the disk into another's place, in the same folder.
///
/// # Errors
/// [`FileError::Io`].
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::io("write", to))?;
    sync_folder_of(to)
}

/// Writes a result where somebody asked for it, in the place of what is there: the old file or the new one, never half of one. A link is
/// followed, permissions stay, and what is no file (a terminal, a pipe) is written to.
///
/// # Errors
/// [`FileError::Io`]; the old content is then still there.
pub fn write_result(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FileError::io("write", path)(error));
        }
        // a link to what is not there yet: one step of the way, and a circle is another error
        Err(_) => match fs::read_link(path) {
            Ok(target) => return write_result(&folder_of(path).join(target), bytes),
            Err(_) => return write_public(path, bytes),
        },
    };
    if !there.is_file() {
        return fs::write(path, bytes).map_err(FileError::io("write", path));
    }
    let target = fs::canonicalize(path).map_err(FileError::io("write", path))?;
    let temporary = Temporary::write(&target, bytes, PUBLIC)?;
    fs::set_permissions(&temporary.path, there.permissions())
        .map_err(FileError::io("write", path))?;
    fs::rename(&temporary.path, &target).map_err(FileError::io("write", path))?;
    temporary.keep();
    sync_folder_of(&target)
}

/// Writes a secret: mode 0600 whatever the umask, atomically, replacing what was there.
///
/// # Errors
/// [`FileError::Io`]; the old content is then still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = Temporary::write(path, bytes, PRIVATE)?;
    fs::rename(&temporary.path, path).map_err(FileError::io("write", path))?;
    temporary.keep();
    sync_folder_of(path)
}

/// Writes a secret that must not be there yet: like [`write_private`], but never overwrites.
///
/// # Errors
/// [`FileError::Exists`] when there is such a file, even one that appeared a moment ago; [`FileError::Io`].
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    create(path, bytes, PRIVATE)
}

/// Writes a file for everybody (mode 0644) that must not be there yet, atomically.
///
/// # Errors
/// As [`create_private`].
pub fn create_public(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    create(path, bytes, PUBLIC)
}

/// New files that belong together, such as a key and its certificate. Each is written as by [`create_private`] or [`create_public`]; their
/// names are on the disk once [`NewFiles::sync`] has returned, and their contents before their names.
///
/// A folder is synced once, however many files are new in it.
#[derive(Debug, Default)]
pub struct NewFiles {
    folders: Vec<PathBuf>,
}

impl NewFiles {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`create_private`].
    ///
    /// # Errors
    /// As [`create_private`].
    pub fn private(&mut self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        self.link(path, bytes, PRIVATE)
    }

    /// As [`create_public`].
    ///
    /// # Errors
    /// As [`create_private`].
    pub fn public(&mut self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        self.link(path, bytes, PUBLIC)
    }

    fn link(&mut self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        link_new(path, bytes, mode)?;
        let folder = folder_of(path);
        if !self.folders.iter().any(|known| known == folder) {
            self.folders.push(folder.to_owned());
        }
        Ok(())
    }

    /// Has the names last.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn sync(self) -> Result<(), FileError> {
        self.folders.iter().try_for_each(|folder| sync(folder))
    }
}

/// Reads a secret into a buffer that is wiped when it is dropped, unless the file's mode lets others read it.
///
/// # Errors
/// [`FileError::Exposed`], [`FileError::TooLarge`], [`FileError::Io`].
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io("read", path))?;
    refuse_exposed(&file, path)?;
    read(file, path, MAX_BYTES).map(Zeroizing::new)
}

/// Reads a file that is no secret, of at most 256 KiB.
///
/// # Errors
/// [`FileError::TooLarge`], [`FileError::Io`].
pub fn read_public(path: &Path) -> Result<Vec<u8>, FileError> {
    read_up_to(path, MAX_BYTES)
}

/// Reads a file that is no secret, of at most `limit` bytes: a list of revoked certificates may have megabytes.
///
/// # Errors
/// [`FileError::TooLarge`], [`FileError::Io`].
pub fn read_up_to(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::io("read", path))?;
    read(file, path, limit)
}

/// Makes a folder that only its owner may enter (0700), with its parents. A folder that exists is left as it is.
///
/// # Errors
/// [`FileError::Io`].
pub fn create_private_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(FileError::io("create", path))
}

/// Refuses a folder that others may write to. One that holds nothing yet becomes its owner's alone (0700).
///
/// # Errors
/// [`FileError::ExposedFolder`], [`FileError::Io`].
#[cfg(unix)]
pub(crate) fn check_folder(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(FileError::io("read", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 && is_empty(path) {
        let private = fs::Permissions::from_mode(0o700);
        return fs::set_permissions(path, private).map_err(FileError::io("write", path));
    }
    match mode & 0o022 {
        0 => Ok(()),
        _ => Err(FileError::ExposedFolder {
            path: path.to_owned(),
            mode,
        }),
    }
}

#[cfg(not(unix))]
pub(crate) fn check_folder(_path: &Path) -> Result<(), FileError> {
    Ok(())
}

/// The permission bits by which other users may read a file, if any.
#[cfg(unix)]
pub(crate) fn exposure(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(crate) fn exposure(_path: &Path) -> Option<u32> {
    None
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    link_new(path, bytes, mode)?;
    sync_folder_of(path)
}

fn link_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = Temporary::write(path, bytes, mode)?;
    // A rename would replace a file that someone else made meanwhile; a link never does.
    fs::hard_link(&temporary.path, path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists {
            path: path.to_owned(),
        },
        _ => FileError::io("create", path)(source),
    })?;
    drop(temporary);
    Ok(())
}

/// A complete file under a temporary name, removed unless it is kept.
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Temporary {
    fn write(target: &Path, bytes: &[u8], mode: u32) -> Result<Self, FileError> {
        let io = |source| FileError::io("write", target)(source);
        let name = target
            .file_name()
            .ok_or_else(|| io(io::ErrorKind::InvalidInput.into()))?;
        let mut unique = [0; 8];
        rand::RngExt::fill(&mut rand::rng(), &mut unique);
        let unique = u64::from_ne_bytes(unique);
        let path = target.with_file_name(format!(".{}.{unique:016x}.tmp", name.to_string_lossy()));

        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, PRIVATE);
        let mut file = options.open(&path).map_err(io)?;
        let temporary = Self { path, kept: false };
        file.write_all(bytes).map_err(io)?;
        set_mode(&file, mode).map_err(io)?;
        file.sync_all().map_err(io)?;
        Ok(temporary)
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing depends on it: at worst a hidden file stays behind.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    // room for all of it at once: a secret that grows would leave its beginnings behind in memory
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let room = usize::try_from(length.min(limit) + 1).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::io("read", path))?;
    match bytes.len() as u64 {
        actual if actual > limit => Err(FileError::TooLarge {
            path: path.to_owned(),
            limit,
            // a device says it has none
            actual: fs::metadata(path).map_or(actual, |metadata| metadata.len().max(actual)),
        }),
        _ => Ok(bytes),
    }
}

#[cfg(unix)]
fn refuse_exposed(file: &File, path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().map_err(FileError::io("read", path))?;
    match metadata.permissions().mode() & 0o7777 {
        mode if mode & 0o077 != 0 => Err(FileError::Exposed {
            path: path.to_owned(),
            mode,
        }),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// A rename or a link lasts once the folder is on the disk.
fn sync_folder_of(path: &Path) -> Result<(), FileError> {
    sync(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> Result<(), FileError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::io("write", folder))
}

#[cfg(not(unix))]
fn refuse_exposed(_file: &File, _path: &Path) -> Result<(), FileError> {
    Ok(())
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> Result<(), FileError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_result_takes_the_place_of_the_old_one_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let read = |name: &str| fs::read(path(name)).unwrap();
        write_result(&path("list"), b"old").unwrap();
        fs::set_permissions(path("list"), fs::Permissions::from_mode(0o640)).unwrap();
        // the same file under another name: what is written into it would show there
        fs::hard_link(path("list"), path("witness")).unwrap();
        symlink("list", path("link")).unwrap();
        write_result(&path("link"), b"new").unwrap();
        assert_eq!(
            (read("list"), read("witness")),
            (b"new".into(), b"old".into())
        );
        assert!(path("link").symlink_metadata().unwrap().is_symlink());
        let mode = fs::metadata(path("list")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        // a link to what is not there yet is followed as well, and one that leads nowhere says so
        fs::create_dir(path("folder")).unwrap();
        symlink("../target", path("folder/near")).unwrap();
        symlink("folder/near", path("far")).unwrap();
        write_result(&path("far"), b"new").unwrap();
        assert_eq!(read("target"), b"new");
        assert!(path("far").symlink_metadata().unwrap().is_symlink());
        symlink("circle", path("circle")).unwrap();
        assert!(write_result(&path("circle"), b"new").is_err());
        assert!(path("circle").symlink_metadata().unwrap().is_symlink());
        // where there is no room beside it, the old one stays
        let missing = path("absent").join("list");
        assert!(write_result(&missing, b"new").is_err() && !missing.exists());
        write_result(Path::new("/dev/null"), b"new").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(write_result(Path::new("/dev/full"), b"new").is_err());
    }
}
