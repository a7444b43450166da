//! Everything `protocol` is held to from outside: the vectors beside the pages of `docs/protocol/`,
//! properties over drawn values, and the pages themselves.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets something unexpected has to stop"
)]

mod address;
mod archive;
mod diagnostic;
mod envelope;
mod handover;
mod identity;
mod link;
mod pages;
mod payload;
mod people;
mod prekey;
mod problems;
mod properties;
mod receipts;
mod removal;
mod rewrap;
mod seeds;
mod sequence;
mod signature;
mod state;
mod statement;
mod vectors;
mod wrap;
