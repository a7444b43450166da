//! Channels by which a new device and the main one find each other: sealed bytes, in memory for a quarter of an hour.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{Code, MessageId, Timestamp, api, limits};

use super::App;
use super::extract::{LookingUp, Sealed, Stranger};
use super::refusal::Refusal;

/// Messages held at once; beyond it the old ones go first, then the request is refused.
const HELD: usize = 1_000;

/// Which of the two speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum What {
    Hello,
    Answer,
}

/// What was said in every channel.
#[derive(Default)]
pub(crate) struct Channels(Mutex<HashMap<(MessageId, What), (Bytes, Timestamp)>>);

/// `PUT /v1/links/{channel}/{hello|answer}`.
pub(super) async fn put(
    State(app): State<App>,
    Path((channel, what)): Path<(String, String)>,
    _: Stranger<LookingUp>,
    Sealed { bytes, .. }: Sealed<{ limits::LINK_BYTES }>,
) -> Result<StatusCode, Refusal> {
    let place = parse(&channel, &what)?;
    let now = Timestamp::now();
    let mut held = app.channels().0.lock().unwrap_or_else(PoisonError::into_inner);
    held.retain(|_, (_, until)| *until > now);
    if held.len() >= HELD && !held.contains_key(&place) {
        return Err(Refusal::new(Code::TemporarilyUnavailable, ""));
    }
    held.insert(
        place,
        (bytes, now.plus_seconds(limits::LINK_MINUTES.saturating_mul(60))),
    );
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/links/{channel}/{hello|answer}`.
pub(super) async fn read(
    State(app): State<App>,
    Path((channel, what)): Path<(String, String)>,
) -> Result<([(&'static str, &'static str); 1], Bytes), Refusal> {
    let place = parse(&channel, &what)?;
    let now = Timestamp::now();
    let held = app.channels().0.lock().unwrap_or_else(PoisonError::into_inner);
    let said = held.get(&place).filter(|(_, until)| *until > now);
    let (bytes, _) = said.ok_or_else(|| Refusal::new(Code::NotFound, "nothing was said there"))?;
    Ok(([("content-type", api::BINARY)], bytes.clone()))
}

fn parse(channel: &str, what: &str) -> Result<(MessageId, What), Refusal> {
    let refused = || Refusal::new(Code::NotFound, "no such channel");
    let what = match what {
        "hello" => What::Hello,
        "answer" => What::Answer,
        _ => return Err(refused()),
    };
    Ok((channel.parse().map_err(|_| refused())?, what))
}
