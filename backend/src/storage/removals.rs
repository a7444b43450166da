//! Devices that were taken off their account's list, for what they had sent before.
//! Taking them off is [`super::accounts`]'s.

use protocol::identity::{DeviceList, Signed};
use protocol::removal::Removal;
use protocol::{DeviceId, cbor};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::StorageError;
use super::accounts::StoredAccount;

/// Keeps that `device` was on the present list of the account and is not on `after`, which takes its place.
///
/// Lists that do not follow each other show nothing. Another account that names the key of a device which was removed takes nothing
/// from the one that it was removed from.
pub(crate) fn keep(
    connection: &Connection,
    present: &StoredAccount,
    after: &Signed<DeviceList>,
    device: &DeviceId,
) -> Result<(), StorageError> {
    let removal = Removal {
        identity: present.identity.clone(),
        before: present.list.clone(),
        after: after.clone(),
    };
    if removal.verify(device).is_err() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO removal (device, account, removal) VALUES (?1, ?2, ?3)
             ON CONFLICT (device) DO UPDATE SET removal = excluded.removal WHERE account = excluded.account",
        )?
        .execute(params![device.as_bytes(), present.id, cbor::encode(&removal)])?;
    Ok(())
}

/// How the device was removed, if it was.
pub(crate) fn find(connection: &Connection, device: &DeviceId) -> Result<Option<Removal>, StorageError> {
    let removal: Option<Vec<u8>> = connection
        .prepare_cached("SELECT removal FROM removal WHERE device = ?1")?
        .query_row([device.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(removal.as_deref().map(cbor::decode).transpose()?)
}
