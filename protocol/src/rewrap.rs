//! A device asks for envelopes again that it could not open: their senders wrap the content keys anew.
//! See `docs/protocol/rewrap.md`.

use minicbor::{Decode, Encode};

use crate::cbor::Format;
use crate::ids::MessageId;
use crate::limits;

/// The content of an envelope that asks its recipient for messages again.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct RewrapRequest {
    /// Messages of the account that the request goes to, oldest first.
    #[n(0)]
    pub ids: Vec<MessageId>,
}

impl Format for RewrapRequest {
    const NAME: &'static str = "rewrap request";
    const LIMIT: usize = limits::REWRAPS * 18;
}
