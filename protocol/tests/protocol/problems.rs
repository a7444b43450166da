//! The table of `docs/protocol/problems.md`, and its vectors.

use std::collections::BTreeSet;

use protocol::{Code, Problem};
use serde_json::json;

use crate::vectors::{agree, pages};

#[test]
fn documents_are_those_of_the_page() {
    let documents: Vec<_> = Code::ALL.iter().map(|code| json!(Problem::new(*code))).collect();
    let detailed = json!(Problem::new(Code::Throttled).with_detail("wait 30 s"));
    let file = agree(
        "problems",
        &json!({ "documents": documents, "detailed": detailed }),
        || json!({}),
    );
    for (document, code) in file["derived"]["documents"].as_array().unwrap().iter().zip(Code::ALL) {
        assert_eq!(
            serde_json::from_value::<Problem>(document.clone()).unwrap(),
            Problem::new(*code)
        );
    }
}

#[test]
fn the_table_has_every_code_once_with_its_status_and_title() {
    let page = std::fs::read_to_string(pages().join("problems.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let named: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let known: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(named, known);
    assert_eq!(rows.len(), known.len(), "a code twice");
    for row in rows {
        let code = Code::ALL
            .iter()
            .find(|code| code.as_str() == row[0].trim_matches('`'))
            .unwrap();
        assert_eq!(
            (row[1], row[2]),
            (code.status().to_string().as_str(), code.title()),
            "{}",
            row[0]
        );
        assert!(row.len() == 4 && !row[3].is_empty(), "{}: what to do", row[0]);
    }
}
