//! What a person did with mail, and calls devices, on its way to the account's other devices and from them.
//! The later of two states of a field holds; what was deleted stays deleted, and does not come again.

use protocol::archive::UnopenedMessage;
use protocol::envelope::Message;
use protocol::state::{Change, State, States};
use protocol::{Address, DeviceId, DeviceName, MessageId, Timestamp, cbor, limits};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{OutboxKind, outbox, unopened};
use crate::account::{self, Account, name};
use crate::archive;
use crate::clock;
use crate::error::Error;
use crate::mail::list::Direction;
use crate::mail::received;
use crate::store::column::{Column, numbered};

/// Room that is left for the signed statement and the frame of an envelope of states, in bytes.
const FRAME: usize = 16 * 1024;
/// After so long the others are told what came here even if nobody does anything with it, in days.
const TELL_DAYS: i64 = 1;

/// What can be said of a mail or, by its name, of a device; one thing at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    Read,
    Handled,
    Archived,
    Deleted,
    Draft,
    Name,
    HistoryWanted,
    Here,
}

numbered! {
    Field {
        Read = 0,
        Handled = 1,
        Archived = 2,
        Deleted = 3,
        Draft = 4,
        Name = 5,
        HistoryWanted = 6,
        Here = 7,
    }
}

/// Takes note of what was done here with a mail, and that the account's other devices are to be told.
pub(crate) fn record(tx: &Transaction<'_>, number: i64, field: Field, value: bool, at: Timestamp) -> Result<(), Error> {
    let (Column(sender), Column(id)): (Column<Address>, Column<MessageId>) = tx
        .query_row("SELECT sender, id FROM message WHERE rowid = ?1", [number], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?
        .ok_or(Error::NoSuchMessage)?;
    note(tx, (&sender, id), field, value, at)?;
    match field {
        Field::Deleted => bury(tx, &sender, id),
        Field::Draft | Field::Name | Field::HistoryWanted | Field::Here => Ok(()),
        Field::Read | Field::Handled | Field::Archived => show(tx, &sender, id),
    }
}

/// Takes note of what a device is called from now on, and that the account's other devices are to be told.
pub(crate) fn record_name(
    tx: &Transaction<'_>,
    named: DeviceId,
    name: &DeviceName,
    at: Timestamp,
) -> Result<(), Error> {
    let own = account::own_address(tx)?;
    name::store(tx, &named, name)?;
    note(
        tx,
        (&own, MessageId::from_bytes(*named.as_bytes())),
        Field::Name,
        true,
        at,
    )
}

/// Takes note that this device has no history, and that the main one is to be asked for it.
pub(crate) fn record_history_wanted(tx: &Transaction<'_>, account: &Account, at: Timestamp) -> Result<(), Error> {
    let id = MessageId::from_bytes(*account.device.as_bytes());
    note(tx, (&account.address, id), Field::HistoryWanted, true, at)
}

/// Takes note that a mail came here, or was sent from here. The account's others are told with the next states, or after a day: a
/// relay that kept it from one of them is found out.
pub(crate) fn record_here(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<(), Error> {
    tx.execute(
        "INSERT OR IGNORE INTO state (sender, id, field, value, at, device, due)
         SELECT ?1, ?2, ?3, 1, ?4, device, 2 FROM account WHERE devices > 1",
        params![Column(sender), Column(&id), Field::Here, Column(&clock::now())],
    )?;
    Ok(())
}

/// The other devices are told again of every state: one of them has none. Which of two holds is the same everywhere only
/// where both are known.
pub(crate) fn all_are_due(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute("UPDATE state SET due = 1", [])?;
    Ok(())
}

/// This is the account's only device now: there is nobody to be told anything.
pub(crate) fn none_are_due(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute("DELETE FROM state WHERE field = ?1", [Field::Here])?;
    tx.execute("UPDATE state SET due = 0 WHERE due = 1", [])?;
    tx.execute(
        "DELETE FROM outbox WHERE kind IN (?1, ?2)",
        [OutboxKind::State, OutboxKind::History],
    )?;
    Ok(())
}

/// Keeps a state that was made here.
///
/// It is later than all that is known here of the same field, whatever the clocks say: the person saw that.
fn note(
    tx: &Transaction<'_>,
    (sender, id): (&Address, MessageId),
    field: Field,
    value: bool,
    at: Timestamp,
) -> Result<(), Error> {
    let (Column(device), devices): (Column<DeviceId>, u32) =
        tx.query_row("SELECT device, devices FROM account WHERE id = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let Column(known): Column<Option<Timestamp>> = tx.query_row(
        "SELECT coalesce(max(at), 0) FROM state WHERE sender = ?1 AND id = ?2 AND field = ?3",
        params![Column(sender), Column(&id), field],
        |row| row.get(0),
    )?;
    let at = known.map_or(at, |known| at.max(known.plus_millis(1)));
    tx.execute(
        "INSERT OR REPLACE INTO state (sender, id, field, value, at, device, due) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            Column(sender),
            Column(&id),
            field,
            value,
            Column(&at),
            Column(&device),
            devices > 1
        ],
    )?;
    Ok(())
}

/// Turns what the others have not been told into rows of the outbox.
pub(super) fn queue(tx: &Transaction<'_>) -> Result<(), Error> {
    let Some(Column(own)): Option<Column<Address>> = tx
        .query_row("SELECT address FROM account WHERE id = 1 AND devices > 1", [], |row| {
            row.get(0)
        })
        .optional()?
    else {
        return Ok(());
    };
    if is_due(tx)? {
        tx.execute("UPDATE state SET due = 1 WHERE due = 2", [])?;
    }
    loop {
        let mut states = Vec::new();
        let mut size = 0_usize;
        for state in due(tx)? {
            let next = size.saturating_add(match &state.change {
                Change::Draft(content) => content.len().saturating_add(256),
                _ => 256,
            });
            if !states.is_empty() && next > limits::MAIL_BYTES.saturating_sub(FRAME) {
                break;
            }
            size = next;
            settle(tx, (&state.sender, state.id), field_of(&state.change))?;
            states.push(state);
        }
        if states.is_empty() {
            return Ok(());
        }
        outbox::queue(tx, OutboxKind::State, &own, &cbor::encode(&States { states }))?;
    }
}

/// Whether there is anything the others are to be told now. What is here alone waits for a day, and not for a clock that was ahead.
pub(super) fn is_due(connection: &Connection) -> Result<bool, Error> {
    let now = clock::now();
    let is_due = connection.query_row(
        "SELECT (EXISTS (SELECT 1 FROM state WHERE due = 1) OR EXISTS (SELECT 1 FROM state WHERE due = 2 AND at NOT BETWEEN ?1 AND ?2))
         AND EXISTS (SELECT 1 FROM account WHERE devices > 1)",
        params![Column(&now.plus_days(-TELL_DAYS)), Column(&now)],
        |row| row.get(0),
    )?;
    Ok(is_due)
}

/// What is due, oldest first. A draft that is gone, or too large for an envelope, is passed over, as is a name that is gone.
fn due(tx: &Transaction<'_>) -> Result<Vec<State>, Error> {
    let mut select = tx.prepare_cached(
        "SELECT sender, id, field, value, at, device FROM state WHERE due = 1 ORDER BY at, sender, id LIMIT ?1",
    )?;
    let most = u32::try_from(limits::STATES).unwrap_or(u32::MAX);
    let mut rows = select.query([most])?;
    let mut states = Vec::new();
    while let Some(row) = rows.next()? {
        let (Column(sender), Column(id)): (Column<Address>, Column<MessageId>) = (row.get(0)?, row.get(1)?);
        let (field, value) = (row.get(2)?, row.get(3)?);
        let (Column(at), Column(device)) = (row.get(4)?, row.get(5)?);
        let change = match field {
            Field::Read => Change::Read(value),
            Field::Handled => Change::Handled(value),
            Field::Archived => Change::Archived(value),
            Field::Deleted => Change::Deleted,
            Field::HistoryWanted => Change::HistoryWanted,
            Field::Here => Change::Here,
            Field::Draft | Field::Name => {
                let content = if field == Field::Draft {
                    draft(tx, &sender, id)?
                        .filter(|content| content.len() < limits::MAIL_BYTES.saturating_sub(FRAME))
                        .map(|content| Change::Draft(content.into()))
                } else {
                    name::of(tx, &named(id))?.map(Change::Name)
                };
                let Some(change) = content else {
                    settle(tx, (&sender, id), field)?;
                    continue;
                };
                change
            }
        };
        states.push(State {
            sender,
            id,
            change,
            at,
            device,
        });
    }
    Ok(states)
}

/// The others need not be told of it any more. That a mail is here is nothing that another state could follow.
fn settle(tx: &Transaction<'_>, (sender, id): (&Address, MessageId), field: Field) -> Result<(), Error> {
    let sql = match field {
        Field::Here => "DELETE FROM state WHERE sender = ?1 AND id = ?2 AND field = ?3",
        _ => "UPDATE state SET due = 0 WHERE sender = ?1 AND id = ?2 AND field = ?3",
    };
    tx.execute(sql, params![Column(sender), Column(&id), field])?;
    Ok(())
}

fn draft(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<Option<Vec<u8>>, Error> {
    let content = tx
        .query_row(
            "SELECT content FROM message WHERE sender = ?1 AND id = ?2 AND direction = ?3",
            params![Column(sender), Column(&id), Direction::Draft],
            |row| row.get(0),
        )
        .optional()?;
    Ok(content)
}

/// Takes in what another device of this account did.
pub(super) fn apply(tx: &Transaction<'_>, message: &Message) -> Result<(), Error> {
    let Ok(States { states }) = cbor::decode(&message.content) else {
        tracing::warn!("states that cannot be read were passed over");
        return Ok(());
    };
    for state in states {
        if state.change == Change::Here {
            ask_if_kept_back(tx, state.sender, state.id)?;
        } else {
            take_in(tx, &state)?;
        }
    }
    Ok(())
}

/// Takes in a state that is later than what is known of its field.
fn take_in(tx: &Transaction<'_>, state: &State) -> Result<(), Error> {
    let field = field_of(&state.change);
    let changed = tx.execute(
        "INSERT INTO state (sender, id, field, value, at, device) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (sender, id, field) DO UPDATE SET
                value = excluded.value, at = excluded.at, device = excluded.device, due = 0
             WHERE (excluded.at, excluded.device) > (at, device)",
        params![
            Column(&state.sender),
            Column(&state.id),
            field,
            value_of(&state.change),
            Column(&state.at),
            Column(&state.device)
        ],
    )?;
    if changed == 0 {
        return Ok(());
    }
    match &state.change {
        Change::Deleted => {
            bury(tx, &state.sender, state.id)?;
            tx.execute(
                "DELETE FROM message WHERE sender = ?1 AND id = ?2
                     AND NOT EXISTS (SELECT 1 FROM outbox WHERE message = message.rowid AND refused = '')",
                params![Column(&state.sender), Column(&state.id)],
            )?;
        }
        Change::Draft(content) => {
            if !is_buried(tx, &state.sender, state.id)? {
                received::store_draft(tx, &state.sender, state.id, content, state.at)?;
            }
        }
        Change::HistoryWanted => archive::asked_for(tx, named(state.id))?,
        Change::Name(name) => name::store(tx, &named(state.id), name)?,
        Change::Read(_) | Change::Handled(_) | Change::Archived(_) => show(tx, &state.sender, state.id)?,
        // Nothing is kept of it.
        Change::Here => {}
    }
    Ok(())
}

/// The relay handed a mail to another device of this account. Where it does not hand it to this one, its sender is asked for it.
fn ask_if_kept_back(tx: &Transaction<'_>, sender: Address, id: MessageId) -> Result<(), Error> {
    unopened::lacks_payload_no_more(tx, &sender, id)?;
    let mail = UnopenedMessage {
        sender,
        id,
        received_at: clock::now(),
    };
    unopened::ask_for(tx, &mail)
}

/// Brings a mail to the states that are known of it, if it is here.
pub(crate) fn show(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<(), Error> {
    for (field, column) in [
        (Field::Read, "read_at"),
        (Field::Handled, "handled_at"),
        (Field::Archived, "archived_at"),
    ] {
        tx.execute(
            &format!(
                "UPDATE message SET {column} = (SELECT iif(value, at, 0) FROM state WHERE sender = ?1 AND id = ?2 AND field = ?3)
                 WHERE sender = ?1 AND id = ?2
                 AND EXISTS (SELECT 1 FROM state WHERE sender = ?1 AND id = ?2 AND field = ?3)"
            ),
            params![Column(sender), Column(&id), field],
        )?;
    }
    Ok(())
}

/// It does not come again, from nowhere, and nobody is asked for it.
pub(crate) fn bury(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<(), Error> {
    unopened::forget(tx, sender, id)?;
    tx.execute(
        "INSERT OR IGNORE INTO seen (sender, id, seen_at) VALUES (?1, ?2, ?3)",
        params![Column(sender), Column(&id), Column(&clock::now())],
    )?;
    Ok(())
}

/// Whether the mail was deleted.
pub(crate) fn is_buried(connection: &Connection, sender: &Address, id: MessageId) -> Result<bool, Error> {
    let is_buried = connection
        .prepare_cached("SELECT 1 FROM state WHERE sender = ?1 AND id = ?2 AND field = ?3")?
        .exists(params![Column(sender), Column(&id), Field::Deleted])?;
    Ok(is_buried)
}

const fn field_of(change: &Change) -> Field {
    match change {
        Change::Read(_) => Field::Read,
        Change::Handled(_) => Field::Handled,
        Change::Archived(_) => Field::Archived,
        Change::Deleted => Field::Deleted,
        Change::Draft(_) => Field::Draft,
        Change::Name(_) => Field::Name,
        Change::HistoryWanted => Field::HistoryWanted,
        Change::Here => Field::Here,
    }
}

/// The device that a state names.
const fn named(id: MessageId) -> DeviceId {
    DeviceId::from_bytes(*id.as_bytes())
}

const fn value_of(change: &Change) -> bool {
    match change {
        Change::Read(value) | Change::Handled(value) | Change::Archived(value) => *value,
        Change::Deleted | Change::Draft(_) | Change::HistoryWanted | Change::Name(_) | Change::Here => true,
    }
}
