//! A bounded queue in front of a few threads that take several jobs at once: what [`BatchSigner`](crate::BatchSigner) and
//! [`BatchVerifier`](crate::BatchVerifier) have in common.
//!
//! ```text
//!   call --room?--> queue, by size --a worker is free--> as many of one size as go together --> answers
//!     |    no: wait in line for a place                                  ^
//!     +-- nobody waits and a worker is free: on the caller's own thread -+    (blocking calls)
//! ```
//!
//! Nobody waits for company: a worker takes what is there. Batches come about by themselves, because jobs gather while
//! all workers are busy.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a worker that has finished looks for more before it sleeps: about as long as waking it up takes.
const LINGER: Duration = Duration::from_micros(20);

/// A kind of work.
pub(crate) trait Work: 'static {
    type Job: Send + 'static;
    type Answer: Send + 'static;

    /// Jobs of one size may be done together.
    fn size(job: &Self::Job) -> usize;

    /// How many to take of so many that wait, at least one.
    fn batch_len(waiting: usize) -> usize;

    /// One answer for each job.
    fn run(jobs: &[Self::Job]) -> Vec<Self::Answer>;
}

/// How large a queue may grow and how many threads serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// How many computations may go on at once, each on a thread of its own: one for each processor by default.
    pub workers: NonZeroUsize,
    /// How many jobs may wait in the queue: 1024 by default. Further callers wait outside, until there is room.
    pub capacity: NonZeroUsize,
}

impl Default for BatchLimits {
    fn default() -> BatchLimits {
        BatchLimits {
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            capacity: NonZeroUsize::new(1024).expect("not zero"),
        }
    }
}

/// What can keep a job from being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    ShuttingDown,
    Full,
    Panicked,
}

/// The queue and its threads. Dropping it shuts it down.
pub(crate) struct Queue<W: Work> {
    shared: Arc<Shared<W>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared<W: Work> {
    limits: BatchLimits,
    state: Mutex<State<W>>,
    /// Told when there may be something to do for a worker that sleeps.
    work: Condvar,
    /// Jobs in the queues, for workers that have just finished and look without the lock.
    queued: AtomicUsize,
}

struct State<W: Work> {
    /// Jobs by size, each with the number of its arrival.
    queues: BTreeMap<usize, VecDeque<Request<W>>>,
    arrivals: u64,
    /// Places taken: jobs in the queues, and places given to callers in line that have not come in yet.
    taken: usize,
    /// Callers without a place.
    line: VecDeque<(Ticket, Waker)>,
    /// Callers that were given a place and woken.
    admitted: HashSet<Ticket>,
    tickets: Ticket,
    /// Computations that go on, by workers or by callers themselves.
    running: usize,
    /// Workers that have just finished and look for more before they sleep.
    lingering: usize,
    closed: bool,
}

type Ticket = u64;

struct Request<W: Work> {
    arrival: u64,
    job: W::Job,
    slot: Arc<Slot<W::Answer>>,
}

impl<W: Work> Queue<W> {
    pub(crate) fn new(name: &str, limits: BatchLimits) -> std::io::Result<Queue<W>> {
        let shared = Arc::new(Shared {
            limits,
            state: Mutex::new(State::new()),
            work: Condvar::new(),
            queued: AtomicUsize::new(0),
        });
        // Made before its threads: if one of them cannot be started, dropping it ends the others.
        let queue = Queue {
            shared: Arc::clone(&shared),
            workers: Mutex::new(Vec::new()),
        };
        for i in 0..limits.workers.get() {
            let shared = Arc::clone(&shared);
            let worker = thread::Builder::new()
                .name(format!("{name} {i}"))
                .spawn(move || shared.work())?;
            lock(&queue.workers).push(worker);
        }
        Ok(queue)
    }

    /// A call that waits for a place, if it must, and for its answer. It does not hold a thread.
    pub(crate) fn call(&self, job: W::Job) -> Call<'_, W> {
        Call {
            shared: &self.shared,
            stage: Stage::Outside { job, ticket: None },
        }
    }

    /// A call that already has its place.
    pub(crate) fn try_call(&self, job: W::Job) -> Result<Call<'_, W>, Refused> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(Refused::ShuttingDown);
        }
        if !self.shared.has_room(&state) {
            return Err(Refused::Full);
        }
        state.taken += 1;
        let slot = self.shared.enqueue(&mut state, job);
        let shared = &self.shared;
        Ok(Call {
            shared,
            stage: Stage::Inside(slot),
        })
    }

    /// Does the job on this thread if nobody waits and a worker is free to stay idle instead; otherwise waits like everybody.
    pub(crate) fn call_blocking(&self, job: W::Job) -> Result<W::Answer, Refused> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(Refused::ShuttingDown);
        }
        if state.taken > 0 || state.running >= self.shared.limits.workers.get() {
            drop(state);
            return block_on(self.call(job));
        }
        state.running += 1;
        drop(state);
        let answer = run_alone::<W>(&job);
        self.shared.finished();
        answer
    }

    /// Jobs that wait, among them places given away to callers that are just coming in.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().taken
    }

    /// Callers in line for a place.
    pub(crate) fn in_line(&self) -> usize {
        self.shared.lock().line.len()
    }

    /// Answers everybody who waits, lets what is being computed come to its end, and ends the threads.
    pub(crate) fn shut_down(&self) {
        let (requests, line) = {
            let mut state = self.shared.lock();
            state.closed = true;
            (
                std::mem::take(&mut state.queues),
                std::mem::take(&mut state.line),
            )
        };
        self.shared.work.notify_all();
        for request in requests.into_values().flatten() {
            request.slot.answer(Err(Refused::ShuttingDown));
        }
        line.into_iter().for_each(|(_, waker)| wake(waker));
        let workers = std::mem::take(&mut *lock(&self.workers));
        for worker in workers {
            // A worker that wakes a caller may run the caller's code, and that may let go of the queue. It cannot wait for itself.
            if worker.thread().id() != thread::current().id() {
                // Its jobs' panics are caught; one of its own would be told on standard error.
                let _ = worker.join();
            }
        }
    }
}

impl<W: Work> Drop for Queue<W> {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl<W: Work> Shared<W> {
    /// Of callers' code, wakers are cloned and dropped under the lock, and nothing else runs there.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        lock(&self.state)
    }

    fn has_room(&self, state: &State<W>) -> bool {
        state.taken < self.limits.capacity.get() && state.line.is_empty()
    }

    /// Into the queue, to a place that is counted already.
    fn enqueue(&self, state: &mut State<W>, job: W::Job) -> Arc<Slot<W::Answer>> {
        let slot = Arc::new(Slot::default());
        state.arrivals += 1;
        let request = Request {
            arrival: state.arrivals,
            slot: Arc::clone(&slot),
            job,
        };
        let queue = state.queues.entry(W::size(&request.job)).or_default();
        queue.push_back(request);
        self.queued.fetch_add(1, Ordering::Relaxed);
        if state.lingering == 0 && state.running < self.limits.workers.get() {
            self.work.notify_one();
        }
        slot
    }

    /// The life of a worker.
    fn work(&self) {
        while let Some(batch) = self.next_batch() {
            let (jobs, slots): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .filter(|request| request.slot.is_awaited())
                .map(|request| (request.job, request.slot))
                .unzip();
            for (slot, answer) in slots.into_iter().zip(run::<W>(&jobs)) {
                slot.answer(answer);
            }
            {
                let mut state = self.lock();
                state.running -= 1;
                state.lingering += 1;
            }
            self.linger();
            self.lock().lingering -= 1;
        }
    }

    /// Whoever has just got an answer may soon ask again: looking a little longer spares both sides the way through the
    /// scheduler. What comes now needs no waking.
    fn linger(&self) {
        let start = Instant::now();
        while self.queued.load(Ordering::Relaxed) == 0 && start.elapsed() < LINGER {
            thread::yield_now();
        }
    }

    /// Waits for something to do; none when the queue is closed.
    fn next_batch(&self) -> Option<Vec<Request<W>>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.running < self.limits.workers.get()
                && let Some(batch) = state.take_batch()
            {
                self.queued.fetch_sub(batch.len(), Ordering::Relaxed);
                state.running += 1;
                let admitted = state.give_places(batch.len());
                // Whoever put jobs here while a worker lingered has woken nobody: what is left is for another.
                if !state.queues.is_empty() && state.running < self.limits.workers.get() {
                    self.work.notify_one();
                }
                drop(state);
                admitted.into_iter().for_each(wake);
                return Some(batch);
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A caller's own computation is over: a worker may begin another.
    fn finished(&self) {
        let mut state = self.lock();
        state.running -= 1;
        if !state.queues.is_empty() {
            self.work.notify_one();
        }
    }
}

impl<W: Work> State<W> {
    fn new() -> State<W> {
        State {
            queues: BTreeMap::new(),
            arrivals: 0,
            taken: 0,
            line: VecDeque::new(),
            admitted: HashSet::new(),
            tickets: 0,
            running: 0,
            lingering: 0,
            closed: false,
        }
    }

    /// The job that waits longest, and others of its size.
    fn take_batch(&mut self) -> Option<Vec<Request<W>>> {
        let oldest = |queue: &VecDeque<Request<W>>| queue.front().map(|request| request.arrival);
        let (&size, queue) = self
            .queues
            .iter_mut()
            .min_by_key(|(_, queue)| oldest(queue))?;
        let batch = queue.drain(..W::batch_len(queue.len())).collect();
        if queue.is_empty() {
            self.queues.remove(&size);
        }
        Some(batch)
    }

    /// Places became free: the first in line get them, and are to be woken.
    fn give_places(&mut self, count: usize) -> Vec<Waker> {
        let given = count.min(self.line.len());
        self.taken -= count - given;
        let first = self.line.drain(..given);
        let admit = |(ticket, waker)| {
            self.admitted.insert(ticket);
            waker
        };
        first.map(admit).collect()
    }
}

/// A caller's job on its way. A caller in line that drops it leaves the line; a job in the queue is then not computed, and its
/// place is free when a worker comes to it; one that is being computed is computed to its end.
pub(crate) struct Call<'a, W: Work> {
    shared: &'a Shared<W>,
    stage: Stage<W>,
}

enum Stage<W: Work> {
    Outside { job: W::Job, ticket: Option<Ticket> },
    Inside(Arc<Slot<W::Answer>>),
    Over,
}

/// Nothing in it is ever pinned.
impl<W: Work> Unpin for Call<'_, W> {}

impl<W: Work> Future for Call<'_, W> {
    type Output = Result<W::Answer, Refused>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if matches!(self.stage, Stage::Outside { .. }) {
            let entered = self.as_mut().enter(context.waker());
            if entered.is_pending() {
                return Poll::Pending;
            }
        }
        let answer = match &self.stage {
            Stage::Inside(slot) => slot.poll(context.waker()),
            Stage::Outside { .. } | Stage::Over => Poll::Ready(Err(Refused::ShuttingDown)),
        };
        if answer.is_ready() {
            self.stage = Stage::Over;
        }
        answer
    }
}

impl<W: Work> Call<'_, W> {
    /// Ready when the job is in the queue, or never will be because the queue is closed.
    fn enter(mut self: Pin<&mut Self>, waker: &Waker) -> Poll<()> {
        let shared = self.shared;
        let mut state = shared.lock();
        let Stage::Outside { job, ticket } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Poll::Ready(());
        };
        if state.closed {
            return Poll::Ready(());
        }
        let admitted = ticket.is_some_and(|ticket| state.admitted.remove(&ticket));
        if admitted || (ticket.is_none() && shared.has_room(&state)) {
            state.taken += usize::from(!admitted);
            self.stage = Stage::Inside(shared.enqueue(&mut state, job));
            return Poll::Ready(());
        }
        let ticket = ticket.unwrap_or_else(|| {
            state.tickets += 1;
            state.tickets
        });
        match state.line.iter_mut().find(|(other, _)| *other == ticket) {
            Some((_, old)) => old.clone_from(waker),
            None => state.line.push_back((ticket, waker.clone())),
        }
        self.stage = Stage::Outside {
            job,
            ticket: Some(ticket),
        };
        Poll::Pending
    }
}

impl<W: Work> Drop for Call<'_, W> {
    fn drop(&mut self) {
        match &self.stage {
            Stage::Outside {
                ticket: Some(ticket),
                ..
            } => {
                let mut state = self.shared.lock();
                state.line.retain(|(other, _)| other != ticket);
                // Woken and never come: the place goes to the next.
                let next = match state.admitted.remove(ticket) {
                    true => state.give_places(1),
                    false => Vec::new(),
                };
                drop(state);
                next.into_iter().for_each(wake);
            }
            Stage::Inside(slot) => slot.abandon(),
            Stage::Outside { ticket: None, .. } | Stage::Over => {}
        }
    }
}

/// Where an answer is put, and who is to be told.
struct Slot<T>(Mutex<Delivery<T>>);

enum Delivery<T> {
    Awaited(Option<Waker>),
    Answered(Result<T, Refused>),
    /// Taken, or nobody wants it any more.
    Over,
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot(Mutex::new(Delivery::Awaited(None)))
    }
}

impl<T> Slot<T> {
    fn answer(&self, answer: Result<T, Refused>) {
        let mut delivery = lock(&self.0);
        if let Delivery::Awaited(waker) = &mut *delivery {
            let waker = waker.take();
            *delivery = Delivery::Answered(answer);
            drop(delivery);
            waker.into_iter().for_each(wake);
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<T, Refused>> {
        let mut delivery = lock(&self.0);
        match std::mem::replace(&mut *delivery, Delivery::Over) {
            Delivery::Answered(answer) => Poll::Ready(answer),
            Delivery::Awaited(_) => {
                *delivery = Delivery::Awaited(Some(waker.clone()));
                Poll::Pending
            }
            Delivery::Over => Poll::Ready(Err(Refused::ShuttingDown)),
        }
    }

    fn is_awaited(&self) -> bool {
        matches!(*lock(&self.0), Delivery::Awaited(_))
    }

    fn abandon(&self) {
        *lock(&self.0) = Delivery::Over;
    }
}

/// A waker is the caller's code: if it panics, that is the caller's loss and nobody else's.
fn wake(waker: Waker) {
    // The panic was told on standard error.
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

/// The answers to a batch. If a job panics, each is tried alone, so that it takes nobody with it.
fn run<W: Work>(jobs: &[W::Job]) -> Vec<Result<W::Answer, Refused>> {
    match catch_unwind(AssertUnwindSafe(|| W::run(jobs))) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(_) if jobs.len() == 1 => vec![Err(Refused::Panicked)],
        Err(_) => jobs.iter().map(run_alone::<W>).collect(),
    }
}

fn run_alone<W: Work>(job: &W::Job) -> Result<W::Answer, Refused> {
    let answer = catch_unwind(AssertUnwindSafe(|| W::run(std::slice::from_ref(job)).pop()));
    answer.ok().flatten().ok_or(Refused::Panicked)
}

/// Parks this thread until the future is ready.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
