//! Who is let in at the socket: so many at once, and nobody who keeps one open without saying what for.
//! What is read there is hyper's; the requests are in [`crate::http`].

use std::collections::HashMap;
use std::future::{self, Future};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::idle::{Counted, Requests};
use crate::limits::{Limits, network};
use crate::metrics::Metrics;

/// Bytes by which hyper knows HTTP/1 from HTTP/2: it waits for them without end.
const OPENING: usize = 24;

/// Lets connections in, before their TLS.
#[derive(Clone, Debug)]
pub(crate) struct Entrance<A> {
    inner: A,
    places: Arc<Places>,
    patience: Duration,
    idle: Duration,
}

impl<A> Entrance<A> {
    /// Within `limits`: so many places, and so much patience with each.
    pub(crate) fn new(inner: A, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            places: Arc::new(Places {
                most: limits.connections,
                most_of_network: limits.network_connections,
                taken: Mutex::default(),
                metrics,
            }),
            patience: Duration::from_secs(limits.head_seconds),
            idle: Duration::from_secs(limits.idle_seconds),
        }
    }
}

impl<A, S> Accept<TcpStream, S> for Entrance<A>
where
    A: Accept<TcpStream, Counted<S>>,
    A::Future: Send + 'static,
    A::Stream: Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = Admitted<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().and_then(|peer| {
            let place = Arc::clone(&self.places).take(network(peer.ip()));
            place.ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
        });
        let place = match place {
            Ok(place) => place,
            Err(error) => return Box::pin(future::ready(Err(error))),
        };
        let requests = Requests::new();
        let counted = Counted {
            inner: service,
            requests: Arc::clone(&requests),
        };
        let entering = self.inner.accept(stream, counted);
        let (patience, idle) = (self.patience, self.idle);
        Box::pin(async move {
            let (stream, service) = entering.await?;
            let admitted = Admitted {
                stream,
                opening: Some(Opening {
                    missing: OPENING,
                    end: Box::pin(sleep(patience)),
                }),
                idle,
                idle_end: Box::pin(sleep(idle)),
                requests,
                _place: place,
            };
            Ok((admitted, service))
        })
    }
}

/// The places for connections.
#[derive(Debug)]
struct Places {
    most: usize,
    most_of_network: usize,
    taken: Mutex<Taken>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    networks: HashMap<[u8; 8], usize>,
    is_full: bool,
}

impl Places {
    /// A place for a connection from `network`; none when it or the relay has as many as it may.
    fn take(self: Arc<Self>, network: [u8; 8]) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            if !taken.is_full {
                tracing::warn!("every place is taken: more connections are closed as they come");
            }
            taken.is_full = true;
            self.metrics.connections_refused.count();
            return None;
        }
        taken.is_full = false;
        let of_network = taken.networks.get(&network).copied().unwrap_or_default();
        if of_network >= self.most_of_network {
            self.metrics.connections_refused.count();
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        self.metrics.connections.set(taken.all);
        taken.networks.insert(network, of_network.saturating_add(1));
        drop(taken);
        Some(Place { places: self, network })
    }
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    network: [u8; 8],
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        self.places.metrics.connections.set(taken.all);
        if let Some(of_network) = taken.networks.get_mut(&self.network) {
            *of_network = of_network.saturating_sub(1);
            if *of_network == 0 {
                taken.networks.remove(&self.network);
            }
        }
    }
}

/// A connection that has a place until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted<I> {
    stream: I,
    opening: Option<Opening>,
    idle: Duration,
    idle_end: Pin<Box<Sleep>>,
    requests: Arc<Requests>,
    _place: Place,
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
        if read.is_pending() {
            ready!(self.poll_idle(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<I> Admitted<I> {
    /// Ready once there has been no request for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.idle_end.as_mut().poll(cx));
            let now = Instant::now();
            let since = self.requests.idle_since().unwrap_or(now);
            let end = since.checked_add(self.idle).unwrap_or(now);
            if end <= now {
                return Poll::Ready(());
            }
            self.idle_end.as_mut().reset(end);
        }
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
