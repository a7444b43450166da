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
pub enum Reading {
    /// It was on a screen.
    #[n(0)]
    Read,
    /// What it asks for was done.
    #[n(1)]
    Handled,
}

impl Reading {
    /// Its number, on the wire and in tables.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Read => 0,
            Self::Handled => 1,
        }
    }

    /// The reading with this number, if there is one.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        [Self::Read, Self::Handled]
            .into_iter()
            .find(|reading| reading.number() == number)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_has_the_number_that_it_has_on_the_wire() {
        for reading in [Reading::Read, Reading::Handled] {
            assert_eq!(
                minicbor::to_vec(reading).unwrap(),
                minicbor::to_vec(reading.number()).unwrap()
            );
            assert_eq!(Reading::of_number(reading.number()), Some(reading));
        }
        assert_eq!((Reading::of_number(-1), Reading::of_number(2)), (None, None));
    }
}
