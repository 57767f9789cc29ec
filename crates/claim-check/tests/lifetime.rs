//! Proves that code is freed with its check, is never writable and executable at once, and that one check serves many threads.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;

use stampmill_claim_check::{ClaimCheck, Context};

const CONTEXT: Context = Context { now: 1_700_000_000 };

fn assert_send_and_sync<T: Send + Sync>() {}

#[test]
fn threads_share_one_check() {
    assert_send_and_sync::<ClaimCheck>();
    let check = Arc::new(
        ClaimCheck::compile("claims.exp > now && claims.name + '!' in [claims.name + '!', 'x'] && 'a' in claims.roles").unwrap(),
    );
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let check = Arc::clone(&check);
            thread::spawn(move || {
                for round in 0..2_000 {
                    let expected = (thread + round) % 2 == 0;
                    let exp = if expected {
                        1_700_000_001
                    } else {
                        1_600_000_000
                    };
                    let payload =
                        format!(r#"{{"exp":{exp},"name":"n{thread}-{round}","roles":["b","a"]}}"#);
                    assert_eq!(check.decide(payload.as_bytes(), &CONTEXT), Ok(expected));
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

/// Each check has a page of code at least, so leaking 10,000 of them would show as 10,000 pages.
#[test]
#[cfg(target_os = "linux")]
fn code_is_freed_with_its_check() {
    let cycle = |count: usize| {
        for index in 0..count {
            let check =
                ClaimCheck::compile(&format!("claims.a == {index} || 'x' in claims.l")).unwrap();
            assert_eq!(
                check.decide(format!(r#"{{"a":{index}}}"#).as_bytes(), &CONTEXT),
                Ok(true)
            );
        }
    };
    cycle(200);
    let before = resident_pages();
    cycle(10_000);
    let grown = resident_pages().saturating_sub(before);
    assert!(
        grown < 500,
        "10,000 checks were compiled and dropped; {grown} pages stay behind"
    );
}

#[cfg(target_os = "linux")]
fn resident_pages() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn no_page_is_writable_and_executable() {
    let checks: Vec<_> = (0..16)
        .map(|index| ClaimCheck::compile(&format!("claims.a == {index}")).unwrap())
        .collect();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let permissions = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    let both = maps
        .lines()
        .filter(|line| permissions(line).starts_with("rwx"));
    assert_eq!(both.count(), 0, "{maps}");
    drop(checks);
}
