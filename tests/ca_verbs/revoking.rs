//! `ca revoke`, `crl`, `ocsp`: who hears of a revocation, and what somebody has yet to do for it.

use std::fs;

use crate::room::{Room, has};

#[test]
fn a_list_is_exchanged_for_the_next_whole() {
    let room = Room::with_authority();
    room.ok("ca crl --ca ca --out list.pem");
    let before = fs::read(room.path("list.pem")).unwrap();
    fs::hard_link(room.path("list.pem"), room.path("witness")).unwrap();
    room.ok("ca issue --ca ca app.test");
    room.ok("ca revoke --ca ca app.test.pem");
    room.ok("ca crl --ca ca --out list.pem");
    assert_eq!(fs::read(room.path("witness")).unwrap(), before);
    assert_ne!(fs::read(room.path("list.pem")).unwrap(), before);
    let said = room.refused("ca crl --ca ca --out /dev/full");
    has(&said, "/dev/full");
}

#[test]
fn a_question_that_is_none_is_an_error() {
    let room = Room::with_authority();
    for question in ["/dev/null", "ca/root.pem"] {
        let said = room.refused(&format!("ca ocsp --ca ca {question} --out answer"));
        has(&said, "is no OCSP question");
        assert!(!room.path("answer").exists());
    }
}

#[test]
fn a_root_whose_key_is_elsewhere_has_somebody_told() {
    let room = Room::with_authority();
    fs::rename(room.path("ca/root.key"), room.path("elsewhere")).unwrap();
    let said = room.told("ca revoke --ca ca ca/issuing.pem --reason superseded");
    let line = "ca crl --of-root --renew --root-key FILE";
    has(&said, line);
    has(&said, "no client hears of this");
    let said = room.refused("ca crl --ca ca --of-root --out root.crl");
    has(&said, "lacks a revocation");
    has(&said, line);
    assert!(!room.path("root.crl").exists());
    let said = room.refused("ca serve --ca ca --listen 127.0.0.1:0 --no-acme");
    has(&said, "renew-issuing");
    room.ok("ca crl --ca ca --of-root --renew --root-key elsewhere --out root.crl");
    room.ok("ca crl --ca ca --of-root --out root.crl");
    room.ok("ca renew-issuing --ca ca --root-key elsewhere");
    room.ok("ca issue --ca ca app.test");
}

#[test]
fn other_certificates_of_a_compromised_key_are_named() {
    let room = Room::with_authority();
    room.ok("ca csr app.test");
    for file in ["first.pem", "second.pem"] {
        room.write(file, room.ok("ca sign --ca ca app.test.csr"));
    }
    let serial = room.serial("ca list --ca ca app.test");
    let said = room.told("ca revoke --ca ca first.pem --reason keyCompromise");
    has(&said, &serial);
    has(&said, "is still good");
    let said = room.told("ca revoke --ca ca second.pem --reason keyCompromise");
    assert_eq!(said, "");
    let said = room.refused("ca sign --ca ca app.test.csr");
    has(&said, "revoked as compromised");
}

/// A revocation is for ever: a part of a name, a digit or an empty variable of a script means nobody.
#[test]
fn what_is_revoked_is_named_whole() {
    let room = Room::with_authority();
    let serial = room.serial("ca issue --ca ca api.web.test");
    for part in [
        "web.test",
        "api",
        "db",
        "localhost-ca",
        "*",
        "%",
        "_",
        &serial[..1],
        &serial[..7],
    ] {
        has(
            &room.refused(&format!("ca revoke --ca ca {part}")),
            "has this whole name or serial number",
        );
    }
    for nothing in ["", " "] {
        let said = room
            .command("ca revoke --ca ca")
            .arg(nothing)
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(1), "{nothing:?}");
        has(
            &String::from_utf8(said.stderr).unwrap(),
            "has this whole name or serial number",
        );
    }
    has(
        &room.ok(&format!("ca revoke --ca ca {}", &serial[..8])),
        "api.web.test",
    );
    room.ok("ca issue --ca ca mydb.test");
    room.ok("ca revoke --ca ca MYDB.test");
}
