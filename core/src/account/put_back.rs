//! A phone whose store was put back to an earlier copy: what came since is not in it, and its prekeys are those of that day. Or one
//! that the relay does not know. It becomes a device of its own, by the phrase, a link or a code, and keeps what is in the store.

use protocol::Address;
use rusqlite::{Connection, Transaction};

use super::Account;
use crate::error::Error;
use crate::session::{set_setting, setting};

/// Setting: there once the relay knows of more than this phone has acknowledged.
const PUT_BACK: &str = "put-back";

/// Setting: there while the relay does not know this device, nor its identity.
const UNKNOWN: &str = "device-unknown";

/// Takes note that the relay does not know this device, and has another identity of its account, or none; or that it lets it in
/// no more, and the account's phrase is at hand.
pub(crate) fn note_unknown(tx: &Transaction<'_>) -> Result<(), Error> {
    set_setting(tx, UNKNOWN, "yes")
}

/// Takes note that the relay knows this device.
pub(crate) fn note_known(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute("DELETE FROM setting WHERE name = ?1", [UNKNOWN])?;
    Ok(())
}

/// Takes note that this phone was put back.
pub(crate) fn note(tx: &Transaction<'_>) -> Result<(), Error> {
    set_setting(tx, PUT_BACK, "yes")
}

/// Whether this phone was put back, or is not known any more, and is still the device that it was.
fn is_noted(connection: &Connection) -> Result<bool, Error> {
    Ok(setting(connection, PUT_BACK)?.is_some() || setting(connection, UNKNOWN)?.is_some())
}

/// Checks that this phone may become a device of `address`: it is none, or can go on only as
/// another one of the same account.
pub(super) fn check_free(connection: &Connection, address: &Address) -> Result<(), Error> {
    match Account::load(connection) {
        Err(Error::NotEnrolled) => Ok(()),
        Ok(own) if own.address == *address && is_noted(connection)? => Ok(()),
        Ok(_) => Err(Error::AlreadyEnrolled),
        Err(error) => Err(error),
    }
}

/// Checks that this phone is a device of `address`, whatever has become of it.
pub(super) fn check_own(connection: &Connection, address: &Address) -> Result<(), Error> {
    if Account::load(connection)?.address == *address {
        Ok(())
    } else {
        Err(Error::AlreadyEnrolled)
    }
}

/// Lets go of the device that this phone was, if it cannot go on as that. Mail stays, and with it what was to be sent: the relay knows
/// what it has had already.
pub(super) fn leave(tx: &Transaction<'_>) -> Result<(), Error> {
    if !is_noted(tx)? {
        return Ok(());
    }
    tx.execute_batch(
        "DELETE FROM setting WHERE name IN ('put-back', 'device-unknown', 'former-cursor');
         DELETE FROM account; DELETE FROM former_identity; DELETE FROM past_list;
         DELETE FROM prekey; DELETE FROM batch_upload;
         DELETE FROM list_change; DELETE FROM linking; DELETE FROM history_due;
         DELETE FROM handover; DELETE FROM claiming; DELETE FROM lifting; DELETE FROM suspended;
         DELETE FROM backup; DELETE FROM backup_part; DELETE FROM backup_due; DELETE FROM restoration;
         UPDATE cursor SET number = 0, hash = zeroblob(32);",
    )?;
    Ok(())
}
