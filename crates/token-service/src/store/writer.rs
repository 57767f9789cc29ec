//! The one thread that writes: it takes whatever writes are waiting, runs them in one transaction and commits once.
//!
//! ```text
//! request ─┐
//! request ─┼─ queue ─▶ writer thread:  BEGIN  write × n  COMMIT ─▶ each caller its own result
//! request ─┘
//! ```
//!
//! A commit costs a flush to the disk, a statement costs a microsecond or two: under load the flush is shared, and so is the
//! wake-up of the thread. The first to come to an empty queue lets every other request that is ready have its turn, and
//! calls the writer then. A write that fails takes only itself back: one of several statements has a savepoint of its own.
//! Nobody hears "done" before the commit.
//!
//! The queue holds a bounded number of writes; whoever comes when it is full waits for a place. A write whose caller has gone in the
//! meantime (a closed connection) keeps its place and happens: what it undoes or spends must not depend on who still listens.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::yield_now;

use super::StoreError;
use super::statements::{database, run_statement};
use super::transaction::{self, Extent};

/// Most writes in one transaction: bounds how long the first caller waits for the last.
const GROUP: usize = 256;

/// Most writes that wait or run. Bounds the memory they hold, also where callers go before their turn comes.
const PLACES: usize = 8192;

type Commit = Result<(), StoreError>;
/// A write: runs inside the transaction and gives what to do once the commit's fate is known.
type Job = Box<dyn FnOnce(&Connection) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Commit) + Send>;

/// What waits in the queue.
enum Entry {
    Write(Job),
    Checkpoint(oneshot::Sender<Result<(), StoreError>>),
}

/// The queue's entry; the thread ends, with everything written, when it is dropped.
pub(super) struct Writer {
    queue: Arc<Queue>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(connection: Connection) -> Result<Writer, StoreError> {
        let queue = Arc::new(Queue::default());
        let waiting = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("stampmill-writer".into())
            .spawn(move || run(connection, &waiting));
        let thread = thread.map_err(|error| {
            StoreError::Database(format!("cannot start the writer thread: {error}"))
        })?;
        Ok(Writer {
            queue,
            places: Arc::new(Semaphore::new(PLACES)),
            thread: Some(thread),
        })
    }

    /// Runs a write in the next group; answers after its commit. Does `then` between commit and answer, whether or not
    /// anybody waits for the answer.
    pub(super) async fn write<T, W>(
        &self,
        extent: Extent,
        write: W,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = transaction::run(connection, extent, write);
            // The caller may have gone (a closed connection): the write stands, nobody listens.
            Box::new(move |commit| {
                drop(place);
                then();
                drop(answer.send(commit.and(result)));
            })
        });
        self.queue.enter(Entry::Write(job)).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Moves the write-ahead log into the database and empties it, after every write that waits.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.enter(Entry::Checkpoint(answer)).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // The thread has no more jobs to come: it writes what is queued, closes the file and ends.
            let _ = thread.join();
        }
    }
}

// ---- the queue ----------------------------------------------------------------------------------------------------------

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// The writer shall come.
    called: bool,
    /// Nothing more is taken.
    closed: bool,
}

impl Queue {
    /// Puts an entry into the queue; the first one calls the writer, after everybody else who is ready had a turn.
    async fn enter(&self, entry: Entry) -> Result<(), StoreError> {
        let first = {
            let mut state = self.state();
            if state.closed {
                return Err(StoreError::Closed);
            }
            state.entries.push(entry);
            state.entries.len() == 1
        };
        if first {
            let _call = Call(self);
            yield_now().await;
        }
        Ok(())
    }

    /// Waits for entries; nothing, once there will be none.
    fn wait(&self) -> Option<Vec<Entry>> {
        let mut state = self.state();
        while !state.called && !state.closed {
            state = self
                .called
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.called = false;
        let entries = mem::take(&mut state.entries);
        (!entries.is_empty() || !state.closed).then_some(entries)
    }

    fn close(&self) {
        self.state().closed = true;
        self.called.notify_one();
    }

    /// A panic between two of its statements leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls the writer at its end, also if that is because the caller has gone.
struct Call<'a>(&'a Queue);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.state().called = true;
        self.0.called.notify_one();
    }
}

// ---- the thread ---------------------------------------------------------------------------------------------------------

/// Nobody waits for a writer that has gone, however it went: what is queued is dropped, which its callers hear.
struct LastOut<'a>(&'a Queue);

impl Drop for LastOut<'_> {
    fn drop(&mut self) {
        self.0.close();
        drop(mem::take(&mut self.0.state().entries));
    }
}

fn run(connection: Connection, queue: &Queue) {
    let _last_out = LastOut(queue);
    while let Some(entries) = queue.wait() {
        let mut group = Vec::with_capacity(entries.len().min(GROUP));
        for entry in entries {
            match entry {
                Entry::Write(job) => group.push(job),
                // What came before it is written first.
                Entry::Checkpoint(answer) => {
                    commit_group(&connection, mem::take(&mut group));
                    let done =
                        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                    let _ = answer.send(done.map_err(database));
                }
            }
            if group.len() == GROUP {
                commit_group(&connection, mem::take(&mut group));
            }
        }
        commit_group(&connection, group);
    }
}

fn commit_group(connection: &Connection, group: Vec<Job>) {
    if group.is_empty() {
        return;
    }
    if let Err(error) = run_statement(connection, "BEGIN IMMEDIATE") {
        // Jobs are dropped unrun: their callers hear that the channel closed, which says "not written".
        return tracing::error!(%error, "cannot begin a transaction");
    }
    let mut replies: Vec<Reply> = Vec::with_capacity(group.len());
    let mut committed: Commit = Ok(());
    for job in group {
        replies.push(job(connection));
        // A full disk, a failed read or write and a lack of memory make SQLite roll the *whole* transaction back by
        // itself (sqlite.org/lang_transaction.html §2.3). The next savepoint would open, and commit, a transaction of
        // its own, so the group ends here: those that ran hear that nothing was written, and so do those that did not
        // (their channel closes).
        if connection.is_autocommit() {
            committed = Err(StoreError::Database(
                "the transaction was rolled back".into(),
            ));
            break;
        }
    }
    if committed.is_ok() {
        committed = run_statement(connection, "COMMIT");
    }
    if let Err(error) = &committed {
        tracing::error!(%error, writes = replies.len(), "commit failed; none of these writes happened");
        if !connection.is_autocommit() {
            let _ = run_statement(connection, "ROLLBACK");
        }
    }
    for reply in replies {
        reply(committed.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::super::transaction::in_savepoint;
    use super::*;

    fn count(connection: &Connection) -> Result<i64, StoreError> {
        connection
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .map_err(database)
    }

    #[tokio::test]
    async fn a_failed_write_takes_only_itself_back() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        let insert = |x: i64| {
            let insert = move |c: &Connection| {
                c.execute("INSERT INTO t VALUES (?1)", [x])
                    .map_err(database)
            };
            writer.write(Extent::Statement, insert, || {})
        };
        let results = tokio::join!(insert(1), insert(1), insert(2));
        assert!(
            results.0.is_ok() && results.1.is_err() && results.2.is_ok(),
            "{results:?}"
        );
        let rows = writer.write(Extent::Statement, count, || {}).await;
        assert_eq!(rows.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_half_done_write_is_taken_back_whole() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        let fails = |c: &Connection| {
            c.execute("INSERT INTO t VALUES (1)", [])
                .map_err(database)?;
            Err(StoreError::Database("after the first statement".into()))
        };
        let failed: Result<(), _> = writer.write(Extent::Several, fails, || {}).await;
        assert!(failed.is_err());
        let rows = writer.write(Extent::Statement, count, || {}).await;
        assert_eq!(rows.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_caller_who_goes_has_called_the_writer_and_a_writer_who_goes_says_so() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        let insert = |c: &Connection| c.execute("INSERT INTO t VALUES (1)", []).map_err(database);
        {
            let mut gone = Box::pin(writer.write(Extent::Statement, insert, || {}));
            assert!(
                std::future::poll_fn(|context| Poll::Ready(gone.as_mut().poll(context)))
                    .await
                    .is_pending()
            );
        }
        let rows = writer.write(Extent::Statement, count, || {}).await;
        assert_eq!(rows.unwrap(), 1);
        let panics = |_: &Connection| -> Result<(), StoreError> { panic!("in a write") };
        let answer = writer.write(Extent::Statement, panics, || {}).await;
        assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
        // Whoever comes now, or came while it went, is not kept waiting.
        let answer = writer.write(Extent::Statement, count, || {}).await;
        assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
    }

    #[tokio::test]
    async fn callers_wait_for_a_place_and_writes_of_those_who_went_happen() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        let insert = |c: &Connection| {
            c.execute("INSERT INTO t VALUES (NULL)", [])
                .map_err(database)
        };
        let hold = move |c: &Connection| {
            let _ = held.recv();
            insert(c)
        };
        let mut holding = Box::pin(writer.write(Extent::Statement, hold, || {}));
        let mut waiting: Vec<_> = (0..PLACES + 9)
            .map(|_| Box::pin(writer.write(Extent::Statement, insert, || {})))
            .collect();
        // More polls than the scheduler grants a task before it is another's turn.
        tokio::task::unconstrained(std::future::poll_fn(|context| {
            assert!(holding.as_mut().poll(context).is_pending());
            for write in &mut waiting {
                assert!(write.as_mut().poll(context).is_pending());
            }
            Poll::Ready(())
        }))
        .await;
        assert_eq!(writer.places.available_permits(), 0);
        assert!(writer.queue.state().entries.len() <= PLACES);
        // Those in the queue go away; nine and one more had no place yet.
        drop(holding);
        let late = waiting.split_off(PLACES - 1);
        drop(waiting);
        go_on.send(()).unwrap();
        for write in late {
            assert_eq!(write.await.unwrap(), 1);
        }
        let rows = writer.write(Extent::Statement, count, || {}).await;
        assert_eq!(rows.unwrap(), PLACES as i64 + 10);
        assert_eq!(writer.places.available_permits(), PLACES);
    }

    #[test]
    fn a_full_disk_takes_the_whole_group_back() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x BLOB)").unwrap();
        // The file may grow by eight pages of 4096 bytes.
        let pages: i64 = connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        connection
            .pragma_update(None, "max_page_count", pages + 8)
            .unwrap();
        let (mut group, mut answers) = (Vec::<Job>::new(), Vec::new());
        for size in [1, 100_000, 1] {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            group.push(Box::new(move |connection| {
                let result = in_savepoint(connection, |c| {
                    c.execute("INSERT INTO t VALUES (zeroblob(?1))", [size])
                        .map_err(database)
                });
                Box::new(move |commit| drop(answer.send(commit.and(result))))
            }));
        }
        commit_group(&connection, group);
        let written = |answered: &mut oneshot::Receiver<Result<usize, StoreError>>| {
            matches!(answered.try_recv(), Ok(Ok(_)))
        };
        let written: Vec<bool> = answers.iter_mut().map(written).collect();
        assert_eq!(
            written,
            [false, false, false],
            "nobody is told of a write that is not there"
        );
        let rows: i64 = connection
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 0);
    }
}
