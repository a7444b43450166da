//! Correspondents: their pinned identities, their device lists, and the batches seen of their devices.

use std::collections::HashMap;

use protocol::api::{AccountKeys, PrekeyWish};
use protocol::cbor;
use protocol::identity::{DeviceList, Identity, Signed, VerifiedAccount};
use protocol::prekey::VerifiedPrekey;
use protocol::{Address, DeviceId, Digest, Timestamp, limits};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Account, list};
use crate::error::{Error, KeysError};
use crate::session::Session;
use crate::store;
use crate::store::column::Column;
use crate::sync::ended::Ending;
use crate::sync::unopened;

/// What this phone knows of an account after asking the relay.
#[derive(Debug)]
pub(crate) enum Known {
    /// The identity is the pinned one or follows it, as it follows `former`; prekeys as they were asked for.
    Trusted {
        account: Box<VerifiedAccount>,
        former: Vec<VerifiedAccount>,
        prekeys: Vec<VerifiedPrekey>,
    },
    /// The relay names another identity than the pinned one.
    Changed,
    /// What the relay says of it does not hold. That is nobody else's trouble.
    Unverified(KeysError),
}

/// The account as this phone knows it, without asking.
pub(crate) fn pinned(connection: &Connection, address: &Address) -> Result<Option<VerifiedAccount>, Error> {
    let row: Option<(Vec<u8>, Vec<u8>)> = connection
        .query_row(
            "SELECT identity, list FROM correspondent WHERE address = ?1",
            [Column(address)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    row.map(|(identity, list)| {
        let identity: Signed<Identity> = cbor::decode(&identity)?;
        let list: Signed<DeviceList> = cbor::decode(&list)?;
        Ok(VerifiedAccount::verify(&identity, &list)?)
    })
    .transpose()
}

impl Session {
    /// Asks the relay for accounts and takes in what verifies; accounts that are not enrolled are left out.
    pub(crate) async fn ask_keys(
        &self,
        account: &Account,
        accounts: Vec<Address>,
        prekeys: PrekeyWish,
    ) -> Result<HashMap<Address, Known>, Error> {
        let (asked, own) = (accounts.clone(), account.address.clone());
        let answer = self.relay.keys(account, accounts, prekeys).await?;
        let now = self.relay.clock.now();
        self.write(|tx| {
            let mut known = HashMap::new();
            let mut all_verify = true;
            for keys in &answer.accounts {
                match VerifiedAccount::verify(&keys.identity, &keys.list) {
                    Ok(account) if asked.contains(account.address()) => {
                        let address = account.address().clone();
                        let taken = store::attempt(tx, |tx| {
                            if address == own {
                                list::take_in_own(tx, keys, account, now)
                            } else {
                                take_in(tx, keys, account, now)
                            }
                        })?;
                        let one = match taken {
                            // It is this one's trouble, and nobody else's.
                            Err(error) if error.is_of_one_entry() => Known::Unverified(KeysError::Unverified),
                            one => one?,
                        };
                        known.insert(address, one);
                    }
                    _ => all_verify = false,
                }
            }
            if !all_verify {
                // Whose they were is as little known as the rest: nobody may be taken for not enrolled.
                for address in asked {
                    known.entry(address).or_insert(Known::Unverified(KeysError::Unverified));
                }
            }
            Ok(known)
        })
    }
}

/// Pins a first identity; otherwise takes a list only of the pinned identity, and never an older one.
fn take_in(tx: &Transaction<'_>, keys: &AccountKeys, account: VerifiedAccount, now: Timestamp) -> Result<Known, Error> {
    let former = account.line(&keys.predecessors);
    match pinned(tx, account.address())? {
        // Only the recovery key of the pinned identity names one that is followed without asking.
        Some(pinned) if former.iter().any(|before| before.fingerprint() == pinned.fingerprint()) => {}
        Some(pinned) if pinned.fingerprint() != account.fingerprint() => {
            tx.execute(
                "UPDATE correspondent SET changed = ?2, changed_list = ?3 WHERE address = ?1",
                params![
                    Column(account.address()),
                    cbor::encode(&keys.identity),
                    cbor::encode(&keys.list)
                ],
            )?;
            return Ok(Known::Changed);
        }
        Some(pinned) if pinned.list_version() > account.list_version() => {
            return Ok(Known::Unverified(KeysError::RelayBehind));
        }
        Some(pinned)
            if pinned.list_version() == account.list_version() && pinned.list_digest() != account.list_digest() =>
        {
            return Ok(Known::Unverified(KeysError::RelayForked));
        }
        _ => {}
    }
    pin(tx, &account, &keys.identity, &keys.list)?;
    with_prekeys(tx, keys, account, former, now)
}

/// The account, with the prekeys that verify for it.
pub(super) fn with_prekeys(
    tx: &Transaction<'_>,
    keys: &AccountKeys,
    account: VerifiedAccount,
    former: Vec<VerifiedAccount>,
    now: Timestamp,
) -> Result<Known, Error> {
    let mut prekeys = Vec::with_capacity(keys.prekeys.len());
    for handed in &keys.prekeys {
        let newest = newest_batch(tx, &handed.device)?;
        let Ok(prekey) = handed.verify(&account, newest, now) else {
            return Ok(Known::Unverified(KeysError::PrekeysUnverified));
        };
        record_batch(tx, &handed.device, prekey.id.batch)?;
        prekeys.push(prekey);
    }
    // A device without one was away until its batch ended: the relay says who is not reached for that.
    Ok(Known::Trusted {
        account: Box::new(account),
        former,
        prekeys,
    })
}

/// Pins the identity of an account with its list. One that follows another has its own number, which nobody compared yet.
pub(crate) fn pin(
    tx: &Transaction<'_>,
    account: &VerifiedAccount,
    identity: &Signed<Identity>,
    list: &Signed<DeviceList>,
) -> Result<(), Error> {
    let changed = tx.execute(
        "INSERT INTO correspondent (address, fingerprint, identity, list, version) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (address) DO UPDATE SET
            verified_at = iif(fingerprint = excluded.fingerprint, verified_at, 0),
            fingerprint = excluded.fingerprint, identity = excluded.identity,
            list = excluded.list, version = excluded.version, changed = x'', changed_list = x''
         WHERE fingerprint <> excluded.fingerprint OR version <> excluded.version OR changed <> x''",
        params![
            Column(account.address()),
            Column(&account.fingerprint()),
            cbor::encode(identity),
            cbor::encode(list),
            account.list_version(),
        ],
    )?;
    if changed > 0 {
        unopened::try_again(tx, account.address())?;
    }
    Ok(())
}

/// Keeps that a correspondent had this identity before the pinned one: the person has accepted what came after it.
pub(super) fn remember(
    tx: &Transaction<'_>,
    address: &Address,
    fingerprint: &Digest,
    accepted_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO correspondent_before (address, fingerprint, accepted_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (address, fingerprint) DO UPDATE SET accepted_at = excluded.accepted_at",
        params![Column(address), Column(fingerprint), Column(&accepted_at)],
    )?;
    Ok(())
}

/// Whether what came at `came_at` from this identity is the correspondent's: it was pinned until the person accepted another one,
/// and that is not longer ago than mail waits.
pub(crate) fn had(
    connection: &Connection,
    address: &Address,
    fingerprint: &Digest,
    came_at: Timestamp,
) -> Result<bool, Error> {
    let had = connection
        .prepare_cached(
            "SELECT 1 FROM correspondent_before WHERE address = ?1 AND fingerprint = ?2 AND accepted_at >= ?3",
        )?
        .exists(params![
            Column(address),
            Column(fingerprint),
            Column(&came_at.plus_days(-limits::REMOVED_DEVICE_DAYS))
        ])?;
    Ok(had)
}

/// Whether what came at `came_at` from an identity that ended is the correspondent's.
pub(crate) fn recognise(connection: &Connection, ending: &Ending, came_at: Timestamp) -> Result<bool, Error> {
    for known in std::iter::once(&ending.account).chain(&ending.line) {
        if had(connection, ending.account.address(), &known.fingerprint(), came_at)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn newest_batch(tx: &Transaction<'_>, device: &DeviceId) -> Result<u64, Error> {
    let number = tx
        .query_row(
            "SELECT number FROM batch_seen WHERE device = ?1",
            [Column(device)],
            |row| row.get(0),
        )
        .optional()?;
    Ok(number.unwrap_or(0))
}

fn record_batch(tx: &Transaction<'_>, device: &DeviceId, number: u64) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO batch_seen (device, number) VALUES (?1, ?2)
         ON CONFLICT (device) DO UPDATE SET number = max(number, excluded.number)",
        params![Column(device), number],
    )?;
    Ok(())
}
