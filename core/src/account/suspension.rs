//! Suspension: another device of the account is shut out at once, and let in again by the main one.
//! What becomes of a device that is suspended itself is in [`super::shut_out`].

use protocol::api::Suspension;
use protocol::{Code, DeviceId, Timestamp};
use rusqlite::{Connection, params};

use super::{Account, list};
use crate::archive;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;

/// For so long a relay that was put back is told again of a suspension, in days: no copy is older that is put in its place.
const REMEMBERED_DAYS: i64 = 30;

impl Session {
    /// Shuts another device of the account out at once. It stops, locks, and erases nothing; nothing is sealed to it any more.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDevice`] for one that is not on the list, and for this one; [`Error::Network`], [`Error::Relay`].
    pub async fn suspend_device(&self, device: DeviceId) -> Result<(), Error> {
        let account = self.read(Account::load)?;
        account.check_other(&device)?;
        self.relay.suspend(&account, device).await?;
        let now = self.relay.clock.now();
        self.write(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO suspended (device, at) VALUES (?1, ?2)",
                params![Column(&device), Column(&now)],
            )?;
            Ok(())
        })
    }

    /// Tells a relay that was put back to an earlier copy whom this device had suspended of late. One that was let in since by
    /// the main device is shut out once more, until that is repeated: rather that than a thief who is in again.
    pub(crate) async fn suspend_again(&self, account: &Account) -> Result<(), Error> {
        let since = self.relay.clock.now().plus_days(-REMEMBERED_DAYS);
        for device in self.read(|connection| suspended_since(connection, since))? {
            if account.check_other(&device).is_ok() {
                self.relay.suspend(account, device).await?;
            }
        }
        Ok(())
    }

    /// Lets a suspended device in again with the next sync, and writes the history anew for it.
    ///
    /// # Errors
    ///
    /// [`Error::NotMain`]; [`Error::NoSuchDevice`] for one that is not on the list, and for this one.
    pub fn lift_suspension(&self, device: DeviceId) -> Result<(), Error> {
        self.write(|tx| {
            list::identity_key(tx)?;
            Account::load(tx)?.check_other(&device)?;
            tx.execute("INSERT OR IGNORE INTO lifting (device) VALUES (?1)", [Column(&device)])?;
            tx.execute("DELETE FROM suspended WHERE device = ?1", [Column(&device)])?;
            Ok(())
        })
    }

    /// The devices of the account that are suspended, as the relay has it.
    ///
    /// # Errors
    ///
    /// [`Error::Network`], [`Error::Relay`].
    pub async fn suspensions(&self) -> Result<Vec<Suspension>, Error> {
        let account = self.read(Account::load)?;
        Ok(self.relay.suspensions(&account).await?.suspensions)
    }

    /// Lets in whom a person said: before anything comes in, so that nothing falls between that and the history.
    pub(crate) async fn lift_suspensions(&self, account: &Account) -> Result<(), Error> {
        for device in self.read(lifting)? {
            let is_let_in = match self.relay.lift(account, device).await {
                // It is not on the list any more, or another device is the main one now.
                Err(Error::Relay(code @ (Code::NotFound | Code::NotMain))) => {
                    tracing::warn!(code = code.as_str(), "a device is not let in again");
                    false
                }
                outcome => {
                    outcome?;
                    crash_point!("suspension-lifted");
                    true
                }
            };
            let now = self.relay.clock.now();
            self.write(|tx| {
                tx.execute("DELETE FROM lifting WHERE device = ?1", [Column(&device)])?;
                if is_let_in {
                    archive::write_again(tx, device, now)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn suspended_since(connection: &Connection, since: Timestamp) -> Result<Vec<DeviceId>, Error> {
    let mut select = connection.prepare_cached("SELECT device FROM suspended WHERE at > ?1")?;
    let devices = select.query_map([Column(&since)], |row| row.get(0).map(|Column(device)| device))?;
    Ok(devices.collect::<Result<_, _>>()?)
}

fn lifting(connection: &Connection) -> Result<Vec<DeviceId>, Error> {
    let mut select = connection.prepare_cached("SELECT device FROM lifting")?;
    let devices = select.query_map([], |row| row.get(0).map(|Column(device)| device))?;
    Ok(devices.collect::<Result<_, _>>()?)
}
