//! What senders seal to, and the prekeys that devices put there for it.

use std::collections::BTreeSet;

use axum::extract::State;
use protocol::api::{AccountKeys, KeysAnswer, KeysRequest, PrekeyStock, PrekeyWish};
use protocol::identity::VerifiedAccount;
use protocol::prekey::BatchUpload;
use protocol::removal::Removal;
use protocol::{Address, Code, DeviceId, Timestamp, limits};

use super::App;
use super::extract::{Binary, BinaryAnswer, Caller, InPath, Json};
use super::refusal::{Refusal, admit};
use crate::clock;
use crate::storage::{StorageError, accounts, ended, prekeys, removals};

/// `POST /v1/keys`.
pub(super) async fn hand_out(
    State(app): State<App>,
    Caller(caller): Caller,
    Json(request): Json<KeysRequest>,
) -> Result<BinaryAnswer<KeysAnswer>, Refusal> {
    let distinct: BTreeSet<_> = request.accounts.iter().collect();
    let count = request.accounts.len();
    if count == 0 || count > limits::RECIPIENTS.saturating_add(1) || distinct.len() != count {
        return Err(Refusal::new(Code::Malformed, "no account, too many, or one twice"));
    }
    let weight = u32::try_from(count).unwrap_or(u32::MAX);
    admit(&app.doors().keys, caller.device.as_bytes(), weight)?;
    let (wish, own, now) = (request.prekeys, caller.device, clock::now());
    let one_time = matches!(wish, PrekeyWish::OneTime);
    let answer = move |connection: &_| {
        let mut answer = KeysAnswer { accounts: Vec::new() };
        for address in &request.accounts {
            answer
                .accounts
                .extend(account_keys(connection, address, wish, own, now)?);
        }
        Ok(answer)
    };
    let answer = if one_time {
        app.storage()
            .write_as(caller.place, move |connection, _| answer(connection))
            .await?
    } else {
        app.storage().read_as(caller.place, answer).await?
    };
    Ok(BinaryAnswer(answer))
}

/// `GET /v1/removals/{device}`.
pub(super) async fn removal(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath(device): InPath<DeviceId>,
) -> Result<BinaryAnswer<Removal>, Refusal> {
    admit(&app.doors().keys, caller.device.as_bytes(), 1)?;
    let removal = app
        .storage()
        .read_as(caller.place, move |connection| removals::find(connection, &device))
        .await?
        .ok_or_else(|| Refusal::new(Code::NotFound, "no device that was removed"))?;
    Ok(BinaryAnswer(removal))
}

/// `GET /v1/endings/{device}`.
pub(super) async fn ending(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath(device): InPath<DeviceId>,
) -> Result<BinaryAnswer<KeysAnswer>, Refusal> {
    admit(&app.doors().keys, caller.device.as_bytes(), 1)?;
    let keys = app
        .storage()
        .read_as(caller.place, move |connection| ended::find(connection, &device))
        .await?
        .ok_or_else(|| Refusal::new(Code::NotFound, "no device of an identity that ended so"))?;
    Ok(BinaryAnswer(keys))
}

/// `GET /v1/prekeys`.
pub(super) async fn stock(State(app): State<App>, Caller(caller): Caller) -> Result<axum::Json<PrekeyStock>, Refusal> {
    let place = caller.place;
    let stock = app
        .storage()
        .read_as(place, move |connection| prekeys::stock(connection, place.device))
        .await?;
    Ok(axum::Json(stock))
}

/// `POST /v1/prekeys`.
pub(super) async fn upload(
    State(app): State<App>,
    Caller(caller): Caller,
    Binary { value, .. }: Binary<BatchUpload>,
) -> Result<axum::Json<PrekeyStock>, Refusal> {
    admit(&app.doors().uploads, caller.device.as_bytes(), 1)?;
    let now = clock::now();
    let address = caller.address.clone();
    let account = app
        .storage()
        .read_as(caller.place, move |connection| accounts::find(connection, &address))
        .await?
        .ok_or_else(|| Refusal::new(Code::DeviceUnknown, ""))?;
    let refused = |error: protocol::FormatError| Refusal::new(Code::SignatureRefused, error.to_string());
    let account = VerifiedAccount::verify(&account.identity, &account.list).map_err(refused)?;
    let root = value.verify(&account, &caller.device).map_err(refused)?;
    prekeys::check(&value, &root, now)?;
    let place = caller.place;
    let stock = app
        .storage()
        .write_as(place, move |connection, _| {
            prekeys::replace(connection, place.device, &value, &root)?;
            prekeys::stock(connection, place.device)
        })
        .await?;
    Ok(axum::Json(stock))
}

fn account_keys(
    connection: &rusqlite::Connection,
    address: &Address,
    wish: PrekeyWish,
    own: DeviceId,
    now: Timestamp,
) -> Result<Option<AccountKeys>, StorageError> {
    let Some(account) = accounts::find(connection, address)? else {
        return Ok(None);
    };
    let mut handed = Vec::new();
    if !matches!(wish, PrekeyWish::None) {
        for (row, device, _) in accounts::devices(connection, account.id, now)? {
            // Nobody seals to the device that asks: its prekeys are for others.
            if device == own {
                continue;
            }
            let one_time = matches!(wish, PrekeyWish::OneTime);
            handed.extend(prekeys::hand_out(connection, (row, device), one_time, now)?);
        }
    }
    Ok(Some(AccountKeys {
        predecessors: accounts::predecessors(connection, account.id)?,
        ended: ended::fingerprints(connection, account.id)?,
        identity: account.identity,
        list: account.list,
        prekeys: handed,
    }))
}
