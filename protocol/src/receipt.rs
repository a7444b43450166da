//! Receipts: what a recipient's devices tell the sender by themselves, sealed like mail.
//! See `docs/protocol/receipts.md`; what the relay says of a delivery is a notice ([`crate::sequence`]).

use minicbor::{Decode, Encode};

use crate::cbor::Format;
use crate::ids::MessageId;
use crate::limits;
use crate::time::Timestamp;

/// What a person did with a mail.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Reading {
    /// It was on a screen.
    #[n(0)]
    Read,
    /// What it asks for was done.
    #[n(1)]
    Handled,
}

/// One receipt.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Receipt {
    /// The mail, of the account that the receipt goes to.
    #[n(0)]
    pub id: MessageId,
    /// What was done.
    #[n(1)]
    pub reading: Reading,
    /// When.
    #[n(2)]
    pub at: Timestamp,
}

/// The content of an envelope of receipts: all that one sync had for one account.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Receipts {
    /// The receipts, oldest first.
    #[n(0)]
    pub receipts: Vec<Receipt>,
}

impl Format for Receipts {
    const NAME: &'static str = "receipts";
    const LIMIT: usize = limits::RECEIPTS * 64;
}
