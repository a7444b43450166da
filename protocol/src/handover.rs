//! Handing over the role of main device: the identity's seed goes from one device of the account to another, through the channel
//! of a code that the other one shows. See `docs/protocol/handover.md`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::address::Address;
use crate::archive::ArchiveKey;
use crate::cbor::Format;
use crate::chunked::{self, ContentKey};
use crate::envelope::EnvelopeError;
use crate::identity::{Signed, SignedFormat};
use crate::ids::{DeviceId, Digest};
use crate::limits;
use crate::link::Spoken;
use crate::seal::{self, PrekeyPublic, PrekeySecret, SealError, SealedKey};
use crate::sign::{Purpose, Seed};

/// What a device says that is to be the main one, signed by its own key.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Claim {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// Fingerprint of its identity.
    #[n(1)]
    pub identity: Digest,
    /// The device.
    #[n(2)]
    pub device: DeviceId,
    /// What the seed is to be sealed to: drawn for this alone.
    #[n(3)]
    pub key: PrekeyPublic,
}

impl Format for Claim {
    const NAME: &'static str = "claim";
    const LIMIT: usize = limits::SIGNED_BYTES;
}

impl SignedFormat for Claim {
    const PURPOSE: Purpose = Purpose::Claim;
}

impl Spoken for Signed<Claim> {}

/// What is handed over.
pub struct Keys {
    /// The identity's seed.
    pub seed: Seed,
    /// What the account's backup is sealed with, if the main device keeps one.
    pub backup: Option<ArchiveKey>,
}

/// What the main device answers: [`Keys`], for the device that made the claim.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Handover {
    /// The content key, sealed to the claim's key.
    #[n(0)]
    key: SealedKey,
    /// Seed and key of the backup, under the content key.
    #[n(1)]
    keys: ByteVec,
}

impl Handover {
    /// Seals what is handed over for whoever made the claim: `key` is the claim's.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`] when the claim's key is none; [`SealError::Random`].
    pub fn make(keys: &Keys, claim: &Signed<Claim>, key: &PrekeyPublic) -> Result<Self, EnvelopeError> {
        let content_key = ContentKey::make().map_err(SealError::from)?;
        let backup = keys.backup.as_ref().map_or(&[][..], |key| key.as_bytes());
        let bytes = Zeroizing::new([keys.seed.as_bytes().as_slice(), backup].concat());
        Ok(Self {
            key: seal::seal_key(&content_key, key, &info(claim))?,
            keys: chunked::encrypt(&content_key, KEYS, &bytes)?.into(),
        })
    }

    /// Opens it with the private half of the claim's key. Whether the seed is the identity's is for the reader to see.
    ///
    /// # Errors
    ///
    /// [`SealError::Opening`] when it is for another claim.
    pub fn open(&self, secret: &PrekeySecret, claim: &Signed<Claim>) -> Result<Keys, SealError> {
        let content_key = seal::open_key(&self.key, secret, &info(claim))?;
        let keys = chunked::decrypt(&content_key, KEYS, &self.keys).map_err(|_| SealError::Opening)?;
        let (seed, backup) = keys.split_first_chunk().ok_or(SealError::Opening)?;
        let backup = match backup {
            [] => None,
            key => Some(ArchiveKey::from_bytes(key.try_into().map_err(|_| SealError::Opening)?)),
        };
        Ok(Keys {
            seed: Seed::from_bytes(seed),
            backup,
        })
    }
}

/// The context of what is handed over.
const KEYS: &[u8] = b"identity seed";

fn info(claim: &Signed<Claim>) -> Vec<u8> {
    [&b"pli/1 handover"[..], claim.digest().as_bytes()].concat()
}

impl Format for Handover {
    const NAME: &'static str = "handover";
    const LIMIT: usize = 2_048;
}

impl Spoken for Handover {}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handover")
    }
}
