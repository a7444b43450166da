//! Who an account is: its identity, the certificates of its devices, and the list that publishes them.
//! Prekeys are in [`crate::prekey`]. See `docs/protocol/identity.md`.

use std::marker::PhantomData;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::address::Address;
use crate::cbor::{self, Format, FormatError, refused};
use crate::ids::{DeviceId, Digest};
use crate::limits;
use crate::sign::{Purpose, Signature, SigningKey, VerifyingKey};
use crate::time::Timestamp;

/// A format that travels signed.
pub trait SignedFormat: Format {
    /// What its signature is for.
    const PURPOSE: Purpose;
}

/// The bytes of a `T` as they travel, and a signature over them.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Signed<T> {
    #[n(0)]
    body: ByteVec,
    #[n(1)]
    signature: Signature,
    #[cbor(skip)]
    format: PhantomData<T>,
}

impl<T: SignedFormat> Signed<T> {
    /// Signs `value`.
    #[must_use]
    pub fn make(value: &T, key: &SigningKey) -> Self {
        let body = cbor::encode(value);
        let signature = key.sign(T::PURPOSE, &body);
        Self {
            body: body.into(),
            signature,
            format: PhantomData,
        }
    }

    /// The value, if `key` signed it.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when the signature does not verify or the bytes are not the format's.
    pub fn verify(&self, key: &VerifyingKey) -> Result<T, FormatError> {
        key.verify(T::PURPOSE, &self.body, &self.signature)
            .map_err(|_| refused::<T>("wrong signature"))?;
        cbor::decode(&self.body)
    }

    /// SHA-256 over the bytes that were signed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.body])
    }

    /// What was signed, before it is known who signed it.
    pub(crate) fn unverified(&self) -> Result<T, FormatError> {
        cbor::decode(&self.body)
    }
}

impl<T: SignedFormat> Format for Signed<T> {
    const NAME: &'static str = T::NAME;
    const LIMIT: usize = limits::SIGNED_BYTES;
}

/// What an account states of itself, signed by its own key. Its digest is the fingerprint that correspondents pin.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Identity {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// Signs certificates and device lists.
    #[n(1)]
    pub key: VerifyingKey,
    /// Verifies a successor of this identity; its private half is made from the recovery phrase and stays on no device.
    #[n(2)]
    pub recovery: VerifyingKey,
    /// When it was made.
    #[n(3)]
    pub created_at: Timestamp,
    /// Fingerprint of the identity that it follows: what that one's devices signed is this account's, too.
    #[n(4)]
    pub follows: Option<Digest>,
}

impl Format for Identity {
    const NAME: &'static str = "identity";
    const LIMIT: usize = limits::SIGNED_BYTES;
}

impl SignedFormat for Identity {
    const PURPOSE: Purpose = Purpose::Identity;
}

/// An identity's word for one device.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct DeviceCertificate {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// Fingerprint of its identity.
    #[n(1)]
    pub identity: Digest,
    /// The key with which the device signs.
    #[n(2)]
    pub key: VerifyingKey,
    /// When the device was added.
    #[n(3)]
    pub created_at: Timestamp,
}

impl DeviceCertificate {
    /// The device's id.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        device_id(&self.key)
    }
}

impl Format for DeviceCertificate {
    const NAME: &'static str = "device certificate";
    const LIMIT: usize = limits::SIGNED_BYTES;
}

impl SignedFormat for DeviceCertificate {
    const PURPOSE: Purpose = Purpose::DeviceCertificate;
}

/// The devices of an account: versions only grow.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct DeviceList {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// Fingerprint of its identity.
    #[n(1)]
    pub identity: Digest,
    /// 1 for the first list, then one more each time.
    #[n(2)]
    pub version: u64,
    /// The devices, the main one first.
    #[n(3)]
    pub devices: Vec<Signed<DeviceCertificate>>,
    /// When it was signed.
    #[n(4)]
    pub issued_at: Timestamp,
}

impl Format for DeviceList {
    const NAME: &'static str = "device list";
    const LIMIT: usize = limits::SIGNED_BYTES;
}

impl SignedFormat for DeviceList {
    const PURPOSE: Purpose = Purpose::DeviceList;
}

/// The word of an identity's recovery key that another identity follows it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Succession {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// Fingerprint of the identity that ends.
    #[n(1)]
    pub from: Digest,
    /// Fingerprint of the one that follows it.
    #[n(2)]
    pub to: Digest,
    /// When it was signed.
    #[n(3)]
    pub issued_at: Timestamp,
}

impl Format for Succession {
    const NAME: &'static str = "succession";
    const LIMIT: usize = limits::SIGNED_BYTES;
}

impl SignedFormat for Succession {
    const PURPOSE: Purpose = Purpose::Succession;
}

/// An identity that ended, and the word of its recovery key on what follows it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Predecessor {
    /// The identity.
    #[n(0)]
    pub identity: Signed<Identity>,
    /// Its last device list.
    #[n(1)]
    pub list: Signed<DeviceList>,
    /// What follows it.
    #[n(2)]
    pub succession: Signed<Succession>,
}

impl Format for Predecessor {
    const NAME: &'static str = "predecessor";
    const LIMIT: usize = 3 * limits::SIGNED_BYTES;
}

impl Predecessor {
    /// Fingerprint of the identity that follows this one.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when the identity does not verify, its recovery key did not sign, or signed for another account or identity.
    pub fn successor(&self) -> Result<Digest, FormatError> {
        let identity = self.identity.verify(&self.identity.unverified()?.key)?;
        let succession = self.succession.verify(&identity.recovery)?;
        if succession.address != identity.address || succession.from != self.identity.digest() {
            return Err(refused::<Succession>("of another identity"));
        }
        Ok(succession.to)
    }
}

/// The id of the device that signs with `key`: the first 16 bytes of the key's SHA-256.
#[must_use]
pub fn device_id(key: &VerifyingKey) -> DeviceId {
    let digest = Digest::of(&[key.as_bytes()]);
    let mut id = [0; DeviceId::LEN];
    for (to, from) in id.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    DeviceId::from_bytes(id)
}

/// A device of a [`VerifiedAccount`].
#[derive(Clone, Debug)]
pub struct VerifiedDevice {
    /// Its id.
    pub id: DeviceId,
    /// The key with which it signs.
    pub key: VerifyingKey,
    /// When it was added.
    pub added_at: Timestamp,
}

/// An account whose identity, device list and certificates were found to hold together.
#[derive(Clone, Debug)]
pub struct VerifiedAccount {
    address: Address,
    fingerprint: Digest,
    follows: Option<Digest>,
    recovery: VerifyingKey,
    list_version: u64,
    list_digest: Digest,
    list_issued_at: Timestamp,
    devices: Vec<VerifiedDevice>,
}

impl VerifiedAccount {
    /// Checks every signature of an identity and its list.
    ///
    /// # Errors
    ///
    /// [`FormatError`] names what does not verify, or belongs to another account or identity.
    pub fn verify(identity: &Signed<Identity>, list: &Signed<DeviceList>) -> Result<Self, FormatError> {
        let identity_key = identity.unverified()?.key;
        let stated = identity.verify(&identity_key)?;
        let fingerprint = identity.digest();
        let listed = list.verify(&identity_key)?;
        if listed.address != stated.address || listed.identity != fingerprint {
            return Err(refused::<DeviceList>("of another identity"));
        }
        if listed.version == 0
            || listed.version > limits::NUMBER
            || listed.devices.is_empty()
            || listed.devices.len() > limits::DEVICES
        {
            return Err(refused::<DeviceList>("an impossible version or number of devices"));
        }
        let mut devices: Vec<VerifiedDevice> = Vec::with_capacity(listed.devices.len());
        for certificate in &listed.devices {
            let certificate = certificate.verify(&identity_key)?;
            if certificate.address != stated.address || certificate.identity != fingerprint {
                return Err(refused::<DeviceCertificate>("of another identity"));
            }
            let id = certificate.device();
            if devices.iter().any(|device| device.id == id) {
                return Err(refused::<DeviceList>("a device twice"));
            }
            devices.push(VerifiedDevice {
                id,
                key: certificate.key,
                added_at: certificate.created_at,
            });
        }
        Ok(Self {
            address: stated.address,
            fingerprint,
            follows: stated.follows,
            recovery: stated.recovery,
            list_version: listed.version,
            list_digest: list.digest(),
            list_issued_at: listed.issued_at,
            devices,
        })
    }

    /// The identities that this one follows, newest first, as far as each says so of the one before it, and the recovery key
    /// of that one says the same.
    ///
    /// Of `predecessors` in any order, what does not hold ends the line; it is nobody's then.
    #[must_use]
    pub fn line(&self, predecessors: &[Predecessor]) -> Vec<Self> {
        let mut line: Vec<Self> = Vec::new();
        while line.len() < limits::PREDECESSORS
            && let Some(before) = line.last().unwrap_or(self).before(predecessors)
        {
            line.push(before);
        }
        line
    }

    /// The identity that this one follows.
    fn before(&self, predecessors: &[Predecessor]) -> Option<Self> {
        let wanted = self.follows?;
        let before = predecessors
            .iter()
            .find(|predecessor| predecessor.identity.digest() == wanted)?;
        let account = Self::verify(&before.identity, &before.list).ok()?;
        let is_followed = account.address == self.address && before.successor().ok()? == self.fingerprint;
        is_followed.then_some(account)
    }

    /// The account's address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The device with this id, if it is on the list.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&VerifiedDevice> {
        self.devices.iter().find(|device| device.id == *id)
    }

    /// The devices, the main one first.
    #[must_use]
    pub fn devices(&self) -> &[VerifiedDevice] {
        &self.devices
    }

    /// The identity's fingerprint.
    #[must_use]
    pub const fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Fingerprint of the identity that it says it follows.
    #[must_use]
    pub const fn predecessor(&self) -> Option<Digest> {
        self.follows
    }

    /// What verifies a successor of the identity.
    #[must_use]
    pub const fn recovery(&self) -> &VerifyingKey {
        &self.recovery
    }

    /// SHA-256 over the signed bytes of the list.
    #[must_use]
    pub const fn list_digest(&self) -> Digest {
        self.list_digest
    }

    /// When the list was signed, by the main device's clock.
    #[must_use]
    pub const fn list_issued_at(&self) -> Timestamp {
        self.list_issued_at
    }

    /// The list's version.
    #[must_use]
    pub const fn list_version(&self) -> u64 {
        self.list_version
    }
}

/// The number that two people compare, the same on both sides: six groups of five digits, of the identities' fingerprints.
#[must_use]
pub fn shared_number(one: Digest, other: Digest) -> String {
    let (lesser, greater) = if one < other { (one, other) } else { (other, one) };
    let digest = Digest::of(&[b"pli/1 number", lesser.as_bytes(), greater.as_bytes()]);
    let groups = digest.as_bytes().chunks_exact(5).take(6).map(|chunk| {
        let value = chunk.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        format!("{:05}", value % 100_000)
    });
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Seed;

    fn key(byte: u8) -> SigningKey {
        SigningKey::derive(&Seed::from_bytes(&[byte; 64]))
    }

    fn account(identity_key: &SigningKey, signer: &SigningKey, twice: bool) -> (Signed<Identity>, Signed<DeviceList>) {
        let address: Address = "lea.petit@medical28.apicrypt.org".parse().unwrap();
        let created_at = Timestamp::from_millis(0);
        let (own, recovery) = (identity_key.verifying_key(), key(9).verifying_key());
        let identity = Signed::make(
            &Identity {
                address: address.clone(),
                key: own,
                recovery,
                created_at,
                follows: None,
            },
            identity_key,
        );
        let fingerprint = identity.digest();
        let certificate = DeviceCertificate {
            address: address.clone(),
            identity: fingerprint,
            key: key(3).verifying_key(),
            created_at,
        };
        let mut devices = vec![Signed::make(&certificate, identity_key)];
        if twice {
            devices.push(devices[0].clone());
        }
        let list = DeviceList {
            address,
            identity: fingerprint,
            version: 1,
            devices,
            issued_at: created_at,
        };
        (identity, Signed::make(&list, signer))
    }

    #[test]
    fn a_list_of_the_identity_verifies() {
        let (identity, list) = account(&key(1), &key(1), false);
        let account = VerifiedAccount::verify(&identity, &list).unwrap();
        assert_eq!(account.devices().len(), 1);
        assert_eq!(account.fingerprint(), identity.digest());
        let again: Signed<DeviceList> = cbor::decode(&cbor::encode(&list)).unwrap();
        assert_eq!(again, list);
    }

    /// The identity `byte`, whose recovery key is `byte + 100`, with its list.
    fn generation(byte: u8, follows: Option<u8>) -> (Signed<Identity>, Signed<DeviceList>) {
        let identity_key = key(byte);
        let address: Address = "lea.petit@medical28.apicrypt.org".parse().unwrap();
        let created_at = Timestamp::from_millis(0);
        let identity = Signed::make(
            &Identity {
                address: address.clone(),
                key: identity_key.verifying_key(),
                recovery: key(byte.wrapping_add(100)).verifying_key(),
                created_at,
                follows: follows.map(fingerprint),
            },
            &identity_key,
        );
        let certificate = DeviceCertificate {
            address: address.clone(),
            identity: identity.digest(),
            key: key(byte.wrapping_add(50)).verifying_key(),
            created_at,
        };
        let list = DeviceList {
            address,
            identity: identity.digest(),
            version: 1,
            devices: vec![Signed::make(&certificate, &identity_key)],
            issued_at: created_at,
        };
        (identity, Signed::make(&list, &identity_key))
    }

    /// Each identity follows the one before it; the first follows none.
    fn chained(byte: u8) -> (Signed<Identity>, Signed<DeviceList>) {
        generation(byte, byte.checked_sub(1).filter(|before| *before > 0))
    }

    fn fingerprint(byte: u8) -> Digest {
        chained(byte).0.digest()
    }

    fn step(from: u8, to: Digest, signer: u8) -> Predecessor {
        let (identity, list) = chained(from);
        let succession = Succession {
            address: "lea.petit@medical28.apicrypt.org".parse().unwrap(),
            from: identity.digest(),
            to,
            issued_at: Timestamp::from_millis(0),
        };
        Predecessor {
            identity,
            list,
            succession: Signed::make(&succession, &key(signer)),
        }
    }

    #[test]
    fn a_line_goes_back_as_far_as_both_sides_of_each_step_say() {
        let newest = {
            let (identity, list) = chained(3);
            VerifiedAccount::verify(&identity, &list).unwrap()
        };
        let line = |predecessors: &[Predecessor]| -> Vec<Digest> {
            newest
                .line(predecessors)
                .iter()
                .map(VerifiedAccount::fingerprint)
                .collect()
        };
        let [one, two, three] = [1, 2, 3].map(fingerprint);
        let (first, second) = (step(1, two, 101), step(2, three, 102));
        assert_eq!(line(&[first.clone(), second.clone()]), [two, one]);
        assert_eq!(line(&[second.clone(), first.clone()]), [two, one]);
        assert_eq!(line(std::slice::from_ref(&first)), [], "a step left out");
        for (what, broken) in [
            ("signed by the identity's own key", step(2, three, 2)),
            ("signed by the new recovery key", step(2, three, 103)),
            ("leads elsewhere", step(2, one, 102)),
        ] {
            assert_eq!(line(&[first.clone(), broken]), [], "{what}");
        }
        let (identity, list) = generation(3, None);
        let stranger = VerifiedAccount::verify(&identity, &list).unwrap();
        let invented = [step(2, stranger.fingerprint(), 102)];
        assert!(
            stranger.line(&invented).is_empty(),
            "it does not say that it follows anybody"
        );
    }

    #[test]
    fn a_list_of_another_key_or_with_a_device_twice_does_not() {
        let (identity, list) = account(&key(1), &key(2), false);
        assert!(VerifiedAccount::verify(&identity, &list).is_err());
        let (identity, list) = account(&key(1), &key(1), true);
        assert!(VerifiedAccount::verify(&identity, &list).is_err());
        let (_, list) = account(&key(1), &key(1), false);
        let (other, _) = account(&key(2), &key(2), false);
        assert!(VerifiedAccount::verify(&other, &list).is_err());
    }
}
