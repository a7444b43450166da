//! What may differ between two runs that tell the same story: times, ports, folders, identifiers, sizes.
//! Everything else in a text is left as it is, but for the width of its blanks.

/// The text with each such part replaced by its kind in angle brackets.
pub(crate) fn normal(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().map(normal_line).collect();
    lines.join("\n")
}

fn normal_line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let (before, inner, after) = pared(word);
        // A number takes its unit from the word that follows it.
        let quantity = words.last().is_some_and(|last| is_number(pared(last).1));
        match UNITS.iter().find(|(_, units)| quantity && units.contains(&inner)) {
            Some((kind, _)) => {
                let number = words.pop().unwrap_or_default();
                words.push(format!("{}{kind}{after}", pared(&number).0));
            }
            None => words.push(format!("{before}{}{after}", normal_word(inner))),
        }
    }
    words.join(" ")
}

const TIME: &str = "<time>";

const UNITS: &[(&str, &[&str])] = &[
    (
        TIME,
        &[
            "µs", "ms", "s", "min", "second", "seconds", "minute", "minutes", "secondes",
        ],
    ),
    (
        "<size>",
        &[
            "byte", "bytes", "octets", "B", "kB", "KB", "KiB", "MB", "MiB", "ko", "Ko", "Mo",
        ],
    ),
];

/// Where a temporary folder of this run begins.
const TEMPORARY: &str = "/tmp/";
/// Where a port of this run begins.
const HOSTS: [&str; 3] = ["127.0.0.1:", "localhost:", "[::1]:"];

fn normal_word(word: &str) -> String {
    let glued = UNITS.iter().find_map(|(kind, units)| {
        let number = units
            .iter()
            .find(|unit| is_number(word.strip_suffix(**unit).unwrap_or("")));
        number.map(|_| (*kind).to_owned())
    });
    if let Some(kind) = glued {
        return kind;
    }
    if is_moment(word) {
        return TIME.to_owned();
    }
    if is_identifier(word) {
        return "<id>".to_owned();
    }
    let word = replaced_after(word, TEMPORARY, "<folder>", |c| {
        c.is_ascii_alphanumeric() || "._-".contains(c)
    });
    HOSTS.iter().fold(word, |word, host| {
        replaced_after(&word, host, "<port>", |c| c.is_ascii_digit())
    })
}

/// The word without the punctuation around it.
fn pared(word: &str) -> (&str, &str, &str) {
    let inner = word
        .trim_start_matches(['(', '[', '"', '\'', '`', '«', '+', '~', '≈'])
        .trim_end_matches([')', ']', '"', '\'', '`', '»', ',', ';', ':', '.']);
    word.split_once(inner)
        .filter(|_| !inner.is_empty())
        .map_or(("", word, ""), |(before, after)| (before, inner, after))
}

/// `12`, `0.4`, `0,4`, `81,920`.
fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',')
}

/// A time of day `14:03:22.5`, `14:03`, or an instant `2026-11-27T14:03:22Z`; a date alone is part of the story.
fn is_moment(word: &str) -> bool {
    let time = word.split_once('T').map_or(word, |(_, time)| time);
    let fields: Vec<_> = time.split(':').collect();
    fields.len() >= 2
        && fields
            .iter()
            .all(|field| field.starts_with(|c: char| c.is_ascii_digit()))
        && time.chars().all(|c| c.is_ascii_digit() || ":.+-Z".contains(c))
}

/// Sixteen hexadecimal digits or more, hyphens aside.
fn is_identifier(word: &str) -> bool {
    word.chars().filter(char::is_ascii_hexdigit).count() >= 16
        && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// `word` with the run of characters that follows each `mark` replaced.
fn replaced_after(word: &str, mark: &str, by: &str, belongs: impl Fn(char) -> bool) -> String {
    let mut parts = word.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(&belongs);
        let by = if rest.len() == part.len() { "" } else { by };
        format!("{text}{mark}{by}{rest}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_makes_up_is_replaced() {
        for (line, expected) in [
            ("  0.4 s  sent", "<time> sent"),
            ("in 950 ms, then", "in <time>, then"),
            ("(12ms)", "(<time>)"),
            ("at 14:03:22.150: done", "at <time>: done"),
            ("2026-11-27T14:03:22Z", "<time>"),
            ("81,920 bytes on disk", "<size> on disk"),
            ("id 0123456789abcdef0123456789abcdef.", "id <id>."),
            (
                "--server https://127.0.0.1:43817/v1",
                "--server https://127.0.0.1:<port>/v1",
            ),
            ("--ca '/tmp/.tmpQ3x/ca.pem'", "--ca '/tmp/<folder>/ca.pem'"),
            (
                "--data=/tmp/pli-1/x,/tmp/pli-2/y",
                "--data=/tmp/<folder>/x,/tmp/<folder>/y",
            ),
        ] {
            assert_eq!(normal_line(line), expected);
        }
    }

    #[test]
    fn the_story_stays() {
        for line in [
            "3 people, 2 mails",
            "Marie Dubois, born 12/03/1958, seen on 2026-11-20",
            "RES|Hémoglobine|718-7|N|13.2|g/dL|12.0|16.0",
            "paul.martin@medical75.apicrypt.org: read",
            "cafe beef",
            "nothing to say.",
            "...",
        ] {
            assert_eq!(normal_line(line), line);
        }
    }

    #[test]
    fn blanks_and_the_end_do_not_count() {
        assert_eq!(normal("a   b \nc\n\n\n"), "a b\nc");
    }
}
