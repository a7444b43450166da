//! This device's prekeys: made in batches, published, burnt when used, erased when nobody can use them any more.

use protocol::api::PrekeyStock;
use protocol::cbor;
use protocol::envelope;
use protocol::limits;
use protocol::prekey::{BatchFacts, BatchUpload, MadeBatch, PrekeyId};
use protocol::seal::PrekeySecret;
use protocol::sign::SigningKey;
use protocol::{Address, Code, DeviceId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Account;
use crate::archive;
use crate::clock;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;

/// One-time prekeys of a batch.
const BATCH: u32 = 100;
/// A new batch is made when the relay has fewer one-time prekeys left.
const LOW: u32 = 30;
/// A new batch is made this long before the newest one expires, in days.
const RENEW_DAYS: i64 = 10;
/// Most one-time prekeys kept here: used ones are erased, so these were handed out for nothing, or not at all.
const KEPT: u32 = 10_000;
/// The place of a batch's last-resort prekey in the store.
const LAST_RESORT: i64 = -1;

/// Makes the batch that follows both `after` and the newest one here, and stores its secrets together with the upload that is due.
///
/// `now` is the relay's time: it judges the dates.
pub(crate) fn make_batch(tx: &Transaction<'_>, account: &Account, after: u64, now: Timestamp) -> Result<(), Error> {
    let number = newest(tx)?.max(after).saturating_add(1);
    let holder = Holder {
        address: &account.address,
        device: account.device,
        key: &account.key,
        list_version: account.verified.list_version(),
    };
    let upload = store_batch(tx, &holder, number, now)?;
    tx.execute(
        "INSERT INTO batch_upload (number, upload) VALUES (?1, ?2)",
        params![number, cbor::encode(&upload)],
    )?;
    Ok(())
}

/// Makes a batch unless one waits to be published that a relay would take now: one that refuses it each time does not fill the phone.
pub(super) fn make_batch_to_show(tx: &Transaction<'_>, account: &Account, now: Timestamp) -> Result<(), Error> {
    let Column(not_after): Column<Option<Timestamp>> = tx.query_row(
        "SELECT coalesce((SELECT not_after FROM prekey WHERE batch = (SELECT max(number) FROM batch_upload) LIMIT 1), 0)",
        [],
        |row| row.get(0),
    )?;
    let days = limits::BATCH_DAYS;
    let is_fresh = not_after.is_some_and(|at| (now.plus_days(1)..=now.plus_days(days)).contains(&at));
    if is_fresh {
        return Ok(());
    }
    make_batch(tx, account, 0, now)
}

/// Makes the batch that follows the newest one that the relay names, no further than it would follow this phone. There are
/// enough of those that nobody used where a relay asks for them again and again.
pub(crate) fn make_batch_after(
    tx: &Transaction<'_>,
    account: &Account,
    stock: &PrekeyStock,
    now: Timestamp,
) -> Result<(), Error> {
    if has_enough(tx)? {
        return Ok(());
    }
    let furthest = newest(tx)?.saturating_add(limits::BATCH_JUMP).saturating_sub(1);
    make_batch(tx, account, stock.newest_batch.min(furthest), now)
}

/// The device that holds the private halves of a batch.
pub(super) struct Holder<'a> {
    pub(super) address: &'a Address,
    pub(super) device: DeviceId,
    pub(super) key: &'a SigningKey,
    pub(super) list_version: u64,
}

/// Makes a batch and stores its secrets; what is to be published of it.
pub(super) fn store_batch(
    tx: &Transaction<'_>,
    holder: &Holder<'_>,
    number: u64,
    now: Timestamp,
) -> Result<BatchUpload, Error> {
    let not_after = now.plus_days(limits::BATCH_DAYS);
    let facts = BatchFacts {
        address: holder.address.clone(),
        device: holder.device,
        list_version: holder.list_version,
        number,
        opens: vec![envelope::VERSION],
        not_after,
    };
    let made = MadeBatch::make(holder.key, facts, BATCH)?;
    let mut insert =
        tx.prepare_cached("INSERT INTO prekey (batch, leaf, secret, not_after) VALUES (?1, ?2, ?3, ?4)")?;
    let leaves = (0_i64..).zip(&made.secrets).chain([(LAST_RESORT, &made.last_resort)]);
    for (leaf, secret) in leaves {
        insert.execute(params![number, leaf, Column(secret), Column(&not_after)])?;
    }
    Ok(made.upload)
}

/// The secret of one of this device's prekeys, if it is still there.
pub(crate) fn secret(connection: &Connection, id: PrekeyId) -> Result<Option<PrekeySecret>, Error> {
    let Some((batch, leaf)) = place(id) else {
        return Ok(None);
    };
    let secret = connection
        .query_row(
            "SELECT secret FROM prekey WHERE batch = ?1 AND leaf = ?2",
            params![batch, leaf],
            |row| row.get(0),
        )
        .optional()?;
    Ok(secret.map(|Column(secret)| secret))
}

/// Erases the secret of a one-time prekey; a last-resort one stays for others.
pub(crate) fn burn(tx: &Transaction<'_>, id: PrekeyId) -> Result<(), Error> {
    if let Some((batch, leaf)) = place(id)
        && leaf != LAST_RESORT
    {
        tx.execute(
            "DELETE FROM prekey WHERE batch = ?1 AND leaf = ?2",
            params![batch, leaf],
        )?;
    }
    Ok(())
}

impl Session {
    /// Brings the relay's stock of prekeys up, and erases secrets that nobody can use any more.
    pub(crate) async fn replenish_prekeys(&self, account: &Account) -> Result<(), Error> {
        let stock = self.relay.prekey_stock(account).await?;
        // Numbers never come back: the relay is not followed further than it would follow this phone.
        if stock.newest_batch > self.read(newest)?.saturating_add(limits::BATCH_JUMP) {
            tracing::warn!("the relay names a batch that was never made");
            return Ok(());
        }
        let stock = self.upload_batches(account, stock).await?;
        let now = self.relay.clock.now();
        let renew_at = now.plus_days(RENEW_DAYS);
        // Either side may have been put back: of a later batch there are no secrets here, and an earlier one is refused by whoever
        // has seen the one after it.
        let is_newest = stock.newest_batch == self.read(newest)?;
        if is_newest && stock.left >= LOW && stock.not_after.is_some_and(|at| at >= renew_at) {
            return Ok(());
        }
        if self.read(has_enough)? {
            return Ok(());
        }
        // Once a batch is over, mail goes to the account's other devices alone: they have what came since.
        let is_over = stock.not_after.is_none_or(|at| at < now);
        self.write(|tx| {
            if is_over {
                archive::await_history_of_others(tx, archive::OVERDUE)?;
            }
            make_batch(tx, account, stock.newest_batch, now)
        })?;
        crash_point!("batch-stored");
        let renewed = self.upload_batches(account, stock).await?;
        if renewed.newest_batch > stock.newest_batch {
            // Either clock may be wrong, and what is erased does not come back.
            let over = now.min(clock::now());
            self.erase_over(over.plus_days(-limits::PREKEY_GRACE_DAYS))?;
        }
        Ok(())
    }

    /// Publishes what is due; the stock afterwards.
    ///
    /// A batch that the relay has already, or refuses for its number or date, is due no more: the next one is made by what
    /// the relay says it has.
    async fn upload_batches(&self, account: &Account, mut stock: PrekeyStock) -> Result<PrekeyStock, Error> {
        let due: Vec<(u64, Vec<u8>)> = self.read(|connection| {
            let mut select = connection.prepare_cached("SELECT number, upload FROM batch_upload ORDER BY number")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        for (number, upload) in due {
            if number > stock.newest_batch {
                match self.relay.upload_prekeys(account, upload).await {
                    Ok(after) => stock = after,
                    Err(Error::Relay(code @ (Code::Malformed | Code::PrekeysOutdated | Code::SignatureRefused))) => {
                        tracing::warn!(code = code.as_str(), "a batch of prekeys was refused");
                    }
                    Err(error) => return Err(error),
                }
                crash_point!("batch-uploaded");
            }
            self.write(|tx| {
                tx.execute("DELETE FROM batch_upload WHERE number = ?1", [number])?;
                Ok(())
            })?;
        }
        Ok(stock)
    }

    /// Erases the secrets of batches that ended before `over`, now that a later one is published.
    fn erase_over(&self, over: Timestamp) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("DELETE FROM prekey WHERE not_after < ?1", [Column(&over)])?;
            Ok(())
        })
    }
}

/// The number of the newest batch made here.
fn newest(connection: &Connection) -> Result<u64, Error> {
    let newest = connection.query_row("SELECT coalesce(max(batch), 0) FROM prekey", [], |row| row.get(0))?;
    Ok(newest)
}

/// Whether there are so many prekeys that the relay would have to have lost them, while a batch here is good for some time yet
/// by this phone's clock.
pub(super) fn has_enough(connection: &Connection) -> Result<bool, Error> {
    let now = clock::now();
    let (from, to) = (now.plus_days(RENEW_DAYS), now.plus_days(limits::BATCH_DAYS + 1));
    let has_enough = connection.query_row(
        "SELECT count(*) >= ?1 AND EXISTS (SELECT 1 FROM prekey WHERE leaf = ?2 AND not_after BETWEEN ?3 AND ?4)
         FROM prekey WHERE leaf <> ?2",
        params![KEPT, LAST_RESORT, Column(&from), Column(&to)],
        |row| row.get(0),
    )?;
    if has_enough {
        tracing::warn!("no more prekeys are made: too many were not used");
    }
    Ok(has_enough)
}

/// Where the secret of a prekey stands. Whoever wraps for this device names the batch: a number that no column takes is no
/// batch's.
fn place(id: PrekeyId) -> Option<(i64, i64)> {
    let batch = i64::try_from(id.batch).ok()?;
    Some((batch, id.leaf.map_or(LAST_RESORT, i64::from)))
}
