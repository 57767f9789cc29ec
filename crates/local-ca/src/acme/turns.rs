//! Whose challenge is looked at next.
//!
//! A look may take twenty seconds where nobody answers, and there are so many places. One account that orders names which lead nowhere
//! would have them all; so each account has a share, and waits for its own before it stands in the line with the others:
//!
//! ```text
//!   account A: ● ● ● ● ● ● ─▶ share of A (8) ─┐
//!   account B: ● ───────────▶ share of B (8) ─┴─▶ places (32), first come, first served ─▶ a look
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::settings::AcmeLimits;

/// Challenges that are looked at or wait for it, in this process.
const MOST_WAITING: usize = 4096;
/// Of these, how many are one account's.
const MOST_OF_ONE: usize = MOST_WAITING / 8;

/// The line.
pub(super) struct Turns {
    places: Semaphore,
    share: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    challenges: HashSet<String>,
    accounts: HashMap<String, Line>,
}

/// One account's.
struct Line {
    share: Arc<Semaphore>,
    waiting: usize,
}

impl Turns {
    pub(super) fn new(limits: &AcmeLimits) -> Arc<Turns> {
        Arc::new(Turns {
            places: Semaphore::new(limits.validations_at_once),
            share: limits.validations_per_account,
            waiting: Mutex::default(),
        })
    }

    /// A challenge stands in line. `None` if it does already, or too many do: then it comes again with its client's next question.
    pub(super) fn join(self: &Arc<Self>, account: &str, challenge: &str) -> Option<Ticket> {
        let mut waiting = self.waiting();
        let of_account = waiting.accounts.get(account).map_or(0, |line| line.waiting);
        if waiting.challenges.len() >= MOST_WAITING || of_account >= MOST_OF_ONE {
            return None;
        }
        if !waiting.challenges.insert(challenge.to_owned()) {
            return None;
        }
        let line = waiting.accounts.entry(account.to_owned());
        let line = line.or_insert_with(|| Line {
            share: Arc::new(Semaphore::new(self.share)),
            waiting: 0,
        });
        line.waiting += 1;
        Some(Ticket {
            share: Arc::clone(&line.share),
            account: account.to_owned(),
            challenge: challenge.to_owned(),
            turns: Arc::clone(self),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A challenge in line; however it ends, it may stand there again.
pub(super) struct Ticket {
    turns: Arc<Turns>,
    share: Arc<Semaphore>,
    account: String,
    challenge: String,
}

impl Ticket {
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }

    /// When it is its turn: a place of its account's share, and one of all.
    pub(super) async fn turn(&self) -> Result<[SemaphorePermit<'_>; 2], AcquireError> {
        let own = self.share.acquire().await?;
        Ok([own, self.turns.places.acquire().await?])
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut waiting = self.turns.waiting();
        waiting.challenges.remove(&self.challenge);
        let line = waiting.accounts.get_mut(&self.account);
        let left = line.map_or(0, |line| {
            line.waiting -= 1;
            line.waiting
        });
        if left == 0 {
            waiting.accounts.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(validations_at_once: usize, validations_per_account: usize) -> Arc<Turns> {
        Turns::new(&AcmeLimits {
            validations_at_once,
            validations_per_account,
            ..AcmeLimits::default()
        })
    }

    /// Whether it is its turn now.
    async fn has_turn(ticket: &Ticket) -> bool {
        let now = std::time::Duration::ZERO;
        tokio::time::timeout(now, ticket.turn()).await.is_ok()
    }

    #[tokio::test]
    async fn one_account_keeps_no_other_waiting() {
        let turns = turns(3, 2);
        let of_a: Vec<_> = (0..9)
            .map(|number| turns.join("a", &number.to_string()).unwrap())
            .collect();
        let first = of_a[0].turn().await.unwrap();
        let second = of_a[1].turn().await.unwrap();
        assert!(!has_turn(&of_a[2]).await, "its share is taken");
        let of_b = turns.join("b", "b").unwrap();
        let third = of_b.turn().await.unwrap();
        let of_c = turns.join("c", "c").unwrap();
        assert!(!has_turn(&of_c).await, "all places are taken");
        drop(third);
        assert!(has_turn(&of_c).await);
        drop((first, second));
        assert!(has_turn(&of_a[2]).await);
    }

    #[test]
    fn each_stands_in_line_once_and_leaves_nothing_behind() {
        let turns = turns(3, 2);
        let one = turns.join("a", "one").unwrap();
        assert!(turns.join("a", "one").is_none());
        drop(one);
        assert!(turns.join("a", "one").is_some());
        assert!(turns.waiting().accounts.is_empty() && turns.waiting().challenges.is_empty());
    }

    #[test]
    fn the_line_of_one_account_has_an_end_and_another_may_still_join() {
        let turns = turns(3, 2);
        let join = |number: usize| turns.join("a", &number.to_string());
        let held: Vec<_> = (0..MOST_OF_ONE).map_while(join).collect();
        assert_eq!(held.len(), MOST_OF_ONE);
        assert!(join(MOST_OF_ONE).is_none());
        assert!(turns.join("b", "b").is_some());
    }
}
