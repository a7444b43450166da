//! The charsets HPRIM travels in, and how what a charset lacks is spelled out.

use std::borrow::Cow;
use std::fmt::Write as _;

use encoding_rs::WINDOWS_1252;

/// The charset of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Charset {
    /// ISO-8859-1, the working default. Pure ASCII is reported as this.
    #[default]
    Iso8859_1,
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
            Self::Iso8859_1 => "iso-8859-1",
            Self::Utf8 | Self::Utf8Bom => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }

    fn holds(self, c: char) -> bool {
        match self {
            Self::Iso8859_1 => latin1(c).is_some(),
            Self::Utf8 | Self::Utf8Bom => true,
            Self::Windows1252 => windows1252(c).is_some(),
        }
    }
}

/// The byte order mark of UTF-8.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The charset of `bytes`, byte order mark included. `None`: announced as UTF-8, but it is not.
pub(super) fn detect(bytes: &[u8]) -> Option<Charset> {
    if bytes.starts_with(BOM) {
        return std::str::from_utf8(bytes).ok().map(|_| Charset::Utf8Bom);
    }
    Some(if bytes.is_ascii() {
        Charset::Iso8859_1
    } else if std::str::from_utf8(bytes).is_ok() {
        Charset::Utf8
    } else if bytes.iter().any(|byte| (0x80..=0x9F).contains(byte)) {
        Charset::Windows1252
    } else {
        Charset::Iso8859_1
    })
}

/// The text of one line; bytes that mean nothing become U+FFFD.
pub(super) fn decode(line: &[u8], charset: Charset) -> String {
    match charset {
        Charset::Utf8 | Charset::Utf8Bom => String::from_utf8_lossy(line).into_owned(),
        Charset::Iso8859_1 | Charset::Windows1252 => {
            // As on the Web, where a byte means nothing it comes back as a control character.
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(line);
            text.chars()
                .map(|c| if is_c1(c) { char::REPLACEMENT_CHARACTER } else { c })
                .collect()
        }
    }
}

/// Appends `text` in `charset`. `text` comes from [`spell`]; what the charset still lacks becomes a space.
pub(super) fn encode(text: &str, charset: Charset, bytes: &mut Vec<u8>) {
    match charset {
        Charset::Iso8859_1 => bytes.extend(text.chars().map(|c| latin1(c).unwrap_or(b' '))),
        Charset::Utf8 | Charset::Utf8Bom => bytes.extend_from_slice(text.as_bytes()),
        Charset::Windows1252 => bytes.extend(text.chars().map(|c| windows1252(c).unwrap_or(b' '))),
    }
}

/// ISO-8859-1 without its control characters of 0x80 to 0x9F. `encoding_rs` takes that name for Windows-1252, as the Web does.
fn latin1(c: char) -> Option<u8> {
    u8::try_from(c).ok().filter(|_| !is_c1(c))
}

fn windows1252(c: char) -> Option<u8> {
    latin1(c).or_else(|| {
        let mut text = [0; 4];
        let (bytes, _, is_spelled) = WINDOWS_1252.encode(c.encode_utf8(&mut text));
        bytes.first().copied().filter(|_| !is_spelled && !is_c1(c))
    })
}

const fn is_c1(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9F}')
}

/// `text` with only what `charset` holds, and whether anything had to be spelled out.
pub(super) fn spell(text: &str, charset: Charset) -> (Cow<'_, str>, bool) {
    if text.chars().all(|c| charset.holds(c)) {
        return (Cow::Borrowed(text), false);
    }
    let mut out = String::with_capacity(text.len());
    let mut spelled = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if let Some(joined) = rest.peek().and_then(|&mark| compose(c, mark)) {
            // The same letter in two characters, as some phones type it: nothing is lost.
            out.push(joined);
            rest.next();
        } else if superscript(c).is_some() {
            // 10⁹ written 109 would be another number, so a run is kept whole or spelled whole.
            let mut run = String::from(c);
            while let Some(next) = rest.next_if(|&next| superscript(next).is_some()) {
                run.push(next);
            }
            if run.chars().all(|digit| charset.holds(digit)) {
                out.push_str(&run);
            } else {
                spelled = true;
                out.push('^');
                out.extend(run.chars().filter_map(superscript));
            }
        } else if charset.holds(c) {
            out.push(c);
        } else {
            spelled = true;
            spell_char(c, &mut out);
        }
    }
    (Cow::Owned(out), spelled)
}

fn spell_char(c: char, out: &mut String) {
    out.push_str(match c {
        'œ' => "oe",
        'Œ' => "OE",
        '€' => "EUR",
        '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{02BC}' => "'",
        '\u{201C}'..='\u{201F}' | '\u{2033}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '•' | '‣' | '◦' | '▪' => "-",
        '…' => "...",
        '™' => "(TM)",
        '‰' => "o/oo",
        '≤' | '⩽' => "<=",
        '≥' | '⩾' => ">=",
        '≠' => "<>",
        '≈' => "~",
        '→' => "->",
        '←' => "<-",
        '↑' => "(+)",
        '↓' => "(-)",
        '∞' => "(infini)",
        '\u{2002}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => " ",
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' => "",
        'μ' => "µ",
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'δ' => "delta",
        'Δ' => "Delta",
        'ε' => "epsilon",
        'κ' => "kappa",
        'λ' => "lambda",
        'σ' => "sigma",
        'ω' => "omega",
        '\u{03A9}' | '\u{2126}' => "Ohm",
        _ => match deunicode::deunicode_char(c) {
            Some(text) if !text.contains('?') && !text.contains('\n') => text,
            // What would be a question mark, or nothing anyone could read, shows its number instead.
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "[U+{:04X}]", u32::from(c));
                return;
            }
        },
    });
}

fn superscript(c: char) -> Option<char> {
    Some(match c {
        '⁰' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴' => '4',
        '⁵' => '5',
        '⁶' => '6',
        '⁷' => '7',
        '⁸' => '8',
        '⁹' => '9',
        '⁺' => '+',
        '⁻' => '-',
        _ => return None,
    })
}

/// The single character for a letter followed by a combining mark, among those of ISO-8859-1.
fn compose(letter: char, mark: char) -> Option<char> {
    let (letters, composed) = match mark {
        '\u{0300}' => ("AEIOUaeiou", "ÀÈÌÒÙàèìòù"),
        '\u{0301}' => ("AEIOUYaeiouy", "ÁÉÍÓÚÝáéíóúý"),
        '\u{0302}' => ("AEIOUaeiou", "ÂÊÎÔÛâêîôû"),
        '\u{0303}' => ("ANOano", "ÃÑÕãñõ"),
        '\u{0308}' => ("AEIOUaeiouy", "ÄËÏÖÜäëïöüÿ"),
        '\u{030A}' => ("Aa", "Åå"),
        '\u{0327}' => ("Cc", "Çç"),
        _ => return None,
    };
    letters
        .chars()
        .zip(composed.chars())
        .find(|&(plain, _)| plain == letter)
        .map(|(_, joined)| joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_spelled_with_a_question_mark() {
        for charset in [Charset::Iso8859_1, Charset::Windows1252] {
            for c in ('\u{80}'..=char::MAX).filter(|c| !charset.holds(*c)) {
                let text = c.to_string();
                let (spelled, told) = spell(&text, charset);
                assert!(
                    told || superscript(c).is_some(),
                    "U+{:04X} changed without a word",
                    u32::from(c)
                );
                assert!(
                    spelled.chars().all(|out| charset.holds(out)),
                    "U+{:04X} -> {spelled}",
                    u32::from(c)
                );
                assert!(
                    !spelled.contains(['?', '\n', '\r']),
                    "U+{:04X} -> {spelled}",
                    u32::from(c)
                );
            }
        }
    }

    #[test]
    fn windows_1252_round_trips_every_byte_it_defines() {
        let mut defined = 0;
        for byte in 0x80..=0xFFu8 {
            let text = decode(&[byte], Charset::Windows1252);
            if text == "\u{FFFD}" {
                continue;
            }
            assert_eq!(windows1252(text.chars().next().unwrap()), Some(byte));
            defined += 1;
        }
        // 0x81, 0x8D, 0x8F, 0x90 and 0x9D mean nothing.
        assert_eq!(defined, 128 - 5);
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
