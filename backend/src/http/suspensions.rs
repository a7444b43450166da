//! Suspending a device of one's account, and letting it in again.

use axum::extract::State;
use axum::http::StatusCode;
use protocol::DeviceId;
use protocol::api::Suspensions;

use super::App;
use super::extract::{Caller, InPath};
use super::refusal::{Refusal, admit};
use crate::clock;
use crate::storage::suspensions;

/// `GET /v1/suspensions`.
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Result<axum::Json<Suspensions>, Refusal> {
    let account = caller.place.account;
    let suspensions = app
        .storage()
        .read_as(caller.place, move |connection| suspensions::list(connection, account))
        .await?;
    Ok(axum::Json(Suspensions { suspensions }))
}

/// `PUT /v1/suspensions/{device}`: its tokens end, and its stream and polls.
pub(super) async fn suspend(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath(device): InPath<DeviceId>,
) -> Result<StatusCode, Refusal> {
    admit(&app.doors().uploads, caller.device.as_bytes(), 1)?;
    let (place, now, doors) = (caller.place, clock::now(), app.clone());
    app.storage()
        .write_as(place, move |connection, effects| {
            suspensions::suspend(connection, effects, place, device, now)?;
            doors.tokens().end(&[device]);
            Ok(())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/suspensions/{device}`.
pub(super) async fn lift(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath(device): InPath<DeviceId>,
) -> Result<StatusCode, Refusal> {
    admit(&app.doors().uploads, caller.device.as_bytes(), 1)?;
    app.storage()
        .write_as(caller.place, move |connection, _| {
            suspensions::lift(connection, &caller, device, clock::now())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
