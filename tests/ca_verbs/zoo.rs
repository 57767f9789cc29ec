//! `ca zoo`: a zoo that is closed leaves no file behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::room::Room;

#[test]
fn a_zoo_that_is_closed_leaves_nothing_behind() {
    let room = Room::new();
    let words = "ca zoo --listen 127.0.0.1:0 --root root.pem --crls lists.pem --json";
    for _ in 0..2 {
        let mut zoo = room.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(zoo.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find(|line| line.contains("ready"));
        assert!(ready.is_some());
        assert_eq!(room.read("lists.pem").matches("BEGIN X509 CRL").count(), 3);
        let stop = Command::new("kill").arg(zoo.id().to_string()).status();
        assert!(stop.unwrap().success() && zoo.wait().unwrap().success());
        let left = fs::read_dir(room.home()).unwrap().count();
        assert_eq!(left, 0);
    }
}
