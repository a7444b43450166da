//! All SQL of the relay, behind plain functions that take a connection; no handler and no other module holds any.
//! Payload files are [`crate::blobs`]'. Read next: [`deposits`], where a deposit becomes durable, then [`sequence`].

pub(crate) mod accounts;
pub(crate) mod activation;
pub(crate) mod archives;
pub(crate) mod connection;
pub(crate) mod copies;
pub(crate) mod deposits;
pub(crate) mod directory;
pub(crate) mod ended;
pub(crate) mod expiry;
pub(crate) mod figures;
pub(crate) mod prekeys;
pub(crate) mod removals;
pub(crate) mod sequence;
pub(crate) mod suspensions;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::cbor::FormatError;
use protocol::{Code, DeviceId};
use rusqlite::{Connection, OptionalExtension as _};
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::blobs::{Blobs, FolderError, PendingBlob};
use crate::bus::Bus;
use sequence::Place;
use writer::Writer;

/// Connections that read.
const READERS: usize = 4;

/// The relay's database: one writer, several readers.
pub(crate) struct Storage {
    path: PathBuf,
    readers: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    writer: Writer,
}

impl Storage {
    /// Opens the database at `path`, making or migrating it, and the blob folder that belongs to it.
    pub(crate) fn open(path: &Path, folder: &Path, bus: Arc<Bus>) -> Result<(Self, Arc<Blobs>), StorageError> {
        let writing = connection::open(path)?;
        let id: Option<String> = writing
            .query_row("SELECT id FROM blob_folder", [], |row| row.get(0))
            .optional()?;
        let blobs = Arc::new(Blobs::open(folder, id.as_deref())?);
        if id.is_none() {
            writing.execute("INSERT INTO blob_folder (id) VALUES (?1)", [blobs.id()])?;
        }
        let readers = (0..READERS)
            .map(|_| connection::open_reader(path))
            .collect::<Result<Vec<_>, _>>()?;
        let storage = Self {
            path: path.to_owned(),
            readers: Arc::new(Mutex::new(readers)),
            permits: Arc::new(Semaphore::new(READERS)),
            writer: Writer::start(writing, bus, Arc::clone(&blobs))?,
        };
        Ok((storage, blobs))
    }

    /// Runs `job` on a connection that only reads, in one snapshot.
    pub(crate) async fn read<T, F>(&self, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(|_| StorageError::Stopped)?;
        let readers = Arc::clone(&self.readers);
        let path = self.path.clone();
        let task = move || {
            let taken = readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match taken {
                Some(reader) => reader,
                None => connection::open_reader(&path)?,
            };
            let answer = in_snapshot(&reader, job);
            readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            // Only now, even if the caller has gone away: no more connections are opened than there are permits.
            drop(permit);
            answer
        };
        tokio::task::spawn_blocking(task)
            .await
            .map_err(|_| StorageError::Stopped)?
    }

    /// Runs `job` in the writer's next transaction and answers once that is durable, or with what it refused.
    ///
    /// It is carried out even if the caller goes away.
    pub(crate) async fn write<T, F>(&self, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Effects) -> Result<T, StorageError> + Send + 'static,
    {
        self.writer.run(job).await
    }

    /// Runs `job` as [`Storage::read`] does, if the device that asks is still one of its account.
    pub(crate) async fn read_as<T, F>(&self, place: Place, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    {
        self.read(move |connection| {
            accounts::check_present(connection, place)?;
            job(connection)
        })
        .await
    }

    /// Runs `job` as [`Storage::write`] does, if the device that asks is still one of its account by then.
    pub(crate) async fn write_as<T, F>(&self, place: Place, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Effects) -> Result<T, StorageError> + Send + 'static,
    {
        self.write(move |connection, effects| {
            accounts::check_present(connection, place)?;
            job(connection, effects)
        })
        .await
    }

    /// How many transactions were committed that changed something.
    pub(crate) fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// Finishes what was accepted, truncates the log and closes the writer.
    pub(crate) async fn close(&self) {
        self.writer.close().await;
    }
}

/// What is to happen once a job's transaction is durable.
#[derive(Default)]
pub(crate) struct Effects {
    /// Devices that have news.
    pub(crate) wake: BTreeSet<DeviceId>,
    /// Payload files that no row names any longer.
    pub(crate) orphans: Vec<String>,
    /// A payload file that a row names from now on.
    pub(crate) adopted: Option<PendingBlob>,
}

/// Why the storage did not do it.
#[derive(Debug, Error)]
pub(crate) enum StorageError {
    /// A stored value is not what was stored.
    #[error("a stored value cannot be read: {0}")]
    Damaged(&'static str),
    /// The blob folder is not the one that the database began with; its id, if the database has one.
    #[error("the blob folder is not the one that the database began with")]
    BlobFolder(String),
    /// A file beside the database.
    #[error("the data folder: {0}")]
    File(#[from] std::io::Error),
    /// A stored value in one of the binary formats is not what was stored.
    #[error("a stored value cannot be read: {0}")]
    Format(#[from] FormatError),
    /// Written by a later release.
    #[error("the database was written by a later release (schema {0})")]
    Newer(i64),
    /// The system gives no random bytes.
    #[error("random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The request cannot be granted.
    #[error("refused: {}", .0.as_str())]
    Refused(Code, &'static str),
    /// The database engine.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The relay is being stopped.
    #[error("the relay is stopping")]
    Stopped,
}

impl From<FolderError> for StorageError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Io(error) => Self::File(error),
            FolderError::Strange(id) => Self::BlobFolder(id),
        }
    }
}

/// Refuses a request with `code`, saying why.
pub(crate) const fn refuse<T>(code: Code, detail: &'static str) -> Result<T, StorageError> {
    Err(StorageError::Refused(code, detail))
}

fn in_snapshot<T>(
    reader: &Connection,
    job: impl FnOnce(&Connection) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    let snapshot = reader.unchecked_transaction()?;
    let answer = job(&snapshot)?;
    snapshot.commit()?;
    Ok(answer)
}

/// A number as it is stored.
fn stored(number: u64) -> Result<i64, StorageError> {
    i64::try_from(number).map_err(|_| StorageError::Refused(Code::Malformed, "a number out of range"))
}

/// A number as it was before it was stored.
fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
