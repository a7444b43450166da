//! What lies on a disk: a byte search through folders, and the pages of a store decrypted by hand.

use std::path::{Path, PathBuf};

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use data_encoding::{BASE64, HEXLOWER};
use pli_core::store::StoreKey;

const PAGE: usize = 4096;
/// Vector and tag at the end of each page.
const RESERVED: usize = 16 + 64;
const PLAIN_HEADER: usize = 32;

/// Every page of a store's file, decrypted, free ones included.
pub fn decrypted(path: &Path, key: &StoreKey) -> Vec<u8> {
    let mut file = std::fs::read(path).unwrap();
    assert!(file.len() >= PAGE && file.len().is_multiple_of(PAGE));
    for (number, page) in file.chunks_mut(PAGE).enumerate() {
        let start = if number == 0 { PLAIN_HEADER } else { 0 };
        let (content, tail) = page.split_at_mut(PAGE - RESERVED);
        let (content, key) = (content.get_mut(start..).unwrap(), key.as_bytes().get(..32).unwrap());
        cbc::Decryptor::<Aes256>::new_from_slices(key, tail.get(..16).unwrap())
            .unwrap()
            .decrypt_padded::<NoPadding>(content)
            .unwrap();
    }
    file
}

/// Every file below a folder, with what is in it.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

/// A text in the forms in which it may lie on a disk: UTF-8, UTF-16, ISO-8859-1, and base64 of the first and the last.
pub fn forms(text: &str) -> Vec<Vec<u8>> {
    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let mut forms = [base64(text.as_bytes()), base64(&latin1)].concat();
    forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(text.as_bytes().to_vec());
    forms.push(latin1);
    forms
}

/// The same of bytes: as they are, in hexadecimal, in base64.
pub fn forms_of_bytes(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = base64(bytes);
    forms.push(HEXLOWER.encode(bytes).into_bytes());
    forms.push(bytes.to_vec());
    forms
}

/// Whether any of the forms is in there.
pub fn holds(haystack: &[u8], forms: &[Vec<u8>]) -> bool {
    forms
        .iter()
        .any(|form| haystack.windows(form.len()).any(|window| window == form))
}

/// What base64 makes of the bytes wherever they stand: the groups that hold nothing else, for each of the three places.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..3)
        .map(|before| {
            let own = bytes.get((3 - before) % 3..).unwrap();
            BASE64.encode(own.get(..own.len() / 3 * 3).unwrap()).into_bytes()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_every_form_and_at_every_place() {
        let text = "Hélène Vasseur";
        let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for body in [text.as_bytes(), &latin1, &wide] {
            assert!(holds(&[b"..", body, b".."].concat(), &forms(text)));
        }
        for body in [text.as_bytes(), &latin1] {
            for before in 0..4 {
                let whole = [&b"xyzt"[..before], body, b"after"].concat();
                assert!(holds(BASE64.encode(&whole).as_bytes(), &forms(text)), "{before}");
            }
        }
        assert!(!holds(b"something else that is as long as it needs", &forms(text)));
    }
}
