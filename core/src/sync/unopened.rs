//! Envelopes that could not be opened: kept sealed, shown by number, opened later if what was missing comes.

use protocol::sequence::Entry;
use protocol::{Address, MessageId, Timestamp};
use rusqlite::{Transaction, params};

use crate::error::Error;
use crate::session::Session;
use crate::store::StoreError;

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// The key does not open it.
    CannotOpen,
    /// The sender's identity is another than the pinned one.
    IdentityChanged,
    /// What the relay says of its sender does not hold.
    KeysUnverified,
    /// It is not an envelope of a known version.
    Malformed,
    /// The prekey is not there any more.
    NoPrekey,
    /// The sender did not seal it for this identity: somebody passed it on as if it were for this account.
    OtherRecipient,
    /// The relay knows no such account any more.
    SenderUnknown,
    /// No device of the sender signed it.
    WrongSignature,
}

impl Reason {
    const fn code(self) -> &'static str {
        match self {
            Self::CannotOpen => "cannot-open",
            Self::IdentityChanged => "identity-changed",
            Self::KeysUnverified => "keys-unverified",
            Self::Malformed => "malformed",
            Self::NoPrekey => "no-prekey",
            Self::OtherRecipient => "other-recipient",
            Self::SenderUnknown => "sender-unknown",
            Self::WrongSignature => "wrong-signature",
        }
    }
}

/// An envelope that is kept sealed.
#[derive(Clone, Eq, PartialEq)]
pub struct Unopened {
    /// Who it says it is from; empty when even that cannot be read.
    pub sender: String,
    /// Why it was not opened: a stable code.
    pub reason: String,
    /// When it came, by this phone's clock.
    pub received_at: Timestamp,
}

impl std::fmt::Debug for Unopened {
    /// Says why, and not who.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unopened")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The envelopes that are kept sealed, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn unopened(&self) -> Result<Vec<Unopened>, Error> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT sender, reason, received_at FROM unopened ORDER BY rowid DESC")
                .map_err(StoreError::from)?;
            let rows = select
                .query_map([], |row| {
                    Ok(Unopened {
                        sender: row.get(0)?,
                        reason: row.get(1)?,
                        received_at: Timestamp::from_millis(row.get(2)?),
                    })
                })
                .map_err(StoreError::from)?;
            Ok(rows.collect::<Result<_, _>>().map_err(StoreError::from)?)
        })
    }
}

/// Keeps an entry as it came.
pub(super) fn keep(
    tx: &Transaction<'_>,
    reason: Reason,
    from: Option<&(Address, MessageId)>,
    entry: &Entry,
) -> Result<(), Error> {
    tracing::warn!(reason = reason.code(), "an envelope is kept unopened");
    tx.execute(
        "INSERT INTO unopened (sender, id, entry, payload, reason, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            from.map_or("", |(sender, _)| sender.as_str()),
            from.map_or(&[][..], |(_, id)| id.as_bytes().as_slice()),
            entry.body.as_deref().map_or(&[][..], Vec::as_slice),
            entry.payload.as_deref().map_or(&[][..], Vec::as_slice),
            reason.code(),
            Timestamp::now().as_millis(),
        ],
    )
    .map_err(StoreError::from)?;
    Ok(())
}
