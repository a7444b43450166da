//! The statement: what a sending device vouches for, sealed with the content and bound to the header by its digest.
//! See `docs/protocol/statement.md`.

use minicbor::{Decode, Encode};

use crate::address::Address;
use crate::cbor::Format;
use crate::ids::{DeviceId, Digest, MessageId};
use crate::time::Timestamp;

/// What the sending device says of a message.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Statement {
    /// 32 random bytes: they salt the digest, so that the relay cannot test guesses.
    #[n(0)]
    pub nonce: Digest,
    /// The message.
    #[n(1)]
    pub id: MessageId,
    /// The sender.
    #[n(2)]
    pub from: Address,
    /// The device that signs.
    #[n(3)]
    pub device: DeviceId,
    /// Version of the sender's device list.
    #[n(4)]
    pub list_version: u64,
    /// Digest of the sender's device list.
    #[n(5)]
    pub list_digest: Digest,
    /// The recipients, in the order of the header.
    #[n(6)]
    pub recipients: Vec<StatedRecipient>,
    /// When it was sent, by the sender's clock.
    #[n(7)]
    pub sent_at: Timestamp,
    /// Length of the content, in bytes.
    #[n(8)]
    pub content_length: u64,
    /// SHA-256 of the content.
    #[n(9)]
    pub content_digest: Digest,
}

impl Format for Statement {
    const NAME: &'static str = "statement";
    const LIMIT: usize = 16 * 1024;
}

/// A recipient, as the sender knew it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct StatedRecipient {
    /// The account.
    #[n(0)]
    pub address: Address,
    /// Fingerprint of the identity that it was sealed to.
    #[n(1)]
    pub identity: Digest,
}
