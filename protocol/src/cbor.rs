//! Binary formats: a version byte, then deterministic CBOR (RFC 8949 §4.2.1) with integer keys.
//! What is not canonical or not known is refused: a value is taken only if encoding it again gives the same bytes.

use std::convert::Infallible;

use minicbor::encode::Write;
use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::recipients::RecipientsError;

/// A binary format of Pli.
pub trait Format: Encode<()> + for<'b> Decode<'b, ()> {
    /// Its name, as its page in `docs/protocol/` is called.
    const NAME: &'static str;
    /// The version byte written and read.
    const VERSION: u8 = 1;
    /// Largest encoding accepted, in bytes.
    const LIMIT: usize;
}

/// Bytes that are not a value of the format expected.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FormatError {
    /// There is nothing.
    #[error("{0}: empty")]
    Empty(&'static str),
    /// The CBOR is broken, cut short, or holds something else.
    #[error("{0}: malformed")]
    Malformed(&'static str),
    /// Readable, but not in the one encoding that is allowed, or with fields that are not known.
    #[error("{0}: not canonical")]
    NotCanonical(&'static str),
    /// A signature, digest or field does not fit the others.
    #[error("{name}: {what}")]
    Refused {
        /// The format.
        name: &'static str,
        /// What does not fit.
        what: &'static str,
    },
    /// More bytes than the format may have.
    #[error("{name}: larger than {limit_bytes} bytes")]
    TooLarge {
        /// The format.
        name: &'static str,
        /// Its limit.
        limit_bytes: usize,
    },
    /// A version that this release does not know.
    #[error("{name}: version {version} is not known")]
    UnknownVersion {
        /// The format.
        name: &'static str,
        /// The version byte found.
        version: u8,
    },
}

/// The one encoding of `value`.
///
/// It is written into memory of its length: no piece of it is left elsewhere, so that whoever erases it erases all.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "writing to a Vec cannot fail")]
pub fn encode<T: Format>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length(value).saturating_add(1));
    bytes.push(T::VERSION);
    #[expect(clippy::expect_used, reason = "a Vec takes every byte")]
    minicbor::encode(value, &mut bytes).expect(ENCODES);
    bytes
}

const ENCODES: &str = "writing cannot fail, and no format has a failing encoder";

/// How many bytes the one encoding of `value` has, without a version byte.
pub(crate) fn length<T: minicbor::Encode<()>>(value: &T) -> usize {
    let mut length = Length(0);
    #[expect(clippy::expect_used, reason = "counting cannot fail")]
    minicbor::encode(value, &mut length).expect(ENCODES);
    length.0
}

/// The value that `bytes` are the one encoding of.
///
/// # Errors
///
/// One [`FormatError`] for each way in which they are not; sizes are checked first.
pub fn decode<T: Format>(bytes: &[u8]) -> Result<T, FormatError> {
    if bytes.len() > T::LIMIT {
        return Err(FormatError::TooLarge {
            name: T::NAME,
            limit_bytes: T::LIMIT,
        });
    }
    let Some((&version, body)) = bytes.split_first() else {
        return Err(FormatError::Empty(T::NAME));
    };
    if version != T::VERSION {
        return Err(FormatError::UnknownVersion { name: T::NAME, version });
    }
    let value: T = minicbor::decode(body).map_err(|error| malformed::<T>(&error))?;
    let mut rest = Expected(body);
    if minicbor::encode(&value, &mut rest).is_err() || !rest.0.is_empty() {
        return Err(FormatError::NotCanonical(T::NAME));
    }
    Ok(value)
}

/// What is wrong with bytes that are no value of format `T`: a part that checks itself says what does not fit.
fn malformed<T: Format>(error: &minicbor::decode::Error) -> FormatError {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<RecipientsError>());
    cause.map_or(FormatError::Malformed(T::NAME), |cause| refused::<T>(cause.what()))
}

/// Refuses a value of format `T`, saying `what` does not fit.
#[must_use]
pub(crate) const fn refused<T: Format>(what: &'static str) -> FormatError {
    FormatError::Refused { name: T::NAME, what }
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

/// Takes these bytes alone, in their order.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    type Error = Unexpected;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Unexpected> {
        self.0 = self.0.strip_prefix(bytes).ok_or(Unexpected)?;
        Ok(())
    }
}

/// Other bytes than [`Expected`].
struct Unexpected;
