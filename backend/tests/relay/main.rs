//! The relay over real sockets and real files, from outside: what a phone, a broken phone or a stranger sees.
//! Helpers are in `support`; each other module is one subject.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod activation;
mod archives;
mod backups;
mod blobs;
mod crowds;
mod described;
mod directory;
mod doors;
mod expiry;
mod figures;
mod health;
mod journey;
mod lifecycle;
mod links;
mod lists;
mod logs;
mod page;
mod prekeys;
mod recovery;
mod rewraps;
#[cfg(feature = "schemathesis-stage")]
mod schemathesis;
mod sequence;
mod stream;
mod support;
mod suspensions;
