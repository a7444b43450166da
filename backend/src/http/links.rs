//! Channels by which a new device and the main one find each other: sealed bytes, in memory for a quarter of an hour.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{Code, MessageId, Timestamp, limits};

use super::App;
use super::extract::{InPath, LookingUp, Sealed, SealedAnswer, Stranger};
use super::refusal::Refusal;
use crate::clock;

/// Messages held at once.
const HELD: usize = 1_000;
/// Of these, from one network: one that fills its share keeps no device elsewhere from being added.
const HELD_OF_NETWORK: usize = 40;

/// Which of the two speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum What {
    Hello,
    Answer,
}

/// What was said in every channel.
#[derive(Default)]
pub(crate) struct Channels(Mutex<HashMap<(MessageId, What), Said>>);

struct Said {
    bytes: Bytes,
    network: [u8; 8],
    until: Timestamp,
}

/// `PUT /v1/links/{channel}/{hello|answer}`.
pub(super) async fn put(
    State(app): State<App>,
    InPath((channel, what)): InPath<(String, String)>,
    Stranger { network, .. }: Stranger<LookingUp>,
    Sealed { bytes, .. }: Sealed<{ limits::LINK_BYTES }>,
) -> Result<StatusCode, Refusal> {
    let place = parse(&channel, &what)?;
    let now = clock::now();
    let mut held = app.channels().0.lock().unwrap_or_else(PoisonError::into_inner);
    held.retain(|_, said| said.until > now);
    if !held.contains_key(&place) {
        if held.values().filter(|said| said.network == network).count() >= HELD_OF_NETWORK {
            return Err(Refusal::new(Code::Throttled, ""));
        }
        if held.len() >= HELD {
            return Err(Refusal::new(Code::TemporarilyUnavailable, ""));
        }
    }
    let until = now.plus_seconds(limits::LINK_MINUTES.saturating_mul(60));
    held.insert(place, Said { bytes, network, until });
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/links/{channel}/{hello|answer}`.
pub(super) async fn read(
    State(app): State<App>,
    InPath((channel, what)): InPath<(String, String)>,
) -> Result<SealedAnswer, Refusal> {
    let place = parse(&channel, &what)?;
    let now = clock::now();
    let held = app.channels().0.lock().unwrap_or_else(PoisonError::into_inner);
    let said = held.get(&place).filter(|said| said.until > now);
    let said = said.ok_or_else(|| Refusal::new(Code::NotFound, "nothing was said there"))?;
    Ok(SealedAnswer(said.bytes.clone()))
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
