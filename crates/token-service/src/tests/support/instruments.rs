//! What a test holds in its hand: the clock, the moment at which randomness is asked, and the post.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use crate::clock::{Clock, Random, SystemRandom};
use crate::protocol::Courier;

/// A clock the test moves.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl Clock for HandClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl HandClock {
    pub(crate) fn at(now: i64) -> HandClock {
        HandClock(Arc::new(AtomicI64::new(now)))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// The system's generator, with which a test gets in between two steps: something may happen when it is next asked.
#[derive(Default, Clone)]
pub(crate) struct HookedRandom(Arc<Mutex<Option<Hook>>>);

type Hook = Box<dyn FnOnce() + Send>;

impl Random for HookedRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let hook = self.0.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        SystemRandom.fill(bytes);
    }
}

impl HookedRandom {
    pub(crate) fn next_time(&self, hook: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(hook));
    }
}

/// Keeps what would be posted to clients, and answers 200 unless told otherwise.
#[derive(Default, Clone)]
pub(crate) struct PostOffice(Arc<Mutex<PostOfficeState>>);

#[derive(Default)]
struct PostOfficeState {
    posted: Vec<(String, String)>,
    answers: VecDeque<Result<u16, String>>,
    /// What the addresses that never answer begin with.
    held: Option<&'static str>,
}

impl PostOffice {
    /// From here on no client answers.
    pub(crate) fn hold(&self) {
        self.hold_for("");
    }

    /// From here on no client of these addresses answers.
    pub(crate) fn hold_for(&self, prefix: &'static str) {
        self.0.lock().unwrap().held = Some(prefix);
    }

    /// The next answers.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Result<u16, String>>) {
        self.0.lock().unwrap().answers.extend(answers);
    }

    /// Waits until that many posts have come, or nothing more happens; gives address and form of each, in the order of
    /// addresses.
    pub(crate) async fn posted(&self, expected: usize) -> Vec<(String, String)> {
        for _ in 0..200 {
            if self.0.lock().unwrap().posted.len() >= expected.max(1) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let mut posted = self.0.lock().unwrap().posted.clone();
        posted.sort();
        posted
    }
}

impl Courier for PostOffice {
    fn post(
        &self,
        uri: String,
        form: Zeroizing<String>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + '_>> {
        let mut state = self.0.lock().unwrap();
        let held = state.held.is_some_and(|prefix| uri.starts_with(prefix));
        state.posted.push((uri, form.to_string()));
        if held {
            return Box::pin(std::future::pending());
        }
        let answer = state.answers.pop_front().unwrap_or(Ok(200));
        Box::pin(async { answer })
    }
}
