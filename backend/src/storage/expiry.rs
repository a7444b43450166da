//! Mail that nobody retrieves: its sender is told after some days, and at the end it is let go.
//! What was retrieved or taken back is [`super::sequence`]'s and [`super::deposits`]'.

use protocol::sequence::{Notice, Step};
use protocol::{MessageId, Timestamp, limits};
use rusqlite::{Connection, params};

use super::sequence::{drop_payload, notify};
use super::{Effects, StorageError};

/// Deposits of one transaction: others get their turn in between.
const AT_ONCE: i64 = 500;

/// Tells the senders of mail that nobody has retrieved for some days, each once; whether there may be more of them.
pub(crate) fn tell_waiting(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let since = now.plus_days(limits::WAITING_DAYS.saturating_neg());
    let waiting: Vec<(i64, i64, [u8; MessageId::LEN], String)> = connection
        .prepare_cached(
            "SELECT deposit.id, deposit.sender, deposit.message, delivery.address
             FROM delivery JOIN deposit ON deposit.id = delivery.deposit
             WHERE delivery.step = 0 AND delivery.is_told = 0 AND deposit.notices = 1 AND deposit.accepted_at <= ?1
             LIMIT ?2",
        )?
        .query_map(params![since.as_millis(), AT_ONCE], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let may_be_more = is_full(waiting.len());
    for (deposit, sender, message, address) in waiting {
        connection
            .prepare_cached("UPDATE delivery SET is_told = 1 WHERE deposit = ?1 AND address = ?2")?
            .execute(params![deposit, address])?;
        tell(connection, effects, sender, message, &address, Step::NotRetrieved, now)?;
    }
    Ok(may_be_more)
}

/// Lets go of what has waited for as long as mail is kept: nothing is left of its entries and payload, and its sender is told.
///
/// Whether there may be more of it.
pub(crate) fn expire(connection: &Connection, effects: &mut Effects, now: Timestamp) -> Result<bool, StorageError> {
    let since = now.plus_days(limits::MAIL_DAYS.saturating_neg());
    let old: Vec<(i64, i64, [u8; MessageId::LEN], bool)> = connection
        .prepare_cached(
            "SELECT id, sender, message, notices FROM deposit
             WHERE accepted_at <= ?1
             AND (EXISTS (SELECT 1 FROM payload WHERE payload.deposit = deposit.id)
                  OR EXISTS (SELECT 1 FROM delivery WHERE delivery.deposit = deposit.id AND step = 0))
             LIMIT ?2",
        )?
        .query_map(params![since.as_millis(), AT_ONCE], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let may_be_more = is_full(old.len());
    for (deposit, sender, message, notices) in old {
        let waiting: Vec<String> = connection
            .prepare_cached(
                "UPDATE delivery SET step = ?2, changed_at = ?3 WHERE deposit = ?1 AND step = 0 RETURNING address",
            )?
            .query_map(params![deposit, Step::Expired.number(), now.as_millis()], |row| {
                row.get(0)
            })?
            .collect::<Result<_, _>>()?;
        for address in waiting.iter().filter(|_| notices) {
            tell(connection, effects, sender, message, address, Step::Expired, now)?;
        }
        // Also those of a device whose account has retrieved it with another one: its number is all that is left.
        connection
            .prepare_cached("UPDATE sequence_entry SET body = x'', deposit = 0 WHERE deposit = ?1 AND deposit <> 0")?
            .execute([deposit])?;
        drop_payload(connection, effects, deposit)?;
    }
    Ok(may_be_more)
}

fn tell(
    connection: &Connection,
    effects: &mut Effects,
    sender: i64,
    message: [u8; MessageId::LEN],
    address: &str,
    step: Step,
    at: Timestamp,
) -> Result<(), StorageError> {
    let recipient = address
        .parse()
        .map_err(|_| StorageError::Damaged("a recipient's address"))?;
    let notice = Notice {
        id: MessageId::from_bytes(message),
        recipient,
        step,
        at,
    };
    notify(connection, effects, sender, &notice)
}

fn is_full(count: usize) -> bool {
    i64::try_from(count).is_ok_and(|count| count >= AT_ONCE)
}
