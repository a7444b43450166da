//! Each device's sequence: its head advances in the transaction that inserts an entry, so that numbers have no gaps
//! and hashes chain; entries go once they are acknowledged. Deposits are in [`super::deposits`].

use std::collections::BTreeSet;

use protocol::sequence::{Cursor, Entry, EntryBody, Notice, Step};
use protocol::{Address, Code, DeviceId, Digest, MessageId, Timestamp, cbor, limits};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Effects, StorageError, accounts, number, refuse, stored};
use crate::blobs::Blobs;

/// A device as the sequence functions need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The device's row.
    pub(crate) device: i64,
    /// Its account's row.
    pub(crate) account: i64,
}

/// Appends an entry to a device's sequence; `deposit` is 0 for a notice.
pub(super) fn append(
    connection: &Connection,
    effects: &mut Effects,
    (device, id): (i64, DeviceId),
    body: &EntryBody,
    deposit: i64,
) -> Result<(), StorageError> {
    append_encoded(connection, effects, (device, id), &cbor::encode(body), deposit)
}

fn append_encoded(
    connection: &Connection,
    effects: &mut Effects,
    (device, id): (i64, DeviceId),
    body: &[u8],
    deposit: i64,
) -> Result<(), StorageError> {
    let digest = Digest::of(&[body]);
    let head = connection
        .prepare_cached("SELECT head_number, head_hash FROM device WHERE id = ?1")?
        .query_row([device], |row| Ok(cursor(row.get(0)?, row.get(1)?)))?;
    let next = head.after(&digest);
    connection
        .prepare_cached("UPDATE device SET head_number = ?2, head_hash = ?3 WHERE id = ?1")?
        .execute(params![device, stored(next.number)?, next.hash.as_bytes()])?;
    connection
        .prepare_cached(
            "INSERT INTO sequence_entry (device, number, digest, hash, body, deposit) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            device,
            stored(next.number)?,
            digest.as_bytes(),
            next.hash.as_bytes(),
            body,
            deposit
        ])?;
    effects.wake.insert(id);
    Ok(())
}

/// Tells every device of the sending account what became of an envelope.
pub(super) fn notify(
    connection: &Connection,
    effects: &mut Effects,
    sender: i64,
    notice: &Notice,
) -> Result<(), StorageError> {
    notify_but(connection, effects, (sender, None), notice)
}

/// Tells the other devices of the sending account what the one that deposited an envelope is answered.
pub(super) fn notify_others(
    connection: &Connection,
    effects: &mut Effects,
    depositor: Place,
    notice: &Notice,
) -> Result<(), StorageError> {
    notify_but(connection, effects, (depositor.account, Some(depositor.device)), notice)
}

fn notify_but(
    connection: &Connection,
    effects: &mut Effects,
    (sender, but): (i64, Option<i64>),
    notice: &Notice,
) -> Result<(), StorageError> {
    let body = EntryBody::Notice(notice.clone());
    let devices = accounts::devices(connection, sender, notice.at)?.into_iter();
    for (device, id, _) in devices.filter(|(device, ..)| Some(*device) != but) {
        append(connection, effects, (device, id), &body, 0)?;
    }
    Ok(())
}

/// Puts all that waits for devices which are no more in the sequence of a new one, as it was: it can ask for it anew.
///
/// What waited for several of them is put there once. What was handed to one of them cannot be withdrawn afterwards either.
pub(super) fn move_all(
    connection: &Connection,
    effects: &mut Effects,
    from: &[i64],
    to: (i64, DeviceId),
) -> Result<(), StorageError> {
    let (mut handed, mut waiting) = (Vec::new(), Vec::new());
    for device in from {
        let mut statement = connection.prepare_cached(
            "SELECT body, deposit, number <= handed_number
             FROM sequence_entry JOIN device ON device.id = sequence_entry.device
             WHERE sequence_entry.device = ?1 AND body <> x'' ORDER BY number",
        )?;
        let mut rows = statement.query([device])?;
        while let Some(row) = rows.next()? {
            let entry: (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
            if row.get(2)? { &mut handed } else { &mut waiting }.push(entry);
        }
    }
    let (mut deposits, mut notices) = (BTreeSet::new(), BTreeSet::new());
    let mut is_new = |(body, deposit): &(Vec<u8>, i64)| match deposit {
        0 => notices.insert(Digest::of(&[body])),
        deposit => deposits.insert(*deposit),
    };
    handed.retain(&mut is_new);
    waiting.retain(&mut is_new);
    let (device, _) = to;
    let handed_number = i64::try_from(handed.len()).unwrap_or(i64::MAX);
    for (body, deposit) in handed.into_iter().chain(waiting) {
        append_encoded(connection, effects, to, &body, deposit)?;
    }
    connection
        .prepare_cached("UPDATE device SET handed_number = ?2 WHERE id = ?1")?
        .execute([device, handed_number])?;
    for device in from {
        connection
            .prepare_cached("DELETE FROM sequence_entry WHERE device = ?1")?
            .execute([device])?;
    }
    Ok(())
}

/// Hands what waits for one device of an account alone to another of its devices, which asks its sender for it anew.
pub(super) fn rescue(
    connection: &Connection,
    effects: &mut Effects,
    from: Place,
    to: (i64, DeviceId),
) -> Result<(), StorageError> {
    let alone: Vec<(Vec<u8>, i64)> = connection
        .prepare_cached(
            "SELECT body, deposit FROM sequence_entry entry
             WHERE device = ?1 AND deposit <> 0 AND body <> x''
             AND EXISTS (SELECT 1 FROM delivery JOIN account ON account.address = delivery.address
                         WHERE delivery.deposit = entry.deposit AND account.id = ?2 AND delivery.step = ?3)
             AND NOT EXISTS (SELECT 1 FROM sequence_entry other JOIN device ON device.id = other.device
                             WHERE other.deposit = entry.deposit AND other.device <> ?1 AND device.account = ?2)
             ORDER BY number",
        )?
        .query_map(params![from.device, from.account, Step::Available.number()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (body, deposit) in alone {
        append_encoded(connection, effects, to, &body, deposit)?;
    }
    Ok(())
}

/// Forgets what waits for a device that is no more.
pub(super) fn drop_all(connection: &Connection, effects: &mut Effects, device: i64) -> Result<(), StorageError> {
    let deposits: Vec<i64> = connection
        .prepare_cached("DELETE FROM sequence_entry WHERE device = ?1 RETURNING deposit")?
        .query_map([device], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for deposit in deposits {
        drop_payload(connection, effects, deposit)?;
    }
    Ok(())
}

/// Checks that a device and the relay agree at `cursor`; tells whether there is anything after it.
pub(crate) fn check(connection: &Connection, place: Place, cursor: Cursor) -> Result<bool, StorageError> {
    let heads = heads(connection, place)?;
    if cursor.number < heads.acknowledged.number {
        return refuse(Code::CursorMismatch, "the device is behind what it acknowledged");
    }
    if hash_at(connection, place, &heads, cursor.number)? != Some(cursor.hash) {
        return refuse(Code::CursorMismatch, "another hash at this number");
    }
    Ok(cursor.number < heads.head.number)
}

/// Marks what makes a page after `cursor` as handed to the device; the number of the last of it, if there is any.
///
/// From then on none of it can be withdrawn: what was put on the wire may have been taken.
pub(crate) fn hand_over(connection: &Connection, place: Place, cursor: Cursor) -> Result<Option<u64>, StorageError> {
    if !check(connection, place, cursor)? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT number, length(body) + coalesce(payload.size_bytes, 0)
         FROM sequence_entry LEFT JOIN payload ON payload.deposit = sequence_entry.deposit
         WHERE device = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let most = i64::try_from(limits::PAGE_ENTRIES).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![place.device, stored(cursor.number)?, most])?;
    let (mut last, mut size) = (None, 0_usize);
    while size < limits::PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        last = Some(row.get(0)?);
        size = size.saturating_add(usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX));
    }
    if let Some(last) = last {
        connection
            .prepare_cached("UPDATE device SET handed_number = ?2 WHERE id = ?1 AND handed_number < ?2")?
            .execute(params![place.device, last])?;
    }
    Ok(last.map(number))
}

/// Entries, and the deposits of those whose payload was lost.
pub(crate) struct Handed {
    /// The entries, the lost payloads left out.
    pub(crate) entries: Vec<Entry>,
    /// Rows of deposits.
    pub(crate) lost: Vec<i64>,
}

/// The entries after `cursor` up to the number `last`, which were handed over.
pub(crate) fn page(
    connection: &Connection,
    blobs: &Blobs,
    place: Place,
    cursor: Cursor,
    last: u64,
) -> Result<Handed, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, digest, body, sequence_entry.deposit, payload.bytes, payload.blob
         FROM sequence_entry LEFT JOIN payload ON payload.deposit = sequence_entry.deposit
         WHERE device = ?1 AND number > ?2 AND number <= ?3 ORDER BY number",
    )?;
    let mut rows = statement.query(params![place.device, stored(cursor.number)?, stored(last)?])?;
    let mut handed = Handed {
        entries: Vec::new(),
        lost: Vec::new(),
    };
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(2)?;
        let mut entry = Entry {
            number: number(row.get(0)?),
            digest: Digest::from_bytes(row.get(1)?),
            body: (!body.is_empty()).then(|| body.into()),
            payload: None,
        };
        let deposit: i64 = row.get(3)?;
        if deposit != 0 {
            let in_row: Option<Vec<u8>> = row.get(4)?;
            let blob: Option<String> = row.get(5)?;
            let payload = match blob.filter(|name| !name.is_empty()) {
                Some(name) => blobs.load(&name)?,
                None => in_row,
            };
            entry.payload = payload.map(Into::into);
            // One that is not there or not what came would hold up the queue: the device goes on without it.
            if entry.open().is_err() {
                entry.payload = None;
                handed.lost.push(deposit);
            }
        }
        handed.entries.push(entry);
    }
    Ok(handed)
}

/// Tells the senders of these deposits that their payload was lost before this recipient had it; once.
pub(crate) fn tell_lost(
    connection: &Connection,
    effects: &mut Effects,
    place: Place,
    deposits: &[i64],
    now: Timestamp,
) -> Result<(), StorageError> {
    for deposit in deposits {
        settle(connection, effects, place, (*deposit, Step::Lost), now)?;
    }
    Ok(())
}

/// Takes note that a device has all entries up to `cursor`, tells the senders, and deletes what nobody needs any longer.
pub(crate) fn acknowledge(
    connection: &Connection,
    effects: &mut Effects,
    place: Place,
    cursor: Cursor,
    now: Timestamp,
) -> Result<(), StorageError> {
    let heads = heads(connection, place)?;
    if cursor.number < heads.acknowledged.number {
        // An older acknowledgement that was overtaken: the newer one covers it.
        return Ok(());
    }
    if hash_at(connection, place, &heads, cursor.number)? != Some(cursor.hash) {
        return refuse(Code::CursorMismatch, "another hash at this number");
    }
    if cursor.number == heads.acknowledged.number {
        return Ok(());
    }
    let upto = stored(cursor.number)?;
    let deposits: Vec<i64> = connection
        .prepare_cached(
            "SELECT deposit FROM sequence_entry WHERE device = ?1 AND number <= ?2 AND deposit <> 0 ORDER BY number",
        )?
        .query_map(params![place.device, upto], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    connection
        .prepare_cached("UPDATE device SET acknowledged_number = ?2, acknowledged_hash = ?3 WHERE id = ?1")?
        .execute(params![place.device, upto, cursor.hash.as_bytes()])?;
    connection
        .prepare_cached("DELETE FROM sequence_entry WHERE device = ?1 AND number <= ?2")?
        .execute(params![place.device, upto])?;
    for deposit in deposits {
        // The first device of a recipient that acknowledges has retrieved the envelope for its account.
        settle(connection, effects, place, (deposit, Step::Retrieved), now)?;
        drop_payload(connection, effects, deposit)?;
    }
    Ok(())
}

/// Deletes a payload that no entry needs any longer.
pub(super) fn drop_payload(connection: &Connection, effects: &mut Effects, deposit: i64) -> Result<(), StorageError> {
    let blob: Option<String> = connection
        .prepare_cached(
            "DELETE FROM payload WHERE deposit = ?1
             AND NOT EXISTS (SELECT 1 FROM sequence_entry WHERE deposit = ?1 AND deposit <> 0) RETURNING blob",
        )?
        .query_row([deposit], |row| row.get(0))
        .optional()?;
    effects.orphans.extend(blob.filter(|name| !name.is_empty()));
    Ok(())
}

/// Whether a payload in the blob folder is still named by a row.
pub(crate) fn is_blob_named(connection: &Connection, name: &str) -> Result<bool, StorageError> {
    let named = connection
        .prepare_cached(
            "SELECT 1 FROM payload WHERE blob = ?1 AND blob <> '' UNION ALL SELECT 1 FROM archive_part WHERE blob = ?1",
        )?
        .exists([name])?;
    Ok(named)
}

/// Ends the waiting of a deposit for a recipient with `step`, and tells its sender; nothing if it had ended.
fn settle(
    connection: &Connection,
    effects: &mut Effects,
    place: Place,
    (deposit, step): (i64, Step),
    now: Timestamp,
) -> Result<(), StorageError> {
    let address: Option<String> = connection
        .prepare_cached(
            "UPDATE delivery SET step = ?3, changed_at = ?4 WHERE deposit = ?1 AND step = ?5
             AND address = (SELECT address FROM account WHERE id = ?2) RETURNING address",
        )?
        .query_row(
            params![
                deposit,
                place.account,
                step.number(),
                now.as_millis(),
                Step::Available.number()
            ],
            |row| row.get(0),
        )
        .optional()?;
    let Some(address) = address else {
        return Ok(());
    };
    let recipient: Address = address
        .parse()
        .map_err(|_| StorageError::Damaged("a recipient's address"))?;
    let (sender, message, notices): (i64, [u8; MessageId::LEN], bool) = connection
        .prepare_cached("SELECT sender, message, notices FROM deposit WHERE id = ?1")?
        .query_row([deposit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if !notices {
        return Ok(());
    }
    let notice = Notice {
        id: MessageId::from_bytes(message),
        recipient,
        step,
        at: now,
    };
    notify(connection, effects, sender, &notice)
}

/// How far a device has acknowledged.
pub(crate) fn acknowledged(connection: &Connection, place: Place) -> Result<Cursor, StorageError> {
    Ok(heads(connection, place)?.acknowledged)
}

struct Heads {
    head: Cursor,
    acknowledged: Cursor,
}

fn heads(connection: &Connection, place: Place) -> Result<Heads, StorageError> {
    accounts::check_present(connection, place)?;
    let heads = connection
        .prepare_cached(
            "SELECT head_number, head_hash, acknowledged_number, acknowledged_hash FROM device WHERE id = ?1",
        )?
        .query_row([place.device], |row| {
            Ok(Heads {
                head: cursor(row.get(0)?, row.get(1)?),
                acknowledged: cursor(row.get(2)?, row.get(3)?),
            })
        })
        .optional()?;
    heads.ok_or(StorageError::Damaged("a device"))
}

/// The running hash at `number`, if the relay still knows it.
fn hash_at(connection: &Connection, place: Place, heads: &Heads, at: u64) -> Result<Option<Digest>, StorageError> {
    for known in [heads.acknowledged, heads.head] {
        if known.number == at {
            return Ok(Some(known.hash));
        }
    }
    if at > heads.head.number {
        return Ok(None);
    }
    let hash = connection
        .prepare_cached("SELECT hash FROM sequence_entry WHERE device = ?1 AND number = ?2")?
        .query_row(params![place.device, stored(at)?], |row| {
            Ok(Digest::from_bytes(row.get(0)?))
        })
        .optional()?;
    Ok(hash)
}

fn cursor(at: i64, hash: [u8; Digest::LEN]) -> Cursor {
    Cursor {
        number: number(at),
        hash: Digest::from_bytes(hash),
    }
}
