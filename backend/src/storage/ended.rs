//! Accounts as they were until the operator activated their address anew, for what they had deposited before.
//! Ending them is [`super::accounts`]'s.

use protocol::api::{AccountKeys, KeysAnswer};
use protocol::identity::VerifiedAccount;
use protocol::{DeviceId, Digest, cbor, limits};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::StorageError;
use super::accounts::{self, StoredAccount};

/// Keeps the account as it is, before another identity takes its place that does not follow it.
pub(crate) fn keep(connection: &Connection, present: &StoredAccount) -> Result<(), StorageError> {
    let predecessors = accounts::predecessors(connection, present.id)?;
    let account = VerifiedAccount::verify(&present.identity, &present.list)?;
    let line = account.line(&predecessors);
    let keys = KeysAnswer {
        accounts: vec![AccountKeys {
            identity: present.identity.clone(),
            list: present.list.clone(),
            prekeys: Vec::new(),
            predecessors,
            ended: Vec::new(),
        }],
    };
    let ended = connection
        .prepare_cached("INSERT INTO ended_account (account, fingerprint, keys) VALUES (?1, ?2, ?3)")?
        .insert(params![
            present.id,
            account.fingerprint().as_bytes(),
            cbor::encode(&keys)
        ])?;
    for device in std::iter::once(&account)
        .chain(&line)
        .flat_map(VerifiedAccount::devices)
    {
        connection
            .prepare_cached("INSERT INTO ended_device (device, ended) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![device.id.as_bytes(), ended])?;
    }
    Ok(())
}

/// Fingerprints of the identities that ended so, oldest first: of many, those that ended last.
pub(crate) fn fingerprints(connection: &Connection, account: i64) -> Result<Vec<Digest>, StorageError> {
    let most = i64::try_from(limits::PREDECESSORS).unwrap_or(i64::MAX);
    let mut fingerprints: Vec<_> = connection
        .prepare_cached("SELECT fingerprint FROM ended_account WHERE account = ?1 ORDER BY id DESC LIMIT ?2")?
        .query_map([account, most], |row| row.get(0).map(Digest::from_bytes))?
        .collect::<Result<_, _>>()?;
    fingerprints.reverse();
    Ok(fingerprints)
}

/// The account that the device was one of, as it was when it ended.
pub(crate) fn find(connection: &Connection, device: &DeviceId) -> Result<Option<KeysAnswer>, StorageError> {
    let keys: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT keys FROM ended_account JOIN ended_device ON ended_device.ended = ended_account.id WHERE device = ?1",
        )?
        .query_row([device.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(keys.as_deref().map(cbor::decode).transpose()?)
}
