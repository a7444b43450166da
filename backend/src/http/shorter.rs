//! Answers made shorter for who asks for that: nothing when it has them already, less of them in gzip. Only what is JSON and
//! asked for by GET: sealed bytes do not get smaller, and no secret stands beside what a stranger chose.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::body::{self, Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use protocol::{Code, Digest};

use super::openapi::document;
use super::refusal::Refusal;

/// The longest list that there is.
const LONGEST_BYTES: usize = 16 * 1024 * 1024;
/// Below this it is hardly worth it.
const SHORTEST_BYTES: usize = 1_024;

/// Makes an answer as short as the request lets it be.
pub(super) async fn shorten(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let takes_gzip = takes_gzip(request.headers());
    let answer = next.run(request).await;
    let is_json = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json");
    if !is_get || !is_json || answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let Ok(body) = body::to_bytes(body, LONGEST_BYTES).await else {
        return Refusal::new(Code::TemporarilyUnavailable, "").into_response();
    };
    // A weak one: it is the same for the answer in gzip.
    let tag = format!("W/\"{}\"", Digest::of(&[&body]));
    let is_known = known.is_some_and(|known| names(&known, &tag));
    let headers = &mut head.headers;
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    // Each time it is asked whether that is still so.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_known {
        head.status = StatusCode::NOT_MODIFIED;
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    if takes_gzip
        && body.len() >= SHORTEST_BYTES
        && let Some(short) = packed(&body)
    {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(CONTENT_LENGTH);
        return Response::from_parts(head, Body::from(short));
    }
    Response::from_parts(head, Body::from(body))
}

/// In gzip. What anybody may ask for as often as they like was packed once.
fn packed(body: &[u8]) -> Option<Bytes> {
    static DOCUMENT: OnceLock<Option<Bytes>> = OnceLock::new();
    if body == document().as_bytes() {
        DOCUMENT.get_or_init(|| pack(body)).clone()
    } else {
        pack(body)
    }
}

fn pack(body: &[u8]) -> Option<Bytes> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(body).ok()?;
    packer.finish().ok().map(Bytes::from)
}

/// Whether the entity tags that a client knows have this one among them.
fn names(known: &HeaderValue, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = known.to_str().unwrap_or_default();
    known.trim() == "*" || known.split(',').any(|known| opaque(known) == opaque(tag))
}

/// Whether the client says that it takes gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let said = headers
        .get_all(ACCEPT_ENCODING)
        .into_iter()
        .filter_map(|said| said.to_str().ok());
    said.flat_map(|said| said.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().trim_start_matches("q=").parse().unwrap_or(0.0_f32);
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}
