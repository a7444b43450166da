//! What becomes of a device that the relay does not know any more, or that was suspended. The relay's word is enough to lock
//! it, and not to erase anything.

use protocol::Code;

use super::{Account, Listed};
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
        if !matches!(outcome, Err(Error::Relay(Code::DeviceUnknown))) || !self.is_removed(account).await {
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
        self.let_in(store)
    }

    /// Whether a device list leaves this device out that is newer than its own, signed by the identity it knows or one that
    /// its recovery key says follows it. A relay that is restored from yesterday, or lies, has none to show.
    async fn is_removed(&self, account: &Account) -> bool {
        let Ok(Some(Listed { account: now, keys })) = self.listed(&account.address).await else {
            return false;
        };
        let (own, known) = (account.verified.fingerprint(), &account.verified);
        let is_newer = now.fingerprint() == own && now.list_version() > known.list_version();
        let follows = now
            .line(&keys.predecessors)
            .iter()
            .any(|before| before.fingerprint() == own);
        *now.address() == account.address && now.device(&account.device).is_none() && (is_newer || follows)
    }
}
