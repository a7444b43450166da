//! Tells waiting polls and streams that a device has news; it may lose that: the table is the truth.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use protocol::DeviceId;
use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Bus {
    devices: Mutex<HashMap<DeviceId, watch::Sender<()>>>,
}

impl Bus {
    /// Changes each time `device` has news from now on.
    pub(crate) fn listen(&self, device: DeviceId) -> watch::Receiver<()> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices
            .entry(device)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe()
    }

    /// Wakes whoever listens for these devices.
    pub(crate) fn wake(&self, news: &BTreeSet<DeviceId>) {
        if news.is_empty() {
            return;
        }
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        for device in news {
            let unheard = devices.get(device).is_some_and(|sender| sender.send(()).is_err());
            if unheard {
                devices.remove(device);
            }
        }
    }
}
