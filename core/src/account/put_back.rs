//! A phone whose store was put back to an earlier copy. What came since is not in it, and its prekeys are those of that day:
//! it becomes a device of its own, by the phrase or by a link, and keeps what is in the store.

use protocol::Address;
use rusqlite::{Connection, Transaction};

use super::Account;
use crate::error::Error;
use crate::session::{set_setting, setting};

/// Setting: there once the relay knows of more than this phone has acknowledged.
const PUT_BACK: &str = "put-back";

/// Takes note that this phone was put back.
pub(crate) fn note(tx: &Transaction<'_>) -> Result<(), Error> {
    set_setting(tx, PUT_BACK, "yes")
}

/// Whether this phone was put back, and is still the device that it was.
fn is_noted(connection: &Connection) -> Result<bool, Error> {
    Ok(setting(connection, PUT_BACK)?.is_some())
}

/// Checks that this phone may become a device of `address`: it is none, or was put back and is to be one of the same account.
pub(super) fn check_free(connection: &Connection, address: &Address) -> Result<(), Error> {
    match Account::load(connection) {
        Err(Error::NotEnrolled) => Ok(()),
        Ok(own) if own.address == *address && is_noted(connection)? => Ok(()),
        Ok(_) => Err(Error::AlreadyEnrolled),
        Err(error) => Err(error),
    }
}

/// Lets go of the device that this phone was, if it was put back. Mail stays, and with it what was to be sent: the relay knows
/// what it has had already.
pub(super) fn leave(tx: &Transaction<'_>) -> Result<(), Error> {
    if !is_noted(tx)? {
        return Ok(());
    }
    tx.execute_batch(
        "DELETE FROM setting WHERE name = 'put-back';
         DELETE FROM account; DELETE FROM former_identity;
         DELETE FROM prekey; DELETE FROM batch_upload;
         DELETE FROM list_change; DELETE FROM linking; DELETE FROM history_due;
         DELETE FROM handover; DELETE FROM claiming; DELETE FROM lifting;
         DELETE FROM backup; DELETE FROM backup_part; DELETE FROM backup_due; DELETE FROM restoration;
         UPDATE cursor SET number = 0, hash = zeroblob(32);",
    )?;
    Ok(())
}
