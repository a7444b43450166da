//! The charsets HPRIM travels in. Which one a file is in: `guess`; how what a charset lacks is spelled out: `spell`.

use encoding_rs::{Encoding, MACINTOSH, WINDOWS_1252};
use oem_cp::code_table::{DECODING_TABLE_CP850, ENCODING_TABLE_CP850};
use oem_cp::{decode_string_complete_table, encode_char_checked};

/// The charset of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Charset {
    /// Code page 850, of MS-DOS.
    Cp850,
    /// ISO-8859-1, the working default. Pure ASCII is reported as this.
    #[default]
    Iso8859_1,
    /// That of the Macintosh before Mac OS X.
    MacRoman,
    /// UTF-16, the high byte first.
    Utf16Be,
    /// UTF-16, the low byte first.
    Utf16Le,
    /// UTF-8 without byte order mark.
    Utf8,
    /// UTF-8 with byte order mark.
    Utf8Bom,
    /// Windows-1252: ISO-8859-1 with printable characters at 0x80 to 0x9F.
    Windows1252,
}

impl Charset {
    /// The label of a MIME `charset` parameter.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cp850 => "ibm850",
            Self::Iso8859_1 => "iso-8859-1",
            Self::MacRoman => "macintosh",
            Self::Utf16Be | Self::Utf16Le => "utf-16",
            Self::Utf8 | Self::Utf8Bom => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// The bytes that a file in it starts with.
    pub(super) const fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf16Be => b"\xFE\xFF",
            Self::Utf16Le => b"\xFF\xFE",
            Self::Utf8Bom => b"\xEF\xBB\xBF",
            Self::Cp850 | Self::Iso8859_1 | Self::MacRoman | Self::Utf8 | Self::Windows1252 => b"",
        }
    }

    /// Whether each byte is a character.
    pub(super) const fn is_single_byte(self) -> bool {
        match self {
            Self::Cp850 | Self::Iso8859_1 | Self::MacRoman | Self::Windows1252 => true,
            Self::Utf16Be | Self::Utf16Le | Self::Utf8 | Self::Utf8Bom => false,
        }
    }

    pub(super) fn holds(self, c: char) -> bool {
        !self.is_single_byte() || self.byte(c).is_some()
    }

    /// The byte that is `c` in a charset of single bytes.
    pub(super) fn byte(self, c: char) -> Option<u8> {
        if c.is_ascii() {
            return u8::try_from(c).ok();
        }
        match self {
            Self::Cp850 => encode_char_checked(c, &ENCODING_TABLE_CP850),
            Self::Iso8859_1 => latin1(c),
            Self::MacRoman => of_web(c, MACINTOSH),
            Self::Windows1252 => latin1(c).or_else(|| of_web(c, WINDOWS_1252)),
            Self::Utf16Be | Self::Utf16Le | Self::Utf8 | Self::Utf8Bom => None,
        }
    }
}

/// The text of one line; bytes that mean nothing become U+FFFD. Lines of UTF-16 come here as UTF-8.
pub(super) fn decode(line: &[u8], charset: Charset) -> String {
    match charset {
        Charset::Cp850 => decode_string_complete_table(line, &DECODING_TABLE_CP850),
        Charset::Iso8859_1 | Charset::Windows1252 => {
            // As on the Web, where a byte means nothing it comes back as a control character.
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(line);
            text.chars()
                .map(|c| if is_c1(c) { char::REPLACEMENT_CHARACTER } else { c })
                .collect()
        }
        Charset::MacRoman => MACINTOSH.decode_without_bom_handling(line).0.into_owned(),
        Charset::Utf16Be | Charset::Utf16Le | Charset::Utf8 | Charset::Utf8Bom => {
            String::from_utf8_lossy(line).into_owned()
        }
    }
}

/// Appends `text` in `charset`. `text` comes from [`spell`](super::spell::spell); what the charset still lacks becomes a space.
pub(super) fn encode(text: &str, charset: Charset, bytes: &mut Vec<u8>) {
    match charset {
        Charset::Utf16Be => bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        Charset::Utf16Le => bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        Charset::Utf8 | Charset::Utf8Bom => bytes.extend_from_slice(text.as_bytes()),
        _ => bytes.extend(text.chars().map(|c| charset.byte(c).unwrap_or(b' '))),
    }
}

/// ISO-8859-1 without its control characters of 0x80 to 0x9F. `encoding_rs` takes that name for Windows-1252, as the Web does.
fn latin1(c: char) -> Option<u8> {
    u8::try_from(c).ok().filter(|_| !is_c1(c))
}

fn of_web(c: char, encoding: &'static Encoding) -> Option<u8> {
    let mut text = [0; 4];
    let (bytes, _, is_spelled) = encoding.encode(c.encode_utf8(&mut text));
    bytes.first().copied().filter(|_| !is_spelled && !is_c1(c))
}

/// Whether `c` is one of the control characters that no text has.
pub(super) const fn is_c1(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes of 0x80 to 0xFF mean a character, each of which has to come back as that byte.
    fn defined(charset: Charset) -> usize {
        (0x80..=0xFFu8)
            .filter(|byte| {
                let text = decode(&[*byte], charset);
                let c = text.chars().next().unwrap();
                assert!(
                    c == '\u{FFFD}' || charset.byte(c) == Some(*byte),
                    "{charset:?} {byte:02X}"
                );
                c != '\u{FFFD}'
            })
            .count()
    }

    #[test]
    fn charsets_of_single_bytes_give_back_every_byte_they_define() {
        // 0x81, 0x8D, 0x8F, 0x90 and 0x9D mean nothing.
        assert_eq!(defined(Charset::Windows1252), 128 - 5);
        assert_eq!(defined(Charset::MacRoman), 128);
        assert_eq!(defined(Charset::Cp850), 128);
    }

    #[test]
    fn iso_8859_1_has_nothing_of_windows_1252() {
        for c in '\u{80}'..='\u{FFFF}' {
            assert_eq!(
                latin1(c).map(char::from),
                ('\u{A0}'..='\u{FF}').contains(&c).then_some(c),
                "U+{:04X}",
                u32::from(c)
            );
        }
    }
}
