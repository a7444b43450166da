//! What a person did on one device, for the account's others: sealed like mail, to that account alone.
//! See `docs/protocol/state.md`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::address::Address;
use crate::archive::ArchiveKey;
use crate::cbor::Format;
use crate::device_name::DeviceName;
use crate::ids::{ArchiveId, DeviceId, MessageId};
use crate::limits;
use crate::time::Timestamp;

/// The content of an envelope of states: what one sync had to tell.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct States {
    /// The states, oldest first.
    #[n(0)]
    pub states: Vec<State>,
}

impl Format for States {
    const NAME: &'static str = "states";
    const LIMIT: usize = limits::MAIL_BYTES;
}

impl std::fmt::Debug for States {
    /// Says nothing of the mails.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("States")
    }
}

/// What became of one mail, or of one device of the account.
///
/// Of two states of the same field the later one holds; at the same time, that of the greater device id. What was deleted
/// stays deleted.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct State {
    /// The mail's sender; of what is about a device, the account.
    #[n(0)]
    pub sender: Address,
    /// The mail; of what is about a device, the device's id.
    #[n(1)]
    pub id: MessageId,
    /// What was done.
    #[n(2)]
    pub change: Change,
    /// When, by the relay's clock as far as the device knows it.
    #[n(3)]
    pub at: Timestamp,
    /// On which device.
    #[n(4)]
    pub device: DeviceId,
}

/// What a person can do that all devices show.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
pub enum Change {
    /// It was read, or is to count as unread.
    #[n(0)]
    Read(#[n(0)] bool),
    /// What it asks for was done, or is to be done after all.
    #[n(1)]
    Handled(#[n(0)] bool),
    /// It was put away, or taken out again.
    #[n(2)]
    Archived(#[n(0)] bool),
    /// It was deleted.
    #[n(3)]
    Deleted,
    /// It is being written: MIME. A draft that changes gets another id, and the one before is deleted.
    #[n(4)]
    Draft(#[n(0)] ByteVec),
    /// The device is called so from now on.
    #[n(5)]
    Name(#[n(0)] DeviceName),
    /// The device has no history, and asks the main one for it.
    #[n(6)]
    HistoryWanted,
    /// It came here, or was sent from here: whoever lacks it had it kept from them.
    #[n(7)]
    Here,
}

/// The content of an envelope that tells a new device where the account's history is.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct History {
    /// The device that is to take it in.
    #[n(0)]
    pub device: DeviceId,
    /// The archive.
    #[n(1)]
    pub archive: ArchiveId,
    /// What it is sealed with.
    #[n(2)]
    pub key: ArchiveKey,
    /// Its parts are numbered from 0.
    #[n(3)]
    pub parts: u64,
}

impl Format for History {
    const NAME: &'static str = "history";
    const LIMIT: usize = 256;
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("History")
    }
}
