//! The primitives behind the provider, on slices and without `unsafe`.
//! Which of them `SQLCipher` asks for, and how, is in the crate's root.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

/// Bytes of an AES-256 key.
pub(crate) const AES_KEY: usize = 32;

/// Bytes of a block, and of the initialisation vector.
pub(crate) const AES_BLOCK: usize = 16;

/// A hash under HMAC or PBKDF2.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    /// Bytes of the longest output.
    pub(crate) const LONGEST: usize = 64;
}

/// HMAC (RFC 2104) over the parts, one after the other; the tag is the slice of `room` that it fills.
pub(crate) fn hmac<'a>(hash: Hash, key: &[u8], parts: &[&[u8]], room: &'a mut [u8; Hash::LONGEST]) -> Option<&'a [u8]> {
    match hash {
        Hash::Sha256 => hmac_with::<Hmac<Sha256>>(key, parts, room),
        Hash::Sha512 => hmac_with::<Hmac<Sha512>>(key, parts, room),
    }
}

fn hmac_with<'a, M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], room: &'a mut [u8; Hash::LONGEST]) -> Option<&'a [u8]> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    let tag = mac.finalize().into_bytes();
    let room = room.get_mut(..tag.len())?;
    room.copy_from_slice(&tag);
    Some(room)
}

/// PBKDF2 (RFC 8018 §5.2), filling `key`.
pub(crate) fn pbkdf2(hash: Hash, passphrase: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) {
    match hash {
        Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, salt, rounds, key),
        Hash::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(passphrase, salt, rounds, key),
    }
}

/// AES-256-CBC in place, without padding; nothing when a length does not fit.
pub(crate) fn encrypt(key: &[u8], iv: &[u8], page: &mut [u8]) -> Option<()> {
    let length = page.len();
    cbc::Encryptor::<Aes256>::new_from_slices(key, iv)
        .ok()?
        .encrypt_padded::<NoPadding>(page, length)
        .ok()?;
    Some(())
}

/// The reverse of [`encrypt`].
pub(crate) fn decrypt(key: &[u8], iv: &[u8], page: &mut [u8]) -> Option<()> {
    cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
        .ok()?
        .decrypt_padded::<NoPadding>(page)
        .ok()?;
    Some(())
}
