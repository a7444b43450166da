//! Whether a correspondent is still who they were: the number that two people compare, and a change that has to be accepted.
//! How identities are pinned and followed is [`super::correspondent`]'s.

use protocol::api::PrekeyWish;
use protocol::cbor;
use protocol::identity::{DeviceList, Identity, Signed, VerifiedAccount, shared_number};
use protocol::{Address, Digest, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::Account;
use super::correspondent::{self, Known};
use crate::clock;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;

/// What this phone knows of a correspondent's identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityView {
    /// The number that both people see: 30 digits in groups of five.
    pub number: String,
    /// When the two compared it; none when they never did.
    pub verified_at: Option<Timestamp>,
    /// The number of another identity that the relay names now, and that was not accepted yet.
    pub changed: Option<String>,
}

/// A correspondent as this phone knows them without asking.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorrespondentView {
    /// The address.
    pub address: Address,
    /// When the number of the identity was compared; none when it never was.
    pub verified_at: Option<Timestamp>,
    /// Whether the relay names another identity, which was not accepted yet.
    pub is_changed: bool,
}

impl Session {
    /// Every correspondent whose identity is pinned here, by address.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn correspondents(&self) -> Result<Vec<CorrespondentView>, Error> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT address, verified_at, changed <> x'' FROM correspondent ORDER BY address")?;
            let rows = select.query_map([], |row| {
                let (Column(address), Column(verified_at)) = (row.get(0)?, row.get(1)?);
                Ok(CorrespondentView {
                    address,
                    verified_at,
                    is_changed: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The identity of a correspondent; asks the relay.
    ///
    /// # Errors
    ///
    /// [`Error::OwnAddress`]; [`Error::Relay`] with `not-found` for an account that is not enrolled; [`Error::Keys`];
    /// [`Error::Network`].
    pub async fn identity(&self, address: &Address) -> Result<IdentityView, Error> {
        let account = self.read(Account::load)?;
        if *address == account.address {
            return Err(Error::OwnAddress);
        }
        let known = self.ask_keys(&account, vec![address.clone()], PrekeyWish::None).await?;
        match known.get(address) {
            Some(Known::Trusted { .. } | Known::Changed) => {}
            Some(Known::Unverified(reason)) => return Err((*reason).into()),
            None => return Err(Error::Relay(protocol::Code::NotFound)),
        }
        let own = account.verified.fingerprint();
        self.read(|connection| {
            let (Column(fingerprint), Column(verified_at), changed): (Column<Digest>, _, Vec<u8>) = connection
                .query_row(
                    "SELECT fingerprint, verified_at, changed FROM correspondent WHERE address = ?1",
                    [Column(address)],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )?;
            let changed = if changed.is_empty() {
                None
            } else {
                let identity: Signed<Identity> = cbor::decode(&changed)?;
                Some(shared_number(own, identity.digest()))
            };
            Ok(IdentityView {
                number: shared_number(own, fingerprint),
                verified_at,
                changed,
            })
        })
    }

    /// Two people compared the number, and it was the same: `number` is the one this phone showed.
    ///
    /// # Errors
    ///
    /// [`Error::NumberDiffers`] when the identity is another by now.
    pub fn mark_verified(&self, address: &Address, number: &str) -> Result<(), Error> {
        self.write(|tx| {
            let own = Account::load(tx)?.verified.fingerprint();
            let pinned = correspondent::pinned(tx, address)?.ok_or(Error::NumberDiffers)?;
            if shared_number(own, pinned.fingerprint()) != number {
                return Err(Error::NumberDiffers);
            }
            tx.execute(
                "UPDATE correspondent SET verified_at = ?2 WHERE address = ?1",
                params![Column(address), Column(&clock::now())],
            )?;
            Ok(())
        })
    }

    /// The person accepts the identity that a correspondent has now: mail that was held goes on, and what came is opened.
    ///
    /// `number` is that of [`IdentityView::changed`]: what was shown is what is accepted.
    ///
    /// # Errors
    ///
    /// [`Error::NumberDiffers`] when there is no such change.
    pub fn accept_identity(&self, address: &Address, number: &str) -> Result<(), Error> {
        self.write(|tx| {
            let own = Account::load(tx)?.verified.fingerprint();
            let changed: Option<(Vec<u8>, Vec<u8>)> = tx
                .query_row(
                    "SELECT changed, changed_list FROM correspondent WHERE address = ?1 AND changed <> x''",
                    [Column(address)],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let (identity, list) = changed.ok_or(Error::NumberDiffers)?;
            let signed: Signed<Identity> = cbor::decode(&identity)?;
            let signed_list: Signed<DeviceList> = cbor::decode(&list)?;
            let account = VerifiedAccount::verify(&signed, &signed_list)?;
            if shared_number(own, account.fingerprint()) != number {
                return Err(Error::NumberDiffers);
            }
            if let Some(before) = correspondent::pinned(tx, address)? {
                correspondent::remember(tx, address, &before.fingerprint(), clock::now())?;
            }
            correspondent::pin(tx, &account, &signed, &signed_list)?;
            tx.execute(
                "UPDATE outbox SET next_attempt_at = 0 WHERE refused = '' AND instr(recipients, ?1) > 0",
                [Column(address)],
            )?;
            Ok(())
        })
    }
}
