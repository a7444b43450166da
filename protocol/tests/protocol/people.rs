//! The people of the vectors, with keys from fixed seeds.

use minicbor::bytes::ByteVec;
use protocol::cbor;
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Signed, SignedFormat, VerifiedAccount};
use protocol::prekey::{PrekeyId, VerifiedPrekey};
use protocol::seal::PrekeySecret;
use protocol::sign::{Purpose, Seed, SigningKey};
use protocol::{Address, Digest, Timestamp};

/// 2026-03-02T08:00:00Z, when everything of the vectors happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_772_438_400_000);

/// An account with one device.
pub(crate) struct Person {
    pub(crate) address: Address,
    pub(crate) identity_key: SigningKey,
    pub(crate) device_key: SigningKey,
    pub(crate) identity: Signed<Identity>,
    pub(crate) list: Signed<DeviceList>,
    pub(crate) account: VerifiedAccount,
}

impl Person {
    /// The person whose identity key is of 64 bytes `number`, the device's of `number + 1`, the recovery key's of `number + 2`.
    pub(crate) fn new(address: &str, number: u8) -> Self {
        Self::following(address, number, None)
    }

    /// As [`Person::new`], with an identity that says it follows another one.
    pub(crate) fn following(address: &str, number: u8, follows: Option<Digest>) -> Self {
        let address: Address = address.parse().unwrap();
        let identity_key = signing_key(number);
        let device_key = signing_key(number + 1);
        let identity = Signed::make(
            &Identity {
                address: address.clone(),
                key: identity_key.verifying_key(),
                recovery: signing_key(number + 2).verifying_key(),
                created_at: NOW,
                follows,
            },
            &identity_key,
        );
        let certificate = Signed::make(
            &DeviceCertificate {
                address: address.clone(),
                identity: identity.digest(),
                key: device_key.verifying_key(),
                created_at: NOW,
            },
            &identity_key,
        );
        let list = Signed::make(
            &DeviceList {
                address: address.clone(),
                identity: identity.digest(),
                version: 1,
                devices: vec![certificate],
                issued_at: NOW,
            },
            &identity_key,
        );
        let account = VerifiedAccount::verify(&identity, &list).unwrap();
        Self {
            address,
            identity_key,
            device_key,
            identity,
            list,
            account,
        }
    }

    /// Léa Petit, a nurse; numbers 0x10 to 0x12.
    pub(crate) fn lea() -> Self {
        Self::new("lea.petit@medical28.apicrypt.org", 0x10)
    }

    /// Jean Martin, a general practitioner; numbers 0x20 to 0x22.
    pub(crate) fn jean() -> Self {
        Self::new("jean.martin@medical28.apicrypt.org", 0x20)
    }

    /// Its device's id.
    pub(crate) fn device(&self) -> protocol::DeviceId {
        self.account.devices()[0].id
    }

    /// One of its device's prekeys, as a sender knows it once it is verified.
    pub(crate) fn prekey(&self, secret: &PrekeySecret, batch: u64, leaf: Option<u32>) -> VerifiedPrekey {
        VerifiedPrekey {
            address: self.address.clone(),
            device: self.device(),
            id: PrekeyId { batch, leaf },
            key: secret.public().unwrap(),
            opens: vec![1],
        }
    }
}

/// A signed value as [`Signed::make`] does not make it: any body, key and purpose.
pub(crate) fn signed<T: SignedFormat>(body: &[u8], key: &SigningKey, purpose: Purpose) -> Signed<T> {
    let mut bytes = vec![1, 0xA2, 0x00];
    minicbor::encode(ByteVec::from(body.to_vec()), &mut bytes).unwrap();
    bytes.push(0x01);
    minicbor::encode(key.sign(purpose, body), &mut bytes).unwrap();
    cbor::decode(&bytes).unwrap()
}

/// The signing key of the seed of 64 bytes `number`.
pub(crate) fn signing_key(number: u8) -> SigningKey {
    SigningKey::derive(&Seed::from_bytes(&[number; Seed::LEN]))
}

/// The prekey of the seed of 32 bytes `number`.
pub(crate) fn prekey_secret(number: u8) -> PrekeySecret {
    PrekeySecret::from_bytes(&[number; PrekeySecret::LEN])
}

/// The digest of 32 bytes `number`.
pub(crate) fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}
