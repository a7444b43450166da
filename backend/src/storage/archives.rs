//! Archives that accounts keep here: sealed parts, in order and without gaps, each a file of the blob folder.

use protocol::api::{ArchiveSize, Archives};
use protocol::{ArchiveId, Code, Digest, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::sequence::Place;
use super::{Effects, StorageError, accounts, number, refuse, stored};
use crate::blobs::PendingBlob;

/// Most bytes of an archive: some thousands of letters with attachments, or a life of letters without.
const ARCHIVE_BYTES: i64 = 2 * 1024 * 1024 * 1024;

/// Most bytes of all archives of an account: a backup is written anew while the one before it is still there.
const ACCOUNT_BYTES: i64 = 2 * ARCHIVE_BYTES;

/// A small part counts as one of this size, in bytes: it is a file all the same.
const LEAST_BYTES: i64 = 64 * 1024;

/// A part that came in whole.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Its archive.
    pub(crate) archive: ArchiveId,
    /// Its number there.
    pub(crate) number: u64,
    /// SHA-256 of its bytes.
    pub(crate) digest: Digest,
    /// Their number.
    pub(crate) size_bytes: i64,
}

/// Keeps a part; the same one again changes nothing.
pub(crate) fn put(
    connection: &Connection,
    effects: &mut Effects,
    place: Place,
    (part, file): (&Part, PendingBlob),
    now: Timestamp,
) -> Result<(), StorageError> {
    match accounts::check_present(connection, place).and_then(|()| weigh(connection, place.account, part)) {
        Ok(true) => {
            connection
                .prepare_cached(
                    "INSERT INTO archive_part (account, archive, number, digest, blob, size_bytes, written_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    place.account,
                    part.archive.as_bytes(),
                    stored(part.number)?,
                    part.digest.as_bytes(),
                    file.name(),
                    part.size_bytes,
                    now.as_millis()
                ])?;
            effects.adopted = Some(file);
            Ok(())
        }
        Ok(false) => {
            file.discard();
            Ok(())
        }
        Err(error) => {
            file.discard();
            Err(error)
        }
    }
}

/// Whether the part is to be kept: not when it is there already.
///
/// Refused when another has its number, when it does not come next, or when the account has no room.
pub(crate) fn weigh(connection: &Connection, account: i64, part: &Part) -> Result<bool, StorageError> {
    let present: Option<[u8; Digest::LEN]> = connection
        .prepare_cached("SELECT digest FROM archive_part WHERE account = ?1 AND archive = ?2 AND number = ?3")?
        .query_row(params![account, part.archive.as_bytes(), stored(part.number)?], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(digest) = present {
        return if digest == *part.digest.as_bytes() {
            Ok(false)
        } else {
            refuse(Code::ArchiveMismatch, "another part has this number")
        };
    }
    let next: i64 = connection
        .prepare_cached("SELECT count(*) FROM archive_part WHERE account = ?1 AND archive = ?2")?
        .query_row(params![account, part.archive.as_bytes()], |row| row.get(0))?;
    if next != stored(part.number)? {
        return refuse(Code::ArchiveMismatch, "the part before it is not here");
    }
    let (archive, all): (i64, i64) = connection
        .prepare_cached(
            "SELECT coalesce(sum(max(size_bytes, ?2)) FILTER (WHERE archive = ?3), 0), coalesce(sum(max(size_bytes, ?2)), 0)
             FROM archive_part WHERE account = ?1",
        )?
        .query_row(params![account, LEAST_BYTES, part.archive.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let size = part.size_bytes.max(LEAST_BYTES);
    if archive.saturating_add(size) > ARCHIVE_BYTES || all.saturating_add(size) > ACCOUNT_BYTES {
        return refuse(Code::TooLarge, "the archive, or those of the account together");
    }
    Ok(true)
}

/// The archives of an account, the one written last first.
pub(crate) fn list(connection: &Connection, account: i64) -> Result<Archives, StorageError> {
    let archives = connection
        .prepare_cached(
            "SELECT archive, count(*), sum(size_bytes), max(written_at) FROM archive_part WHERE account = ?1
             GROUP BY archive ORDER BY max(written_at) DESC, archive",
        )?
        .query_map([account], |row| {
            Ok(ArchiveSize {
                id: ArchiveId::from_bytes(row.get(0)?),
                parts: number(row.get(1)?),
                bytes: number(row.get(2)?),
                written_at: Timestamp::from_millis(row.get(3)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Archives { archives })
}

/// The file of a part.
pub(crate) fn find(
    connection: &Connection,
    account: i64,
    archive: ArchiveId,
    part: u64,
) -> Result<Option<String>, StorageError> {
    let blob = connection
        .prepare_cached("SELECT blob FROM archive_part WHERE account = ?1 AND archive = ?2 AND number = ?3")?
        .query_row(params![account, archive.as_bytes(), stored(part)?], |row| row.get(0))
        .optional()?;
    Ok(blob)
}

/// Drops an archive; one that is not there is dropped already.
pub(crate) fn remove(
    connection: &Connection,
    effects: &mut Effects,
    account: i64,
    archive: ArchiveId,
) -> Result<(), StorageError> {
    let blobs: Vec<String> = connection
        .prepare_cached("DELETE FROM archive_part WHERE account = ?1 AND archive = ?2 RETURNING blob")?
        .query_map(params![account, archive.as_bytes()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    effects.orphans.extend(blobs);
    Ok(())
}
