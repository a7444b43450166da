//! What becomes of a device that the relay does not know any more, or that was suspended. The relay's word is enough to lock
//! it, and not to erase anything.

use protocol::Code;

use super::{Account, Listed, put_back};
use crate::archive;
use crate::clock;
use crate::error::Error;
use crate::session::Session;

impl Session {
    /// Makes of `outcome` what it means for this device: one that its own account has removed erases itself, one that is
    /// suspended locks.
    pub(crate) async fn heed<T>(&self, account: &Account, outcome: Result<T, Error>) -> Result<T, Error> {
        if matches!(outcome, Err(Error::Relay(Code::DeviceSuspended))) {
            tracing::warn!("this device is suspended and locks");
            self.lock_suspended()?;
            return outcome;
        }
        if !matches!(outcome, Err(Error::Relay(Code::DeviceUnknown))) {
            return outcome;
        }
        let Ok(listed) = self.listed(&account.address).await else {
            return outcome;
        };
        let own = account.verified.fingerprint();
        if !listed.as_ref().is_some_and(|listed| is_removed(account, listed)) {
            // By the person's word it may become another device, with all that it has.
            if listed.is_none_or(|listed| listed.account.fingerprint() != own) {
                self.write(put_back::note_unknown)?;
            }
            return outcome;
        }
        tracing::warn!("this device was removed from its account and erases itself");
        self.erase()?;
        Err(Error::DeviceRemoved)
    }

    /// A device that was suspended asks whether it still is; its store stays closed meanwhile.
    pub(crate) async fn come_back(&self) -> Result<(), Error> {
        if !self.is_suspended() {
            return Ok(());
        }
        let store = self.open_store()?;
        let account = store.read(Account::load)?;
        let stock = self.relay.prekey_stock(&account).await;
        self.heed(&account, stock).await?;
        self.let_in(store)?;
        // Whoever let it in gives it what came meanwhile: nobody else is asked for that.
        self.write(|tx| archive::await_history_of_others(tx, clock::now()))
    }
}

/// Whether a device list leaves this device out that is newer than its own, signed by the identity it knows or one that its
/// recovery key says follows it. A relay that is restored from yesterday, or lies, has none to show.
fn is_removed(account: &Account, listed: &Listed) -> bool {
    let Listed { account: now, keys } = listed;
    let (own, known) = (account.verified.fingerprint(), &account.verified);
    let is_newer = now.fingerprint() == own && now.list_version() > known.list_version();
    let follows = now
        .line(&keys.predecessors)
        .iter()
        .any(|before| before.fingerprint() == own);
    *now.address() == account.address && now.device(&account.device).is_none() && (is_newer || follows)
}
