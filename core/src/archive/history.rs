//! The history of an account for a device that was just added: a snapshot, in an archive of its own under a key of its own.
//! The device hears of it in an envelope ([`super::awaited`]), and drops the archive once it has all of it.

use protocol::api::ArchiveSize;
use protocol::archive::ArchiveKey;
use protocol::identity::VerifiedAccount;
use protocol::state::History;
use protocol::{Address, ArchiveId, DeviceId, MessageId, Timestamp, cbor};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::write::{self, Whose};
use crate::account::link::LinkStep;
use crate::account::{self, Account};
use crate::clock;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::{OutboxKind, outbox, states};

/// A device whose history is being written.
struct Writing {
    device: DeviceId,
    archive: ArchiveId,
    key: ArchiveKey,
    next_part: u64,
}

/// How far the adding of a device has come on the main one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkProgress {
    /// Whether the device is on the list, so that later mail is sealed to it.
    pub is_listed: bool,
    /// How many mails and correspondents its history still lacks.
    pub left: u32,
    /// Whether the history is at the relay, and the device was told where.
    pub is_told: bool,
}

impl Session {
    /// How far the adding of `device` has come; none when it is not being added here, or not any more.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn link_progress(&self, device: DeviceId) -> Result<Option<LinkProgress>, Error> {
        self.read(|connection| {
            let progress = connection
                .query_row(
                    "SELECT step, (SELECT count(*) FROM history_due WHERE device = ?1),
                            EXISTS (SELECT 1 FROM outbox WHERE kind = ?2)
                     FROM linking WHERE device = ?1",
                    params![Column(&device), OutboxKind::History],
                    |row| {
                        let (step, is_leaving): (LinkStep, bool) = (row.get(0)?, row.get(2)?);
                        Ok(LinkProgress {
                            is_listed: step != LinkStep::Confirmed,
                            left: row.get(1)?,
                            is_told: step == LinkStep::Told && !is_leaving,
                        })
                    },
                )
                .optional()?;
            Ok(progress)
        })
    }

    /// Writes what is left of the histories of new devices, and tells each where its own is.
    pub(crate) async fn write_histories(&self, account: &Account) -> Result<(), Error> {
        self.write(begin)?;
        self.send_parts(account, Whose::NewDevices).await?;
        while self.write(seal_next)? {
            crash_point!("history-sealed");
            self.send_parts(account, Whose::NewDevices).await?;
        }
        Ok(())
    }
}

/// Begins the histories of devices that are on the list.
///
/// Only after all that waited here was taken in: what came before the list is in the snapshot, what comes after it is sealed
/// to the device itself.
fn begin(tx: &Transaction<'_>) -> Result<(), Error> {
    let mut select = tx.prepare_cached("SELECT device FROM linking WHERE step = ?1")?;
    let devices: Vec<Column<DeviceId>> = select
        .query_map([LinkStep::Listed], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if !devices.is_empty() {
        states::all_are_due(tx)?;
    }
    for Column(device) in devices {
        begin_history(tx, device)?;
    }
    Ok(())
}

fn begin_history(tx: &Transaction<'_>, device: DeviceId) -> Result<(), Error> {
    set_step(tx, device, LinkStep::Writing)?;
    tx.execute(
        "INSERT OR IGNORE INTO history_due (device, address, id) SELECT ?1, sender, id FROM message
         UNION SELECT ?1, sender, id FROM unopened WHERE id <> x''",
        [Column(&device)],
    )?;
    tx.execute(
        "INSERT OR IGNORE INTO history_due (device, address) SELECT ?1, address FROM correspondent",
        [Column(&device)],
    )?;
    Ok(())
}

/// A device that is on the list gets its history anew: it was away, or what it was told was lost.
pub(crate) fn write_again(tx: &Transaction<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM history_due WHERE device = ?1", [Column(&device)])?;
    tx.execute(
        "INSERT INTO linking (device, name, code, archive, key, step, begun_at) VALUES (?1, '', '', ?2, ?3, ?4, ?5)
         ON CONFLICT (device) DO UPDATE SET archive = excluded.archive, key = excluded.key, next_part = 0, step = excluded.step",
        params![
            Column(&device),
            Column(&ArchiveId::make()?),
            Column(&ArchiveKey::make()?),
            LinkStep::Listed,
            Column(&now)
        ],
    )?;
    Ok(())
}

/// A device lacks history: the main one writes it, unless it is at it; for the main one, the next on the list does.
pub(crate) fn asked_for(tx: &Transaction<'_>, device: DeviceId) -> Result<(), Error> {
    let is_at_it = tx
        .prepare_cached("SELECT 1 FROM linking WHERE device = ?1 AND step <> ?2")?
        .exists(params![Column(&device), LinkStep::Told])?;
    let account = Account::load(tx)?;
    if is_at_it || !writes_for(&account, device) || account.verified.device(&device).is_none() {
        return Ok(());
    }
    write_again(tx, device, clock::now())
}

/// Whether this device writes the history of that one: the main one does, and for the main one the next on the list.
fn writes_for(account: &Account, device: DeviceId) -> bool {
    let mut others = account.verified.devices().iter().filter(|listed| listed.id != device);
    others.next().is_some_and(|first| first.id == account.device)
}

/// A device that was not told of this history yet gets it in a fresh archive.
pub(super) fn begin_anew(tx: &Transaction<'_>, archive: ArchiveId) -> Result<(), Error> {
    tx.execute(
        "UPDATE linking SET archive = ?2, next_part = 0, step = ?3 WHERE archive = ?1 AND step = ?4",
        params![
            Column(&archive),
            Column(&ArchiveId::make()?),
            LinkStep::Listed,
            LinkStep::Writing
        ],
    )?;
    Ok(())
}

/// Every history that was begun is written anew, and so are those of devices that had all of theirs: mail that waited for them
/// at the relay, and that this one had already, its sender takes for retrieved.
pub(super) fn begin_all_anew(tx: &Transaction<'_>, account: &Account, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM backup_part WHERE archive IN (SELECT archive FROM linking WHERE step IN (?1, ?2))",
        [LinkStep::Writing, LinkStep::Told],
    )?;
    tx.execute(
        "UPDATE linking SET step = ?3, next_part = 0, archive = randomblob(16) WHERE step IN (?1, ?2)",
        [LinkStep::Writing, LinkStep::Told, LinkStep::Listed],
    )?;
    let others = account
        .verified
        .devices()
        .iter()
        .filter(|device| device.id != account.device);
    for device in others.filter(|device| writes_for(account, device.id)) {
        write_again(tx, device.id, now)?;
    }
    Ok(())
}

/// Nobody waits for the history of a device that was removed before it had all of it.
pub(crate) fn drop_histories(tx: &Transaction<'_>, listed: &VerifiedAccount) -> Result<(), Error> {
    let mut select = tx.prepare_cached("SELECT device FROM linking WHERE step <> ?1")?;
    let written: Vec<Column<DeviceId>> = select
        .query_map([LinkStep::Confirmed], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for Column(device) in written {
        if listed.device(&device).is_none() {
            tx.execute(
                "DELETE FROM backup_part WHERE archive = (SELECT archive FROM linking WHERE device = ?1)",
                [Column(&device)],
            )?;
            tx.execute("DELETE FROM linking WHERE device = ?1", [Column(&device)])?;
            tx.execute("DELETE FROM history_due WHERE device = ?1", [Column(&device)])?;
        }
    }
    Ok(())
}

/// Seals the next part of a history once the relay has those before it, or tells a device that its own is whole; whether there
/// was anything to do.
fn seal_next(tx: &Transaction<'_>) -> Result<bool, Error> {
    let writing = tx
        .query_row(
            "SELECT device, archive, key, next_part FROM linking
             WHERE step = ?1 AND NOT EXISTS (SELECT 1 FROM backup_part WHERE archive = linking.archive) LIMIT 1",
            [LinkStep::Writing],
            |row| {
                let (Column(device), Column(archive), Column(key)) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Writing {
                    device,
                    archive,
                    key,
                    next_part: row.get(3)?,
                })
            },
        )
        .optional()?;
    let Some(writing) = writing else { return Ok(false) };
    let due = due(tx, writing.device)?;
    let former = if writing.next_part == 0 {
        write::former(tx)?
    } else {
        None
    };
    if due.is_empty() && former.is_none() {
        tell(tx, &writing)?;
        return Ok(true);
    }
    let (mut records, taken) = write::gather(tx, &due)?;
    records.splice(0..0, former);
    for (address, id) in due.iter().take(taken) {
        tx.execute(
            "DELETE FROM history_due WHERE device = ?1 AND address = ?2 AND id = ?3",
            params![Column(&writing.device), Column(address), Column(id)],
        )?;
    }
    write::seal(tx, &writing.key, writing.archive, writing.next_part, records)?;
    tx.execute(
        "UPDATE linking SET next_part = next_part + 1 WHERE device = ?1",
        [Column(&writing.device)],
    )?;
    Ok(true)
}

fn due(tx: &Transaction<'_>, device: DeviceId) -> Result<Vec<(Address, Option<MessageId>)>, Error> {
    let mut select = tx.prepare_cached("SELECT address, id FROM history_due WHERE device = ?1 LIMIT ?2")?;
    let rows = select.query_map(params![Column(&device), write::RECORDS], |row| {
        let (Column(address), Column(id)) = (row.get(0)?, row.get(1)?);
        Ok((address, id))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Queues the envelope that says where the history is.
fn tell(tx: &Transaction<'_>, writing: &Writing) -> Result<(), Error> {
    let own = account::own_address(tx)?;
    let history = History {
        device: writing.device,
        archive: writing.archive,
        key: writing.key.clone(),
        parts: writing.next_part,
    };
    outbox::queue(tx, OutboxKind::History, &own, &cbor::encode(&history))?;
    set_step(tx, writing.device, LinkStep::Told)
}

fn set_step(tx: &Transaction<'_>, device: DeviceId, step: LinkStep) -> Result<(), Error> {
    tx.execute(
        "UPDATE linking SET step = ?2 WHERE device = ?1",
        params![Column(&device), step],
    )?;
    Ok(())
}

/// Archives that are some device's history, this one's included. A device that was told and has dropped its own is linked for good.
pub(super) fn still_there(tx: &Transaction<'_>, present: &[ArchiveSize]) -> Result<Vec<ArchiveId>, Error> {
    let mut select = tx.prepare_cached("SELECT archive, step FROM linking")?;
    let rows: Vec<(Column<ArchiveId>, LinkStep)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let own = tx
        .query_row("SELECT history FROM restoration WHERE history <> x''", [], |row| {
            row.get(0)
        })
        .optional()?;
    let mut kept: Vec<ArchiveId> = own.map(|Column(archive)| archive).into_iter().collect();
    for (Column(archive), step) in rows {
        if step == LinkStep::Told && !present.iter().any(|there| there.id == archive) {
            tx.execute("DELETE FROM linking WHERE archive = ?1", [Column(&archive)])?;
        } else {
            kept.push(archive);
        }
    }
    Ok(kept)
}
