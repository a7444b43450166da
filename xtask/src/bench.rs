//! `cargo xtask bench`: builds the relay and the program that takes the figures, and runs it.
//! What is measured, and its options, are in `bench/src`.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::checkout::Checkout;

const BUILD: [&str; 6] = ["build", "--release", "--package", "pli", "--package", "pli-bench"];

/// Takes figures as `words` ask; whether they could be taken.
pub(crate) fn run(checkout: &Checkout, words: &[String]) -> io::Result<bool> {
    if !checkout.run(Path::new("cargo"), &BUILD, &[])?.status.success() {
        return Ok(false);
    }
    // Its lines are not passed through one by one: progress and results keep their order.
    let status = Command::new(checkout.target("release/pli-bench"))
        .args(words)
        .current_dir(checkout.path(""))
        .status()?;
    Ok(status.success())
}
