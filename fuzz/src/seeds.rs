//! Where targets begin: the vectors of `docs/protocol/vectors/`, and what the targets make themselves.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::Target;

/// Where the seeds of a target come from.
pub(crate) enum Source {
    /// The vectors of the binary format that bears its name: those that are taken, and those that are not.
    Format,
    /// What this makes.
    Made(fn() -> Vec<Vec<u8>>),
}

/// What a target begins with.
#[must_use]
pub fn of(target: &Target) -> Vec<Vec<u8>> {
    match target.seeds {
        Source::Format => vectors(target.name),
        Source::Made(make) => make(),
    }
}

/// What fuzzing found beyond the seeds and the repository keeps.
#[must_use]
pub fn corpus(target: &Target) -> PathBuf {
    checkout().join("fuzz/corpus").join(target.name)
}

/// All vectors of a binary format, by its name with hyphens.
pub(crate) fn vectors(name: &str) -> Vec<Vec<u8>> {
    found(name).into_iter().map(|(bytes, _)| bytes).collect()
}

/// The first vector of a binary format that is one.
pub(crate) fn taken(name: &str) -> Vec<u8> {
    let taken = found(name).into_iter().find(|(_, is_taken)| *is_taken);
    taken.expect("a vector that is taken").0
}

/// The vectors of a format, and whether they are taken.
fn found(name: &str) -> Vec<(Vec<u8>, bool)> {
    let mut found = Vec::new();
    let pages = fs::read_dir(checkout().join("docs/protocol/vectors")).expect("the vectors");
    let mut pages: Vec<_> = pages.map(|page| page.expect("a page").path()).collect();
    pages.sort();
    for page in pages {
        collect(&read_json(&page), &name.replace('-', " "), &mut found);
    }
    assert!(!found.is_empty(), "no vectors of {name}");
    found
}

/// A page of vectors.
pub(crate) fn page(name: &str) -> Value {
    read_json(&checkout().join(format!("docs/protocol/vectors/{name}.json")))
}

/// The bytes that a value of a vector is the hexadecimal form of.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("not a text: {value}"));
    HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")
}

/// The files below a folder of the checkout.
pub(crate) fn files(folder: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(checkout().join(folder)).expect("the folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let files = files.iter().filter(|file| file.is_file());
    files.map(|file| fs::read(file).expect("the file")).collect()
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn collect(value: &Value, format: &str, found: &mut Vec<(Vec<u8>, bool)>) {
    match value {
        Value::Object(map) => {
            if map.get("format").is_some_and(|name| name == format)
                && let Some(text) = map.get("bytes")
            {
                found.push((bytes(text), !map.contains_key("error")));
            }
            map.values().for_each(|value| collect(value, format, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, format, found)),
        _ => (),
    }
}
