//! Sealing a content key to one device: HPKE (RFC 9180) with X-Wing, HKDF-SHA256 and AES-256-GCM.
//! See `docs/protocol/wrap.md`; the content itself is sealed by [`crate::chunked`].

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::bytes::{public_bytes, secret_bytes};
use crate::chunked::ContentKey;

/// Length of an encapsulated key, in bytes.
const ENCAPSULATED: usize = 1_120;
/// Length of a sealed content key: 32 bytes and a tag of 16.
const SEALED: usize = 48;

public_bytes! {
    /// The public half of a prekey: an X-Wing key of 1,216 bytes.
    PrekeyPublic, 1_216, SealError::Key => SealError
}

secret_bytes! {
    /// The private half of a prekey: X-Wing's seed of 32 bytes.
    PrekeySecret, 32
}

impl PrekeyPublic {
    /// Whether something can be sealed to it: not every 1,216 bytes are a key.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`] when the bytes are no X-Wing key.
    pub fn check(&self) -> Result<(), SealError> {
        self.parsed().map(drop)
    }

    fn parsed(&self) -> Result<<XWing as Kem>::PublicKey, SealError> {
        <XWing as Kem>::PublicKey::from_bytes(&self.0).map_err(|_| SealError::Key)
    }
}

impl PrekeySecret {
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

public_bytes! {
    /// A content key sealed to one prekey: X-Wing's encapsulated key, then the sealed key; 1,168 bytes.
    SealedKey, ENCAPSULATED + SEALED, SealError::Opening => SealError
}

/// Seals `key` to `prekey`; only the same `info` opens it.
///
/// # Errors
///
/// [`SealError::Key`] when the prekey is no X-Wing key.
pub fn seal_key(key: &ContentKey, prekey: &PrekeyPublic, info: &[u8]) -> Result<SealedKey, SealError> {
    let public = prekey.parsed()?;
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
    fn what_is_checked_can_be_sealed_to_and_nothing_else() {
        let key = ContentKey::from_bytes(&[9; 32]);
        let public = PrekeySecret::from_bytes(&[5; 32]).public().unwrap();
        assert_eq!(public.check(), Ok(()));
        let none = PrekeyPublic([0xFF; PrekeyPublic::LEN].to_vec());
        assert_eq!(none.check(), Err(SealError::Key));
        assert_eq!(seal_key(&key, &none, b"info").unwrap_err(), SealError::Key);
    }

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
