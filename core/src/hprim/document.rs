//! One HPRIM document: header, letter, laboratory block; and the patient it is about.

use std::fmt;

use jiff::civil::Date;

use super::header::{Fields, Header, Party};
use super::lab::Lab;

/// One document of a file.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Document {
    /// The twelve lines.
    pub header: Header,
    /// The letter, lines separated by `\n`, without blank lines at either end.
    pub text: String,
    /// What follows `****LAB****`, if that line is there.
    pub lab: Option<Lab>,
}

impl Document {
    /// The document of a letter written here: strict header, no laboratory block.
    #[must_use]
    pub fn for_letter(patient: &Patient, sender: Party, addressee: Party, date: Date, text: &str) -> Self {
        let header = Header::from_fields(&Fields {
            surname: patient.surname.to_uppercase(),
            given: patient.given.clone(),
            birth_date: patient.birth_date,
            document_date: Some(date),
            sender,
            addressee,
            ..Fields::default()
        });
        Self {
            header,
            text: tidy_text(text),
            lab: None,
        }
    }

    /// Whom the document is about.
    #[must_use]
    pub fn patient(&self) -> Patient {
        Patient {
            surname: self.header.surname().to_owned(),
            given: self.header.given().to_owned(),
            birth_date: self.header.birth_date(),
        }
    }

    /// What a person reads: the letter, then the laboratory block in plain lines.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let mut text = self.text.clone();
        for line in self.lab.iter().flat_map(|lab| &lab.lines) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line.plain_text());
        }
        text
    }
}

impl fmt::Debug for Document {
    /// Says nothing of the patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document { .. }")
    }
}

/// Whom a letter is about. Any part may be missing; checks before sending say so.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Patient {
    /// Surname; written in capitals in a header.
    pub surname: String,
    /// First name.
    pub given: String,
    /// Birth date.
    pub birth_date: Option<Date>,
}

impl fmt::Debug for Patient {
    /// Says nothing of the patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patient { .. }")
    }
}

/// Lines of `text` separated by `\n`, without blank lines at either end.
pub(super) fn tidy_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    tidy_lines(&lines, |line| line).join("\n")
}

/// `lines` without the blank ones at either end.
pub(super) fn tidy_lines<T>(lines: &[T], text: impl Fn(&T) -> &str) -> &[T] {
    let has_text = |line: &T| !text(line).trim().is_empty();
    match (lines.iter().position(has_text), lines.iter().rposition(has_text)) {
        (Some(first), Some(last)) => lines.get(first..=last).unwrap_or_default(),
        _ => &[],
    }
}
