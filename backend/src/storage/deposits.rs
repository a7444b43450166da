//! Deposits: the first answer is repeated, and the first acceptance is one transaction.
//! Where the entries go then is [`super::sequence`]'s.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api::{DepositAnswer, Outcome, WithdrawalAnswer};
use protocol::envelope::{Class, Header, Wrap};
use protocol::sequence::{EntryBody, MailEntry, Notice, Step};
use protocol::{Address, Code, DeviceId, Digest, MessageId, Timestamp, limits};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::sequence::{Place, append, drop_payload, notify, notify_others};
use super::{Effects, StorageError, accounts, prekeys, refuse};
use crate::blobs::PendingBlob;

/// An envelope that came in whole, from a device that proved itself.
pub(crate) struct Arrival {
    /// The sending account.
    pub(crate) sender: Address,
    /// The rows of the sending device and its account.
    pub(crate) place: Place,
    /// The encoded header.
    pub(crate) header: Vec<u8>,
    /// What it says.
    pub(crate) parsed: Header,
    /// The wraps.
    pub(crate) wraps: Vec<Wrap>,
    /// The payload, or the file that holds it.
    pub(crate) payload: Payload,
    /// SHA-256 of the payload.
    pub(crate) payload_digest: Digest,
    /// Its size.
    pub(crate) payload_bytes: i64,
}

/// Where a payload is.
pub(crate) enum Payload {
    /// In memory, for the row.
    Bytes(Vec<u8>),
    /// In the blob folder, durable.
    File(PendingBlob),
}

/// The answer that this message id already got; refused when it was taken back before it came.
pub(crate) fn first_answer(
    connection: &Connection,
    account: i64,
    id: MessageId,
    header: &Digest,
) -> Result<Option<DepositAnswer>, StorageError> {
    let row: Option<([u8; Digest::LEN], String)> = connection
        .prepare_cached("SELECT header_digest, answer FROM deposit WHERE sender = ?1 AND message = ?2")?
        .query_row(params![account, id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((first, answer)) = row else {
        let withdrawn = connection
            .prepare_cached("SELECT 1 FROM withdrawal WHERE sender = ?1 AND message = ?2")?
            .exists(params![account, id.as_bytes()])?;
        return if withdrawn {
            refuse(Code::Withdrawn, "")
        } else {
            Ok(None)
        };
    };
    if first != *header.as_bytes() {
        return refuse(Code::MessageIdReused, "");
    }
    let answer = serde_json::from_str(&answer).map_err(|_| StorageError::Damaged("the answer to a deposit"))?;
    Ok(Some(answer))
}

/// Accepts a deposit, or repeats the answer it got before.
pub(crate) fn accept(
    connection: &Connection,
    effects: &mut Effects,
    arrival: Arrival,
    now: Timestamp,
) -> Result<DepositAnswer, StorageError> {
    let header_digest = Digest::of(&[&arrival.header]);
    // It may have been removed while the payload was on its way.
    let first = accounts::check_present(connection, arrival.place)
        .and_then(|()| first_answer(connection, arrival.place.account, arrival.parsed.id, &header_digest));
    let targets = match first {
        Ok(None) => match_wraps(connection, &arrival, now),
        Ok(Some(answer)) => {
            arrival.payload.discard();
            return Ok(answer);
        }
        Err(error) => Err(error),
    };
    match targets {
        Ok(targets) => store(connection, effects, arrival, &header_digest, &targets, now),
        Err(error) => {
            arrival.payload.discard();
            Err(error)
        }
    }
}

/// SHA-256 of the header of the last envelope that was accepted from this device.
pub(crate) fn last_of(connection: &Connection, device: i64) -> Result<Option<Digest>, StorageError> {
    let digest: Option<[u8; Digest::LEN]> = connection
        .prepare_cached("SELECT deposited FROM device WHERE id = ?1 AND deposited <> x''")?
        .query_row([device], |row| row.get(0))
        .optional()?;
    Ok(digest.map(Digest::from_bytes))
}

/// Puts an envelope once more in the sequences of the devices that it is wrapped for, all of them devices of its recipients.
///
/// Nobody is told: its first deposit was, and who has it already knows it by its id.
pub(crate) fn rewrap(
    connection: &Connection,
    effects: &mut Effects,
    arrival: Arrival,
    now: Timestamp,
) -> Result<(), StorageError> {
    match devices_of_wraps(connection, &arrival, now) {
        Ok(targets) => {
            // It has a row of its own, under an id that no message has.
            let id = MessageId::make().map_err(StorageError::Random)?;
            let deposit = connection
                .prepare_cached(
                    "INSERT INTO deposit (sender, message, header_digest, notices, accepted_at, answer)
                     VALUES (?1, ?2, zeroblob(32), 0, ?3, '')",
                )?
                .insert(params![arrival.place.account, id.as_bytes(), now.as_millis()])?;
            enqueue(connection, effects, arrival, &targets, deposit, now)
        }
        Err(error) => {
            arrival.payload.discard();
            Err(error)
        }
    }
}

/// Takes back, for each recipient, what was not yet handed to any of their devices; what has not come yet is kept out.
pub(crate) fn withdraw(
    connection: &Connection,
    effects: &mut Effects,
    account: i64,
    id: MessageId,
    now: Timestamp,
) -> Result<WithdrawalAnswer, StorageError> {
    let found: Option<(i64, bool)> = connection
        .prepare_cached("SELECT id, notices FROM deposit WHERE sender = ?1 AND message = ?2")?
        .query_row(params![account, id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((deposit, notices)) = found else {
        connection
            .prepare_cached(
                "INSERT INTO withdrawal (sender, message, at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (sender, message) DO UPDATE SET at = excluded.at",
            )?
            .execute(params![account, id.as_bytes(), now.as_millis()])?;
        return Ok(WithdrawalAnswer { outcomes: Vec::new() });
    };
    let deliveries: Vec<(String, i64)> = connection
        .prepare_cached("SELECT address, step FROM delivery WHERE deposit = ?1 ORDER BY address")?
        .query_map([deposit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut outcomes = Vec::with_capacity(deliveries.len());
    for (text, step) in deliveries {
        let address: Address = text
            .parse()
            .map_err(|_| StorageError::Damaged("a recipient's address"))?;
        let mut step = Step::of_number(step).ok_or(StorageError::Damaged("the step of a delivery"))?;
        if step == Step::Available && take_back(connection, deposit, &address, now)? {
            step = Step::Withdrawn;
            if notices {
                let notice = Notice {
                    id,
                    recipient: address.clone(),
                    step,
                    at: now,
                };
                notify(connection, effects, account, &notice)?;
            }
        }
        outcomes.push(Outcome { address, step });
    }
    drop_payload(connection, effects, deposit)?;
    Ok(WithdrawalAnswer { outcomes })
}

/// Forgets deposits that are too old to be repeated and that nobody waits for, and withdrawals as old.
pub(crate) fn forget_old(connection: &Connection, now: Timestamp) -> Result<(), StorageError> {
    let oldest = now.plus_days(limits::MAIL_DAYS.saturating_neg()).as_millis();
    connection
        .prepare_cached(
            "DELETE FROM deposit WHERE accepted_at < ?1
             AND NOT EXISTS (SELECT 1 FROM sequence_entry WHERE deposit = deposit.id AND deposit <> 0)
             AND NOT EXISTS (SELECT 1 FROM payload WHERE payload.deposit = deposit.id)",
        )?
        .execute([oldest])?;
    connection
        .prepare_cached("DELETE FROM withdrawal WHERE at < ?1")?
        .execute([oldest])?;
    Ok(())
}

impl Payload {
    fn discard(self) {
        if let Self::File(file) = self {
            file.discard();
        }
    }
}

/// The devices a deposit goes to, in the order of their rows, each with the place of its wrap; and who is reached.
struct Targets {
    devices: BTreeMap<i64, (DeviceId, usize)>,
    reached: BTreeSet<Address>,
}

/// Holds the wraps against the current device lists: one for each device that has prekeys, and none for any other.
fn match_wraps(connection: &Connection, arrival: &Arrival, now: Timestamp) -> Result<Targets, StorageError> {
    let header = &arrival.parsed;
    if header.from != arrival.sender {
        return refuse(Code::NotYours, "the header names another sender");
    }
    let mut wraps: BTreeMap<(&Address, DeviceId), usize> = BTreeMap::new();
    for (place, wrap) in arrival.wraps.iter().enumerate() {
        if wraps.insert((&wrap.address, wrap.device), place).is_some() {
            return refuse(Code::Malformed, "two wraps for one device");
        }
    }
    let mut targets = Targets {
        devices: BTreeMap::new(),
        reached: BTreeSet::new(),
    };
    let is_own = header.class == Class::Own;
    let others = header.to.iter().filter(|_| !is_own);
    for address in std::iter::once(&header.from).chain(others) {
        let Some(account) = accounts::find_id(connection, address)? else {
            continue;
        };
        for (row, id, has_prekeys) in accounts::devices(connection, account, now)? {
            if row == arrival.place.device {
                continue;
            }
            match wraps.remove(&(address, id)) {
                Some(place) => {
                    check_prekey(connection, arrival, row, place)?;
                    targets.devices.insert(row, (id, place));
                    if *address != header.from || is_own {
                        targets.reached.insert(address.clone());
                    }
                }
                None if has_prekeys => return refuse(Code::DevicesChanged, "a device has no wrap"),
                None => (),
            }
        }
    }
    if !wraps.is_empty() {
        return refuse(Code::DevicesChanged, "a wrap is for no device");
    }
    if targets.reached.is_empty() {
        return refuse(Code::Unreachable, "");
    }
    Ok(targets)
}

/// Refuses a wrap for a prekey that its device cannot have; its keys, asked for again, are others.
fn check_prekey(connection: &Connection, arrival: &Arrival, device: i64, place: usize) -> Result<(), StorageError> {
    let Some(wrap) = arrival.wraps.get(place) else {
        return Ok(());
    };
    if prekeys::can_be(connection, device, wrap.prekey)? {
        Ok(())
    } else {
        refuse(
            Code::DevicesChanged,
            "a wrap names a prekey that its device does not have",
        )
    }
}

fn store(
    connection: &Connection,
    effects: &mut Effects,
    arrival: Arrival,
    header_digest: &Digest,
    targets: &Targets,
    now: Timestamp,
) -> Result<DepositAnswer, StorageError> {
    let header = &arrival.parsed;
    let outcomes = header.to.iter().map(|address| Outcome {
        address: address.clone(),
        step: if targets.reached.contains(address) {
            Step::Available
        } else {
            Step::Unreachable
        },
    });
    let answer = DepositAnswer {
        accepted_at: now,
        outcomes: outcomes.collect(),
    };
    let text = serde_json::to_string(&answer).map_err(|_| StorageError::Damaged("an answer that cannot be written"))?;
    let deposit = connection
        .prepare_cached(
            "INSERT INTO deposit (sender, message, header_digest, notices, accepted_at, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .insert(params![
            arrival.place.account,
            header.id.as_bytes(),
            header_digest.as_bytes(),
            matches!(header.class, Class::Mail),
            now.as_millis(),
            text,
        ])?;
    for outcome in &answer.outcomes {
        connection
            .prepare_cached("INSERT INTO delivery (deposit, address, step, changed_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                deposit,
                outcome.address.as_str(),
                outcome.step.number(),
                now.as_millis()
            ])?;
    }
    connection
        .prepare_cached("UPDATE device SET deposited = ?2 WHERE id = ?1")?
        .execute(params![arrival.place.device, header_digest.as_bytes()])?;
    let (place, id, is_mail) = (arrival.place, header.id, matches!(header.class, Class::Mail));
    enqueue(connection, effects, arrival, &targets.devices, deposit, now)?;
    // After the mail itself, which says of nobody that they were not reached.
    for outcome in answer
        .outcomes
        .iter()
        .filter(|outcome| is_mail && outcome.step == Step::Unreachable)
    {
        let notice = Notice {
            id,
            recipient: outcome.address.clone(),
            step: outcome.step,
            at: now,
        };
        notify_others(connection, effects, place, &notice)?;
    }
    Ok(answer)
}

/// The devices that an envelope is wrapped anew for, each with the place of its wrap.
fn devices_of_wraps(
    connection: &Connection,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<BTreeMap<i64, (DeviceId, usize)>, StorageError> {
    accounts::check_present(connection, arrival.place)?;
    let header = &arrival.parsed;
    if header.from != arrival.sender {
        return refuse(Code::NotYours, "the header names another sender");
    }
    let mut targets = BTreeMap::new();
    for (place, wrap) in arrival.wraps.iter().enumerate() {
        if wrap.address != header.from && !header.to.iter().any(|address| *address == wrap.address) {
            return refuse(Code::NotYours, "a wrap is for nobody of the header");
        }
        let account = accounts::find_id(connection, &wrap.address)?;
        let devices = account.map_or_else(|| Ok(Vec::new()), |account| accounts::devices(connection, account, now))?;
        let Some((row, ..)) = devices.into_iter().find(|(_, id, _)| *id == wrap.device) else {
            return refuse(Code::DevicesChanged, "a wrap is for no device");
        };
        check_prekey(connection, arrival, row, place)?;
        if targets.insert(row, (wrap.device, place)).is_some() {
            return refuse(Code::Malformed, "two wraps for one device");
        }
    }
    if targets.is_empty() {
        return refuse(Code::Malformed, "no wrap");
    }
    Ok(targets)
}

/// Keeps the payload, and puts an entry in the sequence of each device.
fn enqueue(
    connection: &Connection,
    effects: &mut Effects,
    arrival: Arrival,
    devices: &BTreeMap<i64, (DeviceId, usize)>,
    deposit: i64,
    now: Timestamp,
) -> Result<(), StorageError> {
    let (bytes, blob) = match &arrival.payload {
        Payload::Bytes(bytes) => (bytes.as_slice(), ""),
        Payload::File(file) => (&[][..], file.name()),
    };
    connection
        .prepare_cached("INSERT INTO payload (deposit, bytes, blob, size_bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![deposit, bytes, blob, arrival.payload_bytes])?;
    for (row, (id, place)) in devices {
        let Some(wrap) = arrival.wraps.get(*place) else {
            continue;
        };
        let body = EntryBody::Mail(MailEntry {
            header: arrival.header.clone().into(),
            wrap: wrap.clone(),
            payload_digest: arrival.payload_digest,
            deposited_at: now,
        });
        append(connection, effects, (*row, *id), &body, deposit)?;
    }
    if let Payload::File(file) = arrival.payload {
        effects.adopted = Some(file);
    }
    Ok(())
}

/// Empties a recipient's entries of a deposit, unless one of them was handed to its device.
fn take_back(connection: &Connection, deposit: i64, address: &Address, now: Timestamp) -> Result<bool, StorageError> {
    let Some(account) = accounts::find_id(connection, address)? else {
        return Ok(false);
    };
    let handed = connection
        .prepare_cached(
            "SELECT 1 FROM sequence_entry JOIN device ON device.id = sequence_entry.device
             WHERE sequence_entry.deposit = ?1 AND sequence_entry.deposit <> 0 AND device.account = ?2
             AND sequence_entry.number <= device.handed_number",
        )?
        .exists(params![deposit, account])?;
    if handed {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE sequence_entry SET body = x'', deposit = 0 WHERE deposit = ?1 AND deposit <> 0
             AND device IN (SELECT id FROM device WHERE account = ?2)",
        )?
        .execute(params![deposit, account])?;
    connection
        .prepare_cached("UPDATE delivery SET step = ?3, changed_at = ?4 WHERE deposit = ?1 AND address = ?2")?
        .execute(params![
            deposit,
            address.as_str(),
            Step::Withdrawn.number(),
            now.as_millis()
        ])?;
    Ok(true)
}
