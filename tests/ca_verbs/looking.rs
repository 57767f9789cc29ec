//! `ca view`, `lint`, `verify`, `show`, `list`, `log`: what they find, what they take and what they leave alone.

use std::fs;

use crate::room::{Room, has};

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
    room.refuses(&[
        (
            "ca verify --ca ca --purpose client app.test.pem",
            "OpenSSL refuses it: error 26 at 0 depth",
        ),
        (
            "ca verify --ca ca --purpose ocsp app.test.pem",
            "is it for OCSP responders? serverAuth",
        ),
    ]);
    room.ok("ca verify --ca ca --purpose any app.test.pem");
    room.refuses(&[
        ("ca verify --ca ca app.test.pem", "say which, with --host"),
        (
            "ca verify --ca ca --purpose cook app.test.pem",
            "`cook` is no purpose: server, client, ocsp, any",
        ),
    ]);

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
    room.refuses(&[
        (
            "ca verify --ca ca --host app.test --crl after.pem --crl root.crl app.test.pem",
            "OpenSSL refuses it: error 23 at 0 depth: certificate revoked (yes, since ",
        ),
        (
            "ca verify --ca ca --host app.test --crl app.test.pem app.test.pem",
            "app.test.pem: not a CRL: PEM of CERTIFICATE",
        ),
        (
            "ca verify --ca ca --host app.test --ocsp root.crl app.test.pem",
            "root.crl: not an OCSP answer: DER of something else",
        ),
        (
            "ca verify --ca nowhere --host app.test app.test.pem",
            "nowhere holds no authority (root.pem is absent); --ca says where it is",
        ),
    ]);
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
    let alone = room.refused("ca verify --ca ca --host app.test app.test.cer");
    has(&alone, "unable to get local issuer certificate");
    has(&alone, "there is no intermediate in the file");
    let chained = room.refused("ca verify --ca ca --host other.test app.test.pem");
    assert!(!chained.contains("intermediate"), "{chained}");
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
        let verify = format!("ca verify --ca ca --host app.test {file}");
        room.refuses(&[
            (&verify, &format!("{file}: not a certificate: ")),
            (&verify, came),
        ]);
        if file != "cut" {
            let nothing = format!("{file}: nothing that can be shown: {came}");
            room.refuses(&[
                (&format!("ca view {file}"), &nothing),
                (&format!("ca lint {file}"), came),
            ]);
        }
    }
    room.ok("ca csr other.test");
    room.refuses(&[
        ("ca lint other.test.csr", "PEM of CERTIFICATE REQUEST"),
        (
            "ca verify --ca ca --host other.test other.test.csr",
            "not a certificate: PEM of CERTIFICATE REQUEST",
        ),
        ("ca view absent.pem", "cannot read absent.pem"),
    ]);
}

#[test]
fn show_takes_a_name_and_lists_whom_it_may_mean() {
    let room = Room::with_authority();
    let first = room.serial("ca issue --ca ca app.test");
    room.ok("ca issue --ca ca other.app.test");
    room.shows(&[
        ("ca show --ca ca app.test", &first),
        ("ca show --ca ca APP.test", &first),
        ("ca show --ca ca other.app.test", "other.app.test"),
    ]);
    fs::create_dir(room.path("two")).unwrap();
    let second = room.serial("ca issue --ca ca --out two app.test");
    fs::create_dir(room.path("three")).unwrap();
    let third = room.serial("ca issue --ca ca --out three app.test");
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
    room.refuses(&[
        ("ca show --ca ca nobody.test", "no certificate"),
        ("ca revoke --ca ca app.test", "3 certificates may be meant"),
    ]);
}

#[test]
fn looking_things_up_takes_no_passphrase() {
    let room = Room::new();
    for (file, passphrase) in [("issuing.txt", "one\n"), ("root.txt", "two\n")] {
        room.write(file, passphrase);
        #[cfg(unix)]
        room.set_mode(file, 0o600);
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
    room.ok("ca eab --ca ca");
    has(&room.ok("ca eab --ca ca --list"), "UTC");
    room.ok("ca acme accounts --ca ca");
    room.ok("ca acme orders --ca ca");
    room.refuses(&[
        (
            "ca acme accounts --ca nowhere",
            "nowhere holds no authority's records",
        ),
        ("ca crl --ca nowhere --of-root", "there is no authority"),
        ("ca crl --ca ca", "issuing.key"),
        ("ca crl --ca ca --of-root --renew", "root.key"),
        (
            "ca list --ca nowhere",
            "nowhere holds no authority's records",
        ),
    ]);
}

/// Backups, other people's folders, disks that are mounted so: what only looks takes no write.
#[cfg(unix)]
#[test]
fn looking_things_up_writes_nothing() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca app.test");
    room.ok("ca crl --ca ca --out list.pem");
    for file in fs::read_dir(room.path("ca")).unwrap() {
        let file = file.unwrap().file_name();
        room.set_mode(&format!("ca/{}", file.display()), 0o400);
    }
    room.set_mode("ca", 0o500);
    for words in [
        "list --ca ca",
        "show --ca ca app.test",
        "log --ca ca",
        "crl --ca ca --of-root",
        "verify --ca ca --host app.test app.test.pem",
    ] {
        room.ok(&format!("ca {words}"));
    }
    room.set_mode("ca", 0o700);
}

#[test]
fn the_steps_are_objects_before_the_verdict() {
    let room = Room::with_authority();
    room.ok("ca issue --ca ca app.test");
    let lines = room.lines("ca verify --ca ca --host app.test --steps app.test.pem");
    let (verdict, steps) = lines.split_last().unwrap();
    assert_eq!(verdict["verdict"], "OK");
    assert!(steps.len() > 5, "{steps:?}");
    for step in steps {
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["question"].as_str().unwrap().ends_with('?') && step["depth"].is_u64());
    }
}
