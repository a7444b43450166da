//! Bringing phone and relay together: what is due goes out, what waits comes in, and only then is it acknowledged.
//! Every step can be repeated: the outbox keeps what was not answered, the cursor what was not acknowledged.

mod backoff;
pub(crate) mod ended;
pub(crate) mod outbox;
mod pull;
mod push;
mod receipts;
mod receive;
mod removed;
mod rewrap;
pub(crate) mod standing;
pub(crate) mod states;
pub(crate) mod unopened;
mod watch;

pub(crate) use outbox::OutboxKind;
pub(crate) use receipts::forget_read;

use protocol::Code;

use crate::account::Account;
use crate::error::Error;
use crate::session::Session;
use crate::store::StoreError;

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SyncReport {
    /// Mails and receipts that the relay accepted.
    pub sent: u32,
    /// Mails that arrived.
    pub received: u32,
    /// Notices and receipts on mails of this account.
    pub notices: u32,
    /// Mails that the relay, or a check here, refused for good.
    pub refused: u32,
    /// Envelopes that could not be opened; they are kept.
    pub unopened: u32,
    /// Mails that came from an earlier phone's backup, or with the main device's history.
    pub restored: u32,
    /// Parts of an archive that were gone at the relay, or damaged there: what they held did not come back.
    pub damaged: u32,
    /// Mails that wait for another attempt.
    pub waiting: u32,
    /// Whether the relay was found to be an earlier copy of itself, and was given again what it may have lost.
    pub relay_put_back: bool,
}

impl SyncReport {
    /// Whether a screen has something new to show.
    #[must_use]
    pub fn is_news(&self) -> bool {
        *self
            != Self {
                waiting: self.waiting,
                ..Self::default()
            }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.notices = self.notices.saturating_add(other.notices);
        self.refused = self.refused.saturating_add(other.refused);
        self.unopened = self.unopened.saturating_add(other.unopened);
        self.restored = self.restored.saturating_add(other.restored);
        self.damaged = self.damaged.saturating_add(other.damaged);
        self.waiting = other.waiting;
        self.relay_put_back |= other.relay_put_back;
    }
}

impl Session {
    /// Sends what is due and takes in all that waits.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`]; [`Error::Network`] or [`Error::Relay`] when it could not be finished: what was done is kept.
    /// With `device-suspended` the session is locked until a sync finds that the device was let in again.
    pub async fn sync(&self) -> Result<SyncReport, Error> {
        let mut report = SyncReport::default();
        self.sync_into(&mut report).await?;
        Ok(report)
    }

    /// As [`Session::sync`]; `report` holds what was done also when it could not be finished.
    async fn sync_into(&self, report: &mut SyncReport) -> Result<(), Error> {
        let _alone = self.syncing.lock().await;
        self.come_back().await?;
        let account = self.read(Account::load)?;
        // Many steps make a large future, which whoever syncs would carry along.
        let outcome = match Box::pin(self.exchange(report)).await {
            // The relay has begun anew since notes were compared.
            Err(Error::Relay(Code::CursorMismatch)) => {
                self.relay.doubt();
                Box::pin(self.exchange(report)).await
            }
            Err(Error::Relay(Code::DeviceUnknown)) if self.lead_relay_on(&account).await? => {
                Box::pin(self.exchange(report)).await
            }
            // Another token was needed on the way: the relay may have begun anew.
            Ok(()) if !self.relay.has_compared(&account) => Box::pin(self.exchange(report)).await,
            outcome => outcome,
        };
        self.heed(&account, outcome).await
    }

    async fn exchange(&self, report: &mut SyncReport) -> Result<(), Error> {
        let before = self.read(Account::load)?;
        self.check_standing(&before, report).await?;
        self.go_on_handing_over(&before).await?;
        self.publish_lists(&before).await?;
        // The list may be another by now.
        let account = &self.read(Account::load)?;
        self.answer_links(account).await?;
        self.lift_suspensions(account).await?;
        self.ask_for_history(account)?;
        // What one row of the outbox could not do keeps nothing from coming in.
        let pushed = match self.push(account, report).await {
            Err(error @ Error::Network(reason)) if !reason.is_line_down() => Err(error),
            Err(error) => return Err(error),
            Ok(()) => Ok(()),
        };
        // Before anything comes in: what the backup holds arrived already. A backup in trouble holds up no mail.
        let restored = self.take_in_backup(account, report).await;
        // It may have said who the account was before.
        let account = &self.read(Account::load)?;
        self.pull(account, report).await?;
        self.reopen(account, report).await?;
        self.write_histories(account).await?;
        self.answer_and_ask(account, report).await?;
        self.replenish_prekeys(account).await?;
        let backed_up = self.write_backup(account).await;
        self.empty_log()?;
        pushed?;
        restored?;
        backed_up
    }

    /// A batch of work is over: what it deleted leaves the log. A reader that still needs the log leaves that to the next batch.
    pub(crate) fn empty_log(&self) -> Result<(), Error> {
        match self.store()?.truncate_wal() {
            Err(StoreError::Busy) => {
                tracing::info!("the log is in use and is emptied later");
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }

    /// Makes due at once what waits for a later attempt: somebody asks for it, or the line is back.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn hurry(&self) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("UPDATE outbox SET next_attempt_at = 0 WHERE refused = ''", [])?;
            Ok(())
        })
    }
}
