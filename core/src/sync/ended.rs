//! Who signed what came from an account whose address the operator has activated anew since: what the relay had accepted before
//! stays the account's, if its identity of then is one that this phone had pinned.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol::identity::VerifiedAccount;
use protocol::{Address, Code, DeviceId};

use super::receive::{Step, Unlisted, signer, unlisted};
use super::removed::Signers;
use super::unopened;
use crate::account::Account;
use crate::account::correspondent::{self, Known};
use crate::error::{Error, NetworkError};
use crate::session::Session;

/// An account as it was when its identity ended, with the identities that it followed.
pub(crate) struct Ending {
    pub(crate) account: VerifiedAccount,
    pub(crate) line: Vec<VerifiedAccount>,
}

impl Session {
    /// Adds to `signers` those whom no list of their accounts has any more, as their identities ended.
    pub(super) async fn add_ended(
        &self,
        account: &Account,
        steps: &[Step],
        senders: &HashMap<Address, Known>,
        signers: &mut Signers,
    ) -> Result<(), Error> {
        let mut endings: HashMap<DeviceId, Option<Ending>> = HashMap::new();
        for Unlisted {
            message,
            device,
            header,
            ..
        } in unlisted(steps, senders)
        {
            if signers.contains_key(&message) {
                continue;
            }
            if let Entry::Vacant(place) = endings.entry(device) {
                place.insert(self.ending(account, device).await?);
            }
            let Some(Some(ending)) = endings.get(&device) else {
                continue;
            };
            let Some(signer) = signer(&ending.account, &ending.line, device) else {
                continue;
            };
            let came_at = self.read(|connection| unopened::came_at(connection, (&message.0, message.1), header))?;
            if *signer.address() == message.0
                && self.read(|connection| correspondent::recognise(connection, ending, came_at))?
            {
                signers.insert(message, signer.clone());
            }
        }
        Ok(())
    }

    /// The account that the device was one of until it ended, if the relay shows that.
    async fn ending(&self, account: &Account, device: DeviceId) -> Result<Option<Ending>, Error> {
        let answer = match self.relay.ending(account, device).await {
            Err(
                Error::Relay(Code::Malformed | Code::NotFound)
                | Error::Network(NetworkError::AnswerTooLarge | NetworkError::AnswerUnreadable),
            ) => return Ok(None),
            answer => answer?,
        };
        Ok(answer.accounts.into_iter().next().and_then(|keys| {
            let account = VerifiedAccount::verify(&keys.identity, &keys.list).ok()?;
            let line = account.line(&keys.predecessors);
            Some(Ending { account, line })
        }))
    }
}
