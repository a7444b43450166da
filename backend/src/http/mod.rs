//! The relay's endpoints: each handler reads a request, asks the storage, and answers; none holds SQL or state.
//! Paths and bodies are in [`protocol::api`] and `docs/protocol/api.md`. Read next: [`routes`], then [`extract`].

mod accounts;
mod archives;
mod describe;
mod directory;
mod extract;
mod health;
mod keys;
mod links;
mod mail;
mod openapi;
mod refusal;
mod routes;
mod sequence;
mod shorter;
mod stream;
mod suspensions;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use protocol::Code;
use tokio::sync::{mpsc, watch};

use crate::blobs::Blobs;
use crate::bodies::Bodies;
use crate::bus::Bus;
use crate::limits::Doors;
use crate::metrics::Metrics;
use crate::relay::Tuning;
use crate::storage::Storage;
use crate::tokens::Tokens;
pub(crate) use health::Readiness;
pub(crate) use links::Channels;
pub use openapi::document;
use refusal::Refusal;

/// What the handlers work with.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) tuning: Tuning,
    pub(crate) doors: Doors,
    pub(crate) device_bodies: Arc<Bodies>,
    pub(crate) stranger_bodies: Arc<Bodies>,
    pub(crate) storage: Storage,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) tokens: Tokens,
    pub(crate) channels: Channels,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Readiness,
    /// Turns true when the relay stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Every open stream holds a clone, so that the stop can wait for them; none are opened once it is taken.
    pub(crate) streams: Mutex<Option<mpsc::Sender<()>>>,
}

/// The state that all handlers share.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    pub(crate) fn blobs(&self) -> &Arc<Blobs> {
        &self.0.blobs
    }

    /// Takes no new streams from now on.
    pub(crate) fn close_streams(&self) {
        drop(self.0.streams.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn tuning(&self) -> &Tuning {
        &self.0.tuning
    }

    fn doors(&self) -> &Doors {
        &self.0.doors
    }

    fn device_bodies(&self) -> &Arc<Bodies> {
        &self.0.device_bodies
    }

    fn stranger_bodies(&self) -> &Arc<Bodies> {
        &self.0.stranger_bodies
    }

    fn bus(&self) -> &Bus {
        &self.0.bus
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How many streams are open.
    fn streams(&self) -> usize {
        let streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the original, which no stream holds.
        streams
            .as_ref()
            .map_or(0, |guard| guard.strong_count().saturating_sub(1))
    }

    fn channels(&self) -> &Channels {
        &self.0.channels
    }

    fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.clone()
    }

    /// What a stream holds while it is open; `None` when the relay is stopping.
    fn stream_guard(&self) -> Option<mpsc::Sender<()>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

/// Every path of the relay.
pub(crate) fn router(app: &App) -> Router {
    routes::endpoints()
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            router.route(&endpoint.path, endpoint.handler)
        })
        .fallback(async || Refusal::new(Code::NotFound, "no such path"))
        .method_not_allowed_fallback(async || {
            Refusal::new(Code::NotFound, "no such method at this path").with_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(middleware::from_fn(shorter::shorten))
        .layer(middleware::from_fn_with_state(app.clone(), health::count))
        .with_state(app.clone())
}

/// What the operator alone reads: whoever reaches its listener needs no token.
pub(crate) fn operator_router(app: &App) -> Router {
    Router::new()
        .route(health::HEALTHY, get(health::healthy))
        .route(health::READY, get(health::ready))
        .route(health::METRICS, get(health::read_figures))
        .with_state(app.clone())
}
