//! Whether the relay is there, whether it can do its work, and what it counts of itself.
//! The figures are read on a listener of their own, which the operator opens; see [`super::operator_router`].

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::Code;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::App;
use super::extract::{DocumentAnswer, TextAnswer};
use super::openapi::document;
use super::refusal::Refusal;
use crate::metrics::{self, Text};
use crate::storage::{StorageError, figures};

/// Path of [`healthy`].
pub(super) const HEALTHY: &str = "/healthz";
/// Path of [`ready`].
pub(super) const READY: &str = "/readyz";
/// Path of [`read_figures`].
pub(super) const METRICS: &str = "/metrics";

/// How long what was found holds: whoever asks more often is told the same.
const HOLDS: Duration = Duration::from_secs(1);
/// The longest that a relay which can do its work takes to say so.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the relay could do its work when that was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, bool)>>);

/// `GET /healthz`: the process answers.
pub(super) async fn healthy() -> TextAnswer {
    TextAnswer("ok\n")
}

/// `GET /openapi.json`: what the relay does at each path.
pub(super) async fn description() -> DocumentAnswer {
    DocumentAnswer(document())
}

/// `GET /readyz`: it can write, its blob folder is there, and it is not stopping.
pub(super) async fn ready(State(app): State<App>) -> Result<TextAnswer, Refusal> {
    let mut found = app.0.readiness.0.lock().await;
    let is_ready = match *found {
        Some((at, is_ready)) if at.elapsed() < HOLDS => is_ready,
        _ => {
            let is_ready = matches!(timeout(PATIENCE, look(&app)).await, Ok(Ok(())));
            *found = Some((Instant::now(), is_ready));
            is_ready
        }
    };
    if is_ready && !*app.stopping().borrow() {
        Ok(TextAnswer("ready\n"))
    } else {
        Err(Refusal::new(Code::TemporarilyUnavailable, "the relay is not ready"))
    }
}

/// Begins a transaction as every deposit does, which costs no write to the disk as long as nothing is changed.
async fn look(app: &App) -> Result<(), StorageError> {
    let blobs = app.blobs();
    app.storage().write(|_, _| Ok(())).await?;
    Ok(blobs.check_there()?)
}

/// `GET /metrics`, for the operator.
pub(super) async fn read_figures(State(app): State<App>) -> Result<Response, Refusal> {
    let stored = app.storage().read(figures::stored).await?;
    let mut text = Text::default();
    app.metrics().write(&mut text);
    text.gauge("pli_streams", "Streams that are open.", app.streams());
    text.counter(
        "pli_commits_total",
        "Transactions that changed something; many requests share one.",
        app.storage().commits(),
    );
    for figure in stored {
        text.gauge(figure.name, figure.help, figure.value);
    }
    text.process();
    Ok(([(CONTENT_TYPE, metrics::MEDIA_TYPE)], text.finish()).into_response())
}

/// Counts every answer.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let answer = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics().answered(route, &method, answer.status(), begun.elapsed());
    if let Some(code) = answer.extensions().get::<Code>() {
        app.metrics().refused(*code);
    }
    answer
}
