//! Sealing a content key to one device: HPKE (RFC 9180) with X-Wing, HKDF-SHA256 and AES-256-GCM.
//! See `docs/protocol/wrap.md`; the content itself is sealed by [`crate::chunked`].

use std::fmt;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::chunked::ContentKey;

/// Length of an encapsulated key, in bytes.
const ENCAPSULATED: usize = 1_120;
/// Length of a sealed content key: 32 bytes and a tag of 16.
const SEALED: usize = 48;

/// The public half of a prekey: an X-Wing key of 1,216 bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct PrekeyPublic(Vec<u8>);

impl PrekeyPublic {
    /// Length in bytes.
    pub const LEN: usize = 1_216;

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for PrekeyPublic {
    type Error = SealError;

    fn try_from(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() == Self::LEN {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(SealError::Key)
        }
    }
}

impl fmt::Debug for PrekeyPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrekeyPublic")
    }
}

impl<C> Encode<C> for PrekeyPublic {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PrekeyPublic {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        Self::try_from(d.bytes()?).map_err(DecodeError::custom)
    }
}

/// The private half of a prekey: X-Wing's seed of 32 bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrekeySecret([u8; 32]);

impl PrekeySecret {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// A fresh prekey.
    ///
    /// # Errors
    ///
    /// Fails when the system's random source does.
    pub fn make() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(*bytes))
    }

    /// The prekey with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(*bytes)
    }

    /// Its bytes: a secret.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The public half.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`], which no secret of the right length gives.
    pub fn public(&self) -> Result<PrekeyPublic, SealError> {
        let public = XWing::sk_to_pk(&self.private()?).to_bytes();
        PrekeyPublic::try_from(public.as_slice())
    }

    fn private(&self) -> Result<<XWing as Kem>::PrivateKey, SealError> {
        <XWing as Kem>::PrivateKey::from_bytes(&self.0).map_err(|_| SealError::Key)
    }
}

impl fmt::Debug for PrekeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrekeySecret")
    }
}

/// A content key sealed to one prekey: X-Wing's encapsulated key, then the sealed key; 1,168 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedKey(Vec<u8>);

impl SealedKey {
    /// Length in bytes.
    pub const LEN: usize = ENCAPSULATED + SEALED;

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for SealedKey {
    type Error = SealError;

    fn try_from(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() == Self::LEN {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(SealError::Opening)
        }
    }
}

impl<C> Encode<C> for SealedKey {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SealedKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        Self::try_from(d.bytes()?).map_err(DecodeError::custom)
    }
}

/// Seals `key` to `prekey`; only the same `info` opens it.
///
/// # Errors
///
/// [`SealError::Key`] when the prekey is no X-Wing key.
pub fn seal_key(key: &ContentKey, prekey: &PrekeyPublic, info: &[u8]) -> Result<SealedKey, SealError> {
    let public = <XWing as Kem>::PublicKey::from_bytes(&prekey.0).map_err(|_| SealError::Key)?;
    let (encapsulated, sealed) =
        hpke::single_shot_seal::<AesGcm256, HkdfSha256, XWing>(&OpModeS::Base, &public, info, key.as_bytes(), b"")
            .map_err(|_| SealError::Key)?;
    SealedKey::try_from([encapsulated.to_bytes().as_slice(), &sealed].concat().as_slice())
}

/// Opens what [`seal_key`] sealed with the same `info`.
///
/// # Errors
///
/// [`SealError::Opening`] for another key, another `info`, or changed bytes.
pub fn open_key(sealed: &SealedKey, secret: &PrekeySecret, info: &[u8]) -> Result<ContentKey, SealError> {
    let (encapsulated, sealed) = sealed.0.split_at(ENCAPSULATED);
    let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| SealError::Opening)?;
    let key = hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(
        &OpModeR::Base,
        &secret.private()?,
        &encapsulated,
        info,
        sealed,
        b"",
    )
    .map_err(|_| SealError::Opening)?;
    let key = Zeroizing::new(key);
    let key = key.as_slice().try_into().map_err(|_| SealError::Opening)?;
    Ok(ContentKey::from_bytes(key))
}

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SealError {
    /// The key is not one.
    #[error("not an X-Wing key")]
    Key,
    /// Another key or context, or changed, cut or reordered bytes.
    #[error("cannot be opened with this key")]
    Opening,
    /// The system's random source failed.
    #[error("no random bytes to be had")]
    Random,
}

impl From<getrandom::Error> for SealError {
    fn from(_: getrandom::Error) -> Self {
        Self::Random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_info_open() {
        let secret = PrekeySecret::from_bytes(&[5; 32]);
        let key = ContentKey::from_bytes(&[9; 32]);
        let sealed = seal_key(&key, &secret.public().unwrap(), b"info").unwrap();
        assert_eq!(open_key(&sealed, &secret, b"info").unwrap().as_bytes(), key.as_bytes());
        assert_eq!(open_key(&sealed, &secret, b"other").unwrap_err(), SealError::Opening);
        let other = PrekeySecret::from_bytes(&[6; 32]);
        assert_eq!(open_key(&sealed, &other, b"info").unwrap_err(), SealError::Opening);
        for at in [0, ENCAPSULATED, SealedKey::LEN - 1] {
            let mut changed = sealed.clone();
            changed.0[at] ^= 1;
            assert!(open_key(&changed, &secret, b"info").is_err(), "byte {at}");
        }
    }
}
