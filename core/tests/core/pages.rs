//! `SQLCipher`'s file format, decrypted by hand: what is really in a file, free pages included.

use std::path::Path;

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use pli_core::store::StoreKey;

const PAGE: usize = 4096;
/// Vector and tag at the end of each page.
const RESERVED: usize = 16 + 64;
const PLAIN_HEADER: usize = 32;

/// Every page of the file, decrypted.
pub(crate) fn decrypted(path: &Path, key: &StoreKey) -> Vec<u8> {
    let mut file = std::fs::read(path).unwrap();
    assert!(
        file.len() >= PAGE && file.len().is_multiple_of(PAGE),
        "{} bytes",
        file.len()
    );
    for (number, page) in file.chunks_mut(PAGE).enumerate() {
        let start = if number == 0 { PLAIN_HEADER } else { 0 };
        let (content, tail) = page.split_at_mut(PAGE - RESERVED);
        cbc::Decryptor::<Aes256>::new_from_slices(&key.as_bytes()[..32], &tail[..16])
            .unwrap()
            .decrypt_padded::<NoPadding>(&mut content[start..])
            .unwrap();
    }
    file
}

pub(crate) fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
