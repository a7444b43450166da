//! Envelopes that this device cannot open are asked for again; those that others ask for are wrapped anew, by themselves.
//! A person hears of it only where a sender has nothing left to answer with.

use std::collections::BTreeMap;

use protocol::api::PrekeyWish;
use protocol::chunked::ContentKey;
use protocol::envelope::{self, Kind, Message};
use protocol::rewrap::RewrapRequest;
use protocol::sign::Signature;
use protocol::{Address, Code, Digest, MessageId, Timestamp, cbor, limits};
use rusqlite::{OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::outbox::{self, Row, Sealed};
use super::unopened::Reason;
use super::{OutboxKind, SyncReport, push, receive, states};
use crate::account::Account;
use crate::account::correspondent::Known;
use crate::archive;
use crate::clock;
use crate::crash::crash_point;
use crate::error::{Error, KeysError};
use crate::mail::list::Direction;
use crate::session::Session;
use crate::store::column::Column;

/// A sender is asked again after this long without an answer, in days.
const ASK_AGAIN_DAYS: i64 = 1;
const MILLIS_A_DAY: i64 = 86_400_000;
/// For how long, once they were asked: senders keep what they sent, but not for ever.
const ASK_DAYS: i64 = 90;

/// What is needed to send a mail again.
struct Sent {
    header: Vec<u8>,
    key: ContentKey,
    statement: Vec<u8>,
    signature: Vec<u8>,
    content: Zeroizing<Vec<u8>>,
}

/// Queues a request to each sender of whom something is kept sealed that no key here opens. One that was asked tomorrow is asked
/// by a clock that was wrong. What another device of this account sealed comes with the history, and so may all of which only
/// the name is known here.
fn ask(tx: &Transaction<'_>, account: &Account, at: Timestamp) -> Result<(), Error> {
    let now = clock::now();
    let (again, since) = (now.plus_days(-ASK_AGAIN_DAYS), now.plus_days(-ASK_DAYS));
    let mut select = tx.prepare_cached(
        "SELECT rowid, sender, id FROM unopened
         WHERE reason IN (?1, ?2) AND sender <> ''
         AND asked_at NOT BETWEEN ?3 AND ?4 AND (received_at > ?5 OR asked_at = 0) AND (entry <> x'' OR NOT ?7)
         ORDER BY rowid LIMIT ?6",
    )?;
    let most = u32::try_from(limits::REWRAPS).unwrap_or(u32::MAX);
    let rows = select.query_map(
        params![
            Reason::NoPrekey,
            Reason::CannotOpen,
            Column(&again),
            Column(&now),
            Column(&since),
            most,
            archive::is_awaited(tx)?
        ],
        |row| {
            let (Column(sender), Column(id)) = (row.get(1)?, row.get(2)?);
            Ok((row.get::<_, i64>(0)?, sender, id))
        },
    )?;
    let mut wanted: BTreeMap<Address, Vec<MessageId>> = BTreeMap::new();
    for row in rows {
        let (rowid, sender, id) = row?;
        wanted.entry(sender).or_default().push(id);
        tx.execute(
            "UPDATE unopened SET asked_at = ?2 WHERE rowid = ?1",
            params![rowid, Column(&now)],
        )?;
    }
    if wanted.remove(&account.address).is_some() {
        states::record_history_wanted(tx, account, at)?;
    }
    for (sender, ids) in wanted {
        let request = cbor::encode(&RewrapRequest { ids });
        outbox::queue(tx, OutboxKind::RewrapRequest, &sender, &request)?;
    }
    Ok(())
}

/// Queues an answer for each mail that was sent to whoever asks. They get it whether they had it before or not.
pub(super) fn answer(tx: &Transaction<'_>, message: &Message) -> Result<(), Error> {
    let Ok(request) = cbor::decode::<RewrapRequest>(&message.content) else {
        tracing::warn!("a request to wrap again cannot be read and was passed over");
        return Ok(());
    };
    let from = &message.header.from;
    let day = clock::now().as_millis().div_euclid(MILLIS_A_DAY);
    for id in request.ids {
        let sent: Option<i64> = tx
            .query_row(
                "SELECT m.rowid FROM message m JOIN delivery d ON d.message = m.rowid
                 WHERE m.id = ?1 AND m.direction = ?2 AND d.address = ?3 AND m.content_key <> x''",
                params![Column(&id), Direction::Sent, Column(from)],
                |row| row.get(0),
            )
            .optional()?;
        let Some(sent) = sent else {
            tracing::info!("something was asked for that is not kept any more");
            continue;
        };
        // Whoever asks again on the same day, in the same words or others, is not answered again.
        let device = message.statement.device;
        let key = Digest::of(&[b"rewrap", device.as_bytes(), id.as_bytes(), &day.to_be_bytes()]);
        let Some(key) = key.as_bytes().first_chunk().copied().map(MessageId::from_bytes) else {
            continue;
        };
        if receive::is_seen(tx, from, &key)? {
            continue;
        }
        receive::mark_seen(tx, from, &key)?;
        tx.execute(
            "INSERT INTO outbox (kind, idempotency_key, message, recipients) VALUES (?1, ?2, ?3, ?4)",
            params![OutboxKind::Rewrap, Column(&key), sent, Column(from)],
        )?;
    }
    Ok(())
}

impl Session {
    /// Sends a mail again, wrapped for the devices that its recipient has now.
    pub(super) async fn push_rewrap(
        &self,
        account: &Account,
        row: &Row,
        message: i64,
        addresses: &[Address],
    ) -> Result<bool, Error> {
        let Some(sent) = self.sent(message)? else {
            // It was deleted meanwhile, and the row with it.
            return Ok(false);
        };
        let mut known = self.ask_keys(account, addresses.to_vec(), PrekeyWish::OneTime).await?;
        let mut prekeys = Vec::new();
        for address in addresses {
            match known.remove(address) {
                Some(Known::Trusted { prekeys: handed, .. }) => prekeys.extend(handed),
                Some(Known::Changed) => return Err(KeysError::IdentityChanged.into()),
                Some(Known::Unverified(reason)) => return Err(reason.into()),
                None => {}
            }
        }
        if prekeys.is_empty() {
            return Err(Error::Relay(Code::Unreachable));
        }
        let signature =
            Signature::try_from(sent.signature.as_slice()).map_err(|_| crate::store::StoreError::Corrupt)?;
        let payload = envelope::seal_again(
            &sent.header,
            &sent.key,
            Kind::Mail,
            (&sent.statement, signature),
            &sent.content,
        )?;
        let sealed = Sealed {
            header: sent.header,
            payload,
            key: sent.key,
        };
        self.relay.rewrap(account, push::deposit(&sealed, &prekeys)?).await?;
        crash_point!("rewrap-answered");
        self.write(|tx| row.remove(tx))
    }

    /// Sends what came up while mail was taken in: answers to those who ask for mails again, own requests, and word of histories.
    pub(super) async fn answer_and_ask(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        let at = self.relay.clock.now();
        self.write(|tx| ask(tx, account, at))?;
        if self.read(outbox::has_untried)? {
            self.push(account, report).await?;
        }
        Ok(())
    }

    fn sent(&self, message: i64) -> Result<Option<Sent>, Error> {
        self.read(|connection| {
            let sent = connection
                .query_row(
                    "SELECT header, content_key, statement, signature, content FROM message WHERE rowid = ?1",
                    [message],
                    |row| {
                        let Column(key) = row.get(1)?;
                        Ok(Sent {
                            header: row.get(0)?,
                            key,
                            statement: row.get(2)?,
                            signature: row.get(3)?,
                            content: row.get(4).map(Zeroizing::new)?,
                        })
                    },
                )
                .optional()?;
            Ok(sent)
        })
    }
}
