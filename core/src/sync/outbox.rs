//! The rows of the outbox: what is due, what each asks of the relay, and what becomes of it. Sending them is `push`'s.
//! A row's place may be another row's after it is gone, its key never: every change names both.

use std::time::Duration;

use protocol::api::{DepositAnswer, PrekeyWish};
use protocol::chunked::ContentKey;
use protocol::envelope::Kind;
use protocol::{Address, Code, Digest, MessageId, Recipients};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::backoff::pauses;
use super::{standing, states};
use crate::account;
use crate::clock;
use crate::error::{Error, KeysError};
use crate::mail::delivery::{self, DeliveryState};
use crate::store::StoreError;
use crate::store::column::{Column, numbered};

/// Longest pause between two attempts of a row.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// How often a row is tried for the sake of a recipient whose keys are not to be used now, before the others get it alone.
const PATIENCE: u32 = 8;

/// Which rows are due: those that failed before come last, so that one which always fails holds up none of the others.
/// A mail that is being taken back is not sent again meanwhile.
const DUE: &str =
    "o.refused = '' AND NOT o.next_attempt_at BETWEEN ?1 + 1 AND ?1 + 1800000 AND NOT (o.kind = 0 AND EXISTS
    (SELECT 1 FROM outbox w WHERE w.message = o.message AND w.kind = 2 AND w.refused = ''))";

/// The places of the rows that are due, in their order: what a person wrote goes before what others ask for again, unless it
/// was tried in vain again and again.
pub(super) fn due(connection: &Connection) -> Result<Vec<i64>, Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT o.rowid FROM outbox o WHERE {DUE} ORDER BY iif(o.kind = ?3, ?2, o.attempts), o.attempts, o.rowid"
    ))?;
    let rows = select.query_map(params![Column(&clock::now()), PATIENCE, OutboxKind::Rewrap], |row| {
        row.get(0)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Queues what this device has to say to `to` by itself: an envelope with this content.
pub(crate) fn queue(tx: &Transaction<'_>, kind: OutboxKind, to: &Address, content: &[u8]) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO outbox (kind, idempotency_key, recipients, content) VALUES (?1, ?2, ?3, ?4)",
        params![kind, Column(&MessageId::make()?), Column(to), content],
    )?;
    Ok(())
}

/// Whether this message waits here to be sent.
pub(crate) fn is_leaving(connection: &Connection, sender: &Address, id: MessageId) -> Result<bool, Error> {
    let is_leaving = connection
        .prepare_cached(
            "SELECT 1 FROM outbox JOIN message ON message.rowid = outbox.message
             WHERE message.sender = ?1 AND message.id = ?2 AND outbox.refused = ''",
        )?
        .exists(params![Column(sender), Column(&id)])?;
    Ok(is_leaving)
}

/// Whether an answer, a request, or word of a history was not tried yet.
pub(super) fn has_untried(connection: &Connection) -> Result<bool, Error> {
    let is_fresh = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE kind IN (?1, ?2, ?3) AND attempts = 0)",
        [OutboxKind::RewrapRequest, OutboxKind::Rewrap, OutboxKind::History],
        |row| row.get(0),
    )?;
    Ok(is_fresh)
}

/// Whether a row is due, or a receipt that will be one.
pub(super) fn is_due(connection: &Connection) -> Result<bool, Error> {
    if states::is_due(connection)? {
        return Ok(true);
    }
    let is_due = connection.query_row(
        &format!("SELECT EXISTS (SELECT 1 FROM outbox o WHERE {DUE}) OR EXISTS (SELECT 1 FROM receipt)"),
        [Column(&clock::now())],
        |row| row.get(0),
    )?;
    Ok(is_due)
}

/// How many rows wait for another attempt. What own devices tell each other may wait for one that is shut out: that is nothing a
/// person waits for.
pub(super) fn waiting(connection: &Connection) -> Result<u32, Error> {
    let waiting = connection.query_row(
        "SELECT count(*) FROM outbox WHERE refused = '' AND kind NOT IN (?1, ?2)",
        [OutboxKind::State, OutboxKind::History],
        |row| row.get(0),
    )?;
    Ok(waiting)
}

/// A row that cannot even be read is set aside with its code.
pub(super) fn refuse_unread(tx: &Transaction<'_>, rowid: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE outbox SET refused = ?2 WHERE rowid = ?1",
        params![rowid, StoreError::Corrupt.code()],
    )?;
    tx.execute(
        "UPDATE delivery SET state = ?2, state_at = ?3
         WHERE message = (SELECT message FROM outbox WHERE rowid = ?1) AND state = ?4",
        params![
            rowid,
            DeliveryState::Refused,
            Column(&clock::now()),
            DeliveryState::Queued
        ],
    )?;
    Ok(())
}

/// What a row of the outbox asks of the relay, as it is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OutboxKind {
    /// To take a mail.
    Mail,
    /// To take receipts.
    Receipts,
    /// To give a mail back.
    Withdrawal,
    /// To take a request for mails that do not open here.
    RewrapRequest,
    /// To hand a mail out again, wrapped anew.
    Rewrap,
    /// To tell the account's other devices what was done here.
    State,
    /// To tell a new device where its history is.
    History,
}

numbered! {
    OutboxKind {
        Mail = 0,
        Receipts = 1,
        Withdrawal = 2,
        RewrapRequest = 3,
        Rewrap = 4,
        State = 5,
        History = 6,
    }
}

/// A row.
pub(super) struct Row {
    rowid: i64,
    pub(super) key: MessageId,
    attempts: u32,
    pub(super) work: Work,
}

impl Row {
    /// The row, unless it was withdrawn meanwhile.
    pub(super) fn load(connection: &Connection, rowid: i64) -> Result<Option<Self>, Error> {
        let row = connection
            .query_row(
                "SELECT o.idempotency_key, o.attempts, o.kind, o.message, o.recipients, o.header, o.payload, o.content_key,
                        CASE o.kind WHEN 0 THEN m.content ELSE o.content END
                 FROM outbox o LEFT JOIN message m ON m.rowid = o.message WHERE o.rowid = ?1",
                [rowid],
                |row| {
                    let Column(key) = row.get(0)?;
                    Ok(Self {
                        rowid,
                        key,
                        attempts: row.get(1)?,
                        work: Work::read(row)?,
                    })
                },
            )
            .optional()?;
        Ok(row)
    }

    /// Whether it was tried so few times that it waits for all of its recipients.
    pub(super) const fn is_fresh(&self) -> bool {
        self.attempts < PATIENCE
    }

    /// Whether the row was still there.
    pub(super) fn remove(&self, tx: &Transaction<'_>) -> Result<bool, Error> {
        let removed = tx.execute(
            "DELETE FROM outbox WHERE rowid = ?1 AND idempotency_key = ?2",
            params![self.rowid, Column(&self.key)],
        )?;
        Ok(removed > 0)
    }

    /// Stores what was sealed; whether this was the first to do so, and the row still there.
    pub(super) fn keep_sealed(&self, tx: &Transaction<'_>, sealed: &Sealed) -> Result<bool, Error> {
        // Whatever becomes of the row: its answer may be lost.
        standing::remember(tx, Digest::of(&[&sealed.header]))?;
        let changed = tx.execute(
            "UPDATE outbox SET header = ?3, payload = ?4, content_key = ?5
             WHERE rowid = ?1 AND idempotency_key = ?2 AND header = x''",
            params![
                self.rowid,
                Column(&self.key),
                sealed.header,
                sealed.payload,
                Column(&sealed.key)
            ],
        )?;
        Ok(changed > 0)
    }

    /// What is stored as sealed by now; none when the row was taken back.
    pub(super) fn sealed_elsewhere(&self, connection: &Connection) -> Result<Option<Sealed>, Error> {
        let stored = Self::load(connection, self.rowid)?.filter(|stored| stored.key == self.key);
        Ok(stored.and_then(|stored| match stored.work {
            Work::Deposit(envelope) => envelope.sealed,
            Work::Rewrap { .. } | Work::Withdrawal { .. } => None,
        }))
    }

    /// The relay has the envelope: the row has done its work. Another process may have settled it already.
    pub(super) fn settle(
        &self,
        tx: &Transaction<'_>,
        (envelope, sealed): (&Envelope, &Sealed),
        answer: &DepositAnswer,
    ) -> Result<(), Error> {
        if !self.remove(tx)? {
            return Ok(());
        }
        standing::deposited(tx, &sealed.header, answer.accepted_at)?;
        let Contents::Mail { message } = envelope.what else {
            return Ok(());
        };
        states::record_here(tx, &account::own_address(tx)?, self.key)?;
        for outcome in &answer.outcomes {
            let state = DeliveryState::of_step(outcome.step);
            delivery::advance(tx, message, &outcome.address, state, answer.accepted_at)?;
        }
        // Who was left out when it was sealed is not among them, and does not stay queued for ever after a retry.
        for address in &envelope.to {
            if !answer.outcomes.iter().any(|outcome| outcome.address == *address) {
                delivery::advance(tx, message, address, DeliveryState::Unreachable, answer.accepted_at)?;
            }
        }
        Ok(())
    }

    /// The relay keeps the mail out, because it was taken back: the row has done its work.
    pub(super) fn settle_withdrawn(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        if self.remove(tx)?
            && let Some(message) = self.work.mail()
        {
            delivery::withdrawn(tx, message)?;
        }
        Ok(())
    }

    /// A mail stays with the code for a person to see; nothing of the message is lost. Other work is given up.
    pub(super) fn refuse(&self, tx: &Transaction<'_>, error: &Error) -> Result<(), Error> {
        let Work::Deposit(Envelope {
            what: Contents::Mail { message },
            to,
            ..
        }) = &self.work
        else {
            return self.remove(tx).map(drop);
        };
        let refused = tx.execute(
            "UPDATE outbox SET refused = ?3 WHERE rowid = ?1 AND idempotency_key = ?2",
            params![self.rowid, Column(&self.key), error.code()],
        )?;
        if refused == 0 {
            return Ok(());
        }
        let state = match error {
            Error::Relay(Code::Unreachable) => DeliveryState::Unreachable,
            // No two mails have one id: it left this phone before, which was put back to an earlier copy since.
            Error::Relay(Code::MessageIdReused) => {
                self.remove(tx)?;
                DeliveryState::Unknown
            }
            _ => DeliveryState::Refused,
        };
        for address in to {
            delivery::advance(tx, *message, address, state, clock::now())?;
        }
        Ok(())
    }

    /// The row waits longer after each attempt.
    pub(super) fn postpone(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let nth = usize::try_from(self.attempts.min(20)).unwrap_or(20);
        let pause = pauses(LONGEST_PAUSE).nth(nth).unwrap_or(LONGEST_PAUSE);
        let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        let next = clock::now().plus_millis(pause);
        tx.execute(
            "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?3 WHERE rowid = ?1 AND idempotency_key = ?2",
            params![self.rowid, Column(&self.key), Column(&next)],
        )?;
        Ok(())
    }

    /// Whether this is final for the row, too. Who sent a mail has a device: what phones tell each other by themselves waits
    /// until it is back, when a person would have to send a mail again.
    pub(super) const fn is_refused_by(&self, error: &Error) -> bool {
        let is_mail = matches!(
            self.work,
            Work::Deposit(Envelope {
                what: Contents::Mail { .. },
                ..
            })
        );
        is_final(error) && (is_mail || !matches!(error, Error::Relay(Code::Unreachable)))
    }
}

/// What a row asks of the relay.
pub(super) enum Work {
    /// To take an envelope.
    Deposit(Envelope),
    /// To hand a mail out again, to these recipients of it.
    Rewrap { message: i64, to: Recipients },
    /// To give a mail back.
    Withdrawal { message: i64, id: MessageId },
}

impl Work {
    /// The number of the mail that it is about.
    const fn mail(&self) -> Option<i64> {
        match self {
            Self::Deposit(Envelope {
                what: Contents::Mail { message },
                ..
            })
            | Self::Withdrawal { message, .. } => Some(*message),
            Self::Deposit(_) | Self::Rewrap { .. } => None,
        }
    }

    /// The work of a row as [`Row::load`] selects it.
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let what = match row.get(2)? {
            OutboxKind::Mail => Contents::Mail { message: row.get(3)? },
            OutboxKind::Receipts => Contents::Receipts,
            OutboxKind::RewrapRequest => Contents::RewrapRequest,
            OutboxKind::State => Contents::State,
            OutboxKind::History => Contents::History,
            OutboxKind::Rewrap => {
                let Column(to) = row.get(4)?;
                return Ok(Self::Rewrap {
                    message: row.get(3)?,
                    to,
                });
            }
            OutboxKind::Withdrawal => {
                let Column(id) = row.get(8)?;
                return Ok(Self::Withdrawal {
                    message: row.get(3)?,
                    id,
                });
            }
        };
        let Column(to) = row.get(4)?;
        Ok(Self::Deposit(Envelope {
            what,
            to,
            content: row.get(8).map(Zeroizing::new)?,
            sealed: Sealed::read(row)?,
        }))
    }
}

/// An envelope that is to be deposited.
pub(super) struct Envelope {
    pub(super) what: Contents,
    pub(super) to: Recipients,
    pub(super) content: Zeroizing<Vec<u8>>,
    pub(super) sealed: Option<Sealed>,
}

/// What an envelope holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Contents {
    /// The mail with this number.
    Mail { message: i64 },
    /// Receipts: no person waits for them.
    Receipts,
    /// A request for mails that do not open here.
    RewrapRequest,
    /// What was done here, for the account's other devices.
    State,
    /// Where the history of a new device is.
    History,
}

impl Contents {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Mail { .. } => Kind::Mail,
            Self::Receipts => Kind::Receipts,
            Self::RewrapRequest => Kind::Rewrap,
            Self::State => Kind::State,
            Self::History => Kind::History,
        }
    }

    /// One-time prekeys are for what a person wrote.
    pub(super) const fn prekeys(self) -> PrekeyWish {
        match self {
            // A history's envelope holds a key.
            Self::Mail { .. } | Self::History => PrekeyWish::OneTime,
            Self::Receipts | Self::RewrapRequest | Self::State => PrekeyWish::LastResort,
        }
    }
}

/// What was sealed at the first attempt.
pub(super) struct Sealed {
    pub(super) header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) key: ContentKey,
}

impl Sealed {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Self>> {
        let header: Vec<u8> = row.get(5)?;
        if header.is_empty() {
            return Ok(None);
        }
        let Column(key) = row.get(7)?;
        Ok(Some(Self {
            header,
            payload: row.get(6)?,
            key,
        }))
    }
}

/// Whether trying again would give the same.
pub(super) const fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::Draft(_)
            | Error::Envelope(_)
            | Error::Relay(
                Code::Malformed
                    | Code::MessageIdReused
                    | Code::NotFound
                    | Code::NotYours
                    | Code::SignatureRefused
                    | Code::TooLarge
                    | Code::Unreachable
            )
    )
}

/// Whether a recipient's trouble may pass, by the relay's doing or by a person's word.
pub(super) const fn may_pass(error: &Error) -> bool {
    matches!(
        error,
        Error::Keys(
            KeysError::IdentityChanged
                | KeysError::PrekeysUnverified
                | KeysError::RelayBehind
                | KeysError::RelayForked
                | KeysError::Unverified
        )
    )
}

/// What is shown of a recipient who is left out for this.
pub(super) const fn left_out_for(error: &Error) -> DeliveryState {
    match error {
        Error::Keys(KeysError::CorrespondentTooNew) => DeliveryState::TooNew,
        Error::Keys(KeysError::IdentityChanged) => DeliveryState::IdentityChanged,
        _ => DeliveryState::KeysRefused,
    }
}
