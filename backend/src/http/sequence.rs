//! A device's sequence over plain HTTP: pages, by long poll, and acknowledgements. The stream is in [`super::stream`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::Standing;
use protocol::sequence::{Cursor, SequencePage};
use protocol::{Code, Digest, Timestamp, limits};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

use super::App;
use super::extract::{Asked, BinaryAnswer, Caller, Json};
use super::refusal::Refusal;
use crate::clock;
use crate::crash::crash_point;
use crate::storage::sequence::{self, Handed, Place};
use crate::storage::{StorageError, deposits};

/// A cursor, from the start unless given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    #[schemars(range(max = u64::MAX))]
    number: u64,
    #[schemars(with = "Digest")]
    hash: Option<Digest>,
}

/// The same, and how long to wait for news.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Poll {
    #[serde(default)]
    #[schemars(range(max = u64::MAX))]
    number: u64,
    #[schemars(with = "Digest")]
    hash: Option<Digest>,
    #[serde(default)]
    #[schemars(range(max = 30))]
    wait_seconds: u32,
}

impl After {
    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            number: self.number,
            hash: self.hash.unwrap_or(Digest::ZERO),
        }
    }
}

/// `GET /v1/sequence`: entries after the cursor, at once when there are any, or as soon as there are.
pub(super) async fn poll(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(Poll {
        number,
        hash,
        wait_seconds,
    }): Asked<Poll>,
) -> Result<BinaryAnswer<SequencePage>, Refusal> {
    if wait_seconds > limits::POLL_SECONDS {
        return Err(Refusal::new(
            Code::Malformed,
            format!("at most {} seconds are waited", limits::POLL_SECONDS),
        ));
    }
    let cursor = After { number, hash }.cursor();
    let mut news = app.bus().listen(caller.device);
    let mut stopping = app.stopping();
    let waited = tokio::time::sleep(Duration::from_secs(wait_seconds.into()));
    tokio::pin!(waited);
    loop {
        let page = next_page(&app, caller.place, cursor).await?;
        if !page.entries.is_empty() || wait_seconds == 0 {
            return Ok(BinaryAnswer(page));
        }
        tokio::select! {
            heard = news.changed() => if heard.is_err() { return Ok(BinaryAnswer(page)) },
            () = &mut waited => return Ok(BinaryAnswer(page)),
            () = turned(&mut stopping) => return Ok(BinaryAnswer(page)),
            () = until(caller.expires_at) => return Err(Refusal::new(Code::TokenRefused, "the token has ended")),
        }
    }
}

/// `GET /v1/acknowledgements`: where the device stands, and whether the cursor it names goes with that.
pub(super) async fn standing(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(after): Asked<After>,
) -> Result<axum::Json<Standing>, Refusal> {
    let cursor = after.cursor();
    let standing = app
        .storage()
        .read_as(caller.place, move |connection| {
            let agreed = match sequence::check(connection, caller.place, cursor) {
                Err(StorageError::Refused(Code::CursorMismatch, _)) => false,
                checked => checked.map(|_| true)?,
            };
            Ok(Standing {
                agreed,
                acknowledged: sequence::acknowledged(connection, caller.place)?,
                deposited: deposits::last_of(connection, caller.place.device)?,
            })
        })
        .await?;
    Ok(axum::Json(standing))
}

/// `POST /v1/acknowledgements`.
pub(super) async fn acknowledge(
    State(app): State<App>,
    Caller(caller): Caller,
    Json(cursor): Json<Cursor>,
) -> Result<StatusCode, Refusal> {
    take_note(&app, caller.place, cursor).await?;
    crash_point!("acknowledgement-unanswered");
    Ok(StatusCode::NO_CONTENT)
}

/// The page after `cursor`, marked as handed over before it is read.
pub(super) async fn next_page(app: &App, place: Place, cursor: Cursor) -> Result<SequencePage, StorageError> {
    let none = SequencePage { entries: Vec::new() };
    let is_news = app
        .storage()
        .read(move |connection| sequence::check(connection, place, cursor))
        .await?;
    if !is_news {
        return Ok(none);
    }
    let last = app
        .storage()
        .write(move |connection, _| sequence::hand_over(connection, place, cursor))
        .await?;
    let Some(last) = last else {
        return Ok(none);
    };
    let blobs = Arc::clone(app.blobs());
    let Handed { entries, lost } = app
        .storage()
        .read(move |connection| sequence::page(connection, &blobs, place, cursor, last))
        .await?;
    if !lost.is_empty() {
        tracing::error!(count = lost.len(), "payloads were lost");
        // Before the device can acknowledge that it went on without them.
        app.storage()
            .write(move |connection, effects| sequence::tell_lost(connection, effects, place, &lost, clock::now()))
            .await?;
    }
    Ok(SequencePage { entries })
}

/// How far the device has acknowledged.
pub(super) async fn acknowledged(app: &App, place: Place) -> Result<Cursor, StorageError> {
    app.storage()
        .read(move |connection| sequence::acknowledged(connection, place))
        .await
}

pub(super) async fn take_note(app: &App, place: Place, cursor: Cursor) -> Result<(), StorageError> {
    app.storage()
        .write(move |connection, effects| sequence::acknowledge(connection, effects, place, cursor, clock::now()))
        .await
}

/// Returns once the clock has reached `time`.
pub(super) async fn until(time: Timestamp) {
    let millis = u64::try_from(time.millis_since(clock::now())).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Returns once the relay stops.
pub(super) async fn turned(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
