//! This device's prekeys: made in batches, published, burnt when used, erased when nobody can use them any more.

use protocol::Timestamp;
use protocol::cbor;
use protocol::envelope;
use protocol::limits;
use protocol::prekey::{BatchFacts, MadeBatch, PrekeyId};
use protocol::seal::PrekeySecret;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::Account;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::Session;
use crate::store::StoreError;

/// One-time prekeys of a batch.
const BATCH: u32 = 100;
/// A new batch is made when the relay has fewer one-time prekeys left.
const LOW: u32 = 30;
/// A new batch is made this long before the newest one expires, in days.
const RENEW_DAYS: i64 = 10;
/// The place of a batch's last-resort prekey in the store.
const LAST_RESORT: i64 = -1;

/// Makes the next batch and stores its secrets together with the upload that is due.
pub(crate) fn make_batch(tx: &Transaction<'_>, account: &Account) -> Result<(), Error> {
    let newest: i64 = tx
        .query_row("SELECT coalesce(max(batch), 0) FROM prekey", [], |row| row.get(0))
        .map_err(StoreError::from)?;
    let number = newest.saturating_add(1);
    let not_after = Timestamp::now().plus_days(limits::BATCH_DAYS);
    let facts = BatchFacts {
        address: account.address.clone(),
        device: account.device,
        list_version: account.verified.list_version(),
        number: u64::try_from(number).map_err(|_| StoreError::Corrupt)?,
        opens: vec![envelope::VERSION],
        not_after,
    };
    let made = MadeBatch::make(&account.key, facts, BATCH)?;
    let mut insert = tx
        .prepare_cached("INSERT INTO prekey (batch, leaf, secret, not_after) VALUES (?1, ?2, ?3, ?4)")
        .map_err(StoreError::from)?;
    let leaves = (0_i64..).zip(&made.secrets).chain([(LAST_RESORT, &made.last_resort)]);
    for (leaf, secret) in leaves {
        insert
            .execute(params![
                number,
                leaf,
                secret.as_bytes().as_slice(),
                not_after.as_millis()
            ])
            .map_err(StoreError::from)?;
    }
    tx.execute(
        "INSERT INTO batch_upload (number, upload) VALUES (?1, ?2)",
        params![number, cbor::encode(&made.upload)],
    )
    .map_err(StoreError::from)?;
    Ok(())
}

/// The secret of one of this device's prekeys, if it is still there.
pub(crate) fn secret(connection: &Connection, id: PrekeyId) -> Result<Option<PrekeySecret>, Error> {
    let (batch, leaf) = place(id);
    let secret: Option<Zeroizing<Vec<u8>>> = connection
        .query_row(
            "SELECT secret FROM prekey WHERE batch = ?1 AND leaf = ?2",
            [batch, leaf],
            |row| row.get(0).map(Zeroizing::new),
        )
        .optional()
        .map_err(StoreError::from)?;
    secret
        .map(|bytes| {
            let bytes = bytes.as_slice().try_into().map_err(|_| StoreError::Corrupt)?;
            Ok(PrekeySecret::from_bytes(bytes))
        })
        .transpose()
}

/// Erases the secret of a one-time prekey; a last-resort one stays for others.
pub(crate) fn burn(tx: &Transaction<'_>, id: PrekeyId) -> Result<(), Error> {
    let (batch, leaf) = place(id);
    if leaf != LAST_RESORT {
        tx.execute("DELETE FROM prekey WHERE batch = ?1 AND leaf = ?2", [batch, leaf])
            .map_err(StoreError::from)?;
    }
    Ok(())
}

impl Session {
    /// Brings the relay's stock of prekeys up, and erases secrets whose time is over.
    pub(crate) async fn replenish_prekeys(&self, account: &Account) -> Result<(), Error> {
        self.upload_batches(account).await?;
        let stock = self.relay.prekey_stock(account).await?;
        let renew = stock
            .not_after
            .is_none_or(|at| at < Timestamp::now().plus_days(RENEW_DAYS));
        if stock.left >= LOW && !renew {
            return Ok(());
        }
        let over = Timestamp::now().plus_days(-limits::PREKEY_GRACE_DAYS).as_millis();
        self.write(|tx| {
            // First the batch, whose number follows the newest one, however old.
            make_batch(tx, account)?;
            tx.execute("DELETE FROM prekey WHERE not_after < ?1", [over])
                .map_err(StoreError::from)?;
            Ok(())
        })?;
        crash_point!("batch-stored");
        self.upload_batches(account).await
    }

    async fn upload_batches(&self, account: &Account) -> Result<(), Error> {
        let due: Vec<(i64, Vec<u8>)> = self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT number, upload FROM batch_upload ORDER BY number")
                .map_err(StoreError::from)?;
            let rows = select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .map_err(StoreError::from)?;
            Ok(rows.collect::<Result<_, _>>().map_err(StoreError::from)?)
        })?;
        for (number, upload) in due {
            match self.relay.upload_prekeys(account, upload).await {
                // An upload whose reply was lost comes back as outdated: the relay has it.
                Ok(()) | Err(Error::Relay(protocol::Code::PrekeysOutdated)) => {}
                Err(error) => return Err(error),
            }
            crash_point!("batch-uploaded");
            self.write(|tx| {
                tx.execute("DELETE FROM batch_upload WHERE number = ?1", [number])
                    .map_err(StoreError::from)?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn place(id: PrekeyId) -> (i64, i64) {
    (
        i64::try_from(id.batch).unwrap_or(i64::MAX),
        id.leaf.map_or(LAST_RESORT, i64::from),
    )
}
