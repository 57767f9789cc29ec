//! Where statements run: beside a file, or in memory.
//!
//! ```text
//! file     reads ──▶ whichever reader is free           writes ──▶ the writer's queue, committed in groups
//! memory   reads ──▶ the one connection ◀── writes      at once, on the thread of the request
//! ```
//!
//! A file is waited for: a commit takes as long as the disk does, so writes go to a thread of their own and share one. In
//! memory there is nothing to wait for that would be worth handing a write over: two wake-ups, two changes of thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::StoreError;
use super::statements::run_statement;
use super::transaction::{self, Extent};
use super::writer::Writer;

/// The connections of one store.
pub(super) enum Connections {
    File {
        // Before the writer, so that they close first: the last connection tidies the write-ahead log away, and only a
        // writer can.
        readers: Vec<Mutex<Connection>>,
        next: AtomicUsize,
        writer: Writer,
    },
    Memory(Mutex<Memory>),
}

/// The one connection of a store in memory, with a transaction that stays open over many writes: to begin and to end one
/// costs as much as a write does, and here it keeps nothing that would not be kept without.
pub(super) struct Memory {
    connection: Connection,
    /// Since the transaction began.
    writes: usize,
    /// SQLite took the whole transaction back by itself, for want of memory or room: what others were told of is gone. They must
    /// not go on as if nothing had been spent, so from then on nobody reads or writes.
    broken: bool,
}

/// Writes in one transaction of a store in memory. Bounds the copies of pages that it keeps in order to be taken back.
const WRITES: usize = 256;

impl Connections {
    pub(super) fn to_file(
        readers: Vec<Connection>,
        writer: Connection,
    ) -> Result<Connections, StoreError> {
        Ok(Connections::File {
            readers: readers.into_iter().map(Mutex::new).collect(),
            next: AtomicUsize::new(0),
            writer: Writer::start(writer)?,
        })
    }

    pub(super) fn in_memory(connection: Connection) -> Connections {
        Connections::Memory(Mutex::new(Memory {
            connection,
            writes: 0,
            broken: false,
        }))
    }

    /// Runs a read. It takes microseconds, less than moving it to another thread would.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (readers, next) = match self {
            Connections::Memory(memory) => return read(locked(memory)?.whole()?),
            Connections::File { readers, next, .. } => (readers, next),
        };
        let free = readers.iter().find_map(|reader| reader.try_lock().ok());
        match free {
            Some(connection) => read(&connection),
            None => {
                let turn = next.fetch_add(1, Ordering::Relaxed) % readers.len();
                read(&*locked(&readers[turn])?)
            }
        }
    }

    /// Runs a write and answers once it is kept; does `then` in between, whether or not anybody waits for the answer.
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
        match self {
            Connections::File { writer, .. } => writer.write(extent, write, then).await,
            Connections::Memory(memory) => {
                let result = locked(memory)?.write(extent, write);
                then();
                result
            }
        }
    }

    /// Moves what is in side files into the database, after every write that waits.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        match self {
            Connections::File { writer, .. } => writer.checkpoint().await,
            Connections::Memory(_) => Ok(()),
        }
    }
}

impl Memory {
    fn whole(&self) -> Result<&Connection, StoreError> {
        match self.broken {
            true => Err(StoreError::Closed),
            false => Ok(&self.connection),
        }
    }

    fn write<T>(
        &mut self,
        extent: Extent,
        write: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.whole()?;
        if self.writes == 0 {
            run_statement(connection, "BEGIN")?;
        }
        let result = transaction::run(connection, extent, write);
        self.writes += 1;
        if self.writes >= WRITES && !self.connection.is_autocommit() {
            match run_statement(&self.connection, "COMMIT") {
                Ok(()) => {
                    self.writes = 0;
                    return result;
                }
                // Where the transaction stands, nothing is lost: the next write tries to end it again.
                Err(error) => tracing::error!(%error, "a transaction in memory could not be ended"),
            }
        }
        if self.connection.is_autocommit() {
            self.broken = true;
            return Err(StoreError::Closed);
        }
        result
    }
}

fn locked<T>(connection: &Mutex<T>) -> Result<MutexGuard<'_, T>, StoreError> {
    connection.lock().map_err(|_| StoreError::Closed)
}

#[cfg(test)]
mod tests {
    use super::super::statements::database;
    use super::*;

    fn memory(schema: &str) -> Connections {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(schema).unwrap();
        Connections::in_memory(connection)
    }

    async fn execute(connections: &Connections, sql: &'static str) -> Result<(), StoreError> {
        let write = move |c: &Connection| c.execute(sql, []).map(drop).map_err(database);
        connections.write(Extent::Several, write, || {}).await
    }

    fn rows(connections: &Connections) -> Result<i64, StoreError> {
        connections.read(|c| {
            c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
                .map_err(database)
        })
    }

    #[tokio::test]
    async fn after_everything_was_taken_back_nobody_reads_or_writes() {
        let connections = memory("CREATE TABLE t (x BLOB); PRAGMA max_page_count = 16");
        execute(&connections, "INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        assert_eq!(rows(&connections).unwrap(), 1);
        let too_much = "INSERT INTO t VALUES (zeroblob(1000000))";
        let closed = |result: &Result<_, StoreError>| matches!(result, Err(StoreError::Closed));
        let first = execute(&connections, too_much).await;
        assert!(closed(&first), "{first:?}");
        let read = rows(&connections).map(drop);
        assert!(closed(&read), "the row that is gone: {read:?}");
        let next = execute(&connections, "INSERT INTO t VALUES (2)").await;
        assert!(closed(&next), "in a transaction of its own: {next:?}");
    }

    #[tokio::test]
    async fn a_transaction_that_cannot_be_ended_is_ended_later() {
        let connections = memory(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE p (x INTEGER PRIMARY KEY);
             CREATE TABLE t (x REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        );
        for _ in 0..WRITES + 1 {
            execute(&connections, "INSERT INTO t VALUES (1)")
                .await
                .unwrap();
        }
        let begun = || match &connections {
            Connections::Memory(memory) => locked(memory).unwrap().writes,
            Connections::File { .. } => unreachable!("it is in memory"),
        };
        assert_eq!(begun(), WRITES + 1);
        execute(&connections, "INSERT INTO p VALUES (1)")
            .await
            .unwrap();
        assert_eq!(begun(), 0, "the transaction has ended");
        assert_eq!(rows(&connections).unwrap(), 1 + WRITES as i64);
    }
}
