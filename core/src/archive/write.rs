//! The backup on its way to the relay: what changed is gathered and sealed in one transaction, and sent until the relay has it.

use protocol::archive::{
    ArchiveKey, ArchivedCorrespondent, ArchivedDelivery, ArchivedMessage, DeletedMessage, Part, Place, Record,
    UnopenedMessage,
};
use protocol::{Address, ArchiveId, Code, MessageId, Timestamp, archive, cbor, limits};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::account::Account;
use crate::crash::crash_point;
use crate::error::Error;
use crate::mail::list::Direction;
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::unopened;

/// After this long the backup is written anew, so that what was deleted drops out, in days.
const RENEW_DAYS: i64 = 30;
/// For how long a relay without room for the backup is asked no more, in days.
const FULL_DAYS: i64 = 1;
/// Most records of one part.
pub(super) const RECORDS: u32 = 500;

/// Where the backup stands.
struct Backup {
    key: ArchiveKey,
    archive: ArchiveId,
    next_part: u64,
    begun_at: Timestamp,
}

impl Session {
    /// Sends what the backup lacks, part by part. Nothing is done while an earlier phone's backup is still taken in.
    pub(crate) async fn write_backup(&self, account: &Account) -> Result<(), Error> {
        let now = self.relay.clock.now();
        if self.read(|connection| is_full(connection, now))? {
            return Ok(());
        }
        let written = match self.write_parts(account).await {
            Err(Error::Relay(Code::ArchiveMismatch)) => self.write_parts(account).await,
            written => written,
        };
        let full_at = match written {
            // That is for the person to know, and is no reason to stop what else the phone does.
            Err(Error::Relay(Code::TooLarge)) => now,
            written => return written,
        };
        tracing::warn!("the relay has no room for the backup");
        self.write(|tx| {
            tx.execute("UPDATE backup SET full_at = ?1", [Column(&full_at)])?;
            Ok(())
        })
    }

    async fn write_parts(&self, account: &Account) -> Result<(), Error> {
        let now = self.relay.clock.now();
        let mut has_written = self.send_parts(account, Whose::Backup).await?;
        while self.write(|tx| seal_next(tx, now))? {
            crash_point!("backup-sealed");
            has_written |= self.send_parts(account, Whose::Backup).await?;
        }
        if has_written {
            self.drop_others(account).await?;
            self.write(|tx| {
                tx.execute("UPDATE backup SET written_at = ?1, full_at = 0", [Column(&now)])?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Sends the parts that are sealed; whether there were any. When the relay has others in their place, their archive is begun
    /// anew, and the next attempt sends that.
    pub(super) async fn send_parts(&self, account: &Account, whose: Whose) -> Result<bool, Error> {
        let mut any = false;
        while let Some((archive, number, sealed)) = self.read(|connection| next_sealed(connection, whose))? {
            let sent = self.relay.put_part(account, archive, number, sealed).await;
            if let Err(Error::Relay(Code::ArchiveMismatch)) = sent {
                tracing::warn!("the relay has other parts of an archive, which is begun anew");
                let now = self.relay.clock.now();
                self.write(|tx| give_up(tx, archive, now))?;
            }
            sent?;
            crash_point!("backup-sent");
            self.write(|tx| {
                tx.execute(
                    "DELETE FROM backup_part WHERE archive = ?1 AND number = ?2",
                    params![Column(&archive), number],
                )?;
                Ok(())
            })?;
            any = true;
        }
        Ok(any)
    }

    /// Archives that this one replaces, now that the relay has all of it.
    async fn drop_others(&self, account: &Account) -> Result<(), Error> {
        let Some(backup) = self.read(load)? else { return Ok(()) };
        let present = self.relay.archives(account).await?.archives;
        // Histories of new devices are for those to drop.
        let histories = self.write(|tx| super::history::still_there(tx, &present))?;
        for archive in present {
            if archive.id != backup.archive && !histories.contains(&archive.id) {
                self.relay.drop_archive(account, archive.id).await?;
            }
        }
        Ok(())
    }
}

/// Whose parts are sent: what one of them is refused holds up none of the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    Backup,
    NewDevices,
}

/// Whether the relay had no room for the backup a short while ago.
fn is_full(connection: &Connection, now: Timestamp) -> Result<bool, Error> {
    let is_full = connection
        .prepare_cached("SELECT 1 FROM backup WHERE full_at > ?1")?
        .exists([Column(&now.plus_days(-FULL_DAYS))])?;
    Ok(is_full)
}

/// Whether there is an archive to be taken in, or the backup lacks something that can be written now.
pub(crate) fn is_due(connection: &Connection, now: Timestamp) -> Result<bool, Error> {
    let is_full = is_full(connection, now)?;
    let is_due = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM restoration)
            OR (NOT ?1 AND EXISTS (SELECT 1 FROM backup WHERE next_part = 0
                OR EXISTS (SELECT 1 FROM backup_due) OR EXISTS (SELECT 1 FROM backup_part)))",
        [is_full],
        |row| row.get(0),
    )?;
    Ok(is_due)
}

/// Everything is to be written: messages, opened or not, and whose identity is pinned.
pub(super) fn all_is_due(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute_batch(
        "INSERT OR IGNORE INTO backup_due (address, id) SELECT sender, id FROM message
            UNION SELECT sender, id FROM unopened WHERE id <> x'';
         INSERT OR IGNORE INTO backup_due (address) SELECT address FROM correspondent;",
    )?;
    Ok(())
}

/// Gathers and seals one part; whether there was anything to gather. The first one may be empty: that there is an archive tells
/// the next phone that this account is backed up.
fn seal_next(tx: &Transaction<'_>, now: Timestamp) -> Result<bool, Error> {
    let Some(mut backup) = load(tx)? else { return Ok(false) };
    if backup.begun_at.plus_days(RENEW_DAYS) < now {
        backup = begin_anew(tx, backup, now)?;
    }
    let due = due(tx)?;
    if due.is_empty() && backup.next_part > 0 {
        return Ok(false);
    }
    let (mut records, taken) = gather(tx, &due)?;
    if backup.next_part == 0 {
        records.splice(0..0, former(tx)?);
    }
    for (address, id) in due.iter().take(taken) {
        tx.execute(
            "DELETE FROM backup_due WHERE address = ?1 AND id = ?2",
            params![Column(address), Column(id)],
        )?;
    }
    seal(tx, &backup.key, backup.archive, backup.next_part, records)?;
    tx.execute("UPDATE backup SET next_part = next_part + 1", [])?;
    Ok(true)
}

/// The records of what is due, up to the size of a part; for how many of them that is.
pub(super) fn gather(
    tx: &Transaction<'_>,
    due: &[(Address, Option<MessageId>)],
) -> Result<(Vec<Record>, usize), Error> {
    let (mut records, mut taken, mut gathered) = (Vec::new(), 0_usize, 0_usize);
    for (address, id) in due {
        taken = taken.saturating_add(1);
        let record = match id {
            Some(id) => message(tx, address, *id)?,
            None => correspondent(tx, address)?,
        };
        if let Some(record) = record {
            gathered = gathered.saturating_add(record.encoded_len());
            records.push(record);
        }
        if gathered >= limits::ARCHIVE_GATHER_BYTES {
            break;
        }
    }
    Ok((records, taken))
}

/// The identities that this account had before, if it had any: the first part of each archive says so.
pub(super) fn former(tx: &Transaction<'_>) -> Result<Option<Record>, Error> {
    let mut select = tx.prepare_cached("SELECT fingerprint FROM former_identity ORDER BY place")?;
    let former: Vec<_> = select
        .query_map([], |row| row.get(0).map(|Column(fingerprint)| fingerprint))?
        .collect::<Result<_, _>>()?;
    Ok((!former.is_empty()).then_some(Record::Former(former)))
}

/// Seals a part and keeps it until the relay has it.
pub(super) fn seal(
    tx: &Transaction<'_>,
    key: &ArchiveKey,
    archive: ArchiveId,
    number: u64,
    records: Vec<Record>,
) -> Result<(), Error> {
    let sealed = archive::seal(key, archive, number, &Part { records })?;
    tx.execute(
        "INSERT INTO backup_part (archive, number, sealed) VALUES (?1, ?2, ?3)",
        params![Column(&archive), number, sealed],
    )?;
    Ok(())
}

/// The parts of this archive do not follow what the relay has of it.
fn give_up(tx: &Transaction<'_>, archive: ArchiveId, now: Timestamp) -> Result<(), Error> {
    if let Some(backup) = load(tx)?.filter(|backup| backup.archive == archive) {
        begin_anew(tx, backup, now)?;
    } else {
        tx.execute("DELETE FROM backup_part WHERE archive = ?1", [Column(&archive)])?;
        super::history::begin_anew(tx, archive)?;
    }
    Ok(())
}

/// The backup is written anew, if there is one.
pub(super) fn begin_backup_anew(tx: &Transaction<'_>, now: Timestamp) -> Result<(), Error> {
    if let Some(backup) = load(tx)? {
        begin_anew(tx, backup, now)?;
    }
    Ok(())
}

/// A fresh archive; the relay drops the one before it when it has all of this one.
fn begin_anew(tx: &Transaction<'_>, backup: Backup, now: Timestamp) -> Result<Backup, Error> {
    let archive = ArchiveId::make()?;
    tx.execute(
        "UPDATE backup SET archive = ?1, next_part = 0, begun_at = ?2",
        params![Column(&archive), Column(&now)],
    )?;
    // What was sealed for the archive before may follow parts that the relay has dropped; all of it is written anew.
    tx.execute("DELETE FROM backup_part WHERE archive = ?1", [Column(&backup.archive)])?;
    all_is_due(tx)?;
    Ok(Backup {
        archive,
        next_part: 0,
        begun_at: now,
        ..backup
    })
}

fn load(connection: &Connection) -> Result<Option<Backup>, Error> {
    let backup = connection
        .query_row(
            "SELECT key, archive, next_part, begun_at FROM backup
             WHERE NOT EXISTS (SELECT 1 FROM restoration WHERE history = x'')",
            [],
            |row| {
                let (Column(key), Column(archive), Column(begun_at)) = (row.get(0)?, row.get(1)?, row.get(3)?);
                Ok(Backup {
                    key,
                    archive,
                    next_part: row.get(2)?,
                    begun_at,
                })
            },
        )
        .optional()?;
    Ok(backup)
}

fn next_sealed(connection: &Connection, whose: Whose) -> Result<Option<(ArchiveId, u64, Vec<u8>)>, Error> {
    let part = connection
        .query_row(
            "SELECT archive, number, sealed FROM backup_part
             WHERE (archive IN (SELECT archive FROM linking)) = ?1 ORDER BY number LIMIT 1",
            [whose == Whose::NewDevices],
            |row| {
                let Column(archive) = row.get(0)?;
                Ok((archive, row.get(1)?, row.get(2)?))
            },
        )
        .optional()?;
    Ok(part)
}

/// What is due, whom it is from or about.
fn due(tx: &Transaction<'_>) -> Result<Vec<(Address, Option<MessageId>)>, Error> {
    let mut select = tx.prepare_cached("SELECT address, id FROM backup_due LIMIT ?1")?;
    let rows = select.query_map([RECORDS], |row| {
        let (Column(address), Column(id)) = (row.get(0)?, row.get(1)?);
        Ok((address, id))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A message as it stands: one that is neither here nor kept sealed was deleted. Nothing of what is sealed and no mail.
fn message(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<Option<Record>, Error> {
    let found = tx
        .query_row(
            "SELECT rowid, direction, content, statement, signature, header, content_key, dated_at, read_at, handled_at,
                    archived_at, coalesce((SELECT exported_at FROM exported WHERE message = message.rowid), 0)
             FROM message WHERE sender = ?1 AND id = ?2",
            params![Column(sender), Column(&id)],
            |row| {
                let place = match row.get(1)? {
                    Direction::Received => Place::Received,
                    Direction::Sent => Place::Sent,
                    Direction::Draft => Place::Draft,
                };
                let (Column(dated_at), Column(read_at)) = (row.get(7)?, row.get(8)?);
                let (Column(handled_at), Column(archived_at)) = (row.get(9)?, row.get(10)?);
                let (Column(signature), Column(content_key)) = (row.get(4)?, row.get(6)?);
                let Column(exported_at) = row.get(11)?;
                let bytes = |column| row.get::<_, Vec<u8>>(column).map(Into::into);
                let message = ArchivedMessage {
                    id,
                    sender: sender.clone(),
                    place,
                    content: bytes(2)?,
                    statement: bytes(3)?,
                    signature,
                    header: bytes(5)?,
                    content_key,
                    dated_at,
                    read_at,
                    handled_at,
                    archived_at,
                    deliveries: Vec::new(),
                    exported_at,
                };
                Ok((row.get::<_, i64>(0)?, message))
            },
        )
        .optional()?;
    let Some((rowid, mut message)) = found else {
        return match unopened::kept(tx, sender, id)? {
            Some(kept) => Ok(kept.is_mail.then(|| {
                Record::Unopened(UnopenedMessage {
                    id,
                    sender: sender.clone(),
                    received_at: kept.received_at,
                })
            })),
            None => Ok(Some(Record::Deleted(DeletedMessage {
                id,
                sender: sender.clone(),
            }))),
        };
    };
    let mut select =
        tx.prepare_cached("SELECT address, state, state_at FROM delivery WHERE message = ?1 ORDER BY address")?;
    let rows = select.query_map([rowid], |row| {
        let (Column(address), Column(at)) = (row.get(0)?, row.get(2)?);
        Ok(ArchivedDelivery {
            address,
            state: row.get(1)?,
            at,
        })
    })?;
    message.deliveries = rows.collect::<Result<_, _>>()?;
    Ok(Some(Record::Message(Box::new(message))))
}

fn correspondent(tx: &Transaction<'_>, address: &Address) -> Result<Option<Record>, Error> {
    let found = tx
        .query_row(
            "SELECT identity, list, verified_at FROM correspondent WHERE address = ?1",
            [Column(address)],
            |row| {
                let Column(verified_at) = row.get(2)?;
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, verified_at))
            },
        )
        .optional()?;
    let Some((identity, list, verified_at)) = found else {
        return Ok(None);
    };
    Ok(Some(Record::Correspondent(Box::new(ArchivedCorrespondent {
        identity: cbor::decode(&identity)?,
        list: cbor::decode(&list)?,
        verified_at,
    }))))
}
