//! Everything `pli_core` is held to from outside, in one binary so that C code is linked once.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod hprim;
mod hprim_charsets;
mod hprim_header;
mod hprim_promise;
mod hprim_random;
mod keystore;
mod mime;
mod pages;
mod search;
mod seeds;
mod store;
