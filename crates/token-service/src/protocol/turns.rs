//! Who may make a request next, of those that this server makes because a client said where: some at once, few for each.
//!
//! ```text
//!   for one client ──▶ two at a time ──▶ silent lately? ──no──────────▶ sixteen for everybody ──▶ go
//!                                              └─yes─▶ eight for all such ─┘
//! ```
//! One whose address takes connections and never answers keeps its own waiting and nobody else's. Many such together (each of
//! them registered itself) still have half of the places at most, once each has been silent: the other half is for those who
//! answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places, for those that are told apart by `K`.
pub(super) struct Turns<K> {
    all: Arc<Semaphore>,
    silent: Arc<Semaphore>,
    each: Mutex<HashMap<K, Arc<Own>>>,
}

/// The places of one.
struct Own {
    places: Arc<Semaphore>,
    silent: AtomicBool,
    seated: AtomicUsize,
}

/// One's place among those that wait, until it is dropped.
pub(super) struct Seat(Arc<Own>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seated.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place, until it is dropped.
pub(super) struct Turn {
    own: Arc<Own>,
    _places: [Option<OwnedSemaphorePermit>; 3],
}

impl Turn {
    /// Whether somebody was there.
    pub(super) fn ended(self, heard: bool) {
        self.own.silent.store(!heard, Ordering::Relaxed);
    }
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// Requests under way at once.
    const AT_ONCE: usize = 16;
    /// Of them for those that did not answer last time.
    const FOR_SILENT: usize = 8;
    /// Of them for one.
    const FOR_EACH: usize = 2;
    /// How many are told apart before those that nobody waits for are forgotten.
    const MOST: usize = 10_000;

    pub(super) fn new() -> Turns<K> {
        Turns {
            all: Arc::new(Semaphore::new(Self::AT_ONCE)),
            silent: Arc::new(Semaphore::new(Self::FOR_SILENT)),
            each: Mutex::default(),
        }
    }

    /// Waits for a turn. Who waits for one of its own, or of the silent ones', waits with none of the others' in hand.
    pub(super) async fn next(&self, who: &K) -> Turn {
        let own = self.own(who);
        let mine = place(&own.places).await;
        let among_silent = match own.silent.load(Ordering::Relaxed) {
            true => place(&self.silent).await,
            false => None,
        };
        let general = place(&self.all).await;
        Turn {
            own,
            _places: [mine, among_silent, general],
        }
    }

    /// A seat, if fewer than `most` of this one are taken.
    pub(super) fn seat(&self, who: &K, most: usize) -> Option<Seat> {
        let own = self.own(who);
        let one_more = |seated| (seated < most).then_some(seated + 1);
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        own.seated.fetch_update(set, read, one_more).ok()?;
        Some(Seat(own))
    }

    fn own(&self, who: &K) -> Arc<Own> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if each.len() >= Self::MOST && !each.contains_key(who) {
            each.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let new = || {
            Arc::new(Own {
                places: Arc::new(Semaphore::new(Self::FOR_EACH)),
                silent: AtomicBool::new(false),
                seated: AtomicUsize::new(0),
            })
        };
        Arc::clone(each.entry(who.clone()).or_insert_with(new))
    }
}

/// Nobody closes these semaphores; if it happened, there would be no limit, not no request.
async fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_free(turns: &Turns<&'static str>, who: &'static str) -> Option<Turn> {
        let soon = std::time::Duration::from_millis(10);
        tokio::time::timeout(soon, turns.next(&who)).await.ok()
    }

    #[tokio::test]
    async fn one_has_two_places_and_takes_no_others_while_it_waits() {
        let turns = Turns::new();
        let held = [turns.next(&"slow").await, turns.next(&"slow").await];
        assert!(is_free(&turns, "slow").await.is_none());
        assert!(is_free(&turns, "quick").await.is_some());
        drop(held);
        assert!(is_free(&turns, "slow").await.is_some());
    }

    #[tokio::test]
    async fn the_silent_ones_have_half_of_the_places_and_get_out_by_an_answer() {
        const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let turns = Turns::new();
        for name in NAMES {
            turns.next(&name).await.ended(false);
        }
        let mut held = Vec::new();
        for name in &NAMES[..8] {
            held.push(turns.next(name).await);
        }
        assert!(is_free(&turns, "i").await.is_none());
        let mut others = Vec::new();
        for name in ["1", "2", "3", "4"] {
            others.push(is_free(&turns, name).await.expect("a place"));
            others.push(is_free(&turns, name).await.expect("a place"));
        }
        assert!(is_free(&turns, "5").await.is_none(), "sixteen in all");
        for turn in held {
            turn.ended(true);
        }
        assert!(is_free(&turns, "5").await.is_some());
        assert!(is_free(&turns, "a").await.is_some());
    }
}
