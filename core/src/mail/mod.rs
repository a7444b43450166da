//! Mail on the phone: composing, listing, marking, exporting. All of it is local and works offline;
//! what has to reach the relay is queued, and taken there by `sync`.

pub(crate) mod compose;
pub(crate) mod delivery;
pub(crate) mod export;
mod find;
pub(crate) mod list;
pub(crate) mod mark;
pub(crate) mod received;
