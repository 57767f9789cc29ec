//! Proves that who changes the files of an authority does so alone, and that who looks at them in the middle waits for the end.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use super::folder::Folder;
use super::lock::Lock;
use super::{Authority, CaError};
use crate::keys::KeyKind;
use crate::moment::now;
use crate::reason::Reason;

/// Time in which another thread would have gone on, if nothing held it.
const WHILE: Duration = Duration::from_millis(200);

fn made(dir: &Path) -> Authority {
    Authority::create(dir, "localhost-ca").unwrap()
}

/// With an intermediate that is revoked, and so may have another key.
fn robbed(dir: &Path) -> Authority {
    let authority = made(dir);
    let serial = authority.issuing().serial();
    authority
        .revoke(&serial, Reason::KeyCompromise, now())
        .unwrap();
    authority
}

/// Opens it in another thread while `first` holds it locked and then does the rest.
fn open_meanwhile(dir: &Path, rest: impl FnOnce()) -> Result<Authority, CaError> {
    thread::scope(|scope| {
        let lock = Lock::of(dir).unwrap();
        let opened = scope.spawn(|| Authority::open(dir));
        thread::sleep(WHILE);
        rest();
        drop(lock);
        opened.join().unwrap()
    })
}

#[test]
fn who_opens_it_leaves_an_exchange_to_the_one_who_does_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(made(dir.path()));
    let folder = Folder::of(dir.path());
    // the key is in its place, the certificate not yet
    fs::copy(&folder.issuing, folder.next_issuing()).unwrap();
    let mut renamed = None;
    let opened = open_meanwhile(dir.path(), || {
        renamed = Some(fs::rename(folder.next_issuing(), &folder.issuing));
    });
    renamed.unwrap().unwrap();
    opened.unwrap();
    // and of one who was cut off, it does the rest
    fs::copy(&folder.issuing, folder.next_issuing()).unwrap();
    drop(Authority::open(dir.path()).unwrap());
    assert!(!folder.next_issuing().exists());
}

#[test]
fn what_does_not_fit_is_looked_at_again() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(made(dir.path()));
    drop(made(other.path()));
    let folder = Folder::of(dir.path());
    let key = fs::read(&folder.issuing_key).unwrap();
    let stranger = fs::read(Folder::of(other.path()).issuing_key).unwrap();
    fs::write(&folder.issuing_key, &stranger).unwrap();
    let whole = || fs::write(&folder.issuing_key, &key).unwrap();
    drop(open_meanwhile(dir.path(), whole).unwrap());
    // nor is half an authority one that was cut off, while it is being made
    let aside = dir.path().join("aside");
    fs::rename(&folder.root, &aside).unwrap();
    let whole = || fs::rename(&aside, &folder.root).unwrap();
    drop(open_meanwhile(dir.path(), whole).unwrap());
    // with nobody at work it is what it is
    fs::write(&folder.issuing_key, &stranger).unwrap();
    let refused = Authority::open(dir.path()).unwrap_err();
    assert!(matches!(refused, CaError::Mismatch { .. }), "{refused}");
}

/// Nobody who only looks waits, or needs more than to read.
#[test]
fn a_whole_folder_is_opened_whoever_has_it_locked() {
    let dir = tempfile::tempdir().unwrap();
    drop(made(dir.path()));
    let _lock = Lock::of(dir.path()).unwrap();
    drop(Authority::open(dir.path()).unwrap());
}

#[test]
fn two_who_make_another_key_at_once_make_one() {
    for _ in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        drop(robbed(dir.path()));
        let start = Arc::new(Barrier::new(2));
        let renew = || {
            let mut authority = Authority::open(dir.path()).unwrap();
            authority.unlock_root(None, None).unwrap();
            start.wait();
            authority.renew_issuing_key(dir.path(), KeyKind::default(), None, None, now())
        };
        let results = thread::scope(|scope| {
            let both = [scope.spawn(renew), scope.spawn(renew)];
            both.map(|one| one.join().unwrap())
        });
        let refused = |error: &CaError| matches!(error, CaError::IssuingNotRevoked { .. });
        let late = results.iter().filter_map(|result| result.as_ref().err());
        assert_eq!(late.filter(|error| refused(error)).count(), 1);
        let new = results.iter().find_map(|result| result.as_ref().ok());
        let opened = Authority::open(dir.path()).unwrap();
        assert!(opened.issuing() == new.unwrap().certificate);
    }
}

/// The key of the next is behind a passphrase that the other does not know.
#[test]
fn who_was_overtaken_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = robbed(dir.path());
    let mut second = Authority::open(dir.path()).unwrap();
    second.unlock_root(None, None).unwrap();
    let secret = crate::keys::Passphrase::from_file_contents(b"correct horse").unwrap();
    let renewed = first
        .renew_issuing_key(dir.path(), KeyKind::default(), Some(&secret), None, now())
        .unwrap();
    let refused = second
        .renew_issuing_key(dir.path(), KeyKind::default(), None, None, now())
        .unwrap_err();
    assert!(matches!(refused, CaError::Overtaken { .. }), "{refused}");
    let opened = Authority::open_with(dir.path(), Some(&secret)).unwrap();
    assert!(opened.issuing() == renewed.certificate);
}
