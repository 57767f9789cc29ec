//! Proves that `ca verify --steps --json` carries the steps, and that a zoo that is closed leaves no file behind.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn stampmill(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stampmill"));
    command.args(words.split_whitespace()).current_dir(folder);
    command
}

#[test]
fn the_steps_are_objects_before_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    for words in ["ca init --ca ca", "ca issue --ca ca app.test"] {
        let done = stampmill(folder.path(), words).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let words = "ca verify --ca ca --host app.test --steps --json app.test.pem";
    let said = stampmill(folder.path(), words).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let lines: Vec<serde_json::Value> = String::from_utf8(said.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (verdict, steps) = lines.split_last().unwrap();
    assert_eq!(verdict["verdict"], "OK");
    assert!(steps.len() > 5, "{steps:?}");
    for step in steps {
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["question"].as_str().unwrap().ends_with('?') && step["depth"].is_u64());
    }
}

#[cfg(unix)]
#[test]
fn a_zoo_that_is_closed_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let words = "ca zoo --listen 127.0.0.1:0 --root root.pem --crls lists.pem --json";
    for _ in 0..2 {
        let mut zoo = stampmill(folder.path(), words);
        let mut zoo = zoo.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(zoo.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find(|line| line.contains("ready"));
        assert!(ready.is_some());
        let lists = std::fs::read_to_string(folder.path().join("lists.pem")).unwrap();
        assert_eq!(lists.matches("BEGIN X509 CRL").count(), 3);
        let stop = Command::new("kill").arg(zoo.id().to_string()).status();
        assert!(stop.unwrap().success() && zoo.wait().unwrap().success());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0);
    }
}
