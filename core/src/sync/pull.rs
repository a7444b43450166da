//! This device's sequence on its way in: a page is stored whole in one transaction, and acknowledged after its commit.

use protocol::Code;
use protocol::sequence::{Cursor, SequencePage};
use rusqlite::{Connection, Transaction, params};

use super::SyncReport;
use crate::account::Account;
use crate::crash::crash_point;
use crate::error::{Error, NetworkError};
use crate::session::Session;
use crate::store::column::Column;

impl Session {
    /// Takes in page after page until nothing is left, acknowledging each.
    pub(super) async fn pull(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        let cursor = self.cursor()?;
        if cursor != Cursor::START {
            // An acknowledgement that was lost is made good here.
            self.acknowledge(account, cursor).await?;
        }
        loop {
            let before = self.cursor()?;
            let page = match self.relay.page(account, before, 0).await {
                // Another process has taken in and acknowledged what was asked for.
                Err(Error::Relay(Code::CursorMismatch)) if self.cursor()? != before => continue,
                page => page?,
            };
            if page.entries.is_empty() {
                return Ok(());
            }
            let cursor = self.take_in(account, &page, report).await?;
            if cursor == before {
                // It was asked for what comes after the cursor, and would be asked so without end.
                return Err(NetworkError::SequenceStuck.into());
            }
            self.acknowledge(account, cursor).await?;
            crash_point!("page-acknowledged");
        }
    }

    /// Acknowledges what is stored; another process may have acknowledged more meanwhile.
    async fn acknowledge(&self, account: &Account, cursor: Cursor) -> Result<(), Error> {
        match self.relay.acknowledge(account, cursor).await {
            Err(Error::Relay(Code::CursorMismatch)) if self.cursor()? != cursor => Ok(()),
            outcome => outcome,
        }
    }

    /// Stores a page and moves the cursor behind it. Entries that are known already are passed over.
    pub(super) async fn take_in(
        &self,
        account: &Account,
        page: &SequencePage,
        report: &mut SyncReport,
    ) -> Result<Cursor, Error> {
        let arrivals = self.open_page(account, page).await?;
        crash_point!("page-opened");
        let (cursor, done) = self.write(|tx| {
            let mut done = SyncReport::default();
            let mut cursor = cursor(tx)?;
            for arrival in &arrivals {
                if arrival.entry.number <= cursor.number {
                    continue;
                }
                if arrival.entry.number != cursor.number.saturating_add(1) {
                    return Err(NetworkError::SequenceGap.into());
                }
                arrival.store(tx, &mut done)?;
                cursor = cursor.after(&arrival.entry.digest);
            }
            set_cursor(tx, cursor)?;
            Ok((cursor, done))
        })?;
        crash_point!("page-stored");
        report.add(&SyncReport {
            waiting: report.waiting,
            ..done
        });
        Ok(cursor)
    }

    pub(super) fn cursor(&self) -> Result<Cursor, Error> {
        self.read(cursor)
    }
}

pub(super) fn cursor(connection: &Connection) -> Result<Cursor, Error> {
    let cursor = connection.query_row("SELECT number, hash FROM cursor WHERE id = 1", [], |row| {
        let Column(hash) = row.get(1)?;
        Ok(Cursor {
            number: row.get(0)?,
            hash,
        })
    })?;
    Ok(cursor)
}

pub(super) fn set_cursor(tx: &Transaction<'_>, cursor: Cursor) -> Result<(), Error> {
    tx.execute(
        "UPDATE cursor SET number = ?1, hash = ?2 WHERE id = 1",
        params![cursor.number, Column(&cursor.hash)],
    )?;
    Ok(())
}
