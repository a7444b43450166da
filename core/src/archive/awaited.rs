//! The history that this device waits for, until it has all of it. Writing it is [`super::history`]'s, on another device.

use protocol::envelope::Message;
use protocol::state::History;
use protocol::{DeviceId, Timestamp, cbor};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::account::Account;
use crate::clock;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::states;

/// How long a device waits to be told where its history is before it asks, in days.
const PATIENCE_DAYS: i64 = 1;
/// Since when it waits that asks with the next sync.
pub(crate) const OVERDUE: Timestamp = Timestamp::from_millis(1);

/// How much of its history a device that was just added has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HistoryProgress {
    /// Parts that are taken in.
    pub taken: u64,
    /// Parts that there are; 0 while the main device still writes them.
    pub parts: u64,
}

impl Session {
    /// How much of its history this device has; none when it has all of it, or is the first one.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn history_progress(&self) -> Result<Option<HistoryProgress>, Error> {
        self.read(|connection| {
            let progress = connection
                .query_row(
                    "SELECT next_part, parts FROM restoration WHERE history <> x''
                     UNION ALL SELECT 0, 0 FROM account WHERE history_awaited_at > 0 LIMIT 1",
                    [],
                    |row| {
                        Ok(HistoryProgress {
                            taken: row.get(0)?,
                            parts: row.get(1)?,
                        })
                    },
                )
                .optional()?;
            Ok(progress)
        })
    }

    /// Asks for the history where it should have come by now.
    pub(crate) fn ask_for_history(&self, account: &Account) -> Result<(), Error> {
        let (at, now) = (self.relay.clock.now(), clock::now());
        self.write(|tx| {
            let is_overdue: bool = tx.query_row(
                // What comes before its batch is published is not sealed to it, and would not be in an earlier answer.
                "SELECT history_awaited_at > 0 AND history_awaited_at < ?1 AND NOT EXISTS (SELECT 1 FROM batch_upload)
                 FROM account",
                [Column(&now.plus_days(-PATIENCE_DAYS))],
                |row| row.get(0),
            )?;
            if is_overdue {
                await_history(tx, now)?;
                states::record_history_wanted(tx, account, at)?;
            }
            Ok(())
        })
    }
}

/// The main device says where this one's history is: it is taken in with the next syncs.
pub(crate) fn take_note(tx: &Transaction<'_>, message: &Message) -> Result<(), Error> {
    let Ok(history) = cbor::decode::<History>(&message.content) else {
        tracing::warn!("a note on a history cannot be read and was passed over");
        return Ok(());
    };
    let Column(own): Column<DeviceId> = tx.query_row("SELECT device FROM account", [], |row| row.get(0))?;
    if history.device == own {
        let is_taken = tx.execute(
            "INSERT INTO restoration (id, key, history, parts) VALUES (1, ?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET key = excluded.key, history = excluded.history, parts = excluded.parts, next_part = 0
             WHERE history <> x''",
            params![Column(&history.key), Column(&history.archive), history.parts],
        )?;
        // While a backup is on its way in, the note is of no use, and is asked for again.
        if is_taken > 0 {
            tx.execute("UPDATE account SET history_awaited_at = 0", [])?;
        } else {
            note_may_be_lost(tx)?;
        }
    }
    Ok(())
}

/// Something of this account's other devices came and did not open: it may have said where the history is.
pub(crate) fn note_may_be_lost(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute(
        "UPDATE account SET history_awaited_at = ?1 WHERE history_awaited_at > 0",
        [Column(&OVERDUE)],
    )?;
    Ok(())
}

/// This device is to be told where its history is.
pub(crate) fn await_history(tx: &Transaction<'_>, since: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE account SET history_awaited_at = ?1", [Column(&since)])?;
    Ok(())
}

/// The same where there are other devices, who have it.
pub(crate) fn await_history_of_others(tx: &Transaction<'_>, since: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE account SET history_awaited_at = ?1 WHERE devices > 1",
        [Column(&since)],
    )?;
    Ok(())
}

/// Whether a history, or a backup, is still to be taken in here.
pub(crate) fn is_awaited(connection: &Connection) -> Result<bool, Error> {
    let is_awaited = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM account WHERE history_awaited_at > 0) OR EXISTS (SELECT 1 FROM restoration)",
        [],
        |row| row.get(0),
    )?;
    Ok(is_awaited)
}
