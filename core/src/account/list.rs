//! The device list: changed by the main device alone, which holds the identity key; taken in by the others.

use protocol::api::ListUpload;
use protocol::identity::{DeviceCertificate, DeviceList, Signed, VerifiedAccount};
use protocol::sign::{Seed, SigningKey};
use protocol::{Code, DeviceId, DeviceName, Timestamp, cbor};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Account, correspondent, name};
use crate::crash::crash_point;
use crate::error::{Error, KeysError};
use crate::session::Session;
use crate::store::column::Column;

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

/// A change that the relay has not confirmed.
struct Change {
    rowid: i64,
    added: Vec<u8>,
    batch: Vec<u8>,
    removed: Option<DeviceId>,
    upload: Vec<u8>,
}

impl Session {
    /// The devices of this account, the main one first.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`].
    pub fn devices(&self) -> Result<Vec<DeviceView>, Error> {
        self.read(|connection| {
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
        })
    }

    /// Takes a device off the list with the next sync; it erases itself when it hears so.
    ///
    /// # Errors
    ///
    /// [`Error::NotMain`]; [`Error::NoSuchDevice`] for one that is not on the list, and for this one.
    pub fn remove_device(&self, device: DeviceId) -> Result<(), Error> {
        self.write(|tx| {
            identity_key(tx)?;
            let account = Account::load(tx)?;
            if device == account.device || account.verified.device(&device).is_none() {
                return Err(Error::NoSuchDevice);
            }
            tx.execute("INSERT INTO list_change (removed) VALUES (?1)", [Column(&device)])?;
            Ok(())
        })
    }

    /// Publishes what is to change of the list, one version after the other.
    pub(crate) async fn publish_lists(&self, account: &Account) -> Result<(), Error> {
        let now = self.relay.clock.now();
        while let Some(change) = self.write(|tx| sign_next(tx, now))? {
            crash_point!("list-signed");
            match self.relay.publish_list(account, change.upload.clone()).await {
                Ok(()) => {
                    crash_point!("list-published");
                    self.write(|tx| settle(tx, &change))?;
                }
                // It would be refused again each time, and hold up all else.
                Err(Error::Relay(
                    code @ (Code::ListOutdated | Code::SignatureRefused | Code::PrekeysOutdated | Code::Malformed),
                )) => {
                    tracing::warn!(code = code.as_str(), "a change of the device list was refused");
                    self.write(|tx| give_up(tx, &change))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
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
            "SELECT rowid, added, batch, removed, upload FROM list_change ORDER BY rowid LIMIT 1",
            [],
            |row| {
                let Column(removed) = row.get(3)?;
                Ok(Change {
                    rowid: row.get(0)?,
                    added: row.get(1)?,
                    batch: row.get(2)?,
                    removed,
                    upload: row.get(4)?,
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
            "UPDATE linking SET step = 1 WHERE device = ?1 RETURNING name",
            [Column(&added)],
            |row| row.get(0),
        )?;
        name::introduce(tx, added, &called, certificate.created_at)?;
    }
    Ok(())
}

/// Stores a list of this account's own identity.
fn store(tx: &Transaction<'_>, list: &Signed<DeviceList>) -> Result<(), Error> {
    let identity: Vec<u8> = tx.query_row("SELECT identity FROM account", [], |row| row.get(0))?;
    let account = VerifiedAccount::verify(&cbor::decode(&identity)?, list)?;
    tx.execute(
        "UPDATE account SET list = ?1, devices = ?2 WHERE id = 1",
        params![cbor::encode(list), account.devices().len()],
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
    if listed.list_version() > own.verified.list_version() && listed.device(&own.device).is_some() {
        store(tx, &keys.list)?;
    }
    correspondent::with_prekeys(tx, keys, listed, Vec::new(), now)
}

impl From<protocol::link::LinkError> for Error {
    fn from(error: protocol::link::LinkError) -> Self {
        match error {
            protocol::link::LinkError::Format(error) => Self::Format(error),
            error => Self::Link(error),
        }
    }
}
