//! Proves that the verbs of `stampmill ca` keep an authority's folder to its owner, lose no file to a full disk, and say what somebody has to
//! do: the built program in a folder of its own.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

struct Room(tempfile::TempDir);

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

    fn mode(&self, file: &str) -> u32 {
        let metadata = fs::metadata(self.path(file)).unwrap();
        metadata.permissions().mode() & 0o777
    }

    fn set_mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stampmill"));
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn say(&self, words: &str) -> Said {
        let output = self.command(words).output().unwrap();
        Said {
            ok: output.status.success(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn ok(&self, words: &str) -> Said {
        let said = self.say(words);
        assert!(said.ok, "{words}: {said:?}");
        said
    }

    /// Its words, on standard error.
    fn refused(&self, words: &str) -> String {
        let said = self.say(words);
        assert!(!said.ok, "{words}: {said:?}");
        said.err
    }

    fn json(&self, words: &str) -> Value {
        let said = self.ok(&format!("--json {words}"));
        let line = said.out.lines().next().unwrap();
        serde_json::from_str(line).unwrap()
    }
}

#[test]
fn nobody_else_can_write_to_an_authority_or_read_its_records() {
    let room = Room::new();
    for folder in ["empty", "full"] {
        fs::create_dir(room.path(folder)).unwrap();
        room.set_mode(folder, 0o777);
    }
    fs::write(room.path("full/notes"), "").unwrap();
    room.ok("ca init --ca empty");
    assert_eq!(room.mode("empty"), 0o700);
    let said = room.refused("ca init --ca full");
    assert!(said.contains("can be written by other users"), "{said}");
    assert!(!room.path("full/root.key").exists());

    for mode in [0o770, 0o702] {
        room.set_mode("empty", mode);
        let said = room.refused("ca issue --ca empty app.test");
        assert!(said.contains("can be written by other users"), "{said}");
    }
    room.set_mode("empty", 0o700);
    assert_eq!(room.mode("empty/ca.sqlite3"), 0o600);
    for mode in [0o644, 0o620] {
        room.set_mode("empty/ca.sqlite3", mode);
        for verb in [
            "issue --ca empty app.test",
            "eab --ca empty",
            "list --ca empty",
        ] {
            let said = room.refused(&format!("ca {verb}"));
            assert!(said.contains("other users"), "{verb}: {said}");
        }
    }
    room.set_mode("empty/ca.sqlite3", 0o600);
    room.ok("ca issue --ca empty app.test");
}

#[test]
fn what_else_a_folder_holds_is_left_alone() {
    let room = Room::new();
    for folder in ["ignoring", "project"] {
        fs::create_dir(room.path(folder)).unwrap();
        room.set_mode(folder, 0o755);
    }
    fs::write(room.path("ignoring/.gitignore"), "target\n").unwrap();
    fs::write(room.path("project/main.rs"), "").unwrap();
    for folder in ["ignoring", "project"] {
        let said = room.ok(&format!("ca init --ca {folder}"));
        assert!(said.err.contains("come into no repository"), "{said:?}");
        room.ok(&format!("ca list --ca {folder}"));
    }
    let kept = fs::read_to_string(room.path("ignoring/.gitignore")).unwrap();
    assert_eq!(kept, "target\n");
    assert!(!room.path("project/.gitignore").exists());
    let said = room.ok("ca init --ca own");
    assert!(said.err.is_empty(), "{said:?}");
    assert!(room.path("own/.gitignore").exists());
}

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
    assert!(said.contains("/dev/full"), "{said}");
}

#[test]
fn a_question_that_is_none_is_an_error() {
    let room = Room::with_authority();
    for question in ["/dev/null", "ca/root.pem"] {
        let said = room.refused(&format!("ca ocsp --ca ca {question} --out answer"));
        assert!(said.contains("is no OCSP question"), "{said}");
        assert!(!room.path("answer").exists());
    }
}

#[test]
fn a_root_whose_key_is_elsewhere_has_somebody_told() {
    let room = Room::with_authority();
    fs::rename(room.path("ca/root.key"), room.path("elsewhere")).unwrap();
    let said = room.ok("ca revoke --ca ca ca/issuing.pem --reason superseded");
    let line = "ca crl --of-root --renew --root-key FILE";
    assert!(said.err.contains(line), "{said:?}");
    assert!(said.err.contains("no client hears of this"), "{said:?}");
    let said = room.refused("ca crl --ca ca --of-root --out root.crl");
    assert!(
        said.contains("lacks a revocation") && said.contains(line),
        "{said}"
    );
    assert!(!room.path("root.crl").exists());
    let said = room.refused("ca serve --ca ca --listen 127.0.0.1:0 --no-acme");
    assert!(said.contains("renew-issuing"), "{said}");
    room.ok("ca crl --ca ca --of-root --renew --root-key elsewhere --out root.crl");
    room.ok("ca crl --ca ca --of-root --out root.crl");
    room.ok("ca renew-issuing --ca ca --root-key elsewhere");
    room.ok("ca issue --ca ca app.test");
}

#[test]
fn other_certificates_of_a_compromised_key_are_named() {
    let room = Room::with_authority();
    room.ok("ca csr app.test");
    let [first, second] = ["first.pem", "second.pem"].map(|file| {
        let said = room.ok("ca sign --ca ca app.test.csr");
        fs::write(room.path(file), said.out).unwrap();
        file
    });
    let serial = room.json("ca list --ca ca app.test")["serial"].clone();
    let said = room.ok(&format!("ca revoke --ca ca {first} --reason keyCompromise"));
    let serial = serial.as_str().unwrap();
    assert!(
        said.err.contains(serial) && said.err.contains("is still good"),
        "{said:?}"
    );
    let said = room.ok(&format!(
        "ca revoke --ca ca {second} --reason keyCompromise"
    ));
    assert!(said.err.is_empty(), "{said:?}");
    let said = room.refused("ca sign --ca ca app.test.csr");
    assert!(said.contains("revoked as compromised"), "{said}");
}

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
                let serial = room.json("ca list --ca ca app.test")["serial"].clone();
                format!("ca show --ca ca --pem {}", serial.as_str().unwrap())
            }
        };
        assert!(said.contains(&way_back), "{said}");
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
    assert!(said.contains("`stampmill ca serve`"), "{said}");
    assert!(!room.path("Team.key").exists());
}
