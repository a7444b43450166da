//! Devices that are suspended: they keep their place, and what waits for them; nothing is handed to them or sealed to them.

use protocol::api::Suspension;
use protocol::identity::VerifiedAccount;
use protocol::{Address, Code, DeviceId, Timestamp, limits};
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

/// Suspends the devices that have not proved themselves for long, and tells which: their account's others go on without them.
///
/// Never the main one, which nobody could let in again; so none is suspended where there is only one.
pub(crate) fn suspend_silent(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StorageError> {
    let since = now.plus_days(limits::SILENT_DAYS.saturating_neg());
    let silent: Vec<(i64, DeviceId, String)> = connection
        .prepare_cached(
            "SELECT device.id, device.device, account.address FROM device JOIN account ON account.id = device.account
             WHERE suspended_at = 0 AND seen_at <= ?1",
        )?
        .query_map([since.as_millis()], |row| {
            Ok((row.get(0)?, DeviceId::from_bytes(row.get(1)?), row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut suspended = Vec::new();
    for (row, device, address) in silent {
        let address = address
            .parse()
            .map_err(|_| StorageError::Damaged("an account's address"))?;
        if main_device(connection, &address)? == Some(device) {
            continue;
        }
        connection
            .prepare_cached("UPDATE device SET suspended_at = ?2 WHERE id = ?1")?
            .execute(params![row, now.as_millis()])?;
        effects.wake.insert(device);
        suspended.push(device);
    }
    Ok(suspended)
}

/// Takes note that a device has proved itself.
pub(crate) fn saw(connection: &Connection, place: Place, now: Timestamp) -> Result<(), StorageError> {
    connection
        .prepare_cached("UPDATE device SET seen_at = ?2 WHERE id = ?1")?
        .execute(params![place.device, now.as_millis()])?;
    Ok(())
}

/// The main device of an account, which is the first of its list.
fn main_device(connection: &Connection, address: &Address) -> Result<Option<DeviceId>, StorageError> {
    let Some(account) = accounts::find(connection, address)? else {
        return Ok(None);
    };
    let listed = VerifiedAccount::verify(&account.identity, &account.list)?;
    Ok(listed.devices().first().map(|main| main.id))
}

/// Lets a device in again: the main device alone does that.
pub(crate) fn lift(
    connection: &Connection,
    caller: &Bearer,
    device: DeviceId,
    now: Timestamp,
) -> Result<(), StorageError> {
    if main_device(connection, &caller.address)? != Some(caller.device) {
        return refuse(Code::NotMain, "");
    }
    let changed = connection
        .prepare_cached("UPDATE device SET suspended_at = 0, seen_at = ?3 WHERE account = ?1 AND device = ?2")?
        .execute(params![caller.place.account, device.as_bytes(), now.as_millis()])?;
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
