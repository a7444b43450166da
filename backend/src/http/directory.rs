//! The directory: one entry by its address, several by name and town.

use axum::extract::State;
use protocol::api::{DirectoryEntries, DirectoryEntry};
use protocol::{Address, Code, limits};
use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use super::extract::{Asked, Caller, InPath};
use super::refusal::{Refusal, admit};
use crate::storage::directory::{self, Page};

/// Longest name or town that is searched for, in bytes.
const QUERY_BYTES: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    town: String,
    #[schemars(with = "u32", range(max = u32::MAX))]
    limit: Option<u32>,
    #[serde(default)]
    #[schemars(range(max = 1_000))]
    skip: u32,
}

/// `GET /v1/entries/{address}`.
pub(super) async fn entry(
    State(app): State<App>,
    Caller(caller): Caller,
    address: Result<InPath<Address>, Refusal>,
) -> Result<axum::Json<DirectoryEntry>, Refusal> {
    admit(&app.doors().directory, caller.device.as_bytes(), 1)?;
    let InPath(address) = address.map_err(|_| Refusal::new(Code::Malformed, "not an address"))?;
    app.storage()
        .read_as(caller.place, move |connection| directory::entry(connection, &address))
        .await?
        .map(axum::Json)
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such entry"))
}

/// `GET /v1/entries?q=&town=&limit=&skip=`.
pub(super) async fn search(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(search): Asked<Search>,
) -> Result<axum::Json<DirectoryEntries>, Refusal> {
    admit(&app.doors().directory, caller.device.as_bytes(), 1)?;
    if search.q.len() > QUERY_BYTES || search.town.len() > QUERY_BYTES {
        return Err(Refusal::new(
            Code::TooLarge,
            format!("at most {QUERY_BYTES} bytes are searched for"),
        ));
    }
    if search.skip > limits::SEARCH_SKIP {
        return Err(Refusal::new(
            Code::Malformed,
            format!("at most {} entries are passed over", limits::SEARCH_SKIP),
        ));
    }
    let page = Page {
        skip: search.skip,
        limit: search.limit.unwrap_or(limits::SEARCH_ENTRIES),
    };
    let found = app
        .storage()
        .read_as(caller.place, move |connection| {
            directory::search(connection, &search.q, &search.town, page)
        })
        .await?;
    Ok(axum::Json(found))
}
