//! Proves that `stampmill ca issue`, two at once and killed with SIGKILL at random moments, leaves whole things only: every certificate and
//! every key file is complete, every certificate is in the records, and every record has its key and its line in the log.
//!
//! The moments are random, by a seed that every failure names; `STAMPMILL_SEED` sets another.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use stampmill_local_ca::{Authority, Certificate, Filter, LeafKey, now, read_private};

const ROUNDS: usize = 30;

#[test]
fn whatever_a_killed_issue_leaves_is_whole() {
    let seed = std::env::var("STAMPMILL_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_122);
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(Authority::create(&folder.join("ca"), "killed").unwrap());
    let begun = Instant::now();
    let first = issue(folder, "h0.test").wait().unwrap();
    assert!(first.success());
    let whole = begun.elapsed();

    let mut finished = 1;
    for round in 1..=ROUNDS {
        let names = [format!("h{round}a.test"), format!("h{round}b.test")];
        let mut pair = names.map(|name| issue(folder, &name));
        std::thread::sleep(whole.mul_f64(random.random_range(0.0..2.0)));
        for child in &mut pair {
            // that it has ended by itself is no error
            child.kill().unwrap();
            finished += usize::from(child.wait().unwrap().success());
        }
        check(
            folder,
            finished,
            &format!("STAMPMILL_SEED={seed}, round {round}"),
        );
    }
    // the next one finds everything in order, and takes up the log that others left
    std::thread::sleep(Duration::from_millis(1));
    assert!(issue(folder, "last.test").wait().unwrap().success());
    check(folder, finished + 1, "at the end");
}

fn issue(folder: &Path, name: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stampmill"))
        .args(["ca", "issue", "--ca", "ca", name])
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// At least so many were told that theirs was issued.
fn check(folder: &Path, finished: usize, when: &str) {
    let authority = Authority::open(&folder.join("ca")).expect(when);
    let store = authority.store().unwrap();
    let records = store.list(&Filter::default(), now()).unwrap();
    let log = store.log(10_000).unwrap();
    let logged = log.iter().filter(|line| line.event == "issue").count();
    assert_eq!(
        records.len(),
        logged,
        "{when}: records and lines of the log"
    );
    for record in records.iter().filter(|record| !record.is_authority()) {
        let key = folder.join(format!("{}.key", record.names[0]));
        let key = LeafKey::from_pkcs8_pem(&read_private(&key).expect(when)).expect(when);
        let certified = record.certificate().as_openssl().public_key().unwrap();
        assert!(
            key.as_openssl().public_eq(&certified),
            "{when}: another's key"
        );
    }
    let mut handed_out = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pem") => {
                let certificate = Certificate::from_pem(&std::fs::read(&path).unwrap());
                let serial = certificate.expect(when).serial();
                assert!(
                    store.exactly(&serial).unwrap().is_some(),
                    "{when}: {serial}"
                );
                handed_out += 1;
            }
            Some("key") => {
                let key = read_private(&path).expect(when);
                LeafKey::from_pkcs8_pem(&key).expect(when);
            }
            _ => {}
        }
    }
    assert!(handed_out >= finished, "{when}: {handed_out} of {finished}");
    assert!(
        records.len() >= handed_out,
        "{when}: {handed_out} handed out"
    );
}
