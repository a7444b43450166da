//! Dates as header lines write them.

use jiff::civil::Date;

/// How a date was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DateForm {
    /// Readable without doubt, but not dd/mm/yyyy.
    Other,
    /// dd/mm/yyyy.
    Strict,
    /// dd/mm/yy: the century is deduced.
    TwoDigitYear,
}

/// What a date line holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DateLine {
    Blank,
    Unreadable,
    Written(Date, DateForm),
}

impl DateLine {
    /// Reads `line`. A year of two digits is the latest not after `not_after`; without it, 00 to 29 are 2000 to 2029.
    pub(super) fn read(line: &str, not_after: Option<Date>) -> Self {
        let line = line.trim();
        if line.chars().all(|c| c == '/' || c == ' ') {
            return Self::Blank;
        }
        match written(line, not_after) {
            Some((date, form)) => Self::Written(date, form),
            None => Self::Unreadable,
        }
    }

    /// The date, if there is one.
    pub(super) fn date(self) -> Option<Date> {
        match self {
            Self::Written(date, _) => Some(date),
            Self::Blank | Self::Unreadable => None,
        }
    }
}

/// `date` as dd/mm/yyyy.
pub(super) fn strict(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

fn written(line: &str, not_after: Option<Date>) -> Option<(Date, DateForm)> {
    if let Some(day) = before_time(line) {
        return written(day, not_after).map(|(date, form)| match form {
            DateForm::TwoDigitYear => (date, form),
            DateForm::Other | DateForm::Strict => (date, DateForm::Other),
        });
    }
    if line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()) {
        let (first, second, third) = (line.get(..2)?, line.get(2..4)?, line.get(4..)?);
        // Of a day and a year that could change places neither is known.
        let is_either = date(2000, second, third).is_some();
        let date = deduce_century(third, second, first, not_after).filter(|_| !is_either)?;
        return Some((date, DateForm::TwoDigitYear));
    }
    if line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit()) {
        // ddmmyyyy and yyyymmdd: a year of the 19th century or later is no month and day, so only one can be read.
        let (day, month, year) = (line.get(..2)?, line.get(2..4)?, line.get(4..)?);
        let (iso_year, iso_month, iso_day) = (line.get(..4)?, line.get(4..6)?, line.get(6..)?);
        let date = plausible(year, month, day).or_else(|| plausible(iso_year, iso_month, iso_day))?;
        return Some((date, DateForm::Other));
    }
    let separator = line
        .chars()
        .find(|c| !c.is_ascii_digit())
        .filter(|c| matches!(c, '/' | '-' | '.' | ' '))?;
    let mut parts = line.split(separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    if first.len() == 4 {
        return Some((plausible(first, second, third)?, DateForm::Other));
    }
    if third.len() == 2 {
        return Some((deduce_century(third, second, first, not_after)?, DateForm::TwoDigitYear));
    }
    let date = plausible(third, second, first)?;
    Some((
        date,
        if strict(date) == line {
            DateForm::Strict
        } else {
            DateForm::Other
        },
    ))
}

/// What stands before a time of day, as databases write both; `None` without one.
fn before_time(line: &str) -> Option<&str> {
    if line.len() == 14 && line.bytes().all(|byte| byte.is_ascii_digit()) {
        // yyyymmddhhmmss: a year of the 19th century or later is no day and month.
        return line.get(..8);
    }
    let (day, time) = line.split_once([' ', 'T'])?;
    let is_time = time.starts_with(|c: char| c.is_ascii_digit())
        && time.contains([':', 'h'])
        && time
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ':' | 'h' | '.' | 'Z' | '+' | '-'));
    is_time.then_some(day)
}

/// A date that a patient alive can bear: a typing error such as 0196 is no year.
fn plausible(year: &str, month: &str, day: &str) -> Option<Date> {
    let year = i16::try_from(number(year, 4)?)
        .ok()
        .filter(|year| (1850..=2199).contains(year))?;
    date(year, month, day)
}

fn deduce_century(year: &str, month: &str, day: &str, not_after: Option<Date>) -> Option<Date> {
    let short_year = i16::try_from(number(year, 2)?).ok()?;
    let in_century = |century: i16| date(century.checked_add(short_year)?, month, day);
    let is_kept = |recent: &Date| not_after.map_or(short_year < 30, |limit| *recent <= limit);
    in_century(2000).filter(is_kept).or_else(|| in_century(1900))
}

fn date(year: i16, month: &str, day: &str) -> Option<Date> {
    Date::new(
        year,
        i8::try_from(number(month, 2)?).ok()?,
        i8::try_from(number(day, 2)?).ok()?,
    )
    .ok()
}

fn number(digits: &str, longest: usize) -> Option<u16> {
    let is_number = (1..=longest).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}
