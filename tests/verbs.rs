//! Proves that the verbs of `stampmill ca` that look at things, and `ca renew`, do what their page says, also with what people type by
//! mistake: the built program in a folder of its own.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder to work in, gone with it.
struct Room(tempfile::TempDir);

/// What the program said, and whether it ended well.
#[derive(Debug)]
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With an authority in `ca`.
    fn with_authority() -> Self {
        let room = Self::new();
        room.ok("ca init --ca ca");
        room
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(file), text).unwrap();
    }

    /// `stampmill WORDS`, with something to read on its standard input.
    fn fed(&self, words: &str, input: &[u8]) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stampmill"))
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // who does not read it has ended
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Said {
            ok: output.status.success(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, words: &str) -> Said {
        self.fed(words, b"")
    }

    fn ok(&self, words: &str) -> String {
        let said = self.run(words);
        assert!(said.ok, "{words}: {said:?}");
        said.out
    }

    /// It must be refused; why.
    fn refused(&self, words: &str) -> String {
        let said = self.run(words);
        assert!(!said.ok, "{words}: {said:?}");
        assert!(!said.err.contains("panicked"), "{words}: {said:?}");
        said.err.trim_end().to_owned()
    }

    /// A member of a verb's result.
    fn json(&self, words: &str, member: &str) -> String {
        let out = self.ok(&format!("--json {words}"));
        let value: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
        value[member].as_str().unwrap().to_owned()
    }
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in: {text}");
}

#[test]
fn verify_asks_about_revocation_and_purposes() {
    let room = Room::new();
    room.ok("ca init --ca ca --mail");
    room.ok("ca issue --ca ca app.test");
    room.ok("ca issue --ca ca --profile client alice@example.test");
    has(
        &room.ok("ca verify --ca ca --host app.test --steps app.test.pem"),
        "is it revoked? no, say the authority's records: issued on ",
    );
    room.ok("ca verify --ca ca --purpose client alice@example.test.pem");
    room.ok("ca verify --ca ca --purpose client --host alice@example.test alice@example.test.pem");
    has(
        &room.refused("ca verify --ca ca --purpose client app.test.pem"),
        "OpenSSL refuses it: error 26 at 0 depth",
    );
    has(
        &room.refused("ca verify --ca ca --purpose ocsp app.test.pem"),
        "is it for OCSP responders? serverAuth",
    );
    room.ok("ca verify --ca ca --purpose any app.test.pem");
    has(
        &room.refused("ca verify --ca ca app.test.pem"),
        "say which, with --host",
    );
    has(
        &room.refused("ca verify --ca ca --purpose cook app.test.pem"),
        "`cook` is no purpose: server, client, ocsp, any",
    );

    room.ok("ca crl --ca ca --out before.pem");
    room.ok("ca crl --ca ca --of-root --out root.crl");
    let lists = "ca verify --ca ca --host app.test --crl before.pem";
    room.ok(&format!("{lists} --crl root.crl app.test.pem"));
    has(
        &room.refused(&format!("{lists} app.test.pem")),
        "error 3 at 1 depth: unable to get certificate CRL (nobody knows: no list of CN=localhost-ca is here, only list ",
    );
    room.ok("ca revoke --ca ca app.test --reason keyCompromise");
    // an old list does not know it yet; the records do
    let refused = room.refused(&format!("{lists} --crl root.crl app.test.pem"));
    has(
        &refused,
        "OpenSSL accepts it; refused all the same: CN=app.test: is it revoked? yes, since ",
    );
    has(&refused, "(keyCompromise), say the authority's records");
    room.ok("ca crl --ca ca --out after.pem");
    has(
        &room.refused(
            "ca verify --ca ca --host app.test --crl after.pem --crl root.crl app.test.pem",
        ),
        "OpenSSL refuses it: error 23 at 0 depth: certificate revoked (yes, since ",
    );
    has(
        &room.refused("ca verify --ca ca --host app.test --crl app.test.pem app.test.pem"),
        "app.test.pem: not a CRL: PEM of CERTIFICATE",
    );
    has(
        &room.refused("ca verify --ca ca --host app.test --ocsp root.crl app.test.pem"),
        "root.crl: not an OCSP answer: DER of something else",
    );
    has(
        &room.refused("ca verify --ca nowhere --host app.test app.test.pem"),
        "nowhere holds no authority (root.pem is absent); --ca says where it is",
    );
}

#[test]
fn what_is_handed_over_may_come_through_a_pipe_and_is_named_when_it_is_something_else() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca --der app.test");
    let chain = room.read("app.test.pem");
    for words in [
        "ca view -",
        "ca lint -",
        "ca verify --ca ca --host app.test -",
    ] {
        let said = room.fed(words, chain.as_bytes());
        assert!(said.ok, "{words}: {said:?}");
        let said = room.fed(words, b"");
        assert!(!said.ok, "{words}: {said:?}");
        has(&said.err, "standard input: ");
        has(&said.err, "it is empty");
    }
    room.ok("ca verify --ca ca --host app.test app.test.pem");
    // without its intermediate
    has(
        &room.refused("ca verify --ca ca --host app.test app.test.cer"),
        "unable to get local issuer certificate",
    );
    let shown = room.ok("ca view app.test.pem");
    has(&shown, "1 of 2: certificate (RFC 5280");
    has(&shown, "2 of 2: certificate (RFC 5280");
    let linted = room.ok("ca lint app.test.pem");
    assert_eq!(
        linted,
        "1 of 2, as: server, rules: private\n2 of 2, as: issuing authority, rules: private\nno errors\n"
    );
    room.write("bundle.pem", room.read("app.test.key") + &chain);
    let shown = room.ok("ca view bundle.pem");
    has(
        &shown,
        "1 of 3: a private key: it is not shown\n2 of 3: certificate",
    );
    assert_eq!(
        room.refused("ca view app.test.key"),
        "stampmill: app.test.key: a private key: it is not shown"
    );

    room.write("empty", "");
    room.write("words", "hello\n");
    room.write("cut", &fs::read(room.path("app.test.cer")).unwrap()[..200]);
    for (file, came) in [
        ("empty", "it is empty"),
        ("words", "text without a BEGIN line"),
        ("cut", "cut short"),
    ] {
        if file != "cut" {
            has(
                &room.refused(&format!("ca view {file}")),
                &format!("{file}: nothing that can be shown: {came}"),
            );
            has(&room.refused(&format!("ca lint {file}")), came);
        }
        has(
            &room.refused(&format!("ca verify --ca ca --host app.test {file}")),
            &format!("{file}: not a certificate: "),
        );
        has(
            &room.refused(&format!("ca verify --ca ca --host app.test {file}")),
            came,
        );
    }
    room.ok("ca csr other.test");
    has(
        &room.refused("ca lint other.test.csr"),
        "PEM of CERTIFICATE REQUEST",
    );
    has(
        &room.refused("ca verify --ca ca --host other.test other.test.csr"),
        "not a certificate: PEM of CERTIFICATE REQUEST",
    );
    has(
        &room.refused("ca view absent.pem"),
        "cannot read absent.pem",
    );
}

#[test]
fn show_takes_a_name_and_lists_whom_it_may_mean() {
    let room = Room::with_authority();
    let first = room.json("ca issue --ca ca app.test", "serial");
    room.ok("ca issue --ca ca other.app.test");
    has(&room.ok("ca show --ca ca app.test"), &first);
    has(&room.ok("ca show --ca ca APP.test"), &first);
    has(&room.ok("ca show --ca ca other"), "other.app.test");
    fs::create_dir(room.path("two")).unwrap();
    let second = room.json("ca issue --ca ca --out two app.test", "serial");
    fs::create_dir(room.path("three")).unwrap();
    let third = room.json("ca issue --ca ca --out three app.test", "serial");
    room.ok(&format!("ca revoke --ca ca {third}"));
    let refused = room.refused("ca show --ca ca app.test");
    has(
        &refused,
        "3 certificates may be meant; say which by serial number:",
    );
    let place = |serial: &str| refused.find(serial).unwrap();
    // the newest valid one first, the revoked one last
    assert!(
        place(&second) < place(&first) && place(&first) < place(&third),
        "{refused}"
    );
    has(&refused, &format!("{second}  valid  until 2"));
    has(
        &room.ok(&format!("ca show --ca ca {}", &second[..12])),
        &second,
    );
    has(
        &room.refused("ca show --ca ca nobody.test"),
        "no certificate that was issued here has this serial number or name: nobody.test",
    );
    has(
        &room.refused("ca revoke --ca ca app.test"),
        "3 certificates may be meant",
    );
}

#[test]
fn looking_things_up_takes_no_passphrase() {
    let room = Room::new();
    room.write("issuing.txt", "one\n");
    room.write("root.txt", "two\n");
    for file in ["issuing.txt", "root.txt"] {
        private(&room.path(file));
    }
    room.ok("ca init --ca ca --passphrase-file issuing.txt --root-passphrase-file root.txt");
    room.ok("ca issue --ca ca --passphrase-file issuing.txt app.test");
    room.ok("ca crl --ca ca --of-root --out root.crl");
    room.ok("ca crl --ca ca --of-root --renew --root-passphrase-file root.txt --out root.crl");
    for words in ["list", "log", "show app.test"] {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        has(&room.ok(&format!("ca {verb} --ca ca {rest}")), "app.test");
    }
    room.ok("ca verify --ca ca --host app.test app.test.pem");
    has(&room.refused("ca crl --ca ca"), "issuing.key");
    has(
        &room.refused("ca crl --ca ca --of-root --renew"),
        "root.key",
    );
    has(
        &room.refused("ca list --ca nowhere"),
        "nowhere holds no authority's records",
    );
}

#[test]
fn names_are_taken_as_people_write_them_and_what_is_there_is_kept() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca bücher.test *.bücher.test [::1]");
    has(
        &room.ok("ca list --ca ca"),
        "  xn--bcher-kva.test, *.xn--bcher-kva.test, ::1",
    );
    room.ok("ca verify --ca ca --host bücher.test bücher.test.pem");
    room.ok("ca verify --ca ca --host [::1] bücher.test.pem");
    has(
        &room.refused("ca verify --ca ca --host https://a.test:8443/ bücher.test.pem"),
        "without scheme, port and path",
    );
    has(
        &room.refused("ca issue --ca ca bücher.test"),
        "./bücher.test.pem and its key are there already and are not overwritten; `stampmill ca renew` exchanges them for the next",
    );
    room.ok("ca renew --ca ca bücher.test");
}

/// Backups, other people's folders, disks that are mounted so: what only looks takes no write.
#[cfg(unix)]
#[test]
fn looking_things_up_writes_nothing() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca app.test");
    room.ok("ca crl --ca ca --out list.pem");
    let all = || -> Vec<_> {
        fs::read_dir(room.path("ca"))
            .unwrap()
            .map(|one| one.unwrap().path())
            .collect()
    };
    let set = |path: &Path, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, mode).unwrap();
    };
    all().iter().for_each(|file| set(file, 0o400));
    set(&room.path("ca"), 0o500);
    for words in [
        "list --ca ca",
        "show --ca ca app.test",
        "log --ca ca",
        "crl --ca ca --of-root",
        "verify --ca ca --host app.test app.test.pem",
    ] {
        room.ok(&format!("ca {words}"));
    }
    set(&room.path("ca"), 0o700);
}

/// `update-ca-certificates` goes elsewhere before it looks for its folders, and makes none.
#[test]
fn a_folder_that_is_new_and_given_from_here_takes_a_root() {
    let room = Room::with_authority();
    let home = room.0.path().display();
    for (words, last) in [
        ("trust --unprotected-key", "ca-certificates"),
        ("untrust", "--fresh"),
    ] {
        let shown = room.ok(&format!(
            "ca {words} --ca ca --store debian --root-dir scratch"
        ));
        let lines: Vec<&str> = shown.lines().skip(1).collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert_eq!(lines[1], format!("  mkdir -p {home}/scratch/etc/ssl/certs"));
        has(
            lines[2],
            &format!(
                "  update-ca-certificates --etccertsdir {home}/scratch/etc/ssl/certs --localcertsdir {home}/scratch/usr/"
            ),
        );
        assert!(lines[2].ends_with(last), "{shown}");
    }
}

/// Firefox has a database in each profile, wherever its package put them.
#[test]
fn each_profile_of_firefox_is_found() {
    let room = Room::with_authority();
    has(
        &room.ok("ca trust --ca ca --store firefox --unprotected-key"),
        "-d sql:PROFILE-FOLDER -A",
    );
    let usual = room.ok("ca trust --ca ca --store nss --unprotected-key");
    assert_eq!(usual.matches("certutil").count(), 1, "{usual}");
    for folder in [
        ".mozilla/firefox/a.default",
        "snap/firefox/common/.mozilla/firefox/b.default",
    ] {
        fs::create_dir_all(room.path(folder)).unwrap();
        room.write(&format!("{folder}/cert9.db"), "");
    }
    fs::create_dir_all(room.path(".mozilla/firefox/Crash Reports")).unwrap();
    fs::create_dir_all(room.path("snap/chromium/current/.pki/nssdb")).unwrap();
    let shown = room.ok("ca trust --ca ca --store firefox --unprotected-key");
    let home = room.0.path().display();
    has(
        &shown,
        &format!("-d sql:{home}/.mozilla/firefox/a.default -A"),
    );
    has(
        &shown,
        &format!("-d sql:{home}/snap/firefox/common/.mozilla/firefox/b.default -A"),
    );
    assert_eq!(shown.matches("certutil").count(), 2, "{shown}");
    let shown = room.ok("ca untrust --ca ca --store nss");
    has(
        &shown,
        &format!("-d sql:{home}/snap/chromium/current/.pki/nssdb -D"),
    );
    assert_eq!(shown.matches("certutil").count(), 1, "{shown}");
}

fn private(path: &Path) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let _ = path;
}

/// One of them makes the authority, and it is whole; the others say that it is there.
#[test]
fn several_who_make_an_authority_at_once_make_one() {
    for _ in 0..8 {
        let room = Room::new();
        let said = std::thread::scope(|scope| {
            let all = [(); 3].map(|()| scope.spawn(|| room.fed("ca init --ca ca", b"")));
            all.map(|one| one.join().unwrap())
        });
        for one in said.iter().filter(|one| !one.ok) {
            has(&one.err, "ca holds an authority already");
        }
        assert_eq!(said.iter().filter(|one| one.ok).count(), 1, "{said:?}");
        assert!(room.path("ca/root.key").exists(), "{said:?}");
        room.ok("ca issue --ca ca app.test");
    }
}

#[cfg(unix)]
mod renewed {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::sync::atomic::{AtomicBool, Ordering};

    use openssl::pkey::PKey;
    use openssl::x509::X509;

    use super::*;

    /// Whether the key is the certificate's.
    fn fit(certificate: &str, key: &str) -> bool {
        let certificate = X509::from_pem(certificate.as_bytes()).unwrap();
        let key = PKey::private_key_from_pem(key.as_bytes()).unwrap();
        certificate.public_key().unwrap().public_eq(&key)
    }

    fn pair(room: &Room) -> (String, String) {
        (room.read("app.test.pem"), room.read("app.test.key"))
    }

    fn mode(room: &Room, file: &str) -> u32 {
        fs::metadata(room.path(file)).unwrap().mode() & 0o7777
    }

    #[test]
    fn both_files_are_the_next_ones_and_keep_their_modes() {
        let room = Room::with_authority();
        room.ok("ca issue --ca ca --days 30 --key p384 --der app.test 127.0.0.1 *.app.test");
        for (file, mode) in [("app.test.pem", 0o600), ("app.test.key", 0o640)] {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(room.path(file), mode).unwrap();
        }
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
            assert_eq!(mode(&room, "app.test.pem"), 0o600);
            assert_eq!(mode(&room, "app.test.key"), 0o640);
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
        has(
            &room.refused("ca renew --ca other app.test"),
            "was not issued by the authority in other",
        );
        has(
            &room.refused("ca renew --ca ca nobody.test"),
            "./nobody.test.pem is not here",
        );
        has(
            &room.refused("ca renew --ca ca app.test --days 5000"),
            "lives 1 to 398 days",
        );
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
        fs::set_permissions(
            room.path("ca/issuing.key"),
            fs::Permissions::from_mode(0o644),
        )
        .unwrap();
        room.refused("ca renew --ca ca app.test");
        fs::set_permissions(
            room.path("ca/issuing.key"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
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
}
