//! Installs what the stages of `--all` need, unconditionally, from one list: `packages.txt`.
//! Debian's packages into the system, PyPI's into a virtual environment in the target folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::checkout::Checkout;
use crate::tally::Tally;

const PACKAGES: &str = include_str!("../packages.txt");
const ENVIRONMENT: &str = "sqlcipher-venv";

/// The steps in order; the first that fails ends the stage.
pub(crate) fn install(checkout: &Checkout) -> Tally {
    let environment = checkout.target(ENVIRONMENT).to_string_lossy().into_owned();
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

/// The Python that has stock SQLCipher, once installed.
pub(crate) fn python(checkout: &Checkout) -> PathBuf {
    checkout.target(ENVIRONMENT).join("bin/python")
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
        let read = packages("debian").len() + packages("pypi").len();
        let lines = PACKAGES.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(read, lines.count());
        assert!(packages("debian").contains(&"strace"));
    }
}
