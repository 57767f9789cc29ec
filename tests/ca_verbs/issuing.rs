//! `ca init`, `issue`, `sign`, `csr`, `eab`: what is made, for people and for programs, and nothing of it lost.

use std::fs;

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509Name, X509Req};

use crate::room::{Room, has};

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
    room.refuses(&[
        (
            "ca verify --ca ca --host https://a.test:8443/ bücher.test.pem",
            "without scheme, port and path",
        ),
        (
            "ca issue --ca ca bücher.test",
            "./bücher.test.pem and its key are there already and are not overwritten; `stampmill ca renew` exchanges them for the next",
        ),
    ]);
    room.ok("ca renew --ca ca bücher.test");
}

#[cfg(unix)]
#[test]
fn a_result_that_nobody_takes_is_told_with_its_serial_number() {
    let room = Room::with_authority();
    room.ok("ca csr app.test");
    for verb in ["ca sign --ca ca app.test.csr", "ca eab --ca ca"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = room.command(verb).stdout(full.unwrap()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains("cannot write the result"),
            "{said}"
        );
        let way_back = match verb.contains("eab") {
            true => "ca eab --withdraw ".to_owned(),
            false => {
                let serial = room.serial("ca list --ca ca app.test");
                format!("ca show --ca ca --pem {serial}")
            }
        };
        has(&said, &way_back);
    }
}

#[test]
fn programs_get_lists_and_moments_they_can_read() {
    let room = Room::new();
    let made = room.json("ca init --ca ca --only example.test --only 10.0.0.0/8 --mail");
    let good_for = made["good_for"].as_array().unwrap();
    assert_eq!(good_for.len(), 3);
    assert_eq!(good_for[..2], ["example.test", "10.0.0.0/8"]);
    let not_after = room.json("ca list --ca ca")["not_after"].clone();
    let moment = not_after.as_str().unwrap();
    assert!(
        moment.len() == 20 && moment.contains('T') && moment.ends_with('Z'),
        "{moment}"
    );
}

/// What of a request's subject is not certified is said, and the certificate goes to standard output all the same.
#[test]
fn what_of_a_subject_is_left_out_is_told() {
    let room = Room::with_authority();
    let p256 = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&p256).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("O", "Example").unwrap();
    name.append_entry_by_text("CN", "Team CA").unwrap();
    let mut request = X509Req::builder().unwrap();
    request.set_subject_name(&name.build()).unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, MessageDigest::sha256()).unwrap();
    room.write("team.csr", request.build().to_pem().unwrap());
    let verb = "ca sign --ca ca --profile sub-ca team.csr";
    let said = room.told(verb);
    has(
        &said,
        "not taken over from the request's subject: O=Example",
    );
    assert_eq!(
        room.json(verb)["left_out"],
        serde_json::json!(["O=Example"])
    );
}

/// What is in the way of the last file is in the way of the first: nothing is certified that could not be written.
#[cfg(unix)]
#[test]
fn whatever_is_in_the_way_is_noticed_before_anything_is_issued() {
    let room = Room::with_authority();
    let before = room.lines("ca list --ca ca").len();
    std::os::unix::fs::symlink("nowhere", room.path("sy.test.pem")).unwrap();
    room.write("de.test.cer", "something else");
    room.write("p.test.p12", "something else");
    room.write("password", "secret\n");
    room.set_mode("password", 0o600);
    for (words, file) in [
        ("sy.test", "sy.test.pem"),
        ("--der de.test", "de.test.cer"),
        ("--pkcs12-password-file password p.test", "p.test.p12"),
    ] {
        let said = room.refused(&format!("ca issue --ca ca {words}"));
        has(&said, &format!("{file} exists already"));
        assert!(
            !room
                .path(&file[..file.len() - 3])
                .with_extension("key")
                .exists()
        );
    }
    assert_eq!(room.lines("ca list --ca ca").len(), before);
}

/// A file that should have had a passphrase, and what it is for, is another matter than a key that has one.
#[test]
fn an_empty_passphrase_file_is_named_and_no_key_is_accused() {
    let room = Room::with_authority();
    room.write("empty", "\n");
    room.set_mode("empty", 0o600);
    let said = room.refused("ca issue --ca ca --pkcs12-password-file empty app.test");
    assert_eq!(said, "stampmill: empty has no passphrase in its first line");
}

#[test]
fn profiles_that_need_something_else_say_what() {
    let room = Room::with_authority();
    let said = room.refused("ca issue --ca ca --profile sub-ca Team");
    assert!(
        said.contains("ca sign --profile sub-ca") && said.contains("CN=Team"),
        "{said}"
    );
    let said = room.refused("ca issue --ca ca --profile ocsp app.test");
    has(&said, "`stampmill ca serve`");
    assert!(!room.path("Team.key").exists());
}
