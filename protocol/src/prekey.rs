//! Prekeys: the keys that mail is sealed to, published in batches that a device signs once.
//! See `docs/protocol/prekey.md`; sealing itself is [`crate::seal`]'s.

use minicbor::{Decode, Encode};

use crate::address::Address;
use crate::cbor::{Format, FormatError, refused};
use crate::identity::{Signed, SignedFormat, VerifiedAccount, VerifiedDevice};
use crate::ids::{DeviceId, Digest};
use crate::limits;
use crate::merkle;
use crate::seal::{PrekeyPublic, PrekeySecret, SealError};
use crate::sign::{Purpose, SigningKey};
use crate::time::Timestamp;

/// Which prekey of a device: the batch, and its place there, or the batch's last-resort prekey.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(map)]
pub struct PrekeyId {
    /// The batch's number.
    #[n(0)]
    pub batch: u64,
    /// The place among its leaves; none for the last-resort prekey.
    #[n(1)]
    pub leaf: Option<u32>,
}

/// The root of a batch, which the device signs.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct BatchRoot {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// The device that holds the private halves.
    #[n(1)]
    pub device: DeviceId,
    /// Version of the device list that it knew.
    #[n(2)]
    pub list_version: u64,
    /// 1 for a device's first batch, then one more each time.
    #[n(3)]
    pub number: u64,
    /// How many one-time prekeys there are.
    #[n(4)]
    pub leaf_count: u32,
    /// Root of the Merkle tree over them (RFC 6962).
    #[n(5)]
    pub leaves: Digest,
    /// The prekey for when the others are used up, and for receipts.
    #[n(6)]
    pub last_resort: PrekeyPublic,
    /// The envelope versions that this device opens, ascending.
    #[n(7)]
    pub opens: Vec<u8>,
    /// Senders refuse the batch after this.
    #[n(8)]
    pub not_after: Timestamp,
}

impl Format for BatchRoot {
    const NAME: &'static str = "prekey batch";
    const LIMIT: usize = limits::SIGNED_BYTES;
}

impl SignedFormat for BatchRoot {
    const PURPOSE: Purpose = Purpose::PrekeyBatch;
}

/// A batch on its way to the relay.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct BatchUpload {
    /// The signed root.
    #[n(0)]
    pub root: Signed<BatchRoot>,
    /// The one-time prekeys, in order.
    #[n(1)]
    pub leaves: Vec<PrekeyPublic>,
}

impl Format for BatchUpload {
    const NAME: &'static str = "prekey upload";
    const LIMIT: usize = limits::BATCH_BYTES;
}

impl BatchUpload {
    /// The device that it says it is of.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when the root is none.
    pub fn holder(&self) -> Result<DeviceId, FormatError> {
        Ok(self.root.unverified()?.device)
    }

    /// Checks that the batch is `device`'s, of this account, and that the root covers the leaves.
    ///
    /// # Errors
    ///
    /// [`FormatError`] names what does not fit.
    pub fn verify(&self, account: &VerifiedAccount, device: &DeviceId) -> Result<BatchRoot, FormatError> {
        self.with_leaves(verify_root(&self.root, account, device)?)
    }

    /// The same for a device that is on no list yet.
    ///
    /// # Errors
    ///
    /// [`FormatError`] names what does not fit.
    pub fn verify_new(&self, address: &Address, device: &VerifiedDevice) -> Result<BatchRoot, FormatError> {
        self.with_leaves(verify_root_of(&self.root, address, device)?)
    }

    fn with_leaves(&self, root: BatchRoot) -> Result<BatchRoot, FormatError> {
        let leaves: Vec<_> = self.leaves.iter().map(|key| merkle::leaf(key.as_bytes())).collect();
        if usize::try_from(root.leaf_count) != Ok(leaves.len()) || root.leaves != merkle::root(&leaves) {
            return Err(refused::<BatchUpload>("the root covers other prekeys"));
        }
        Ok(root)
    }
}

/// The secrets of a batch beside what is published of them.
#[derive(Debug)]
pub struct MadeBatch {
    /// For the relay.
    pub upload: BatchUpload,
    /// The private halves of the leaves, in order.
    pub secrets: Vec<PrekeySecret>,
    /// The private half of the last-resort prekey.
    pub last_resort: PrekeySecret,
}

impl MadeBatch {
    /// Makes a batch of `count` one-time prekeys and signs it.
    ///
    /// # Errors
    ///
    /// [`SealError::Random`] when the system's random source fails.
    pub fn make(key: &SigningKey, facts: BatchFacts, count: u32) -> Result<Self, SealError> {
        let last_resort = PrekeySecret::make()?;
        let secrets = (0..count)
            .map(|_| PrekeySecret::make())
            .collect::<Result<Vec<_>, _>>()?;
        let leaves = secrets
            .iter()
            .map(PrekeySecret::public)
            .collect::<Result<Vec<_>, _>>()?;
        let hashes: Vec<_> = leaves.iter().map(|leaf| merkle::leaf(leaf.as_bytes())).collect();
        let root = BatchRoot {
            address: facts.address,
            device: facts.device,
            list_version: facts.list_version,
            number: facts.number,
            leaf_count: count,
            leaves: merkle::root(&hashes),
            last_resort: last_resort.public()?,
            opens: facts.opens,
            not_after: facts.not_after,
        };
        let upload = BatchUpload {
            root: Signed::make(&root, key),
            leaves,
        };
        Ok(Self {
            upload,
            secrets,
            last_resort,
        })
    }
}

/// What a device says of a batch it makes; the fields are [`BatchRoot`]'s.
#[derive(Clone, Debug)]
pub struct BatchFacts {
    /// The account.
    pub address: Address,
    /// The device.
    pub device: DeviceId,
    /// Version of its device list.
    pub list_version: u64,
    /// The batch's number.
    pub number: u64,
    /// The envelope versions it opens.
    pub opens: Vec<u8>,
    /// Until when it may be used.
    pub not_after: Timestamp,
}

/// One prekey as the relay hands it to a sender.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct HandedPrekey {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// The signed root of its batch.
    #[n(1)]
    pub root: Signed<BatchRoot>,
    /// A one-time prekey; none when the last-resort prekey of the root is to be used.
    #[n(2)]
    pub leaf: Option<HandedLeaf>,
}

/// A one-time prekey with its audit path.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct HandedLeaf {
    /// Its place in the batch.
    #[n(0)]
    pub index: u32,
    /// The key.
    #[n(1)]
    pub key: PrekeyPublic,
    /// Its path to the root, nearest sibling first.
    #[n(2)]
    pub path: Vec<Digest>,
}

/// A prekey of which it is known whose it is.
#[derive(Clone, Debug)]
pub struct VerifiedPrekey {
    /// The account.
    pub address: Address,
    /// The device.
    pub device: DeviceId,
    /// Which of its prekeys.
    pub id: PrekeyId,
    /// The key to seal to.
    pub key: PrekeyPublic,
    /// The envelope versions that the device opens.
    pub opens: Vec<u8>,
}

impl HandedPrekey {
    /// Checks signature, path and date.
    ///
    /// `newest_batch` is the highest batch number seen of that device: lower ones are refused.
    ///
    /// # Errors
    ///
    /// [`FormatError`] names what does not fit.
    pub fn verify(
        &self,
        account: &VerifiedAccount,
        newest_batch: u64,
        now: Timestamp,
    ) -> Result<VerifiedPrekey, FormatError> {
        let root = verify_root(&self.root, account, &self.device)?;
        if root.not_after < now {
            return Err(refused::<BatchRoot>("expired"));
        }
        if root.number < newest_batch {
            return Err(refused::<BatchRoot>("older than one already seen"));
        }
        let (leaf, key) = match &self.leaf {
            None => (None, root.last_resort),
            Some(leaf) => {
                let index = usize::try_from(leaf.index).unwrap_or(usize::MAX);
                let count = usize::try_from(root.leaf_count).unwrap_or(0);
                let hash = merkle::leaf(leaf.key.as_bytes());
                if merkle::root_of_path(hash, index, count, &leaf.path) != Some(root.leaves) {
                    return Err(refused::<BatchRoot>("the path does not lead to the root"));
                }
                (Some(leaf.index), leaf.key.clone())
            }
        };
        Ok(VerifiedPrekey {
            address: root.address,
            device: root.device,
            id: PrekeyId {
                batch: root.number,
                leaf,
            },
            key,
            opens: root.opens,
        })
    }
}

/// The prekey at `index` of an upload, as it is handed out; `None` beyond its last.
#[must_use]
pub fn hand_out(upload: &BatchUpload, device: DeviceId, index: u32) -> Option<HandedPrekey> {
    let place = usize::try_from(index).ok()?;
    let key = upload.leaves.get(place)?.clone();
    let leaves: Vec<_> = upload.leaves.iter().map(|leaf| merkle::leaf(leaf.as_bytes())).collect();
    let path = merkle::path(&leaves, place)?;
    Some(HandedPrekey {
        device,
        root: upload.root.clone(),
        leaf: Some(HandedLeaf { index, key, path }),
    })
}

fn verify_root(
    root: &Signed<BatchRoot>,
    account: &VerifiedAccount,
    device: &DeviceId,
) -> Result<BatchRoot, FormatError> {
    let known = account
        .device(device)
        .ok_or(refused::<BatchRoot>("of a device that is not on the list"))?;
    verify_root_of(root, account.address(), known)
}

fn verify_root_of(
    root: &Signed<BatchRoot>,
    address: &Address,
    device: &VerifiedDevice,
) -> Result<BatchRoot, FormatError> {
    let root = root.verify(&device.key)?;
    if root.address != *address || root.device != device.id {
        return Err(refused::<BatchRoot>("of another device"));
    }
    if root.number == 0
        || root.number > limits::NUMBER
        || root.list_version > limits::NUMBER
        || usize::try_from(root.leaf_count).is_ok_and(|count| count > limits::PREKEYS)
    {
        return Err(refused::<BatchRoot>("an impossible number"));
    }
    if root.opens.is_empty() || !root.opens.is_sorted_by(|a, b| a < b) {
        return Err(refused::<BatchRoot>("versions out of order"));
    }
    Ok(root)
}
