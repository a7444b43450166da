//! What handlers take from a request. Sizes are checked before memory is spent, and the token before the body is read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use protocol::cbor::{self, Format};
use protocol::{Code, Digest, Timestamp, api, limits};
use serde::de::DeserializeOwned;

use super::App;
use super::refusal::Refusal;
use crate::tokens::Bearer;

/// How long a client may take over a body: the largest one over a bad mobile line, with some to spare.
const BODY: Duration = Duration::from_mins(15);

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
            .and_then(|token| app.tokens().bearer(token, Timestamp::now()))
            .map(Self)
            .ok_or_else(|| Refusal::new(Code::TokenRefused, ""))
    }
}

/// A body in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let body = read(app, request, limits::JSON_BYTES).await?;
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
}

impl<T: Format> FromRequest<App> for Binary<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let body = read(app, request, T::LIMIT).await?;
        Ok(Self {
            value: cbor::decode(&body)?,
            digest: Digest::of(&[&body]),
        })
    }
}

/// A body of sealed bytes, `LIMIT` of them at most.
pub(super) struct Sealed<const LIMIT: usize>(pub(super) Bytes);

impl<const LIMIT: usize> FromRequest<App> for Sealed<LIMIT> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        read(app, request, LIMIT).await.map(Self)
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

async fn read(app: &App, request: Request, limit: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::new(Code::TooLarge, format!("at most {limit} bytes are taken here"));
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let silence = Duration::from_secs(app.tuning().body_silence_seconds);
    let reading = collect(request.into_body(), limit, silence);
    match tokio::time::timeout(BODY, reading).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => Err(too_large()),
        // The line's fault: the same request may be tried again.
        Ok(Err(Interrupted)) | Err(_) => Err(Refusal::new(
            Code::TemporarilyUnavailable,
            "the body was cut short or stood still",
        )),
    }
}

/// The body did not come whole.
struct Interrupted;

/// The whole body; `None` when it passes the limit. Memory is spent on what has come, not on what is announced.
async fn collect(body: Body, limit: usize, silence: Duration) -> Result<Option<Bytes>, Interrupted> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        let chunk = tokio::time::timeout(silence, chunks.next())
            .await
            .map_err(|_| Interrupted)?;
        let Some(chunk) = chunk else {
            return Ok(Some(whole.into()));
        };
        let chunk = chunk.map_err(|_| Interrupted)?;
        if whole.len().saturating_add(chunk.len()) > limit {
            return Ok(None);
        }
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
