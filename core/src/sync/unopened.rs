//! Envelopes that could not be opened: kept sealed, and tried again while what was missing may still come.

use protocol::archive::UnopenedMessage;
use protocol::envelope::{Class, Header};
use protocol::sequence::{Entry, EntryBody, SequencePage};
use protocol::{Address, Digest, MessageId, Timestamp, cbor};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::SyncReport;
use crate::account::Account;
use crate::clock;
use crate::code::coded;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;

/// For how long an envelope is tried again, in days. What is held for an identity that a person has to accept is held until
/// they do.
const REOPEN_DAYS: i64 = 30;
/// How many are tried at once.
const REOPEN_AT_ONCE: u32 = 16;

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The key does not open it.
    CannotOpen,
    /// It opens, and what it holds does not go into the store.
    CannotStore,
    /// The relay hands out its place alone: it was taken back, it expired, or the relay dropped it.
    Emptied,
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
    /// The relay lost what was sealed; its sender is told to send it again.
    PayloadLost,
    /// The relay knows no such account any more.
    SenderUnknown,
    /// No device of the sender signed it.
    WrongSignature,
}

coded! {
    Reason {
        CannotOpen = "cannot-open",
        CannotStore = "cannot-store",
        Emptied = "taken-back-or-dropped",
        IdentityChanged = "identity-changed",
        KeysUnverified = "keys-unverified",
        Malformed = "malformed",
        NoPrekey = "no-prekey",
        OtherRecipient = "other-recipient",
        PayloadLost = "payload-lost",
        SenderUnknown = "sender-unknown",
        WrongSignature = "wrong-signature",
    }
}

impl Reason {
    /// Whether the sender's wrapping it again can make it readable.
    const fn is_mended_by_a_wrap(self) -> bool {
        match self {
            Self::CannotOpen
            | Self::CannotStore
            | Self::IdentityChanged
            | Self::KeysUnverified
            | Self::NoPrekey
            | Self::SenderUnknown
            | Self::WrongSignature => true,
            Self::Emptied | Self::Malformed | Self::OtherRecipient | Self::PayloadLost => false,
        }
    }
}

impl FromSql for Reason {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let code = value.as_str()?;
        let known = Self::ALL.iter().find(|reason| reason.code() == code);
        known.copied().ok_or(FromSqlError::InvalidType)
    }
}

impl ToSql for Reason {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.code().into())
    }
}

/// An envelope that is kept sealed.
#[derive(Clone, Eq, PartialEq)]
pub struct Unopened {
    /// Who it says it is from; empty when even that cannot be read.
    pub sender: String,
    /// Why it was not opened.
    pub reason: Reason,
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
            let mut select =
                connection.prepare_cached("SELECT sender, reason, received_at FROM unopened ORDER BY rowid DESC")?;
            let rows = select.query_map([], |row| {
                let Column(received_at) = row.get(2)?;
                Ok(Unopened {
                    sender: row.get(0)?,
                    reason: row.get(1)?,
                    received_at,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Session {
    /// Tries those again whose sender could not be made out: that may have been the relay's passing trouble, or the person
    /// has accepted another identity since, or a newer list of the sender's devices has come. Those that were not tried for
    /// longest come first.
    pub(super) async fn reopen(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        let kept = self.read(|connection| to_try(connection, clock::now()))?;
        if kept.is_empty() {
            return Ok(());
        }
        let (rows, entries): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
        let page = SequencePage { entries };
        let arrivals = self.open_page(account, &page).await?;
        let done = self.write(|tx| {
            let mut done = SyncReport::default();
            let now = clock::now().as_millis();
            for (row, arrival) in rows.iter().zip(&arrivals) {
                tx.execute("UPDATE unopened SET tried_at = ?2 WHERE rowid = ?1", params![row, now])?;
                // Another process may have opened it meanwhile.
                let is_there = tx
                    .prepare_cached("SELECT 1 FROM unopened WHERE rowid = ?1")?
                    .exists([row])?;
                if is_there && arrival.is_opened() && arrival.try_store(tx, &mut done)? {
                    tx.execute("DELETE FROM unopened WHERE rowid = ?1", [row])?;
                } else if arrival.lacks_key() {
                    // It was held for longer than its prekey is kept: its sender is asked for it.
                    tx.execute(
                        "UPDATE unopened SET reason = ?2 WHERE rowid = ?1",
                        params![row, Reason::NoPrekey],
                    )?;
                }
            }
            Ok(done)
        })?;
        report.add(&SyncReport {
            waiting: report.waiting,
            ..done
        });
        Ok(())
    }
}

/// The entries that are worth another try, also because the clock was ahead at the last one.
fn to_try(connection: &Connection, now: Timestamp) -> Result<Vec<(i64, Entry)>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT rowid, entry, payload FROM unopened
         WHERE (reason IN (?1, ?2, ?3, ?4) OR reason IN (?5, ?9) AND (tried_at = 0 OR tried_at > ?8)) AND received_at > ?6
         OR reason = ?2 AND NOT EXISTS (SELECT 1 FROM correspondent WHERE address = unopened.sender AND changed <> x'')
         ORDER BY tried_at, rowid LIMIT ?7",
    )?;
    let again = params![
        Reason::CannotStore,
        Reason::IdentityChanged,
        Reason::KeysUnverified,
        Reason::SenderUnknown,
        Reason::WrongSignature,
        Column(&now.plus_days(-REOPEN_DAYS)),
        REOPEN_AT_ONCE,
        Column(&now),
        Reason::OtherRecipient
    ];
    let rows = select.query_map(again, |row| {
        let (body, payload): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let entry = Entry {
            number: 0,
            digest: Digest::of(&[&body]),
            body: Some(body.into()),
            payload: Some(payload.into()),
        };
        Ok((row.get(0)?, entry))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When an envelope with this header came first: what it holds was settled by then. That is now for one that was not kept, and
/// for one that was by a clock which was ahead.
pub(super) fn came_at(
    connection: &Connection,
    (sender, id): (&Address, MessageId),
    header: &[u8],
) -> Result<Timestamp, Error> {
    let now = clock::now();
    let mut select = connection
        .prepare_cached("SELECT entry, received_at FROM unopened WHERE sender = ?1 AND id = ?2 ORDER BY received_at")?;
    let mut rows = select.query(params![Column(sender), Column(&id)])?;
    while let Some(row) = rows.next()? {
        let (body, Column(received_at)): (Vec<u8>, _) = (row.get(0)?, row.get(1)?);
        if matches!(cbor::decode(&body), Ok(EntryBody::Mail(mail)) if mail.header.as_slice() == header) {
            return Ok(now.min(received_at));
        }
    }
    Ok(now)
}

/// What no device of the sender had signed is tried once more: another list of its devices is known now.
pub(crate) fn try_again(tx: &Transaction<'_>, sender: &Address) -> Result<(), Error> {
    tx.execute(
        "UPDATE unopened SET tried_at = 0 WHERE sender = ?1 AND reason = ?2",
        params![Column(sender), Reason::WrongSignature],
    )?;
    Ok(())
}

/// What was sealed for somebody else is tried once more: it is known now who this account was before.
pub(crate) fn try_for_former(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute(
        "UPDATE unopened SET tried_at = 0 WHERE reason = ?1",
        [Reason::OtherRecipient],
    )?;
    Ok(())
}

/// It is here, or was deleted.
pub(crate) fn forget(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM unopened WHERE sender = ?1 AND id = ?2",
        params![Column(sender), Column(&id)],
    )?;
    Ok(())
}

/// What another device of this account sealed came with the history, mail and states, as it was asked for.
pub(crate) fn forget_asked(tx: &Transaction<'_>, own: &Address) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM unopened WHERE sender = ?1 AND asked_at > 0 AND reason IN (?2, ?3)",
        params![Column(own), Reason::NoPrekey, Reason::CannotOpen],
    )?;
    Ok(())
}

/// A message that is kept sealed.
pub(crate) struct Kept {
    pub(crate) received_at: Timestamp,
    /// Whether its sender can be asked to wrap it again. Of receipts and states nobody keeps a copy.
    pub(crate) is_mail: bool,
}

/// What is kept of this message, if it is kept sealed.
pub(crate) fn kept(connection: &Connection, sender: &Address, id: MessageId) -> Result<Option<Kept>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT entry, reason, received_at FROM unopened WHERE sender = ?1 AND id = ?2 ORDER BY received_at LIMIT 1",
    )?;
    let kept = select.query_row(params![Column(sender), Column(&id)], |row| {
        let (entry, reason, Column(received_at)): (Vec<u8>, Reason, _) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Kept {
            received_at,
            is_mail: reason.is_mended_by_a_wrap() && is_mail(&entry),
        })
    });
    Ok(kept.optional()?)
}

/// Whether this is an entry of a mail, or what [`ask_for`] puts in the place of one.
fn is_mail(entry: &[u8]) -> bool {
    if entry.is_empty() {
        return true;
    }
    let Ok(EntryBody::Mail(mail)) = cbor::decode(entry) else {
        return false;
    };
    Header::parse(&mail.header).is_ok_and(|header| header.class == Class::Mail)
}

/// An earlier phone, or the main device, keeps this sealed: its sender is asked to wrap it for this device, too.
pub(crate) fn ask_for(tx: &Transaction<'_>, kept: &UnopenedMessage) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO unopened (sender, id, entry, payload, reason, received_at)
         SELECT ?1, ?2, x'', x'', ?3, ?4
         WHERE NOT EXISTS (SELECT 1 FROM seen WHERE sender = ?1 AND id = ?2)
         AND NOT EXISTS (SELECT 1 FROM message WHERE sender = ?1 AND id = ?2)
         AND NOT EXISTS (SELECT 1 FROM unopened WHERE sender = ?1 AND id = ?2)",
        params![
            Column(&kept.sender),
            Column(&kept.id),
            Reason::NoPrekey,
            Column(&kept.received_at)
        ],
    )?;
    Ok(())
}

/// Another device has what the relay lost before it came here: its sender is asked for it, as for what no key opens.
pub(super) fn lacks_payload_no_more(tx: &Transaction<'_>, sender: &Address, id: MessageId) -> Result<(), Error> {
    tx.execute(
        "UPDATE unopened SET reason = ?4 WHERE sender = ?1 AND id = ?2 AND reason = ?3",
        params![Column(sender), Column(&id), Reason::PayloadLost, Reason::NoPrekey],
    )?;
    Ok(())
}

/// Keeps an entry as it came. One that comes again, as from a relay that was put back, is kept once.
pub(super) fn keep(
    tx: &Transaction<'_>,
    reason: Reason,
    from: Option<&(Address, MessageId)>,
    entry: &Entry,
) -> Result<(), Error> {
    tracing::warn!(reason = reason.code(), "an envelope is kept unopened");
    tx.execute(
        "INSERT INTO unopened (sender, id, entry, payload, reason, received_at, tried_at, digest)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, iif(?5 IN (?7, ?9), ?6, 0), ?8
         WHERE NOT EXISTS (SELECT 1 FROM unopened WHERE digest = ?8 AND reason = ?5)",
        params![
            from.map_or("", |(sender, _)| sender.as_str()),
            Column(&from.map(|(_, id)| *id)),
            entry.body.as_deref().map_or(&[][..], Vec::as_slice),
            entry.payload.as_deref().map_or(&[][..], Vec::as_slice),
            reason,
            Column(&clock::now()),
            Reason::WrongSignature,
            Column(&entry.digest),
            Reason::OtherRecipient,
        ],
    )?;
    Ok(())
}
