//! The one thread that writes. Jobs that wait share a transaction, each within a savepoint, so that one that is
//! refused leaves the others alone; they are answered after the commit.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Effects, StorageError};
use crate::blobs::Blobs;
use crate::bus::Bus;
use crate::crash::crash_point;

/// Jobs that may wait; more have to wait for a place.
const QUEUE: usize = 4_096;
/// Most jobs of one transaction.
const BATCH: usize = 512;

/// Answers a job, being told whether its transaction was committed.
type Reply = Box<dyn FnOnce(Result<(), StorageError>) + Send>;
/// Runs a job; says whether its changes are to stay, and gives its reply.
type Job = Box<dyn FnOnce(&Connection, &mut Effects) -> (bool, Reply) + Send>;

pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(connection: Connection, bus: Arc<Bus>, blobs: Arc<Blobs>) -> Result<Self, StorageError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread = thread::Builder::new()
            .name("relay-writer".to_owned())
            .spawn(move || work(&connection, receiver, &counter, &bus, &blobs))?;
        Ok(Self {
            jobs: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            commits,
        })
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Effects) -> Result<T, StorageError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection, effects| {
            let result = job(connection, effects);
            let stays = result.is_ok();
            let reply = move |committed: Result<(), StorageError>| {
                // Nobody may be waiting any more: the work is done all the same.
                let _ = answer.send(result.and_then(|value| committed.map(|()| value)));
            };
            (stays, Box::new(reply) as Reply)
        });
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let jobs = jobs.ok_or(StorageError::Stopped)?;
        jobs.send(job).await.map_err(|_| StorageError::Stopped)?;
        answered.await.map_err(|_| StorageError::Stopped)?
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Lets the thread finish the jobs that wait, and ends it.
    pub(super) async fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn work(connection: &Connection, mut jobs: mpsc::Receiver<Job>, commits: &AtomicU64, bus: &Bus, blobs: &Blobs) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = jobs.try_recv()
        {
            batch.push(next);
        }
        let before = connection.total_changes();
        let mut effects = Effects::default();
        let mut adopted = Vec::new();
        let mut replies = Vec::with_capacity(batch.len());
        let begun = connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut begin| begin.execute([]));
        if let Err(error) = begun {
            tracing::error!(%error, "the relay's database does not take a transaction");
            // Dropping the jobs answers them: the relay cannot do it now.
            continue;
        }
        for job in batch {
            replies.push(run_apart(connection, job, &mut effects, &mut adopted));
        }
        crash_point!("relay-commit-due");
        let committed = connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        let durable = match committed {
            Ok(_) => {
                if connection.total_changes() != before {
                    commits.fetch_add(1, Ordering::Relaxed);
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "a transaction of the relay's database failed");
                let _ = connection.execute_batch("ROLLBACK");
                false
            }
        };
        crash_point!("relay-committed");
        if durable {
            for blob in adopted {
                blob.adopt();
            }
        }
        for reply in replies.into_iter().flatten() {
            reply(if durable { Ok(()) } else { Err(StorageError::Stopped) });
        }
        if durable {
            bus.wake(&effects.wake);
            blobs.remove(&effects.orphans);
        }
    }
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the log of the relay's database could not be truncated");
    }
}

/// Runs one job within a savepoint. `None` when the database could not make one, or the job panicked: it is dropped,
/// which answers it.
fn run_apart(
    connection: &Connection,
    job: Job,
    all: &mut Effects,
    adopted: &mut Vec<crate::blobs::PendingBlob>,
) -> Option<Reply> {
    let statement = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut prepared| prepared.execute([]))
    };
    if connection.is_autocommit() {
        // A full disk or the like has rolled the transaction back: the commit will fail and say so.
        return None;
    }
    if let Err(error) = statement("SAVEPOINT job") {
        tracing::error!(%error, "no savepoint");
        return None;
    }
    let mut effects = Effects::default();
    // A defect of one job is not to end the thread that writes for all.
    let ran = panic::catch_unwind(AssertUnwindSafe(|| job(connection, &mut effects)));
    let (stays, reply) = ran.map_or((false, None), |(stays, reply)| (stays, Some(reply)));
    let ended = if stays {
        statement("RELEASE job")
    } else {
        statement("ROLLBACK TO job").and_then(|_| statement("RELEASE job"))
    };
    if let Err(error) = ended {
        tracing::error!(%error, "a savepoint could not be ended");
    } else if stays {
        all.wake.append(&mut effects.wake);
        all.orphans.append(&mut effects.orphans);
        adopted.extend(effects.adopted);
    }
    if reply.is_none() {
        tracing::error!("a job of the relay's database panicked");
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_leaves_nothing_and_the_next_ones_are_done() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(&folder.path().join("blobs"), None).unwrap());
        let connection = super::super::connection::open(&folder.path().join("relay.db")).unwrap();
        connection.execute_batch("CREATE TABLE seen (job INTEGER)").unwrap();
        let writer = Writer::start(connection, Arc::default(), blobs).unwrap();
        let insert = |job: i64| {
            move |connection: &Connection, _: &mut Effects| {
                connection.execute("INSERT INTO seen (job) VALUES (?1)", [job])?;
                assert_ne!(job, 2, "a defect");
                Ok(())
            }
        };
        let (first, second, third) = tokio::join!(writer.run(insert(1)), writer.run(insert(2)), writer.run(insert(3)),);
        assert!(first.is_ok() && third.is_ok());
        assert!(matches!(second, Err(StorageError::Stopped)));
        let seen = writer.run(|connection, _| {
            let sum = connection.query_row("SELECT sum(job) FROM seen", [], |row| row.get::<_, i64>(0))?;
            Ok(sum)
        });
        assert_eq!(seen.await.unwrap(), 4);
        writer.close().await;
    }
}
