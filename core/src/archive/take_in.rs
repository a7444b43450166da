//! An earlier phone's backup, or the main device's history, on its way in, part by part; each is one transaction, which moves the
//! place in the archive.

use protocol::archive::{self, ArchiveKey, ArchivedMessage, DeletedMessage, Part, Place, Record};
use protocol::envelope::EnvelopeError;
use protocol::identity::VerifiedAccount;
use protocol::sign::Signature;
use protocol::{ArchiveId, Code, Timestamp};
use rusqlite::types::{FromSql as _, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::awaited;
use crate::account::{Account, correspondent, former};
use crate::crash::crash_point;
use crate::error::Error;
use crate::mail::delivery::{self, DeliveryState};
use crate::mail::list::{self, Direction, NewMessage};
use crate::mail::received;
use crate::mime;
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::{SyncReport, outbox, standing, states, unopened};

/// How far the archive was taken in.
struct Restoration {
    key: ArchiveKey,
    archive: Option<ArchiveId>,
    next_part: u64,
    /// The one archive that is a main device's history, and its parts.
    history: Option<(ArchiveId, u64)>,
}

/// Whose archive it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum From {
    /// A phone's that is no more.
    LostPhone,
    /// The main device's of this account.
    OwnDevice,
}

impl Session {
    /// Takes in what is left of an earlier phone's backup, or of the main device's history.
    pub(crate) async fn take_in_backup(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        let Some(restoration) = self.read(load)? else {
            return Ok(());
        };
        let before = self.read(message_count)?;
        let outcome = match restoration.history {
            Some((archive, parts)) => self.take_in_history(account, archive, parts, report).await,
            None => self.take_in_archives(account, report).await,
        };
        let restored = self.read(message_count)?.saturating_sub(before);
        report.restored = report.restored.saturating_add(restored);
        outcome
    }

    /// Takes in all archives of an earlier phone. Then this phone's own backup begins.
    async fn take_in_archives(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        // Nobody writes to them any more: they come one after the other, the oldest first.
        let mut archives = self.relay.archives(account).await?.archives;
        archives.reverse();
        while let Some(restoration) = self.read(load)? {
            let place = archives
                .iter()
                .position(|archive| Some(archive.id) == restoration.archive);
            let mut left = archives.iter().skip(place.unwrap_or(0));
            let (archive, number) = match left.next() {
                None => {
                    self.write(|tx| finish(tx, &restoration, self.relay.clock.now(), !archives.is_empty()))?;
                    break;
                }
                Some(archive) if place.is_some() && restoration.next_part >= archive.parts => match left.next() {
                    None => {
                        self.write(|tx| finish(tx, &restoration, self.relay.clock.now(), true))?;
                        break;
                    }
                    Some(next) => (next.id, 0),
                },
                Some(archive) if place.is_some() => (archive.id, restoration.next_part),
                Some(archive) => (archive.id, 0),
            };
            let part = match self.relay.part(account, archive, number).await {
                Err(Error::Relay(Code::NotFound)) => gone(report),
                sealed => opened(archive::open(&restoration.key, archive, number, &sealed?), report)?,
            };
            self.write(|tx| {
                let is_own = super::backup_key(tx)?.is_some();
                for record in &part.records {
                    match record {
                        // The phone was put back, and what it has is newer than what it wrote then.
                        Record::Message(message) if is_own && is_known(tx, message)? => catch_up(tx, message)?,
                        record => take_in(tx, account, record, From::LostPhone)?,
                    }
                }
                tx.execute(
                    "UPDATE restoration SET archive = ?1, next_part = ?2",
                    params![Column(&archive), number.saturating_add(1)],
                )?;
                Ok(())
            })?;
            crash_point!("backup-taken-in");
        }
        Ok(())
    }
}

/// What a part holds. One that was damaged at the relay is counted and holds nothing: no other try mends it, and the parts after
/// it are still there. What opens and cannot be read was written by a newer phone, and waits for one.
fn opened(part: Result<Part, EnvelopeError>, report: &mut SyncReport) -> Result<Part, Error> {
    match part {
        Err(EnvelopeError::Seal(_)) => Ok(gone(report)),
        part => Ok(part?),
    }
}

/// A part that will not come any more.
fn gone(report: &mut SyncReport) -> Part {
    tracing::warn!("a part of an archive is gone or damaged and is passed over");
    report.damaged = report.damaged.saturating_add(1);
    Part { records: Vec::new() }
}

fn message_count(connection: &Connection) -> Result<u32, Error> {
    Ok(connection.query_row("SELECT count(*) FROM message", [], |row| row.get(0))?)
}

impl Session {
    /// Takes in what is left of the history that the main device wrote, and drops it at the relay.
    async fn take_in_history(
        &self,
        account: &Account,
        archive: ArchiveId,
        parts: u64,
        report: &mut SyncReport,
    ) -> Result<(), Error> {
        while let Some(restoration) = self.read(load)?
            && restoration.next_part < parts
        {
            let number = restoration.next_part;
            let sealed = match self.relay.part(account, archive, number).await {
                // It was not kept, or is being written anew.
                Err(Error::Relay(Code::NotFound)) => {
                    tracing::warn!("the history is not whole and is asked for again");
                    return self.write(|tx| {
                        tx.execute("DELETE FROM restoration", [])?;
                        awaited::await_history(tx, awaited::OVERDUE)
                    });
                }
                sealed => sealed?,
            };
            let part = opened(archive::open(&restoration.key, archive, number, &sealed), report)?;
            self.write(|tx| {
                for record in &part.records {
                    match record {
                        // What this device has itself is newer, and what it knows to be deleted stays so.
                        Record::Message(message) if is_known(tx, message)? => catch_up(tx, message)?,
                        record => take_in(tx, account, record, From::OwnDevice)?,
                    }
                }
                tx.execute("UPDATE restoration SET next_part = next_part + 1", [])?;
                Ok(())
            })?;
            crash_point!("history-taken-in");
        }
        self.relay.drop_archive(account, archive).await?;
        self.write(|tx| {
            tx.execute_batch("DELETE FROM restoration; DELETE FROM early_delivery;")?;
            unopened::forget_asked(tx, &account.address)
        })
    }
}

/// What became of a sent message while this device did not hear of it.
fn catch_up(tx: &Transaction<'_>, message: &ArchivedMessage) -> Result<(), Error> {
    for delivery in &message.deliveries {
        if let Ok(state) = DeliveryState::column_result(ValueRef::Integer(delivery.state.into())) {
            delivery::advance_by_id(tx, &message.id, &delivery.address, state, delivery.at)?;
        }
    }
    Ok(())
}

fn is_known(tx: &Transaction<'_>, message: &ArchivedMessage) -> Result<bool, Error> {
    let is_known = tx
        .prepare_cached(
            "SELECT 1 FROM message WHERE sender = ?1 AND id = ?2 UNION ALL SELECT 1 FROM seen WHERE sender = ?1 AND id = ?2",
        )?
        .exists(params![Column(&message.sender), Column(&message.id)])?;
    Ok(is_known)
}

/// All of it is here: this phone's own backup goes on, in an archive of its own.
fn finish(tx: &Transaction<'_>, restoration: &Restoration, now: Timestamp, was_kept: bool) -> Result<(), Error> {
    tx.execute_batch("DELETE FROM restoration; DELETE FROM early_delivery;")?;
    // The relay may have been put back, and the earlier phone lost before it had given it everything again.
    standing::offer_mail(tx)?;
    if was_kept {
        super::begin_backup(tx, &restoration.key, now)?;
    }
    Ok(())
}

fn load(connection: &Connection) -> Result<Option<Restoration>, Error> {
    let restoration = connection
        .query_row(
            "SELECT key, archive, next_part, history, parts FROM restoration",
            [],
            |row| {
                let (Column(key), Column(archive)) = (row.get(0)?, row.get(1)?);
                let Column(history): Column<Option<ArchiveId>> = row.get(3)?;
                let parts = row.get(4)?;
                Ok(Restoration {
                    key,
                    archive,
                    next_part: row.get(2)?,
                    history: history.map(|archive| (archive, parts)),
                })
            },
        )
        .optional()?;
    Ok(restoration)
}

/// Takes one record in. A later record of a message prevails.
fn take_in(tx: &Transaction<'_>, account: &Account, record: &Record, from: From) -> Result<(), Error> {
    match record {
        Record::Message(message) => take_in_message(tx, account, message, from),
        Record::Deleted(deleted) => delete(tx, account, deleted),
        Record::Unopened(kept) => unopened::ask_for(tx, kept),
        Record::Former(before) => {
            former::keep_earlier(tx, account, before)?;
            unopened::try_for_former(tx)
        }
        Record::Correspondent(kept) => {
            // What this phone learnt itself is newer.
            if let Ok(known) = VerifiedAccount::verify(&kept.identity, &kept.list)
                && correspondent::pinned(tx, known.address())?.is_none()
            {
                correspondent::pin(tx, &known, &kept.identity, &kept.list)?;
                tx.execute(
                    "UPDATE correspondent SET verified_at = ?2 WHERE address = ?1",
                    params![Column(known.address()), Column(&kept.verified_at)],
                )?;
            }
            Ok(())
        }
    }
}

fn take_in_message(
    tx: &Transaction<'_>,
    account: &Account,
    message: &ArchivedMessage,
    from: From,
) -> Result<(), Error> {
    // A phone that was put back has it in its own outbox, or knows that it was deleted.
    if outbox::is_leaving(tx, &message.sender, message.id)? || states::is_buried(tx, &message.sender, message.id)? {
        return Ok(());
    }
    tx.execute(
        "DELETE FROM message WHERE sender = ?1 AND id = ?2",
        params![Column(&message.sender), Column(&message.id)],
    )?;
    let direction = match message.place {
        Place::Received => Direction::Received,
        Place::Sent => Direction::Sent,
        Place::Draft => Direction::Draft,
    };
    let letter = mime::parse(&message.content)
        .unwrap_or_else(|_| received::unreadable(&message.sender, message.id, message.dated_at));
    let rowid = list::insert(
        tx,
        &NewMessage {
            id: message.id,
            sender: &message.sender,
            direction,
            letter: &letter,
            content: &message.content,
            people: &letter.to.join(" "),
            in_reply_to: received::answered(&letter),
            statement: &message.statement,
            signature: message.signature.as_ref().map_or(&[], Signature::as_bytes),
            content_key: message.content_key.as_ref().map_or(&[][..], |key| key.as_bytes()),
            header: &message.header,
            dated_at: message.dated_at,
        },
    )?;
    tx.execute(
        "UPDATE message SET read_at = ?2, handled_at = ?3, archived_at = ?4 WHERE rowid = ?1",
        params![
            rowid,
            Column(&message.read_at),
            Column(&message.handled_at),
            Column(&message.archived_at)
        ],
    )?;
    if let Some(at) = message.exported_at {
        tx.execute(
            "INSERT INTO exported (message, file, exported_at) VALUES (?1, '', ?2)",
            params![rowid, Column(&at)],
        )?;
    }
    for delivery in &message.deliveries {
        let state = match DeliveryState::column_result(ValueRef::Integer(delivery.state.into())) {
            // Whether it left after the last increment, only the recipient can tell.
            Ok(DeliveryState::Queued) if from == From::LostPhone => DeliveryState::Unknown,
            Ok(state) => state,
            Err(_) => DeliveryState::Unknown,
        };
        tx.execute(
            "INSERT INTO delivery (message, address, state, state_at) VALUES (?1, ?2, ?3, ?4)",
            params![rowid, Column(&delivery.address), state, Column(&delivery.at)],
        )?;
    }
    if message.sender == account.address {
        delivery::catch_up(tx, rowid, &message.id)?;
    } else {
        // It does not arrive again, neither from the relay nor wrapped anew.
        states::bury(tx, &message.sender, message.id)?;
    }
    unopened::forget(tx, &message.sender, message.id)?;
    // Another device may have said something of it before it came.
    states::show(tx, &message.sender, message.id)
}

fn delete(tx: &Transaction<'_>, account: &Account, deleted: &DeletedMessage) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM message WHERE sender = ?1 AND id = ?2",
        params![Column(&deleted.sender), Column(&deleted.id)],
    )?;
    if deleted.sender != account.address {
        states::bury(tx, &deleted.sender, deleted.id)?;
    }
    unopened::forget(tx, &deleted.sender, deleted.id)
}
