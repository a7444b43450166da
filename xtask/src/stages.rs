//! The stages of `cargo xtask test`, as one table: a new stage is a new row.
//! Programs are run by `checkout`, results read by `tally`, printed by `summary`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::checkout::Checkout;
use crate::install;
use crate::readme;
use crate::summary::{self, Summary};
use crate::supply;
use crate::tally::Tally;

/// One row of the table.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    what: &'static str,
    needs: Needs,
    work: Work,
}

/// Where a stage can run.
#[derive(PartialEq, Eq)]
enum Needs {
    /// Wherever Pli is built.
    Rust,
    /// Only where `packages.txt` is installed: runs with `--all`, or by name.
    Packages,
}

/// What a stage does, and how it counts.
enum Work {
    /// A Cargo command, counted as one.
    Cargo(&'static [&'static str]),
    /// A Cargo command whose tests are counted.
    Tests(&'static [&'static str]),
    /// Anything else.
    Steps(fn(&Checkout) -> Tally),
}

/// The stage that all others of [`Needs::Packages`] wait for.
const INSTALL: &str = "install";
/// The stage without which no later one can say anything.
const BUILD: &str = "build";

const STAGES: &[Stage] = &[
    Stage {
        name: INSTALL,
        what: "installs what xtask/packages.txt lists (Debian, PyPI, Cargo)",
        needs: Needs::Packages,
        work: Work::Steps(install::install),
    },
    Stage {
        name: "fmt",
        what: "the code is formatted",
        needs: Needs::Rust,
        work: Work::Cargo(&["fmt", "--all", "--", "--check"]),
    },
    Stage {
        name: BUILD,
        what: "everything compiles, tests included",
        needs: Needs::Rust,
        work: Work::Cargo(&["test", "--release", "--workspace", "--no-run"]),
    },
    Stage {
        name: "clippy",
        what: "no warning anywhere",
        needs: Needs::Rust,
        work: Work::Cargo(&[
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--features",
            "pli-tests/crash-stage,pli-tests/sqlcipher-stage,pli-tests/strace-stage,pli-backend/schemathesis-stage",
            "--",
            "-D",
            "warnings",
        ]),
    },
    Stage {
        name: "rust",
        what: "every Rust test",
        needs: Needs::Rust,
        work: Work::Tests(&["test", "--release", "--workspace", "--no-fail-fast"]),
    },
    Stage {
        name: "demo",
        what: "the demo ends well and prints what the README shows",
        needs: Needs::Rust,
        work: Work::Steps(readme::check_demo),
    },
    Stage {
        name: "crash",
        what: "phone and relay end at every persisted step, and nothing is lost or doubled",
        needs: Needs::Rust,
        work: Work::Tests(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "pli-tests/crash-stage",
            "--test",
            "crash",
        ]),
    },
    Stage {
        name: "powercut",
        what: "strace sees each acceptance on the disk before anybody is told of it",
        needs: Needs::Packages,
        work: Work::Tests(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "pli-tests/strace-stage",
            "--test",
            "powercut",
        ]),
    },
    Stage {
        name: "supply",
        what: "licences, sources and bans hold, and the list of parts is as CycloneDX wants it",
        needs: Needs::Packages,
        work: Work::Steps(supply::check),
    },
    Stage {
        name: "sqlcipher",
        what: "stock SQLCipher reads the store, and the core what it writes",
        needs: Needs::Packages,
        work: Work::Tests(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "pli-tests/sqlcipher-stage",
            "--test",
            "sqlcipher",
        ]),
    },
];

/// The rows to run: those that need Rust alone, every one, or those named and what they wait for.
pub(crate) fn plan(all: bool, only: &[String]) -> Vec<&'static Stage> {
    let named = |stage: &Stage| only.iter().any(|name| name == stage.name);
    let installs = STAGES
        .iter()
        .any(|stage| named(stage) && stage.needs == Needs::Packages);
    STAGES
        .iter()
        .filter(|stage| match only {
            [] => all || stage.needs == Needs::Rust,
            _ => named(stage) || (installs && stage.name == INSTALL),
        })
        .collect()
}

/// Runs the stages in order. A later one still runs after an earlier one failed, unless the
/// build is broken: then those left are failures, not skipped.
pub(crate) fn run(checkout: &Checkout, plan: &[&'static Stage]) -> Summary {
    let mut broken = false;
    let done = plan.iter().map(|stage| {
        println!("\n== {}: {}", stage.name, stage.what);
        let started = Instant::now();
        let tally = if broken {
            Tally::fail("not run, the build is broken")
        } else {
            stage.run(checkout)
        };
        broken |= stage.name == BUILD && !tally.failures.is_empty();
        let took = started.elapsed();
        println!("== {}", summary::line(stage.name, &tally, took));
        (stage.name, tally, took)
    });
    Summary::new(done.collect())
}

/// What a plain run ends with, before it began.
pub(crate) fn not_run() -> Summary {
    let stages = plan(false, &[]).into_iter();
    Summary::new(
        stages
            .map(|stage| (stage.name, Tally::default(), Duration::ZERO))
            .collect(),
    )
}

/// The names `--only` takes.
pub(crate) fn names() -> Vec<&'static str> {
    STAGES.iter().map(|stage| stage.name).collect()
}

/// The lines below the options of `cargo xtask test --help`.
pub(crate) fn help() -> String {
    let rows = STAGES.iter().map(|stage| {
        let star = match stage.needs {
            Needs::Packages => '*',
            Needs::Rust => ' ',
        };
        format!("  {:<10}{star} {}", stage.name, stage.what)
    });
    let rows: Vec<_> = rows.collect();
    format!(
        "Stages (* only with --all, or by name):\n{}\n\n\
         Examples:\n  \
         cargo xtask test                           what needs Rust and a C compiler alone\n  \
         cargo xtask test --all                     everything, after installing packages\n  \
         cargo xtask test --only fmt --only clippy  two stages",
        rows.join("\n")
    )
}

impl Stage {
    fn run(&self, checkout: &Checkout) -> Tally {
        let cargo = |arguments| {
            checkout.run(
                Path::new("cargo"),
                arguments,
                &[("PLI_SQLCIPHER_PYTHON", install::python(checkout))],
            )
        };
        match self.work {
            Work::Cargo(arguments) => Tally::of_status(cargo(arguments)),
            Work::Tests(arguments) => Tally::of_tests(cargo(arguments)),
            Work::Steps(steps) => steps(checkout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(all: bool, only: &[&str]) -> Vec<&'static str> {
        let only: Vec<_> = only.iter().map(|&name| name.to_owned()).collect();
        plan(all, &only).iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn a_plain_run_installs_nothing() {
        let plain = planned(false, &[]);
        assert!(plain.contains(&"rust") && !plain.contains(&INSTALL));
    }

    #[test]
    fn all_is_every_row_and_installs_first() {
        assert_eq!(planned(true, &[]), names());
        assert_eq!(names().first(), Some(&INSTALL));
    }

    #[test]
    fn named_stages_run_in_the_tables_order() {
        assert_eq!(planned(false, &["rust", "fmt"]), ["fmt", "rust"]);
    }

    #[test]
    fn a_named_stage_brings_what_it_needs() {
        for stage in STAGES.iter().filter(|stage| stage.needs == Needs::Packages) {
            assert_eq!(planned(false, &[stage.name]).first(), Some(&INSTALL));
        }
    }
}
