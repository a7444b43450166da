//! Enrolment: the identity, the first device and its first prekeys are made here and published with an activation code.
//! All of it is stored before the first attempt, so that a lost reply is asked for again with the same keys.

use protocol::api::Enrolment;
use protocol::cbor;
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Predecessor, Signed};
use protocol::sign::SigningKey;
use protocol::{Address, Digest, Timestamp};
use rusqlite::{Transaction, params};

use super::phrase::{self, RecoveryPhrase};
use super::{Account, Row, former, prekeys, put_back};
use crate::clock;
use crate::crash::crash_point;
use crate::error::Error;
use crate::session::Session;
use crate::store::StoreError;
use crate::store::column::Column;
use crate::sync::{standing, states};

impl Session {
    /// Enrols `address` on this phone with the code that the operator gave. An attempt that failed on the way is gone on with.
    ///
    /// The recovery phrase is to be shown, and [`Session::phrase_shown`] called then: until that, another call gives it again.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyEnrolled`], [`Error::Relay`] with `activation-refused` or `already-enrolled`, [`Error::Network`].
    pub async fn enrol(&self, address: &Address, code: &str) -> Result<RecoveryPhrase, Error> {
        let _alone = self.syncing.lock().await;
        match self.read(Account::load) {
            Err(Error::NotEnrolled) => {}
            Ok(account) if account.address == *address => {
                if let Some(phrase) = self.read(phrase::pending)? {
                    return Ok(phrase);
                }
                self.read(|connection| put_back::check_free(connection, address))?;
            }
            Ok(_) => return Err(Error::AlreadyEnrolled),
            Err(error) => return Err(error),
        }
        let server = self.relay.server().await?.name;
        let present = self.present(address).await?;
        let now = self.relay.clock.now();
        let (request, phrase) = self.write(|tx| {
            put_back::leave(tx)?;
            // One that was to take an account over asks for something else.
            let is_recovery = tx
                .prepare_cached("SELECT 1 FROM former_identity WHERE predecessor <> x''")?
                .exists([])?;
            let pending = Row::load(tx)?.map(Row::account).transpose()?;
            let pending = pending.filter(|account| account.address == *address && !is_recovery);
            let phrase = if let Some(account) = pending {
                resume(tx, &account, &server, now)?;
                phrase::pending(tx)?.ok_or(StoreError::Corrupt)?
            } else {
                let phrase = RecoveryPhrase::make()?;
                prepare(tx, address, &server, now, &phrase, None)?;
                phrase
            };
            let made = Row::load(tx)?
                .ok_or(StoreError::Corrupt)?
                .account()?
                .verified
                .fingerprint();
            // Once it is this one, the relay took an earlier attempt.
            if present.last() != Some(&made) {
                former::keep(tx, &present)?;
            }
            Ok((request(tx, code, Vec::new())?, phrase))
        })?;
        crash_point!("enrolment-stored");
        self.relay.enrol(&request).await?;
        crash_point!("enrolment-accepted");
        self.write(|tx| confirm(tx, now))?;
        Ok(phrase)
    }

    /// Enrols this phone once more, as the device that it was: the relay was put back to a copy from before its account, and knows
    /// nobody at its address, or whom the operator had activated anew. The code is that of then, or another one.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyEnrolled`] when the relay knows the account; [`Error::NotEnrolled`]; [`Error::Relay`] with
    /// `activation-refused`, or with `already-enrolled` when another one is there, and the code does not put it aside;
    /// [`Error::Network`].
    pub async fn enrol_once_more(&self, code: &str) -> Result<(), Error> {
        let _alone = self.syncing.lock().await;
        let account = self.read(Account::load)?;
        let own = account.verified.fingerprint();
        if let Some(listed) = self.listed(&account.address).await?
            && listed.account.fingerprint() == own
        {
            return Err(Error::AlreadyEnrolled);
        }
        self.show_account(&account, code, Vec::new()).await
    }

    /// Shows a relay that was put back to a copy from before this account its identity, its newest list, and what leads to it.
    pub(super) async fn show_account(
        &self,
        account: &Account,
        code: &str,
        steps: Vec<Predecessor>,
    ) -> Result<(), Error> {
        // Its clock judges the prekeys.
        self.relay.server().await?;
        let now = self.relay.clock.now();
        let request = self.write(|tx| {
            // Of the prekeys that it published before, it is not known which were handed out: others are shown.
            prekeys::make_batch_to_show(tx, account, now)?;
            // What the phone before had sent, as the backup has it, may be lost there, too.
            standing::offer_again(tx, now.min(clock::now()))?;
            request(tx, code, steps)
        })?;
        self.relay.enrol(&request).await?;
        Ok(())
    }

    /// The identity that the relay has for this address, after those that it follows; none where nobody is enrolled.
    ///
    /// With a code by which the operator activates the address anew, mail that was sealed for them is this phone's. That they
    /// were the same person's is the operator's word, as the code is.
    async fn present(&self, address: &Address) -> Result<Vec<Digest>, Error> {
        let listed = match self.listed(address).await {
            // Nobody follows what does not verify.
            Err(Error::Format(_)) => None,
            listed => listed?.filter(|listed| listed.account.address() == address),
        };
        Ok(listed.map_or_else(Vec::new, |listed| {
            let own = listed.fingerprints();
            listed.keys.ended.into_iter().chain(own).collect()
        }))
    }
}

/// The relay has confirmed the account.
pub(super) fn confirm(tx: &Transaction<'_>, now: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE account SET enrolled_at = ?1 WHERE id = 1", [Column(&now)])?;
    Ok(())
}

/// Goes on with an attempt that may have been made at another relay, or under a clock that was wrong.
///
/// The identity stays, so that a relay which took it already knows it again. A batch whose date no relay would take now is
/// followed by another; its secrets stay for the case that one did.
pub(super) fn resume(tx: &Transaction<'_>, account: &Account, server: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE account SET server = ?1 WHERE id = 1", [server])?;
    prekeys::make_batch_to_show(tx, account, now)
}

/// Makes every key of a new identity and stores them, replacing an attempt for another address.
pub(super) fn prepare(
    tx: &Transaction<'_>,
    address: &Address,
    server: &str,
    now: Timestamp,
    phrase: &RecoveryPhrase,
    follows: Option<Digest>,
) -> Result<(), Error> {
    let (identity_key, device_key) = (SigningKey::make()?, SigningKey::make()?);
    let created_at = now;
    let identity = Signed::make(
        &Identity {
            address: address.clone(),
            key: identity_key.verifying_key(),
            recovery: phrase.recovery_key()?.verifying_key(),
            created_at,
            follows,
        },
        &identity_key,
    );
    let fingerprint = identity.digest();
    let certificate = DeviceCertificate {
        address: address.clone(),
        identity: fingerprint,
        key: device_key.verifying_key(),
        created_at,
    };
    let device = certificate.device();
    let list = Signed::make(
        &DeviceList {
            address: address.clone(),
            identity: fingerprint,
            version: 1,
            devices: vec![Signed::make(&certificate, &identity_key)],
            issued_at: created_at,
        },
        &identity_key,
    );
    tx.execute_batch("DELETE FROM prekey; DELETE FROM batch_upload; DELETE FROM past_list;")?;
    tx.execute(
        "INSERT OR REPLACE INTO account (id, address, identity, identity_seed, list, device, device_seed, server)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            Column(address),
            cbor::encode(&identity),
            Column(identity_key.seed()),
            cbor::encode(&list),
            Column(&device),
            Column(device_key.seed()),
            server,
        ],
    )?;
    // The devices of before are not this account's.
    states::none_are_due(tx)?;
    let row = Row::load(tx)?.ok_or(StoreError::Corrupt)?;
    prekeys::make_batch(tx, &row.account()?, 0, now)?;
    phrase::keep(tx, phrase)
}

/// The request for what is stored, with the newest batch: by a code, or by what leads to it from the identity that the relay has.
pub(super) fn request(tx: &Transaction<'_>, code: &str, predecessors: Vec<Predecessor>) -> Result<Enrolment, Error> {
    let (identity, list, upload): (Vec<u8>, Vec<u8>, Vec<u8>) = tx.query_row(
        "SELECT identity, list, upload FROM account, batch_upload ORDER BY number DESC LIMIT 1",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(Enrolment {
        code: code.trim().to_owned(),
        identity: cbor::decode(&identity)?,
        list: cbor::decode(&list)?,
        batch: cbor::decode(&upload)?,
        predecessors,
    })
}
