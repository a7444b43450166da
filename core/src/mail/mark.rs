//! What a person does with a mail: read, handled, archived, deleted, withdrawn, tried again.

use protocol::receipt::Reading;
use protocol::{Digest, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::delivery::{self, DeliveryState};
use super::list::{self, Direction};
use crate::clock;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::{READ_RECEIPTS, Session, setting};
use crate::store::column::Column;
use crate::sync::OutboxKind;
use crate::sync::states::{self, Field};

impl Session {
    /// The mail was on a screen. Its sender is told, unless receipts of reading are switched off.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn mark_read(&self, number: i64) -> Result<(), Error> {
        let at = self.relay.clock.now();
        self.write(|tx| {
            if set_mark(tx, number, Mark::Read, true, at)? && setting(tx, READ_RECEIPTS)?.as_deref() != Some("off") {
                queue_receipt(tx, number, Reading::Read, at)?;
            }
            Ok(())
        })
    }

    /// The mail counts as unread again, here and on the account's other devices. What its sender was told stays told.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn mark_unread(&self, number: i64) -> Result<(), Error> {
        self.mark(number, Mark::Read, false)
    }

    /// What the mail asks for was done. Its sender is told.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn mark_handled(&self, number: i64) -> Result<(), Error> {
        let at = self.relay.clock.now();
        self.write(|tx| {
            set_mark(tx, number, Mark::Read, true, at)?;
            if set_mark(tx, number, Mark::Handled, true, at)? {
                queue_receipt(tx, number, Reading::Handled, at)?;
            }
            Ok(())
        })
    }

    /// Puts the mail away.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn archive(&self, number: i64) -> Result<(), Error> {
        self.mark(number, Mark::Archived, true)
    }

    /// Takes the mail out of the archive again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn unarchive(&self, number: i64) -> Result<(), Error> {
        self.mark(number, Mark::Archived, false)
    }

    fn mark(&self, number: i64, mark: Mark, on: bool) -> Result<(), Error> {
        let at = self.relay.clock.now();
        self.write(|tx| set_mark(tx, number, mark, on, at).map(drop))
    }

    /// Deletes the mail here: nothing of it is left in the store, nor in its log once this returns, unless somebody is
    /// reading just then; in that case the next sync empties the log.
    ///
    /// A mail on its way out is not deleted: it was accepted for sending, and would vanish unseen. Withdraw it first.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`], [`Error::StillLeaving`].
    pub fn delete(&self, number: i64) -> Result<(), Error> {
        let at = self.relay.clock.now();
        self.write(|tx| {
            let is_leaving: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM outbox WHERE message = ?1 AND refused = '')",
                [number],
                |row| row.get(0),
            )?;
            if is_leaving {
                return Err(Error::StillLeaving);
            }
            states::record(tx, number, Field::Deleted, true, at)?;
            tx.execute("DELETE FROM message WHERE rowid = ?1", [number])?;
            Ok(())
        })?;
        crash_point!("mail-deleted");
        self.empty_log()
    }

    /// Takes a mail back that nobody has retrieved: at once when it has not left, else with the next sync, whose outcome
    /// its deliveries show.
    ///
    /// # Errors
    ///
    /// [`Error::TooLateToWithdraw`], [`Error::NoSuchMessage`].
    pub fn withdraw(&self, number: i64) -> Result<(), Error> {
        self.write(|tx| {
            let original = list::original(tx, number)?;
            let (direction, least): (Direction, Option<DeliveryState>) = tx
                .query_row(
                    "SELECT direction, (SELECT min(iif(state = ?2, ?3, state)) FROM delivery WHERE message = ?1)
                     FROM message WHERE rowid = ?1",
                    params![number, DeliveryState::NotRetrieved, DeliveryState::Available],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
            if direction != Direction::Sent || least.is_none_or(|state| state >= DeliveryState::Retrieved) {
                return Err(Error::TooLateToWithdraw);
            }
            // Without a header nothing has left this phone.
            let unsent = tx
                .execute("DELETE FROM outbox WHERE message = ?1 AND kind = ?2 AND header = x''", params![number, OutboxKind::Mail])?;
            if unsent > 0 {
                return delivery::withdrawn(tx, number);
            }
            let digest = Digest::of(&[b"withdrawal", original.id.as_bytes()]);
            let key = digest.as_bytes().first_chunk::<16>().map_or(&[][..], |key| key.as_slice());
            tx.execute(
                "INSERT OR IGNORE INTO outbox (kind, idempotency_key, message, recipients, content) VALUES (?1, ?2, ?3, '', ?4)",
                params![OutboxKind::Withdrawal, key, number, Column(&original.id)],
            )?;
            Ok(())
        })
    }

    /// Tries a mail again that was refused.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] when no refused mail has this number.
    pub fn retry(&self, number: i64) -> Result<(), Error> {
        self.write(|tx| {
            let retried = tx
                .execute(
                    "UPDATE outbox SET refused = '', attempts = 0, next_attempt_at = 0 WHERE message = ?1 AND refused <> ''",
                    [number],
                )?;
            if retried == 0 {
                return Err(Error::NoSuchMessage);
            }
            tx.execute(
                "UPDATE delivery SET state = ?2, state_at = ?3 WHERE message = ?1 AND state >= 20",
                params![number, DeliveryState::Queued, Column(&clock::now())],
            )?;
            Ok(())
        })
    }
}

/// What was done with a mail, once.
#[derive(Clone, Copy)]
enum Mark {
    Archived,
    Handled,
    Read,
}

impl Mark {
    const fn column(self) -> &'static str {
        match self {
            Self::Archived => "archived_at",
            Self::Handled => "handled_at",
            Self::Read => "read_at",
        }
    }

    const fn field(self) -> Field {
        match self {
            Self::Archived => Field::Archived,
            Self::Handled => Field::Handled,
            Self::Read => Field::Read,
        }
    }
}

/// Sets or takes back a mark, and notes it for the account's other devices; whether that changed anything.
fn set_mark(tx: &Transaction<'_>, number: i64, mark: Mark, on: bool, at: Timestamp) -> Result<bool, Error> {
    let column = mark.column();
    let sql = format!("SELECT {column} FROM message WHERE rowid = ?1");
    let Column(present): Column<Option<Timestamp>> = tx
        .query_row(&sql, [number], |row| row.get(0))
        .optional()?
        .ok_or(Error::NoSuchMessage)?;
    if present.is_some() == on {
        return Ok(false);
    }
    states::record(tx, number, mark.field(), on, at)?;
    Ok(true)
}

/// The sender of a received mail is told with the next sync.
fn queue_receipt(tx: &Transaction<'_>, number: i64, reading: Reading, at: Timestamp) -> Result<(), Error> {
    tx.execute(
        "INSERT OR IGNORE INTO receipt (sender, id, reading, at)
         SELECT sender, id, ?2, ?3 FROM message WHERE rowid = ?1 AND direction = ?4",
        params![number, Column(&reading), Column(&at), Direction::Received],
    )?;
    Ok(())
}
