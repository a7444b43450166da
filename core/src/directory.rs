//! The directory, asked online.

use protocol::Address;
use protocol::api::DirectoryEntry;

use crate::account::Account;
use crate::error::Error;
use crate::session::Session;

impl Session {
    /// The entry of an address.
    ///
    /// # Errors
    ///
    /// [`Error::Relay`] with `not-found`, [`Error::Network`], [`Error::NotEnrolled`].
    pub async fn entry(&self, address: &Address) -> Result<DirectoryEntry, Error> {
        let account = self.read(Account::load)?;
        self.relay.entry(&account, address).await
    }

    /// Entries whose names hold every word of `query`, in `town` if given.
    ///
    /// # Errors
    ///
    /// [`Error::Network`], [`Error::NotEnrolled`].
    pub async fn find_entries(&self, query: &str, town: Option<&str>) -> Result<Vec<DirectoryEntry>, Error> {
        let account = self.read(Account::load)?;
        Ok(self.relay.entries(&account, query, town).await?.entries)
    }
}
