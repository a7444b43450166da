//! What handlers take from a request. Sizes are checked before memory is spent, and the token before the body is read.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use protocol::cbor::{self, Format};
use protocol::{Code, DeviceId, Digest, api, limits};
use serde::de::DeserializeOwned;

use super::App;
use super::refusal::{Refusal, admit};
use crate::bodies::HeldBody;
use crate::clock;
use crate::limits::{Buckets, Doors, network};
use crate::tokens::Bearer;

/// The device whose token came with the request.
pub(super) struct Caller(pub(super) Arc<Bearer>);

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        token
            .and_then(|token| app.tokens().bearer(token, clock::now()))
            .map(|bearer| {
                parts.extensions.insert(Sender::Device(bearer.device));
                Self(bearer)
            })
            .ok_or_else(|| Refusal::new(Code::TokenRefused, ""))
    }
}

/// Who needs no token, from a network address that has not asked too often for what `D` is the door to.
pub(super) struct Stranger<D> {
    /// Where it asks from.
    pub(super) network: [u8; 8],
    door: PhantomData<D>,
}

/// What can be asked for without a token.
pub(super) trait Door {
    fn buckets(doors: &Doors) -> &Buckets;
}

/// An enrolment.
pub(super) struct Enrolling;
/// What is known of an address, or said in a channel.
pub(super) struct LookingUp;
/// A challenge or a token.
pub(super) struct Knocking;

impl Door for Enrolling {
    fn buckets(doors: &Doors) -> &Buckets {
        &doors.enrolments
    }
}

impl Door for LookingUp {
    fn buckets(doors: &Doors) -> &Buckets {
        &doors.identities
    }
}

impl Door for Knocking {
    fn buckets(doors: &Doors) -> &Buckets {
        &doors.knocks
    }
}

impl<D: Door> FromRequestParts<App> for Stranger<D> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let network = peer.map_or([0; 8], |ConnectInfo(peer)| network(peer.ip()));
        admit(D::buckets(app.doors()), &network, 1)?;
        parts.extensions.insert(Sender::Stranger(network));
        Ok(Self {
            network,
            door: PhantomData,
        })
    }
}

/// Whose body it is: what lets a request in says so, and without it none is read.
#[derive(Clone, Copy)]
enum Sender {
    Device(DeviceId),
    Stranger([u8; 8]),
}

/// A body in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        // What is made of it is small: it needs no room any longer.
        let (body, _held) = read(app, request, limits::JSON_BYTES).await?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Refusal::new(Code::Malformed, json_detail(&error)))
    }
}

/// A body in one of the binary formats.
pub(super) struct Binary<T> {
    pub(super) value: T,
    /// SHA-256 over the body as it came.
    pub(super) digest: Digest,
    _held: HeldBody,
}

impl<T: Format> FromRequest<App> for Binary<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (body, held) = read(app, request, T::LIMIT).await?;
        Ok(Self {
            value: cbor::decode(&body)?,
            digest: Digest::of(&[&body]),
            _held: held,
        })
    }
}

/// A body of sealed bytes, `LIMIT` of them at most.
pub(super) struct Sealed<const LIMIT: usize> {
    pub(super) bytes: Bytes,
    _held: HeldBody,
}

impl<const LIMIT: usize> FromRequest<App> for Sealed<LIMIT> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (bytes, held) = read(app, request, LIMIT).await?;
        Ok(Self { bytes, _held: held })
    }
}

/// What stands in the path: what cannot stand there is not found.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        Path::from_request_parts(parts, app)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|_| Refusal::new(Code::NotFound, "no such path"))
    }
}

/// The query part of the address.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(asked)| Self(asked))
            .map_err(|_| Refusal::new(Code::Malformed, "the query is not what is expected here"))
    }
}

/// An answer in one of the binary formats.
pub(super) struct BinaryAnswer<T>(pub(super) T);

impl<T: Format> IntoResponse for BinaryAnswer<T> {
    fn into_response(self) -> Response {
        ([("content-type", api::BINARY)], cbor::encode(&self.0)).into_response()
    }
}

/// An answer of sealed bytes, as they were put there.
pub(super) struct SealedAnswer(pub(super) Bytes);

impl IntoResponse for SealedAnswer {
    fn into_response(self) -> Response {
        ([("content-type", api::BINARY)], self.0).into_response()
    }
}

/// A word in plain text.
pub(super) struct TextAnswer(pub(super) &'static str);

impl IntoResponse for TextAnswer {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// A document in JSON that is the same for everybody.
pub(super) struct DocumentAnswer(pub(super) &'static str);

impl IntoResponse for DocumentAnswer {
    fn into_response(self) -> Response {
        ([("content-type", "application/json")], self.0).into_response()
    }
}

/// The connection becomes a WebSocket.
pub(super) struct Upgraded(pub(super) Response);

impl IntoResponse for Upgraded {
    fn into_response(self) -> Response {
        self.0
    }
}

/// The whole body, and the room that it takes.
async fn read(app: &App, request: Request, limit: usize) -> Result<(Bytes, HeldBody), Refusal> {
    let too_large = || Refusal::new(Code::TooLarge, format!("at most {limit} bytes are taken here"));
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let limits = &app.tuning().limits;
    let (mut held, seconds) = match request.extensions().get() {
        Some(Sender::Device(device)) => (app.device_bodies().begin(device.as_bytes()), limits.body_seconds),
        Some(Sender::Stranger(network)) => (app.stranger_bodies().begin(network), limits.stranger_body_seconds),
        None => return Err(Refusal::new(Code::TokenRefused, "")),
    };
    let silence = Duration::from_secs(limits.body_silence_seconds);
    let reading = collect(request.into_body(), limit, silence, &mut held);
    match tokio::time::timeout(Duration::from_secs(seconds), reading).await {
        Ok(Ok(body)) => Ok((body, held)),
        Ok(Err(Cut::TooLarge)) => Err(too_large()),
        Ok(Err(Cut::NoRoom(code))) => Err(Refusal::new(code, "too much of other requests is on its way")),
        // The line's fault: the same request may be tried again.
        Ok(Err(Cut::Interrupted)) | Err(_) => Err(Refusal::new(
            Code::TemporarilyUnavailable,
            "the body was cut short or stood still",
        )),
    }
}

/// Why a body did not come whole.
enum Cut {
    Interrupted,
    NoRoom(Code),
    TooLarge,
}

/// The whole body. Memory is spent on what has come, not on what is announced.
async fn collect(body: Body, limit: usize, silence: Duration, held: &mut HeldBody) -> Result<Bytes, Cut> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        let chunk = tokio::time::timeout(silence, chunks.next())
            .await
            .map_err(|_| Cut::Interrupted)?;
        let Some(chunk) = chunk else {
            return Ok(whole.into());
        };
        let chunk = chunk.map_err(|_| Cut::Interrupted)?;
        if whole.len().saturating_add(chunk.len()) > limit {
            return Err(Cut::TooLarge);
        }
        held.grow(chunk.len()).map_err(Cut::NoRoom)?;
        whole.extend_from_slice(&chunk);
    }
}

/// Where the JSON is wrong, without what it holds.
fn json_detail(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "the JSON is not what is expected here",
        serde_json::error::Category::Eof => "the JSON is cut short",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "not JSON",
    };
    format!("{what}: line {}, column {}", error.line(), error.column())
}
