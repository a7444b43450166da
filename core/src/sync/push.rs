//! The outbox on its way to the relay. A mail is sealed once, and its header and payload never change again;
//! only its wraps follow the device lists. One row that fails holds up none of the others.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use protocol::api::{DepositAnswer, PrekeyWish};
use protocol::cbor;
use protocol::chunked::ContentKey;
use protocol::envelope::{self, Deposit, Header, Kind, Wrap};
use protocol::identity::VerifiedAccount;
use protocol::prekey::VerifiedPrekey;
use protocol::statement::StatedRecipient;
use protocol::{Address, Code, MessageId};
use rusqlite::{OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::{SyncReport, receipts};
use crate::account::Account;
use crate::account::correspondent::Known;
use crate::clock;
use crate::crash::crash_point;
use crate::error::{DraftError, Error, KeysError};
use crate::mail::delivery::{self, DeliveryState};
use crate::session::Session;
use crate::store::StoreError;
use crate::store::column::{Column, numbered};

/// What a row of the outbox asks of the relay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OutboxKind {
    /// To take a mail.
    Mail,
    /// To take receipts.
    Receipts,
    /// To give a mail back.
    Withdrawal,
}

numbered! {
    OutboxKind {
        Mail = 0,
        Receipts = 1,
        Withdrawal = 2,
    }
}

/// How often wraps are made anew in one attempt, when device lists keep changing.
const WRAP_ROUNDS: u32 = 3;
/// Longest pause between two attempts of a row.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Which rows are due: those that failed before come last, so that one which always fails holds up none of the others.
/// A mail that is being taken back is not sent again meanwhile.
const DUE: &str =
    "o.refused = '' AND NOT o.next_attempt_at BETWEEN ?1 + 1 AND ?1 + 1800000 AND NOT (o.kind = 0 AND EXISTS
    (SELECT 1 FROM outbox w WHERE w.message = o.message AND w.kind = 2 AND w.refused = ''))";

/// A row that is due.
struct Row {
    rowid: i64,
    kind: OutboxKind,
    id: MessageId,
    message: Option<i64>,
    recipients: Vec<Address>,
    sealed: Option<Sealed>,
    content: Zeroizing<Vec<u8>>,
    attempts: u32,
}

/// What was sealed at the first attempt.
struct Sealed {
    header: Vec<u8>,
    payload: Vec<u8>,
    key: ContentKey,
}

/// What became of sealing a row.
enum Sealing {
    Done(Sealed),
    /// Another process had sealed it.
    Elsewhere(Sealed),
    /// The row is gone: it was taken back.
    Withdrawn,
}

/// Who a row goes to.
struct Audience {
    accounts: Vec<VerifiedAccount>,
    prekeys: Vec<VerifiedPrekey>,
}

impl Session {
    /// Sends every row that is due, in order.
    pub(super) async fn push(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        self.write(receipts::queue)?;
        let mut failed = None;
        for rowid in self.due_rows()? {
            let row = match self.load_row(rowid) {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(Error::Store(StoreError::Corrupt)) => {
                    tracing::warn!("a row of the outbox cannot be read");
                    self.write(|tx| refuse_unread(tx, rowid))?;
                    report.refused = report.refused.saturating_add(1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let outcome = match row.kind {
                OutboxKind::Mail | OutboxKind::Receipts => self.push_envelope(account, &row).await,
                OutboxKind::Withdrawal => self.push_withdrawal(account, &row).await,
            };
            match outcome {
                Ok(true) => report.sent = report.sent.saturating_add(1),
                // It was taken back while it was being sealed.
                Ok(false) => {}
                // It was taken back before this attempt to send it came.
                Err(Error::Relay(Code::Withdrawn)) => self.write(|tx| settle_withdrawn(tx, &row))?,
                Err(error) if is_final(&error) && !waits_for_return(&row, &error) => {
                    tracing::warn!(code = error.code(), "an outgoing change was refused");
                    self.write(|tx| refuse(tx, &row, error.code()))?;
                    report.refused = report.refused.saturating_add(1);
                }
                // Nothing got through at all: that is the line's fault, not the row's.
                Err(Error::Network(reason)) if reason.is_line_down() => return Err(reason.into()),
                Err(error) => {
                    self.write(|tx| postpone(tx, &row))?;
                    match error {
                        Error::Locked | Error::Store(_) => return Err(error),
                        // It may be this row that the line does not take: the others are tried all the same, once.
                        Error::Network(_) if failed.is_some() => break,
                        Error::Network(_) => failed = Some(error),
                        _ => {}
                    }
                }
            }
        }
        report.waiting = self.read(|connection| {
            let waiting =
                connection.query_row("SELECT count(*) FROM outbox WHERE refused = ''", [], |row| row.get(0))?;
            Ok(waiting)
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Whether a row of the outbox or a receipt is due.
    pub(super) fn has_due_work(&self) -> Result<bool, Error> {
        let now = clock::now();
        self.read(|connection| {
            let due = connection.query_row(
                &format!("SELECT EXISTS (SELECT 1 FROM outbox o WHERE {DUE}) OR EXISTS (SELECT 1 FROM receipt)"),
                [Column(&now)],
                |row| row.get(0),
            )?;
            Ok(due)
        })
    }

    fn due_rows(&self) -> Result<Vec<i64>, Error> {
        let now = clock::now();
        self.read(|connection| {
            let mut select = connection.prepare_cached(&format!(
                "SELECT o.rowid FROM outbox o WHERE {DUE} ORDER BY o.attempts, o.rowid"
            ))?;
            let rows = select.query_map([Column(&now)], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The row, unless it was withdrawn meanwhile.
    fn load_row(&self, rowid: i64) -> Result<Option<Row>, Error> {
        self.read(|connection| {
            let row = connection
                .query_row(
                    "SELECT o.kind, o.idempotency_key, o.message, o.recipients, o.header, o.payload, o.content_key,
                            CASE o.kind WHEN 0 THEN m.content ELSE o.content END, o.attempts
                     FROM outbox o LEFT JOIN message m ON m.rowid = o.message WHERE o.rowid = ?1",
                    [rowid],
                    |row| {
                        Ok((
                            row.get(0)?,
                            row.get(1)?,
                            row.get(2)?,
                            row.get::<_, String>(3)?,
                            row.get::<_, Vec<u8>>(4)?,
                            row.get(5)?,
                            row.get::<_, Vec<u8>>(6).map(Zeroizing::new)?,
                            row.get(7).map(Zeroizing::new)?,
                            row.get(8)?,
                        ))
                    },
                )
                .optional()?;
            let Some((kind, Column(id), message, recipients, header, payload, key, content, attempts)) = row else {
                return Ok(None);
            };
            let sealed = if header.is_empty() {
                None
            } else {
                let key = key.as_slice().try_into().map_err(|_| StoreError::Corrupt)?;
                Some(Sealed {
                    header,
                    payload,
                    key: ContentKey::from_bytes(key),
                })
            };
            Ok(Some(Row {
                rowid,
                kind,
                id,
                message,
                recipients: parse_recipients(&recipients)?,
                sealed,
                content,
                attempts,
            }))
        })
    }

    /// Sends a mail or receipts; `false` when the row was withdrawn before it was sealed.
    async fn push_envelope(&self, account: &Account, row: &Row) -> Result<bool, Error> {
        let mut sealed = None;
        for _ in 0..WRAP_ROUNDS {
            let known = sealed.as_ref().or(row.sealed.as_ref());
            let audience = match (self.audience(account, row, known).await, known) {
                (Ok(audience), _) => audience,
                // An earlier attempt may have been accepted and its reply lost: the relay knows, whatever became of the recipients.
                (Err(error), Some(envelope)) if is_final(&error) => {
                    match self.relay.deposit(account, deposit(envelope, &[])?).await {
                        Ok(answer) => return self.write(|tx| settle(tx, row, &answer)).map(|()| true),
                        Err(Error::Network(reason)) => return Err(reason.into()),
                        Err(withdrawn @ Error::Relay(Code::Withdrawn)) => return Err(withdrawn),
                        Err(_) => return Err(error),
                    }
                }
                (Err(error), _) => return Err(error),
            };
            if known.is_none() {
                sealed = match self.seal(account, row, &audience.accounts)? {
                    Sealing::Done(sealed) => Some(sealed),
                    Sealing::Elsewhere(stored) => {
                        // Another process was quicker: its key and its recipients are those that count.
                        sealed = Some(stored);
                        continue;
                    }
                    Sealing::Withdrawn => return Ok(false),
                };
                crash_point!("mail-sealed");
            }
            let Some(envelope) = sealed.as_ref().or(row.sealed.as_ref()) else {
                continue;
            };
            let deposit = deposit(envelope, &audience.prekeys)?;
            match self.relay.deposit(account, deposit).await {
                Ok(answer) => {
                    crash_point!("deposit-answered");
                    self.write(|tx| settle(tx, row, &answer))?;
                    crash_point!("deposit-settled");
                    return Ok(true);
                }
                Err(Error::Relay(Code::DevicesChanged)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Relay(Code::DevicesChanged))
    }

    /// Asks who the row goes to. Before it is sealed, recipients without a device are left out; afterwards the header decides.
    async fn audience(&self, account: &Account, row: &Row, sealed: Option<&Sealed>) -> Result<Audience, Error> {
        let recipients = match sealed {
            Some(sealed) => Header::parse(&sealed.header)?.to.as_slice().to_vec(),
            None => row.recipients.clone(),
        };
        let wish = if row.kind == OutboxKind::Mail {
            PrekeyWish::OneTime
        } else {
            PrekeyWish::LastResort
        };
        let mut asked = recipients.clone();
        // Mail goes to the sender's own other devices, too.
        let own_devices = account.verified.devices().len() > 1;
        if own_devices {
            asked.push(account.address.clone());
        }
        let mut known = self.ask_keys(account, asked, wish).await?;
        let mut audience = Audience {
            accounts: Vec::new(),
            prekeys: Vec::new(),
        };
        for address in recipients {
            match known.remove(&address) {
                Some(Known::Trusted { account, prekeys }) => {
                    audience.accounts.push(account);
                    audience.prekeys.extend(prekeys);
                }
                Some(Known::Changed) => return Err(DraftError::IdentityChanged.into()),
                Some(Known::Unverified(reason)) => return Err(reason.into()),
                None => {}
            }
        }
        if let Some(Known::Trusted { prekeys, .. }) = known.remove(&account.address) {
            audience
                .prekeys
                .extend(prekeys.into_iter().filter(|prekey| prekey.device != account.device));
        }
        if audience.accounts.is_empty() {
            return Err(Error::Relay(Code::Unreachable));
        }
        if audience
            .prekeys
            .iter()
            .any(|prekey| !prekey.opens.contains(&envelope::VERSION))
        {
            return Err(KeysError::CorrespondentTooNew.into());
        }
        Ok(audience)
    }

    /// Seals the row's content and stores what never changes again, in one transaction: the first to do so decides.
    fn seal(&self, account: &Account, row: &Row, accounts: &[VerifiedAccount]) -> Result<Sealing, Error> {
        let recipients = accounts
            .iter()
            .map(|account| StatedRecipient {
                address: account.address().clone(),
                identity: account.fingerprint(),
            })
            .collect();
        let kind = if row.kind == OutboxKind::Mail {
            Kind::Mail
        } else {
            Kind::Receipts
        };
        let made = envelope::seal(account.sender(), row.id, kind, recipients, &row.content, clock::now())?;
        let is_first = self.write(|tx| {
            let changed = tx.execute(
                "UPDATE outbox SET header = ?3, payload = ?4, content_key = ?5
                     WHERE rowid = ?1 AND idempotency_key = ?2 AND header = x''",
                params![row.rowid, Column(&row.id), made.header, made.payload, Column(&made.key)],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            if let Some(message) = row.message {
                tx.execute(
                    "UPDATE message SET header = ?2, statement = ?3, signature = ?4, content_key = ?5 WHERE rowid = ?1",
                    params![
                        message,
                        made.header,
                        made.statement,
                        made.signature.as_bytes(),
                        Column(&made.key)
                    ],
                )?;
                for address in row
                    .recipients
                    .iter()
                    .filter(|address| !accounts.iter().any(|a| a.address() == *address))
                {
                    delivery::advance(tx, message, address, DeliveryState::Unreachable, clock::now())?;
                }
            }
            Ok(true)
        })?;
        if is_first {
            return Ok(Sealing::Done(Sealed {
                header: made.header,
                payload: made.payload,
                key: made.key,
            }));
        }
        let stored = self.load_row(row.rowid)?.filter(|stored| stored.id == row.id);
        Ok(stored
            .and_then(|stored| stored.sealed)
            .map_or(Sealing::Withdrawn, Sealing::Elsewhere))
    }

    async fn push_withdrawal(&self, account: &Account, row: &Row) -> Result<bool, Error> {
        let id = row.content.as_slice().try_into().map_err(|_| StoreError::Corrupt)?;
        let answer = self.relay.withdraw(account, MessageId::from_bytes(id)).await?;
        crash_point!("withdrawal-answered");
        self.write(|tx| {
            // Another process may have settled it, and the message's number be another's by now.
            let (true, Some(message)) = (remove(tx, row)?, row.message) else {
                return Ok(());
            };
            if answer.outcomes.is_empty() {
                // No attempt to send it was ever accepted, and none will be.
                delivery::withdrawn(tx, message)?;
            }
            for outcome in answer.outcomes {
                let state = DeliveryState::of_step(outcome.step);
                delivery::advance(tx, message, &outcome.address, state, clock::now())?;
            }
            tx.execute("DELETE FROM outbox WHERE message = ?1", [message])?;
            Ok(())
        })?;
        Ok(true)
    }
}

/// The encoded deposit: the sealed parts, and a wrap for each device.
fn deposit(sealed: &Sealed, prekeys: &[VerifiedPrekey]) -> Result<Vec<u8>, Error> {
    let wraps = prekeys
        .iter()
        .map(|prekey| Wrap::make(&sealed.key, &sealed.header, prekey))
        .collect::<Result<_, _>>()?;
    Ok(cbor::encode(&Deposit {
        header: sealed.header.clone().into(),
        wraps,
        payload: sealed.payload.clone().into(),
    }))
}

/// The relay has it: the row has done its work. Another process may have settled it already.
fn settle(tx: &Transaction<'_>, row: &Row, answer: &DepositAnswer) -> Result<(), Error> {
    if !remove(tx, row)? {
        return Ok(());
    }
    if let Some(message) = row.message {
        for outcome in &answer.outcomes {
            let state = DeliveryState::of_step(outcome.step);
            delivery::advance(tx, message, &outcome.address, state, answer.accepted_at)?;
        }
        // Who was left out when it was sealed is not among them, and does not stay queued for ever after a retry.
        for address in &row.recipients {
            if !answer.outcomes.iter().any(|outcome| outcome.address == *address) {
                delivery::advance(tx, message, address, DeliveryState::Unreachable, answer.accepted_at)?;
            }
        }
    }
    Ok(())
}

/// The relay keeps it out, because it was taken back: the row has done its work.
fn settle_withdrawn(tx: &Transaction<'_>, row: &Row) -> Result<(), Error> {
    if remove(tx, row)?
        && let Some(message) = row.message
    {
        delivery::withdrawn(tx, message)?;
    }
    Ok(())
}

/// Whether the row was still there. Its place may be another row's by now, its key never.
fn remove(tx: &Transaction<'_>, row: &Row) -> Result<bool, Error> {
    let removed = tx.execute(
        "DELETE FROM outbox WHERE rowid = ?1 AND idempotency_key = ?2",
        params![row.rowid, Column(&row.id)],
    )?;
    Ok(removed > 0)
}

/// The row stays with its code for a person to see; nothing of the message is lost.
fn refuse(tx: &Transaction<'_>, row: &Row, code: &str) -> Result<(), Error> {
    match (row.kind, row.message) {
        (OutboxKind::Mail, Some(message)) => {
            let refused = tx.execute(
                "UPDATE outbox SET refused = ?3 WHERE rowid = ?1 AND idempotency_key = ?2",
                params![row.rowid, Column(&row.id), code],
            )?;
            if refused == 0 {
                return Ok(());
            }
            let state = if code == Code::Unreachable.as_str() {
                DeliveryState::Unreachable
            } else {
                DeliveryState::Refused
            };
            for address in &row.recipients {
                delivery::advance(tx, message, address, state, clock::now())?;
            }
            Ok(())
        }
        _ => remove(tx, row).map(drop),
    }
}

/// A row that cannot even be read is set aside with its code.
fn refuse_unread(tx: &Transaction<'_>, rowid: i64) -> Result<(), Error> {
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

/// The row waits longer after each attempt, with jitter, so that phones do not all come back at once.
fn postpone(tx: &Transaction<'_>, row: &Row) -> Result<(), Error> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times();
    let nth = usize::try_from(row.attempts.min(20)).unwrap_or(20);
    let pause = pauses.build().nth(nth).unwrap_or(LONGEST_PAUSE);
    let next = clock::now()
        .as_millis()
        .saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    tx.execute(
        "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?3 WHERE rowid = ?1 AND idempotency_key = ?2",
        params![row.rowid, Column(&row.id), next],
    )?;
    Ok(())
}

/// Who sent a mail has a device: receipts wait until it is back, when a person would have to send a mail again.
const fn waits_for_return(row: &Row, error: &Error) -> bool {
    matches!(
        (row.kind, error),
        (OutboxKind::Receipts, Error::Relay(Code::Unreachable))
    )
}

/// Whether trying again would give the same.
const fn is_final(error: &Error) -> bool {
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

fn parse_recipients(text: &str) -> Result<Vec<Address>, Error> {
    text.lines()
        .map(|line| line.parse().map_err(|_| StoreError::Corrupt.into()))
        .collect()
}
