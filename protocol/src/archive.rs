//! Archives: an account's messages and states in sealed parts, for a phone that follows another one, or a device
//! that is linked.
//! They hold no key of a device, an identity or a prekey. See `docs/protocol/archive.md`.

use hkdf::Hkdf;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::bytes::{sealed_secret, secret_bytes};
use crate::cbor::{self, Format, FormatError, refused};
use crate::chunked::{self, ContentKey};
use crate::envelope::EnvelopeError;
use crate::identity::{DeviceList, Identity, Signed};
use crate::ids::{ArchiveId, Digest, MessageId};
use crate::limits;
use crate::padding;
use crate::sign::Signature;
use crate::time::Timestamp;

secret_bytes! {
    /// What every archive of an account is sealed with: made from the recovery phrase, or drawn for one archive.
    ArchiveKey, 32
}

sealed_secret! { ArchiveKey }

impl ArchiveKey {
    /// The key of the backups of whoever has this seed of a recovery phrase (BIP 39, 64 bytes).
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "32 bytes are never too many for HKDF")]
    pub fn of_phrase(seed: &[u8; 64]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "HKDF gives up to 8,160 bytes (RFC 5869)")]
        Hkdf::<Sha256>::new(None, seed)
            .expand(b"pli/1 backup key", key.as_mut_slice())
            .expect("32 bytes are not too many");
        Self::from_bytes(&key)
    }
}

/// One part of an archive.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Part {
    /// What is to be taken in, in this order; later records prevail over earlier ones.
    #[n(0)]
    pub records: Vec<Record>,
}

impl Format for Part {
    const NAME: &'static str = "archive part";
    const LIMIT: usize = limits::ARCHIVE_PART_BYTES;
}

/// One record of an archive.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
pub enum Record {
    /// A message, as it stands now.
    #[n(0)]
    Message(#[n(0)] Box<ArchivedMessage>),
    /// A message was deleted.
    #[n(1)]
    Deleted(#[n(0)] DeletedMessage),
    /// A correspondent, whose identity is pinned.
    #[n(2)]
    Correspondent(#[n(0)] Box<ArchivedCorrespondent>),
    /// A message came that no key opened: its sender can wrap it again.
    #[n(3)]
    Unopened(#[n(0)] UnopenedMessage),
    /// Fingerprints of the identities that the account had before, the oldest first: what was sealed for them is its own.
    #[n(4)]
    Former(#[n(0)] Vec<Digest>),
}

impl Record {
    /// How many bytes it takes in a part.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        cbor::length(self)
    }
}

/// A message of an archive.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ArchivedMessage {
    /// Its id.
    #[n(0)]
    pub id: MessageId,
    /// Its sender.
    #[n(1)]
    pub sender: Address,
    /// Where it stands.
    #[n(2)]
    pub place: Place,
    /// MIME.
    #[n(3)]
    pub content: ByteVec,
    /// The encoded [`crate::statement::Statement`]; empty before it was sealed.
    #[n(4)]
    pub statement: ByteVec,
    /// The signature over it.
    #[n(5)]
    pub signature: Option<Signature>,
    /// The encoded header under which it was sealed; empty before.
    #[n(6)]
    pub header: ByteVec,
    /// With what a sent message was sealed, so that it can be wrapped again.
    #[n(7)]
    pub content_key: Option<ContentKey>,
    /// By which lists are ordered.
    #[n(8)]
    pub dated_at: Timestamp,
    /// When it was read, if it was.
    #[n(9)]
    pub read_at: Option<Timestamp>,
    /// When it was handled, if it was.
    #[n(10)]
    pub handled_at: Option<Timestamp>,
    /// When it was archived, if it was.
    #[n(11)]
    pub archived_at: Option<Timestamp>,
    /// What became of a sent message, for each recipient.
    #[n(12)]
    pub deliveries: Vec<ArchivedDelivery>,
    /// When it was handed to the practice's software, if it was.
    #[n(13)]
    pub exported_at: Option<Timestamp>,
}

/// Where an archived message stands.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Place {
    /// It came from somebody.
    #[n(0)]
    Received,
    /// It was sent.
    #[n(1)]
    Sent,
    /// It is being written.
    #[n(2)]
    Draft,
}

/// What became of a sent message for one recipient.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ArchivedDelivery {
    /// The recipient.
    #[n(0)]
    pub address: Address,
    /// The state's number: see the table in `docs/protocol/archive.md`.
    #[n(1)]
    pub state: u32,
    /// When it came to that.
    #[n(2)]
    pub at: Timestamp,
}

/// A message that is not there any more.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct DeletedMessage {
    /// Its id.
    #[n(0)]
    pub id: MessageId,
    /// Its sender.
    #[n(1)]
    pub sender: Address,
}

/// A message that was kept sealed.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct UnopenedMessage {
    /// Its id.
    #[n(0)]
    pub id: MessageId,
    /// Whom it says it is from.
    #[n(1)]
    pub sender: Address,
    /// When it came first.
    #[n(2)]
    pub received_at: Timestamp,
}

/// A correspondent whose identity is pinned.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ArchivedCorrespondent {
    /// The identity.
    #[n(0)]
    pub identity: Signed<Identity>,
    /// The newest device list seen.
    #[n(1)]
    pub list: Signed<DeviceList>,
    /// When the number was compared with theirs; none when it never was.
    #[n(2)]
    pub verified_at: Option<Timestamp>,
}

/// Seals one part, for its place in one archive alone.
///
/// # Errors
///
/// [`EnvelopeError::TooLarge`], [`EnvelopeError::Format`] for a message that [`open`] would refuse, or
/// [`crate::seal::SealError::Random`] when the system's random source fails.
pub fn seal(key: &ArchiveKey, archive: ArchiveId, number: u64, part: &Part) -> Result<Vec<u8>, EnvelopeError> {
    part.check()?;
    let encoded = Zeroizing::new(cbor::encode(part));
    if encoded.len() > Part::LIMIT {
        return Err(EnvelopeError::TooLarge);
    }
    let padded = padding::pad(&encoded).ok_or(EnvelopeError::TooLarge)?;
    let sealed = chunked::encrypt(&content_key(key), &context(archive, number), &padded)?;
    if sealed.len() > limits::ARCHIVE_PART_BYTES {
        return Err(EnvelopeError::TooLarge);
    }
    Ok(sealed)
}

/// Opens a sealed part.
///
/// # Errors
///
/// [`EnvelopeError`] for another key, archive or number, for bytes that were changed, cut or extended, and for a
/// message whose parts do not go with its place.
pub fn open(key: &ArchiveKey, archive: ArchiveId, number: u64, sealed: &[u8]) -> Result<Part, EnvelopeError> {
    if sealed.len() > limits::ARCHIVE_PART_BYTES {
        return Err(EnvelopeError::TooLarge);
    }
    let padded = chunked::decrypt(&content_key(key), &context(archive, number), sealed)?;
    let encoded = padding::unpad(&padded).ok_or(EnvelopeError::Spliced)?;
    let part: Part = cbor::decode(encoded)?;
    part.check()?;
    Ok(part)
}

impl Part {
    fn check(&self) -> Result<(), FormatError> {
        self.records.iter().try_for_each(|record| match record {
            Record::Message(message) => message.check(),
            Record::Correspondent(_) | Record::Deleted(_) | Record::Former(_) | Record::Unopened(_) => Ok(()),
        })
    }
}

impl ArchivedMessage {
    /// A message is sealed whole or not at all, a received one always, a draft never; only what was sent has a key and deliveries.
    fn check(&self) -> Result<(), FormatError> {
        let parts = [
            !self.statement.is_empty(),
            self.signature.is_some(),
            !self.header.is_empty(),
        ];
        let is_sealed = parts.contains(&true);
        if is_sealed && parts.contains(&false) {
            return Err(refused::<Part>("a message that is sealed in part"));
        }
        let is_right = match self.place {
            Place::Received => is_sealed && self.content_key.is_none() && self.deliveries.is_empty(),
            Place::Sent => is_sealed || self.content_key.is_none(),
            Place::Draft => !is_sealed && self.content_key.is_none() && self.deliveries.is_empty(),
        };
        if is_right {
            Ok(())
        } else {
            Err(refused::<Part>("a message that does not go with its place"))
        }
    }
}

/// Says nothing of the records.
impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Part")
    }
}

fn content_key(key: &ArchiveKey) -> ContentKey {
    ContentKey::from_bytes(key.as_bytes())
}

/// Purpose, archive, and the part's number in eight bytes.
fn context(archive: ArchiveId, number: u64) -> Vec<u8> {
    [b"pli/1 archive".as_slice(), archive.as_bytes(), &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Part {
        Part {
            records: vec![Record::Deleted(DeletedMessage {
                id: MessageId::from_bytes([1; 16]),
                sender: "lea.petit@medical28.apicrypt.org".parse().unwrap(),
            })],
        }
    }

    #[test]
    fn a_part_opens_in_its_place_alone() {
        let (key, archive) = (ArchiveKey::of_phrase(&[1; 64]), ArchiveId::from_bytes([7; 16]));
        let sealed = seal(&key, archive, 3, &part()).unwrap();
        assert!(open(&key, archive, 3, &sealed).unwrap() == part());
        assert!(open(&key, archive, 4, &sealed).is_err());
        assert!(open(&key, ArchiveId::from_bytes([8; 16]), 3, &sealed).is_err());
        assert!(open(&ArchiveKey::of_phrase(&[2; 64]), archive, 3, &sealed).is_err());
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, archive, 3, &changed).is_err(), "byte {at}");
        }
    }
}
