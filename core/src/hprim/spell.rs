//! What a charset lacks, spelled out.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::charset::Charset;

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
        for charset in [
            Charset::Cp850,
            Charset::Iso8859_1,
            Charset::MacRoman,
            Charset::Windows1252,
        ] {
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
}
