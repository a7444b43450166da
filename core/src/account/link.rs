//! Adding a device. The new one shows a code and waits; the main one reads it, puts it on the list, and only then writes the
//! history for it, so that nothing falls between: mail is sealed to it from the list on, and what came before is in the history.

use protocol::identity::{DeviceCertificate, VerifiedDevice};
use protocol::link::{Answer, Hello, LinkCode, LinkError};
use protocol::sign::{Seed, SigningKey};
use protocol::{Address, ArchiveId, Code, DeviceId, DeviceName, Timestamp, archive::ArchiveKey, cbor, limits};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::{Account, Listed, enrol, former, handover, list, name, prekeys, put_back};
use crate::crash::crash_point;
use crate::error::Error;
use crate::net::Said;
use crate::session::Session;
use crate::store::column::{Column, numbered};
use crate::{archive, clock};

/// For this long the main device says again that it has read a code: the relay may have forgotten it, in days.
const ANSWER_DAYS: i64 = 1;

/// A device that asks to be added.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkRequest {
    /// What the person calls it.
    pub name: DeviceName,
    /// Its id.
    pub device: DeviceId,
}

/// How far the adding of a device has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LinkStep {
    /// A person has confirmed it; it is not on the list yet.
    Confirmed,
    /// It is on the list.
    Listed,
    /// Its history is written.
    Writing,
    /// It was told where its history is.
    Told,
}

numbered! {
    LinkStep {
        Confirmed = 0,
        Listed = 1,
        Writing = 2,
        Told = 3,
    }
}

/// This device, while it waits to be added.
struct Joining {
    address: Address,
    seed: Seed,
    code: LinkCode,
    hello: Vec<u8>,
}

impl Session {
    /// The code that this new device shows for the main one of `address` to read. Asked again, it is the same.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyEnrolled`], [`Error::Network`].
    pub async fn show_link_code(&self, address: &Address, name: &DeviceName) -> Result<Zeroizing<String>, Error> {
        let _alone = self.syncing.lock().await;
        self.read(|connection| put_back::check_free(connection, address))?;
        // Where nobody is enrolled, nobody reads the code: what this phone has of the account is not given up for that.
        self.listed(address).await?.ok_or(Error::Relay(Code::NotFound))?;
        // Its clock judges the prekeys.
        self.relay.server().await?;
        let now = self.relay.clock.now();
        let joining = self.write(|tx| {
            if let Some(joining) = joining(tx)?.filter(|joining| joining.address == *address) {
                return Ok(joining);
            }
            let key = SigningKey::make()?;
            put_back::leave(tx)?;
            tx.execute_batch(
                "DELETE FROM joining; DELETE FROM prekey; DELETE FROM batch_upload; DELETE FROM account;",
            )?;
            let holder = prekeys::Holder {
                address,
                device: protocol::identity::device_id(&key.verifying_key()),
                key: &key,
                list_version: 0,
            };
            let hello = Hello {
                key: key.verifying_key(),
                batch: prekeys::store_batch(tx, &holder, 1, now)?,
                name: name.clone(),
            };
            let code = LinkCode::make(&hello)?;
            let joining = Joining {
                address: address.clone(),
                seed: key.seed().clone(),
                hello: code.seal(&hello)?,
                code,
            };
            tx.execute(
                "INSERT INTO joining (id, address, device_seed, code, hello) VALUES (1, ?1, ?2, ?3, ?4)",
                params![
                    Column(&joining.address),
                    Column(&joining.seed),
                    joining.code.to_text().as_str(),
                    joining.hello
                ],
            )?;
            Ok(joining)
        })?;
        crash_point!("link-code-stored");
        self.relay.put_link(&joining.code, Said::Hello, joining.hello).await?;
        Ok(joining.code.to_text())
    }

    /// Whether the main device has added this one; it is enrolled then. Its history comes with the next syncs.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`] when no code is shown; [`Error::Relay`], [`Error::Network`].
    pub async fn finish_link(&self) -> Result<bool, Error> {
        let _alone = self.syncing.lock().await;
        if self.read(Account::load).is_ok() {
            return Ok(true);
        }
        let joining = self.read(joining)?.ok_or(Error::NotEnrolled)?;
        let called = joining.code.open_hello::<Hello>(&joining.hello)?.name;
        // The relay keeps it in memory alone.
        self.relay.put_link(&joining.code, Said::Hello, joining.hello).await?;
        let answer = match self.relay.link(&joining.code, Said::Answer).await {
            Err(Error::Relay(Code::NotFound)) => return Ok(false),
            sealed => joining.code.open_answer::<Answer>(&sealed?)?,
        };
        let listed = self.listed(&joining.address).await?;
        let Listed { account, keys: present } = listed.ok_or(Error::Relay(Code::NotFound))?;
        let key = SigningKey::derive(&joining.seed);
        let device = protocol::identity::device_id(&key.verifying_key());
        // The code was read by somebody of this account, and this account's list has the device.
        if *account.address() != joining.address || account.fingerprint() != answer.identity {
            return Err(Error::LinkedElsewhere);
        }
        if account.device(&device).is_none() {
            return Ok(false);
        }
        let server = self.relay.server().await?.name;
        let now = self.relay.clock.now();
        self.write(|tx| {
            tx.execute_batch("DELETE FROM joining; DELETE FROM batch_upload;")?;
            tx.execute(
                "INSERT INTO account (id, address, identity, identity_seed, list, device, device_seed, server, devices)
                 VALUES (1, ?1, ?2, x'', ?3, ?4, ?5, ?6, ?7)",
                params![
                    Column(&joining.address),
                    cbor::encode(&present.identity),
                    cbor::encode(&present.list),
                    Column(&device),
                    Column(&joining.seed),
                    server,
                    account.devices().len()
                ],
            )?;
            list::keep(tx, &account, &present.list)?;
            former::keep_line(tx, &account, &present.predecessors)?;
            name::store(tx, &device, &called)?;
            archive::await_history(tx, clock::now())?;
            enrol::confirm(tx, now)
        })?;
        crash_point!("link-finished");
        Ok(true)
    }

    /// The device that shows this code, for the person to confirm.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] when it is no code, or another device answers for it; [`Error::Relay`] with `not-found` when it is not
    /// shown any more; [`Error::NotMain`].
    pub async fn link_request(&self, code: &str) -> Result<LinkRequest, Error> {
        let code = LinkCode::parse(code)?;
        self.read(list::identity_key)?;
        let hello: Hello = code.open_hello(&self.relay.link(&code, Said::Hello).await?)?;
        Ok(LinkRequest {
            name: hello.name,
            device: protocol::identity::device_id(&hello.key),
        })
    }

    /// The person confirms: the device is put on the list with the next sync, and gets the history.
    ///
    /// # Errors
    ///
    /// As [`Session::link_request`]; [`Error::TooManyDevices`]; [`Error::DevicesChanging`] while this device hands over its role.
    pub async fn confirm_link(&self, code: &str) -> Result<LinkRequest, Error> {
        let code = LinkCode::parse(code)?;
        let hello: Hello = code.open_hello(&self.relay.link(&code, Said::Hello).await?)?;
        // For how long it is answered, the relay's clock says.
        self.relay.server().await?;
        let now = self.relay.clock.now();
        let device = protocol::identity::device_id(&hello.key);
        self.write(|tx| {
            list::identity_key(tx)?;
            if handover::successor(tx)?.is_some() {
                return Err(Error::DevicesChanging);
            }
            let account = Account::load(tx)?;
            if account.verified.device(&device).is_some() {
                // It is on the list, and has not heard so; what it was told of its history may be lost as well.
                return begin(tx, device, &hello, &code, LinkStep::Listed, now);
            }
            if account.verified.devices().len() >= limits::DEVICES {
                return Err(Error::TooManyDevices);
            }
            // The relay would refuse a list with prekeys that are for another account, and every list after it.
            let new = VerifiedDevice {
                id: device,
                key: hello.key.clone(),
                added_at: now,
            };
            let root = hello
                .batch
                .verify_new(&account.address, &new)
                .map_err(|_| Error::Link(LinkError::OtherDevice))?;
            // A day more, as at the relay: the two devices' estimates of its time differ.
            let latest = now.plus_days(limits::BATCH_DAYS.saturating_add(1));
            if !(now.plus_days(1)..=latest).contains(&root.not_after) {
                return Err(Error::Link(LinkError::OtherDevice));
            }
            let certificate = DeviceCertificate {
                address: account.address.clone(),
                identity: account.verified.fingerprint(),
                key: hello.key.clone(),
                created_at: now,
            };
            let is_due = tx
                .prepare_cached("SELECT 1 FROM linking WHERE device = ?1")?
                .exists([Column(&device)])?;
            if !is_due {
                tx.execute(
                    "INSERT INTO list_change (added, batch) VALUES (?1, ?2)",
                    params![cbor::encode(&certificate), cbor::encode(&hello.batch)],
                )?;
            }
            begin(tx, device, &hello, &code, LinkStep::Confirmed, now)
        })?;
        crash_point!("link-confirmed");
        Ok(LinkRequest {
            name: hello.name,
            device,
        })
    }

    /// Tells devices that are being added that their code was read.
    pub(crate) async fn answer_links(&self, account: &Account) -> Result<(), Error> {
        let since = self.relay.clock.now().plus_days(-ANSWER_DAYS);
        let codes: Vec<String> = self.read(|connection| waiting_codes(connection, since))?;
        let identity = account.verified.fingerprint();
        for code in codes {
            let code = LinkCode::parse(&code)?;
            let answer = code.seal(&Answer { identity })?;
            // It is said again with every sync: whatever hinders it holds up nothing else.
            if let Err(error) = self.relay.put_link(&code, Said::Answer, answer).await {
                tracing::info!(code = error.code(), "a device that is being added was not answered");
            }
        }
        Ok(())
    }
}

/// A device is being added here: its code is answered from now on. One whose adding goes on stays as far as it has come.
fn begin(
    tx: &Transaction<'_>,
    device: DeviceId,
    hello: &Hello,
    code: &LinkCode,
    step: LinkStep,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO linking (device, name, code, archive, key, step, begun_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (device) DO UPDATE SET code = excluded.code, begun_at = excluded.begun_at",
        params![
            Column(&device),
            Column(&hello.name),
            code.to_text().as_str(),
            Column(&ArchiveId::make()?),
            Column(&ArchiveKey::make()?),
            step,
            Column(&now)
        ],
    )?;
    Ok(())
}

fn waiting_codes(connection: &Connection, since: Timestamp) -> Result<Vec<String>, Error> {
    let mut select =
        connection.prepare_cached("SELECT code FROM linking WHERE step <> ?1 AND code <> '' AND begun_at > ?2")?;
    let codes = select.query_map(params![LinkStep::Confirmed, Column(&since)], |row| row.get(0))?;
    Ok(codes.collect::<Result<_, _>>()?)
}

fn joining(connection: &Connection) -> Result<Option<Joining>, Error> {
    let row = connection
        .query_row("SELECT address, device_seed, code, hello FROM joining", [], |row| {
            let (Column(address), Column(seed)) = (row.get(0)?, row.get(1)?);
            Ok((address, seed, row.get(2).map(Zeroizing::<String>::new)?, row.get(3)?))
        })
        .optional()?;
    let Some((address, seed, code, hello)) = row else {
        return Ok(None);
    };
    Ok(Some(Joining {
        address,
        seed,
        code: LinkCode::parse(&code)?,
        hello,
    }))
}
