//! HPRIM: any bytes at all are documents where they stand in them, or a named kind and its text; and what was read is written
//! so that it reads the same.

#[path = "../../core/tests/core/hprim_promise.rs"]
mod promise;

use pli_core::hprim::{charset_of, read, text_of};

pub(crate) use promise::hold_together as any;

use crate::seeds as vectors;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vectors::files("core/tests/fixtures/hprim")
}

/// Charset and text alone, which a screen asks for where there is no document.
pub(crate) fn charset(bytes: &[u8]) {
    let charset = charset_of(bytes);
    assert_eq!(charset, charset_of(bytes));
    let text = text_of(bytes);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
}

pub(crate) fn charset_seeds() -> Vec<Vec<u8>> {
    let mut made: Vec<Vec<u8>> = ["Œdème à jeun", "É\u{8a}", "Ã©tÃ©", "naïve — 5 €"]
        .map(Into::into)
        .to_vec();
    made.push(b"\xC9t\xE9 \x8E\x8F \x82\x85".to_vec());
    made.push("été".encode_utf16().flat_map(u16::to_le_bytes).collect());
    made.push(b"\xFE\xFF\0a\0b".to_vec());
    made
}

/// What follows the header of a good document.
pub(crate) fn lab(bytes: &[u8]) {
    let mut file = HEADER.to_vec();
    file.extend_from_slice(bytes);
    let reading = read(&file).expect("a header is a document");
    assert_eq!(reading.documents[0].header.surname(), "DURAND");
    any(&file);
}

pub(crate) fn lab_seeds() -> Vec<Vec<u8>> {
    let files = seeds();
    let blocks = files.iter().filter_map(|file| {
        let place = file.windows(11).position(|part| part == b"****LAB****")?;
        Some(file[place..].to_vec())
    });
    blocks.collect()
}

const HEADER: &[u8] = b"P1\r\nDURAND\r\nAnne\r\n\r\n\r\n28000 CHARTRES\r\n07/03/1951\r\n\r\n\r\n01/02/2024\r\nLABO28;Labo\r\nDr Martin\r\n";
