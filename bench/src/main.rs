//! Pli's figures: each row of the budgets, measured as shells and phones use the crates, beside its budget and a peer.
//! What is measured is in `store`, `sealing`, `relay` and `sockets`; how figures are shown is in `table`.
//! Read next: `rows`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a terminal program; a figure that cannot be taken ends it"
)]

mod corpus;
mod figure;
mod load;
mod machine;
mod phone;
mod process;
mod relay;
mod rows;
mod sealing;
mod sockets;
mod store;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use machine::Machine;

/// Takes figures and prints them beside their budgets.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench", after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Asked {
    /// Take this row and no other; may be given several times
    #[arg(long, value_name = "ROW", value_parser = PossibleValuesParser::new(rows::names()))]
    only: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the figures into this file, between its marks
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/performance.md", conflicts_with = "only")]
    write: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What is measured in a process of its own.
#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
enum Part {
    #[command(hide = true)]
    Phone { task: phone::Task, folder: PathBuf },
}

const EXAMPLES: &str = "Progress is told on the standard error. The stores that are filled for it, 3 GB, stay in target/release/bench for the next run.\n\nExamples:\n  \
    cargo xtask bench                       every row, in less than ten minutes\n  \
    cargo xtask bench --only search         one row\n  \
    cargo xtask bench --write               every row, and docs/performance.md anew\n  \
    cargo xtask bench --json > figures.json";

fn main() -> ExitCode {
    let asked = Asked::parse();
    if let Some(Part::Phone { task, folder }) = asked.part {
        phone::run(task, &folder);
        return ExitCode::SUCCESS;
    }
    let machine = Machine::look();
    let figures = rows::take(&asked.only);
    if asked.json {
        println!("{}", table::json(&machine, &figures));
    } else {
        println!("{machine}\n\n{}", table::text(&figures));
    }
    if let Some(page) = asked.write
        && let Err(error) = table::write(&page, &machine, &figures)
    {
        eprintln!("bench: {}: {error}", page.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
