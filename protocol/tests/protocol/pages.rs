//! The pages of `docs/protocol/` themselves: that what refers to them finds them, and that the index has them all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::vectors::{FORMATS, pages};

#[test]
fn every_page_that_a_source_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named = BTreeSet::new();
    for folder in ["protocol", "core", "backend", "cli", "sqlcipher", "tests", "xtask"] {
        for file in files(&root.join(folder), "rs") {
            let text = fs::read_to_string(&file).unwrap();
            named.extend(text.split("docs/protocol/").skip(1).filter_map(page_at_start));
        }
    }
    assert!(named.contains("envelope.md"), "sources name pages");
    let missing: Vec<_> = named.iter().filter(|page| !exists(page)).collect();
    assert!(missing.is_empty(), "no such page: {missing:?}");
}

#[test]
fn every_page_is_in_the_index() {
    let index = fs::read_to_string(pages().join("README.md")).unwrap();
    for page in names(&pages(), "md") {
        assert!(
            page == "README.md" || index.contains(&format!("]({page})")),
            "{page} is not in README.md"
        );
    }
}

#[test]
fn links_of_the_pages_lead_somewhere_and_to_every_file_of_vectors() {
    let mut linked = BTreeSet::new();
    for page in names(&pages(), "md") {
        let text = fs::read_to_string(pages().join(&page)).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let path = link.0.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") {
                assert!(exists(path), "{page}: {path} does not exist");
                linked.insert(path.to_owned());
            }
        }
    }
    for file in names(&pages().join("vectors"), "json") {
        assert!(
            linked.contains(&format!("vectors/{file}")),
            "no page links to vectors/{file}"
        );
    }
}

#[test]
fn every_format_has_a_vector_that_is_taken() {
    let samples = samples();
    for (format, _) in FORMATS {
        assert!(samples.iter().any(|(name, _)| name == format), "no vector of {format}");
    }
}

/// Every encoding that the vectors say is taken, with its format.
pub(crate) fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = pages().join("vectors");
    let mut samples = Vec::new();
    for name in names(&folder, "json") {
        let file: Value = serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        for vector in file["derived"]["taken"].as_array().into_iter().flatten() {
            if vector["format"].is_string() {
                let format = crate::vectors::text(&vector["format"]).to_owned();
                samples.push((format, crate::vectors::bytes(&vector["bytes"])));
            }
        }
    }
    samples
}

fn exists(path: &str) -> bool {
    pages().join(path).exists()
}

fn page_at_start(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))?;
    let name = text[..end].trim_end_matches('.');
    (Path::new(name).extension()? == "md").then(|| name.to_owned())
}

fn names(folder: &Path, extension: &str) -> Vec<String> {
    files(folder, extension)
        .iter()
        .filter(|path| path.parent() == Some(folder))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
