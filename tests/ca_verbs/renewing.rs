//! `ca renew`: certificate and key are exchanged for the next pair, which fits at every moment, or stay as they were.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::room::{Room, has};

/// Whether the key is the certificate's.
fn fit(certificate: &str, key: &str) -> bool {
    let certificate = X509::from_pem(certificate.as_bytes()).unwrap();
    let key = PKey::private_key_from_pem(key.as_bytes()).unwrap();
    certificate.public_key().unwrap().public_eq(&key)
}

fn pair(room: &Room) -> (String, String) {
    (room.read("app.test.pem"), room.read("app.test.key"))
}

#[test]
fn both_files_are_the_next_ones_and_keep_their_modes() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca --days 30 --key p384 --der app.test 127.0.0.1 *.app.test");
    room.set_mode("app.test.pem", 0o600);
    room.set_mode("app.test.key", 0o640);
    let mut before = pair(&room);
    for round in 0..3 {
        let words = match round {
            0 => "ca renew --ca ca app.test",
            1 => "ca renew --ca ca app.test.pem --revoke",
            _ => "ca renew --ca ca app.test --days 7 --key p256",
        };
        let out = room.ok(words);
        let after = pair(&room);
        assert!(fit(&after.0, &after.1), "{out}");
        assert!(before.0 != after.0 && before.1 != after.1);
        assert_eq!(room.mode("app.test.pem"), 0o600);
        assert_eq!(room.mode("app.test.key"), 0o640);
        let der = fs::read(room.path("app.test.cer")).unwrap();
        assert_eq!(
            X509::from_pem(after.0.as_bytes())
                .unwrap()
                .to_der()
                .unwrap(),
            der
        );
        room.ok("ca verify --ca ca --host a.app.test app.test.pem");
        before = after;
    }
    let listed = room.ok("ca list --ca ca app.test");
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.ends_with("server  valid")
        || line.contains("  app.test, 127.0.0.1, *.app.test")));
    assert_eq!(listed.matches("revoked").count(), 1);
    has(lines[2], "revoked");
    has(&room.ok("ca log --ca ca"), "superseded");
    let days = |line: &str| line.split("  ").nth(3).unwrap()[..10].to_owned();
    assert_eq!(
        days(lines[1]),
        days(lines[2]),
        "the profile and its days stay"
    );
    assert_ne!(days(lines[0]), days(lines[1]));
    // nothing is left of the keys before the last
    let kept = fs::read_dir(room.path(".app.test.pem.pair")).unwrap();
    assert_eq!(
        kept.count(),
        3,
        "live, what it points at, and the pair before"
    );
}

/// Tells the others that it is over, also when it ends by a panic: a scope waits for all its threads.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_failure_ends_the_reader_too() {
    let done = AtomicBool::new(false);
    let failed = std::panic::catch_unwind(|| {
        std::thread::scope(|scope| {
            let _end = End(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            });
            std::panic::resume_unwind(Box::new("planted"));
        });
    });
    assert!(failed.is_err());
}

/// Both at the same moment, many times: one comes after the other, and what lies there then is a pair.
#[test]
fn two_at_once_renew_one_after_the_other() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca app.test");
    for _ in 0..8 {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| room.ok("ca renew --ca ca app.test"));
            }
        });
        let (certificate, key) = pair(&room);
        assert!(fit(&certificate, &key));
    }
}

/// A server that reads one file after the other while they are exchanged. A pair that does not fit was read across the one moment; read
/// again, it fits.
#[test]
fn what_lies_there_fits_at_every_moment() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca app.test");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = End(&done);
        let reader = scope.spawn(|| {
            let mut looked = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let read = |_| {
                    let (first, key, last) = (
                        room.read("app.test.pem"),
                        room.read("app.test.key"),
                        room.read("app.test.pem"),
                    );
                    (first == last).then(|| fit(&first, &key))
                };
                // the certificate did not change while the key was read: so the pair is one
                let fits = (0..5).find_map(read);
                assert_eq!(fits, Some(true));
                looked += 1;
            }
            looked
        });
        for _ in 0..8 {
            room.ok("ca renew --ca ca app.test");
        }
        drop(end);
        assert!(reader.join().unwrap() > 8);
    });
}

#[test]
fn what_cannot_be_renewed_is_left_as_it_was() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca app.test");
    let before = pair(&room);
    room.ok("ca init --ca other");
    room.refuses(&[
        (
            "ca renew --ca other app.test",
            "was not issued by the authority in other",
        ),
        (
            "ca renew --ca ca nobody.test",
            "./nobody.test.pem is not here",
        ),
        (
            "ca renew --ca ca app.test --days 5000",
            "lives 1 to 398 days",
        ),
    ]);
    room.write("app.test.p12", "old");
    has(
        &room.refused("ca renew --ca ca app.test"),
        "app.test.p12 would keep the old key",
    );
    fs::remove_file(room.path("app.test.p12")).unwrap();
    fs::rename(room.path("app.test.key"), room.path("real.key")).unwrap();
    std::os::unix::fs::symlink("real.key", room.path("app.test.key")).unwrap();
    has(
        &room.refused("ca renew --ca ca app.test"),
        "a symbolic link of somebody else's",
    );
    fs::remove_file(room.path("app.test.key")).unwrap();
    fs::rename(room.path("real.key"), room.path("app.test.key")).unwrap();
    // an authority that cannot issue: no key is left behind
    room.set_mode("ca/issuing.key", 0o644);
    room.refused("ca renew --ca ca app.test");
    room.set_mode("ca/issuing.key", 0o600);
    room.write("ca/blocked-keys", "no list\n");
    room.refused("ca renew --ca ca app.test");
    fs::remove_file(room.path("ca/blocked-keys")).unwrap();
    assert_eq!(pair(&room), before);
    assert!(!room.path(".app.test.pem.pair").exists());
    // a crash between the steps: some are links already, and a pair that nobody points at lies there
    room.ok("ca renew --ca ca app.test");
    fs::create_dir(room.path(".app.test.pem.pair/7")).unwrap();
    let whole = room.read("app.test.key");
    fs::remove_file(room.path("app.test.key")).unwrap();
    room.write("app.test.key", whole);
    room.ok("ca renew --ca ca app.test");
    let (certificate, key) = pair(&room);
    assert!(fit(&certificate, &key));
    assert!(!room.path(".app.test.pem.pair/7").exists());
}
