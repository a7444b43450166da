//! The device list: changed by the main device alone, which holds the identity key; taken in by the others.

use protocol::api::ListUpload;
use protocol::identity::{DeviceCertificate, DeviceList, Signed, VerifiedAccount};
use protocol::sign::{Seed, SigningKey};
use protocol::{Code, DeviceId, DeviceName, Timestamp, cbor};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::link::LinkStep;
use super::{Account, Listed, correspondent, handover, name};
use crate::archive;
use crate::clock;
use crate::crash::crash_point;
use crate::error::{Error, KeysError};
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::{states, unopened};

/// So many device lists are kept.
const PAST_LISTS: i64 = 32;

/// A device of this account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceView {
    /// Its id.
    pub id: DeviceId,
    /// What it is called, if anybody has said so.
    pub name: Option<DeviceName>,
    /// When it was added.
    pub added_at: Timestamp,
    /// Whether it is the main one, which alone adds and removes others.
    pub is_main: bool,
    /// Whether it is this one.
    pub is_this: bool,
}

/// How the relay's list of this account's devices stands to this device's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compared {
    /// It is the same, or one that this device takes in sooner or later.
    Alike,
    /// It is older, of this version: who was removed would be a device again.
    RelayBehind(u64),
    /// This device has become the main one, and has not the identity's key: its store is from before that.
    KeyLost,
}

/// A change that the relay has not confirmed.
struct Change {
    rowid: i64,
    added: Vec<u8>,
    batch: Vec<u8>,
    removed: Option<DeviceId>,
    /// This device is to be the first.
    is_claim: bool,
    upload: Vec<u8>,
}

impl Session {
    /// The devices of this account, the main one first.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`].
    pub fn devices(&self) -> Result<Vec<DeviceView>, Error> {
        self.read(views)
    }

    /// Takes a device off the list with the next sync; it erases itself when it hears so. One that this device is handing over
    /// to is not handed over to any more.
    ///
    /// # Errors
    ///
    /// [`Error::NotMain`]; [`Error::DevicesChanging`] while this device hands its role over to another one; [`Error::NoSuchDevice`] for one that is not on the list, and for this one.
    pub fn remove_device(&self, device: DeviceId) -> Result<(), Error> {
        self.write(|tx| {
            identity_key(tx)?;
            Account::load(tx)?.check_other(&device)?;
            if handover::successor(tx)?.is_some_and(|successor| successor != device) {
                return Err(Error::DevicesChanging);
            }
            tx.execute("DELETE FROM handover", [])?;
            tx.execute("INSERT INTO list_change (removed) VALUES (?1)", [Column(&device)])?;
            Ok(())
        })
    }

    /// Compares the relay's list of this account's devices with this device's own.
    pub(crate) async fn compare_lists(&self, account: &Account) -> Result<Compared, Error> {
        let own = &account.verified;
        if own.list_version() == 1 {
            return Ok(Compared::Alike);
        }
        let Some(Listed { account: listed, .. }) = self.listed(&account.address).await? else {
            return Ok(Compared::Alike);
        };
        if listed.fingerprint() != own.fingerprint() {
            return Ok(Compared::Alike);
        }
        if listed.list_version() < own.list_version() {
            return Ok(Compared::RelayBehind(listed.list_version()));
        }
        let is_first = listed.devices().first().is_some_and(|main| main.id == account.device);
        let is_key_lost = self.read(|connection| {
            // Another process may have handed the role over since this list was asked for.
            let known = Account::load(connection)?.verified.list_version();
            Ok(is_first && known <= listed.list_version() && !is_main(connection)?)
        })?;
        Ok(if is_key_lost {
            Compared::KeyLost
        } else {
            Compared::Alike
        })
    }

    /// Gives the relay, which has the one of version `since`, the account's lists again, one after the other: what a removed device
    /// had sent is known by the two between which it went.
    pub(crate) async fn show_lists(&self, account: &Account, since: u64) -> Result<(), Error> {
        let mut outcome = Ok(());
        for list in self.read(|connection| lists_since(connection, since))? {
            let upload = ListUpload { list, batch: None };
            match self.relay.publish_list(account, cbor::encode(&upload)).await {
                // Another device has shown later ones meanwhile.
                Ok(()) | Err(Error::Relay(Code::ListOutdated)) => outcome = Ok(()),
                // Another account may have named a device that is not on the lists after it.
                Err(refused @ Error::Relay(Code::SignatureRefused)) => outcome = Err(refused),
                Err(error) => return Err(error),
            }
        }
        outcome
    }

    /// Publishes what is to change of the list, one version after the other.
    pub(crate) async fn publish_lists(&self, account: &Account) -> Result<(), Error> {
        // What a removed device had sent is known for the account's for so long after this: a relay that says it is later than
        // it is does not make that longer.
        let now = self.relay.clock.now().min(clock::now());
        while let Some(change) = self.write(|tx| sign_next(tx, now))? {
            crash_point!("list-signed");
            match self.relay.publish_list(account, change.upload.clone()).await {
                Ok(()) => {
                    crash_point!("list-published");
                    self.write(|tx| settle(tx, &change))?;
                }
                // The present main device has published another list meanwhile: the next one follows that.
                Err(Error::Relay(Code::ListOutdated)) if change.is_claim => {
                    let is_newer = self.refresh_list(account).await?;
                    self.write(|tx| sign_again(tx, &change))?;
                    if !is_newer {
                        return Ok(());
                    }
                }
                // It would be refused again each time, and hold up all else.
                Err(Error::Relay(
                    code @ (Code::ListOutdated | Code::SignatureRefused | Code::PrekeysOutdated | Code::Malformed),
                )) => {
                    tracing::warn!(code = code.as_str(), "a change of the device list was refused");
                    self.write(|tx| give_up(tx, &change))?;
                    // Another device may be the main one.
                    self.refresh_list(account).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Session {
    /// Takes in what the relay has of this account's list; whether that is newer.
    pub(crate) async fn refresh_list(&self, account: &Account) -> Result<bool, Error> {
        let Some(Listed { account: listed, keys }) = self.listed(&account.address).await? else {
            return Ok(false);
        };
        self.write(|tx| take_in(tx, &Account::load(tx)?, &keys.list, &listed))
    }
}

/// The devices of this account, the main one first.
pub(super) fn views(connection: &Connection) -> Result<Vec<DeviceView>, Error> {
    let account = Account::load(connection)?;
    let devices = account.verified.devices().iter().enumerate();
    let views = devices.map(|(place, device)| {
        Ok(DeviceView {
            id: device.id,
            name: name::of(connection, &device.id)?,
            added_at: device.added_at,
            is_main: place == 0,
            is_this: device.id == account.device,
        })
    });
    views.collect()
}

/// Whether this device has the identity key.
pub(crate) fn is_main(connection: &Connection) -> Result<bool, Error> {
    let is_main = connection
        .prepare_cached("SELECT 1 FROM account WHERE identity_seed <> x''")?
        .exists([])?;
    Ok(is_main)
}

/// The identity key, which the main device alone has.
pub(super) fn identity_key(connection: &Connection) -> Result<SigningKey, Error> {
    if !is_main(connection)? {
        return Err(Error::NotMain);
    }
    let Column(seed): Column<Seed> = connection.query_row("SELECT identity_seed FROM account", [], |row| row.get(0))?;
    Ok(SigningKey::derive(&seed))
}

/// The next change, signed; once signed it stays as it is.
fn sign_next(tx: &Transaction<'_>, now: Timestamp) -> Result<Option<Change>, Error> {
    let next = tx
        .query_row(
            "SELECT rowid, added, batch, removed, is_claim, upload FROM list_change ORDER BY rowid LIMIT 1",
            [],
            |row| {
                let Column(removed) = row.get(3)?;
                Ok(Change {
                    rowid: row.get(0)?,
                    added: row.get(1)?,
                    batch: row.get(2)?,
                    removed,
                    is_claim: row.get(4)?,
                    upload: row.get(5)?,
                })
            },
        )
        .optional()?;
    let Some(mut change) = next else { return Ok(None) };
    if !change.upload.is_empty() {
        return Ok(Some(change));
    }
    let key = identity_key(tx)?;
    let encoded: Vec<u8> = tx.query_row("SELECT list FROM account", [], |row| row.get(0))?;
    let present: Signed<DeviceList> = cbor::decode(&encoded)?;
    let mut list = present.verify(&key.verifying_key())?;
    list.version = list.version.saturating_add(1);
    list.issued_at = now;
    if let Some(removed) = change.removed {
        let mut kept = Vec::with_capacity(list.devices.len());
        for device in list.devices {
            if device.verify(&key.verifying_key())?.device() != removed {
                kept.push(device);
            }
        }
        list.devices = kept;
    }
    if change.is_claim {
        let Column(own): Column<DeviceId> = tx.query_row("SELECT device FROM account", [], |row| row.get(0))?;
        let mut place = None;
        for (at, device) in list.devices.iter().enumerate() {
            if device.verify(&key.verifying_key())?.device() == own {
                place = Some(at);
            }
        }
        match place {
            Some(at) if at > 0 => list.devices.get_mut(..=at).unwrap_or_default().rotate_right(1),
            // It is published already, or this device was removed, as it will learn.
            _ => {
                tx.execute("DELETE FROM list_change WHERE rowid = ?1", [change.rowid])?;
                return sign_next(tx, now);
            }
        }
    }
    let batch = if change.added.is_empty() {
        None
    } else {
        let certificate: DeviceCertificate = cbor::decode(&change.added)?;
        list.devices.push(Signed::make(&certificate, &key));
        Some(cbor::decode(&change.batch)?)
    };
    let upload = ListUpload {
        list: Signed::make(&list, &key),
        batch,
    };
    change.upload = cbor::encode(&upload);
    tx.execute(
        "UPDATE list_change SET upload = ?2 WHERE rowid = ?1",
        params![change.rowid, change.upload],
    )?;
    Ok(Some(change))
}

/// The list that this change makes is to be signed anew.
fn sign_again(tx: &Transaction<'_>, change: &Change) -> Result<(), Error> {
    tx.execute("UPDATE list_change SET upload = x'' WHERE rowid = ?1", [change.rowid])?;
    Ok(())
}

/// The relay does not take the change: the device that it adds has to show another code.
fn give_up(tx: &Transaction<'_>, change: &Change) -> Result<(), Error> {
    tx.execute("DELETE FROM list_change WHERE rowid = ?1", [change.rowid])?;
    if !change.added.is_empty() {
        let certificate: DeviceCertificate = cbor::decode(&change.added)?;
        tx.execute("DELETE FROM linking WHERE device = ?1", [Column(&certificate.device())])?;
    }
    Ok(())
}

/// The relay has the list: the history of a new device is begun once all that came before it is here.
fn settle(tx: &Transaction<'_>, change: &Change) -> Result<(), Error> {
    let done = tx.execute("DELETE FROM list_change WHERE rowid = ?1", [change.rowid])?;
    if done == 0 {
        return Ok(());
    }
    let upload: ListUpload = cbor::decode(&change.upload)?;
    store(tx, &upload.list)?;
    if !change.added.is_empty() {
        let certificate: DeviceCertificate = cbor::decode(&change.added)?;
        let added = certificate.device();
        let Column(called): Column<DeviceName> = tx.query_row(
            "UPDATE linking SET step = ?2 WHERE device = ?1 RETURNING name",
            params![Column(&added), LinkStep::Listed],
            |row| row.get(0),
        )?;
        name::introduce(tx, added, &called, certificate.created_at)?;
    }
    Ok(())
}

/// The lists that are kept and later than this version, the present one at the end.
fn lists_since(connection: &Connection, since: u64) -> Result<Vec<Signed<DeviceList>>, Error> {
    let mut select = connection.prepare_cached("SELECT list FROM past_list WHERE version > ?1 ORDER BY version")?;
    let rows: Vec<Vec<u8>> = select.query_map([since], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows.iter().map(|row| cbor::decode(row)).collect::<Result<_, _>>()?)
}

/// Stores a list of this account's own identity.
fn store(tx: &Transaction<'_>, list: &Signed<DeviceList>) -> Result<(), Error> {
    let identity: Vec<u8> = tx.query_row("SELECT identity FROM account", [], |row| row.get(0))?;
    let account = VerifiedAccount::verify(&cbor::decode(&identity)?, list)?;
    tx.execute(
        "UPDATE account SET list = ?1, devices = ?2 WHERE id = 1",
        params![cbor::encode(list), account.devices().len()],
    )?;
    keep(tx, &account, list)?;
    archive::drop_histories(tx, &account)?;
    if account.devices().len() == 1 {
        states::none_are_due(tx)?;
    }
    unopened::try_again(tx, account.address())
}

/// Keeps a list for a relay that will have been put back to one before it.
pub(super) fn keep(tx: &Transaction<'_>, account: &VerifiedAccount, list: &Signed<DeviceList>) -> Result<(), Error> {
    tx.execute(
        "INSERT OR REPLACE INTO past_list (version, list) VALUES (?1, ?2)",
        params![account.list_version(), cbor::encode(list)],
    )?;
    tx.execute(
        "DELETE FROM past_list WHERE version NOT IN (SELECT version FROM past_list ORDER BY version DESC LIMIT ?1)",
        [PAST_LISTS],
    )?;
    Ok(())
}

/// Takes in what the relay says of this account itself: a newer list of the same identity.
pub(super) fn take_in_own(
    tx: &Transaction<'_>,
    keys: &protocol::api::AccountKeys,
    listed: VerifiedAccount,
    now: Timestamp,
) -> Result<correspondent::Known, Error> {
    let own = Account::load(tx)?;
    if listed.fingerprint() != own.verified.fingerprint() {
        return Ok(correspondent::Known::Changed);
    }
    if listed.list_version() < own.verified.list_version() {
        return Ok(correspondent::Known::Unverified(KeysError::RelayBehind));
    }
    take_in(tx, &own, &keys.list, &listed)?;
    let former = listed.line(&keys.predecessors);
    correspondent::with_prekeys(tx, keys, listed, former, now)
}

/// Stores a list that is newer, and has this device; whether it is and has. Where another device is the first, this one is not,
/// or no longer, the main one: the identity's key is erased here.
fn take_in(
    tx: &Transaction<'_>,
    own: &Account,
    list: &Signed<DeviceList>,
    listed: &VerifiedAccount,
) -> Result<bool, Error> {
    let is_newer = listed.fingerprint() == own.verified.fingerprint()
        && listed.list_version() > own.verified.list_version()
        && listed.device(&own.device).is_some();
    if !is_newer {
        return Ok(false);
    }
    store(tx, list)?;
    let is_first = listed.devices().first().is_some_and(|main| main.id == own.device);
    let is_claiming = tx
        .prepare_cached("SELECT 1 FROM list_change WHERE is_claim = 1")?
        .exists([])?;
    if !is_first && !is_claiming && is_main(tx)? {
        tracing::info!("another device is the main one now");
        tx.execute_batch(
            "UPDATE account SET identity_seed = x''; DELETE FROM handover; DELETE FROM list_change; DELETE FROM lifting;",
        )?;
        tx.execute("DELETE FROM linking WHERE step = ?1", [LinkStep::Confirmed])?;
        // That one goes on with it.
        archive::end_backup(tx)?;
    }
    Ok(true)
}

impl From<protocol::link::LinkError> for Error {
    fn from(error: protocol::link::LinkError) -> Self {
        match error {
            protocol::link::LinkError::Format(error) => Self::Format(error),
            error => Self::Link(error),
        }
    }
}
