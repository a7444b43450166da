//! The encrypted store: one `SQLCipher` file with one writing connection and a few reading ones.
//! What is in it is `schema/`; who keeps its key is `keystore`; what the rows mean belongs to the features.
//! Next: [`search`].

pub(crate) mod column;
mod error;
mod key;
pub mod search;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use crate::crash::crash_point;
use crate::files::{self, beside};

pub use error::StoreError;
pub use key::StoreKey;

/// Each step brings a store from the schema numbered by its place to the next.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
];

/// Readers open at once; a fifth waits.
const READERS: usize = 4;

/// How long one connection waits for another, of this process or of the background one.
const BUSY: Duration = Duration::from_secs(10);

/// An open store. Closed, and its key forgotten, when dropped.
pub struct Store {
    path: PathBuf,
    key: StoreKey,
    writer: Mutex<Connection>,
    readers: Mutex<Readers>,
    reader_back: Condvar,
}

struct Readers {
    idle: Vec<Connection>,
    open: usize,
}

impl Store {
    /// Makes an empty store, whole or not at all, where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when anything of a store has that name already.
    pub fn create(path: &Path, key: StoreKey) -> Result<Self, StoreError> {
        // A log beside no store would be replayed into the new one.
        for name in [path.to_owned(), beside(path, "-wal"), beside(path, "-journal")] {
            if name.try_exists()? {
                return Err(StoreError::Exists);
            }
        }
        let part = files::part_of(path);
        for left in ["-wal", "-shm", "-journal"] {
            files::remove_left(&beside(&part, left))?;
        }
        files::create(&part)?;
        let mut connection = connect(&part, &key)?;
        prepare_writer(&connection)?;
        migrate(&mut connection, 0)?;
        connection.close().map_err(|(_, error)| error)?;
        File::open(&part)?.sync_all()?;
        crash_point!("store-unnamed");
        files::publish(&part, path)?;
        crash_point!("store-named");
        Self::open(path, key)
    }

    /// Opens a store, and brings it to this version's schema.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] when there is none; [`StoreError::KeyRefused`] when the key is not its own, or the file not a
    /// store; [`StoreError::Newer`] when a later version wrote it.
    pub fn open(path: &Path, key: StoreKey) -> Result<Self, StoreError> {
        if !path.try_exists()? {
            return Err(StoreError::Missing);
        }
        let mut writer = connect(path, &key)?;
        match schema_of(&writer)? {
            0 => return Err(StoreError::Corrupt),
            schema if schema > MIGRATIONS.len() => return Err(StoreError::Newer),
            schema => {
                prepare_writer(&writer)?;
                migrate(&mut writer, schema)?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            key,
            writer: Mutex::new(writer),
            readers: Mutex::new(Readers {
                idle: Vec::new(),
                open: 0,
            }),
            reader_back: Condvar::new(),
        })
    }

    /// Runs `work` on one unchanging view of the store.
    ///
    /// # Errors
    ///
    /// What `work` returns, or the store's own.
    pub fn read<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let reader = self.reader()?;
        let view = reader.connection()?.unchecked_transaction().map_err(StoreError::from)?;
        // The view ends by a rollback when dropped: it wrote nothing.
        work(&view)
    }

    /// Runs `work` in a transaction that holds the write lock from its start. It is durable once this returns `Ok`,
    /// and leaves no trace when `work` fails.
    ///
    /// # Errors
    ///
    /// What `work` returns, or the store's own.
    pub fn write<T, E>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let mut writer = lock(&self.writer);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let done = work(&transaction)?;
        crash_point!("store-commit-due");
        transaction.commit().map_err(StoreError::from)?;
        crash_point!("store-committed");
        Ok(done)
    }

    /// Moves the log into the file and empties it, so that nothing deleted stays in either.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when a reader still needs the log: try again after it.
    pub fn truncate_wal(&self) -> Result<(), StoreError> {
        let busy: bool = lock(&self.writer).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy { Err(StoreError::Busy) } else { Ok(()) }
    }

    fn reader(&self) -> Result<Reader<'_>, StoreError> {
        let mut readers = lock(&self.readers);
        loop {
            if let Some(connection) = readers.idle.pop() {
                return Ok(Reader {
                    store: self,
                    connection: Some(connection),
                });
            }
            if readers.open < READERS {
                readers.open = readers.open.saturating_add(1);
                break;
            }
            readers = self.reader_back.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        drop(readers);
        // From here on the guard gives the place back, whatever happens.
        let mut reader = Reader {
            store: self,
            connection: None,
        };
        let connection = connect(&self.path, &self.key)?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        reader.connection = Some(connection);
        Ok(reader)
    }
}

#[cfg(test)]
impl Store {
    /// What `work` gives, and how many queries it ran.
    pub(crate) fn queries_of<T>(&self, work: impl FnOnce(&Connection) -> T) -> (T, usize) {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        use rusqlite::trace::{TraceEvent, TraceEventCodes};

        let count = Arc::new(AtomicUsize::new(0));
        let mut reader = self.reader().unwrap();
        let connection = reader.connection.as_mut().unwrap();
        let counted = Arc::clone(&count);
        let count_query = move |event: TraceEvent<'_>| {
            if let TraceEvent::Stmt(_, sql) = event
                && sql.trim_start().starts_with("SELECT")
            {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        };
        connection
            .trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count_query))
            .unwrap();
        let done = work(connection);
        connection
            .trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>)
            .unwrap();
        (done, count.load(Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// A reading connection on loan; it goes back when dropped.
struct Reader<'a> {
    store: &'a Store,
    connection: Option<Connection>,
}

impl Reader<'_> {
    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Fault)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut readers = lock(&self.store.readers);
        match self.connection.take() {
            Some(connection) => readers.idle.push(connection),
            None => readers.open = readers.open.saturating_sub(1),
        }
        drop(readers);
        self.store.reader_back.notify_one();
    }
}

/// Opens the file, which exists, and proves the key on its first page.
fn connect(path: &Path, key: &StoreKey) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let raw: Zeroizing<String> = key.to_sqlcipher();
    sqlcipher::set_key(&connection, raw.as_bytes())?;
    // The plain header lets iOS see what a suspended app holds locked; the salt it displaces is kept with the key.
    // `cipher_memory_security` stays off: it locks and wipes every allocation of SQLite, pages included, by two system
    // calls each. The key itself lives in SQLCipher's own wiped heap, and `set_key` puts it nowhere else.
    connection.execute_batch(
        "PRAGMA cipher_log_level = NONE;
         PRAGMA cipher_plaintext_header_size = 32;",
    )?;
    connection.busy_timeout(BUSY)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA recursive_triggers = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA synchronous = FULL;",
    )?;
    if cfg!(target_vendor = "apple") {
        // There, fsync alone does not reach the disk.
        connection.execute_batch("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;")?;
    }
    search::add_functions(&connection)?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(StoreError::Fault) }
}

fn schema_of(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(version).map_err(|_| StoreError::Corrupt)
}

/// Brings the store from `schema` to the newest, one transaction a step.
fn migrate(connection: &mut Connection, schema: usize) -> Result<(), StoreError> {
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(schema) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have done this step while this one waited.
        if schema_of(&transaction)? == step {
            transaction.execute_batch(sql)?;
            let next = i64::try_from(step.saturating_add(1)).map_err(|_| StoreError::Fault)?;
            transaction.pragma_update(None, "user_version", next)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

/// Runs `work` inside a transaction; when it fails, what it did is undone, and the transaction goes on.
///
/// The outer result is the store's own: nothing of the transaction can be relied on then.
pub(crate) fn attempt<T, E>(
    tx: &Transaction<'_>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<Result<T, E>, StoreError> {
    tx.execute_batch("SAVEPOINT attempt")?;
    let done = work(tx);
    if done.is_err() {
        tx.execute_batch("ROLLBACK TO attempt")?;
    }
    tx.execute_batch("RELEASE attempt")?;
    Ok(done)
}

/// A panic elsewhere left nothing half done: transactions roll back when dropped.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
