//! The outbox on its way to the relay. A mail is sealed once, and its header and payload never change again;
//! only its wraps follow the device lists. One row that fails holds up none of the others. The rows are `outbox`'s.

use protocol::cbor;
use protocol::envelope::{self, Class, Deposit, Header, Wrap};
use protocol::identity::VerifiedAccount;
use protocol::prekey::VerifiedPrekey;
use protocol::seal::{PrekeySecret, SealError};
use protocol::statement::StatedRecipient;
use protocol::{Address, Code, MessageId};
use rusqlite::params;

use super::outbox::{self, Contents, Envelope, Row, Sealed, Work};
use super::{SyncReport, receipts, states};
use crate::account::Account;
use crate::account::correspondent::Known;
use crate::clock;
use crate::crash::crash_point;
use crate::error::{Error, KeysError};
use crate::mail::delivery::{self, DeliveryState};
use crate::session::Session;
use crate::store::StoreError;
use crate::store::column::Column;

/// How often wraps are made anew in one attempt, when device lists keep changing.
const WRAP_ROUNDS: u32 = 3;

impl Session {
    /// Sends every row that is due, in order.
    pub(super) async fn push(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        self.write(receipts::queue)?;
        self.write(states::queue)?;
        let mut failed = None;
        for rowid in self.read(outbox::due)? {
            let row = match self.read(|connection| Row::load(connection, rowid)) {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(Error::Store(StoreError::Corrupt)) => {
                    tracing::warn!("a row of the outbox cannot be read");
                    self.write(|tx| outbox::refuse_unread(tx, rowid))?;
                    report.refused = report.refused.saturating_add(1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let outcome = match &row.work {
                Work::Deposit(envelope) => self.push_envelope(account, &row, envelope).await,
                Work::Rewrap { message, to } => self.push_rewrap(account, &row, *message, to.as_slice()).await,
                Work::Withdrawal { message, id } => self.push_withdrawal(account, &row, *message, *id).await,
            };
            match outcome {
                Ok(true) => report.sent = report.sent.saturating_add(1),
                // It was taken back while it was being sealed.
                Ok(false) => {}
                // It was taken back before this attempt to send it came.
                Err(Error::Relay(Code::Withdrawn)) => self.write(|tx| row.settle_withdrawn(tx))?,
                Err(error) if row.is_refused_by(&error) => {
                    tracing::warn!(code = error.code(), "an outgoing change was refused");
                    self.write(|tx| row.refuse(tx, &error))?;
                    report.refused = report.refused.saturating_add(1);
                }
                // Nothing got through at all: that is the line's fault, not the row's.
                Err(Error::Network(reason)) if reason.is_line_down() => return Err(reason.into()),
                Err(error) => {
                    self.write(|tx| row.postpone(tx))?;
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
        report.waiting = self.read(outbox::waiting)?;
        failed.map_or(Ok(()), Err)
    }

    /// Sends an envelope; `false` when the row was withdrawn before it was sealed.
    async fn push_envelope(&self, account: &Account, row: &Row, envelope: &Envelope) -> Result<bool, Error> {
        let mut made = None;
        for _ in 0..WRAP_ROUNDS {
            let known = made.as_ref().or(envelope.sealed.as_ref());
            let audience = match (self.audience(account, row, envelope, known).await, known) {
                (Ok(audience), _) => audience,
                // An earlier attempt may have been accepted and its reply lost: the relay knows, whatever became of the recipients.
                (Err(error), Some(sealed)) if outbox::is_final(&error) || outbox::may_pass(&error) => {
                    match self.relay.deposit(account, deposit(sealed, &[])?).await {
                        Ok(answer) => {
                            return self
                                .write(|tx| row.settle(tx, (envelope, sealed), &answer))
                                .map(|()| true);
                        }
                        Err(Error::Network(reason)) => return Err(reason.into()),
                        Err(withdrawn @ Error::Relay(Code::Withdrawn)) => return Err(withdrawn),
                        Err(_) => return Err(error),
                    }
                }
                (Err(error), _) => return Err(error),
            };
            if known.is_none() {
                made = match self.seal(account, row, envelope, &audience)? {
                    Sealing::Done(sealed) => Some(sealed),
                    Sealing::Elsewhere(stored) => {
                        // Another process was quicker: its key and its recipients are those that count.
                        made = Some(stored);
                        continue;
                    }
                    Sealing::Withdrawn => return Ok(false),
                };
                crash_point!("mail-sealed");
            }
            let Some(sealed) = made.as_ref().or(envelope.sealed.as_ref()) else {
                continue;
            };
            let deposit = deposit(sealed, &audience.prekeys)?;
            match self.relay.deposit(account, deposit).await {
                Ok(answer) => {
                    crash_point!("deposit-answered");
                    self.write(|tx| row.settle(tx, (envelope, sealed), &answer))?;
                    crash_point!("deposit-settled");
                    return Ok(true);
                }
                Err(Error::Relay(Code::DevicesChanged)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Relay(Code::DevicesChanged))
    }

    /// Asks who the envelope goes to. Before it is sealed, recipients who cannot be sealed to are left out, each by itself, so
    /// that the others get it; afterwards the header decides.
    async fn audience(
        &self,
        account: &Account,
        row: &Row,
        envelope: &Envelope,
        sealed: Option<&Sealed>,
    ) -> Result<Audience, Error> {
        let recipients = match sealed {
            Some(sealed) => Header::parse(&sealed.header)?.to,
            None => envelope.to.clone(),
        };
        let mut asked = recipients.as_slice().to_vec();
        // Mail goes to the sender's own other devices, too.
        let is_own = envelope.what.kind().class() == Class::Own;
        if !is_own && account.verified.devices().len() > 1 {
            asked.push(account.address.clone());
        }
        let mut known = self.ask_keys(account, asked, envelope.what.prekeys()).await?;
        let mut audience = Audience::default();
        // The first failure stands for all, when nobody is left.
        let mut failed = None;
        for address in &recipients {
            let judged = match known.remove(address) {
                Some(Known::Trusted { account, prekeys, .. }) => {
                    let judged = if sealed.is_some() { Ok(()) } else { judge(&prekeys) };
                    if judged.is_ok() {
                        audience.accounts.push(*account);
                        audience.prekeys.extend(prekeys);
                    }
                    judged
                }
                Some(Known::Changed) => Err(KeysError::IdentityChanged.into()),
                Some(Known::Unverified(reason)) => Err(reason.into()),
                None => {
                    audience.left_out.push((address.clone(), DeliveryState::Unreachable));
                    continue;
                }
            };
            let Err(error) = judged else { continue };
            // This may pass, by itself or by a person's word; the header names it, or will.
            if sealed.is_some() || (outbox::may_pass(&error) && row.is_fresh()) {
                return Err(error);
            }
            audience.left_out.push((address.clone(), outbox::left_out_for(&error)));
            failed.get_or_insert(error);
        }
        if audience.accounts.is_empty() {
            return Err(failed.unwrap_or(Error::Relay(Code::Unreachable)));
        }
        if let Some(error) = failed {
            tracing::warn!(code = error.code(), "a recipient is left out");
        }
        if let Some(Known::Trusted { prekeys, .. }) = known.remove(&account.address) {
            audience
                .prekeys
                .extend(prekeys.into_iter().filter(|prekey| prekey.device != account.device));
        }
        Ok(audience)
    }

    /// Seals the content and stores what never changes again, in one transaction: the first to do so decides.
    fn seal(&self, account: &Account, row: &Row, envelope: &Envelope, audience: &Audience) -> Result<Sealing, Error> {
        let recipients = audience
            .accounts
            .iter()
            .map(|account| StatedRecipient {
                address: account.address().clone(),
                identity: account.fingerprint(),
            })
            .collect();
        let made = envelope::seal(
            account.sender(),
            row.key,
            envelope.what.kind(),
            recipients,
            &envelope.content,
            clock::now(),
        )?;
        let sealed = Sealed {
            header: made.header,
            payload: made.payload,
            key: made.key,
        };
        let is_first = self.write(|tx| {
            if !row.keep_sealed(tx, &sealed)? {
                return Ok(false);
            }
            if let Contents::Mail { message } = envelope.what {
                tx.execute(
                    "UPDATE message SET header = ?2, statement = ?3, signature = ?4, content_key = ?5 WHERE rowid = ?1",
                    params![
                        message,
                        sealed.header,
                        made.statement,
                        made.signature.as_bytes(),
                        Column(&sealed.key)
                    ],
                )?;
                for (address, state) in &audience.left_out {
                    delivery::advance(tx, message, address, *state, clock::now())?;
                }
            }
            Ok(true)
        })?;
        if is_first {
            return Ok(Sealing::Done(sealed));
        }
        let stored = self.read(|connection| row.sealed_elsewhere(connection))?;
        Ok(stored.map_or(Sealing::Withdrawn, Sealing::Elsewhere))
    }

    async fn push_withdrawal(&self, account: &Account, row: &Row, message: i64, id: MessageId) -> Result<bool, Error> {
        let answer = self.relay.withdraw(account, id).await?;
        crash_point!("withdrawal-answered");
        self.write(|tx| {
            // Another process may have settled it.
            if !row.remove(tx)? {
                return Ok(());
            }
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

/// Who an envelope goes to, and what becomes of those whom it does not go to.
#[derive(Default)]
struct Audience {
    accounts: Vec<VerifiedAccount>,
    prekeys: Vec<VerifiedPrekey>,
    left_out: Vec<(Address, DeliveryState)>,
}

/// Whether a device of the account could open what is sealed to these prekeys. Without any, the relay says who is not reached.
fn judge(prekeys: &[VerifiedPrekey]) -> Result<(), Error> {
    let mut failed = None;
    for prekey in prekeys {
        let judged = if prekey.opens.contains(&envelope::VERSION) {
            prekey.key.check().map_err(Error::from)
        } else {
            Err(KeysError::CorrespondentTooNew.into())
        };
        match judged {
            Ok(()) => return Ok(()),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What became of sealing a row.
enum Sealing {
    Done(Sealed),
    /// Another process had sealed it.
    Elsewhere(Sealed),
    /// The row is gone: it was taken back.
    Withdrawn,
}

/// The encoded deposit: the sealed parts, and a wrap for each device.
pub(super) fn deposit(sealed: &Sealed, prekeys: &[VerifiedPrekey]) -> Result<Vec<u8>, Error> {
    let wraps = prekeys
        .iter()
        .map(|prekey| wrap(sealed, prekey))
        .collect::<Result<_, _>>()?;
    Ok(cbor::encode(&Deposit {
        header: sealed.header.clone().into(),
        wraps,
        payload: sealed.payload.clone().into(),
    }))
}

/// The relay wants a wrap for every device. One that published what is no key gets a wrap that nobody opens: that is its own
/// trouble, and not that of the others.
fn wrap(sealed: &Sealed, prekey: &VerifiedPrekey) -> Result<Wrap, SealError> {
    match Wrap::make(&sealed.key, &sealed.header, prekey) {
        Err(SealError::Key) => {
            tracing::warn!("a device published what is no key");
            let nobody = VerifiedPrekey {
                key: PrekeySecret::make()?.public()?,
                ..prekey.clone()
            };
            Wrap::make(&sealed.key, &sealed.header, &nobody)
        }
        wrap => wrap,
    }
}
