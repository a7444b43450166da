//! Receipts on their way out, one envelope for each correspondent and sync, and on their way in.

use protocol::cbor;
use protocol::envelope::Message;
use protocol::receipt::{Reading, Receipt, Receipts};
use protocol::{Address, limits};
use rusqlite::{Transaction, params};

use super::{OutboxKind, outbox};
use crate::error::Error;
use crate::mail::delivery::{self, DeliveryState};
use crate::store::column::Column;

/// Turns the receipts that are due into one row for each correspondent.
pub(super) fn queue(tx: &Transaction<'_>) -> Result<(), Error> {
    let mut select = tx.prepare_cached("SELECT DISTINCT sender FROM receipt")?;
    let senders: Vec<Column<Address>> = select.query_map([], |row| row.get(0)).and_then(Iterator::collect)?;
    for Column(sender) in senders {
        let mut select =
            tx.prepare_cached("SELECT id, reading, at FROM receipt WHERE sender = ?1 ORDER BY at LIMIT ?2")?;
        let most = i64::try_from(limits::RECEIPTS).unwrap_or(i64::MAX);
        let receipts: Vec<Receipt> = select
            .query_map(params![Column(&sender), most], |row| {
                let (Column(id), Column(reading), Column(at)) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Receipt { id, reading, at })
            })
            .and_then(Iterator::collect)?;
        for receipt in &receipts {
            tx.execute(
                "DELETE FROM receipt WHERE sender = ?1 AND id = ?2 AND reading = ?3",
                params![Column(&sender), Column(&receipt.id), Column(&receipt.reading)],
            )?;
        }
        let content = cbor::encode(&Receipts { receipts });
        outbox::queue(tx, OutboxKind::Receipts, &sender, &content)?;
    }
    Ok(())
}

/// Applies receipts to this account's own mails; a correspondent can speak only for itself.
pub(super) fn apply(tx: &Transaction<'_>, message: &Message) -> Result<u32, Error> {
    let Ok(receipts) = cbor::decode::<Receipts>(&message.content) else {
        tracing::warn!("receipts that cannot be read were passed over");
        return Ok(0);
    };
    let mut count = 0_u32;
    for receipt in receipts.receipts {
        let state = DeliveryState::of_reading(receipt.reading);
        if delivery::advance_by_id(tx, &receipt.id, &message.header.from, state, receipt.at)? {
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// Drops every receipt of reading that has not left: it would say more than a person now wants to.
pub(crate) fn forget_read(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute("DELETE FROM receipt WHERE reading = ?1", [Column(&Reading::Read)])?;
    let mut select = tx.prepare_cached("SELECT rowid, content FROM outbox WHERE kind = ?1 AND header = x''")?;
    let rows: Vec<(i64, Vec<u8>)> = select
        .query_map([OutboxKind::Receipts], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)?;
    for (row, content) in rows {
        let mut kept: Receipts = cbor::decode(&content)?;
        kept.receipts.retain(|receipt| receipt.reading != Reading::Read);
        if kept.receipts.is_empty() {
            tx.execute("DELETE FROM outbox WHERE rowid = ?1", [row])?;
        } else {
            tx.execute(
                "UPDATE outbox SET content = ?2 WHERE rowid = ?1",
                params![row, cbor::encode(&kept)],
            )?;
        }
    }
    Ok(())
}
