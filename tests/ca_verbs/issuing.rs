//! `ca init`, `issue`, `sign`, `csr`, `eab`: what is made, for people and for programs, and nothing of it lost.

use std::fs;

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
