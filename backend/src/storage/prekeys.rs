//! Batches of prekeys: each one-time prekey is handed out once, inside the writer's transaction.

use protocol::identity::Signed;
use protocol::ids::Digest;
use protocol::prekey::{BatchRoot, BatchUpload, HandedLeaf, HandedPrekey, PrekeyId};
use protocol::seal::PrekeyPublic;
use protocol::{Code, DeviceId, Timestamp, api, cbor, envelope, limits, merkle};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{StorageError, number, refuse, stored};

/// Stores a verified batch in place of the device's batch before it; its number must be higher.
pub(crate) fn replace(
    connection: &Connection,
    device: i64,
    upload: &BatchUpload,
    root: &BatchRoot,
) -> Result<(), StorageError> {
    let newest: Option<i64> = connection
        .prepare_cached("SELECT number FROM prekey_batch WHERE device = ?1")?
        .query_row([device], |row| row.get(0))
        .optional()?;
    let new = stored(root.number)?;
    if newest.is_some_and(|newest| newest >= new) {
        return repeated(connection, device, upload);
    }
    // The relay may have been put back to an earlier day, or to one before it knew the device.
    let furthest = newest.map_or(limits::FIRST_BATCH, |newest| {
        number(newest).saturating_add(limits::BATCH_JUMP)
    });
    if root.number > furthest {
        return refuse(Code::Malformed, "the number is too far beyond the last batch's");
    }
    let hashes: Vec<u8> = upload
        .leaves
        .iter()
        .flat_map(|key| *merkle::leaf(key.as_bytes()).as_bytes())
        .collect();
    connection
        .prepare_cached("DELETE FROM prekey WHERE device = ?1")?
        .execute([device])?;
    connection
        .prepare_cached(
            "INSERT INTO prekey_batch (device, number, root, leaf_hashes, not_after) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (device) DO UPDATE SET number = excluded.number, root = excluded.root,
                 leaf_hashes = excluded.leaf_hashes, not_after = excluded.not_after",
        )?
        .execute(params![
            device,
            new,
            cbor::encode(&upload.root),
            hashes,
            root.not_after.as_millis()
        ])?;
    let mut insert = connection.prepare_cached("INSERT INTO prekey (device, leaf, key) VALUES (?1, ?2, ?3)")?;
    for (leaf, key) in (0_i64..).zip(&upload.leaves) {
        insert.execute(params![device, leaf, key.as_bytes()])?;
    }
    Ok(())
}

/// What the relay still has of a device.
pub(crate) fn stock(connection: &Connection, device: i64) -> Result<api::PrekeyStock, StorageError> {
    let left = connection
        .prepare_cached("SELECT count(*) FROM prekey WHERE device = ?1")?
        .query_row([device], |row| row.get(0))?;
    let batch: Option<(i64, i64)> = connection
        .prepare_cached("SELECT number, not_after FROM prekey_batch WHERE device = ?1")?
        .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(api::PrekeyStock {
        left,
        newest_batch: batch.map_or(0, |(newest, _)| number(newest)),
        not_after: batch.map(|(_, not_after)| Timestamp::from_millis(not_after)),
    })
}

/// Takes a prekey of a device out of the relay, or the last-resort one when none is left or wanted.
///
/// `None` when the device's batch is past its date.
pub(crate) fn hand_out(
    connection: &Connection,
    (device, id): (i64, DeviceId),
    one_time: bool,
    now: Timestamp,
) -> Result<Option<HandedPrekey>, StorageError> {
    let batch: Option<(Vec<u8>, Vec<u8>)> = connection
        .prepare_cached("SELECT root, leaf_hashes FROM prekey_batch WHERE device = ?1 AND not_after >= ?2")?
        .query_row(params![device, now.as_millis()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((root, leaf_hashes)) = batch else {
        return Ok(None);
    };
    let root: Signed<BatchRoot> = cbor::decode(&root)?;
    let leaf = if one_time {
        take_leaf(connection, device, &leaf_hashes)?
    } else {
        None
    };
    Ok(Some(HandedPrekey { device: id, root, leaf }))
}

fn take_leaf(connection: &Connection, device: i64, leaf_hashes: &[u8]) -> Result<Option<HandedLeaf>, StorageError> {
    let taken: Option<(u32, Vec<u8>)> = connection
        .prepare_cached(
            "DELETE FROM prekey WHERE device = ?1 AND leaf = (SELECT min(leaf) FROM prekey WHERE device = ?1)
             RETURNING leaf, key",
        )?
        .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((index, key)) = taken else {
        return Ok(None);
    };
    let leaves: Vec<Digest> = leaf_hashes
        .chunks_exact(Digest::LEN)
        .map(Digest::try_from)
        .collect::<Result<_, _>>()
        .map_err(|_| StorageError::Damaged("the hashes of a batch"))?;
    let place = usize::try_from(index).map_err(|_| StorageError::Damaged("the place of a prekey"))?;
    let key = PrekeyPublic::try_from(key.as_slice()).map_err(|_| StorageError::Damaged("a prekey"))?;
    let path = merkle::path(&leaves, place).ok_or(StorageError::Damaged("the place of a prekey"))?;
    Ok(Some(HandedLeaf { index, key, path }))
}

/// The same batch again is granted (its reply was lost), an older one refused.
fn repeated(connection: &Connection, device: i64, upload: &BatchUpload) -> Result<(), StorageError> {
    let same = connection
        .prepare_cached("SELECT 1 FROM prekey_batch WHERE device = ?1 AND root = ?2")?
        .exists(params![device, cbor::encode(&upload.root)])?;
    if same {
        Ok(())
    } else {
        refuse(Code::PrekeysOutdated, "the number must be higher than the last batch's")
    }
}

/// Whether a device can have a prekey of this name: one of the batches it put here, and a place that the batch has.
pub(crate) fn can_be(connection: &Connection, device: i64, prekey: PrekeyId) -> Result<bool, StorageError> {
    let newest: Option<(i64, usize)> = connection
        .prepare_cached("SELECT number, length(leaf_hashes) FROM prekey_batch WHERE device = ?1")?
        .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((newest, hashes)) = newest else {
        return Ok(false);
    };
    // Of a batch before the newest the relay knows no more than what all have in common.
    let places = if prekey.batch == number(newest) {
        hashes.checked_div(Digest::LEN).unwrap_or(0)
    } else {
        limits::PREKEYS
    };
    let is_place = prekey
        .leaf
        .is_none_or(|leaf| usize::try_from(leaf).is_ok_and(|leaf| leaf < places));
    Ok((1..=number(newest)).contains(&prekey.batch) && is_place)
}

/// Checks what a verified batch holds: keys that can be sealed to, a version that senders have, and its date.
///
/// A phone may open versions that this relay does not know, but one that opens none of today's could be sent nothing.
pub(crate) fn check(upload: &BatchUpload, root: &BatchRoot, now: Timestamp) -> Result<(), StorageError> {
    check_date(root, now)?;
    if !root.opens.contains(&envelope::VERSION) {
        return refuse(Code::Malformed, "the batch opens no version that senders have");
    }
    let mut keys = std::iter::once(&root.last_resort).chain(&upload.leaves);
    if keys.any(|key| key.check().is_err()) {
        return refuse(Code::Malformed, "a prekey that is no key");
    }
    Ok(())
}

/// Checks a verified root against the clock: it may not be past, nor further ahead than batches live.
fn check_date(root: &BatchRoot, now: Timestamp) -> Result<(), StorageError> {
    // A day of grace: phones' clocks differ.
    let latest = now.plus_days(limits::BATCH_DAYS.saturating_add(1));
    if root.not_after < now {
        return refuse(Code::PrekeysOutdated, "the batch is past its date");
    }
    if root.not_after > latest {
        return refuse(Code::Malformed, "the batch's date is too far ahead");
    }
    Ok(())
}
