//! What became of a sent mail, for each recipient. States only move forward.

use protocol::receipt::Reading;
use protocol::sequence::Step;
use protocol::{Address, MessageId, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::clock;
use crate::error::Error;
use crate::store::StoreError;

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
}

impl DeliveryState {
    const ALL: [Self; 10] = [
        Self::Queued,
        Self::Sent,
        Self::Available,
        Self::Retrieved,
        Self::Read,
        Self::Handled,
        Self::Unreachable,
        Self::Withdrawn,
        Self::Expired,
        Self::Refused,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Available => "available",
            Self::Retrieved => "retrieved",
            Self::Read => "read",
            Self::Handled => "handled",
            Self::Unreachable => "unreachable",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }

    /// The number in the store: those from 20 on ended badly.
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Sent => 1,
            Self::Available => 2,
            Self::Retrieved => 3,
            Self::Read => 4,
            Self::Handled => 5,
            Self::Unreachable => 20,
            Self::Withdrawn => 21,
            Self::Expired => 22,
            Self::Refused => 23,
        }
    }

    pub(crate) fn of_number(number: i64) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.number() == number)
            .ok_or(StoreError::Corrupt)
    }

    pub(crate) const fn of_reading(reading: Reading) -> Self {
        match reading {
            Reading::Handled => Self::Handled,
            _ => Self::Read,
        }
    }

    pub(crate) const fn of_step(step: Step) -> Self {
        match step {
            Step::Available => Self::Available,
            Step::Retrieved => Self::Retrieved,
            Step::Unreachable => Self::Unreachable,
            Step::Withdrawn => Self::Withdrawn,
            Step::Expired => Self::Expired,
            _ => Self::Sent,
        }
    }

    /// Whether a mail in this state may come to `next`.
    const fn leads_to(self, next: Self) -> bool {
        match next {
            // What was read was retrieved, whatever came before.
            Self::Retrieved | Self::Read | Self::Handled => self.number() < next.number() || self.number() >= 20,
            Self::Queued | Self::Sent | Self::Available => self.number() < next.number(),
            _ => self.number() < Self::Retrieved.number(),
        }
    }
}

/// Moves a delivery forward; whether it did.
pub(crate) fn advance(
    tx: &Transaction<'_>,
    message: i64,
    address: &Address,
    next: DeliveryState,
    at: Timestamp,
) -> Result<bool, Error> {
    let current: Option<i64> = tx
        .query_row(
            "SELECT state FROM delivery WHERE message = ?1 AND address = ?2",
            params![message, address.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    let Some(current) = current else { return Ok(false) };
    if !DeliveryState::of_number(current)?.leads_to(next) {
        return Ok(false);
    }
    tx.execute(
        "UPDATE delivery SET state = ?3, state_at = ?4 WHERE message = ?1 AND address = ?2",
        params![message, address.as_str(), next.number(), at.as_millis()],
    )?;
    Ok(true)
}

/// The mail was taken back from all of its recipients.
pub(crate) fn withdrawn(tx: &Transaction<'_>, message: i64) -> Result<(), Error> {
    let mut select = tx.prepare_cached("SELECT address FROM delivery WHERE message = ?1")?;
    let addresses: Vec<String> = select
        .query_map([message], |row| row.get(0))
        .and_then(Iterator::collect)?;
    for address in addresses {
        let address = address.parse().map_err(|_| StoreError::Corrupt)?;
        advance(tx, message, &address, DeliveryState::Withdrawn, clock::now())?;
    }
    Ok(())
}

/// The same for a mail of this account, by its id; `false` also when there is no such mail any more.
pub(crate) fn advance_by_id(
    tx: &Transaction<'_>,
    id: &MessageId,
    address: &Address,
    next: DeliveryState,
    at: Timestamp,
) -> Result<bool, Error> {
    let message: Option<i64> = tx
        .query_row(
            "SELECT rowid FROM message WHERE id = ?1 AND direction = 1",
            [id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    message.map_or(Ok(false), |message| advance(tx, message, address, next, at))
}
