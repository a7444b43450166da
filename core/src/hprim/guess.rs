//! Which charset a file is in, and text whose accents were mangled on the way. Files do not say: what makes the better
//! French is taken, and the reader names each guess as a warning.

use super::charset::{Charset, decode, is_c1};
use super::warning::Deviation;

/// What a file is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Guess {
    pub(super) charset: Charset,
    /// Another charset makes as good a text, or none makes a good one.
    pub(super) is_doubtful: bool,
    /// It is in UTF-16 without a byte order mark.
    pub(super) is_unmarked: bool,
}

impl Guess {
    const fn sure(charset: Charset) -> Self {
        Self {
            charset,
            is_doubtful: false,
            is_unmarked: false,
        }
    }
}

/// The charset of `bytes`, byte order mark included.
pub(super) fn guess(bytes: &[u8]) -> Guess {
    let marked = [Charset::Utf8Bom, Charset::Utf16Le, Charset::Utf16Be]
        .into_iter()
        .find(|charset| bytes.starts_with(charset.mark()));
    if let Some(charset) = marked {
        return Guess::sure(charset);
    }
    if let Some(charset) = unmarked_utf16(bytes) {
        return Guess {
            is_unmarked: true,
            ..Guess::sure(charset)
        };
    }
    if bytes.is_ascii() {
        return Guess::sure(Charset::Iso8859_1);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_usual) => Guess::sure(Charset::Utf8),
        // What was mangled into a charset of single bytes can be valid UTF-8, of characters that no French text has.
        Ok(_) => Guess::sure(
            [Charset::MacRoman, Charset::Cp850]
                .into_iter()
                .find(|charset| accented_lines(bytes).all(|line| mended(&decode(line, *charset)).is_some()))
                .unwrap_or(Charset::Utf8),
        ),
        Err(_) => guess_single_byte(bytes),
    }
}

/// UTF-16 without a mark: nearly every other byte is zero, for the text is nearly all of ASCII.
fn unmarked_utf16(bytes: &[u8]) -> Option<Charset> {
    let (mut even, mut odd) = (0usize, 0usize);
    for pair in bytes.chunks_exact(2) {
        match pair {
            [0, low] if *low != 0 => even = even.saturating_add(1),
            [low, 0] if *low != 0 => odd = odd.saturating_add(1),
            _ => {}
        }
    }
    let most = bytes.len().saturating_div(8).saturating_mul(3).max(8);
    if odd > most {
        Some(Charset::Utf16Le)
    } else if even > most {
        Some(Charset::Utf16Be)
    } else {
        None
    }
}

/// Lines that are looked at, and how much of each: enough for a page, and for a file of one line.
const MAX_LINES: usize = 2_000;
const MAX_LINE_BYTES: usize = 4_096;

/// How much better another charset has to be than ISO-8859-1 where every byte is a letter or sign of that.
const CLEARLY: i64 = 4;

/// Below this, one charset is hardly better than another.
const HARDLY: i64 = 2;

fn guess_single_byte(bytes: &[u8]) -> Guess {
    let worth = |charset: Charset| -> i64 {
        accented_lines(bytes)
            .filter(|line| utf8_line(line).is_none())
            .take(MAX_LINES)
            .map(|line| line_worth(line.get(..MAX_LINE_BYTES).unwrap_or(line), charset))
            .fold(0, i64::saturating_add)
    };
    let has_c1 = bytes.iter().any(|byte| (0x80..=0x9F).contains(byte));
    let usual = if has_c1 {
        Charset::Windows1252
    } else {
        Charset::Iso8859_1
    };
    let usual_worth = worth(usual);
    let (other, other_worth) = [Charset::MacRoman, Charset::Cp850]
        .map(|charset| (charset, worth(charset)))
        .into_iter()
        .max_by_key(|(charset, worth)| (*worth, *charset == Charset::MacRoman))
        .unwrap_or((usual, 0));
    let lead = other_worth.saturating_sub(usual_worth);
    let is_better = if has_c1 {
        lead > 0
    } else {
        lead >= CLEARLY && usual_worth < 0
    };
    if is_better {
        return Guess {
            is_doubtful: lead < HARDLY || other_worth <= 0,
            ..Guess::sure(other)
        };
    }
    Guess {
        is_doubtful: if has_c1 {
            lead > -HARDLY || decode(bytes, usual).contains(char::REPLACEMENT_CHARACTER)
        } else {
            usual_worth < 0
        },
        ..Guess::sure(usual)
    }
}

fn accented_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .filter(|line| !line.is_ascii())
}

/// How often text is mended.
const MENDS: usize = 3;

/// The text of a line of a file that is in `charset`, and what had to be put right in it.
pub(super) fn line_text(line: &[u8], charset: Charset) -> (String, Option<Deviation>) {
    let own = match charset {
        Charset::Utf16Be | Charset::Utf16Le | Charset::Utf8 | Charset::Utf8Bom => {
            std::str::from_utf8(line).map(str::to_owned).ok()
        }
        _ => utf8_line(line).is_none().then(|| decode(line, charset)),
    };
    let (mut text, mut deviation) = if let Some(text) = own {
        (text, None)
    } else {
        let other = utf8_line(line).map_or_else(|| decode(line, Charset::Windows1252), str::to_owned);
        (other, Some(Deviation::CharsetMixed))
    };
    for _ in 0..MENDS {
        let Some(mended) = mended(&text) else { break };
        text = mended;
        deviation = Some(Deviation::AccentsMended);
    }
    if let Some(rest) = text.strip_prefix('\u{FEFF}') {
        // Files that were put one behind the other bring their marks along.
        return (rest.to_owned(), deviation.or(Some(Deviation::ByteOrderMark)));
    }
    (text, deviation)
}

/// The line as UTF-8, when its bytes are that and hardly anything else.
fn utf8_line(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    (!text.is_ascii() && text.chars().all(is_usual)).then_some(text)
}

/// `text` as it was before its UTF-8 was read as ISO-8859-1 or Windows-1252 and saved again; `None` when it was not.
fn mended(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(c).ok().or_else(|| Charset::Windows1252.byte(c)))
        .collect();
    String::from_utf8(bytes?).ok().filter(|text| text.chars().all(is_usual))
}

/// Whether `c` occurs in letters and reports. Two accented letters of ISO-8859-1 can be UTF-8 of something else, never of these.
fn is_usual(c: char) -> bool {
    c.is_ascii()
        || Charset::Windows1252.byte(c).is_some()
        || matches!(c, '\u{0300}'..='\u{0304}' | '\u{0308}' | '\u{030A}' | '\u{0327}')
        || matches!(c, '\u{0391}'..='\u{03C9}')
        || c >= '\u{0800}'
}

/// How well the line reads in `charset`: positive for good French.
fn line_worth(line: &[u8], charset: Charset) -> i64 {
    let text = decode(line, charset);
    let (text, per_character) = match mended(&text) {
        Some(text) => (text, 2),
        None => (text, 0),
    };
    let letters: Vec<char> = text.chars().collect();
    let neighbour = |place: Option<usize>| place.and_then(|place| letters.get(place)).copied();
    letters
        .iter()
        .enumerate()
        .filter(|(_, c)| !c.is_ascii())
        .map(|(place, c)| {
            let around = Around {
                before: neighbour(place.checked_sub(1)),
                after: neighbour(place.checked_add(1)),
            };
            i64::from(around.worth(*c)).saturating_add(per_character)
        })
        .fold(0, i64::saturating_add)
}

/// What stands on either side of a character.
struct Around {
    before: Option<char>,
    after: Option<char>,
}

impl Around {
    /// Whether words start with `c` and the letter behind it: être, ôter, île, âge, âme, âpre, ça, œdème.
    fn starts_a_word(&self, c: char) -> bool {
        matches!(
            (c, self.after),
            ('ê' | 'ô', Some('t'))
                | ('î', Some('l'))
                | ('â', Some('g' | 'm' | 'p'))
                | ('ç', Some('a'))
                | ('œ' | 'è', _)
        )
    }

    /// How likely `c` stands there, from -3 (never) to 2 (as in any letter).
    fn worth(&self, c: char) -> i8 {
        let is_letter = |place: Option<char>| place.is_some_and(char::is_alphabetic);
        let is_upper = |place: Option<char>| place.is_some_and(char::is_uppercase);
        let (before, after) = (is_letter(self.before), is_letter(self.after));
        let is_inside = before && after;
        match c {
            _ if is_c1(c) || c == char::REPLACEMENT_CHARACTER => -3,
            'é' | 'è' | 'ê' | 'ë' | 'à' | 'â' | 'ç' | 'ù' | 'û' | 'ü' | 'ô' | 'î' | 'ï' | 'œ' => {
                match (before, after) {
                    _ if is_upper(self.before) && is_upper(self.after) => -1,
                    (true, true) if c == 'à' || c == 'ù' => 0,
                    (true, true) if c == 'â' && matches!(self.before, Some('a' | 'e' | 'o')) => 0,
                    (true, true) => 2,
                    (false, true) if c == 'é' => 2,
                    (false, true) => i8::from(self.starts_a_word(c)),
                    (true, false) if c == 'é' || c == 'ù' => 2,
                    (true, false) if c == 'à' => 1,
                    (true, false) => 0,
                    (false, false) if c == 'à' => 2,
                    (false, false) => -1,
                }
            }
            'ƒ' | 'ı' | 'ª' | 'º' | 'ﬁ' | 'ﬂ' => -2,
            _ if c.is_uppercase() => {
                let is_french = "ÉÈÊËÀÂÇÙÛÜÔÎÏŒŸ".contains(c);
                match (before, after) {
                    (true, _) if !is_upper(self.before) => -2,
                    (false, false) if "ÀÉ".contains(c) => 0,
                    (false, false) => -1,
                    _ => i8::from(is_french),
                }
            }
            _ if c.is_alphabetic() && (before || after) => 0,
            _ if c.is_alphabetic() => -1,
            '’' if is_inside => 2,
            '’' | '‘' if !is_inside && (before || after) => 0,
            _ if is_inside => -2,
            '…' if before => 2,
            '«' | '“' | '‘' if before => 0,
            '»' | '”' if after => 0,
            '«' | '»' | '“' | '”' | '„' | '‹' | '›' | '–' | '—' | '•' | '…' | '€' | '£' | '±' | '½' | '¼' | '×' => {
                1
            }
            '°' => match self.before {
                Some('n' | 'N' | '0'..='9') => 1,
                Some(' ') => 0,
                _ => -1,
            },
            'µ' => i8::from(after),
            '²' | '³' => i8::from(before),
            '\u{A0}' => match self.after {
                Some(':' | ';' | '?' | '!' | '%' | '»' | '€') => 1,
                _ if self.before == Some('«') => 1,
                _ => 0,
            },
            '÷' | '·' | '§' | '®' | '™' | '©' | '‰' | '¹' | '¾' => 0,
            _ => -1,
        }
    }
}
