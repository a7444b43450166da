//! Lists and single mails, as a screen shows them.

use protocol::{Address, DeviceId, DeviceName, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::compose::{patient_line, patient_of};
pub use super::delivery::DeliveryState;
use super::find;
use crate::account::name;
use crate::error::Error;
use crate::mime::{self, Letter};
use crate::session::Session;
use crate::store::column::{Column, numbered};
use crate::store::search;
use crate::sync::states::Field;

/// Where a mail is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Folder {
    /// Received or sent, and put away.
    Archive,
    /// Not sent yet.
    Drafts,
    /// Received.
    Inbox,
    /// Sent or being sent.
    Sent,
}

impl Folder {
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::Archive => "m.direction IN (0, 1) AND m.archived_at > 0",
            Self::Drafts => "m.direction = 2 AND m.archived_at = 0",
            Self::Inbox => "m.direction = 0 AND m.archived_at = 0",
            Self::Sent => "m.direction = 1 AND m.archived_at = 0",
        }
    }
}

/// A line of a list.
#[derive(Clone, Eq, PartialEq)]
pub struct Summary {
    /// The mail's number on this phone.
    pub number: i64,
    /// The mail's id, the same everywhere.
    pub id: MessageId,
    /// Who sent it.
    pub sender: String,
    /// The correspondents: recipients of a sent mail.
    pub people: String,
    /// The subject.
    pub subject: String,
    /// Whom it is about; empty when it does not say.
    pub patient: String,
    /// When it was sent or, for a received one, accepted by the relay.
    pub dated_at: Timestamp,
    /// When it was read here; `None` while it was not.
    pub read_at: Option<Timestamp>,
    /// When it was handled here.
    pub handled_at: Option<Timestamp>,
    /// How many attachments it has.
    pub attachments: u32,
    /// Of a sent mail: the least of its recipients' states, or what is amiss with one of them.
    pub state: Option<DeliveryState>,
}

/// A whole mail.
#[derive(Clone, PartialEq)]
pub struct MessageView {
    /// Its line.
    pub summary: Summary,
    /// Its text.
    pub text: String,
    /// Whether it holds an HPRIM document.
    pub is_hprim: bool,
    /// Its attachments.
    pub attachments: Vec<AttachmentView>,
    /// What became of it, for each recipient of a sent mail.
    pub deliveries: Vec<Delivery>,
    /// On which device it was handled, if it was: in a shared box, by whom.
    pub handled_by: Option<HandledBy>,
}

/// The device on which a mail was handled.
#[derive(Clone, Eq, PartialEq)]
pub struct HandledBy {
    /// Its id.
    pub device: DeviceId,
    /// What it is called, if anybody has said so.
    pub name: Option<DeviceName>,
}

/// An attachment, without its bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct AttachmentView {
    /// Its name, safe to be used as a file's.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub size_bytes: usize,
}

/// What became of a mail with one recipient.
#[derive(Clone, Eq, PartialEq)]
pub struct Delivery {
    /// The recipient.
    pub address: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// Since when.
    pub state_at: Timestamp,
}

/// None of them says in a log whom or what it is about.
macro_rules! quiet {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), " { .. }"))
            }
        }
    )*};
}

quiet!(AttachmentView, Delivery, HandledBy, MessageView, Summary);

impl Session {
    /// The newest mails of a folder, those that hold every word of `search` if given.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn list(&self, folder: Folder, search: Option<&str>, limit: u32) -> Result<Vec<Summary>, Error> {
        let matching = search.and_then(search::expression);
        if search.is_some_and(|words| !words.trim().is_empty()) && matching.is_none() {
            return Ok(Vec::new());
        }
        self.read(|connection| match &matching {
            Some(matching) => find::newest(connection, folder, matching, limit),
            None => newest(connection, folder, limit),
        })
    }

    /// The mail with this number.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn message(&self, number: i64) -> Result<MessageView, Error> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM message m WHERE m.rowid = ?1");
            let summary = connection
                .query_row(&sql, [number], summary)
                .optional()?
                .ok_or(Error::NoSuchMessage)?;
            let original = original(connection, number)?;
            let deliveries = deliveries(connection, number)?;
            let handled_by = handled_by(connection, number)?;
            // What no reader understands is still shown as it was stored.
            let Ok(letter) = mime::parse(&original.content) else {
                let text = String::from_utf8_lossy(&original.content).into_owned();
                return Ok(MessageView {
                    summary,
                    text,
                    is_hprim: false,
                    attachments: Vec::new(),
                    deliveries,
                    handled_by,
                });
            };
            let attachments = letter.attachments.iter().map(|attachment| AttachmentView {
                name: attachment.name.clone(),
                media_type: attachment.media_type.clone(),
                size_bytes: attachment.bytes.len(),
            });
            Ok(MessageView {
                summary,
                is_hprim: letter.hprim.is_some(),
                attachments: attachments.collect(),
                text: letter.reading(),
                deliveries,
                handled_by,
            })
        })
    }
}

fn newest(connection: &Connection, folder: Folder, limit: u32) -> Result<Vec<Summary>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM message m WHERE {} ORDER BY m.dated_at DESC, m.rowid DESC LIMIT ?1",
        folder.condition()
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map([limit], summary)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Which way a stored mail goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    /// From a correspondent.
    Received,
    /// From this account.
    Sent,
    /// Nowhere yet.
    Draft,
}

numbered! {
    Direction {
        Received = 0,
        Sent = 1,
        Draft = 2,
    }
}

/// What answering, forwarding and exporting need of a stored mail.
pub(crate) struct Original {
    pub(crate) id: MessageId,
    pub(crate) sender: Address,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn original(connection: &Connection, number: i64) -> Result<Original, Error> {
    connection
        .query_row(
            "SELECT id, sender, content FROM message WHERE rowid = ?1",
            [number],
            |row| {
                let (Column(id), Column(sender)) = (row.get(0)?, row.get(1)?);
                Ok(Original {
                    id,
                    sender,
                    content: row.get(2)?,
                })
            },
        )
        .optional()?
        .ok_or(Error::NoSuchMessage)
}

/// A message on its way into the store.
pub(crate) struct NewMessage<'a> {
    pub(crate) id: MessageId,
    pub(crate) sender: &'a Address,
    pub(crate) direction: Direction,
    pub(crate) letter: &'a Letter,
    pub(crate) content: &'a [u8],
    pub(crate) people: &'a str,
    pub(crate) in_reply_to: Option<MessageId>,
    pub(crate) statement: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) content_key: &'a [u8],
    pub(crate) header: &'a [u8],
    pub(crate) dated_at: Timestamp,
}

/// Stores a message; the search index follows by itself.
pub(crate) fn insert(tx: &Transaction<'_>, new: &NewMessage<'_>) -> Result<i64, Error> {
    let patient = new
        .letter
        .hprim
        .as_deref()
        .and_then(patient_of)
        .map(|patient| patient_line(&patient))
        .unwrap_or_default();
    tx.execute(
        "INSERT INTO message (id, sender, direction, subject, body, people, patient, content, statement, signature, content_key,
                              header, attachments, in_reply_to, dated_at, read_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0)",
        params![
            Column(&new.id),
            Column(new.sender),
            new.direction,
            new.letter.subject,
            new.letter.reading(),
            format!("{} {}", new.sender, new.people),
            patient,
            new.content,
            new.statement,
            new.signature,
            new.content_key,
            new.header,
            u32::try_from(new.letter.attachments.len()).unwrap_or(u32::MAX),
            Column(&new.in_reply_to),
            Column(&new.dated_at),
        ],
    )?;
    Ok(tx.last_insert_rowid())
}

pub(super) const COLUMNS: &str =
    "m.rowid, m.id, m.sender, m.people, m.subject, m.patient, m.dated_at, m.read_at, m.handled_at, m.attachments,
    (SELECT iif(max(d.state) >= 6, max(d.state), min(d.state)) FROM delivery d WHERE d.message = m.rowid)";

pub(super) fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let (Column(id), Column(dated_at)) = (row.get(1)?, row.get(6)?);
    let (Column(read_at), Column(handled_at)) = (row.get(7)?, row.get(8)?);
    let (sender, people): (String, String) = (row.get(2)?, row.get(3)?);
    Ok(Summary {
        number: row.get(0)?,
        id,
        // The column begins with the sender, so that a search finds it, too.
        people: people.strip_prefix(&sender).unwrap_or_default().trim().to_owned(),
        sender,
        subject: row.get(4)?,
        patient: row.get(5)?,
        dated_at,
        read_at,
        handled_at,
        attachments: row.get(9)?,
        state: row.get(10)?,
    })
}

fn handled_by(connection: &Connection, number: i64) -> Result<Option<HandledBy>, Error> {
    let device: Option<Column<DeviceId>> = connection
        .prepare_cached(
            "SELECT state.device FROM state JOIN message m ON state.sender = m.sender AND state.id = m.id
             WHERE m.rowid = ?1 AND field = ?2 AND value = 1",
        )?
        .query_row(params![number, Field::Handled], |row| row.get(0))
        .optional()?;
    let Some(Column(device)) = device else { return Ok(None) };
    let name = name::of(connection, &device)?;
    Ok(Some(HandledBy { device, name }))
}

fn deliveries(connection: &Connection, number: i64) -> Result<Vec<Delivery>, Error> {
    let mut select = connection
        .prepare_cached("SELECT address, state, state_at FROM delivery WHERE message = ?1 ORDER BY address")?;
    let rows = select.query_map([number], |row| {
        let Column(state_at) = row.get(2)?;
        Ok(Delivery {
            address: row.get(0)?,
            state: row.get(1)?,
            state_at,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreKey};

    /// A page that grew by a query a line would still be fast on a small store.
    #[test]
    fn a_page_is_one_query_whatever_is_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("store.db"), StoreKey::make().unwrap()).unwrap();
        store
            .write::<_, Error>(|tx| {
                for number in 0..40_u8 {
                    tx.execute(
                        "INSERT INTO message (id, sender, direction, body, content, dated_at)
                         VALUES (?1, 'a@b.example', 1, 'bonjour', x'', ?2)",
                        params![[number; 16], number],
                    )?;
                    tx.execute(
                        "INSERT INTO delivery (message, address) VALUES (?1, 'c@d.example')",
                        [tx.last_insert_rowid()],
                    )?;
                }
                Ok(())
            })
            .unwrap();
        let page = |folder| move |connection: &Connection| newest(connection, folder, 50).unwrap().len();
        assert_eq!(store.queries_of(page(Folder::Sent)), (40, 1));
        assert_eq!(store.queries_of(page(Folder::Inbox)), (0, 1));
    }
}
