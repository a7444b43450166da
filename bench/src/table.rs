//! How figures are shown: in a terminal, as JSON, and in the page on performance.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use serde_json::json;

use crate::figure::Figure;
use crate::machine::Machine;
use crate::rows::MISSING;

const HEADING: [&str; 5] = ["What", "Measured", "Budget", "", "Beside"];
const OPEN: &str = "<!-- figures -->\n";
const CLOSE: &str = "<!-- /figures -->";

/// Columns for a terminal.
pub(crate) fn text(figures: &[Figure]) -> String {
    let lines = lines(figures);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(widths) {
            write!(text, "{cell:width$}  ").unwrap();
        }
        text.push_str(&line[4]);
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    write!(text, "\nNot there yet: {}.", MISSING.join(", ")).unwrap();
    text
}

/// Everything, for programs.
pub(crate) fn json(machine: &Machine, figures: &[Figure]) -> serde_json::Value {
    let figures = figures.iter().map(|figure| {
        let mut value = serde_json::to_value(figure).unwrap();
        value["met"] = json!(figure.is_met());
        value
    });
    json!({ "machine": machine, "figures": figures.collect::<Vec<_>>() })
}

/// Rewrites what stands between the marks of a page; its prose stays.
pub(crate) fn write(page: &Path, machine: &Machine, figures: &[Figure]) -> io::Result<()> {
    let before = fs::read_to_string(page)?;
    let after = replaced(&before, &format!("{machine}\n\n{}", markdown(figures)));
    let after = after.ok_or_else(|| io::Error::other("no marks `<!-- figures -->` and `<!-- /figures -->`"))?;
    fs::write(page, after)
}

fn replaced(page: &str, figures: &str) -> Option<String> {
    let (before, rest) = page.split_once(OPEN)?;
    let (_, after) = rest.split_once(CLOSE)?;
    Some(format!("{before}{OPEN}{figures}{CLOSE}{after}"))
}

fn markdown(figures: &[Figure]) -> String {
    let mut lines = lines(figures);
    lines.insert(1, std::array::from_fn(|_| "---".to_owned()));
    let lines = lines
        .iter()
        .map(|line| format!("| {} |\n", line.join(" | ").replace("|  |", "| |")));
    let table: String = lines.collect();
    format!("{table}\nNot there yet: {}.\n", MISSING.join(", "))
}

fn lines(figures: &[Figure]) -> Vec<[String; 5]> {
    let line = |figure: &Figure| {
        [
            figure.what.clone(),
            figure.shown(),
            figure.budget_shown(),
            figure.verdict().to_owned(),
            figure.beside.clone(),
        ]
    };
    let heading = HEADING.map(str::to_owned);
    std::iter::once(heading).chain(figures.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beyond_the_marks_stays() {
        let page = "a\n<!-- figures -->\nold\n<!-- /figures -->\nb\n";
        let written = replaced(page, "new\n").unwrap();
        assert_eq!(written, "a\n<!-- figures -->\nnew\n<!-- /figures -->\nb\n");
        assert_eq!(replaced("a\n", "new\n"), None);
    }

    #[test]
    fn a_page_has_a_line_a_figure() {
        let figures = [Figure::new("list", 0.5, "ms").at_most(1.0).beside("50 lines")];
        let table = markdown(&figures);
        assert!(
            table.contains("| list | 0.500 ms | ≤ 1.00 ms | met | 50 lines |\n"),
            "{table}"
        );
    }
}
