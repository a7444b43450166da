//! Whether phone and relay stand where they left each other. One of them may have been put back to an earlier copy of itself.
//! A relay that was is brought up to date here; a phone that was is told, and becomes a new device (`account::put_back`).

use protocol::api::Standing;
use protocol::envelope::{self, Deposit, Header, Kind};
use protocol::receipt::Reading;
use protocol::sequence::Cursor;
use protocol::sign::Signature;
use protocol::{Code, Digest, Timestamp, cbor};
use rusqlite::{Connection, Transaction, params};
use zeroize::Zeroizing;

use super::{OutboxKind, SyncReport, pull};
use crate::account::list::Compared;
use crate::account::{Account, prekeys, put_back};
use crate::archive;
use crate::clock;
use crate::crash::crash_point;
use crate::error::Error;
use crate::mail::delivery::DeliveryState;
use crate::mail::list::Direction;
use crate::session::{Session, set_setting, setting};
use crate::store::StoreError;
use crate::store::column::Column;

/// The header of the last envelope that the relay accepted, and when.
const LAST_DEPOSIT: &str = "last-deposit";
/// How far this device had acknowledged when it found the relay put back.
const FORMER_CURSOR: &str = "former-cursor";
/// Of so many envelopes it is remembered that they were sealed here.
const REMEMBERED: i64 = 1_000;
/// Setting: when this phone last asked for what it lacked after it was put back.
const BROUGHT_UP: &str = "brought-up";
/// So often, at most, the relay's word alone makes it ask, in days.
const BRING_UP_DAYS: i64 = 1;
/// For so long the relay is asked whether it still knows that envelope: it forgets it after 90 days.
const REMEMBERED_DAYS: i64 = 80;

impl Session {
    /// Compares notes with the relay, once for each token: whoever was put back to a copy has begun anew since.
    ///
    /// This comes before all else of a sync. A phone that was put back and lacks what came sends and takes in nothing; one that
    /// lacks what it sent alone gets that again.
    pub(super) async fn check_standing(&self, account: &Account, report: &mut SyncReport) -> Result<(), Error> {
        if self.relay.has_compared(account) {
            return Ok(());
        }
        let (cursor, standing) = loop {
            let own = self.read(own_standing)?;
            let standing = self.relay.standing(account, own.0).await?;
            // Another process may have acknowledged or sent more meanwhile.
            if self.read(own_standing)? == own {
                break (own.0, standing);
            }
        };
        // The later copy of a relay that was put back may have been put in its place again.
        let is_known = self.read(former_cursor)? == Some(standing.acknowledged);
        let compared = self.compare_lists(account).await?;
        let is_phone_behind = standing.acknowledged.number > cursor.number && !is_known;
        if is_phone_behind || compared == Compared::KeyLost {
            tracing::warn!("this phone was put back to an earlier copy");
            self.write(put_back::note)?;
            return Err(Error::DevicePutBack);
        }
        let is_behind = !standing.agreed
            || matches!(compared, Compared::RelayBehind(_))
            || self.is_last_deposit_lost(account, &standing).await?;
        if is_behind {
            tracing::warn!("the relay was put back to an earlier copy");
            self.bring_relay_up(account, &standing, compared).await?;
            report.relay_put_back = true;
        } else if self.read(|connection| is_to_be_brought_up(connection, standing.deposited))? {
            tracing::warn!("this phone was put back to an earlier copy, and lacks what it sent since");
            self.bring_phone_up(account, &standing).await?;
        }
        self.write(put_back::note_known)?;
        self.relay.compared();
        Ok(())
    }

    /// Whether the relay does not know what it accepted last. Its header alone is shown: one that is known gets its first answer
    /// again, whatever came with it.
    async fn is_last_deposit_lost(&self, account: &Account, standing: &Standing) -> Result<bool, Error> {
        let since = self.relay.clock.now().plus_days(-REMEMBERED_DAYS);
        let Some(header) = self.read(|connection| last_deposit(connection, since))? else {
            return Ok(false);
        };
        if standing.deposited == Some(Digest::of(&[&header])) {
            return Ok(false);
        }
        let shown = Deposit {
            header: header.into(),
            wraps: Vec::new(),
            payload: Vec::new().into(),
        };
        match self.relay.deposit(account, cbor::encode(&shown)).await {
            Ok(_) | Err(Error::Relay(Code::MessageIdReused | Code::Withdrawn)) => Ok(false),
            Err(Error::Relay(Code::Malformed)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes all that the relay holds, and gives it what it may have lost: the device list, who is suspended, a batch of prekeys of
    /// which none was handed out, and every envelope that nobody is known to have retrieved. Each can be given twice.
    async fn bring_relay_up(&self, account: &Account, standing: &Standing, list: Compared) -> Result<(), Error> {
        if let Compared::RelayBehind(since) = list {
            self.show_lists(account, since).await?;
        }
        self.suspend_again(account).await?;
        // This phone may have been put back, too, to before it published a batch that the relay has.
        let stock = self.relay.prekey_stock(account).await?;
        let now = self.relay.clock.now();
        self.write(|tx| {
            if !standing.agreed {
                set_former_cursor(tx, pull::cursor(tx)?)?;
                pull::set_cursor(tx, standing.acknowledged)?;
            }
            tx.execute("DELETE FROM setting WHERE name = ?1", [LAST_DEPOSIT])?;
            if let Some(header) = standing.deposited {
                remember(tx, header)?;
            }
            prekeys::make_batch_after(tx, account, &stock, now)?;
            offer_again(tx, now.min(clock::now()))?;
            archive::begin_anew(tx, account, now)
        })?;
        crash_point!("relay-brought-up");
        self.replenish_prekeys(account).await
    }

    /// Gets again what this phone did before it was put back: the list that it signed, and what it sent, from the backup and the
    /// account's other devices. Each can be asked for twice. It does not know which prekeys were used, and makes others.
    async fn bring_phone_up(&self, account: &Account, standing: &Standing) -> Result<(), Error> {
        self.refresh_list(account).await?;
        // A batch that it made since has a number, too.
        let stock = self.relay.prekey_stock(account).await?;
        let now = self.relay.clock.now();
        self.write(|tx| {
            prekeys::make_batch_after(tx, &Account::load(tx)?, &stock, now)?;
            archive::ask_for_own(tx, now)?;
            set_setting(tx, BROUGHT_UP, &clock::now().as_millis().to_string())?;
            if let Some(header) = standing.deposited {
                remember(tx, header)?;
            }
            Ok(())
        })?;
        crash_point!("phone-brought-up");
        Ok(())
    }
}

/// What was acknowledged before the relay was put back to an earlier copy.
fn former_cursor(connection: &Connection) -> Result<Option<Cursor>, Error> {
    let Some(text) = setting(connection, FORMER_CURSOR)? else {
        return Ok(None);
    };
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes());
    Ok(Some(cbor::decode(&bytes.map_err(|_| StoreError::Corrupt)?)?))
}

fn set_former_cursor(tx: &Transaction<'_>, cursor: Cursor) -> Result<(), Error> {
    let text = data_encoding::HEXLOWER.encode(&cbor::encode(&cursor));
    set_setting(tx, FORMER_CURSOR, &text)
}

/// Whether the relay has an envelope of this phone's that it does not know, and it did not ask for what it lacks a short while ago.
fn is_to_be_brought_up(connection: &Connection, deposited: Option<Digest>) -> Result<bool, Error> {
    if !is_unknown(connection, deposited)? {
        return Ok(false);
    }
    let last: Option<i64> = setting(connection, BROUGHT_UP)?.and_then(|at| at.parse().ok());
    let now = clock::now();
    let recently = now.plus_days(-BRING_UP_DAYS).as_millis()..=now.as_millis();
    Ok(!last.is_some_and(|at| recently.contains(&at)))
}

/// How far this phone has acknowledged, and the place of the last envelope that it sealed.
fn own_standing(connection: &Connection) -> Result<(Cursor, i64), Error> {
    let sent = connection.query_row("SELECT coalesce(max(place), 0) FROM deposited", [], |row| row.get(0))?;
    Ok((pull::cursor(connection)?, sent))
}

/// Whether this phone never sealed this envelope.
fn is_unknown(connection: &Connection, deposited: Option<Digest>) -> Result<bool, Error> {
    let Some(header) = deposited else { return Ok(false) };
    let is_known = connection
        .prepare_cached("SELECT 1 FROM deposited WHERE header = ?1")?
        .exists([Column(&header)])?;
    Ok(!is_known)
}

/// Takes note that the relay may have accepted the envelope with this header.
pub(super) fn remember(tx: &Transaction<'_>, header: Digest) -> Result<(), Error> {
    tx.execute(
        "INSERT OR REPLACE INTO deposited (header) VALUES (?1)",
        [Column(&header)],
    )?;
    tx.execute(
        "DELETE FROM deposited WHERE place <= (SELECT max(place) FROM deposited) - ?1",
        [REMEMBERED],
    )?;
    Ok(())
}

/// Takes note of what the relay accepted last.
pub(super) fn deposited(tx: &Transaction<'_>, header: &[u8], at: Timestamp) -> Result<(), Error> {
    let text = format!("{} {}", at.as_millis(), data_encoding::HEXLOWER.encode(header));
    set_setting(tx, LAST_DEPOSIT, &text)
}

fn last_deposit(connection: &Connection, since: Timestamp) -> Result<Option<Vec<u8>>, Error> {
    let Some(text) = setting(connection, LAST_DEPOSIT)? else {
        return Ok(None);
    };
    let (at, header) = text.split_once(' ').ok_or(StoreError::Corrupt)?;
    let at: i64 = at.parse().map_err(|_| StoreError::Corrupt)?;
    if at < since.as_millis() {
        return Ok(None);
    }
    let header = data_encoding::HEXLOWER.decode(header.as_bytes());
    Ok(Some(header.map_err(|_| StoreError::Corrupt)?))
}

/// Makes due again what the relay accepted and may have lost. What became of mail says how far back that goes: a date on it is by
/// this phone's clock, which may have jumped since. Receipts are more than are worth it, and go as far back as the relay keeps mail.
pub(crate) fn offer_again(tx: &Transaction<'_>, now: Timestamp) -> Result<(), Error> {
    let since = now.plus_days(-protocol::limits::MAIL_DAYS);
    offer_mail(tx)?;
    tx.execute(
        "INSERT OR IGNORE INTO outbox (kind, idempotency_key, message, recipients, content)
         SELECT ?1, randomblob(16), m.rowid, '', m.id FROM message m
         WHERE m.direction = ?2 AND m.header <> x''
         AND EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.rowid AND d.state = ?3)
         AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message = m.rowid)",
        params![OutboxKind::Withdrawal, Direction::Sent, DeliveryState::Withdrawn],
    )?;
    // Whether somebody wanted it to be known that a mail was read when it was, is not known any more.
    tx.execute(
        "INSERT OR IGNORE INTO receipt (sender, id, reading, at)
         SELECT sender, id, ?1, handled_at FROM message WHERE direction = ?2 AND handled_at > ?3",
        params![Column(&Reading::Handled), Direction::Received, Column(&since)],
    )?;
    tx.execute_batch(
        "UPDATE state SET due = 1 WHERE EXISTS (SELECT 1 FROM account WHERE devices > 1 AND account.device = state.device);
         UPDATE unopened SET asked_at = 0;",
    )?;
    Ok(())
}

/// Every mail that the relay accepted and that nobody is known to have retrieved, under the header it was sealed with.
pub(crate) fn offer_mail(tx: &Transaction<'_>) -> Result<(), Error> {
    let mut select = tx.prepare_cached(
        "SELECT m.rowid, m.header, m.content_key, m.statement, m.signature, m.content FROM message m
         WHERE m.direction = ?1 AND m.content_key <> x''
         AND EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.rowid AND d.state IN (?2, ?3, ?4))
         AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message = m.rowid) ORDER BY m.rowid",
    )?;
    let mut rows = select.query(params![
        Direction::Sent,
        DeliveryState::Sent,
        DeliveryState::Available,
        DeliveryState::NotRetrieved
    ])?;
    while let Some(row) = rows.next()? {
        let (message, header): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (Column(key), statement): (_, Vec<u8>) = (row.get(2)?, row.get(3)?);
        let signature: Vec<u8> = row.get(4)?;
        let content = row.get(5).map(Zeroizing::<Vec<u8>>::new)?;
        let parsed = Header::parse(&header)?;
        let signature = Signature::try_from(signature.as_slice()).map_err(|_| StoreError::Corrupt)?;
        let payload = envelope::seal_again(&header, &key, Kind::Mail, (&statement, signature), &content)?;
        tx.execute(
            "INSERT OR IGNORE INTO outbox (kind, idempotency_key, message, recipients, header, payload, content_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                OutboxKind::Mail,
                Column(&parsed.id),
                message,
                Column(&parsed.to),
                header,
                payload,
                Column(&key)
            ],
        )?;
        remember(tx, Digest::of(&[&header]))?;
    }
    Ok(())
}
