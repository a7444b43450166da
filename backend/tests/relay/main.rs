//! The relay over real sockets and real files, from outside: what a phone, a broken phone or a stranger sees.
//! Helpers are in `support`; each other module is one subject.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_docs_in_private_items,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod journey;
mod support;
