//! A phone at work: its store, its account and its relay. All a shell does goes through [`Session`].
//! What it does is in `account`, `directory`, `mail` and `sync`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Address, Code};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::account::Account;
use crate::error::Error;
use crate::keystore::{self, KeyPlace};
use crate::net::{Patience, Relay};
use crate::store::Store;
use crate::sync::forget_read;

/// Where a phone's things are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of the store; made if need be.
    pub folder: PathBuf,
    /// Where the store's key is kept.
    pub key: KeyPlace,
    /// The relay, as `https://host:port`.
    pub server: String,
    /// A file of certificates (PEM) to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// When a silent line is taken for dead.
    pub patience: Patience,
}

/// The store, as a session has it.
enum Slot {
    Closed,
    Open(Arc<Store>),
    /// This device is suspended: a sync that finds that it is no longer so opens it again.
    Suspended,
}

/// A phone at work.
pub struct Session {
    config: Config,
    store: Mutex<Slot>,
    pub(crate) relay: Relay,
    pub(crate) syncing: tokio::sync::Mutex<()>,
}

impl Session {
    /// Opens the store in the configured folder, or makes one where there is neither store nor key.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] with code `key-missing` when there is a store without its key; [`Error::Server`].
    pub fn open(config: Config) -> Result<Self, Error> {
        let relay = Relay::new(&config.server, config.ca.as_deref(), config.patience)?;
        let store = keystore::open_or_create(&config.folder, &config.key)?;
        let session = Self {
            config,
            store: Mutex::new(slot(store)?),
            relay,
            syncing: tokio::sync::Mutex::new(()),
        };
        Ok(session)
    }

    /// The address of this phone's account; none before it is enrolled.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn own_address(&self) -> Result<Option<Address>, Error> {
        self.read(|connection| match Account::load(connection) {
            Ok(account) => Ok(Some(account.address)),
            Err(Error::NotEnrolled) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Closes the store and forgets its key until [`Session::unlock`].
    pub fn lock(&self) {
        let mut slot = self.slot();
        if let Slot::Open(store) = &*slot {
            // What was deleted leaves the log before the key leaves memory; at worst the next sync does it.
            if store.truncate_wal().is_err() {
                tracing::warn!("the log could not be truncated at lock");
            }
            *slot = Slot::Closed;
        }
    }

    /// Opens the store again.
    ///
    /// # Errors
    ///
    /// As [`Session::open`]; [`Error::Relay`] with `device-suspended`: the next sync asks whether it still is.
    pub fn unlock(&self) -> Result<(), Error> {
        let mut slot = self.slot();
        if matches!(*slot, Slot::Closed) {
            *slot = self::slot(self.open_store()?)?;
        }
        match *slot {
            Slot::Suspended => Err(Error::Relay(Code::DeviceSuspended)),
            Slot::Closed | Slot::Open(_) => Ok(()),
        }
    }

    pub(crate) fn open_store(&self) -> Result<Store, Error> {
        Ok(keystore::open_or_create(&self.config.folder, &self.config.key)?)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        matches!(*self.slot(), Slot::Suspended)
    }

    /// This device is suspended: its store is closed, also for sessions to come, until it is let in again.
    pub(crate) fn lock_suspended(&self) -> Result<(), Error> {
        if !self.is_suspended() {
            let store = self.store()?;
            // A store that cannot be written just now is closed all the same: the next session is told by the relay.
            self.lock();
            *self.slot() = Slot::Suspended;
            store.write::<_, Error>(|tx| set_setting(tx, SUSPENDED, "on"))?;
        }
        Ok(())
    }

    /// This device is no longer suspended.
    pub(crate) fn let_in(&self, store: Store) -> Result<(), Error> {
        store.write::<_, Error>(|tx| {
            tx.execute("DELETE FROM setting WHERE name = ?1", [SUSPENDED])?;
            Ok(())
        })?;
        *self.slot() = Slot::Open(Arc::new(store));
        Ok(())
    }

    /// Erases store and key: this device was removed from its account.
    pub(crate) fn erase(&self) -> Result<(), Error> {
        *self.slot() = Slot::Closed;
        Ok(keystore::erase(&self.config.folder, &self.config.key)?)
    }

    /// Ends the session.
    pub fn close(self) {
        self.lock();
    }

    /// Whether mails that are read send receipts; they do unless switched off.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn set_read_receipts(&self, on: bool) -> Result<(), Error> {
        self.write(|tx| {
            if !on {
                forget_read(tx)?;
            }
            set_setting(tx, READ_RECEIPTS, if on { "on" } else { "off" })
        })
    }

    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        self.store()?.read(work)
    }

    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.store()?.write(work)
    }

    pub(crate) fn store(&self) -> Result<Arc<Store>, Error> {
        match &*self.slot() {
            Slot::Closed => Err(Error::Locked),
            Slot::Open(store) => Ok(Arc::clone(store)),
            Slot::Suspended => Err(Error::Relay(Code::DeviceSuspended)),
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// A store that was just opened: one of a suspended device is closed again.
fn slot(store: Store) -> Result<Slot, Error> {
    let suspended = store.read::<_, Error>(|connection| setting(connection, SUSPENDED))?;
    Ok(match suspended {
        Some(_) => Slot::Suspended,
        None => Slot::Open(Arc::new(store)),
    })
}

/// Setting: there while this device is suspended.
const SUSPENDED: &str = "suspended";

/// Setting: `off` when mails that are read send no receipt.
pub(crate) const READ_RECEIPTS: &str = "read-receipts";

/// The value of a setting.
pub(crate) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, Error> {
    let value = connection
        .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0))
        .optional()?;
    Ok(value)
}

/// Sets a setting.
pub(crate) fn set_setting(tx: &Transaction<'_>, name: &str, value: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [name, value],
    )?;
    Ok(())
}
