//! A mail that arrived, on its way into the store: whatever it holds, it is kept.

use protocol::envelope::Message;
use protocol::statement::StatedRecipient;
use protocol::{Address, MessageId, Timestamp};
use rusqlite::Transaction;

use super::delivery::{self, DeliveryState};
use super::list::{self, Direction, NewMessage};
use crate::error::Error;
use crate::mime::{self, Letter};
use crate::store::column::Column;

/// Stores a verified mail. One from this account itself was sent by another of its devices.
pub(crate) fn store(tx: &Transaction<'_>, message: &Message, deposited_at: Timestamp) -> Result<i64, Error> {
    let from = &message.header.from;
    let Column(own): Column<Address> =
        tx.query_row("SELECT address FROM account WHERE id = 1", [], |row| row.get(0))?;
    let is_own = own == *from;
    let letter = mime::parse(&message.content).unwrap_or_else(|_| unreadable(from, message));
    let recipients: Vec<_> = message.header.to.iter().map(Address::as_str).collect();
    let in_reply_to = letter
        .in_reply_to
        .as_deref()
        .and_then(|id| id.split('@').next()?.parse::<MessageId>().ok());
    let rowid = list::insert(
        tx,
        &NewMessage {
            id: message.header.id,
            sender: from,
            direction: if is_own { Direction::Sent } else { Direction::Received },
            letter: &letter,
            content: &message.content,
            people: &recipients.join(" "),
            in_reply_to,
            statement: &message.statement_bytes,
            signature: message.signature.as_bytes(),
            content_key: if is_own { message.key.as_bytes() } else { &[] },
            header: &[],
            dated_at: deposited_at,
        },
    )?;
    if is_own {
        for StatedRecipient { address, .. } in &message.statement.recipients {
            delivery::insert(tx, rowid, address, DeliveryState::Available, deposited_at)?;
        }
    }
    Ok(rowid)
}

/// Content that is no MIME message is kept as it came, under a subject that says so.
fn unreadable(from: &Address, message: &Message) -> Letter {
    Letter {
        message_id: message.header.id.to_string(),
        in_reply_to: None,
        from: from.to_string(),
        to: message.header.to.iter().map(Address::to_string).collect(),
        date: Some(message.statement.sent_at),
        subject: "(?)".to_owned(),
        text: String::new(),
        hprim: None,
        attachments: Vec::new(),
    }
}
