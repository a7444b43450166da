//! Who signed what came from a device that was removed since: what the relay had accepted before stays its account's.
//! What a removal shows, and for how long, is in `docs/protocol/removal.md`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol::identity::VerifiedAccount;
use protocol::removal::VerifiedRemoval;
use protocol::{Address, Code, DeviceId, MessageId};

use super::receive::{Step, Unlisted, unlisted};
use super::unopened;
use crate::account::Account;
use crate::account::correspondent::{self, Known};
use crate::error::{Error, NetworkError};
use crate::session::Session;

/// The sender's account as it was, for each message that a device signed which is on no list of the account any more.
pub(super) type Signers = HashMap<(Address, MessageId), VerifiedAccount>;

impl Session {
    /// Asks the relay for the removals of devices that are on no list of their accounts.
    pub(super) async fn removed(
        &self,
        account: &Account,
        steps: &[Step],
        senders: &HashMap<Address, Known>,
    ) -> Result<Signers, Error> {
        let mut removals: HashMap<DeviceId, Option<VerifiedRemoval>> = HashMap::new();
        let mut removed = HashMap::new();
        for Unlisted {
            message,
            device,
            header,
            sender,
            former,
        } in unlisted(steps, senders)
        {
            if let Entry::Vacant(place) = removals.entry(device) {
                place.insert(self.removal(account, device).await?);
            }
            let Some(Some(removal)) = removals.get(&device) else {
                continue;
            };
            let is_of_sender = std::iter::once(sender)
                .chain(former)
                .any(|known| known.fingerprint() == removal.before.fingerprint());
            let came_at = self.read(|connection| unopened::came_at(connection, (&message.0, message.1), header))?;
            let before = removal.before.fingerprint();
            let is_of_sender =
                is_of_sender || self.read(|connection| correspondent::had(connection, &message.0, &before, came_at))?;
            if is_of_sender && removal.covers(came_at) {
                removed.insert(message, removal.before.clone());
            }
        }
        Ok(removed)
    }

    /// How a device was removed, if the relay shows that it was.
    async fn removal(&self, account: &Account, device: DeviceId) -> Result<Option<VerifiedRemoval>, Error> {
        match self.relay.removal(account, device).await {
            Ok(removal) => Ok(removal.verify(&device).ok()),
            Err(
                Error::Relay(Code::Malformed | Code::NotFound)
                | Error::Network(NetworkError::AnswerTooLarge | NetworkError::AnswerUnreadable),
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
