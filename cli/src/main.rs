//! Pli.

fn main() {}
