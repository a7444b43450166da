//! What the bodies of requests hold in memory: all of them together no more than their room, and nobody more than a share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Code, Digest};

use crate::limits::Room;

/// The bodies that share a room.
#[derive(Debug)]
pub(crate) struct Bodies {
    room: Room,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    shares: HashMap<Digest, usize>,
}

impl Bodies {
    pub(crate) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self {
            room,
            held: Mutex::default(),
        })
    }

    /// A body of `key` of which nothing has come.
    pub(crate) fn begin(self: &Arc<Self>, key: &[u8]) -> HeldBody {
        HeldBody {
            bodies: Arc::clone(self),
            key: Digest::of(&[key]),
            bytes: 0,
        }
    }
}

/// What one body holds until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldBody {
    bodies: Arc<Bodies>,
    key: Digest,
    bytes: usize,
}

impl HeldBody {
    /// Takes room for `bytes` more; refused with the code of what is full.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Code> {
        let Room {
            bytes: all,
            share_bytes,
        } = self.bodies.room;
        let mut held = self.bodies.held.lock().unwrap_or_else(PoisonError::into_inner);
        let share = held
            .shares
            .get(&self.key)
            .copied()
            .unwrap_or_default()
            .saturating_add(bytes);
        let total = held.bytes.saturating_add(bytes);
        if share > share_bytes {
            return Err(Code::Throttled);
        }
        if total > all {
            tracing::warn!("bodies of requests take all the room that they have");
            return Err(Code::TemporarilyUnavailable);
        }
        held.bytes = total;
        held.shares.insert(self.key, share);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        let mut held = self.bodies.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes = held.bytes.saturating_sub(self.bytes);
        if let Some(share) = held.shares.get_mut(&self.key) {
            *share = share.saturating_sub(self.bytes);
            if *share == 0 {
                held.shares.remove(&self.key);
            }
        }
    }
}
