//! Trust stores: how a root gets into each, how it gets out again, and who reads it.
//!
//! Putting a root into a store is the one step of a local authority that weakens a machine. So it is shown before it is done, every step has
//! its undoing beside it, and a root that is good for every name, or whose key lies unprotected beside it, asks for a louder word.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use crate::authority::Authority;
use crate::certificate::{Certificate, hex};
use crate::der::oid;
use crate::files::{self, FileError};
use crate::keys;
use crate::moment::{now, utc};

/// A command as it is run: a program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustStep {
    /// The words.
    pub words: Vec<String>,
    /// What the command takes out, where it fails when that is not in.
    takes_out: Option<TakesOut>,
}

/// A command that lists what is in, and the name under which it would be there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TakesOut {
    list: Vec<String>,
    name: String,
}

/// A trust store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrustStore {
    /// Its name: `debian`, `nss`.
    pub name: &'static str,
    /// Who reads it, and who still does not.
    pub read_by: &'static str,
    /// The commands that put the root in.
    pub add: Vec<TrustStep>,
    /// The commands that take exactly that out again.
    pub remove: Vec<TrustStep>,
    /// Whether `--apply` runs them: where nothing has to be clicked, and the program is here.
    pub applies: bool,
}

/// Where the stores are, so that tests can look at stores of their own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrustPlaces {
    /// Where Debian's own certificates go.
    pub debian_local: PathBuf,
    /// What Debian's programs read.
    pub debian_etc: PathBuf,
    /// What Debian's packages have done when that changes: Java's package fills the machine's key store.
    pub debian_hooks: PathBuf,
    /// That key store, if it is there.
    pub debian_java: Option<PathBuf>,
    /// The databases of NSS that Chromium reads: the usual one, and those of its packages that are here.
    pub nss: Vec<PathBuf>,
    /// Firefox's profiles that are here, each with a database of its own.
    pub firefox: Vec<PathBuf>,
}

/// Where Chromium's packages keep their databases, below the home folder.
const NSS: &[&str] = &[
    ".pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
    ".var/app/org.chromium.Chromium/data/pki/nssdb",
];
/// Where Firefox and its packages keep their profiles.
const FIREFOX: &[&str] = &[
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    "Library/Application Support/Firefox/Profiles",
];

impl TrustPlaces {
    /// The machine's, and this user's.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        Self {
            debian_local: "/usr/local/share/ca-certificates".into(),
            debian_etc: "/etc/ssl/certs".into(),
            debian_hooks: "/etc/ca-certificates/update.d".into(),
            debian_java: Some(PathBuf::from("/etc/ssl/certs/java/cacerts"))
                .filter(|store| store.is_file()),
            nss: databases(&home),
            firefox: FIREFOX
                .iter()
                .flat_map(|folder| profiles(&home.join(folder)))
                .collect(),
        }
    }

    /// All of them below one folder. `update-ca-certificates` goes elsewhere before it looks for it: so by its whole path.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self {
            debian_local: folder.join("usr/local/share/ca-certificates"),
            debian_etc: folder.join("etc/ssl/certs"),
            debian_hooks: folder.join("etc/ca-certificates/update.d"),
            debian_java: None,
            nss: vec![folder.join("nssdb")],
            firefox: profiles(&folder.join("firefox")),
        }
    }
}

/// The usual one also where it is absent: it is made when Chromium first runs.
fn databases(home: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = NSS.iter().map(|folder| home.join(folder)).collect();
    let usual = all.remove(0);
    all.retain(|folder| folder.is_dir());
    if all.is_empty() || usual.is_dir() {
        all.insert(0, usual);
    }
    all
}

/// Those that have a database, in the order of their names.
fn profiles(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| folder.join("cert9.db").is_file())
        .collect();
    found.sort();
    found
}

/// Why a root is not put into a store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It is good for every name in the world.
    #[error(
        "this root is good for every name in the world: whoever copies a key of this authority is everybody's bank to this machine. Make one with constraints, or say --unconstrained"
    )]
    Unconstrained,
    /// Its time is over.
    #[error("this root expired at {end}: who trusts it believes nothing for it")]
    Expired {
        /// When, for people.
        end: String,
    },
    /// Its key lies beside it without a passphrase.
    #[error("{} has no passphrase: whoever copies it signs in this root's name. Move it elsewhere, or say --unprotected-key", path.display())]
    UnprotectedKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The key's file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A command failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        reason: String,
    },
}

/// Looks whether a root may be trusted without a louder word.
///
/// # Errors
/// [`TrustError::Expired`], [`TrustError::Unconstrained`], [`TrustError::UnprotectedKey`].
pub fn check_trustworthy(
    root: &Certificate,
    folder: &Path,
    unconstrained: bool,
    unprotected_key: bool,
) -> Result<(), TrustError> {
    if root.not_after() < now() {
        return Err(TrustError::Expired {
            end: utc(root.not_after()),
        });
    }
    let constraints = root.parsed().extension(oid::NAME_CONSTRAINTS);
    if constraints.is_none() && !unconstrained {
        return Err(TrustError::Unconstrained);
    }
    let path = folder.join(Authority::KEY_FILE);
    if unprotected_key || path.symlink_metadata().is_err() {
        return Ok(());
    }
    let pem = files::read_private(&path)?;
    match std::str::from_utf8(&pem).is_ok_and(keys::is_encrypted) {
        true => Ok(()),
        false => Err(TrustError::UnprotectedKey { path }),
    }
}

/// The stores, and how this root gets into each and out again. `file` is where the certificate lies.
#[must_use]
pub fn trust_stores(root: &Certificate, file: &Path, places: &TrustPlaces) -> Vec<TrustStore> {
    let serial = root.serial();
    // The name says which root it is, so that taking one out never takes out another.
    let print = hex(&openssl::sha::sha256(root.der_bytes())[..6]);
    let name = format!("stampmill-{print}");
    let root = file.display().to_string();
    let path = |folder: &Path, file: &str| folder.join(file).display().to_string();
    let crt = path(&places.debian_local, &format!("{name}.crt"));
    let machine = *places.debian_etc == *Path::new("/etc/ssl/certs");
    let update = |extra: &[&str]| {
        let etc = places.debian_etc.display().to_string();
        let local = places.debian_local.display().to_string();
        // Without this the machine's own hooks would run, and put the root into the machine's own key store for Java.
        let hooks = places.debian_hooks.display().to_string();
        let own = [
            "update-ca-certificates",
            "--etccertsdir",
            &etc,
            "--localcertsdir",
            &local,
            "--hooksdir",
            &hooks,
        ];
        let words = if machine { &own[..1] } else { &own[..] };
        step(&[words, extra].concat())
    };
    // a folder of one's own may not have it yet
    let made = match machine {
        true => Vec::new(),
        false => vec![step(&[
            "mkdir",
            "-p",
            &places.debian_etc.display().to_string(),
        ])],
    };
    let database = |folder: &PathBuf| format!("sql:{}", folder.display());
    let add_to = |database: &str| {
        let words = [
            "certutil", "-d", database, "-A", "-t", "C,,", "-n", &name, "-i", &root,
        ];
        step(&words)
    };
    let remove_from = |database: &str| TrustStep {
        takes_out: Some(TakesOut {
            list: words(&["certutil", "-d", database, "-L"]),
            name: name.clone(),
        }),
        ..step(&["certutil", "-d", database, "-D", "-n", &name])
    };
    // `update-ca-certificates --fresh` tells the hook what is in, and never what has gone.
    let remove_from_java = |store: &PathBuf| {
        let store = store.display().to_string();
        let alias = format!("debian:{name}.pem");
        let keytool = |verb: &'static str| {
            [
                "keytool",
                verb,
                "-keystore",
                &store,
                "-storepass",
                "changeit",
            ]
            .map(str::to_owned)
        };
        TrustStep {
            words: [keytool("-delete").as_slice(), &words(&["-alias", &alias])].concat(),
            takes_out: Some(TakesOut {
                list: keytool("-list").to_vec(),
                name: alias,
            }),
        }
    };
    let java = places.debian_java.iter().filter(|_| has("keytool"));
    let chromium: Vec<String> = places.nss.iter().map(database).collect();
    let firefox: Vec<String> = match places.firefox.is_empty() {
        true => vec!["sql:PROFILE-FOLDER".to_owned()],
        false => places.firefox.iter().map(database).collect(),
    };
    vec![
        TrustStore {
            name: "debian",
            read_by: "OpenSSL, curl, wget, Python, Go, .NET, and Java of Debian; not Node, not Chromium, not Firefox",
            add: [
                vec![step(&["install", "-D", "-m", "644", &root, &crt])],
                made.clone(),
                vec![update(&[])],
            ]
            .concat(),
            remove: [
                vec![step(&["rm", "-f", &crt])],
                made,
                vec![update(&["--fresh"])],
                java.map(remove_from_java).collect(),
            ]
            .concat(),
            applies: has("update-ca-certificates"),
        },
        TrustStore {
            name: "nss",
            read_by: "Chromium and Chrome on Linux",
            add: chromium.iter().map(|one| add_to(one)).collect(),
            remove: chromium.iter().map(|one| remove_from(one)).collect(),
            applies: has("certutil") && places.nss.iter().all(|folder| folder.is_dir()),
        },
        TrustStore {
            name: "fedora",
            read_by: "OpenSSL, GnuTLS, NSS, Java of Fedora; not Node",
            add: vec![
                step(&[
                    "cp",
                    &root,
                    &format!("/etc/pki/ca-trust/source/anchors/{name}.pem"),
                ]),
                step(&["update-ca-trust"]),
            ],
            remove: vec![
                step(&[
                    "rm",
                    "-f",
                    &format!("/etc/pki/ca-trust/source/anchors/{name}.pem"),
                ]),
                step(&["update-ca-trust"]),
            ],
            applies: false,
        },
        TrustStore {
            name: "arch",
            read_by: "OpenSSL, GnuTLS, NSS, Java of Arch; not Node",
            add: vec![step(&["trust", "anchor", "--store", &root])],
            remove: vec![step(&["trust", "anchor", "--remove", &root])],
            applies: false,
        },
        TrustStore {
            name: "macos",
            read_by: "Safari, Chrome, curl of macOS; not Firefox, not Node, not Java",
            add: vec![step(&[
                "security",
                "add-trusted-cert",
                "-d",
                "-r",
                "trustRoot",
                "-k",
                "/Library/Keychains/System.keychain",
                &root,
            ])],
            remove: vec![step(&["security", "remove-trusted-cert", "-d", &root])],
            applies: false,
        },
        TrustStore {
            name: "windows",
            read_by: "Edge, Chrome, .NET; not Firefox unless security.enterprise_roots.enabled, not Node, not Java",
            add: vec![step(&["certutil.exe", "-addstore", "-user", "Root", &root])],
            remove: vec![step(&[
                "certutil.exe",
                "-delstore",
                "-user",
                "Root",
                &serial,
            ])],
            applies: false,
        },
        TrustStore {
            name: "firefox",
            read_by: "Firefox, each profile its own",
            add: firefox.iter().map(|one| add_to(one)).collect(),
            remove: firefox.iter().map(|one| remove_from(one)).collect(),
            applies: has("certutil") && !places.firefox.is_empty(),
        },
        TrustStore {
            name: "java",
            read_by: "one installation of Java",
            add: vec![step(&[
                "keytool",
                "-importcert",
                "-cacerts",
                "-storepass",
                "changeit",
                "-noprompt",
                "-alias",
                &name,
                "-file",
                &root,
            ])],
            remove: vec![step(&[
                "keytool",
                "-delete",
                "-cacerts",
                "-storepass",
                "changeit",
                "-alias",
                &name,
            ])],
            applies: false,
        },
        TrustStore {
            name: "node",
            read_by: "Node, one process at a time",
            add: vec![step(&["export", &format!("NODE_EXTRA_CA_CERTS={root}")])],
            remove: vec![step(&["unset", "NODE_EXTRA_CA_CERTS"])],
            applies: false,
        },
    ]
}

fn step(words: &[&str]) -> TrustStep {
    TrustStep {
        words: self::words(words),
        takes_out: None,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn has(program: &str) -> bool {
    found(program, &path()).is_some()
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Where a program is: also where Debian has those of administrators, which is not in everybody's PATH.
fn found(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Runs what [`has`] has seen; what it has not is left to the system, which says so.
fn command(program: &str, path: &OsStr) -> Command {
    match found(program, path) {
        Some(file) => Command::new(file),
        None => Command::new(program),
    }
}

impl TrustStep {
    /// Runs it. What is to be taken out and is not in has been taken out.
    ///
    /// # Errors
    /// [`TrustError::Command`] with what it said.
    pub fn run(&self) -> Result<(), TrustError> {
        if let Some(TakesOut { list, name }) = &self.takes_out {
            let listed = self.output(list)?;
            // a line is a name and what is known of it: after a blank (certutil), or a comma (keytool)
            let named = |line: &str| line.split([' ', ',']).next() == Some(name.as_str());
            if !listed.lines().any(named) {
                return Ok(());
            }
        }
        self.output(&self.words).map(drop)
    }

    fn output(&self, words: &[String]) -> Result<String, TrustError> {
        let (program, arguments) = words.split_first().expect("a step has a program");
        let failed = |reason: String| TrustError::Command {
            command: self.to_string(),
            reason,
        };
        let output = command(program, &path())
            .args(arguments)
            .output()
            .map_err(|error| failed(error.to_string()))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            )),
        }
    }
}

/// As one types it into a shell.
impl std::fmt::Display for TrustStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |word: &str| {
            let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:=,".contains(c);
            !word.is_empty() && word.chars().all(harmless)
        };
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| match plain(word) {
                true => word.clone(),
                false => format!("'{}'", word.replace('\'', r"'\''")),
            })
            .collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::AuthorityProfile;
    use crate::moment::DAY;

    #[test]
    fn a_root_without_bounds_or_time_is_not_trusted() {
        let folder = Path::new("nowhere");
        let root = |profile: &AuthorityProfile, before: i64| {
            let authority = Authority::generate(profile, now() - before).unwrap();
            authority.root()
        };
        let mut profile = AuthorityProfile::new("trust");
        let good = root(&profile, 0);
        assert!(check_trustworthy(&good, folder, false, false).is_ok());
        let expired = check_trustworthy(&root(&profile, 4000 * DAY), folder, true, true);
        assert!(matches!(expired, Err(TrustError::Expired { .. })));
        profile.constraints = None;
        let open = root(&profile, 0);
        let refused = check_trustworthy(&open, folder, false, false);
        assert!(matches!(refused, Err(TrustError::Unconstrained)));
        assert!(check_trustworthy(&open, folder, true, false).is_ok());
    }

    #[test]
    fn what_was_found_is_what_is_run() {
        let Ok(mut there) = std::fs::read_dir("/usr/sbin") else {
            return;
        };
        let Some(program) = there.find_map(|file| {
            let path = file.ok()?.path();
            path.is_file().then_some(path)
        }) else {
            return;
        };
        let name = program.file_name().and_then(OsStr::to_str).unwrap();
        for elsewhere in ["", "/nowhere"] {
            let command = command(name, OsStr::new(elsewhere));
            assert_eq!(command.get_program(), program);
        }
    }

    #[test]
    fn what_is_not_in_need_not_be_taken_out() {
        let removal = |listed: &str| TrustStep {
            takes_out: Some(TakesOut {
                list: words(&["echo", listed]),
                name: "stampmill-1".to_owned(),
            }),
            ..step(&["false"])
        };
        assert!(removal("stampmill-12 C,,").run().is_ok());
        assert!(removal("another C,,\nstampmill-1 C,,").run().is_err());
        assert!(
            removal("another, Nov 22, 2026\nstampmill-1, Nov 22, 2026")
                .run()
                .is_err()
        );
        let unreadable = TrustStep {
            takes_out: Some(TakesOut {
                list: words(&["false"]),
                name: "stampmill-1".to_owned(),
            }),
            ..step(&["true"])
        };
        assert!(unreadable.run().is_err());
    }

    /// Where there is a Java to ask.
    #[test]
    fn a_root_that_debians_hook_gave_to_java_is_taken_out() {
        if !has("keytool") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::generate(&AuthorityProfile::new("java"), now()).unwrap();
        let (root, file) = (authority.root(), folder.path().join("root.pem"));
        std::fs::write(&file, root.pem()).unwrap();
        let mut places = TrustPlaces::below(folder.path());
        places.debian_java = Some(folder.path().join("cacerts"));
        let removal = trust_stores(&root, &file, &places)[0].remove.pop().unwrap();
        let store = &removal.words[..6];
        let keytool = |verb: &str, more: &[&str]| {
            let words = [&store[..1], &words(&[verb]), &store[2..], &words(more)].concat();
            removal.output(&words)
        };
        let alias = removal.words.last().unwrap();
        let file = file.display().to_string();
        for alias in [alias.as_str(), "debian:another.pem"] {
            let import = ["-noprompt", "-alias", alias, "-file", &file];
            keytool("-importcert", &import).unwrap();
        }
        removal.run().unwrap();
        let left = keytool("-list", &[]).unwrap();
        assert!(!left.contains("debian:stampmill-"), "{left}");
        assert!(left.contains("debian:another.pem"), "{left}");
        removal.run().unwrap();
    }
}
