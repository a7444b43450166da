//! Encryption of content in chunks of 16 KiB, as `c2sp.org/chunked-encryption@v1` with SHA-256 and `AEAD_AES_256_GCM`.
//! See `docs/protocol/payload.md`; who gets the key is [`crate::seal`]'s.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::bytes::{sealed_secret, secret_bytes};
use crate::seal::SealError;

/// Length of a chunk, in bytes; the last one is shorter.
const CHUNK: usize = 16 * 1024;
const TAG: usize = 16;
const SALT: usize = 24;
const COMMITMENT: usize = 32;
const NONCE: usize = 12;
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

secret_bytes! {
    /// The input key of one message.
    ContentKey, 32
}

sealed_secret! { ContentKey }

/// Encrypts `plaintext` under a fresh salt.
///
/// # Errors
///
/// [`SealError::Random`] when the system's random source fails.
pub fn encrypt(key: &ContentKey, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt)?;
    encrypt_with_salt(key, &salt, context, plaintext)
}

/// Decrypts what [`encrypt`] made under the same key and context.
///
/// # Errors
///
/// [`SealError::Opening`] for another key or context, and for bytes that were changed, cut, extended or reordered.
pub fn decrypt(key: &ContentKey, context: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (salt, rest) = ciphertext.split_first_chunk::<SALT>().ok_or(SealError::Opening)?;
    let (commitment, chunks) = rest.split_first_chunk::<COMMITMENT>().ok_or(SealError::Opening)?;
    let keys = Keys::derive(key, salt, context)?;
    if !bool::from(keys.commitment.ct_eq(commitment)) {
        return Err(SealError::Opening);
    }
    let mut plaintext = Zeroizing::new(Vec::with_capacity(chunks.len()));
    let mut number = 0_u64;
    let mut rest = chunks;
    loop {
        let last = rest.len() < CHUNK + TAG;
        let (chunk, after) = rest
            .split_at_checked(rest.len().min(CHUNK + TAG))
            .ok_or(SealError::Opening)?;
        let (body, tag) = chunk.split_last_chunk::<TAG>().ok_or(SealError::Opening)?;
        let start = plaintext.len();
        plaintext.extend_from_slice(body);
        let buffer = plaintext.get_mut(start..).ok_or(SealError::Opening)?;
        keys.aead
            .decrypt_inout_detached(&keys.nonce(number).into(), b"", buffer.into(), &(*tag).into())
            .map_err(|_| SealError::Opening)?;
        if last {
            return Ok(plaintext);
        }
        rest = after;
        number = number.saturating_add(1);
    }
}

fn encrypt_with_salt(
    key: &ContentKey,
    salt: &[u8; SALT],
    context: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let keys = Keys::derive(key, salt, context)?;
    let chunk_count = (plaintext.len() / CHUNK).saturating_add(1);
    let overhead = chunk_count.saturating_mul(TAG).saturating_add(SALT + COMMITMENT);
    let mut out = Vec::with_capacity(plaintext.len().saturating_add(overhead));
    out.extend_from_slice(salt);
    out.extend_from_slice(&keys.commitment);
    let mut rest = plaintext;
    let mut number = 0_u64;
    loop {
        // A full chunk is never the last one: an empty one follows it if need be.
        let last = rest.len() < CHUNK;
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        let start = out.len();
        out.extend_from_slice(chunk);
        let buffer = out.get_mut(start..).ok_or(SealError::Opening)?;
        let tag = keys
            .aead
            .encrypt_inout_detached(&keys.nonce(number).into(), b"", buffer.into())
            .map_err(|_| SealError::Opening)?;
        out.extend_from_slice(&tag);
        if last {
            return Ok(out);
        }
        rest = after;
        number = number.saturating_add(1);
    }
}

struct Keys {
    aead: Aes256Gcm,
    base_nonce: [u8; NONCE],
    commitment: [u8; COMMITMENT],
}

impl Keys {
    fn derive(key: &ContentKey, salt: &[u8; SALT], context: &[u8]) -> Result<Self, SealError> {
        let mut okm = Zeroizing::new([0; 32 + NONCE + COMMITMENT]);
        let hkdf = Hkdf::<Sha256>::from_prk(&key.0).map_err(|_| SealError::Key)?;
        hkdf.expand_multi_info(&[INFO, salt, context], okm.as_mut_slice())
            .map_err(|_| SealError::Key)?;
        let (key, rest) = okm.split_first_chunk::<32>().ok_or(SealError::Key)?;
        let (base_nonce, commitment) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Key)?;
        Ok(Self {
            aead: Aes256Gcm::new(key.into()),
            base_nonce: *base_nonce,
            commitment: commitment.try_into().map_err(|_| SealError::Key)?,
        })
    }

    fn nonce(&self, number: u64) -> [u8; NONCE] {
        let mut nonce = self.base_nonce;
        for (byte, counter) in nonce.iter_mut().rev().zip(number.to_be_bytes().iter().rev()) {
            *byte ^= counter;
        }
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_around_a_chunk_comes_back() {
        let key = ContentKey::from_bytes(&[3; 32]);
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plaintext = vec![7; length];
            let sealed = encrypt(&key, b"c", &plaintext).unwrap();
            assert_eq!(sealed.len(), length + 56 + TAG * (length / CHUNK + 1));
            assert_eq!(*decrypt(&key, b"c", &sealed).unwrap(), plaintext, "{length}");
        }
    }

    #[test]
    fn cut_reordered_or_extended_bytes_are_refused() {
        let key = ContentKey::from_bytes(&[3; 32]);
        let sealed = encrypt(&key, b"c", &vec![7; 3 * CHUNK]).unwrap();
        for length in [0, 24, 56, 57, 56 + CHUNK + TAG, sealed.len() - TAG, sealed.len() - 1] {
            assert!(decrypt(&key, b"c", &sealed[..length]).is_err(), "{length}");
        }
        let (first, second) = (56, 56 + CHUNK + TAG);
        let mut swapped = sealed.clone();
        swapped[first..second].copy_from_slice(&sealed[second..second + CHUNK + TAG]);
        swapped[second..second + CHUNK + TAG].copy_from_slice(&sealed[first..second]);
        assert!(decrypt(&key, b"c", &swapped).is_err());
        assert!(decrypt(&key, b"c", &[sealed.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn another_key_or_context_is_refused() {
        let sealed = encrypt(&ContentKey::from_bytes(&[3; 32]), b"c", b"bonjour").unwrap();
        assert!(decrypt(&ContentKey::from_bytes(&[4; 32]), b"c", &sealed).is_err());
        assert!(decrypt(&ContentKey::from_bytes(&[3; 32]), b"d", &sealed).is_err());
    }
}
