//! A mail that arrived, on its way into the store: whatever it holds, it is kept.

use protocol::cbor;
use protocol::envelope::Message;
use protocol::statement::StatedRecipient;
use protocol::{Address, MessageId, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::delivery::{self, DeliveryState};
use super::list::{self, Direction, NewMessage};
use crate::account;
use crate::error::Error;
use crate::mime::{self, Letter};
use crate::store::column::Column;
use crate::sync::states;

/// Stores a verified mail. One from this account itself was sent by another of its devices.
pub(crate) fn store(tx: &Transaction<'_>, message: &Message, deposited_at: Timestamp) -> Result<i64, Error> {
    let from = &message.header.from;
    let is_own = account::own_address(tx)? == *from;
    if is_own && let Some(number) = sent_already(tx, message)? {
        return Ok(number);
    }
    let letter = mime::parse(&message.content)
        .unwrap_or_else(|_| unreadable(from, message.header.id, message.statement.sent_at));
    let recipients: Vec<_> = message.header.to.iter().map(Address::as_str).collect();
    let rowid = list::insert(
        tx,
        &NewMessage {
            id: message.header.id,
            sender: from,
            direction: if is_own { Direction::Sent } else { Direction::Received },
            letter: &letter,
            content: &message.content,
            people: &recipients.join(" "),
            in_reply_to: answered(&letter),
            statement: &message.statement_bytes,
            signature: message.signature.as_bytes(),
            content_key: if is_own { message.key.as_bytes() } else { &[] },
            header: &cbor::encode(&message.header),
            dated_at: deposited_at,
        },
    )?;
    if is_own {
        for StatedRecipient { address, .. } in &message.statement.recipients {
            delivery::insert(tx, rowid, address, DeliveryState::Available, deposited_at)?;
        }
        delivery::catch_up(tx, rowid, &message.header.id)?;
    }
    // Another device may have said something of it before it came.
    states::show(tx, from, message.header.id)?;
    Ok(rowid)
}

/// A mail of this account that is here from its history, from before it left: now it has.
fn sent_already(tx: &Transaction<'_>, message: &Message) -> Result<Option<i64>, Error> {
    let number: Option<i64> = tx
        .query_row(
            "SELECT rowid FROM message WHERE sender = ?1 AND id = ?2",
            params![Column(&message.header.from), Column(&message.header.id)],
            |row| row.get(0),
        )
        .optional()?;
    let Some(number) = number else { return Ok(None) };
    tx.execute(
        "UPDATE message SET header = ?2, statement = ?3, signature = ?4, content_key = ?5 WHERE rowid = ?1",
        params![
            number,
            cbor::encode(&message.header),
            message.statement_bytes,
            message.signature.as_bytes(),
            Column(&message.key)
        ],
    )?;
    for recipient in &message.statement.recipients {
        let at = message.statement.sent_at;
        delivery::advance(tx, number, &recipient.address, DeliveryState::Available, at)?;
    }
    Ok(Some(number))
}

/// A draft that was kept on another device of this account.
pub(crate) fn store_draft(
    tx: &Transaction<'_>,
    sender: &Address,
    id: MessageId,
    content: &[u8],
    at: Timestamp,
) -> Result<(), Error> {
    let is_here = tx
        .prepare_cached("SELECT 1 FROM message WHERE sender = ?1 AND id = ?2")?
        .exists(params![Column(sender), Column(&id)])?;
    if is_here {
        return Ok(());
    }
    let letter = mime::parse(content).unwrap_or_else(|_| unreadable(sender, id, at));
    list::insert(
        tx,
        &NewMessage {
            id,
            sender,
            direction: Direction::Draft,
            letter: &letter,
            content,
            people: &letter.to.join(" "),
            in_reply_to: answered(&letter),
            statement: &[],
            signature: &[],
            content_key: &[],
            header: &[],
            dated_at: letter.date.unwrap_or(at),
        },
    )?;
    Ok(())
}

/// The mail that a letter answers.
pub(crate) fn answered(letter: &Letter) -> Option<MessageId> {
    letter.in_reply_to.as_deref()?.split('@').next()?.parse().ok()
}

/// Content that is no MIME message is kept as it came, under a subject that says so.
pub(crate) fn unreadable(from: &Address, id: MessageId, sent_at: Timestamp) -> Letter {
    Letter {
        message_id: id.to_string(),
        from: from.to_string(),
        date: Some(sent_at),
        subject: "(?)".to_owned(),
        ..Letter::default()
    }
}
