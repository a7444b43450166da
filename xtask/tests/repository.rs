//! What the repository promises beyond what compiles: documents that name things that exist, files of a
//! readable length, licences that go together, no path of one machine.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what is wrong by failing"
)]

use std::collections::BTreeSet;
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What stands where the tests of an adversary cannot: the issue that will close the line.
const ISSUES: [&str; 7] = [
    "Devices and bad days",
    "Hardening and figures",
    "One core, two phones",
    "APITelDiag",
    "MiSS",
    "Directory",
    "Proofs",
];

/// Longest source file, in lines.
const LONGEST: usize = 800;

#[test]
fn every_fault_names_a_test_that_exists() {
    let tests = tests();
    let faults = read("tests/FAULTS.md");
    let rows: Vec<Vec<&str>> = faults
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let column = rows
        .first()
        .and_then(|heading| heading.iter().position(|&cell| cell == "Test"))
        .expect("tests/FAULTS.md has a table with a column `Test`");
    let unknown: Vec<_> = rows
        .iter()
        .skip(2)
        .filter(|row| !row.get(column).is_some_and(|cell| names_a_test(cell, &tests)))
        .collect();
    assert!(unknown.is_empty(), "no such test: {unknown:#?}");
}

#[test]
fn every_line_of_the_threat_model_names_its_test_or_its_issue() {
    let tests = tests();
    let model = read("docs/threat-model.md");
    let items = items(&model);
    assert!(items.len() > 20, "the lists were not read");
    let unproved: Vec<_> = items
        .iter()
        .filter(|item| {
            let end = item.rsplit_once(" — ").map_or("", |(_, end)| end);
            match end.strip_prefix("issue: ") {
                Some(issue) => !ISSUES.contains(&issue),
                None => !names_a_test(end, &tests),
            }
        })
        .collect();
    assert!(
        unproved.is_empty(),
        "neither a test nor an issue at the end of: {unproved:#?}"
    );
}

/// Those to and from the pages of the protocol are `protocol::pages`'.
#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in tracked(&[".md", ".rs"])
        .iter()
        .filter(|file| !file.starts_with("docs/protocol/"))
    {
        let text = read(file);
        let folder = Path::new(file).parent().expect("a folder");
        if Path::new(file).extension().is_some_and(|end| end == "md") {
            for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
                let path = target.0.split('#').next().unwrap_or_default();
                if !path.is_empty() && !path.contains("://") && !root().join(folder).join(path).exists() {
                    broken.push(format!("{file}: {path}"));
                }
            }
        }
        for rest in text.split("docs/").skip(1) {
            let path = rest
                .split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)))
                .next()
                .unwrap_or_default()
                .trim_end_matches('.');
            if !path.is_empty() && !path.starts_with("protocol/") && !root().join("docs").join(path).exists() {
                broken.push(format!("{file}: docs/{path}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn nothing_names_a_path_of_one_machine_or_a_registry() {
    let folders = ["Users", "home", "root", "work"].map(|folder| format!("/{folder}/"));
    let hosts = ["crates io", "pypi org", "pythonhosted org", "deb debian org"].map(|host| host.replace(' ', "."));
    // Cargo writes the registry's name into its lock file.
    refuse(
        &tracked(&[]),
        |file| file == "Cargo.lock",
        &[&folders[..], &hosts[..]].concat(),
    );
}

#[test]
fn no_work_is_left_as_a_comment() {
    let marks = ["TO DO", "FIX ME", "XX X"].map(|mark| mark.replace(' ', ""));
    refuse(&tracked(&[".rs"]), |_| false, &marks);
}

#[test]
fn every_crate_takes_its_lints_and_versions_from_the_workspace() {
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for file in tracked(&["/Cargo.toml"]) {
        let manifest = read(&file);
        // The one crate with unsafe code cannot inherit a table that forbids it.
        let inherits = manifest.contains("[lints]\nworkspace = true");
        assert!(inherits != (file == "sqlcipher/Cargo.toml"), "{file}");
        let dependencies = manifest.split("\n[").filter(|table| {
            table
                .split(']')
                .next()
                .is_some_and(|name| name.ends_with("dependencies"))
        });
        for dependency in dependencies.flat_map(|table| table.lines().skip(1)) {
            let line = dependency.trim();
            assert!(
                line.is_empty() || line.starts_with('#') || line.contains("workspace = true"),
                "{file}: {line}"
            );
        }
    }
}

#[test]
fn every_exception_to_a_lint_has_a_reason() {
    let openings = ["allow(", "expect("].map(|word| [format!("#[{word}"), format!("#![{word}")]);
    for file in tracked(&[".rs"]) {
        let text = read(&file);
        for opening in openings.as_flattened() {
            for attribute in text.split(opening.as_str()).skip(1) {
                let attribute = attribute.split(")]").next().unwrap_or_default();
                assert!(attribute.contains("reason ="), "{file}: {opening}{attribute})]");
            }
        }
    }
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let mut lengths: Vec<_> = tracked(&[".rs"])
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    for (lines, file) in lengths.iter().take(5) {
        println!("{lines} {file}");
    }
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LONGEST).collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

/// Stricter than the expressions: each licence that is named has to be acceptable, alternatives included.
#[test]
fn every_dependency_has_a_licence_that_goes_with_ours() {
    let platform = format!("{ARCH}-unknown-linux-gnu");
    let metadata = output(
        "cargo",
        &[
            "metadata",
            "--format-version=1",
            "--offline",
            "--locked",
            "--filter-platform",
            &platform,
        ],
    );
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "the dependencies were not read");
    let allowed = allowed_licences();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        let named = licence.replace(" AND ", "/").replace(" OR ", "/");
        for name in named.split('/').map(|name| name.trim_matches(['(', ')', ' '])) {
            // libsqlite3-sys lists those of SQLite's own test programs, which nothing here builds.
            let is_unused = name == "WTFPL";
            let is_allowed = allowed.iter().any(|allowed| allowed == name);
            assert!(is_allowed || is_unused, "{}: {licence}", package["name"]);
        }
        let source = package["source"].as_str().unwrap_or("registry+here");
        assert!(source.starts_with("registry+"), "{}: {source}", package["name"]);
    }
}

/// The list `allow` of `deny.toml`.
fn allowed_licences() -> Vec<String> {
    let policy = read("deny.toml");
    let list = policy
        .split("\nallow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    let names: Vec<_> = list
        .expect("deny.toml lists licences")
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 10, "the licences were not read");
    names
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the checkout")
        .to_owned()
}

fn read(file: &str) -> String {
    let bytes = fs::read(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        ran.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// The tracked files whose names end in one of these; all of them for none.
fn tracked(ends: &[&str]) -> Vec<String> {
    let files: Vec<_> = output("git", &["ls-files"])
        .lines()
        .filter(|file| root().join(file).is_file())
        .filter(|file| ends.is_empty() || ends.iter().any(|end| file.ends_with(end)))
        .map(str::to_owned)
        .collect();
    assert!(!files.is_empty(), "no tracked file ends in {ends:?}");
    files
}

fn refuse(files: &[String], except: impl Fn(&str) -> bool, words: &[String]) {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !except(file)) {
        let text = read(file);
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                found.push(format!("{file}:{number}: {word}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// All test functions, those of property tests included: each as the name of its file, without `.rs`, and its own.
fn tests() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for file in tracked(&[".rs"]) {
        let module = Path::new(&file).file_stem().expect("a name").to_string_lossy();
        let mut is_test = false;
        for line in read(&file).lines().map(str::trim) {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            if let Some((_, function)) = line.split_once("fn ").filter(|_| is_test) {
                let name = function.split(['(', '<']).next().unwrap_or_default();
                found.insert((module.clone().into_owned(), name.to_owned()));
                is_test = false;
            }
        }
    }
    found
}

/// Whether the text names tests in backticks, as `crate::module::name`, and all of them exist.
fn names_a_test(text: &str, tests: &BTreeSet<(String, String)>) -> bool {
    let mut paths = text.split('`').skip(1).step_by(2).peekable();
    paths.peek().is_some()
        && paths.all(|path| {
            let mut parts = path.rsplit("::").filter(|&part| part != "tests").map(str::to_owned);
            match (parts.next(), parts.next()) {
                (Some(name), Some(module)) => tests.contains(&(module, name)),
                _ => false,
            }
        })
}

/// The items of the lists, each with the lines that continue it.
fn items(markdown: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in markdown.lines() {
        if let Some(item) = line.strip_prefix("- ") {
            items.push(item.trim().to_owned());
            is_open = true;
        } else if let (true, Some(rest), Some(item)) = (is_open, line.strip_prefix("  "), items.last_mut()) {
            item.push(' ');
            item.push_str(rest.trim());
        } else {
            is_open = false;
        }
    }
    items
}
