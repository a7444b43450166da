//! What the scenarios share: a relay with people in its directory, phones, and a line between them that can fail.
//! The scenarios are in `tests/system`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a scene that cannot be set is a failed test"
)]

pub mod dice;
pub mod disk;
pub mod fault;
pub mod line;
pub mod place;
pub mod process;
pub mod stranger;
pub mod wire;
