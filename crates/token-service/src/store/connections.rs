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
use super::writer::{Writer, in_savepoint, run_statement};

/// How much of a write is one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// One statement, which happens whole or not at all by itself.
    Statement,
    /// Several, which a savepoint holds together.
    Several,
}

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
        let writes = 0;
        Connections::Memory(Mutex::new(Memory { connection, writes }))
    }

    /// Runs a read. It takes microseconds, less than moving it to another thread would.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (readers, next) = match self {
            Connections::Memory(memory) => return read(&locked(memory)?.connection),
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
    fn write<T>(
        &mut self,
        extent: Extent,
        write: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.writes == 0 {
            run_statement(&self.connection, "BEGIN")?;
        }
        self.writes += 1;
        let result = run(&self.connection, extent, write);
        // SQLite took the whole transaction back by itself, for want of memory: what others were told of is gone. They must
        // not go on as if nothing had been spent, so nobody does: the counter never becomes 0 again.
        if self.connection.is_autocommit() {
            return Err(StoreError::Closed);
        }
        if self.writes == WRITES {
            run_statement(&self.connection, "COMMIT")?;
            self.writes = 0;
        }
        result
    }
}

/// One write: whole, or taken back whole.
pub(super) fn run<T>(
    connection: &Connection,
    extent: Extent,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match extent {
        Extent::Statement => write(connection),
        // Where no transaction is open, a savepoint is one.
        Extent::Several => in_savepoint(connection, write),
    }
}

fn locked<T>(connection: &Mutex<T>) -> Result<MutexGuard<'_, T>, StoreError> {
    connection.lock().map_err(|_| StoreError::Closed)
}
