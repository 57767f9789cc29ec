//! Proves how jobs gather, how a full queue holds callers back, and that nobody is left without an answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::ThreadId;
use std::time::Duration;

use super::*;

/// Work whose jobs are closures; the answer tells with how many others it was done, and where.
struct Closures;

struct Closure {
    size: usize,
    run: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, PartialEq)]
struct Done {
    together: usize,
    thread: ThreadId,
}

impl Work for Closures {
    type Job = Closure;
    type Answer = Done;

    fn size(job: &Closure) -> usize {
        job.size
    }

    fn batch_len(waiting: usize) -> usize {
        waiting.min(8)
    }

    fn run(jobs: &[Closure]) -> Vec<Done> {
        let done = |job: &Closure| {
            (job.run)();
            Done {
                together: jobs.len(),
                thread: thread::current().id(),
            }
        };
        jobs.iter().map(done).collect()
    }
}

fn job(run: impl Fn() + Send + Sync + 'static) -> Closure {
    Closure {
        size: 1,
        run: Box::new(run),
    }
}

fn nothing() -> Closure {
    job(|| ())
}

fn queue(workers: usize, capacity: usize) -> Queue<Closures> {
    let limit = |number| NonZeroUsize::new(number).unwrap();
    let limits = BatchLimits {
        workers: limit(workers),
        capacity: limit(capacity),
    };
    Queue::new("test", limits).unwrap()
}

/// A worker that is busy until told otherwise.
struct Busy<'a> {
    call: Call<'a, Closures>,
    release: Sender<()>,
}

impl<'a> Busy<'a> {
    fn new(queue: &'a Queue<Closures>) -> Busy<'a> {
        let (release, wait): (_, Receiver<()>) = mpsc::channel();
        let (started, begun) = mpsc::channel();
        let wait = Mutex::new(wait);
        let call = queue.try_call(job(move || {
            started.send(()).unwrap();
            lock(&wait).recv().unwrap();
        }));
        begun.recv().unwrap();
        Busy {
            call: call.unwrap_or_else(|_| panic!("there is room")),
            release,
        }
    }

    fn release(self) -> Result<Done, Refused> {
        self.release.send(()).unwrap();
        block_on(self.call)
    }
}

fn poll_once(call: &mut Call<'_, Closures>) -> Poll<Result<Done, Refused>> {
    Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

fn enter<'a>(queue: &'a Queue<Closures>, job: Closure) -> Call<'a, Closures> {
    let mut call = queue.call(job);
    assert!(poll_once(&mut call).is_pending());
    call
}

fn together(call: Call<'_, Closures>) -> usize {
    block_on(call).unwrap().together
}

#[test]
fn a_blocking_call_alone_stays_on_its_thread() {
    let queue = queue(2, 4);
    let done = queue.call_blocking(nothing()).unwrap();
    assert_eq!(done.thread, thread::current().id());
    let done = block_on(queue.call(nothing())).unwrap();
    assert_ne!(done.thread, thread::current().id());
}

#[test]
fn blocking_calls_count_as_workers() {
    let queue = queue(1, 4);
    let busy = Busy::new(&queue);
    thread::scope(|scope| {
        let waits = scope.spawn(|| queue.call_blocking(nothing()).unwrap());
        while queue.waiting() == 0 {
            thread::yield_now();
        }
        busy.release().unwrap();
        let waits = waits.join().unwrap();
        assert_ne!(waits.thread, thread::current().id());
    });
}

/// While a caller computes on its own thread the one worker waits, and is told when that is over.
#[test]
fn a_blocking_call_hands_over() {
    let queue = queue(1, 4);
    let (started, begun) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    thread::scope(|scope| {
        let direct = scope.spawn(|| {
            queue.call_blocking(job(move || {
                started.send(()).unwrap();
                lock(&wait).recv().unwrap();
            }))
        });
        begun.recv().unwrap();
        let waiting = enter(&queue, nothing());
        assert_eq!(queue.waiting(), 1);
        release.send(()).unwrap();
        direct.join().unwrap().unwrap();
        block_on(waiting).unwrap();
    });
}

#[test]
fn jobs_of_one_size_gather_while_the_worker_is_busy() {
    let queue = queue(1, 32);
    let busy = Busy::new(&queue);
    let small: Vec<_> = (0..5).map(|_| enter(&queue, nothing())).collect();
    let large = enter(
        &queue,
        Closure {
            size: 2,
            ..nothing()
        },
    );
    let more: Vec<_> = (0..5).map(|_| enter(&queue, nothing())).collect();
    assert_eq!(queue.waiting(), 11);
    assert_eq!(busy.release().unwrap().together, 1);
    let sizes: Vec<_> = small.into_iter().chain(more).map(together).collect();
    assert_eq!(sizes, [8, 8, 8, 8, 8, 8, 8, 8, 2, 2]);
    assert_eq!(together(large), 1);
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn a_full_queue_holds_callers_back_in_order() {
    let queue = queue(1, 2);
    let busy = Busy::new(&queue);
    let order = Arc::new(Mutex::new(Vec::new()));
    let numbered = |number: usize| {
        let order = Arc::clone(&order);
        job(move || lock(&order).push(number))
    };
    let calls: Vec<_> = (0..6).map(|i| enter(&queue, numbered(i))).collect();
    assert_eq!((queue.waiting(), queue.in_line()), (2, 4));
    assert_eq!(queue.try_call(nothing()).err(), Some(Refused::Full));
    busy.release().unwrap();
    for call in calls {
        block_on(call).unwrap();
    }
    assert_eq!(*lock(&order), [0, 1, 2, 3, 4, 5]);
    assert_eq!((queue.waiting(), queue.in_line()), (0, 0));
}

/// Places are not lost with the futures that hold them, wherever they are on their way.
#[test]
fn dropped_calls_are_not_computed_and_give_their_places_back() {
    static COMPUTED: AtomicUsize = AtomicUsize::new(0);
    let counted = || job(|| _ = COMPUTED.fetch_add(1, Ordering::Relaxed));
    let queue = queue(1, 2);
    let busy = Busy::new(&queue);
    let queued = enter(&queue, counted());
    let _stays = enter(&queue, counted());
    let in_line = enter(&queue, counted());
    let admitted = enter(&queue, counted());
    let also_admitted = enter(&queue, counted());
    let last = enter(&queue, counted());
    drop(queued);
    drop(in_line);
    assert_eq!((queue.waiting(), queue.in_line()), (2, 3));

    // The worker takes both places' jobs, and the two next in line are given the places. One never comes in.
    busy.release().unwrap();
    while queue.in_line() > 1 {
        thread::yield_now();
    }
    drop(admitted);
    block_on(last).unwrap();
    block_on(also_admitted).unwrap();
    assert_eq!((queue.waiting(), queue.in_line()), (0, 0));
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 3);
}

#[test]
fn shutting_down_while_full_answers_everybody() {
    let queue = queue(1, 2);
    let busy = Busy::new(&queue);
    let calls: Vec<_> = (0..5).map(|_| enter(&queue, nothing())).collect();
    thread::scope(|scope| {
        let blocked: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| queue.call_blocking(nothing())))
            .collect();
        while queue.in_line() < 6 {
            thread::yield_now();
        }
        let closing = scope.spawn(|| queue.shut_down());
        for call in blocked {
            assert_eq!(call.join().unwrap(), Err(Refused::ShuttingDown));
        }
        for call in calls {
            assert_eq!(block_on(call), Err(Refused::ShuttingDown));
        }
        assert!(!closing.is_finished(), "it waits for what is computed");
        assert!(busy.release().is_ok());
        closing.join().unwrap();
    });
    assert_eq!(queue.call_blocking(nothing()), Err(Refused::ShuttingDown));
    assert_eq!(block_on(queue.call(nothing())), Err(Refused::ShuttingDown));
    assert_eq!(queue.try_call(nothing()).err(), Some(Refused::ShuttingDown));
    queue.shut_down();
}

#[test]
fn a_panic_is_one_jobs_and_the_queue_goes_on() {
    let queue = queue(1, 8);
    let busy = Busy::new(&queue);
    let panics = || job(|| std::panic::resume_unwind(Box::new("planted")));
    let before = enter(&queue, nothing());
    let bad = enter(&queue, panics());
    let after = enter(&queue, nothing());
    busy.release().unwrap();
    assert!(block_on(before).is_ok());
    assert_eq!(block_on(bad), Err(Refused::Panicked));
    assert!(block_on(after).is_ok());
    assert_eq!(queue.call_blocking(panics()), Err(Refused::Panicked));
    assert!(queue.call_blocking(nothing()).is_ok());
    assert!(block_on(queue.call(nothing())).is_ok());
}

/// Threads that call in every way, some of them changing their minds.
#[test]
fn under_stress_every_call_is_answered() {
    let queue = queue(2, 3);
    thread::scope(|scope| {
        for thread in 0..8 {
            let queue = &queue;
            scope.spawn(move || {
                for i in 0..500 {
                    let job = Closure {
                        size: i % 3,
                        ..nothing()
                    };
                    match (i + thread) % 4 {
                        0 => assert!(queue.call_blocking(job).is_ok()),
                        1 => assert!(block_on(queue.call(job)).is_ok()),
                        2 => drop(poll_once(&mut queue.call(job))),
                        _ => match queue.try_call(job) {
                            Ok(call) => assert!(block_on(call).is_ok()),
                            Err(refused) => assert_eq!(refused, Refused::Full),
                        },
                    }
                }
            });
        }
    });
    while queue.waiting() > 0 {
        thread::yield_now(); // what was abandoned last
    }
    assert_eq!(queue.in_line(), 0);
}

/// Jobs that come while one worker lingers go to both: the lingering one takes the first and has the other woken.
#[test]
fn a_lingering_worker_keeps_nobody_waiting() {
    let queue = queue(2, 8);
    for _ in 0..200 {
        block_on(queue.call(nothing())).unwrap();
        // Each waits for the other to have begun; of different sizes, they are no batch.
        let (first, second) = (mpsc::channel(), mpsc::channel());
        let meet = |size, tell: Sender<()>, hear: Receiver<()>| {
            let hear = Mutex::new(hear);
            let run = move || {
                tell.send(()).unwrap();
                lock(&hear).recv_timeout(Duration::from_secs(10)).unwrap();
            };
            Closure {
                size,
                run: Box::new(run),
            }
        };
        let calls = [
            enter(&queue, meet(1, first.0, second.1)),
            enter(&queue, meet(2, second.0, first.1)),
        ];
        for call in calls {
            assert!(block_on(call).is_ok());
        }
    }
}

#[test]
fn a_waker_that_panics_ends_nobody_else() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a caller's waker");
        }
    }
    let queue = queue(1, 8);
    let busy = Busy::new(&queue);
    let mut call = queue.call(nothing());
    let waker = Waker::from(Arc::new(Panics));
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut call).poll(&mut context).is_pending());
    let other = enter(&queue, nothing());
    busy.release().unwrap();
    assert!(block_on(other).is_ok());
    assert!(block_on(call).is_ok());
    assert!(block_on(queue.call(nothing())).is_ok());
}

/// A waker runs on the worker's thread and may shut the queue down there, or let go of its last owner: a thread cannot wait for itself.
#[test]
fn a_worker_may_shut_its_own_queue_down() {
    struct ShutsDown {
        queue: Arc<Queue<Closures>>,
        over: Sender<()>,
    }
    impl Wake for ShutsDown {
        fn wake(self: Arc<Self>) {
            self.queue.shut_down();
            self.over.send(()).unwrap();
        }
    }
    let queue = Arc::new(queue(2, 8));
    let busy = [Busy::new(&queue), Busy::new(&queue)];
    let (over, heard) = mpsc::channel();
    let waker = Waker::from(Arc::new(ShutsDown {
        queue: Arc::clone(&queue),
        over,
    }));
    let waiting = enter(&queue, nothing());
    let [mut first, second] = busy;
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut first.call).poll(&mut context).is_pending());
    first.release.send(()).unwrap();
    // It waits for the other worker, and for that alone.
    while block_on(queue.call(nothing())) != Err(Refused::ShuttingDown) {
        thread::yield_now();
    }
    assert!(heard.try_recv().is_err());
    assert!(second.release().is_ok());
    heard.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(block_on(first.call).is_ok());
    let answer = block_on(waiting);
    assert!(matches!(answer, Ok(_) | Err(Refused::ShuttingDown)));
}

/// Nobody wants the answer any more: the job ends, and the worker goes on to the next.
#[test]
fn a_call_dropped_while_it_is_computed_holds_nothing_up() {
    let queue = queue(1, 1);
    let Busy { call, release } = Busy::new(&queue);
    drop(call);
    let next = enter(&queue, nothing());
    assert_eq!(queue.try_call(nothing()).err(), Some(Refused::Full));
    release.send(()).unwrap();
    assert!(block_on(next).is_ok());
    assert!(block_on(queue.call(nothing())).is_ok());
    assert_eq!((queue.waiting(), queue.in_line()), (0, 0));
}
