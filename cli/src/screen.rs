//! What goes to the terminal: lines, tables and JSON; nothing that came from outside can steer it.
//! Errors are in `failure`.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::failure::Failure;
use crate::language::say;

/// How a command answers.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    /// In JSON, one document a line.
    pub(crate) json: bool,
}

impl Screen {
    /// Prints `value` in JSON, or what `text` makes of it.
    pub(crate) fn answer<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json {
            let document = serde_json::to_string(value).map_err(|error| Failure::System(io::Error::other(error)))?;
            line(&document)
        } else {
            line(&text(value))
        }
    }
}

/// Prints one line, or several.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    raw(format!("{}\n", shown(text)).as_bytes())
}

/// Writes bytes to standard output as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output
        .write_all(bytes)
        .and_then(|()| output.flush())
        .map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::System(error),
        })
}

/// Says something beside the answer.
pub(crate) fn aside(text: &str) {
    let mut output = io::stderr().lock();
    // Nobody is left to be told that standard error is gone.
    let _ = writeln!(output, "{}", shown(text));
}

/// Asks for a line on the terminal; without a terminal the line is read unasked.
pub(crate) fn ask(question: &str, what: &'static str) -> Result<String, Failure> {
    if is_asked() {
        prompt(question);
    }
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(0) => Err(Failure::InputMissing { what }),
        Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Failure::InputMissing { what }),
        Err(error) => Err(Failure::System(error)),
    }
}

/// Whether there is a terminal at which somebody can be asked.
pub(crate) fn is_asked() -> bool {
    io::stdin().is_terminal()
}

/// Asks something, without waiting for what is said.
pub(crate) fn prompt(question: &str) {
    let mut output = io::stderr().lock();
    let _ = write!(output, "{question} ");
    let _ = output.flush();
}

/// Whether the person says yes; nobody does where there is no terminal.
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    Ok(answered(question)? == Some(true))
}

/// What the person says; nothing where there is no terminal, or where only Enter is pressed.
pub(crate) fn answered(question: &str) -> Result<Option<bool>, Failure> {
    if !is_asked() {
        return Ok(None);
    }
    let said = ask(question, say("an answer", "une réponse"))?.trim().to_lowercase();
    Ok((!said.is_empty()).then(|| ["y", "yes", "o", "oui"].contains(&said.as_str())))
}

/// Columns of text, each as wide as its widest cell; the last one is left as it is.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain(head.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            // One line a row, whatever came in from outside.
            let cell = cell.replace(['\n', '\r', '\t'], " ");
            line.extend([format!("{cell:<width$}  ")]);
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// The text without characters that would steer a terminal or turn the reading direction.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\r'))
        .map(|c| match c {
            '\n' | '\t' => c,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_steered_by_what_arrives() {
        assert_eq!(shown("a\u{1b}[2Jb\u{9b}c\r\nd\te"), "a\u{fffd}[2Jb\u{fffd}c\nd\te");
        assert_eq!(shown("Odette \u{202e}xuavnaL"), "Odette \u{fffd}xuavnaL");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = vec![
            vec!["1".to_owned(), "Hélène".to_owned()],
            vec!["12".to_owned(), "a\nb".to_owned()],
        ];
        assert_eq!(table(&["N", "From"], &rows), "N   From\n1   Hélène\n12  a b");
    }
}
