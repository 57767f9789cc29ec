//! The one thread that writes: it takes whatever writes are waiting, runs them in one transaction and commits once.
//!
//! ```text
//! request ─┐
//! request ─┼─ bounded queue ─▶ writer thread:  BEGIN  [save|write|release] × n  COMMIT ─▶ each caller its own result
//! request ─┘
//! ```
//!
//! A commit costs a flush to the disk, a statement costs a microsecond or two: under load the flush is shared. Each
//! write has a savepoint of its own, so one that fails takes only itself back. Nobody hears "done" before the commit. A
//! full queue makes callers wait.

use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// Writes that may wait before callers do.
const QUEUE: usize = 1024;
/// Most writes in one transaction: bounds how long the first caller waits for the last.
const GROUP: usize = 256;

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
    queue: Option<mpsc::Sender<Entry>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(connection: Connection) -> Result<Writer, StoreError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("stampmill-writer".into())
            .spawn(move || run(connection, jobs));
        let thread = thread.map_err(|error| {
            StoreError::Database(format!("cannot start the writer thread: {error}"))
        })?;
        Ok(Writer {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Runs a write in the next group; answers after its commit.
    pub(super) async fn write<T, W>(&self, write: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_then(write, || {}).await
    }

    /// The same, and does something between commit and answer, whether or not anybody waits for the answer.
    pub(super) async fn write_then<T, W>(
        &self,
        write: W,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, write);
            // The caller may have gone (a closed connection): the write stands, nobody listens.
            Box::new(move |commit| {
                then();
                drop(answer.send(commit.and(result)));
            })
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue
            .send(Entry::Write(job))
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Writer {
    /// Moves the write-ahead log into the database and empties it, after every write that waits.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        let entry = Entry::Checkpoint(answer);
        queue.send(entry).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // The thread has no more jobs to come: it writes what is queued, closes the file and ends.
            let _ = thread.join();
        }
    }
}

fn run(connection: Connection, mut entries: mpsc::Receiver<Entry>) {
    while let Some(first) = entries.blocking_recv() {
        let (mut group, mut next) = (Vec::with_capacity(8), Some(first));
        let mut checkpoint = None;
        while let Some(entry) = next {
            match entry {
                Entry::Write(job) => group.push(job),
                // What came before it is written first.
                Entry::Checkpoint(answer) => {
                    checkpoint = Some(answer);
                    break;
                }
            }
            let full = group.len() >= GROUP;
            next = if full { None } else { entries.try_recv().ok() };
        }
        if !group.is_empty() {
            commit_group(&connection, group);
        }
        if let Some(answer) = checkpoint {
            let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            let _ = answer.send(done.map_err(database));
        }
    }
}

fn commit_group(connection: &Connection, group: Vec<Job>) {
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

fn in_savepoint<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    run_statement(connection, "SAVEPOINT one_write")?;
    let result = write(connection);
    if connection.is_autocommit() {
        // Rolled back as a whole, by SQLite itself: the savepoint went with it.
        return result;
    }
    let closed = match &result {
        Ok(_) => Ok(()),
        Err(_) => run_statement(connection, "ROLLBACK TO one_write"),
    };
    let closed = closed.and_then(|()| run_statement(connection, "RELEASE one_write"));
    if let Err(error) = closed {
        // Half of this write could be committed with the others': rather none of them is.
        run_statement(connection, "ROLLBACK")?;
        return Err(error);
    }
    result
}

/// One without parameters, compiled once.
fn run_statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(database)
}

pub(super) fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_write_takes_only_itself_back() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        let insert = |x: i64| {
            writer.write(move |c| {
                c.execute("INSERT INTO t VALUES (?1)", [x])
                    .map_err(database)
            })
        };
        let results = tokio::join!(insert(1), insert(1), insert(2));
        assert!(
            results.0.is_ok() && results.1.is_err() && results.2.is_ok(),
            "{results:?}"
        );
        let rows = writer
            .write(|c| {
                c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))
                    .map_err(database)
            })
            .await;
        assert_eq!(rows.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_half_done_write_is_taken_back_whole() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")
            .unwrap();
        let writer = Writer::start(connection).unwrap();
        let failed: Result<(), _> = writer
            .write(|c| {
                c.execute("INSERT INTO t VALUES (1)", [])
                    .map_err(database)?;
                Err(StoreError::Database("after the first statement".into()))
            })
            .await;
        assert!(failed.is_err());
        let rows = writer
            .write(|c| {
                c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))
                    .map_err(database)
            })
            .await;
        assert_eq!(rows.unwrap(), 0);
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
