//! Who is let in at the socket: so many at once, and nobody who keeps one open without saying what for.
//! What is read there is hyper's; the requests are in [`crate::http`].

use std::future::{self, Future};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Bytes by which hyper knows HTTP/1 from HTTP/2: it waits for them without end.
const OPENING: usize = 24;

/// Lets connections in, before their TLS.
#[derive(Clone, Debug)]
pub(crate) struct Entrance<A> {
    inner: A,
    places: Arc<Semaphore>,
    is_full: Arc<AtomicBool>,
    patience: Duration,
}

impl<A> Entrance<A> {
    /// So many `places`, and `patience` with each until it has said what it wants.
    pub(crate) fn new(inner: A, places: usize, patience: Duration) -> Self {
        Self {
            inner,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            is_full: Arc::default(),
            patience,
        }
    }
}

impl<A, I, S> Accept<I, S> for Entrance<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
    A::Stream: Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = Admitted<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            if !self.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!("every place is taken: more connections are closed as they come");
            }
            return Box::pin(future::ready(Err(io::ErrorKind::ConnectionRefused.into())));
        };
        self.is_full.store(false, Ordering::Relaxed);
        let entering = self.inner.accept(stream, service);
        let patience = self.patience;
        Box::pin(async move {
            let (stream, service) = entering.await?;
            let admitted = Admitted {
                stream,
                opening: Some(Opening {
                    missing: OPENING,
                    end: Box::pin(sleep(patience)),
                }),
                _place: place,
            };
            Ok((admitted, service))
        })
    }
}

/// A connection that has a place until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted<I> {
    stream: I,
    opening: Option<Opening>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Opening {
    missing: usize,
    end: Pin<Box<Sleep>>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Admitted<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(opening) = &mut self.opening {
            let came = buf.filled().len().saturating_sub(before);
            opening.missing = opening.missing.saturating_sub(came);
            if opening.missing == 0 {
                self.opening = None;
            } else if read.is_pending() {
                ready!(opening.end.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Admitted<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
