//! The data folder: everything the service must not forget, made whole or not at all.
//!
//! ```text
//! stampmill-data/           0700
//!   .gitignore              *
//!   lock                    held by the running server
//!   ca/                     the local authority: clients trust root.pem
//!   tls/certificate.pem     what the server shows; issued anew before its end
//!   tls/key.pem
//!   keys/sealing.key        seals signing keys and client secrets (AES-256)
//!   stampmill.sqlite3       clients, people, sessions, grants, signing keys
//! ```
//!
//! A first start builds all of it in a folder beside, `.NAME.new-RANDOM`, and renames that into place as its last act:
//! a start that is interrupted leaves no half-made folder under the real name. What it leaves beside is in nobody's
//! way, and the next first start names it in the log.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use stampmill_jose::{Algorithm, SigningKey};
use stampmill_local_ca::{
    Authority, CaError, FileError, create_private, create_private_folder, create_public,
    read_private,
};

use crate::certificates::Certificates;
use crate::clock::{Clock, SystemClock, SystemRandom, random_bytes};
use crate::domain::{
    ApplicationType, ClientAuthentication, GrantType, PersonClaims, Registration,
    RegistrationError, SecretMethod, User, UserId, Username,
};
use crate::folder_lock;
use crate::password::{PasswordHash, typable_password};
use crate::secret::{SealingKey, Secret};
use crate::store::{SqliteStore, StoreError};

pub(crate) const AUTHORITY: &str = "ca";
/// Where folders of earlier versions kept the one signing key.
const SIGNING_KEY: &str = "keys/signing.pem";
const SEALING_KEY: &str = "keys/sealing.key";
const DATABASE: &str = "stampmill.sqlite3";

/// What a complete folder holds. (The TLS pair is not among it: it is made again whenever it does not fit.)
const PARTS: &[&str] = &["ca/root.pem", SEALING_KEY, DATABASE];

/// An open data folder, locked against a second server.
#[derive(Debug)]
pub struct DataFolder {
    pub(crate) certificates: Certificates,
    /// The one signing key of a folder that an earlier version made, to be taken into the database.
    pub(crate) earlier_key: Option<(SigningKey, PathBuf)>,
    pub(crate) sealing: SealingKey,
    pub(crate) store: SqliteStore,
    // Held for its lock, until everything above is closed.
    pub(crate) lock: File,
}

/// What a first start made up, told once: only hashes and sealed forms of these are kept.
#[derive(Debug, Clone)]
pub struct FirstStart {
    /// The demo client: confidential, `client_secret_basic`, for code and client credentials.
    pub client_id: String,
    /// Its secret, 256 bits.
    pub client_secret: Secret,
    /// Where its users may return to; the first on any port (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
    /// The demo user.
    pub username: String,
    /// Their password.
    pub password: Secret,
}

impl DataFolder {
    /// Opens the folder, or makes it: an authority, keys, a database, and one demo client and user, whose secrets are
    /// the second value.
    pub fn open_or_create(
        path: &Path,
    ) -> Result<(DataFolder, Option<FirstStart>), DataFolderError> {
        if !is_absent_or_empty(path)? {
            return Ok((DataFolder::open(path)?, None));
        }
        let (first, lock) = create(path, first_rows)?;
        Ok((DataFolder::open_locked(path, lock)?, Some(first)))
    }

    /// Whether there is no such folder yet, or nothing in it: [`open_or_create`](Self::open_or_create) would make it.
    pub fn is_new(path: &Path) -> Result<bool, DataFolderError> {
        is_absent_or_empty(path)
    }

    /// The same without demo client and user: for a service whose clients or people stand in its configuration.
    pub fn open_or_create_without_demo(path: &Path) -> Result<DataFolder, DataFolderError> {
        if !is_absent_or_empty(path)? {
            return DataFolder::open(path);
        }
        let ((), lock) = create(path, no_rows)?;
        DataFolder::open_locked(path, lock)
    }

    /// Opens a folder that exists.
    pub fn open(path: &Path) -> Result<DataFolder, DataFolderError> {
        check_complete(path)?;
        DataFolder::open_locked(path, folder_lock::take(path)?)
    }

    fn open_locked(path: &Path, lock: File) -> Result<DataFolder, DataFolderError> {
        let sealing = read_sealing_key(path)?;
        let store = SqliteStore::open(&path.join(DATABASE))?;
        check_sealing_key(path, &store, &sealing)?;
        Ok(DataFolder {
            certificates: Certificates::open(path)?,
            earlier_key: read_earlier_key(path)?,
            sealing,
            store,
            lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.certificates.folder()
    }

    /// The root certificate clients are told to trust, in PEM.
    pub fn ca_root_pem(&self) -> String {
        self.certificates.authority().root_pem()
    }

    /// The file of that certificate.
    pub fn ca_root_path(&self) -> PathBuf {
        self.path().join(AUTHORITY).join(Authority::ROOT_FILE)
    }
}

/// Makes the folder beside its place, then moves it there, locked: of several first starts at once, the one whose
/// folder it becomes is the one that serves it, and tells its secrets.
fn create<T>(path: &Path, rows: FirstRows<T>) -> Result<(T, File), DataFolderError> {
    let absolute = std::path::absolute(path).map_err(io_error("find", path))?;
    let name = absolute.file_name().ok_or_else(|| DataFolderError::Io {
        action: "name",
        path: path.to_owned(),
        error: io::ErrorKind::InvalidInput.into(),
    })?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let staging_name = format!(".{}.new-", name.to_string_lossy());
    for path in leftovers(parent, &staging_name) {
        tracing::warn!(path = %path.display(), "left by a first start that was interrupted; it may be removed");
    }
    // Random, not the process's number: in a container that is the same at every start.
    let unique = u64::from_ne_bytes(random_bytes(&SystemRandom));
    let staging = Staging::new(parent.join(format!("{staging_name}{unique:016x}")))?;
    let first = fill(&staging.path, rows)?;
    let lock = folder_lock::take(&staging.path)?;
    fs::rename(&staging.path, &absolute).map_err(|error| match error.kind() {
        // Another first start was quicker.
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => DataFolderError::InUse {
            path: path.to_owned(),
        },
        _ => io_error("create", path)(error),
    })?;
    // The name itself must survive a power cut, or the secrets told now would belong to nothing.
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(io_error("write", parent))?;
    Ok((first, lock))
}

/// Half-made folders of earlier starts.
fn leftovers(parent: &Path, staging_name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(staging_name)
        })
        .map(|entry| entry.path())
        .collect()
}

/// Makes the database with what is in it from the first start on.
type FirstRows<T> = fn(&Path, &SealingKey) -> Result<T, DataFolderError>;

fn fill<T>(folder: &Path, rows: FirstRows<T>) -> Result<T, DataFolderError> {
    let random = SystemRandom;
    create_public(
        &folder.join(".gitignore"),
        b"# Keys and people's data: nothing here belongs in a repository.\n*\n",
    )?;
    create_private(&folder.join(folder_lock::LOCK), b"")?;
    create_private_folder(&folder.join("tls"))?;
    create_private_folder(&folder.join("keys"))?;
    Authority::create(&folder.join(AUTHORITY), "localhost-ca")?;
    let sealing = SealingKey::generate(&random);
    create_private(&folder.join(SEALING_KEY), sealing.as_bytes())?;
    rows(&folder.join(DATABASE), &sealing)
}

fn no_rows(database: &Path, _: &SealingKey) -> Result<(), DataFolderError> {
    Ok(SqliteStore::create_with(database, None)?)
}

/// The demo client and user.
fn first_rows(database: &Path, sealing: &SealingKey) -> Result<FirstStart, DataFolderError> {
    let (random, now) = (SystemRandom, SystemClock.now());
    let redirect_uris = vec![
        "http://127.0.0.1/callback".to_owned(),
        "http://[::1]/callback".to_owned(),
        "http://localhost:3000/callback".to_owned(),
    ];
    let registration = Registration {
        id: Some("demo".into()),
        name: "Demo application".into(),
        secret_method: Some(SecretMethod::Basic),
        secret: None,
        // On the learner's own machine, so any loopback port will do.
        application: ApplicationType::Native,
        redirect_uris: redirect_uris.clone(),
        grant_types: GrantType::ALL.map(|(grant, _)| grant).to_vec(),
        scope: "openid profile email offline_access api".into(),
        jwks: None,
        id_token_alg: Algorithm::Rs256,
        dpop_bound: false,
        ..Registration::default()
    };
    let (client, secret) = registration.check(sealing, &random, now)?;
    let client_secret = secret.ok_or(RegistrationError::NoGrant)?;
    let password = typable_password(&random);
    let user = User {
        id: UserId::generate(&random),
        username: Username::parse("alice").expect("a plain word is a user name"),
        password: PasswordHash::of(&password, &random),
        name: "Alice Example".into(),
        email: Some("alice@example.com".into()),
        email_verified: true,
        claims: PersonClaims::default(),
        updated_at: now,
    };
    SqliteStore::create_with(database, Some((&client, &user)))?;
    Ok(FirstStart {
        client_id: client.id.to_string(),
        client_secret,
        redirect_uris,
        username: user.username.to_string(),
        password,
    })
}

fn is_absent_or_empty(path: &Path) -> Result<bool, DataFolderError> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

fn check_complete(path: &Path) -> Result<(), DataFolderError> {
    fs::read_dir(path).map_err(io_error("open the data folder", path))?;
    let missing: Vec<&str> = PARTS
        .iter()
        .copied()
        .filter(|part| !path.join(part).exists())
        .collect();
    match missing.len() {
        0 => Ok(()),
        all if all == PARTS.len() => Err(DataFolderError::Foreign {
            path: path.to_owned(),
        }),
        _ => Err(DataFolderError::Incomplete {
            path: path.to_owned(),
            missing: missing.join(", "),
        }),
    }
}

fn read_earlier_key(path: &Path) -> Result<Option<(SigningKey, PathBuf)>, DataFolderError> {
    let file = path.join(SIGNING_KEY);
    if !file.exists() {
        return Ok(None);
    }
    let pem = read_private(&file)?;
    match SigningKey::from_pkcs8_pem(&pem) {
        Ok(key) => Ok(Some((key, file))),
        Err(error) => Err(DataFolderError::Damaged {
            path: file,
            reason: error.to_string(),
        }),
    }
}

fn read_sealing_key(path: &Path) -> Result<SealingKey, DataFolderError> {
    let file = path.join(SEALING_KEY);
    let bytes = read_private(&file)?;
    let length = bytes.len();
    SealingKey::from_bytes(&bytes).ok_or_else(|| DataFolderError::Damaged {
        path: file,
        reason: format!("expected 32 bytes, found {length}"),
    })
}

/// The database and the sealing key, without the lock.
pub(crate) fn open_beside(path: &Path) -> Result<(SqliteStore, SealingKey), DataFolderError> {
    let no_data = || DataFolderError::NoData {
        path: path.to_owned(),
    };
    match check_complete(path) {
        Err(DataFolderError::Foreign { .. }) => return Err(no_data()),
        Err(_) if !path.exists() => return Err(no_data()),
        checked => checked?,
    }
    folder_lock::check_reachable(path)?;
    let store = SqliteStore::open_beside(&path.join(DATABASE))?;
    let sealing = read_sealing_key(path)?;
    check_sealing_key(path, &store, &sealing)?;
    Ok((store, sealing))
}

/// Whether the key opens every client secret. With another key the right secrets would be refused, and new ones sealed
/// so that the old key could not open them.
fn check_sealing_key(
    path: &Path,
    store: &SqliteStore,
    key: &SealingKey,
) -> Result<(), DataFolderError> {
    let sealed_otherwise = store.clients_now()?.into_iter().find(|client| {
        matches!(&client.authentication, ClientAuthentication::Confidential { secret, .. }
            if secret.open(key, &client.id).is_none())
    });
    match sealed_otherwise {
        None => Ok(()),
        Some(client) => Err(DataFolderError::OtherKey {
            key: path.join(SEALING_KEY),
            database: path.join(DATABASE),
            client: client.id.to_string(),
        }),
    }
}

/// A folder under construction; removed again unless it was moved away.
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn new(path: PathBuf) -> Result<Staging, DataFolderError> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(io_error("create", &path))?;
        Ok(Staging { path })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After the move there is nothing under this name.
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> DataFolderError {
    let path = path.to_owned();
    move |error| DataFolderError::Io {
        action,
        path,
        error,
    }
}

/// Why the data folder cannot be used. In every case what was there is still there.
///
/// The text holds what the system said, so no variant gives it again as [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataFolderError {
    /// The operating system refused.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Somebody else's folder.
    #[error("{} is not empty and holds no stampmill data; choose a folder that is empty or does not exist", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
    },
    /// No folder, or one without data, where something was to be changed or looked at.
    #[error("there is no stampmill data in {}: `stampmill serve` makes a data folder, and --data names it here", path.display())]
    NoData {
        /// Where.
        path: PathBuf,
    },
    /// A folder with parts missing.
    #[error("the data folder {} is incomplete ({missing} missing); nothing was changed. Restore what is missing, or start with another folder", path.display())]
    Incomplete {
        /// Where.
        path: PathBuf,
        /// What is missing.
        missing: String,
    },
    /// Another server runs on it.
    #[error("the data folder {} is in use by another stampmill server", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// The server that runs on it would not learn of what is done here.
    #[error("a server with `store = \"memory\"` runs on {}: it looks at the folder's database only when it starts, so nothing done there reaches it. Stop it first", path.display())]
    InMemory {
        /// Where.
        path: PathBuf,
    },
    /// A file that is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The sealing key of another folder, or the database of one.
    #[error("{} does not open what {} holds (the secret of client {client:?}): one of the two comes from another folder; bring back the one that belongs here", key.display(), database.display())]
    OtherKey {
        /// The key.
        key: PathBuf,
        /// The database.
        database: PathBuf,
        /// A client whose secret it does not open.
        client: String,
    },
    /// The authority's intermediate ends, and what makes the next is not at hand.
    #[error(
        "the authority's intermediate ends on {end} and cannot be renewed here ({error}); `stampmill ca renew-issuing --root-key FILE` does it"
    )]
    Intermediate {
        /// When, for people.
        end: String,
        /// Why not.
        error: CaError,
    },
    /// No certificate for these names.
    #[error("no TLS certificate can be issued: {0}")]
    Certificate(String),
    /// The authority.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// A key file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The demo client.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
}
