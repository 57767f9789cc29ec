//! The authority: a root that everything hangs from, and below it the intermediate that signs from day to day.

mod current;
mod error;
mod folder;
mod issue;
mod issuer;
pub(crate) mod lock;
mod make;
mod renew;
mod sub_ca;
#[cfg(all(test, unix))]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::base_url::BaseUrl;
use crate::certificate::Certificate;
use crate::constraints::NameConstraints;
use crate::der::oid;
use crate::files::{self, FileError};
use crate::keys::{self, BlockedKeys, KeyKind, Passphrase, PrivateKey, Signer};
use crate::moment::{DAY, now};
use crate::names::SubjectAltName;
use crate::profile::RuleSet;
use crate::store::{Event, Store};

pub use error::{CaError, IssueError};
pub(crate) use issuer::{Issuer, check_life};
pub use renew::Renewed;

use current::Current;
use folder::{Folder, State};
use lock::Lock;

/// Certificates begin to live a little before they are made, for clocks that run late.
const BACKDATE: i64 = 5 * 60;

/// What an authority is made with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorityProfile {
    /// The root's name, for instance `localhost-ca`; the intermediate is called `localhost-ca issuing`.
    pub common_name: String,
    /// The organization; public-like names have one, `Local development` unless set.
    pub organization: Option<String>,
    /// The country, two letters; public-like names have one, `XX` (nobody's) unless set.
    pub country: Option<String>,
    /// The kind of both keys.
    pub key: KeyKind,
    /// The life of both certificates in days: ten years unless set. `openssl req -x509` gives 30 days unless told.
    pub days: u32,
    /// The life of the intermediate in days, where it is shorter; [`Authority::renew_issuing`] makes the next.
    pub issuing_days: Option<u32>,
    /// The rules that what it issues keeps.
    pub rules: RuleSet,
    /// The names it is good for; without, for every name in the world.
    pub constraints: Option<NameConstraints>,
    /// Where its CRL, its responder and its certificates are found. Without, certificates point nowhere.
    pub base_url: Option<BaseUrl>,
    /// The passphrase of the root's key.
    pub root_passphrase: Option<Passphrase>,
    /// The passphrase of the intermediate's key. A server that starts by itself cannot type one.
    pub issuing_passphrase: Option<Passphrase>,
}

impl AuthorityProfile {
    /// P-256, ten years, private rules, private names, no addresses, no passphrases.
    #[must_use]
    pub fn new(common_name: impl Into<String>) -> Self {
        Self {
            common_name: common_name.into(),
            organization: None,
            country: None,
            key: KeyKind::default(),
            days: 3652,
            issuing_days: None,
            rules: RuleSet::default(),
            constraints: Some(NameConstraints::default()),
            base_url: None,
            root_passphrase: None,
            issuing_passphrase: None,
        }
    }
}

/// A certificate authority: root, issuing intermediate, records.
pub struct Authority {
    root: Certificate,
    /// There when it was just made, or was unlocked.
    root_signer: Option<Signer>,
    issuing: Current,
    rules: RuleSet,
    constraints: Option<NameConstraints>,
    base_url: Option<BaseUrl>,
    store: Option<Arc<Store>>,
    root_key_path: PathBuf,
    blocked: OnceLock<BlockedKeys>,
}

impl Authority {
    /// The root certificate's file in an authority's folder.
    pub const ROOT_FILE: &str = "root.pem";
    /// The root key's file in an authority's folder.
    pub const KEY_FILE: &str = "root.key";
    /// The intermediate certificate's file in an authority's folder.
    pub const ISSUING_FILE: &str = "issuing.pem";
    /// The intermediate key's file in an authority's folder.
    pub const ISSUING_KEY_FILE: &str = "issuing.key";
    /// The records' file in an authority's folder.
    pub const STORE_FILE: &str = "ca.sqlite3";
    /// The file of a list of keys that are not certified, where somebody has put one: a line for each, as Debian's openssl-blacklist has them,
    /// or SHA-256 of the `SubjectPublicKeyInfo`.
    pub const BLOCKED_KEYS_FILE: &str = "blocked-keys";

    /// Makes a new authority in `dir` with the default profile. The folder is made (0700) when it is absent.
    ///
    /// # Errors
    /// [`CaError::Exists`] when there is one already; [`CaError::Interrupted`] when half of one is there; nothing is ever overwritten.
    pub fn create(dir: &Path, common_name: &str) -> Result<Self, CaError> {
        Self::create_with(dir, &AuthorityProfile::new(common_name))
    }

    /// Like [`Authority::create`], with another profile.
    ///
    /// # Errors
    /// As [`Authority::create`].
    pub fn create_with(dir: &Path, profile: &AuthorityProfile) -> Result<Self, CaError> {
        let folder = Folder::of(dir);
        folder.settled(|| folder.refuse_present())?;
        let mut authority = Self::generate(profile, now())?;
        files::create_private_folder(dir)?;
        files::check_folder(dir)?;
        let _lock = Lock::of(dir)?;
        // another may have made one while the keys were made
        folder.refuse_present()?;
        let mut written = Written::default();
        authority.write(&folder, profile, &mut written)?;
        written.keep();
        authority.root_key_path = folder.root_key;
        let issuer = Issuer::clone(&authority.issuing_issuer());
        let stamp = folder.issuing.symlink_metadata().ok();
        authority.issuing = Current::following(issuer, folder.issuing, stamp);
        Ok(authority)
    }

    /// Writes every file, the root's certificate last: where it stands, everything else does.
    fn write(
        &mut self,
        folder: &Folder,
        profile: &AuthorityProfile,
        written: &mut Written,
    ) -> Result<(), CaError> {
        let root_key = self.root_signer.as_ref().map(Signer::private);
        let root_key = root_key.expect("an authority that was just made has its root's key");
        let root_key = root_key.protected_pem(profile.root_passphrase.as_ref())?;
        let issuing = self.issuing_issuer();
        let issuing_key = issuing.signer.private();
        let issuing_key = issuing_key.protected_pem(profile.issuing_passphrase.as_ref())?;
        written.create(&folder.root_key, |path| {
            files::create_private(path, &root_key)
        })?;
        written.create(&folder.issuing_key, |path| {
            files::create_private(path, &issuing_key)
        })?;
        let issuing = issuing.certificate.pem();
        written.create(&folder.issuing, |path| {
            files::create_public(path, issuing.as_bytes())
        })?;
        let store = written.create(&folder.store, Store::create)?;
        store.set_settings(self.rules, self.base_url.as_ref())?;
        store.note(now(), Event::Created, None, &profile.common_name)?;
        self.store = Some(Arc::new(store));
        self.record_first_issuing(now())?;
        self.publish_root_crl(now())?;
        written.create(&folder.root, |path| {
            files::create_public(path, self.root.pem().as_bytes())
        })?;
        Ok(())
    }

    /// Opens the authority in `dir`, and looks whether its files still belong together.
    ///
    /// # Errors
    /// [`CaError::Missing`], [`CaError::Interrupted`], [`CaError::Damaged`], [`CaError::Mismatch`], and
    /// [`FileError::Exposed`] when other users can read a key.
    pub fn open(dir: &Path) -> Result<Self, CaError> {
        Self::open_with(dir, None)
    }

    /// Like [`Authority::open`], with the passphrase of the intermediate's key.
    ///
    /// # Errors
    /// As [`Authority::open`]; [`CaError::Locked`] when a passphrase is needed or does not open the key.
    pub fn open_with(dir: &Path, passphrase: Option<&Passphrase>) -> Result<Self, CaError> {
        let folder = Folder::of(dir);
        let state = folder.settled(|| folder.state())?;
        if state == State::Empty {
            return Err(CaError::Missing {
                dir: dir.to_owned(),
            });
        }
        files::check_folder(dir)?;
        let root = read_authority(&folder.root, None)?;
        check_root_key(&folder, &root)?;
        folder.finish_exchange()?;
        let stamp = folder.issuing.symlink_metadata().ok();
        let issuing = folder.settled(|| read_issuer(&folder, &state, &root, passphrase))?;
        let store = match folder.store.symlink_metadata() {
            Ok(_) => Store::open(&folder.store)?,
            // of before there were records
            Err(_) => Store::create(&folder.store)?,
        };
        let (rules, base_url) = store.settings()?;
        let constraints = issuing
            .certificate
            .parsed()
            .extension(oid::NAME_CONSTRAINTS);
        let constraints = constraints
            .map(NameConstraints::read)
            .transpose()
            .map_err(|_| damaged(&folder.issuing, "its name constraints cannot be read"))?
            .map(|names| match rules {
                RuleSet::Private => names,
                RuleSet::PublicLike => names.for_servers(),
            });
        let is_root = state == State::RootOnly;
        let authority = Self {
            root_signer: is_root.then(|| issuing.signer.clone()),
            root,
            issuing: match is_root {
                true => Current::fixed(issuing),
                false => Current::following(issuing, folder.issuing, stamp),
            },
            rules,
            constraints,
            base_url,
            store: Some(Arc::new(store)),
            root_key_path: folder.root_key,
            blocked: OnceLock::new(),
        };
        authority.record_first_issuing(now())?;
        Ok(authority)
    }

    /// Reads the root's key, for what the root itself signs: its CRL, other authorities below it.
    ///
    /// # Errors
    /// [`CaError::RootKeyAbsent`] when it is neither in the folder nor at `path`; [`CaError::Locked`]; [`CaError::Mismatch`].
    pub fn unlock_root(
        &mut self,
        path: Option<&Path>,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), CaError> {
        if self.root_signer.is_some() {
            return Ok(());
        }
        let path = path.unwrap_or(&self.root_key_path);
        self.root_signer = Some(read_root_key(&self.root, path, passphrase)?);
        Ok(())
    }

    /// The root of the authority in `dir` as one who signs, without the rest of it.
    pub(crate) fn root_of(
        dir: &Path,
        key: Option<&Path>,
        passphrase: Option<&Passphrase>,
    ) -> Result<Issuer, CaError> {
        let folder = Folder::of(dir);
        let certificate = read_authority(&folder.root, None)?;
        let key = key.unwrap_or(&folder.root_key);
        Ok(Issuer {
            name: "root",
            signer: read_root_key(&certificate, key, passphrase)?,
            certificate,
        })
    }

    /// The root's certificate of the authority in `dir`, without the rest of it.
    pub(crate) fn root_certificate_of(dir: &Path) -> Result<Certificate, CaError> {
        read_authority(&Folder::of(dir).root, None)
    }

    /// The root certificate.
    #[must_use]
    pub fn root(&self) -> Certificate {
        self.root.clone()
    }

    /// The root certificate in PEM: what clients are told to trust.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// The certificate that signs from day to day: the one that is in the folder by now, if another process renewed it. In folders of
    /// before the intermediate that is the root.
    #[must_use]
    pub fn issuing(&self) -> Certificate {
        self.issuing_issuer().certificate.clone()
    }

    /// Whether a certificate was signed by this authority's day-to-day key.
    #[must_use]
    pub fn issued(&self, certificate: &Certificate) -> bool {
        certificate.is_signed_by(&self.issuing_issuer().certificate)
    }

    /// The rules it keeps.
    #[must_use]
    pub fn rules(&self) -> RuleSet {
        self.rules
    }

    /// The names it is good for; `None` is every name.
    #[must_use]
    pub fn constraints(&self) -> Option<&NameConstraints> {
        self.constraints.as_ref()
    }

    /// Whether a name lies within what it is good for.
    #[must_use]
    pub fn permits(&self, name: &SubjectAltName) -> bool {
        let constraints = self.constraints.as_ref();
        constraints.is_none_or(|constraints| constraints.permits(name))
    }

    /// Where its public files are found.
    #[must_use]
    pub fn base_url(&self) -> Option<&BaseUrl> {
        self.base_url.as_ref()
    }

    /// Has what is issued from now on point there, by this process and by every later one; `None` has it point nowhere. What was issued
    /// before keeps pointing where it did.
    ///
    /// # Errors
    /// [`CaError::BaseUrlNeeded`] where the rules want an address, and [`CaError::Store`].
    pub fn set_base_url(&mut self, base_url: Option<BaseUrl>) -> Result<(), CaError> {
        if base_url.is_none() && self.rules == RuleSet::PublicLike {
            return Err(CaError::BaseUrlNeeded);
        }
        if let Some(store) = &self.store {
            store.set_settings(self.rules, base_url.as_ref())?;
        }
        self.base_url = base_url;
        Ok(())
    }

    /// The same for what this value issues, and for nothing else: an address that ends with the process is in no records.
    #[must_use]
    pub fn with_base_url(mut self, base_url: Option<BaseUrl>) -> Self {
        self.base_url = base_url;
        self
    }

    /// The records; an authority in memory has none.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.store.as_deref()
    }

    /// The same, for whoever keeps records of its own there.
    pub(crate) fn shared_store(&self) -> Option<Arc<Store>> {
        self.store.clone()
    }

    /// Who signs from day to day. Asked for once in each piece of work, which is then of one piece.
    pub(crate) fn issuing_issuer(&self) -> Arc<Issuer> {
        self.issuing.get(&self.root)
    }

    /// The root as one who signs, when its key is here.
    pub(crate) fn root_issuer(&self) -> Option<Issuer> {
        let signer = self.root_signer.clone()?;
        Some(Issuer {
            name: "root",
            certificate: self.root.clone(),
            signer,
        })
    }

    /// The same where its key lies in the folder without a passphrase, too.
    pub(crate) fn root_without_asking(&self) -> Result<Issuer, CaError> {
        match self.root_issuer() {
            Some(root) => Ok(root),
            None => Ok(Issuer {
                name: "root",
                signer: read_root_key(&self.root, &self.root_key_path, None)?,
                certificate: self.root.clone(),
            }),
        }
    }

    /// A leaf of the records with what follows it in a chain.
    pub(crate) fn with_chain(&self, leaf: Certificate) -> Certificate {
        leaf.followed_by(self.behind(&self.issuing_issuer()))
    }

    /// What follows a certificate of this issuer in a chain, in DER: the intermediate; nothing if the root signs itself.
    fn behind(&self, issuer: &Issuer) -> Vec<Vec<u8>> {
        match issuer.certificate == self.root {
            true => Vec::new(),
            false => vec![issuer.certificate.der()],
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("root", &self.root)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The end is inclusive (RFC 5280 §4.1.2.5), so 90 days end one second before they are over.
fn last_second(start: i64, days: u32) -> i64 {
    start + i64::from(days) * DAY - 1
}

fn damaged(path: &Path, reason: impl Into<String>) -> CaError {
    CaError::Damaged {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// A certificate that can do an authority's work, signed by `issuer` or by itself.
fn read_authority(path: &Path, issuer: Option<&Certificate>) -> Result<Certificate, CaError> {
    let certificate = Certificate::from_pem(&files::read_public(path)?)
        .map_err(|error| damaged(path, error.to_string()))?;
    if !certificate.intermediates().is_empty() {
        return Err(damaged(path, "more than one certificate"));
    }
    let parsed = certificate.parsed();
    // keyCertSign is bit 5
    if !parsed.is_authority() || !parsed.may(5) {
        return Err(damaged(
            path,
            "not the certificate of an authority: it may not sign certificates",
        ));
    }
    match certificate.is_signed_by(issuer.unwrap_or(&certificate)) {
        true => Ok(certificate),
        false => Err(damaged(
            path,
            match issuer {
                Some(_) => "it is not signed by the root beside it",
                None => "its signature does not verify",
            },
        )),
    }
}

fn read_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<Signer, CaError> {
    key_of(path, &files::read_private(path)?, passphrase)
}

fn key_of(path: &Path, pem: &[u8], passphrase: Option<&Passphrase>) -> Result<Signer, CaError> {
    use crate::keys::KeyError;
    PrivateKey::read(pem, passphrase)
        .and_then(Signer::new)
        .map_err(|error| match error {
            KeyError::PassphraseNeeded | KeyError::Passphrase => CaError::Locked {
                path: path.to_owned(),
                error,
            },
            error => damaged(path, error.to_string()),
        })
}

fn read_root_key(
    root: &Certificate,
    path: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<Signer, CaError> {
    if path.symlink_metadata().is_err() {
        return Err(CaError::RootKeyAbsent {
            path: path.to_owned(),
        });
    }
    let signer = read_key(path, passphrase)?;
    match signer.public().spki() == root.parsed().spki {
        true => Ok(signer),
        false => Err(CaError::Mismatch {
            dir: path.parent().unwrap_or(Path::new("")).to_owned(),
            key: file_name(path),
            certificate: Authority::ROOT_FILE,
        }),
    }
}

/// The root's key, where it lies in the folder: not readable by others; and the right one, as far as that shows without a passphrase.
fn check_root_key(folder: &Folder, root: &Certificate) -> Result<(), CaError> {
    let pem = match files::read_private(&folder.root_key) {
        Ok(pem) => pem,
        // kept elsewhere
        Err(FileError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if std::str::from_utf8(&pem).is_ok_and(keys::is_encrypted) {
        return Ok(());
    }
    let signer = key_of(&folder.root_key, &pem, None)?;
    match signer.public().spki() == root.parsed().spki {
        true => Ok(()),
        false => Err(CaError::Mismatch {
            dir: folder.dir.clone(),
            key: Authority::KEY_FILE.to_owned(),
            certificate: Authority::ROOT_FILE,
        }),
    }
}

/// Who signs from day to day.
fn read_issuer(
    folder: &Folder,
    state: &State,
    root: &Certificate,
    passphrase: Option<&Passphrase>,
) -> Result<Issuer, CaError> {
    let issuing = match state {
        State::RootOnly => Issuer {
            name: "root",
            certificate: root.clone(),
            signer: read_key(&folder.root_key, passphrase)?,
        },
        _ => Issuer {
            name: "issuing",
            certificate: read_authority(&folder.issuing, Some(root))?,
            signer: read_key(&folder.issuing_key, passphrase)?,
        },
    };
    check_pair(folder, &issuing)?;
    Ok(issuing)
}

fn check_pair(folder: &Folder, issuing: &Issuer) -> Result<(), CaError> {
    match issuing.signer.public().spki() == issuing.certificate.parsed().spki {
        true => Ok(()),
        false => Err(CaError::Mismatch {
            dir: folder.dir.clone(),
            key: Authority::ISSUING_KEY_FILE.to_owned(),
            certificate: Authority::ISSUING_FILE,
        }),
    }
}

/// Files of a creation; removed again unless it succeeds. Nothing was signed for anybody yet.
#[derive(Default)]
struct Written {
    files: Vec<PathBuf>,
    kept: bool,
}

impl Written {
    /// Makes one. Only what was made is ours to remove: what creation refused is somebody else's, even if it was absent a moment before.
    fn create<T, E>(
        &mut self,
        path: &Path,
        make: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<T, E> {
        let made = make(path)?;
        self.files.push(path.to_owned());
        Ok(made)
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.kept {
            for file in &self.files {
                let _ = std::fs::remove_file(file);
            }
        }
    }
}
