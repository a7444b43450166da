//! The two shapes that keys, signatures and sealed keys share: public bytes and secret bytes of a fixed length.

/// A type for public bytes of a fixed length, which travel as a byte string.
macro_rules! public_bytes {
    ($(#[$doc:meta])* $name:ident, $len:expr, $error:expr => $error_type:ty) => {
        $(#[$doc])*
        #[derive(Clone, Eq, PartialEq)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Its bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = $error_type;

            fn try_from(bytes: &[u8]) -> Result<Self, $error_type> {
                if bytes.len() == Self::LEN { Ok(Self(bytes.to_vec())) } else { Err($error) }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::try_from(d.bytes()?).map_err(minicbor::decode::Error::custom)
            }
        }
    };
}

/// A type for secret bytes of a fixed length: drawn at random, erased when dropped, never shown.
macro_rules! secret_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Fresh random bytes.
            ///
            /// # Errors
            ///
            /// Fails when the system's random source does.
            pub fn make() -> Result<Self, getrandom::Error> {
                let mut bytes = zeroize::Zeroizing::new([0; $len]);
                getrandom::fill(bytes.as_mut_slice())?;
                Ok(Self(*bytes))
            }

            /// The secret with these bytes.
            #[must_use]
            pub fn from_bytes(bytes: &[u8; $len]) -> Self {
                Self(*bytes)
            }

            /// Its bytes: a secret.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

/// Lets a secret travel within what is sealed itself, and be compared in a time that tells nothing.
macro_rules! sealed_secret {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                bool::from(subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]))
            }
        }

        impl Eq for $name {}

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = d.bytes()?.try_into().map_err(minicbor::decode::Error::custom)?;
                Ok(Self::from_bytes(bytes))
            }
        }
    };
}

pub(crate) use {public_bytes, sealed_secret, secret_bytes};
