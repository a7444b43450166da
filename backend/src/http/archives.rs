//! Archives: sealed parts that an account's phones put here, and fetch when one follows another.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::Archives;
use protocol::{ArchiveId, Code, Digest, limits};

use super::App;
use super::extract::{Caller, InPath, Sealed, SealedAnswer};
use super::refusal::{Refusal, admit};
use crate::clock;
use crate::crash::crash_point;
use crate::storage::StorageError;
use crate::storage::archives::{self, Part};

/// `GET /v1/archives`.
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Result<axum::Json<Archives>, Refusal> {
    admit(&app.doors().archives, caller.device.as_bytes(), 1)?;
    let place = caller.place;
    let list = app
        .storage()
        .read_as(place, move |connection| archives::list(connection, place.account))
        .await?;
    Ok(axum::Json(list))
}

/// `PUT /v1/archives/{archive}/{part}`.
pub(super) async fn put(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath((archive, number)): InPath<(ArchiveId, u64)>,
    Sealed { bytes, .. }: Sealed<{ limits::ARCHIVE_PART_BYTES }>,
) -> Result<StatusCode, Refusal> {
    admit(&app.doors().archives, caller.device.as_bytes(), 1)?;
    if bytes.is_empty() {
        return Err(Refusal::new(Code::Malformed, "an empty part"));
    }
    let part = Part {
        archive,
        number,
        digest: Digest::of(&[&bytes]),
        size_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
    };
    let place = caller.place;
    let is_new = app
        .storage()
        .read_as(place, move |connection| {
            archives::weigh(connection, place.account, &part)
        })
        .await?;
    if !is_new {
        return Ok(StatusCode::NO_CONTENT);
    }
    let blobs = Arc::clone(app.blobs());
    let file = tokio::task::spawn_blocking(move || blobs.store(&bytes))
        .await
        .map_err(|_| StorageError::Stopped)?
        .map_err(StorageError::File)?;
    app.storage()
        .write(move |connection, effects| archives::put(connection, effects, place, (&part, file), clock::now()))
        .await?;
    crash_point!("part-unanswered");
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/archives/{archive}/{part}`.
pub(super) async fn part(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath((archive, number)): InPath<(ArchiveId, u64)>,
) -> Result<SealedAnswer, Refusal> {
    admit(&app.doors().archives, caller.device.as_bytes(), 1)?;
    let (place, blobs) = (caller.place, Arc::clone(app.blobs()));
    let bytes = app
        .storage()
        .read_as(place, move |connection| {
            let blob = archives::find(connection, place.account, archive, number)?;
            Ok(blob.map(|name| blobs.load(&name)).transpose()?.flatten())
        })
        .await?
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such part"))?;
    Ok(SealedAnswer(bytes.into()))
}

/// `DELETE /v1/archives/{archive}`.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(caller): Caller,
    InPath(archive): InPath<ArchiveId>,
) -> Result<StatusCode, Refusal> {
    admit(&app.doors().archives, caller.device.as_bytes(), 1)?;
    let place = caller.place;
    app.storage()
        .write_as(place, move |connection, effects| {
            archives::remove(connection, effects, place.account, archive)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
