//! What a person calls a device: told to the account's own devices alone. See `docs/protocol/state.md`.

use std::fmt;
use std::str::FromStr;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use thiserror::Error;

use crate::limits;

/// A name of one line: at most [`limits::DEVICE_NAME_BYTES`] bytes, no control characters, no white space around it.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub struct DeviceName(String);

impl DeviceName {
    /// The name as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceName {
    /// People call a device by its owner.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceName")
    }
}

impl FromStr for DeviceName {
    type Err = DeviceNameError;

    fn from_str(text: &str) -> Result<Self, DeviceNameError> {
        if text.len() > limits::DEVICE_NAME_BYTES {
            return Err(DeviceNameError::TooLong);
        }
        if text.trim().is_empty() {
            return Err(DeviceNameError::Empty);
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(DeviceNameError::Characters);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<C> Encode<C> for DeviceName {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for DeviceName {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        d.str()?.parse().map_err(DecodeError::custom)
    }
}

/// Why a text is no name of a device.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DeviceNameError {
    /// It has a control character, or white space around it.
    #[error("a control character, or white space around the name")]
    Characters,
    /// There is nothing to be seen in it.
    #[error("nothing to be seen")]
    Empty,
    /// It is longer than names may be.
    #[error("longer than {} bytes", limits::DEVICE_NAME_BYTES)]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_so_many_bytes() {
        let longest = "é".repeat(limits::DEVICE_NAME_BYTES / 2);
        for taken in ["Tablette du cabinet", "Accueil 2", longest.as_str()] {
            assert_eq!(
                taken.parse::<DeviceName>().map(|name| name.to_string()),
                Ok(taken.to_owned())
            );
        }
        for (refused, error) in [
            ("", DeviceNameError::Empty),
            (" \u{a0}", DeviceNameError::Empty),
            ("Accueil ", DeviceNameError::Characters),
            ("Accueil\n2", DeviceNameError::Characters),
            ("\u{1b}[31mrouge", DeviceNameError::Characters),
            (&format!("{longest}e"), DeviceNameError::TooLong),
        ] {
            assert_eq!(refused.parse::<DeviceName>(), Err(error), "{refused:?}");
        }
        assert_eq!(format!("{:?}", "Accueil".parse::<DeviceName>()), "Ok(DeviceName)");
    }
}
