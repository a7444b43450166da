//! Who an envelope goes to: a list that no envelope may have otherwise. Whether they exist is the directory's.
//! See `docs/protocol/envelope.md`.

use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Decoder, Encode};
use thiserror::Error;

use crate::address::Address;
use crate::limits;

/// The recipients of an envelope: one to [`limits::RECIPIENTS`], each once, in their order.
#[derive(Clone, Debug, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct Recipients(#[n(0)] Vec<Address>);

impl Recipients {
    /// The list of these, if an envelope may have it.
    ///
    /// # Errors
    ///
    /// [`RecipientsError`] for none, too many, or one twice.
    pub fn new(addresses: Vec<Address>) -> Result<Self, RecipientsError> {
        if addresses.is_empty() {
            return Err(RecipientsError::None);
        }
        if addresses.len() > limits::RECIPIENTS {
            return Err(RecipientsError::TooMany);
        }
        let is_twice =
            |place: usize, address: &Address| addresses.iter().skip(place.saturating_add(1)).any(|a| a == address);
        if addresses
            .iter()
            .enumerate()
            .any(|(place, address)| is_twice(place, address))
        {
            return Err(RecipientsError::Twice);
        }
        Ok(Self(addresses))
    }

    /// Them, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[Address] {
        &self.0
    }

    /// Them, one after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Address> {
        self.0.iter()
    }
}

impl<'b, C> Decode<'b, C> for Recipients {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, DecodeError> {
        let addresses = d.decode_with(context)?;
        Self::new(addresses).map_err(DecodeError::custom)
    }
}

impl<'a> IntoIterator for &'a Recipients {
    type Item = &'a Address;
    type IntoIter = std::slice::Iter<'a, Address>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Why no envelope may go to a list of addresses.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{}", self.what())]
pub enum RecipientsError {
    /// There is none.
    None,
    /// There are more than [`limits::RECIPIENTS`].
    TooMany,
    /// One is there twice.
    Twice,
}

impl RecipientsError {
    /// What does not fit, as a refusal of the format says it.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::None | Self::TooMany => "no recipient, or too many",
            Self::Twice => "an address twice",
        }
    }
}
