//! The real program against a real relay, over TLS on the loopback: what a person types, what comes back.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it found by panicking"
)]

mod demonstration;
mod devices;
mod doors;
mod drop_folder;
mod help;
mod identity;
mod mail;
mod operator;
mod readme;
mod recovery;
mod scene;
mod shipped;
mod terminal;
