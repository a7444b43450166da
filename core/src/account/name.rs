//! What the account's devices are called: a person says so on any of them, and the others are told as they are told states of
//! mail. The relay hears of no name.

use protocol::{DeviceId, DeviceName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Account;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::states;

impl Session {
    /// Calls a device of the account so, here and on the others.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDevice`].
    pub fn rename_device(&self, device: DeviceId, name: &DeviceName) -> Result<(), Error> {
        let at = self.relay.clock.now();
        self.write(|tx| {
            if Account::load(tx)?.verified.device(&device).is_none() {
                return Err(Error::NoSuchDevice);
            }
            states::record_name(tx, device, name, at)
        })
    }
}

/// What a device is called, also one that was removed since.
pub(crate) fn of(connection: &Connection, device: &DeviceId) -> Result<Option<DeviceName>, Error> {
    let name = connection
        .prepare_cached("SELECT name FROM device_name WHERE device = ?1")?
        .query_row([Column(device)], |row| row.get(0))
        .optional()?;
    Ok(name.map(|Column(name)| name))
}

/// The device is called so here.
pub(crate) fn store(tx: &Transaction<'_>, device: &DeviceId, name: &DeviceName) -> Result<(), Error> {
    tx.execute(
        "INSERT OR REPLACE INTO device_name (device, name) VALUES (?1, ?2)",
        params![Column(device), Column(name)],
    )?;
    Ok(())
}

/// A device was just added: the others hear what it is called, unless somebody has said so already.
pub(super) fn introduce(tx: &Transaction<'_>, added: DeviceId, name: &DeviceName, at: Timestamp) -> Result<(), Error> {
    if of(tx, &added)?.is_none() {
        states::record_name(tx, added, name, at)?;
    }
    Ok(())
}
