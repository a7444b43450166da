//! `cargo xtask fault`: builds the programs of the random schedules and runs them.
//! What a schedule is and what has to hold at its end is in `tests/src/fault`.

use std::io;
use std::path::Path;

use crate::checkout::Checkout;

/// The lines below the options of `cargo xtask fault --help`.
pub(crate) const HELP: &str = "Examples:\n  \
    cargo xtask fault --seed 1 --minutes 10  seeds 1, 2, 3 and so on for ten minutes\n  \
    cargo xtask fault --seed 17              the schedule of seed 17, as after a failure";

/// Steps of a schedule where none are named.
pub(crate) const STEPS: u32 = 60;

const BUILD: [&str; 7] = [
    "build",
    "--release",
    "--package",
    "pli-tests",
    "--features",
    "crash-stage",
    "--bins",
];

/// Tells schedules from this seed on; whether all of them ended well.
pub(crate) fn run(checkout: &Checkout, seed: u64, steps: u32, minutes: u32) -> io::Result<bool> {
    if !checkout.run(Path::new("cargo"), &BUILD, &[])?.status.success() {
        return Ok(false);
    }
    let seconds = u64::from(minutes).saturating_mul(60);
    let words = [seed.to_string(), steps.to_string(), seconds.to_string()];
    let words = words.each_ref().map(String::as_str);
    let ran = checkout.run(&checkout.target("release/pli-fault"), &words, &[])?;
    Ok(ran.status.success())
}
