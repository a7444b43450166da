//! Installs what the stages of `--all` need, unconditionally, from one list: `packages.txt`.
//! Debian's packages into the system, PyPI's into a virtual environment in the target folder, Cargo's programs beside it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::checkout::Checkout;
use crate::tally::Tally;

const PACKAGES: &str = include_str!("../packages.txt");
const ENVIRONMENT: &str = "sqlcipher-venv";
const PROGRAMS: &str = "programs";

/// The steps in order; the first that fails ends the stage.
pub(crate) fn install(checkout: &Checkout) -> Tally {
    let environment = checkout.target(ENVIRONMENT).to_string_lossy().into_owned();
    let programs = checkout.target(PROGRAMS).to_string_lossy().into_owned();
    let python = python(checkout).to_string_lossy().into_owned();
    let apt: &[&str] = if is_root() {
        &["apt-get"]
    } else {
        &["sudo", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]
    };
    let quiet = [("DEBIAN_FRONTEND", PathBuf::from("noninteractive"))];
    let steps = [
        [apt, &["update", "-q"]].concat(),
        [
            apt,
            &["install", "-q", "-y", "--no-install-recommends"],
            &packages("debian"),
        ]
        .concat(),
        vec!["python3", "-m", "venv", "--clear", &environment],
        [&[&*python, "-m", "pip", "install", "-q"], &*packages("pypi")].concat(),
        [
            &["cargo", "install", "-q", "--locked", "--root", &programs],
            &*packages("cargo"),
        ]
        .concat(),
    ];
    for step in &steps {
        let Some((program, arguments)) = step.split_first() else {
            continue;
        };
        println!("{}", step.join(" "));
        let tally = Tally::of_status(checkout.run(Path::new(program), arguments, &quiet));
        if let Some(why) = tally.failures.first() {
            return Tally::fail(format!("{}: {why}", step.join(" ")));
        }
    }
    Tally::pass()
}

/// The Python that has what the list names, once installed.
pub(crate) fn python(checkout: &Checkout) -> PathBuf {
    checkout.target(ENVIRONMENT).join("bin/python")
}

/// A program of Cargo's, once installed.
pub(crate) fn program(checkout: &Checkout, name: &str) -> PathBuf {
    checkout.target(PROGRAMS).join("bin").join(name)
}

fn packages(source: &str) -> Vec<&'static str> {
    PACKAGES
        .lines()
        .filter_map(|line| line.strip_prefix(source)?.strip_prefix(' '))
        .collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let read = ["cargo", "debian", "pypi"].map(|source| packages(source).len());
        let read: usize = read.iter().sum();
        let lines = PACKAGES.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(read, lines.count());
        assert!(packages("debian").contains(&"strace"));
    }
}
