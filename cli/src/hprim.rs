//! `pli hprim`: what is in a document and what is wrong with it. Reading is the core's.

use jiff::Zoned;
use jiff::civil::Date;
use pli_core::hprim::{self, LineEnd};
use serde::Serialize;

use crate::arguments::HprimCommand;
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::language::{Language, chosen, say, tell};
use crate::screen::Screen;

#[derive(Serialize)]
struct Checked {
    encoding: &'static str,
    line_end: &'static str,
    documents: Vec<DocumentLine>,
    warnings: Vec<WarningLine>,
}

#[derive(Serialize)]
struct DocumentLine {
    surname: String,
    given: String,
    birth_date: Option<String>,
    #[serde(skip)]
    born: Option<Date>,
    results: usize,
    problems: Vec<ProblemLine>,
}

#[derive(Serialize)]
struct ProblemLine {
    code: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
struct WarningLine {
    code: &'static str,
    line: usize,
    message: &'static str,
}

/// Checks a file, or exports a mail's document.
pub(crate) fn hprim(command: HprimCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        HprimCommand::Check { file } => check(&file, screen),
        HprimCommand::Export { which, output } => {
            let session = Home::find(which.phone.home.as_deref())?.session()?;
            files::write(&output, &session.export_hprim(which.number)?)
        }
    }
}

fn check(file: &std::path::Path, screen: Screen) -> Result<(), Failure> {
    let bytes = files::read(file, hprim::MAX_BYTES)?;
    let reading = hprim::read(&bytes).map_err(Failure::Hprim)?;
    let today = Zoned::now().date();
    let documents = reading.documents.iter().map(|document| {
        let patient = document.patient();
        DocumentLine {
            surname: patient.surname,
            given: patient.given,
            birth_date: patient.birth_date.map(|date| date.to_string()),
            born: patient.birth_date,
            results: document.lab.as_ref().map_or(0, |lab| lab.results().count()),
            problems: hprim::header_problems(&document.header, today)
                .into_iter()
                .map(|problem| ProblemLine {
                    code: problem.code(),
                    message: say(problem.in_english(), problem.in_french()),
                })
                .collect(),
        }
    });
    let checked = Checked {
        encoding: reading.encoding.label(),
        line_end: line_end(reading.line_end),
        documents: documents.collect(),
        warnings: reading
            .warnings
            .iter()
            .map(|warning| WarningLine {
                code: warning.deviation.code(),
                line: warning.line,
                message: say(warning.deviation.in_english(), warning.deviation.in_french()),
            })
            .collect(),
    };
    screen.answer(&checked, told)?;
    if checked.documents.iter().any(|document| !document.problems.is_empty()) {
        return Err(Failure::HprimUnusable);
    }
    Ok(())
}

fn told(checked: &Checked) -> String {
    let (encoding, line_end, count) = (checked.encoding, checked.line_end, checked.documents.len());
    let mut lines = vec![tell!(
        "Documents: {count}, in {encoding}; lines end with {line_end}.",
        "Documents : {count}, en {encoding} ; fins de ligne {line_end}."
    )];
    for (document, number) in checked.documents.iter().zip(1..) {
        let (surname, given, results) = (&document.surname, &document.given, document.results);
        let born = document.born.map_or_else(
            || "?".to_owned(),
            |date| date.strftime(say("%Y-%m-%d", "%d/%m/%Y")).to_string(),
        );
        let number: usize = number;
        lines.push(tell!(
            "Document {number}: {surname} {given}, born {born}; results: {results}.",
            "Document {number} : {surname} {given}, naissance {born} ; résultats : {results}."
        ));
        lines.extend(
            document
                .problems
                .iter()
                .map(|problem| format!("  [{}] {}", problem.code, problem.message)),
        );
    }
    for warning in &checked.warnings {
        let line = warning.line;
        let place = if line == 0 {
            String::new()
        } else {
            tell!("line {line}: ", "ligne {line} : ")
        };
        lines.push(format!("  {place}[{}] {}", warning.code, warning.message));
    }
    if checked.warnings.is_empty() {
        lines.push(
            say(
                "No deviation from the strict format.",
                "Aucun écart avec le format strict.",
            )
            .to_owned(),
        );
    }
    lines.join("\n")
}

/// What the reader says of a file that is no HPRIM document.
pub(crate) fn refusal(error: hprim::HprimError) -> String {
    match chosen() {
        Language::English => {
            let text = error.to_string();
            let mut letters = text.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>() + ".")
                .unwrap_or_default()
        }
        Language::French => error.in_french().to_owned(),
    }
}

fn line_end(end: LineEnd) -> &'static str {
    match end {
        LineEnd::Cr => "CR",
        LineEnd::CrCrLf => "CR CR LF",
        LineEnd::CrLf => "CR LF",
        LineEnd::Lf => "LF",
        LineEnd::LfCr => "LF CR",
    }
}
