//! Pli's own commands: `cargo xtask test`, `fault`, `bench` and `docs`.
//! The stages of the tests are one table in `stages`; what the README shows is kept by `readme`.
//! Read next: `stages`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a terminal program")]

mod bench;
mod checkout;
mod fault;
mod install;
mod normal;
mod readme;
mod sbom;
mod stages;
mod summary;
mod supply;
mod tally;

use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use checkout::Checkout;

/// Pli's own commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Run the checks; the last line is `N passed, N failed`
    #[command(after_help = stages::help())]
    Test {
        /// Also install other programs and run the stages that need them
        #[arg(long)]
        all: bool,
        /// Run this stage and no other; may be given several times
        #[arg(long, value_name = "STAGE", conflicts_with = "all",
              value_parser = PossibleValuesParser::new(stages::names()))]
        only: Vec<String>,
    },
    /// Tell random schedules of bad days to real phones and a real relay, and see whether all mail comes once
    #[command(after_help = fault::HELP)]
    Fault {
        /// The seed of the first schedule; the same seed and steps are the same schedule
        #[arg(long)]
        seed: u64,
        /// How many steps a schedule has
        #[arg(long, default_value_t = fault::STEPS)]
        steps: u32,
        /// Go on with the seeds that follow until so many minutes are over
        #[arg(long, default_value_t = 0)]
        minutes: u32,
    },
    /// List what the program is made of, as a CycloneDX document
    #[command(after_help = sbom::HELP)]
    Sbom {
        /// The kind of machine that it is for
        #[arg(long, value_name = "TRIPLE")]
        target: Option<String>,
    },
    /// Measure what Pli takes, beside its budgets; `--help` shows the options
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
        words: Vec<String>,
    },
    /// Rewrite the README's marked blocks from real runs
    #[command(after_help = readme::HELP)]
    Docs {
        /// Rewrite this block and no other; may be given several times
        #[arg(long, value_name = "BLOCK", value_enum)]
        only: Vec<readme::Block>,
    },
}

fn main() -> ExitCode {
    let checkout = match Checkout::find() {
        Ok(checkout) => checkout,
        Err(error) => {
            eprintln!("xtask: {error}");
            return ExitCode::FAILURE;
        }
    };
    match Task::parse() {
        Task::Test { all, only } => {
            let summary = stages::run(&checkout, &stages::plan(all, &only));
            println!("\n{summary}");
            ExitCode::from(u8::from(summary.failed() > 0))
        }
        Task::Fault { seed, steps, minutes } => match fault::run(&checkout, seed, steps, minutes) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("xtask fault: {error}");
                ExitCode::FAILURE
            }
        },
        Task::Sbom { target } => match sbom::write(&checkout, target.as_deref()) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("xtask sbom: {error}");
                ExitCode::FAILURE
            }
        },
        Task::Bench { words } => match bench::run(&checkout, &words) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("xtask bench: {error}");
                ExitCode::FAILURE
            }
        },
        Task::Docs { only } => match readme::rewrite(&checkout, &only) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("xtask docs: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
