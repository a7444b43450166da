//! Tells random schedules: `pli-fault SEED STEPS SECONDS`, one seed after the other until the seconds are over; 0 of them are one seed.
//! What a schedule is, `pli_tests::fault` says. `pli-steps` lies beside this program.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program says what it did on its standard output"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pli_tests::fault::{self, Happened};

/// How many schedules are told at once.
const AT_ONCE: usize = 2;
/// How many of its last lines a failing schedule shows among others; one that is told alone shows all.
const LAST_LINES: usize = 60;

/// What went wrong, to be read by a person.
type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match tell().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pli-fault: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells as many as asked for; how many failed.
async fn tell() -> Result<u64, Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [seed, steps, seconds] = words.as_slice() else {
        return Err("a seed, steps and seconds are needed".into());
    };
    let (seed, steps): (u64, usize) = (seed.parse()?, steps.parse()?);
    let until = Duration::from_secs(seconds.parse()?);
    let program = std::env::current_exe()?
        .with_file_name("pli-steps")
        .display()
        .to_string();
    let (began, next) = (Instant::now(), Arc::new(AtomicU64::new(seed)));
    let (mut told, mut failed, mut happened) = (0_u64, 0_u64, Happened::new());
    let (at_once, last_lines) = if until.is_zero() {
        (1, usize::MAX)
    } else {
        (AT_ONCE, LAST_LINES)
    };
    let lanes = (0..at_once).map(|_| {
        let (program, next) = (program.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            let (mut told, mut failed, mut happened) = (0_u64, 0_u64, Happened::new());
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                told = told.saturating_add(1);
                match tell_one(&program, seed, steps, last_lines).await {
                    Some(more) => fault::add(&mut happened, more),
                    None => failed = failed.saturating_add(1),
                }
                if began.elapsed() >= until {
                    return (told, failed, happened);
                }
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        let (more, of_them, more_happened) = lane.await?;
        fault::add(&mut happened, more_happened);
        told = told.saturating_add(more);
        failed = failed.saturating_add(of_them);
    }
    let happened: Vec<_> = happened.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
    println!("{}", happened.join(", "));
    println!("{told} schedules of {steps} steps, {failed} failed");
    Ok(failed)
}

/// Tells one, and what went wrong with it; what happened in it if nothing did.
async fn tell_one(program: &str, seed: u64, steps: usize, last_lines: usize) -> Option<Happened> {
    let began = Instant::now();
    match fault::run(program, seed, steps).await {
        Ok(happened) => {
            println!("seed {seed}: well, {} s", began.elapsed().as_secs());
            Some(happened)
        }
        Err(failure) => {
            let first = failure.history.len().saturating_sub(last_lines);
            let last = failure.history.get(first..).unwrap_or_default().join("\n");
            println!(
                "seed {seed}: {}\n{last}\nseed {seed}: {}\nAgain: cargo xtask fault --seed {seed} --steps {steps}",
                failure.why, failure.why
            );
            None
        }
    }
}
