//! What became of a sent mail, for each recipient. States only move forward.

use protocol::receipt::Reading;
use protocol::sequence::Step;
use protocol::{Address, MessageId, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::list::Direction;
use crate::clock;
use crate::error::Error;
use crate::store::column::{Column, numbered};

/// How far a mail has come with one recipient.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum DeliveryState {
    /// It waits on this phone.
    Queued,
    /// The relay has it.
    Sent,
    /// It waits for the recipient's devices.
    Available,
    /// It still waits, and nobody has retrieved it for some days.
    NotRetrieved,
    /// A device of the recipient has it.
    Retrieved,
    /// The recipient has read it.
    Read,
    /// The recipient has handled it.
    Handled,
    /// The recipient has no device, or is unknown.
    Unreachable,
    /// It was taken back in time.
    Withdrawn,
    /// Nobody retrieved it in time.
    Expired,
    /// It was refused for good.
    Refused,
    /// The relay lost it before the recipient had it.
    Lost,
    /// It was on its way out when the phone was lost: only the recipient can tell whether it came.
    Unknown,
    /// The recipient's identity is another than the pinned one: the others got it.
    IdentityChanged,
    /// The recipient's keys do not verify or are no keys: the others got it.
    KeysRefused,
    /// The recipient's devices take envelopes of later versions alone: the others got it.
    TooNew,
}

impl DeliveryState {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Available => "available",
            Self::NotRetrieved => "not-retrieved",
            Self::Retrieved => "retrieved",
            Self::Read => "read",
            Self::Handled => "handled",
            Self::Unreachable => "unreachable",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
            Self::IdentityChanged => "identity-changed",
            Self::KeysRefused => "keys-refused",
            Self::TooNew => "too-new",
        }
    }

    pub(crate) const fn of_reading(reading: Reading) -> Self {
        match reading {
            Reading::Handled => Self::Handled,
            Reading::Read => Self::Read,
        }
    }

    pub(crate) const fn of_step(step: Step) -> Self {
        match step {
            Step::Available => Self::Available,
            Step::Retrieved => Self::Retrieved,
            Step::Unreachable => Self::Unreachable,
            Step::Withdrawn => Self::Withdrawn,
            Step::Expired => Self::Expired,
            Step::Lost => Self::Lost,
            Step::NotRetrieved => Self::NotRetrieved,
        }
    }

    /// Whether a mail in this state may come to `next`.
    fn leads_to(self, next: Self) -> bool {
        match next {
            // What was read was retrieved, whatever came before.
            Self::Retrieved | Self::Read | Self::Handled => self < next || self >= Self::Unreachable,
            Self::Queued | Self::Sent | Self::Available | Self::NotRetrieved => self < next,
            Self::Unreachable
            | Self::Withdrawn
            | Self::Expired
            | Self::Refused
            | Self::Lost
            | Self::Unknown
            | Self::IdentityChanged
            | Self::KeysRefused
            | Self::TooNew => self < Self::Retrieved,
        }
    }
}

// Those from 6 on are to be seen before the others, and those from 20 on ended badly.
numbered! {
    DeliveryState {
        Queued = 0,
        Sent = 1,
        Available = 2,
        Retrieved = 3,
        Read = 4,
        Handled = 5,
        NotRetrieved = 6,
        Unreachable = 20,
        Withdrawn = 21,
        Expired = 22,
        Refused = 23,
        Lost = 24,
        Unknown = 25,
        IdentityChanged = 26,
        KeysRefused = 27,
        TooNew = 28,
    }
}

/// Begins a delivery.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    message: i64,
    address: &Address,
    state: DeliveryState,
    at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO delivery (message, address, state, state_at) VALUES (?1, ?2, ?3, ?4)",
        params![message, Column(address), state, Column(&at)],
    )?;
    Ok(())
}

/// Moves a delivery forward; whether it did.
pub(crate) fn advance(
    tx: &Transaction<'_>,
    message: i64,
    address: &Address,
    next: DeliveryState,
    at: Timestamp,
) -> Result<bool, Error> {
    let current: Option<DeliveryState> = tx
        .query_row(
            "SELECT state FROM delivery WHERE message = ?1 AND address = ?2",
            params![message, Column(address)],
            |row| row.get(0),
        )
        .optional()?;
    let Some(current) = current else { return Ok(false) };
    if !current.leads_to(next) {
        return Ok(false);
    }
    tx.execute(
        "UPDATE delivery SET state = ?3, state_at = ?4 WHERE message = ?1 AND address = ?2",
        params![message, Column(address), next, Column(&at)],
    )?;
    Ok(true)
}

/// The mail was taken back from all of its recipients.
pub(crate) fn withdrawn(tx: &Transaction<'_>, message: i64) -> Result<(), Error> {
    let mut select = tx.prepare_cached("SELECT address FROM delivery WHERE message = ?1")?;
    let addresses: Vec<Column<Address>> = select
        .query_map([message], |row| row.get(0))
        .and_then(Iterator::collect)?;
    for Column(address) in addresses {
        advance(tx, message, &address, DeliveryState::Withdrawn, clock::now())?;
    }
    Ok(())
}

/// The same for a mail of this account, by its id; `false` also when there is no such mail any more, or not yet.
pub(crate) fn advance_by_id(
    tx: &Transaction<'_>,
    id: &MessageId,
    address: &Address,
    next: DeliveryState,
    at: Timestamp,
) -> Result<bool, Error> {
    let message: Option<i64> = tx
        .query_row(
            "SELECT rowid FROM message WHERE id = ?1 AND direction = ?2",
            params![Column(id), Direction::Sent],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(message) = message {
        return advance(tx, message, address, next, at);
    }
    // It comes with the history, which was written before this was known.
    tx.execute(
        "INSERT OR IGNORE INTO early_delivery (id, address, state, state_at) SELECT ?1, ?2, ?3, ?4
         FROM account WHERE (devices > 1 OR EXISTS (SELECT 1 FROM restoration))
         AND NOT EXISTS (SELECT 1 FROM seen WHERE sender = account.address AND id = ?1)",
        params![Column(id), Column(address), next, Column(&at)],
    )?;
    Ok(false)
}

/// A mail of this account is here now: it is as far as was heard before.
pub(crate) fn catch_up(tx: &Transaction<'_>, message: i64, id: &MessageId) -> Result<(), Error> {
    let mut select =
        tx.prepare_cached("SELECT address, state, state_at FROM early_delivery WHERE id = ?1 ORDER BY state")?;
    let heard: Vec<(Column<Address>, DeliveryState, Column<Timestamp>)> = select
        .query_map([Column(id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)?;
    for (Column(address), state, Column(at)) in heard {
        advance(tx, message, &address, state, at)?;
    }
    tx.execute("DELETE FROM early_delivery WHERE id = ?1", [Column(id)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rusqlite::types::{FromSql as _, ValueRef};

    use super::*;

    #[test]
    fn the_numbers_of_archives_are_those_of_the_store() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol/archive.md");
        let page = std::fs::read_to_string(page).unwrap();
        let said: BTreeMap<i64, &str> = page
            .lines()
            .filter_map(|line| {
                let (number, rest) = line.strip_prefix("| ")?.split_once(" | `")?;
                Some((number.parse().ok()?, rest.split_once('`')?.0))
            })
            .collect();
        let known: BTreeMap<i64, &str> = (0..1_000)
            .filter_map(|number| {
                let state = DeliveryState::column_result(ValueRef::Integer(number)).ok()?;
                Some((number, state.as_str()))
            })
            .collect();
        assert_eq!(said, known);
    }
}
