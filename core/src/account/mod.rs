//! Who this phone is: account, identity, device and prekeys, as the store keeps them.
//! Whom it writes to is [`correspondent`]'s.

pub(crate) mod correspondent;
pub(crate) mod enrol;
pub(crate) mod prekeys;

use protocol::cbor;
use protocol::envelope::Sender;
use protocol::identity::{DeviceList, Identity, Signed, VerifiedAccount};
use protocol::sign::{Seed, SigningKey};
use protocol::{Address, DeviceId};
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::Error;
use crate::store::StoreError;

/// The account of this phone, once the relay has confirmed it.
pub(crate) struct Account {
    pub(crate) address: Address,
    pub(crate) device: DeviceId,
    pub(crate) key: SigningKey,
    pub(crate) verified: VerifiedAccount,
    /// Name of the relay, which its challenges must bear.
    pub(crate) server: String,
}

impl Account {
    /// The account in the store, or [`Error::NotEnrolled`].
    pub(crate) fn load(connection: &Connection) -> Result<Self, Error> {
        let row = Row::load(connection)?
            .filter(|row| row.enrolled_at != 0)
            .ok_or(Error::NotEnrolled)?;
        row.account()
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
}

/// The row as it is stored.
struct Row {
    identity: Vec<u8>,
    list: Vec<u8>,
    device_seed: Vec<u8>,
    server: String,
    enrolled_at: i64,
}

impl Row {
    fn load(connection: &Connection) -> Result<Option<Self>, Error> {
        let row = connection
            .query_row(
                "SELECT identity, list, device_seed, server, enrolled_at FROM account WHERE id = 1",
                [],
                |row| {
                    Ok(Self {
                        identity: row.get(0)?,
                        list: row.get(1)?,
                        device_seed: row.get(2)?,
                        server: row.get(3)?,
                        enrolled_at: row.get(4)?,
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
        let seed = zeroize::Zeroizing::new(self.device_seed);
        let seed = seed.as_slice().try_into().map_err(|_| StoreError::Corrupt)?;
        let key = SigningKey::derive(&Seed::from_bytes(seed));
        let device = protocol::identity::device_id(&key.verifying_key());
        Ok(Account {
            address: verified.address().clone(),
            device,
            key,
            verified,
            server: self.server,
        })
    }
}
