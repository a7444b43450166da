//! A new phone in the place of a lost one: whoever has the recovery phrase makes an identity that correspondents follow.
//! What the earlier phone kept comes back by [`crate::archive`].

use protocol::identity::{Predecessor, Signed, Succession};
use protocol::sign::SigningKey;
use protocol::{Address, Code, Timestamp};
use rusqlite::Transaction;

use super::phrase::RecoveryPhrase;
use super::{Account, Listed, Row, enrol, former, prekeys, put_back};
use crate::crash::crash_point;
use crate::error::{Error, KeysError};
use crate::session::Session;
use crate::store::StoreError;
use crate::store::column::Column;

impl Session {
    /// Takes the account of `address` over on this phone. The earlier phone is no device of it any more, and erases itself
    /// when it hears so. The backup, if there is one, comes with the next syncs.
    ///
    /// An attempt that failed on the way is gone on with. The phrase stays the same. A device of the account that was suspended is
    /// opened by its phrase, and goes on as another one with all that it has.
    ///
    /// # Errors
    ///
    /// [`Error::PhraseOfAnother`], [`Error::AlreadyEnrolled`], [`Error::Relay`] with `not-found` when nobody is enrolled
    /// under this address, [`Error::Network`].
    pub async fn recover(&self, address: &Address, phrase: &RecoveryPhrase) -> Result<(), Error> {
        let _alone = self.syncing.lock().await;
        let suspended = if self.is_suspended() {
            let store = self.open_store()?;
            store.read(|connection| put_back::check_own(connection, address))?;
            Some(store)
        } else {
            self.read(|connection| put_back::check_free(connection, address))?;
            None
        };
        let server = self.relay.server().await?.name;
        let listed = self.listed(address).await?.ok_or(Error::Relay(Code::NotFound))?;
        let account = &listed.account;
        let recovery_key = phrase.recovery_key()?;
        if account.address() != address {
            return Err(KeysError::Unverified.into());
        }
        if *account.recovery() != recovery_key.verifying_key() {
            return Err(Error::PhraseOfAnother);
        }
        // Whoever has the phrase can take the account over anywhere.
        if let Some(store) = suspended {
            store.write(put_back::note_unknown)?;
            self.let_in(store)?;
        }
        let now = self.relay.clock.now();
        let request = self.write(|tx| {
            put_back::leave(tx)?;
            let present = account.fingerprint();
            let pending = Row::load(tx)?.map(Row::account).transpose()?;
            if let Some(pending) = pending.filter(|pending| pending.address == *address) {
                // The relay took the first attempt, and its reply was lost; or it never came there.
                let steps = former::steps_from(tx, &pending.verified, &present)?;
                if !steps.is_empty() {
                    enrol::resume(tx, &pending, &server, now)?;
                    return enrol::request(tx, "", steps);
                }
            }
            enrol::prepare(tx, address, &server, now, phrase, Some(present))?;
            let step = succeed(tx, &listed, &recovery_key, now)?;
            // The key with which the backup of the phone before opens.
            tx.execute(
                "INSERT OR REPLACE INTO restoration (id, key) VALUES (1, ?1)",
                [Column(&phrase.backup_key()?)],
            )?;
            enrol::request(tx, "", vec![step])
        })?;
        crash_point!("recovery-stored");
        self.relay.enrol(&request).await?;
        crash_point!("recovery-accepted");
        self.write(|tx| enrol::confirm(tx, now))?;
        self.phrase_shown()
    }

    /// Brings a relay that was put back to an identity before this account's, or to a list from before this device was added, to the
    /// present one; whether there was that to do.
    pub(crate) async fn lead_relay_on(&self, account: &Account) -> Result<bool, Error> {
        let Ok(Some(Listed { account: present, .. })) = self.listed(&account.address).await else {
            return Ok(false);
        };
        let own = &account.verified;
        let steps = if own.fingerprint() == present.fingerprint() {
            let is_older = present.list_version() < own.list_version() && present.device(&account.device).is_none();
            is_older.then(Vec::new)
        } else {
            let steps = self.read(|connection| former::steps_from(connection, own, &present.fingerprint()))?;
            Some(steps).filter(|steps| !steps.is_empty())
        };
        let Some(steps) = steps else { return Ok(false) };
        // It forgot this device again and again.
        if self.read(prekeys::has_enough)? {
            return Ok(false);
        }
        match self.show_account(account, "", steps).await {
            Ok(()) => Ok(true),
            // The device stays unknown, and the person is told so.
            Err(error @ Error::Relay(_)) if !error.is_retryable() => {
                tracing::warn!(code = error.code(), "the relay was not led on to this account");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Signs that the identity in the store follows the one that the relay has; what leads to it from there.
fn succeed(
    tx: &Transaction<'_>,
    listed: &Listed,
    recovery_key: &SigningKey,
    now: Timestamp,
) -> Result<Predecessor, Error> {
    let Listed { account, keys } = listed;
    let made = Row::load(tx)?.ok_or(StoreError::Corrupt)?.account()?.verified;
    let succession = Succession {
        address: account.address().clone(),
        from: account.fingerprint(),
        to: made.fingerprint(),
        issued_at: now,
    };
    let step = Predecessor {
        identity: keys.identity.clone(),
        list: keys.list.clone(),
        succession: Signed::make(&succession, recovery_key),
    };
    let before = keys.predecessors.iter().cloned();
    former::keep_line(tx, &made, &before.chain([step.clone()]).collect::<Vec<_>>())?;
    Ok(step)
}
