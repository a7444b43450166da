//! `pli hprim`: what is in a document and what is wrong with it. Reading is the core's.

use std::path::{Path, PathBuf};

use jiff::Zoned;
use jiff::civil::Date;
use pli_core::hprim::{self, HprimError, LineEnd, Reading, Warning};
use serde::Serialize;

use crate::arguments::HprimCommand;
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::language::{Language, chosen, say, tell};
use crate::screen::Screen;

/// What is said of one file.
#[derive(Serialize)]
struct Checked {
    file: String,
    /// Why it is not read as HPRIM.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemLine>,
    #[serde(flatten)]
    reading: Option<ReadingLines>,
    #[serde(skip)]
    failure: Option<Failure>,
}

#[derive(Serialize)]
struct ReadingLines {
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
    message: String,
}

/// A deviation from the strict format, and where it stands.
#[derive(Serialize)]
pub(crate) struct WarningLine {
    pub(crate) code: &'static str,
    /// From 1; 0 when the whole file is meant.
    line: usize,
    message: String,
    #[serde(skip)]
    pub(crate) concerns_the_reader: bool,
}

impl WarningLine {
    pub(crate) fn of(warning: &Warning) -> Self {
        let deviation = warning.deviation;
        Self {
            code: deviation.code(),
            line: warning.line,
            message: say(deviation.in_english(), deviation.in_french()).to_owned(),
            concerns_the_reader: deviation.concerns_the_reader(),
        }
    }

    /// What is said of a mail whose document is none.
    pub(crate) fn refusal(error: HprimError) -> Self {
        Self {
            code: error.code(),
            line: 0,
            message: refusal(error),
            concerns_the_reader: true,
        }
    }

    /// As people read it.
    pub(crate) fn text(&self) -> String {
        let line = self.line;
        let place = if line == 0 {
            String::new()
        } else {
            tell!("line {line}: ", "ligne {line} : ")
        };
        format!("{place}[{}] {}", self.code, self.message)
    }
}

/// Checks files, or exports a mail's document.
pub(crate) fn hprim(command: HprimCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        HprimCommand::Check { files } => check(&files, screen),
        HprimCommand::Export { which, output } => {
            let session = Home::find(which.phone.home.as_deref())?.session()?;
            files::write(&output, &session.export_hprim(which.number)?)
        }
    }
}

/// Says what each file holds; fails, at the end, when one of them cannot be filed.
fn check(paths: &[PathBuf], screen: Screen) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for path in paths {
        let mut checked = checked(path);
        // The failure says all that there is to say of a single file.
        if screen.json || paths.len() > 1 || checked.problem.is_none() {
            screen.answer(&checked, told)?;
        }
        failures.extend(checked.failure.take());
    }
    let count = failures.len();
    match failures.pop() {
        None => Ok(()),
        Some(failure) if paths.len() == 1 => Err(failure),
        Some(_) => Err(Failure::HprimFilesUnusable { count }),
    }
}

fn checked(path: &Path) -> Checked {
    let file = path.display().to_string();
    let read = files::read(path, hprim::MAX_BYTES).and_then(|bytes| hprim::read(&bytes).map_err(Failure::Hprim));
    match read {
        Ok(reading) => {
            let lines = lines_of(&reading);
            let is_usable = lines.documents.iter().all(|document| document.problems.is_empty());
            Checked {
                file,
                problem: None,
                reading: Some(lines),
                failure: (!is_usable).then_some(Failure::HprimUnusable),
            }
        }
        Err(failure) => Checked {
            file,
            problem: Some(ProblemLine {
                code: failure.code(),
                message: failure.message(),
            }),
            reading: None,
            failure: Some(failure),
        },
    }
}

fn lines_of(reading: &Reading) -> ReadingLines {
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
                    message: say(problem.in_english(), problem.in_french()).to_owned(),
                })
                .collect(),
        }
    });
    ReadingLines {
        encoding: reading.encoding.label(),
        line_end: line_end(reading.line_end),
        documents: documents.collect(),
        warnings: reading.warnings.iter().map(WarningLine::of).collect(),
    }
}

fn told(checked: &Checked) -> String {
    let file = &checked.file;
    if let Some(problem) = &checked.problem {
        return format!("{file}: [{}] {}", problem.code, problem.message);
    }
    let Some(reading) = &checked.reading else {
        return file.clone();
    };
    let (encoding, line_end, count) = (reading.encoding, reading.line_end, reading.documents.len());
    let mut lines = vec![tell!(
        "{file}: documents: {count}, in {encoding}; lines end with {line_end}.",
        "{file} : documents : {count}, en {encoding} ; fins de ligne {line_end}."
    )];
    for (document, number) in reading.documents.iter().zip(1usize..) {
        lines.extend(document_told(document, number));
    }
    lines.extend(reading.warnings.iter().map(|warning| format!("  {}", warning.text())));
    if reading.warnings.is_empty() {
        let none = say(
            "  No deviation from the strict format.",
            "  Aucun écart avec le format strict.",
        );
        lines.push(none.to_owned());
    }
    lines.join("\n")
}

fn document_told(document: &DocumentLine, number: usize) -> Vec<String> {
    let (surname, given, results) = (&document.surname, &document.given, document.results);
    let born = document.born.map_or_else(
        || "?".to_owned(),
        |date| date.strftime(say("%Y-%m-%d", "%d/%m/%Y")).to_string(),
    );
    let mut lines = vec![tell!(
        "  Document {number}: {surname} {given}, born {born}; results: {results}.",
        "  Document {number} : {surname} {given}, naissance {born} ; résultats : {results}."
    )];
    let problems = document.problems.iter();
    lines.extend(problems.map(|problem| format!("  [{}] {}", problem.code, problem.message)));
    lines
}

/// What the reader says of a file that is no HPRIM document.
pub(crate) fn refusal(error: HprimError) -> String {
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
