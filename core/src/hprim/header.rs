//! The twelve header lines and what they mean.

use std::fmt;

use jiff::civil::Date;

use super::date::{DateLine, strict};
use super::place::{self, PlaceForm};
use crate::code::coded;

/// Lines of a header.
pub(super) const LINES: usize = 12;

/// Characters each line holds at most, 0 where the format sets none.
pub(super) const WIDTHS: [usize; LINES] = [10, 50, 50, 30, 30, 0, 10, 0, 0, 0, 0, 0];

/// Characters of the code field of lines 11 and 12.
const CODE_WIDTH: usize = 10;

/// The twelve lines as they were written; what they mean is read from them. No line holds a control character but tabs.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Header {
    lines: [String; LINES],
}

impl Header {
    /// The strict header for `fields`.
    #[must_use]
    pub fn from_fields(fields: &Fields) -> Self {
        let date = |date: Option<Date>| date.map(strict).unwrap_or_default();
        let [street, street2] = fields.street.clone();
        Self::from_lines([
            fields.patient_code.clone(),
            fields.surname.clone(),
            fields.given.clone(),
            street,
            street2,
            format!("{} {}", fields.postcode.trim(), fields.town.trim()),
            date(fields.birth_date),
            fields.nir.clone(),
            fields.file_number.clone(),
            date(fields.document_date),
            fields.sender.line(),
            fields.addressee.line(),
        ])
        .strict()
    }

    /// A header with these lines; control characters, line ends included, become spaces.
    #[must_use]
    pub fn from_lines(lines: [String; LINES]) -> Self {
        Self {
            lines: lines.map(|line| without_controls(&line)),
        }
    }

    /// The same header as it is written strictly: dates dd/mm/yyyy, codes padded, spaces at the ends gone.
    #[must_use]
    pub fn strict(&self) -> Self {
        let mut lines = self.lines.each_ref().map(|line| line.trim().to_owned());
        let [
            _,
            _,
            _,
            _,
            _,
            town_line,
            birth_line,
            nir_line,
            _,
            date_line,
            sender_line,
            addressee_line,
        ] = &mut lines;
        let (postcode, town) = self.postcode_and_town();
        format!("{postcode} {town}").trim().clone_into(town_line);
        if let Some(date) = self.birth_date() {
            *birth_line = strict(date);
        }
        if let Some(nir) = self.nir() {
            *nir_line = nir.line();
        }
        if let Some(date) = self.document_date() {
            *date_line = strict(date);
        }
        *sender_line = self.sender().line();
        *addressee_line = self.addressee().line();
        Self { lines }
    }

    /// The lines as they were written, spaces included.
    #[must_use]
    pub fn lines(&self) -> &[String; LINES] {
        &self.lines
    }

    /// Everything the lines mean.
    #[must_use]
    pub fn fields(&self) -> Fields {
        let [
            patient_code,
            surname,
            given,
            street,
            street2,
            _,
            _,
            nir,
            file_number,
            ..,
        ] = self.lines.each_ref().map(|line| line.trim().to_owned());
        let (postcode, town) = self.postcode_and_town();
        Fields {
            patient_code,
            surname,
            given,
            street: [street, street2],
            postcode,
            town,
            birth_date: self.birth_date(),
            nir: self.nir().map_or(nir, |nir| nir.line()),
            file_number,
            document_date: self.document_date(),
            sender: self.sender(),
            addressee: self.addressee(),
        }
    }

    /// Line 2.
    #[must_use]
    pub fn surname(&self) -> &str {
        self.lines[1].trim()
    }

    /// Line 3.
    #[must_use]
    pub fn given(&self) -> &str {
        self.lines[2].trim()
    }

    /// Line 6: postcode and town.
    #[must_use]
    pub fn postcode_and_town(&self) -> (String, String) {
        let (postcode, town, _) = place::read(&self.lines[5]);
        (postcode, town)
    }

    /// Line 7.
    #[must_use]
    pub fn birth_date(&self) -> Option<Date> {
        self.birth_line().date()
    }

    /// Line 8, when it holds 13 characters of a social security number, with its key or without.
    #[must_use]
    pub fn nir(&self) -> Option<Nir> {
        Nir::read(&self.lines[7])
    }

    /// Line 10.
    #[must_use]
    pub fn document_date(&self) -> Option<Date> {
        self.document_line().date()
    }

    /// Line 11.
    #[must_use]
    pub fn sender(&self) -> Party {
        Party::read(&self.lines[10]).0
    }

    /// Line 12.
    #[must_use]
    pub fn addressee(&self) -> Party {
        Party::read(&self.lines[11]).0
    }

    pub(super) fn birth_line(&self) -> DateLine {
        DateLine::read(&self.lines[6], self.document_date())
    }

    pub(super) fn document_line(&self) -> DateLine {
        DateLine::read(&self.lines[9], None)
    }

    /// Whether line 8 holds something that is no social security number.
    pub(super) fn is_nir_malformed(&self) -> bool {
        self.nir().is_none() && !self.lines[7].trim().is_empty()
    }

    pub(super) fn place_form(&self) -> PlaceForm {
        place::read(&self.lines[5]).2
    }

    /// Whether line 8 holds a social security number in another form than 13 characters, a space and the key.
    pub(super) fn is_nir_inexact(&self) -> bool {
        let line = self.lines[7].trim().to_ascii_uppercase();
        self.nir()
            .is_some_and(|nir| nir.line() != line && nir.line().replace(' ', "") != line)
    }

    /// Places, from 0, of the party lines whose one word may be a code or a name.
    pub(super) fn ambiguous_parties(&self) -> impl Iterator<Item = usize> + '_ {
        [10, 11]
            .into_iter()
            .filter(|&place| self.lines.get(place).is_some_and(|line| Party::read(line).1))
    }
}

impl fmt::Debug for Header {
    /// Says nothing of the patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Header { .. }")
    }
}

/// What the twelve lines mean, spaces at the ends gone.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Fields {
    /// Line 1: the patient's code at the sender.
    pub patient_code: String,
    /// Line 2.
    pub surname: String,
    /// Line 3.
    pub given: String,
    /// Lines 4 and 5.
    pub street: [String; 2],
    /// Line 6, first part.
    pub postcode: String,
    /// Line 6, second part.
    pub town: String,
    /// Line 7.
    pub birth_date: Option<Date>,
    /// Line 8, as written when it is no social security number.
    pub nir: String,
    /// Line 9: file or request number.
    pub file_number: String,
    /// Line 10.
    pub document_date: Option<Date>,
    /// Line 11.
    pub sender: Party,
    /// Line 12.
    pub addressee: Party,
}

impl fmt::Debug for Fields {
    /// Says nothing of the patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields { .. }")
    }
}

/// Sender or addressee.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Party {
    /// Code; empty when there is none.
    pub code: String,
    /// Name, often the local part of an address.
    pub name: String,
}

impl Party {
    /// A party known by name alone.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            code: String::new(),
            name: name.to_owned(),
        }
    }

    /// The party on `line`, and whether it could be read otherwise.
    fn read(line: &str) -> (Self, bool) {
        let border = line
            .char_indices()
            .nth(CODE_WIDTH)
            .map_or(line.len(), |(place, _)| place);
        let (field, rest) = line.split_at_checked(border).unwrap_or((line, ""));
        let is_fixed_width = field.chars().count() == CODE_WIDTH
            && rest
                .chars()
                .next()
                .map_or_else(|| has_digit(field), char::is_whitespace)
            && !field.trim().contains(char::is_whitespace);
        if is_fixed_width {
            return (Self::of(field, rest), false);
        }
        let line = line.trim();
        if line.is_empty() || line == "." {
            return (Self::default(), false);
        }
        let separated = line
            .split_once([';', '|'])
            .filter(|(code, name)| !(code.contains(char::is_whitespace) || name.trim().is_empty()));
        if let Some((code, name)) = separated {
            return (Self::of(code, name), true);
        }
        if let Some((code, name)) = line.split_once(char::is_whitespace) {
            return if is_title(code) {
                (Self::named(line), true)
            } else {
                (Self::of(code, name), !(code == "." || has_digit(code)))
            };
        }
        // One word, and nothing tells whether it is a code or a name.
        let is_joined = field.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with(char::is_alphabetic);
        let party = if is_joined {
            Self::of(field, rest)
        } else if has_digit(line) && !is_address(line) {
            Self::of(line, "")
        } else {
            Self::named(line)
        };
        (party, !is_address(line))
    }

    fn of(code: &str, name: &str) -> Self {
        let code = code.trim();
        Self {
            code: if code == "." { String::new() } else { code.to_owned() },
            name: name.trim().to_owned(),
        }
    }

    /// The line as it is written: the code in ten characters, "." for none, a space, the name.
    fn line(&self) -> String {
        // A space inside the code would move the border between code and name.
        let code: String = without_controls(&self.code).split_whitespace().collect();
        let name = without_controls(&self.name);
        let name = name.trim();
        match (code.is_empty() || code == ".", name.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("{:<CODE_WIDTH$} {name}", "."),
            (false, true) => format!("{code:<CODE_WIDTH$} "),
            (false, false) => format!("{code:<CODE_WIDTH$} {name}"),
        }
    }
}

fn has_digit(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether `word` is an address or the local part of one: names with a point between them.
fn is_address(word: &str) -> bool {
    let local_part = word.split_once('@').map_or(word, |(local_part, _)| local_part);
    local_part.contains('.') && local_part.split('.').all(|name| name.starts_with(char::is_alphabetic))
}

fn is_title(word: &str) -> bool {
    let word = word.trim_end_matches('.').to_ascii_uppercase();
    ["DR", "DOCTEUR", "PR", "PROFESSEUR", "M", "MME", "MLLE"].contains(&word.as_str())
}

impl fmt::Debug for Party {
    /// Names nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Party { .. }")
    }
}

/// A social security number.
#[derive(Clone, Eq, PartialEq)]
pub struct Nir {
    number: String,
    key: Option<String>,
}

impl Nir {
    fn read(line: &str) -> Option<Self> {
        let digits: String = line
            .chars()
            .filter(|c| !(c.is_whitespace() || matches!(c, '.' | '-' | '/')))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let (number, key) = digits.split_at_checked(13)?;
        // The first is the sex, or tells that the number is provisional.
        if numeric(number)? < 1_000_000_000_000 {
            return None;
        }
        if !(matches!(key.len(), 0 | 2) && key.bytes().all(|byte| byte.is_ascii_digit())) {
            return None;
        }
        Some(Self {
            number: number.to_owned(),
            key: (!key.is_empty()).then(|| key.to_owned()),
        })
    }

    /// The 13 characters without the key.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Whether the key fits; `None` when there is no key. Official samples fail it: warn, never refuse.
    #[must_use]
    pub fn key_fits(&self) -> Option<bool> {
        let written: u64 = self.key.as_deref()?.parse().ok()?;
        let remainder = numeric(&self.number)?.checked_rem(97)?;
        Some(97u64.checked_sub(remainder) == Some(written))
    }

    fn line(&self) -> String {
        match &self.key {
            Some(key) => format!("{} {key}", self.number),
            None => self.number.clone(),
        }
    }
}

impl fmt::Debug for Nir {
    /// Says nothing of the patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nir(..)")
    }
}

/// The number the key is taken of: Corsica's 2A counts as 19, 2B as 18.
fn numeric(number: &str) -> Option<u64> {
    let (start, end) = (number.get(..5)?, number.get(7..)?);
    let digits = match number.get(5..7)? {
        "2A" => format!("{start}19{end}"),
        "2B" => format!("{start}18{end}"),
        _ => number.to_owned(),
    };
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// What keeps a letter from being filed in the right record. Codes are stable.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HeaderProblem {
    /// Born after today.
    BirthDateInFuture,
    /// Line 7 is blank.
    BirthDateMissing,
    /// Line 7 holds no date.
    BirthDateUnreadable,
    /// Line 3 is blank.
    GivenNameMissing,
    /// Line 2 is blank.
    SurnameMissing,
}

coded! {
    HeaderProblem {
        BirthDateInFuture = "patient-birth-date-in-future",
        BirthDateMissing = "patient-birth-date-missing",
        BirthDateUnreadable = "patient-birth-date-unreadable",
        GivenNameMissing = "patient-given-name-missing",
        SurnameMissing = "patient-surname-missing",
    }
}

impl HeaderProblem {
    /// The sentence shown to a French-speaking user.
    #[must_use]
    pub const fn in_french(self) -> &'static str {
        match self {
            Self::BirthDateInFuture => "La date de naissance du patient est dans le futur : vérifiez-la.",
            Self::BirthDateMissing => {
                "La date de naissance du patient manque : la lettre ne pourra pas être classée dans son dossier."
            }
            Self::BirthDateUnreadable => "La date de naissance du patient est illisible : écrivez-la jj/mm/aaaa.",
            Self::GivenNameMissing => {
                "Le prénom du patient manque : la lettre ne pourra pas être classée dans son dossier."
            }
            Self::SurnameMissing => "Le nom du patient manque : la lettre ne pourra pas être classée dans son dossier.",
        }
    }

    /// The sentence shown to an English-speaking user.
    #[must_use]
    pub const fn in_english(self) -> &'static str {
        match self {
            Self::BirthDateInFuture => "The patient's birth date is in the future: check it.",
            Self::BirthDateMissing => "The patient's birth date is missing: the letter cannot be filed in the record.",
            Self::BirthDateUnreadable => "The patient's birth date cannot be read: write it dd/mm/yyyy.",
            Self::GivenNameMissing => "The patient's first name is missing: the letter cannot be filed in the record.",
            Self::SurnameMissing => "The patient's surname is missing: the letter cannot be filed in the record.",
        }
    }
}

/// What to tell the sender about `header` before it leaves.
#[must_use]
pub fn header_problems(header: &Header, today: Date) -> Vec<HeaderProblem> {
    let mut problems = Vec::new();
    if header.surname().is_empty() {
        problems.push(HeaderProblem::SurnameMissing);
    }
    if header.given().is_empty() {
        problems.push(HeaderProblem::GivenNameMissing);
    }
    match header.birth_line() {
        DateLine::Blank => problems.push(HeaderProblem::BirthDateMissing),
        DateLine::Unreadable => problems.push(HeaderProblem::BirthDateUnreadable),
        DateLine::Written(date, _) if date > today => problems.push(HeaderProblem::BirthDateInFuture),
        DateLine::Written(..) => {}
    }
    problems
}

/// `line` with a space for each control character but tabs.
pub(super) fn without_controls(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
}
