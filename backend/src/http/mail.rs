//! Deposits and withdrawals.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{DepositAnswer, Withdrawal, WithdrawalAnswer};
use protocol::envelope::{Deposit, Header};
use protocol::{Code, Digest, limits};

use super::App;
use super::extract::{Binary, Caller, Json};
use super::refusal::{Refusal, admit};
use crate::blobs::IN_ROW_BYTES;
use crate::clock;
use crate::crash::crash_point;
use crate::storage::StorageError;
use crate::storage::deposits::{self, Arrival, Payload};
use crate::tokens::Bearer;

/// `POST /v1/deposits`. The message id is looked up before any other check, so that a lost reply can be had again.
pub(super) async fn deposit(
    State(app): State<App>,
    Caller(caller): Caller,
    Binary { value: deposit, .. }: Binary<Deposit>,
) -> Result<axum::Json<DepositAnswer>, Refusal> {
    let parsed = Header::parse(&deposit.header)?;
    let (place, id) = (caller.place, parsed.id);
    let header_digest = Digest::of(&[&deposit.header]);
    let repeated = app
        .storage()
        .read_as(place, move |connection| {
            deposits::first_answer(connection, place.account, id, &header_digest)
        })
        .await?;
    if let Some(answer) = repeated {
        return Ok(axum::Json(answer));
    }
    admit(&app.doors().deposits, caller.device.as_bytes(), 1)?;
    let arrival = arrive(&app, &caller, parsed, deposit).await?;
    let answer = app
        .storage()
        .write(move |connection, effects| deposits::accept(connection, effects, arrival, clock::now()))
        .await?;
    crash_point!("deposit-unanswered");
    Ok(axum::Json(answer))
}

/// `POST /v1/rewraps`: an envelope once more, for devices that could not open it.
pub(super) async fn rewrap(
    State(app): State<App>,
    Caller(caller): Caller,
    Binary { value: deposit, .. }: Binary<Deposit>,
) -> Result<StatusCode, Refusal> {
    let parsed = Header::parse(&deposit.header)?;
    admit(&app.doors().deposits, caller.device.as_bytes(), 1)?;
    admit(&app.doors().rewraps, caller.address.as_str().as_bytes(), 1)?;
    let arrival = arrive(&app, &caller, parsed, deposit).await?;
    app.storage()
        .write(move |connection, effects| deposits::rewrap(connection, effects, arrival, clock::now()))
        .await?;
    crash_point!("rewrap-unanswered");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/withdrawals`.
pub(super) async fn withdraw(
    State(app): State<App>,
    Caller(caller): Caller,
    Json(request): Json<Withdrawal>,
) -> Result<axum::Json<WithdrawalAnswer>, Refusal> {
    // One leaves a row behind, as a deposit does.
    admit(&app.doors().deposits, caller.device.as_bytes(), 1)?;
    let place = caller.place;
    let answer = app
        .storage()
        .write_as(place, move |connection, effects| {
            deposits::withdraw(connection, effects, place.account, request.id, clock::now())
        })
        .await?;
    crash_point!("withdrawal-unanswered");
    Ok(axum::Json(answer))
}

/// Checks the sizes, and keeps the payload.
async fn arrive(app: &App, caller: &Bearer, parsed: Header, deposit: Deposit) -> Result<Arrival, Refusal> {
    if deposit.payload.len() > limits::PAYLOAD_BYTES || deposit.wraps.len() > limits::WRAPS {
        return Err(Refusal::new(Code::TooLarge, "the payload or the number of wraps"));
    }
    if deposit.payload.is_empty() {
        return Err(Refusal::new(Code::Malformed, "no payload"));
    }
    let payload_digest = Digest::of(&[&deposit.payload]);
    let payload_bytes = i64::try_from(deposit.payload.len()).unwrap_or(i64::MAX);
    let payload = keep(app, deposit.payload.into()).await?;
    crash_point!("payload-kept");
    Ok(Arrival {
        sender: caller.address.clone(),
        place: caller.place,
        header: deposit.header.into(),
        parsed,
        wraps: deposit.wraps,
        payload,
        payload_digest,
        payload_bytes,
    })
}

/// Where the payload stays: a large one goes to the blob folder, durable before the row that will name it.
async fn keep(app: &App, payload: Vec<u8>) -> Result<Payload, Refusal> {
    if payload.len() <= IN_ROW_BYTES {
        return Ok(Payload::Bytes(payload));
    }
    let blobs = Arc::clone(app.blobs());
    let file = tokio::task::spawn_blocking(move || blobs.store(&payload))
        .await
        .map_err(|_| StorageError::Stopped)?
        .map_err(StorageError::File)?;
    Ok(Payload::File(file))
}
