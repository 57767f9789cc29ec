//! An authority's folder is its owner's alone, and what else lies there stays as it is.

use std::fs;

use crate::room::{Room, has};

/// A folder that cannot be looked into is another matter than one that holds no authority.
#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_not_said_to_be_absent() {
    let room = Room::new();
    std::os::unix::fs::symlink("circle", room.path("circle")).unwrap();
    for verb in ["ca list", "ca log", "ca verify --host a.test a.pem"] {
        let said = room.refused(&format!("{verb} --ca circle"));
        has(&said, "circle/");
        assert!(!said.contains("holds no"), "{verb}: {said}");
    }
    has(
        &room.refused("ca list --ca nowhere"),
        "holds no authority's records",
    );
}

#[test]
fn nobody_else_can_write_to_an_authority_or_read_its_records() {
    let room = Room::new();
    for folder in ["empty", "full"] {
        fs::create_dir(room.path(folder)).unwrap();
        room.set_mode(folder, 0o777);
    }
    room.write("full/notes", "");
    room.ok("ca init --ca empty");
    assert_eq!(room.mode("empty"), 0o700);
    let said = room.refused("ca init --ca full");
    has(&said, "can be written by other users");
    assert!(!room.path("full/root.key").exists());

    for mode in [0o770, 0o702] {
        room.set_mode("empty", mode);
        let said = room.refused("ca issue --ca empty app.test");
        has(&said, "can be written by other users");
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
            has(&room.refused(&format!("ca {verb}")), "other users");
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
    room.write("ignoring/.gitignore", "target\n");
    room.write("project/main.rs", "");
    for folder in ["ignoring", "project"] {
        let said = room.told(&format!("ca init --ca {folder}"));
        has(&said, "come into no repository");
        room.ok(&format!("ca list --ca {folder}"));
    }
    assert_eq!(room.read("ignoring/.gitignore"), "target\n");
    assert!(!room.path("project/.gitignore").exists());
    assert_eq!(room.told("ca init --ca own"), "");
    assert!(room.path("own/.gitignore").exists());
}
