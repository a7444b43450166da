//! Accounts and their devices: enrolment, and what others are told of them.
//! Prekeys are in [`super::prekeys`], heads and entries in [`super::sequence`].

use protocol::api::{Enrolment, ListUpload};
use protocol::cbor;
use protocol::identity::{DeviceList, Identity, Predecessor, Signed, VerifiedAccount, VerifiedDevice};
use protocol::prekey::{BatchRoot, BatchUpload};
use protocol::sign::VerifyingKey;
use protocol::{Address, Code, DeviceId, Digest, Timestamp, limits};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::activation::{self, Worth};
use super::sequence::Place;
use super::{Effects, StorageError, ended, prekeys, refuse, removals, sequence};

/// An enrolment of which all signatures were verified.
pub(crate) struct VerifiedEnrolment {
    /// As it came.
    pub(crate) enrolment: Enrolment,
    /// SHA-256 over the request.
    pub(crate) digest: Digest,
    /// The account it states.
    pub(crate) account: VerifiedAccount,
    /// The device that asks.
    pub(crate) device: VerifiedDevice,
    /// The root of its batch.
    pub(crate) root: BatchRoot,
    /// The identities that lead to it, newest first.
    pub(crate) line: Vec<VerifiedAccount>,
}

/// How an enrolment ended that was not refused otherwise.
pub(crate) enum EnrolmentEnd {
    /// It is stored, now or by the same request before. The tokens of the devices that are no more are to end.
    Enrolled {
        /// Those that an identity before it had.
        removed: Vec<DeviceId>,
    },
    /// The code is worth nothing: this counts as a try.
    WrongCode,
}

/// Whether this very request was granted before, whatever became of its code since.
pub(crate) fn is_repeated(connection: &Connection, address: &Address, digest: &Digest) -> Result<bool, StorageError> {
    let exists = connection
        .prepare_cached("SELECT 1 FROM account WHERE address = ?1 AND enrolment = ?2")?
        .exists(params![address.as_str(), digest.as_bytes()])?;
    Ok(exists)
}

/// Stores identity, device list, device and first batch, and uses up the activation code. A code that reissues puts them in
/// the place of the identity that is there.
pub(crate) fn enrol(
    connection: &Connection,
    effects: &mut Effects,
    verified: &VerifiedEnrolment,
    now: Timestamp,
) -> Result<EnrolmentEnd, StorageError> {
    let (enrolment, address) = (&verified.enrolment, verified.account.address());
    if is_repeated(connection, address, &verified.digest)? {
        return Ok(EnrolmentEnd::Enrolled { removed: Vec::new() });
    }
    let worth = activation::weigh(connection, address, &enrolment.code, now)?;
    if matches!(worth, Worth::Nothing) {
        return Ok(EnrolmentEnd::WrongCode);
    }
    if let Some(account) = find(connection, address)? {
        let is_same = account.identity == enrolment.identity && account.list == enrolment.list;
        let removed = match worth {
            // The same phone again, with the code typed anew, or a new one: it is good once, too.
            _ if is_same => Vec::new(),
            Worth::Good { reissues: true } => {
                ended::keep(connection, &account)?;
                // None of them leads to the new identity: nobody follows it without asking.
                connection
                    .prepare_cached("DELETE FROM predecessor WHERE account = ?1")?
                    .execute([account.id])?;
                replace(connection, effects, account.id, verified, now)?
            }
            _ => return refuse(Code::AlreadyEnrolled, ""),
        };
        activation::mark_used(connection, address)?;
        return Ok(EnrolmentEnd::Enrolled { removed });
    }
    if matches!(worth, Worth::Used) {
        return refuse(Code::ActivationRefused, "the code was used");
    }
    let account = connection
        .prepare_cached(
            "INSERT INTO account (address, identity, list, enrolment, enrolled_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![
            address.as_str(),
            cbor::encode(&enrolment.identity),
            cbor::encode(&enrolment.list),
            verified.digest.as_bytes(),
            now.as_millis(),
        ])?;
    add_devices(connection, effects, account, verified, now)?;
    activation::mark_used(connection, address)?;
    Ok(EnrolmentEnd::Enrolled { removed: Vec::new() })
}

/// Takes a newer list of the present identity, which a device that the relay does not know shows: the relay was put back to before
/// that was added. It is as good as one that a known device shows. Gives back the devices that are no more, or none where it is
/// something else that is asked for.
pub(crate) fn show_newer(
    connection: &Connection,
    effects: &mut Effects,
    verified: &VerifiedEnrolment,
    now: Timestamp,
) -> Result<Option<Vec<DeviceId>>, StorageError> {
    let (enrolment, address) = (&verified.enrolment, verified.account.address());
    let Some(present) = find(connection, address)?.filter(|present| present.identity == enrolment.identity) else {
        return Ok(None);
    };
    let known = VerifiedAccount::verify(&present.identity, &present.list)?;
    if verified.account.list_version() <= known.list_version() || known.device(&verified.device.id).is_some() {
        return Ok(None);
    }
    let upload = ListUpload {
        list: enrolment.list.clone(),
        batch: None,
    };
    take_from_others(connection, effects, &verified.device.id)?;
    let removed = publish_list(connection, effects, address, &upload, now)?;
    if let Some(asks) = find_device(connection, &verified.device.id)? {
        prekeys::replace(connection, asks.id, &enrolment.batch, &verified.root)?;
    }
    Ok(Some(removed))
}

/// Lets an identity follow the present one, whose recovery key says so, or that of one which follows it: its devices take the place
/// of all the others.
///
/// What waits for them is put in the sequence of the device that asks. Gives back the devices that are no more: their tokens are to
/// end.
pub(crate) fn succeed(
    connection: &Connection,
    effects: &mut Effects,
    verified: &VerifiedEnrolment,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StorageError> {
    let enrolment = &verified.enrolment;
    let Some(present) = find(connection, verified.account.address())? else {
        return refuse(Code::NotFound, "nobody is enrolled under this address");
    };
    if present.identity == enrolment.identity {
        return Ok(Vec::new());
    }
    let line = &verified.line;
    let since = line
        .iter()
        .position(|before| before.fingerprint() == present.identity.digest());
    let Some(since) = since.and_then(|at| line.get(..=at)) else {
        return refuse(
            Code::SignatureRefused,
            "no word of recovery keys leads to it from the present identity",
        );
    };
    let present_version = VerifiedAccount::verify(&present.identity, &present.list)?.list_version();
    for before in since.iter().rev() {
        let mut steps = enrolment.predecessors.iter();
        let Some(step) = steps.find(|step| step.identity.digest() == before.fingerprint()) else {
            continue;
        };
        let mut step = step.clone();
        // Its last list may be one that the phone, or a relay that was put back, has not seen.
        if step.identity == present.identity && present_version > before.list_version() {
            step.list = present.list.clone();
        }
        connection
            .prepare_cached(
                "INSERT INTO predecessor (account, place, predecessor)
                 SELECT ?1, coalesce(max(place), -1) + 1, ?2 FROM predecessor WHERE account = ?1",
            )?
            .execute(params![present.id, cbor::encode(&step)])?;
    }
    replace(connection, effects, present.id, verified, now)
}

/// Puts another identity in the place of an account's, and its devices in the place of all that were there.
///
/// What waits for those is put in the sequence of the one that asks. Gives back the devices that are no more: their tokens are to end.
fn replace(
    connection: &Connection,
    effects: &mut Effects,
    account: i64,
    verified: &VerifiedEnrolment,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StorageError> {
    connection
        .prepare_cached("UPDATE account SET identity = ?2, list = ?3, enrolment = ?4, enrolled_at = ?5 WHERE id = ?1")?
        .execute(params![
            account,
            cbor::encode(&verified.enrolment.identity),
            cbor::encode(&verified.enrolment.list),
            verified.digest.as_bytes(),
            now.as_millis()
        ])?;
    let before = all_devices(connection, account)?;
    let device = add_devices(connection, effects, account, verified, now)?;
    let rows: Vec<i64> = before.iter().map(|(row, _)| *row).collect();
    sequence::move_all(connection, effects, &rows, (device, verified.device.id))?;
    let mut removed = Vec::with_capacity(before.len());
    for (row, id) in before {
        remove_device(connection, row)?;
        // Whoever listens for it is told that it is no more.
        effects.wake.insert(id);
        removed.push(id);
    }
    Ok(removed)
}

/// Takes the next device list of an account: adds the devices that are new on it, and removes those that are not on it.
///
/// The same list again changes nothing. Gives back the devices that are no more: their tokens are to end.
pub(crate) fn publish_list(
    connection: &Connection,
    effects: &mut Effects,
    address: &Address,
    upload: &ListUpload,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StorageError> {
    let Some(present) = find(connection, address)? else {
        return refuse(Code::DeviceUnknown, "");
    };
    if present.list == upload.list {
        return Ok(Vec::new());
    }
    let before = VerifiedAccount::verify(&present.identity, &present.list)?;
    let Ok(listed) = VerifiedAccount::verify(&present.identity, &upload.list) else {
        return refuse(Code::SignatureRefused, "not a list of the account's identity");
    };
    let added: Vec<_> = listed
        .devices()
        .iter()
        .filter(|device| before.device(&device.id).is_none())
        .collect();
    let follows = match &upload.batch {
        Some(_) => listed.list_version() == before.list_version().saturating_add(1),
        None => listed.list_version() > before.list_version(),
    };
    if !follows {
        return refuse(Code::ListOutdated, "not a list that follows the present one");
    }
    match (&upload.batch, added.as_slice()) {
        (Some(batch), [new]) => {
            let Ok(root) = batch.verify(&listed, &new.id) else {
                return refuse(Code::SignatureRefused, "prekeys that are not the new device's");
            };
            prekeys::check(batch, &root, now)?;
            add_with_prekeys(connection, effects, present.id, new, (batch, &root), now)?;
        }
        (Some(_), _) => return refuse(Code::SignatureRefused, "prekeys, and not one new device"),
        // A list that is shown again to a relay which was put back to an earlier copy: its devices bring their prekeys.
        (None, known) => {
            for device in known {
                add_device(connection, present.id, device, now)?;
            }
        }
    }
    let mut removed = Vec::new();
    let present_devices = all_devices(connection, present.id)?;
    let main = listed
        .devices()
        .first()
        .and_then(|main| present_devices.iter().copied().find(|(_, id)| *id == main.id));
    for (row, id) in present_devices {
        if listed.device(&id).is_some() {
            continue;
        }
        // The account's other devices have what waits for it, but for what came while they were away.
        if let Some(main) = main {
            let place = sequence::Place {
                device: row,
                account: present.id,
            };
            sequence::rescue(connection, effects, place, main)?;
        }
        sequence::drop_all(connection, effects, row)?;
        removals::keep(connection, &present, &upload.list, &id)?;
        remove_device(connection, row)?;
        effects.wake.insert(id);
        removed.push(id);
    }
    connection
        .prepare_cached("UPDATE account SET list = ?2 WHERE id = ?1")?
        .execute(params![present.id, cbor::encode(&upload.list)])?;
    Ok(removed)
}

/// The identities that an account had before, oldest first: of many, those that ended last.
pub(crate) fn predecessors(connection: &Connection, account: i64) -> Result<Vec<Predecessor>, StorageError> {
    let most = i64::try_from(limits::PREDECESSORS).unwrap_or(i64::MAX);
    let rows: Vec<Vec<u8>> = connection
        .prepare_cached("SELECT predecessor FROM predecessor WHERE account = ?1 ORDER BY place DESC LIMIT ?2")?
        .query_map([account, most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(rows
        .iter()
        .rev()
        .map(|row| cbor::decode(row))
        .collect::<Result<_, _>>()?)
}

/// Adds the devices of an enrolment, and the prekeys of the one that asks; the others bring theirs. Gives back that one's row.
fn add_devices(
    connection: &Connection,
    effects: &mut Effects,
    account: i64,
    verified: &VerifiedEnrolment,
    now: Timestamp,
) -> Result<i64, StorageError> {
    let batch = (&verified.enrolment.batch, &verified.root);
    let asks = add_with_prekeys(connection, effects, account, &verified.device, batch, now)?;
    let devices = verified.account.devices().iter();
    for other in devices.filter(|device| device.id != verified.device.id) {
        add_device(connection, account, other, now)?;
    }
    Ok(asks)
}

/// Adds a device that has signed these prekeys. Gives back its row.
fn add_with_prekeys(
    connection: &Connection,
    effects: &mut Effects,
    account: i64,
    added: &VerifiedDevice,
    (batch, root): (&BatchUpload, &BatchRoot),
    now: Timestamp,
) -> Result<i64, StorageError> {
    take_from_others(connection, effects, &added.id)?;
    let device = add_device(connection, account, added, now)?;
    prekeys::replace(connection, device, batch, root)?;
    Ok(device)
}

/// Adds a device. Its row was never another device's: tokens name it.
fn add_device(
    connection: &Connection,
    account: i64,
    added: &VerifiedDevice,
    now: Timestamp,
) -> Result<i64, StorageError> {
    let known = connection
        .prepare_cached("SELECT 1 FROM device WHERE device = ?1")?
        .exists([added.id.as_bytes()])?;
    if known {
        return refuse(Code::SignatureRefused, "the device belongs to another account");
    }
    let device = connection
        .prepare_cached("INSERT INTO device (account, device, key, seen_at) VALUES (?1, ?2, ?3, ?4)")?
        .insert(params![
            account,
            added.id.as_bytes(),
            added.key.as_bytes(),
            now.as_millis()
        ])?;
    Ok(device)
}

/// A device that signed prekeys is the account's which shows them. Another account may have named its key on a list: whoever made
/// that list need not have the key.
fn take_from_others(connection: &Connection, effects: &mut Effects, id: &DeviceId) -> Result<(), StorageError> {
    let named: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM device WHERE device = ?1 AND NOT EXISTS (SELECT 1 FROM prekey_batch WHERE device = device.id)",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(row) = named {
        sequence::drop_all(connection, effects, row)?;
        remove_device(connection, row)?;
    }
    Ok(())
}

/// Forgets a device whose sequence is empty.
fn remove_device(connection: &Connection, device: i64) -> Result<(), StorageError> {
    for sql in [
        "DELETE FROM prekey WHERE device = ?1",
        "DELETE FROM prekey_batch WHERE device = ?1",
        "DELETE FROM device WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([device])?;
    }
    Ok(())
}

/// An account and what it published.
pub(crate) struct StoredAccount {
    /// Its row.
    pub(crate) id: i64,
    /// Its identity.
    pub(crate) identity: Signed<Identity>,
    /// Its newest device list.
    pub(crate) list: Signed<DeviceList>,
}

/// The account with this address, if it is enrolled.
pub(crate) fn find(connection: &Connection, address: &Address) -> Result<Option<StoredAccount>, StorageError> {
    let row = connection
        .prepare_cached("SELECT id, identity, list FROM account WHERE address = ?1")?
        .query_row([address.as_str()], |row| {
            let identity: Vec<u8> = row.get(1)?;
            let list: Vec<u8> = row.get(2)?;
            Ok((row.get(0)?, identity, list))
        })
        .optional()?;
    row.map(|(id, identity, list)| {
        Ok(StoredAccount {
            id,
            identity: cbor::decode(&identity)?,
            list: cbor::decode(&list)?,
        })
    })
    .transpose()
}

/// The row of the account with this address, if it is enrolled.
pub(crate) fn find_id(connection: &Connection, address: &Address) -> Result<Option<i64>, StorageError> {
    let id = connection
        .prepare_cached("SELECT id FROM account WHERE address = ?1")?
        .query_row([address.as_str()], |row| row.get(0))
        .optional()?;
    Ok(id)
}

/// Checks that a device is still one of its account, and not suspended: its token may outlive that, and so may a request on
/// its way.
pub(crate) fn check_present(connection: &Connection, place: Place) -> Result<(), StorageError> {
    let is_suspended: Option<bool> = connection
        .prepare_cached("SELECT suspended_at <> 0 FROM device WHERE id = ?1 AND account = ?2")?
        .query_row([place.device, place.account], |row| row.get(0))
        .optional()?;
    match is_suspended {
        Some(false) => Ok(()),
        Some(true) => refuse(Code::DeviceSuspended, ""),
        None => refuse(Code::DeviceUnknown, "it was removed from its account"),
    }
}

/// A device and whose it is.
#[derive(Clone)]
pub(crate) struct StoredDevice {
    /// Its row.
    pub(crate) id: i64,
    /// Its account's row.
    pub(crate) account: i64,
    /// Its account's address.
    pub(crate) address: Address,
    /// The key with which it signs.
    pub(crate) key: VerifyingKey,
    /// When it last proved itself, to the day.
    pub(crate) seen_at: Timestamp,
    is_suspended: bool,
}

impl StoredDevice {
    /// The device, unless it is suspended.
    pub(crate) fn present(self) -> Result<Self, StorageError> {
        if self.is_suspended {
            return refuse(Code::DeviceSuspended, "");
        }
        Ok(self)
    }
}

/// The device with this id.
pub(crate) fn find_device(connection: &Connection, device: &DeviceId) -> Result<Option<StoredDevice>, StorageError> {
    let row = connection
        .prepare_cached(
            "SELECT device.id, account.id, account.address, device.key, device.suspended_at <> 0, device.seen_at
             FROM device JOIN account ON account.id = device.account WHERE device.device = ?1",
        )?
        .query_row([device.as_bytes()], |row| {
            let address: String = row.get(2)?;
            let key: Vec<u8> = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, address, key, row.get(4)?, row.get(5)?))
        })
        .optional()?;
    row.map(|(id, account, address, key, is_suspended, seen_at)| {
        let key = VerifyingKey::try_from(key.as_slice()).map_err(|_| StorageError::Damaged("a device's key"))?;
        Ok(StoredDevice {
            id,
            account,
            address: address
                .parse()
                .map_err(|_| StorageError::Damaged("an account's address"))?,
            key,
            seen_at: Timestamp::from_millis(seen_at),
            is_suspended,
        })
    })
    .transpose()
}

/// The devices of an account that are not suspended: row, id, and whether a prekey can be handed out for it.
pub(crate) fn devices(
    connection: &Connection,
    account: i64,
    now: Timestamp,
) -> Result<Vec<(i64, DeviceId, bool)>, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT device.id, device.device, coalesce(prekey_batch.not_after >= ?2, 0)
         FROM device LEFT JOIN prekey_batch ON prekey_batch.device = device.id
         WHERE device.account = ?1 AND device.suspended_at = 0 ORDER BY device.id",
    )?;
    let mut rows = statement.query(params![account, now.as_millis()])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push((row.get(0)?, DeviceId::from_bytes(row.get(1)?), row.get(2)?));
    }
    Ok(devices)
}

/// All devices of an account, the suspended ones, too: row and id.
fn all_devices(connection: &Connection, account: i64) -> Result<Vec<(i64, DeviceId)>, StorageError> {
    let devices = connection
        .prepare_cached("SELECT id, device FROM device WHERE account = ?1 ORDER BY id")?
        .query_map([account], |row| Ok((row.get(0)?, DeviceId::from_bytes(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    Ok(devices)
}
