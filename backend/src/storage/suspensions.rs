//! Devices that are suspended: they keep their place, and what waits for them; nothing is handed to them or sealed to them.

use protocol::api::Suspension;
use protocol::identity::VerifiedAccount;
use protocol::{Code, DeviceId, Timestamp};
use rusqlite::{Connection, params};

use super::sequence::Place;
use super::{Effects, StorageError, accounts, refuse};
use crate::tokens::Bearer;

/// Suspends another device of the caller's account. One that is suspended already stays so since then.
pub(crate) fn suspend(
    connection: &Connection,
    effects: &mut Effects,
    caller: Place,
    device: DeviceId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let changed = connection
        .prepare_cached(
            "UPDATE device SET suspended_at = iif(suspended_at = 0, ?4, suspended_at)
             WHERE account = ?1 AND device = ?2 AND id <> ?3",
        )?
        .execute(params![
            caller.account,
            device.as_bytes(),
            caller.device,
            now.as_millis()
        ])?;
    if changed == 0 {
        return refuse(Code::NotFound, "no other device of the account");
    }
    // Whoever listens for it is told.
    effects.wake.insert(device);
    Ok(())
}

/// Lets a device in again: the main device alone does that.
pub(crate) fn lift(connection: &Connection, caller: &Bearer, device: DeviceId) -> Result<(), StorageError> {
    let Some(account) = accounts::find(connection, &caller.address)? else {
        return refuse(Code::DeviceUnknown, "");
    };
    let listed = VerifiedAccount::verify(&account.identity, &account.list)?;
    if listed.devices().first().is_none_or(|main| main.id != caller.device) {
        return refuse(Code::NotMain, "");
    }
    let changed = connection
        .prepare_cached("UPDATE device SET suspended_at = 0 WHERE account = ?1 AND device = ?2")?
        .execute(params![caller.place.account, device.as_bytes()])?;
    if changed == 0 {
        return refuse(Code::NotFound, "no device of the account");
    }
    Ok(())
}

/// The devices of an account that are suspended.
pub(crate) fn list(connection: &Connection, account: i64) -> Result<Vec<Suspension>, StorageError> {
    let rows = connection
        .prepare_cached(
            "SELECT device, suspended_at FROM device WHERE account = ?1 AND suspended_at <> 0 ORDER BY suspended_at, id",
        )?
        .query_map([account], |row| {
            Ok(Suspension {
                device: DeviceId::from_bytes(row.get(0)?),
                since: Timestamp::from_millis(row.get(1)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
