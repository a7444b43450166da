//! Whole-system scenarios over real sockets and real files. The oracle of each: exactly once in the recipient's store,
//! or a notice at the sender.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a scenario that goes wrong is a failed test"
)]

mod absence;
mod backup;
mod correspondents;
mod devices;
mod drafts;
mod expiry;
mod faults;
mod handover;
mod hostile;
mod kept_back;
mod keys;
mod lies;
mod lists;
mod mail;
mod outbox;
mod recovery;
mod reissue;
mod remains;
mod restored;
mod rewraps;
mod rollback;
mod sequence;
mod stream;
mod withdrawal;
