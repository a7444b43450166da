//! The key of a store. Where it is kept is `keystore`'s business.

use std::fmt;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::StoreError;

/// A store's key: 32 bytes of AES key, then the 16 bytes of salt that the file's plain header has no room for.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StoreKey([u8; Self::LEN]);

impl StoreKey {
    /// Length in bytes.
    pub const LEN: usize = 48;

    /// Draws a new key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Random`] when the system gives no random bytes.
    pub fn make() -> Result<Self, StoreError> {
        let mut key = Self([0; Self::LEN]);
        getrandom::fill(&mut key.0).map_err(|_| StoreError::Random)?;
        Ok(key)
    }

    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The key written as 96 lower-case hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(HEXLOWER.decode(text.as_bytes()).ok()?);
        let mut key = Self([0; Self::LEN]);
        if bytes.len() != key.0.len() {
            return None;
        }
        key.0.copy_from_slice(&bytes);
        Some(key)
    }

    /// Its bytes: a secret.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Its bytes as [`StoreKey::from_hex`] takes them: a secret.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        // Room for it all, so that no smaller copy is left behind.
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN * 2));
        for byte in self.0 {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The raw key as `SQLCipher` takes it: no derivation, salt included.
    pub(super) fn to_sqlcipher(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN * 2 + 3));
        text.push_str("x'");
        text.push_str(&self.to_hex());
        text.push('\'');
        text
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}
