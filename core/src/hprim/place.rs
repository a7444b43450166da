//! Postcode and town as line 6 writes them.

/// How line 6 is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PlaceForm {
    /// Nothing between postcode and town.
    Joined,
    /// Readable, but neither of the others.
    Other,
    /// Postcode, space, town; either may be missing.
    Strict,
}

/// Postcode and town of `line`, and how it writes them.
pub(super) fn read(line: &str) -> (String, String, PlaceForm) {
    let line = line.trim();
    let found = |postcode: &str, town: &str, form: PlaceForm| (postcode.to_owned(), town.trim().to_owned(), form);
    if let Some((postcode, rest)) = line.split_at_checked(5).filter(|(five, _)| is_postcode(five)) {
        match rest.chars().next() {
            None | Some(' ') => return found(postcode, rest, PlaceForm::Strict),
            Some(c) if c.is_alphabetic() => return found(postcode, rest, PlaceForm::Joined),
            Some(c) if is_separator(c) => {
                return found(postcode, rest.trim_start_matches(is_separator), PlaceForm::Other);
            }
            Some(_) => {}
        }
    }
    let (first, rest) = split_word(line);
    let (second, after) = split_word(rest);
    let spaced = format!("{first}{second}");
    if first.len() == 2 && is_postcode(&spaced) {
        return found(&spaced, after, PlaceForm::Other);
    }
    let has_digit = first.bytes().any(|byte| byte.is_ascii_digit());
    if let Some((town, last)) = line.rsplit_once(char::is_whitespace).filter(|_| !has_digit) {
        let postcode = last.trim_matches(['(', ')']);
        if is_postcode(postcode) {
            return found(postcode, town, PlaceForm::Other);
        }
    }
    // A first word without a digit is the town: the postcode is missing.
    if has_digit {
        found(first, rest, PlaceForm::Strict)
    } else {
        found("", line, PlaceForm::Strict)
    }
}

/// Five digits, or Corsica's 2A and 2B with three.
fn is_postcode(word: &str) -> bool {
    let digits = word.strip_prefix("2A").or(word.strip_prefix("2B")).unwrap_or(word);
    word.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | ',' | ';' | '/')
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}
