//! Handing over the role of main device: the identity's key moves to the device that shows a code, and is erased where it was
//! once that one's list is published. At each step at least one device can sign, and in the end one alone.
//! See `docs/protocol/handover.md`.

use protocol::handover::{Claim, Handover, Keys};
use protocol::identity::{Identity, Signed};
use protocol::link::{LinkCode, LinkError};
use protocol::seal::PrekeySecret;
use protocol::sign::SigningKey;
use protocol::{Code, DeviceId, Timestamp, cbor};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::Account;
use super::list::{self, DeviceView};
use crate::archive;
use crate::crash::crash_point;
use crate::error::Error;
use crate::net::Said;
use crate::session::Session;
use crate::store::column::Column;

/// This device, while it waits for the identity's key.
struct Claiming {
    secret: PrekeySecret,
    code: LinkCode,
    claim: Signed<Claim>,
}

impl Session {
    /// The code that this device shows for the main one to read, in order to take that role over. Asked again, it is the same.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], [`Error::AlreadyMain`], [`Error::Network`].
    pub async fn show_main_code(&self) -> Result<Zeroizing<String>, Error> {
        let _alone = self.syncing.lock().await;
        let claiming = self.write(|tx| {
            let account = Account::load(tx)?;
            if list::is_main(tx)? {
                return Err(Error::AlreadyMain);
            }
            if let Some(claiming) = claiming(tx)? {
                return Ok(claiming);
            }
            let secret = PrekeySecret::make()?;
            let claim = Signed::make(
                &Claim {
                    address: account.address.clone(),
                    identity: account.verified.fingerprint(),
                    device: account.device,
                    key: secret.public()?,
                },
                &account.key,
            );
            let code = LinkCode::make(&claim)?;
            tx.execute(
                "INSERT INTO claiming (id, secret, code, claim) VALUES (1, ?1, ?2, ?3)",
                params![Column(&secret), code.to_text().as_str(), cbor::encode(&claim)],
            )?;
            Ok(Claiming { secret, code, claim })
        })?;
        crash_point!("claim-stored");
        let said = claiming.code.seal(&claiming.claim)?;
        self.relay.put_link(&claiming.code, Said::Hello, said).await?;
        Ok(claiming.code.to_text())
    }

    /// Whether this device is the main one by now: it takes the identity's key if it was answered, and publishes its list.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] when the answer is none; [`Error::Relay`], [`Error::Network`].
    pub async fn finish_handover(&self) -> Result<bool, Error> {
        let _alone = self.syncing.lock().await;
        let account = self.read(Account::load)?;
        let outcome = self.take_over(&account).await;
        self.heed(&account, outcome).await
    }

    async fn take_over(&self, account: &Account) -> Result<bool, Error> {
        if let Some(claiming) = self.read(claiming)? {
            // The relay keeps it in memory alone.
            let said = claiming.code.seal(&claiming.claim)?;
            self.relay.put_link(&claiming.code, Said::Hello, said).await?;
            let answer: Handover = match self.relay.link(&claiming.code, Said::Answer).await {
                Err(Error::Relay(Code::NotFound)) => return Ok(false),
                sealed => claiming.code.open_answer(&sealed?)?,
            };
            let keys = answer
                .open(&claiming.secret, &claiming.claim)
                .map_err(|_| Error::Link(LinkError::Sealed))?;
            let now = self.relay.clock.now();
            self.write(|tx| take_keys(tx, &keys, now))?;
            crash_point!("main-key-stored");
            self.empty_log()?;
        }
        self.publish_lists(account).await?;
        self.read(|connection| {
            let account = Account::load(connection)?;
            let first = account.verified.devices().first().map(|main| main.id);
            Ok(first == Some(account.device) && list::is_main(connection)?)
        })
    }

    /// The device that shows this code and is to be the main one, for the person to confirm.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] when it is no code, or not one of a device of this account; [`Error::Relay`] with `not-found` when it is
    /// not shown any more; [`Error::NotMain`].
    pub async fn handover_request(&self, code: &str) -> Result<DeviceView, Error> {
        let code = LinkCode::parse(code)?;
        self.read(list::identity_key)?;
        let claim = code.open_hello(&self.relay.link(&code, Said::Hello).await?)?;
        self.read(|connection| {
            let claim = verify(&Account::load(connection)?, &claim)?;
            let mut devices = list::views(connection)?.into_iter();
            devices
                .find(|device| device.id == claim.device)
                .ok_or(Error::NoSuchDevice)
        })
    }

    /// The person confirms: this device hands over to the one that shows the code. It signs no list from now on, and erases the
    /// identity's key once the other one's list is published. To remove that one calls it off.
    ///
    /// # Errors
    ///
    /// As [`Session::handover_request`]; [`Error::DevicesChanging`].
    pub async fn hand_over(&self, code: &str) -> Result<(), Error> {
        let _alone = self.syncing.lock().await;
        let code = LinkCode::parse(code)?;
        self.read(list::identity_key)?;
        let claim: Signed<Claim> = code.open_hello(&self.relay.link(&code, Said::Hello).await?)?;
        self.publish_lists(&self.read(Account::load)?).await?;
        let answer = self.write(|tx| {
            let key = list::identity_key(tx)?;
            let asked = verify(&Account::load(tx)?, &claim)?;
            let is_changing = tx
                .prepare_cached("SELECT 1 FROM list_change UNION ALL SELECT 1 FROM handover WHERE device <> ?1")?
                .exists([Column(&asked.device)])?;
            if is_changing {
                return Err(Error::DevicesChanging);
            }
            let keys = Keys {
                seed: key.seed().clone(),
                backup: archive::backup_key(tx)?,
            };
            let answer = code.seal(&Handover::make(&keys, &claim, &asked.key)?)?;
            tx.execute(
                "INSERT OR REPLACE INTO handover (id, device, code, answer) VALUES (1, ?1, ?2, ?3)",
                params![Column(&asked.device), code.to_text().as_str(), answer],
            )?;
            Ok(answer)
        })?;
        crash_point!("handover-stored");
        self.relay.put_link(&code, Said::Answer, answer).await
    }

    /// The device that this one is handing over to.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn handing_over_to(&self) -> Result<Option<DeviceId>, Error> {
        self.read(successor)
    }

    /// Says again what was answered, and looks whether the other device is the main one by now.
    pub(crate) async fn go_on_handing_over(&self, account: &Account) -> Result<(), Error> {
        let waiting: Option<(String, Vec<u8>)> = self.read(|connection| {
            let row = connection
                .query_row("SELECT code, answer FROM handover", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            Ok(row)
        })?;
        let Some((code, answer)) = waiting else { return Ok(()) };
        // It is said again with every sync: whatever hinders it holds up nothing else.
        if let Err(error) = self
            .relay
            .put_link(&LinkCode::parse(&code)?, Said::Answer, answer)
            .await
        {
            tracing::info!(code = error.code(), "the next main device was not answered");
        }
        if self.refresh_list(account).await? {
            crash_point!("other-main-seen");
            self.empty_log()?;
        }
        Ok(())
    }
}

/// The device to which this one is handing over.
pub(super) fn successor(connection: &Connection) -> Result<Option<DeviceId>, Error> {
    let device = connection
        .query_row("SELECT device FROM handover", [], |row| row.get(0))
        .optional()?;
    Ok(device.map(|Column(device)| device))
}

/// The claim, if it is of another device of this account, which has signed it.
fn verify(account: &Account, claim: &Signed<Claim>) -> Result<Claim, Error> {
    let mut others = account
        .verified
        .devices()
        .iter()
        .filter(|device| device.id != account.device);
    others
        .find_map(|device| claim.verify(&device.key).ok().filter(|claim| claim.device == device.id))
        .filter(|claim| claim.address == account.address && claim.identity == account.verified.fingerprint())
        .ok_or(Error::Link(LinkError::OtherDevice))
}

/// Stores the identity's key, and that this device is to be the first of the list. The backup goes on here.
fn take_keys(tx: &Transaction<'_>, keys: &Keys, now: Timestamp) -> Result<(), Error> {
    let seed = &keys.seed;
    let identity: Vec<u8> = tx.query_row("SELECT identity FROM account", [], |row| row.get(0))?;
    let identity: Signed<Identity> = cbor::decode(&identity)?;
    if identity.verify(&SigningKey::derive(seed).verifying_key()).is_err() {
        return Err(Error::Link(LinkError::Sealed));
    }
    tx.execute("UPDATE account SET identity_seed = ?1", [Column(seed)])?;
    tx.execute("DELETE FROM claiming", [])?;
    tx.execute("INSERT INTO list_change (is_claim) VALUES (1)", [])?;
    match &keys.backup {
        Some(key) => archive::begin_backup(tx, key, now),
        None => Ok(()),
    }
}

fn claiming(connection: &Connection) -> Result<Option<Claiming>, Error> {
    let row: Option<(Column<PrekeySecret>, Zeroizing<String>, Vec<u8>)> = connection
        .query_row("SELECT secret, code, claim FROM claiming", [], |row| {
            Ok((row.get(0)?, row.get(1).map(Zeroizing::<String>::new)?, row.get(2)?))
        })
        .optional()?;
    let Some((Column(secret), code, claim)) = row else {
        return Ok(None);
    };
    Ok(Some(Claiming {
        secret,
        code: LinkCode::parse(&code)?,
        claim: cbor::decode(&claim)?,
    }))
}
