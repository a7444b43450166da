//! The identities that this account had before, and what leads from each to the next: with that, a relay which was put back to an
//! earlier one is brought to the present one.

use protocol::identity::{Predecessor, VerifiedAccount};
use protocol::{Digest, cbor};
use rusqlite::{Connection, Transaction, params};

use super::Account;
use crate::error::Error;
use crate::store::column::Column;

/// Keeps what the account's earlier identities were, the oldest first.
pub(super) fn keep(tx: &Transaction<'_>, former: &[Digest]) -> Result<(), Error> {
    tx.execute("DELETE FROM former_identity", [])?;
    for (place, fingerprint) in (0_u32..).zip(former) {
        tx.execute(
            "INSERT INTO former_identity (place, fingerprint) VALUES (?1, ?2)",
            params![place, Column(fingerprint)],
        )?;
    }
    Ok(())
}

/// Keeps what else the account's identities were before those that are kept, the oldest first.
pub(crate) fn keep_earlier(tx: &Transaction<'_>, account: &Account, earlier: &[Digest]) -> Result<(), Error> {
    for fingerprint in earlier.iter().rev() {
        tx.execute(
            "INSERT INTO former_identity (place, fingerprint)
             SELECT (SELECT coalesce(min(place), 0) - 1 FROM former_identity), ?1
             WHERE ?1 <> ?2 AND NOT EXISTS (SELECT 1 FROM former_identity WHERE fingerprint = ?1)",
            params![Column(fingerprint), Column(&account.verified.fingerprint())],
        )?;
    }
    Ok(())
}

/// Keeps the identities that lead to this one, each with the word of its recovery key on the next.
pub(super) fn keep_line(
    tx: &Transaction<'_>,
    account: &VerifiedAccount,
    predecessors: &[Predecessor],
) -> Result<(), Error> {
    let line = account.line(predecessors);
    let former: Vec<_> = line.iter().rev().map(VerifiedAccount::fingerprint).collect();
    keep(tx, &former)?;
    for step in predecessors {
        tx.execute(
            "UPDATE former_identity SET predecessor = ?2 WHERE fingerprint = ?1",
            params![Column(&step.identity.digest()), cbor::encode(step)],
        )?;
    }
    Ok(())
}

/// What leads from the identity that the relay has to this one, oldest first; nothing where it does not. Where the relay has this
/// one already, it is what it was shown for that.
pub(super) fn steps_from(
    connection: &Connection,
    account: &VerifiedAccount,
    present: &Digest,
) -> Result<Vec<Predecessor>, Error> {
    let mut select =
        connection.prepare_cached("SELECT predecessor FROM former_identity WHERE predecessor <> x'' ORDER BY place")?;
    let rows: Vec<Vec<u8>> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut steps: Vec<Predecessor> = rows.iter().map(|row| cbor::decode(row)).collect::<Result<_, _>>()?;
    let line: Vec<Digest> = account.line(&steps).iter().map(VerifiedAccount::fingerprint).collect();
    let first = if account.fingerprint() == *present {
        line.first()
    } else {
        line.iter().find(|before| *before == present)
    };
    let at = first.and_then(|first| steps.iter().position(|step| step.identity.digest() == *first));
    Ok(at.map_or_else(Vec::new, |at| steps.split_off(at)))
}
