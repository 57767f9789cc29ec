//! `ca trust` and `ca untrust`: the commands that they show for each kind of store.

use std::fs;

use crate::room::{Room, has};

/// `update-ca-certificates` goes elsewhere before it looks for its folders, and makes none.
#[test]
fn a_folder_that_is_new_and_given_from_here_takes_a_root() {
    let room = Room::with_authority();
    let home = room.home().display();
    for (words, last) in [
        ("trust --unprotected-key", "update.d"),
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
        // The machine's own hooks would change its own stores.
        has(
            lines[2],
            &format!(" --hooksdir {home}/scratch/etc/ca-certificates/update.d"),
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
    let home = room.home().display();
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
