//! Staying in touch: a stream where the line allows it, long polls where a proxy does not, and patience when it is down.

use std::time::Duration;

use protocol::limits;
use rusqlite::Connection;
use tokio::time::sleep;

use super::backoff::pauses;
use super::{SyncReport, outbox};
use crate::account::Account;
use crate::archive;
use crate::error::Error;
use crate::net::stream::Stream;
use crate::session::Session;

/// How often outbox and backup are looked at while the line is quiet.
const OUTBOX_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause before a line that broke is tried again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How many long polls are made before the stream is tried again.
const POLLS_BEFORE_STREAM: u32 = 20;

impl Session {
    /// Syncs, and again whenever there is news, until it is dropped. `on_news` is called after each change.
    ///
    /// # Errors
    ///
    /// What trying again does not mend: [`Error::NotEnrolled`], [`Error::Locked`], [`Error::Store`], a refusal of the relay.
    pub async fn watch(&self, mut on_news: impl FnMut(&SyncReport) + Send) -> Result<(), Error> {
        let mut pauses = pauses(LONGEST_PAUSE);
        let mut polls_left = 0_u32;
        loop {
            let outcome = self.stay_in_touch(&mut on_news, &mut polls_left, &mut pauses).await;
            match outcome {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    tracing::info!(code = error.code(), "the line is down");
                    sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn stay_in_touch(
        &self,
        on_news: &mut (impl FnMut(&SyncReport) + Send),
        polls_left: &mut u32,
        pauses: &mut backon::ExponentialBackoff,
    ) -> Result<(), Error> {
        self.sync_and_tell(on_news).await?;
        *pauses = self::pauses(LONGEST_PAUSE);
        if *polls_left > 0 {
            *polls_left = polls_left.saturating_sub(1);
            return self.poll(on_news).await;
        }
        let account = self.read(Account::load)?;
        match self.relay.stream(&account, self.cursor()?).await {
            Ok(stream) => self.follow(&account, stream, on_news).await,
            // The sync went through just now: it is the stream that the line does not take.
            Err(Error::Network(reason)) => {
                tracing::info!(code = reason.code(), "no stream: polling for a while");
                *polls_left = POLLS_BEFORE_STREAM;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes pages from the stream until the line breaks; sends what becomes due meanwhile.
    async fn follow(
        &self,
        account: &Account,
        mut stream: Stream,
        on_news: &mut (impl FnMut(&SyncReport) + Send),
    ) -> Result<(), Error> {
        loop {
            tokio::select! {
                page = stream.page() => {
                    let page = page?;
                    let mut report = SyncReport::default();
                    let alone = self.syncing.lock().await;
                    let cursor = self.take_in(account, &page, &mut report).await?;
                    // What is stored is news, whatever becomes of the line.
                    tell(on_news, &report);
                    stream.acknowledge(cursor).await?;
                    self.empty_log()?;
                    drop(alone);
                }
                () = self.work_is_due() => self.sync_and_tell(on_news).await?,
            }
        }
    }

    /// One long poll, and a sync if it brought news.
    async fn poll(&self, on_news: &mut (impl FnMut(&SyncReport) + Send)) -> Result<(), Error> {
        let account = self.read(Account::load)?;
        let cursor = self.cursor()?;
        tokio::select! {
            page = self.relay.page(&account, cursor, limits::POLL_SECONDS) => {
                self.heed(&account, page).await?;
            }
            () = self.work_is_due() => {}
        }
        self.sync_and_tell(on_news).await
    }

    /// Syncs, and tells what was done also when it could not be finished.
    async fn sync_and_tell(&self, on_news: &mut (impl FnMut(&SyncReport) + Send)) -> Result<(), Error> {
        let mut report = SyncReport::default();
        let outcome = self.sync_into(&mut report).await;
        tell(on_news, &report);
        outcome
    }

    /// Ends when something waits to be sent, or the backup lacks something; a store that cannot be read is left for the sync
    /// to report.
    async fn work_is_due(&self) {
        let is_due = |connection: &Connection| {
            Ok(outbox::is_due(connection)? || archive::is_due(connection, self.relay.clock.now())?)
        };
        loop {
            sleep(OUTBOX_PAUSE).await;
            if self.read(is_due).unwrap_or(true) {
                return;
            }
        }
    }
}

fn tell(on_news: &mut (impl FnMut(&SyncReport) + Send), report: &SyncReport) {
    if report.is_news() {
        on_news(report);
    }
}
