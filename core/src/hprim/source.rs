//! The bytes in which lines are found: those of the file, or UTF-8 made of its UTF-16.

use std::borrow::Cow;
use std::ops::Range;

use super::charset::Charset;
use super::warning::{Deviation, Warnings};

/// A file without its byte order mark.
pub(super) struct Source<'a> {
    pub(super) charset: Charset,
    pub(super) bytes: Cow<'a, [u8]>,
    /// Where `bytes` start in the file.
    start: usize,
}

impl<'a> Source<'a> {
    /// The file `bytes`, which are in `charset`.
    pub(super) fn new(bytes: &'a [u8], charset: Charset, warnings: &mut Warnings) -> Self {
        let content = bytes.strip_prefix(charset.mark()).unwrap_or(bytes);
        let start = bytes.len().saturating_sub(content.len());
        let bytes = match charset {
            Charset::Utf16Be => Cow::Owned(utf8_of(content, u16::from_be_bytes, warnings)),
            Charset::Utf16Le => Cow::Owned(utf8_of(content, u16::from_le_bytes, warnings)),
            _ => Cow::Borrowed(content),
        };
        Self { charset, bytes, start }
    }

    /// Turns ranges of `bytes`, in their order and at borders of lines, into ranges of the file.
    pub(super) fn place_in_file(&self, ranges: &mut [Range<usize>]) {
        let is_utf16 = matches!(self.charset, Charset::Utf16Be | Charset::Utf16Le);
        let (mut reached, mut width) = (0usize, 0usize);
        for place in ranges.iter_mut().flat_map(|range| [&mut range.start, &mut range.end]) {
            let passed = self.bytes.get(reached..*place).unwrap_or_default();
            reached = *place;
            width = width.saturating_add(if is_utf16 { utf16_width(passed) } else { passed.len() });
            *place = self.start.saturating_add(width);
        }
    }
}

fn utf16_width(utf8: &[u8]) -> usize {
    String::from_utf8_lossy(utf8).encode_utf16().count().saturating_mul(2)
}

/// UTF-8 of UTF-16; half a character becomes U+FFFD.
fn utf8_of(bytes: &[u8], unit: fn([u8; 2]) -> u16, warnings: &mut Warnings) -> Vec<u8> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut is_whole = rest.is_empty();
    let text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|c| {
            is_whole &= c.is_ok();
            c.unwrap_or(char::REPLACEMENT_CHARACTER)
        })
        .collect();
    if !is_whole {
        warnings.note(Deviation::InvalidUtf16, 0);
    }
    text.into_bytes()
}
