//! This device's sequence on its way in: a page is stored whole in one transaction, and acknowledged after its commit.

use protocol::Digest;
use protocol::sequence::{Cursor, SequencePage};
use rusqlite::{Connection, Transaction, params};

use super::SyncReport;
use crate::account::Account;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::Session;
use crate::store::StoreError;

impl Session {
    /// Takes in page after page until nothing is left, acknowledging each.
    pub(super) async fn pull(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        let cursor = self.cursor()?;
        if cursor != Cursor::START {
            // An acknowledgement that was lost is made good here.
            self.relay.acknowledge(account, cursor).await?;
        }
        loop {
            let before = self.cursor()?;
            let page = self.relay.page(account, before, 0).await?;
            if page.entries.is_empty() {
                return Ok(());
            }
            let cursor = self.take_in(account, &page, report).await?;
            if cursor == before {
                // It was asked for what comes after the cursor, and would be asked so without end.
                return Err(Error::Network("sequence-stuck"));
            }
            self.relay.acknowledge(account, cursor).await?;
            crash_point!("page-acknowledged");
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
                if arrival.number <= cursor.number {
                    continue;
                }
                if arrival.number != cursor.number.saturating_add(1) {
                    return Err(Error::Network("sequence-gap"));
                }
                arrival.store(tx, &mut done)?;
                cursor = cursor.after(&arrival.digest);
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

fn cursor(connection: &Connection) -> Result<Cursor, Error> {
    let (number, hash): (i64, Vec<u8>) = connection
        .query_row("SELECT number, hash FROM cursor WHERE id = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(StoreError::from)?;
    Ok(Cursor {
        number: u64::try_from(number).map_err(|_| StoreError::Corrupt)?,
        hash: Digest::try_from(hash.as_slice()).map_err(|_| StoreError::Corrupt)?,
    })
}

fn set_cursor(tx: &Transaction<'_>, cursor: Cursor) -> Result<(), Error> {
    tx.execute(
        "UPDATE cursor SET number = ?1, hash = ?2 WHERE id = 1",
        params![
            i64::try_from(cursor.number).map_err(|_| StoreError::Corrupt)?,
            cursor.hash.as_bytes().as_slice()
        ],
    )
    .map_err(StoreError::from)?;
    Ok(())
}
