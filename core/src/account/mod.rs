//! Who this phone is: account, identity, device and prekeys, as the store keeps them.
//! Whom it writes to is [`correspondent`]'s.

pub(crate) mod correspondent;
pub(crate) mod enrol;
pub(crate) mod former;
mod handover;
pub(crate) mod identity;
pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod phrase;
pub(crate) mod prekeys;
pub(crate) mod put_back;
mod recovery;
mod shut_out;
mod suspension;

use protocol::api::AccountKeys;
use protocol::cbor;
use protocol::envelope::Sender;
use protocol::identity::{DeviceList, Identity, Signed, VerifiedAccount};
use protocol::sign::{Seed, SigningKey};
use protocol::{Address, Code, DeviceId, Digest, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;

/// The account of this phone, once the relay has confirmed it.
pub(crate) struct Account {
    pub(crate) address: Address,
    pub(crate) device: DeviceId,
    pub(crate) key: SigningKey,
    pub(crate) verified: VerifiedAccount,
    /// Fingerprints of its identity and of those it had before: mail sealed for one of them is its own.
    pub(crate) identities: Vec<Digest>,
    /// Name of the relay, which its challenges must bear.
    pub(crate) server: String,
}

impl Account {
    /// The account in the store, or [`Error::NotEnrolled`].
    pub(crate) fn load(connection: &Connection) -> Result<Self, Error> {
        let row = Row::load(connection)?
            .filter(|row| row.enrolled_at.is_some())
            .ok_or(Error::NotEnrolled)?;
        let mut account = row.account()?;
        let mut select = connection.prepare_cached("SELECT fingerprint FROM former_identity")?;
        for former in select.query_map([], |row| row.get(0))? {
            let Column(former) = former?;
            account.identities.push(former);
        }
        Ok(account)
    }

    /// This device, as the sender of an envelope.
    pub(crate) fn sender(&self) -> Sender<'_> {
        Sender {
            address: &self.address,
            device: self.device,
            key: &self.key,
            list_version: self.verified.list_version(),
            list_digest: self.verified.list_digest(),
        }
    }

    /// Checks that `device` is another one of the account.
    fn check_other(&self, device: &DeviceId) -> Result<(), Error> {
        if *device == self.device || self.verified.device(device).is_none() {
            return Err(Error::NoSuchDevice);
        }
        Ok(())
    }
}

/// The address of this phone's account.
pub(crate) fn own_address(connection: &Connection) -> Result<Address, Error> {
    let Column(own) = connection.query_row("SELECT address FROM account", [], |row| row.get(0))?;
    Ok(own)
}

/// What the relay has of an account, verified.
struct Listed {
    account: VerifiedAccount,
    keys: AccountKeys,
}

impl Listed {
    /// The fingerprints of its identity and of those that it follows, the oldest first.
    fn fingerprints(&self) -> Vec<Digest> {
        let before = self.account.line(&self.keys.predecessors);
        let line = before.iter().rev().chain([&self.account]);
        line.map(VerifiedAccount::fingerprint).collect()
    }
}

impl Session {
    /// What the relay has of the account of `address`, if it has one.
    async fn listed(&self, address: &Address) -> Result<Option<Listed>, Error> {
        let answer = match self.relay.identity(address).await {
            Err(Error::Relay(Code::NotFound)) => return Ok(None),
            answer => answer?,
        };
        let Some(keys) = answer.accounts.into_iter().next() else {
            return Ok(None);
        };
        let account = VerifiedAccount::verify(&keys.identity, &keys.list)?;
        Ok(Some(Listed { account, keys }))
    }
}

/// The row as it is stored.
struct Row {
    identity: Vec<u8>,
    list: Vec<u8>,
    device_seed: Seed,
    server: String,
    enrolled_at: Option<Timestamp>,
}

impl Row {
    fn load(connection: &Connection) -> Result<Option<Self>, Error> {
        let row = connection
            .query_row(
                "SELECT identity, list, device_seed, server, enrolled_at FROM account WHERE id = 1",
                [],
                |row| {
                    let (Column(device_seed), Column(enrolled_at)) = (row.get(2)?, row.get(4)?);
                    Ok(Self {
                        identity: row.get(0)?,
                        list: row.get(1)?,
                        device_seed,
                        server: row.get(3)?,
                        enrolled_at,
                    })
                },
            )
            .optional()?;
        Ok(row)
    }

    fn account(self) -> Result<Account, Error> {
        let identity: Signed<Identity> = cbor::decode(&self.identity)?;
        let list: Signed<DeviceList> = cbor::decode(&self.list)?;
        let verified = VerifiedAccount::verify(&identity, &list)?;
        let key = SigningKey::derive(&self.device_seed);
        let device = protocol::identity::device_id(&key.verifying_key());
        Ok(Account {
            address: verified.address().clone(),
            device,
            key,
            identities: vec![verified.fingerprint()],
            verified,
            server: self.server,
        })
    }
}
