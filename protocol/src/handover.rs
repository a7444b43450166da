//! Handing over the role of main device: the identity's seed goes from one device of the account to another, through the channel
//! of a code that the other one shows. See `docs/protocol/handover.md`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::address::Address;
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

/// What the main device answers: the identity's seed, for the device that made the claim.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Handover {
    /// The content key, sealed to the claim's key.
    #[n(0)]
    key: SealedKey,
    /// The seed, under the content key.
    #[n(1)]
    seed: ByteVec,
}

impl Handover {
    /// Seals the identity's seed for whoever made the claim: `key` is the claim's.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`] when the claim's key is none; [`SealError::Random`].
    pub fn make(seed: &Seed, claim: &Signed<Claim>, key: &PrekeyPublic) -> Result<Self, EnvelopeError> {
        let content_key = ContentKey::make().map_err(SealError::from)?;
        Ok(Self {
            key: seal::seal_key(&content_key, key, &info(claim))?,
            seed: chunked::encrypt(&content_key, SEED, seed.as_bytes())?.into(),
        })
    }

    /// Opens the seed with the private half of the claim's key. Whether it is the identity's is for the reader to see.
    ///
    /// # Errors
    ///
    /// [`SealError::Opening`] when it is for another claim.
    pub fn open(&self, secret: &PrekeySecret, claim: &Signed<Claim>) -> Result<Seed, SealError> {
        let content_key = seal::open_key(&self.key, secret, &info(claim))?;
        let seed = chunked::decrypt(&content_key, SEED, &self.seed).map_err(|_| SealError::Opening)?;
        let bytes = seed.as_slice().try_into().map_err(|_| SealError::Opening)?;
        Ok(Seed::from_bytes(bytes))
    }
}

/// The seed's context.
const SEED: &[u8] = b"identity seed";

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
