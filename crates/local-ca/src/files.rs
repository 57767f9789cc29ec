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
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
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
    let mut bytes = Vec::new();
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
