//! What a stage comes to: how much passed, and the names of what failed.
//! The format read here is that of Rust's test programs. Read next: `summary`.

use std::io;

use crate::checkout::Ran;

/// How many checks of a stage passed, and which failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) fn pass() -> Self {
        Self {
            passed: 1,
            failures: Vec::new(),
        }
    }

    pub(crate) fn fail(why: impl Into<String>) -> Self {
        Self {
            passed: 0,
            failures: vec![why.into()],
        }
    }

    /// One check, which is the program's status.
    pub(crate) fn of_status(ran: io::Result<Ran>) -> Self {
        match ran {
            Ok(ran) if ran.status.success() => Self::pass(),
            Ok(ran) => Self::fail(ran.status.to_string()),
            Err(error) => Self::fail(error.to_string()),
        }
    }

    /// The tests counted by `cargo test`.
    pub(crate) fn of_tests(ran: io::Result<Ran>) -> Self {
        match ran {
            Ok(ran) => {
                let mut tally = Self::read(&ran.output);
                if !ran.status.success() && tally.failures.is_empty() {
                    tally.failures.push(ran.status.to_string());
                }
                tally
            }
            Err(error) => Self::fail(error.to_string()),
        }
    }

    /// Counts from the `test result:` lines, names from the `test … FAILED` lines. A test
    /// program that announced its tests and gave no result has crashed: that is a failure,
    /// as is a run of no test at all, or an ignored one: nothing is skipped in silence.
    fn read(output: &str) -> Self {
        let results: Vec<_> = output
            .lines()
            .filter_map(|line| line.split_once("test result: "))
            .map(|(_, result)| result)
            .collect();
        let counted = |what| results.iter().filter_map(|result| count(result, what)).sum::<usize>();
        let mut failures: Vec<_> = output
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(str::to_owned)
            .collect();
        let unnamed = counted("failed").saturating_sub(failures.len());
        failures.extend((0..unnamed).map(|_| "a test whose name was not printed".to_owned()));
        failures.extend(output.lines().filter_map(skipped));
        let announced = output.lines().filter(|line| is_announcement(line)).count();
        let crashed = announced.saturating_sub(results.len());
        failures.extend((0..crashed).map(|_| "a test program that ended without a result".to_owned()));
        let passed = counted("passed");
        if passed == 0 && failures.is_empty() {
            return Self::fail("no test ran");
        }
        Self { passed, failures }
    }
}

/// The number before `what` in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, what: &str) -> Option<usize> {
    let before = result.split_once(what)?.0;
    before.split_whitespace().next_back()?.parse().ok()
}

/// The ignored test of this line, unless it is one that checks nothing and only writes a fixture when asked to.
fn skipped(line: &str) -> Option<String> {
    let (name, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    let writes = reason.starts_with(", writes ");
    (!writes).then(|| format!("{name} is ignored"))
}

/// `running 3 tests`.
fn is_announcement(line: &str) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    matches!(words[..], ["running", count, "test" | "tests"] if count.parse::<usize>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSING: &str = "\nrunning 2 tests\ntest a::b ... ok\ntest c ... ok\n\n\
        test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n";

    #[test]
    fn results_add_up_over_test_programs() {
        let tally = Tally::read(&format!("{PASSING}{PASSING}"));
        assert_eq!(tally.passed, 4);
        assert_eq!(tally.failures, Vec::<String>::new());
    }

    #[test]
    fn failures_are_named() {
        let output = "running 2 tests\ntest a::b ... FAILED\ntest c ... ok\nfailures:\n    a::b\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let tally = Tally::read(output);
        assert_eq!((tally.passed, tally.failures), (1, vec!["a::b".to_owned()]));
    }

    #[test]
    fn a_crash_beside_passing_tests_is_a_failure() {
        let tally = Tally::read(&format!("running 7 tests\n{PASSING}"));
        assert_eq!(tally.failures, ["a test program that ended without a result"]);
    }

    #[test]
    fn no_test_and_ignored_tests_are_failures() {
        let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n";
        assert_eq!(Tally::read(none), Tally::fail("no test ran"));
        let ignored = "running 1 test\ntest a ... ignored, slow\ntest result: ok. 0 passed; 0 failed; 1 ignored\n";
        assert_eq!(Tally::read(ignored), Tally::fail("a is ignored"));
    }

    #[test]
    fn what_only_writes_a_fixture_may_be_ignored() {
        let tally = Tally::read(&format!("test a ... ignored, writes the fixture\n{PASSING}"));
        assert_eq!((tally.passed, tally.failures), (2, Vec::new()));
    }
}
