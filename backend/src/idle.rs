//! Whether a connection has a request under way: one that has had none for long is closed.
//! What closes it is [`crate::sockets`].

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tower::Service;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Requests(Mutex<Count>);

#[derive(Debug)]
struct Count {
    under_way: usize,
    /// When the last one ended, or the connection began.
    since: Instant,
}

impl Requests {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Count {
            under_way: 0,
            since: Instant::now(),
        })))
    }

    /// Since when there is none; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (count.under_way == 0).then_some(count.since)
    }

    fn begin(self: &Arc<Self>) -> UnderWay {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.under_way = count.under_way.saturating_add(1);
        UnderWay(Arc::clone(self))
    }
}

/// One request, until this is dropped.
#[derive(Debug)]
struct UnderWay(Arc<Requests>);

impl UnderWay {
    /// The connection is a stream's from now on, which ends it.
    fn never_ends(self) {
        std::mem::forget(self);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut count = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.under_way = count.under_way.saturating_sub(1);
        count.since = Instant::now();
    }
}

/// The service of one connection, counting its requests until their answers are read.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S> {
    pub(crate) inner: S,
    pub(crate) requests: Arc<Requests>,
}

impl<S, B> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<CountedBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let under_way = self.requests.begin();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            let under_way = if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                under_way.never_ends();
                None
            } else {
                Some(under_way)
            };
            Ok(answer.map(|body| CountedBody {
                body,
                _under_way: under_way,
            }))
        })
    }
}

/// The body of an answer, whose request is under way as long as there is more of it.
#[derive(Debug)]
pub(crate) struct CountedBody {
    body: Body,
    _under_way: Option<UnderWay>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
