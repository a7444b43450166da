//! A new phone in the place of a lost one: whoever has the recovery phrase makes an identity that correspondents follow.
//! What the earlier phone kept comes back by [`crate::archive`].

use protocol::cbor;
use protocol::identity::{Signed, Succession, VerifiedAccount};
use protocol::sign::SigningKey;
use protocol::{Address, Code, Digest};
use rusqlite::{Connection, Transaction};

use super::phrase::RecoveryPhrase;
use super::{Account, Listed, Row, enrol, prekeys, put_back};
use crate::clock;
use crate::crash::crash_point;
use crate::error::{Error, KeysError};
use crate::session::Session;
use crate::store::StoreError;
use crate::store::column::Column;
use crate::sync::standing;

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
            let pending = Row::load(tx)?.map(Row::account).transpose()?;
            match pending.filter(|pending| pending.address == *address) {
                // The relay took the first attempt, and its reply was lost; or it never came there.
                Some(pending)
                    if pending.verified.fingerprint() == account.fingerprint()
                        || follows_it(tx, &account.fingerprint())? =>
                {
                    enrol::resume(tx, &pending, &server, now)?;
                }
                _ => {
                    enrol::prepare(tx, address, &server, now, phrase, Some(account.fingerprint()))?;
                    succeed(tx, account, &recovery_key, now)?;
                    remember(tx, &listed.fingerprints(), phrase)?;
                }
            }
            enrol::request(tx, "")
        })?;
        crash_point!("recovery-stored");
        self.relay.enrol(&request).await?;
        crash_point!("recovery-accepted");
        self.write(|tx| enrol::confirm(tx, now))?;
        self.phrase_shown()
    }

    /// Takes the account over once more, as this phone did before the copy was made to which the relay was put back; whether
    /// there was that to do.
    pub(crate) async fn enrol_again(&self, account: &Account) -> Result<bool, Error> {
        let Ok(Some(Listed { account: present, .. })) = self.listed(&account.address).await else {
            return Ok(false);
        };
        // An enrolment has the first list of its identity.
        let is_first = account.verified.list_version() == 1;
        if !is_first || !self.read(|connection| follows_it(connection, &present.fingerprint()))? {
            return Ok(false);
        }
        // Its clock judges the prekeys.
        self.relay.server().await?;
        let now = self.relay.clock.now();
        let request = self.write(|tx| {
            prekeys::make_batch(tx, account, 0, now)?;
            // What the phone before had sent, as the backup has it, may be lost there, too.
            standing::offer_again(tx, now.min(clock::now()))?;
            enrol::request(tx, "")
        })?;
        self.relay.enrol(&request).await?;
        Ok(true)
    }
}

/// Signs that the identity in the store follows `account`.
fn succeed(
    tx: &Transaction<'_>,
    account: &VerifiedAccount,
    recovery_key: &SigningKey,
    now: protocol::Timestamp,
) -> Result<(), Error> {
    let made = Row::load(tx)?.ok_or(StoreError::Corrupt)?.account()?;
    let succession = Succession {
        address: account.address().clone(),
        from: account.fingerprint(),
        to: made.verified.fingerprint(),
        issued_at: now,
    };
    tx.execute(
        "UPDATE account SET succession = ?1 WHERE id = 1",
        [cbor::encode(&Signed::make(&succession, recovery_key))],
    )?;
    Ok(())
}

/// Whether the pending attempt was signed to follow this identity.
fn follows_it(connection: &Connection, fingerprint: &Digest) -> Result<bool, Error> {
    let last: Option<Column<Digest>> = connection
        .prepare_cached(
            "SELECT fingerprint FROM former_identity, account WHERE succession <> x'' ORDER BY place DESC LIMIT 1",
        )?
        .query_map([], |row| row.get(0))?
        .next()
        .transpose()?;
    Ok(last.is_some_and(|Column(last)| last == *fingerprint))
}

/// Keeps what the earlier identities were, and the key with which their backup opens.
fn remember(tx: &Transaction<'_>, former: &[Digest], phrase: &RecoveryPhrase) -> Result<(), Error> {
    enrol::remember_former(tx, former)?;
    tx.execute(
        "INSERT OR REPLACE INTO restoration (id, key) VALUES (1, ?1)",
        [Column(&phrase.backup_key()?)],
    )?;
    Ok(())
}
