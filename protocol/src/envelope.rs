//! The envelope: a header that the relay reads, a wrap for each recipient device, and the sealed payload.
//! Who the keys belong to is [`crate::identity`]'s and [`crate::prekey`]'s. See `docs/protocol/envelope.md`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::address::Address;
use crate::cbor::{self, Format, FormatError, refused};
use crate::chunked::{self, ContentKey};
use crate::identity::VerifiedAccount;
use crate::ids::{DeviceId, Digest, MessageId};
use crate::limits;
use crate::padding;
use crate::prekey::{PrekeyId, VerifiedPrekey};
use crate::recipients::{Recipients, RecipientsError};
use crate::seal::{self, PrekeySecret, SealError, SealedKey};
use crate::sign::{Purpose, Signature, SigningKey};
use crate::statement::{StatedRecipient, Statement};
use crate::time::Timestamp;

/// The envelope version that this release writes and opens.
pub const VERSION: u8 = 1;

/// Whether people are told how an envelope fares.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Class {
    /// A person's mail: the relay sends notices of it.
    #[n(0)]
    Mail,
    /// Something a device sends by itself, such as receipts: no notices.
    #[n(1)]
    Quiet,
    /// What an account's devices tell each other: it goes to the sender's own account alone, and no notices.
    #[n(2)]
    Own,
}

/// What the relay reads.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Header {
    /// The message, unique for its sender.
    #[n(0)]
    pub id: MessageId,
    /// The sender.
    #[n(1)]
    pub from: Address,
    /// The recipients, the sender's own account not among them, unless it is the only one ([`Class::Own`]).
    #[n(2)]
    pub to: Recipients,
    /// Whether notices are wanted.
    #[n(3)]
    pub class: Class,
    /// SHA-256 of the encoded statement.
    #[n(4)]
    pub statement: Digest,
}

impl Format for Header {
    const NAME: &'static str = "header";
    const VERSION: u8 = VERSION;
    const LIMIT: usize = 8 * 1024;
}

impl Header {
    /// The header that `bytes` encode.
    ///
    /// # Errors
    ///
    /// [`FormatError`], also for no recipient, too many, one twice, or the sender itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let header: Self = cbor::decode(bytes)?;
        let is_own = header.to.as_slice() == std::slice::from_ref(&header.from);
        if header.class == Class::Own {
            if !is_own {
                return Err(refused::<Self>("not to its own account alone"));
            }
        } else if header.to.as_slice().contains(&header.from) {
            return Err(refused::<Self>(RecipientsError::Twice.what()));
        }
        Ok(header)
    }
}

/// The content key, sealed for one device.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Wrap {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// The prekey that it is sealed to.
    #[n(2)]
    pub prekey: PrekeyId,
    /// The sealed content key.
    #[n(3)]
    pub sealed: SealedKey,
}

impl Format for Wrap {
    const NAME: &'static str = "wrap";
    const LIMIT: usize = 2 * 1024;
}

impl Wrap {
    /// Seals the content key of the envelope with this header to one prekey.
    ///
    /// # Errors
    ///
    /// [`SealError`] when the prekey is no key.
    pub fn make(key: &ContentKey, header: &[u8], prekey: &VerifiedPrekey) -> Result<Self, SealError> {
        let info = wrap_info(header, &prekey.address, prekey.device, prekey.id);
        Ok(Self {
            address: prekey.address.clone(),
            device: prekey.device,
            prekey: prekey.id,
            sealed: seal::seal_key(key, &prekey.key, &info)?,
        })
    }
}

/// An envelope on its way to the relay.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Deposit {
    /// The encoded header.
    #[n(0)]
    pub header: ByteVec,
    /// A wrap for each device of each recipient and for the sender's other devices.
    #[n(1)]
    pub wraps: Vec<Wrap>,
    /// The payload.
    #[n(2)]
    pub payload: ByteVec,
}

impl Format for Deposit {
    const NAME: &'static str = "deposit";
    const LIMIT: usize = limits::DEPOSIT_BYTES;
}

/// What a payload is.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Kind {
    /// A MIME message.
    #[n(0)]
    Mail,
    /// [`crate::receipt::Receipts`].
    #[n(1)]
    Receipts,
    /// [`crate::rewrap::RewrapRequest`].
    #[n(2)]
    Rewrap,
    /// [`crate::state::States`].
    #[n(3)]
    State,
    /// [`crate::state::History`].
    #[n(4)]
    History,
}

impl Kind {
    /// Whether people are told how an envelope of this kind fares.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Mail => Class::Mail,
            Self::Receipts | Self::Rewrap => Class::Quiet,
            Self::State | Self::History => Class::Own,
        }
    }
}

/// What is sealed, before padding.
#[derive(Clone, Decode, Encode)]
#[cbor(map)]
struct Sealed {
    #[n(0)]
    kind: Kind,
    #[n(1)]
    statement: ByteVec,
    #[n(2)]
    signature: Signature,
    #[n(3)]
    content: ByteVec,
}

impl Format for Sealed {
    const NAME: &'static str = "payload";
    const LIMIT: usize = limits::PAYLOAD_BYTES;
}

/// The device that sends, and its account.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The account.
    pub address: &'a Address,
    /// The device.
    pub device: DeviceId,
    /// The key with which it signs.
    pub key: &'a SigningKey,
    /// Version of the account's device list.
    pub list_version: u64,
    /// Digest of that list.
    pub list_digest: Digest,
}

/// A sealed message, before any wrap: header and payload never change again.
#[derive(Debug)]
pub struct SealedEnvelope {
    /// The encoded header.
    pub header: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
    /// The encoded statement.
    pub statement: Vec<u8>,
    /// The device's signature over the statement.
    pub signature: Signature,
    /// What the payload is sealed with, to make wraps of.
    pub key: ContentKey,
}

/// Seals `content` for `recipients`, who are named with the identities they are known by.
///
/// # Errors
///
/// [`EnvelopeError`] for content or a list of recipients that passes the limits.
pub fn seal(
    sender: Sender<'_>,
    id: MessageId,
    kind: Kind,
    recipients: Vec<StatedRecipient>,
    content: &[u8],
    sent_at: Timestamp,
) -> Result<SealedEnvelope, EnvelopeError> {
    if content.len() > limits::MAIL_BYTES {
        return Err(EnvelopeError::TooLarge);
    }
    let mut nonce = [0; Digest::LEN];
    getrandom::fill(&mut nonce).map_err(SealError::from)?;
    let to = Recipients::new(recipients.iter().map(|recipient| recipient.address.clone()).collect())
        .map_err(|error| refused::<Header>(error.what()))?;
    let statement = cbor::encode(&Statement {
        nonce: Digest::from_bytes(nonce),
        id,
        from: sender.address.clone(),
        device: sender.device,
        list_version: sender.list_version,
        list_digest: sender.list_digest,
        recipients,
        sent_at,
        content_length: u64::try_from(content.len()).map_err(|_| EnvelopeError::TooLarge)?,
        content_digest: Digest::of(&[content]),
    });
    let header = cbor::encode(&Header {
        id,
        from: sender.address.clone(),
        to,
        class: kind.class(),
        statement: Digest::of(&[&statement]),
    });
    Header::parse(&header)?;
    let signature = sender.key.sign(Purpose::Statement, &statement);
    let key = ContentKey::make().map_err(SealError::from)?;
    let payload = seal_again(&header, &key, kind, (&statement, signature.clone()), content)?;
    Ok(SealedEnvelope {
        header,
        payload,
        statement,
        signature,
        key,
    })
}

/// The payload of a sealed message once more, under its header and key, for devices that it is wrapped for anew.
///
/// # Errors
///
/// [`EnvelopeError::TooLarge`], or [`SealError::Random`] when the system's random source fails.
pub fn seal_again(
    header: &[u8],
    key: &ContentKey,
    kind: Kind,
    (statement, signature): (&[u8], Signature),
    content: &[u8],
) -> Result<Vec<u8>, EnvelopeError> {
    let sealed = zeroize::Zeroizing::new(cbor::encode(&Sealed {
        kind,
        statement: statement.to_vec().into(),
        signature,
        content: content.to_vec().into(),
    }));
    let padded = padding::pad(&sealed).ok_or(EnvelopeError::TooLarge)?;
    Ok(chunked::encrypt(key, Digest::of(&[header]).as_bytes(), &padded)?)
}

/// An opened envelope whose signature is still to be verified.
pub struct Opened {
    header: Header,
    kind: Kind,
    statement: Statement,
    statement_bytes: Vec<u8>,
    signature: Signature,
    content: Vec<u8>,
    key: ContentKey,
}

/// Opens what `wrap` was sealed for and checks it against the header.
///
/// # Errors
///
/// [`EnvelopeError`] when the key does not open it, or its parts are not of one envelope.
pub fn open(header: &[u8], wrap: &Wrap, payload: &[u8], secret: &PrekeySecret) -> Result<Opened, EnvelopeError> {
    let parsed = Header::parse(header)?;
    let key = seal::open_key(
        &wrap.sealed,
        secret,
        &wrap_info(header, &wrap.address, wrap.device, wrap.prekey),
    )?;
    let padded = chunked::decrypt(&key, Digest::of(&[header]).as_bytes(), payload)?;
    let sealed: Sealed = cbor::decode(padding::unpad(&padded).ok_or(EnvelopeError::Spliced)?)?;
    let statement: Statement = cbor::decode(&sealed.statement)?;
    let same_recipients = statement
        .recipients
        .iter()
        .map(|recipient| &recipient.address)
        .eq(&parsed.to);
    let bound = Digest::of(&[&sealed.statement]) == parsed.statement
        && statement.id == parsed.id
        && statement.from == parsed.from
        && same_recipients
        && sealed.kind.class() == parsed.class
        && u64::try_from(sealed.content.len()) == Ok(statement.content_length)
        && Digest::of(&[&sealed.content]) == statement.content_digest;
    if !bound {
        return Err(EnvelopeError::Spliced);
    }
    Ok(Opened {
        header: parsed,
        kind: sealed.kind,
        statement,
        statement_bytes: sealed.statement.into(),
        signature: sealed.signature,
        content: sealed.content.into(),
        key,
    })
}

impl Opened {
    /// The device that says it signed.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.statement.device
    }

    /// The device list on which the sender says that device is.
    #[must_use]
    pub const fn list_version(&self) -> u64 {
        self.statement.list_version
    }

    /// Checks that a device of the sender's account signed it, and that it was meant for `reader`, under one of the
    /// identities that are or were its own.
    ///
    /// Whoever has the content key can wrap it to somebody else's prekey; only the statement says for whom it was sealed.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Signature`] when none did; [`EnvelopeError::Recipient`] when the statement names the reader not at
    /// all, or under another identity.
    pub fn verify(
        self,
        sender: &VerifiedAccount,
        reader: &Address,
        identities: &[Digest],
    ) -> Result<Message, EnvelopeError> {
        if *sender.address() != self.header.from {
            return Err(EnvelopeError::Signature);
        }
        let device = sender.device(&self.statement.device).ok_or(EnvelopeError::Signature)?;
        device
            .key
            .verify(Purpose::Statement, &self.statement_bytes, &self.signature)
            .map_err(|_| EnvelopeError::Signature)?;
        let is_own = sender.address() == reader;
        let is_recipient = self
            .statement
            .recipients
            .iter()
            .any(|recipient| recipient.address == *reader && identities.contains(&recipient.identity));
        if !is_own && !is_recipient {
            return Err(EnvelopeError::Recipient);
        }
        Ok(Message {
            header: self.header,
            kind: self.kind,
            statement: self.statement,
            statement_bytes: self.statement_bytes,
            signature: self.signature,
            content: self.content,
            key: self.key,
        })
    }
}

/// A message of which it is known who sent it.
pub struct Message {
    /// What the relay read.
    pub header: Header,
    /// What the content is.
    pub kind: Kind,
    /// What the sender vouched for.
    pub statement: Statement,
    /// Its bytes, as they were signed.
    pub statement_bytes: Vec<u8>,
    /// The signature over them.
    pub signature: Signature,
    /// The content.
    pub content: Vec<u8>,
    /// What the payload is sealed with.
    pub key: ContentKey,
}

impl std::fmt::Debug for Opened {
    /// Says nothing of the content or the correspondents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

impl std::fmt::Debug for Message {
    /// Says nothing of the content or the correspondents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

/// Why an envelope could not be sealed or opened.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A part is malformed or of an unknown version.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The statement was not made for this reader's identity.
    #[error("not sealed for this identity")]
    Recipient,
    /// The key does not open it, or it was changed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No device of the sender signed it.
    #[error("not signed by a device of the sender")]
    Signature,
    /// The parts are not of one envelope.
    #[error("header, statement and content are not of one message")]
    Spliced,
    /// The content passes the limit.
    #[error("larger than a message may be")]
    TooLarge,
}

/// HPKE's info: purpose, header hash, address, device, prekey id, each behind its length in two bytes.
fn wrap_info(header: &[u8], address: &Address, device: DeviceId, prekey: PrekeyId) -> Vec<u8> {
    let leaf = prekey.leaf.map(u32::to_be_bytes);
    let header_hash = Digest::of(&[header]);
    let parts: [&[u8]; 6] = [
        b"pli/1 wrap",
        header_hash.as_bytes(),
        address.as_str().as_bytes(),
        device.as_bytes(),
        &prekey.batch.to_be_bytes(),
        leaf.as_ref().map_or(&[], |leaf| leaf.as_slice()),
    ];
    let mut info = Vec::with_capacity(256);
    for part in parts {
        info.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        info.extend_from_slice(part);
    }
    info
}
