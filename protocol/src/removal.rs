//! What shows that a device was one of an account's until it was taken off the list: the last list with it, and the first
//! without. See `docs/protocol/removal.md`.

use minicbor::{Decode, Encode};

use crate::cbor::{Format, FormatError, refused};
use crate::identity::{DeviceList, Identity, Signed, VerifiedAccount};
use crate::ids::DeviceId;
use crate::limits;
use crate::time::Timestamp;

/// The end of a device.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Removal {
    /// The identity of both lists.
    #[n(0)]
    pub identity: Signed<Identity>,
    /// The last list with the device.
    #[n(1)]
    pub before: Signed<DeviceList>,
    /// The list that follows it, without the device.
    #[n(2)]
    pub after: Signed<DeviceList>,
}

impl Format for Removal {
    const NAME: &'static str = "removal";
    const LIMIT: usize = 3 * limits::SIGNED_BYTES;
}

impl Removal {
    /// Checks that `device` was on one list of the identity and not on the next any more.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when a signature does not verify, the lists are of another identity or do not follow each other, or
    /// the device was not taken off by them.
    pub fn verify(&self, device: &DeviceId) -> Result<VerifiedRemoval, FormatError> {
        let before = VerifiedAccount::verify(&self.identity, &self.before)?;
        let after = VerifiedAccount::verify(&self.identity, &self.after)?;
        if after.list_version() != before.list_version().saturating_add(1) {
            return Err(refused::<Self>("lists that do not follow each other"));
        }
        if before.device(device).is_none() || after.device(device).is_some() {
            return Err(refused::<Self>("of another device"));
        }
        Ok(VerifiedRemoval {
            before,
            removed_at: after.list_issued_at(),
        })
    }
}

/// A removal of which all signatures were verified.
#[derive(Clone, Debug)]
pub struct VerifiedRemoval {
    /// The account when it still had the device.
    pub before: VerifiedAccount,
    /// When the list without it was signed, by the main device's clock.
    pub removed_at: Timestamp,
}

impl VerifiedRemoval {
    /// Whether what came at `came_at` may have been sent before the device was removed.
    #[must_use]
    pub fn covers(&self, came_at: Timestamp) -> bool {
        came_at <= self.removed_at.plus_days(limits::REMOVED_DEVICE_DAYS)
    }
}
