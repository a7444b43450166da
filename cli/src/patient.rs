//! The patient of a letter, from three lines: never from the command line, which others on the machine can read.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use jiff::civil::Date;
use pli_core::hprim::Patient;

use crate::failure::Failure;
use crate::files;
use crate::language::say;
use crate::screen;

const LIMIT_BYTES: usize = 4 * 1024;

/// Reads surname, first name and birth date, each on a line of its own; `-` asks for them on a terminal.
pub(crate) fn read(path: &Path) -> Result<Patient, Failure> {
    if files::is_dash(path) && io::stdin().is_terminal() {
        let what = say("the patient", "le patient");
        let lines = [
            screen::ask(say("Patient's surname:", "Nom du patient :"), what)?,
            screen::ask(say("First name:", "Prénom :"), what)?,
            screen::ask(
                say("Birth date (dd/mm/yyyy):", "Date de naissance (jj/mm/aaaa) :"),
                what,
            )?,
        ];
        return parse(&lines.join("\n"));
    }
    parse(&files::read_text(path, LIMIT_BYTES)?)
}

fn parse(text: &str) -> Result<Patient, Failure> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let [surname, given, birth_date, rest @ ..] = lines.as_slice() else {
        return Err(Failure::PatientUnclear);
    };
    let birth_date = if birth_date.is_empty() {
        None
    } else {
        Some(date(birth_date).ok_or(Failure::PatientUnclear)?)
    };
    if rest.iter().any(|line| !line.is_empty()) {
        return Err(Failure::PatientUnclear);
    }
    Ok(Patient {
        surname: (*surname).to_owned(),
        given: (*given).to_owned(),
        birth_date,
    })
}

fn date(text: &str) -> Option<Date> {
    Date::strptime("%d/%m/%Y", text)
        .or_else(|_| Date::strptime("%Y-%m-%d", text))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_name_a_patient() {
        let patient = parse("Lanvaux\nOdette\n12/03/1948\n").unwrap();
        assert_eq!(patient.surname, "Lanvaux");
        assert_eq!(patient.given, "Odette");
        assert_eq!(patient.birth_date, Some(jiff::civil::date(1948, 3, 12)));
        assert_eq!(
            parse("Lanvaux\r\nOdette\r\n1948-03-12").unwrap().birth_date,
            patient.birth_date
        );
        assert_eq!(parse("Lanvaux\nOdette\n\n").unwrap().birth_date, None);
    }

    #[test]
    fn other_lines_are_refused() {
        for text in [
            "",
            "Lanvaux",
            "Lanvaux\nOdette",
            "Lanvaux\nOdette\n31/02/1948",
            "A\nB\n12/03/1948\nmore",
        ] {
            assert_eq!(
                parse(text).err().map(|error| error.code()),
                Some("patient-unclear"),
                "{text:?}"
            );
        }
    }
}
