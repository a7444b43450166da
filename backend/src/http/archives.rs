//! Archives: sealed parts that an account's phones put here, and fetch when one follows another.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::api::{self, Archives};
use protocol::{ArchiveId, Code, Digest, Timestamp, limits};

use super::App;
use super::extract::{Caller, Sealed};
use super::refusal::Refusal;
use crate::crash::crash_point;
use crate::storage::StorageError;
use crate::storage::archives::{self, ArrivedPart};

/// `GET /v1/archives`.
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Result<axum::Json<Archives>, Refusal> {
    let account = caller.place.account;
    let list = app
        .storage()
        .read(move |connection| archives::list(connection, account))
        .await?;
    Ok(axum::Json(list))
}

/// `PUT /v1/archives/{archive}/{part}`.
pub(super) async fn put(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((archive, number)): Path<(String, u64)>,
    Sealed(bytes): Sealed<{ limits::ARCHIVE_PART_BYTES }>,
) -> Result<StatusCode, Refusal> {
    let archive = parse(&archive)?;
    if !app.doors().archives.take(caller.device.as_bytes(), 1) {
        return Err(Refusal::new(Code::Throttled, ""));
    }
    if bytes.is_empty() {
        return Err(Refusal::new(Code::Malformed, "an empty part"));
    }
    let digest = Digest::of(&[&bytes]);
    let size_bytes = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let blobs = Arc::clone(app.blobs());
    let file = tokio::task::spawn_blocking(move || blobs.store(&bytes))
        .await
        .map_err(|_| StorageError::Stopped)?
        .map_err(StorageError::File)?;
    let account = caller.place.account;
    app.storage()
        .write(move |connection, effects| {
            let part = ArrivedPart {
                archive,
                number,
                digest,
                size_bytes,
                file,
            };
            archives::put(connection, effects, account, part, Timestamp::now())
        })
        .await?;
    crash_point!("part-unanswered");
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/archives/{archive}/{part}`.
pub(super) async fn part(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((archive, number)): Path<(String, u64)>,
) -> Result<([(&'static str, &'static str); 1], Vec<u8>), Refusal> {
    let archive = parse(&archive)?;
    if !app.doors().archives.take(caller.device.as_bytes(), 1) {
        return Err(Refusal::new(Code::Throttled, ""));
    }
    let (account, blobs) = (caller.place.account, Arc::clone(app.blobs()));
    let bytes = app
        .storage()
        .read(move |connection| {
            let blob = archives::find(connection, account, archive, number)?;
            Ok(blob.map(|name| blobs.load(&name)).transpose()?.flatten())
        })
        .await?
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such part"))?;
    Ok(([("content-type", api::BINARY)], bytes))
}

/// `DELETE /v1/archives/{archive}`.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(archive): Path<String>,
) -> Result<StatusCode, Refusal> {
    let (archive, account) = (parse(&archive)?, caller.place.account);
    app.storage()
        .write(move |connection, effects| archives::remove(connection, effects, account, archive))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse(archive: &str) -> Result<ArchiveId, Refusal> {
    archive
        .parse()
        .map_err(|_| Refusal::new(Code::NotFound, "not an archive's id"))
}
