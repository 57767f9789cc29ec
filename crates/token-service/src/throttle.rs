//! Guesses at passwords are slowed down, one user name at a time (NIST SP 800-63B-4 §3.2.2 asks for a limit).
//!
//! ```text
//! failures in a row     1 .. 5    6    7    8 ..  11 and more
//! seconds to wait          0      2    4    8 ..  60
//! ```
//! A person who mistypes notices nothing. A guesser gets some 1440 guesses a day at one name. The price: whoever goes on
//! guessing at a stranger's name keeps the stranger out meanwhile, and for a minute at most after they stop.
//! A name nobody has is treated as any other, so that waiting tells nothing. What is kept is in memory, bounded, and
//! forgotten by a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::secret::Digest;

/// Failures in a row that cost nothing.
const FREE: u32 = 5;
/// Longest wait, in seconds.
const LONGEST_WAIT: i64 = 60;
/// After so many seconds without a failure a name starts afresh.
const FORGET_AFTER: i64 = 3600;
/// Names remembered at once.
const MOST_NAMES: usize = 4096;

/// Who failed how often, by the hash of the name: of one size whatever was typed.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    names: Mutex<HashMap<[u8; 32], Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    in_a_row: u32,
    last: i64,
}

impl Failures {
    /// When the next try may be made.
    fn open_at(self) -> i64 {
        match self.in_a_row.checked_sub(FREE) {
            None | Some(0) => self.last,
            Some(beyond) => self.last + 2_i64.saturating_pow(beyond).min(LONGEST_WAIT),
        }
    }
}

/// Too early: seconds until the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSoon(pub(crate) i64);

impl Throttle {
    /// Lets a try begin, and counts it as a failure until [`succeeded`](Self::succeeded) says otherwise: of many tries
    /// sent at once, each is counted before the first has its answer.
    pub(crate) fn begin(&self, name: &str, now: i64) -> Result<(), TooSoon> {
        let key = key(name);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let before = names
            .get(&key)
            .filter(|failures| now - failures.last < FORGET_AFTER);
        // A clock that was set back makes nobody wait longer than the longest wait.
        let wait = before.map_or(0, |failures| (failures.open_at() - now).min(LONGEST_WAIT));
        if wait > 0 {
            return Err(TooSoon(wait));
        }
        let in_a_row = before.map_or(1, |failures| failures.in_a_row.saturating_add(1));
        if names.len() >= MOST_NAMES && !names.contains_key(&key) {
            make_room(&mut names, now);
        }
        names.insert(
            key,
            Failures {
                in_a_row,
                last: now,
            },
        );
        Ok(())
    }

    /// The try was right: the name starts afresh.
    pub(crate) fn succeeded(&self, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.remove(&key(name));
    }
}

/// The same key for every spelling that means the same user (see [`Username`](crate::domain::Username)).
fn key(name: &str) -> [u8; 32] {
    Digest::of(&name.trim().to_ascii_lowercase()).0
}

/// Removes what is forgotten anyway; if nothing is, the name with the fewest failures, so that a flood of names does
/// not free one that is being guessed at.
fn make_room(names: &mut HashMap<[u8; 32], Failures>, now: i64) {
    names.retain(|_, failures| now - failures.last < FORGET_AFTER);
    if names.len() < MOST_NAMES {
        return;
    }
    let least = names
        .iter()
        .min_by_key(|(_, failures)| (failures.in_a_row, failures.last))
        .map(|(key, _)| *key);
    if let Some(least) = least {
        names.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let throttle = Throttle::default();
        let mut now = 1000;
        for expected in [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert_eq!(throttle.begin("alice", now), Ok(()));
            let wait = throttle
                .begin("Alice ", now)
                .err()
                .map_or(0, |TooSoon(wait)| wait);
            if expected == 0 {
                // The second try was let in, and counted: take it back.
                throttle
                    .names
                    .lock()
                    .unwrap()
                    .get_mut(&key("alice"))
                    .unwrap()
                    .in_a_row -= 1;
            }
            assert_eq!(wait, expected);
            now += wait;
        }
        assert_eq!(
            throttle.begin("bob", now),
            Ok(()),
            "another name waits for nothing"
        );
        throttle.succeeded("ALICE");
        assert_eq!(throttle.begin("alice", now), Ok(()));
        assert_eq!(throttle.begin("alice", now), Ok(()));
    }

    #[test]
    fn an_hour_without_a_failure_forgets() {
        let throttle = Throttle::default();
        (0..6).for_each(|_| assert_eq!(throttle.begin("alice", 0), Ok(())));
        assert_eq!(throttle.begin("alice", 0), Err(TooSoon(2)));
        assert_eq!(
            throttle.begin("alice", -1_000_000),
            Err(TooSoon(LONGEST_WAIT)),
            "a clock set back"
        );
        (0..5).for_each(|_| assert_eq!(throttle.begin("alice", FORGET_AFTER), Ok(())));
    }

    #[test]
    fn a_flood_of_names_neither_grows_nor_frees() {
        let throttle = Throttle::default();
        (0..6).for_each(|_| assert_eq!(throttle.begin("alice", 0), Ok(())));
        for number in 0..MOST_NAMES + 10 {
            assert_eq!(throttle.begin(&format!("name{number}"), 1), Ok(()));
        }
        assert_eq!(throttle.names.lock().unwrap().len(), MOST_NAMES);
        assert_eq!(throttle.begin("alice", 1), Err(TooSoon(1)));
    }
}
