//! A relay from start to stop: its folder, its sockets, and finishing what it accepted.
//! What it answers is in [`crate::http`].

use std::fs::{File, TryLockError};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::DefaultAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use protocol::Timestamp;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::bodies::Bodies;
use crate::bus::Bus;
use crate::http::{self, App};
use crate::limits::{Doors, Limits};
use crate::metrics::Metrics;
use crate::sockets::Entrance;
use crate::storage::{Storage, StorageError, deposits, expiry, sequence, suspensions};
use crate::tls::{self, Tls};
use crate::tokens::Tokens;
use crate::{admin, clock, folder};

const LOCK: &str = "relay.lock";
/// Name of the blob folder in a data folder.
pub(crate) const BLOBS: &str = "blobs";
/// How long requests and streams may take to end when the relay stops.
const GRACE: Duration = Duration::from_secs(10);
const SWEEP: Duration = Duration::from_hours(1);
/// What a client may send over HTTP/2 before anybody reads it: for one request, and for all of its connection.
const REQUEST_WINDOW_BYTES: u32 = 128 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Largest head of a request, and most fields in it.
const HEAD_BYTES: usize = 32 * 1024;
const HEAD_LIST_BYTES: u32 = 32 * 1024;
const HEAD_FIELDS: usize = 100;

/// What a relay is started with.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The folder of its database and blobs, made when there is none.
    pub data: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its name, part of every challenge that devices sign.
    pub name: String,
    /// Where its certificate comes from.
    pub tls: Tls,
    /// Where the operator reads its figures, without TLS or token; nowhere unless it is said.
    pub metrics: Option<SocketAddr>,
}

/// What an operator seldom changes; the defaults are the documented values.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Life of an access token, in seconds.
    pub token_seconds: i64,
    /// How often a stream is pinged, in seconds.
    pub ping_seconds: u64,
    /// A stream on which nothing came for this long is closed, in seconds.
    pub silence_seconds: u64,
    /// How often who may do what.
    pub limits: Limits,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            token_seconds: protocol::limits::TOKEN_SECONDS,
            ping_seconds: 20,
            silence_seconds: 50,
            limits: Limits::default(),
        }
    }
}

/// The relay.
#[derive(Clone, Copy, Debug)]
pub struct Relay;

impl Relay {
    /// Starts a relay; it runs on the current tokio runtime until it is stopped.
    ///
    /// # Errors
    ///
    /// [`RelayError`] says what of the folder, the address or the certificate cannot be used.
    pub async fn start(config: RelayConfig) -> Result<Running, RelayError> {
        Self::start_tuned(config, Tuning::default()).await
    }

    /// Starts a relay with other values than the documented ones.
    ///
    /// # Errors
    ///
    /// As [`Relay::start`].
    pub async fn start_tuned(config: RelayConfig, tuning: Tuning) -> Result<Running, RelayError> {
        folder::create_private_folder(&config.data)?;
        let lock = lock(&config.data)?;
        let bus = Arc::new(Bus::default());
        let database = admin::database(&config.data);
        let (storage, blobs) = Storage::open(&database, &config.data.join(BLOBS), Arc::clone(&bus))?;
        let (tls, ca) = match &config.tls {
            Tls::Dev => {
                let (server, ca) = tls::from_dev_ca(&config.data)?;
                (Some(server), Some(ca))
            }
            Tls::Files { cert, key } => (Some(tls::from_files(cert, key)?), None),
            Tls::None => (None, None),
        };
        let (listener, local_addr) = listen(config.listen)?;
        let operator = config.metrics.map(listen).transpose()?;

        let (stopping, is_stopping) = watch::channel(false);
        let (streams, ended) = mpsc::channel(1);
        let metrics = Arc::new(Metrics::default());
        let serving = |tls, metrics| Serving {
            limits: tuning.limits.clone(),
            tls,
            metrics,
        };
        let server = serving(tls, Arc::clone(&metrics));
        // Connections of the operator's do not count among those of others.
        let figures = serving(None, Arc::default());
        let app = App::new(http::Parts {
            name: config.name,
            doors: Doors::new(&tuning.limits),
            device_bodies: Bodies::new(tuning.limits.device_bodies),
            stranger_bodies: Bodies::new(tuning.limits.stranger_bodies),
            tuning,
            storage,
            blobs,
            bus,
            tokens: Tokens::default(),
            channels: http::Channels::default(),
            metrics,
            readiness: http::Readiness::default(),
            stopping: is_stopping.clone(),
            streams: Mutex::new(Some(streams)),
        });
        sweep(&app, clock::now()).await?;
        let handle = Handle::new();
        let mut servers = vec![server.serve(listener, http::router(&app), handle.clone())?];
        let metrics_addr = operator.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = operator {
            servers.push(figures.serve(listener, http::operator_router(&app), handle.clone())?);
        }
        let sweeping = tokio::spawn(sweep_hourly(app.clone(), is_stopping));
        tracing::info!(port = local_addr.port(), "the relay listens");
        Ok(Running {
            app,
            ca,
            ended,
            handle,
            local_addr,
            lock,
            metrics_addr,
            servers,
            stopping,
            sweeping,
        })
    }
}

/// A relay that runs. Dropped without [`Running::stop`], it ends with its runtime.
#[derive(Debug)]
pub struct Running {
    app: App,
    ca: Option<PathBuf>,
    ended: mpsc::Receiver<()>,
    handle: Handle<SocketAddr>,
    local_addr: SocketAddr,
    lock: File,
    metrics_addr: Option<SocketAddr>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
    stopping: watch::Sender<bool>,
    sweeping: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where the operator reads its figures, if anywhere.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// The development CA's certificate, for clients' `--ca`; none with other certificates.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// How many transactions it committed so far: many requests share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.app.storage().commits()
    }

    /// Does at once what it does every hour, as if it were `now`: tells of mail that waits, lets go of what is too old, and suspends silent devices.
    ///
    /// # Errors
    ///
    /// [`RelayError::Storage`] when its folder fails.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), RelayError> {
        Ok(sweep(&self.app, now).await?)
    }

    /// Stops it: no new connections, polls answered, streams closed, accepted work finished, the database closed.
    ///
    /// # Errors
    ///
    /// [`RelayError::Io`] when the socket had failed before.
    pub async fn stop(mut self) -> Result<(), RelayError> {
        let _ = self.stopping.send(true);
        self.handle.graceful_shutdown(Some(GRACE));
        let mut served = Vec::new();
        for server in self.servers {
            served.push(server.await);
        }
        self.app.close_streams();
        // Ends once the last stream has dropped its sender.
        let _ = tokio::time::timeout(GRACE, self.ended.recv()).await;
        self.sweeping.abort();
        self.app.storage().close().await;
        drop(self.lock);
        tracing::info!("the relay has stopped");
        for server in served {
            server.map_err(std::io::Error::other)??;
        }
        Ok(())
    }
}

/// Why a relay cannot be started, or its data not be administered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Another relay runs on this folder.
    #[error("another relay is running on this data folder")]
    AlreadyRunning,
    /// This file of a backup is missing, or not as it was copied.
    #[error("the backup cannot be used: {0} is missing, or not as it was copied")]
    BackupDamaged(String),
    /// The blob folder is not the one that this relay began with; its id, if the database knows one.
    #[error("{}", strange_folder(.0))]
    BlobFolder(String),
    /// The CSV file lacks a column or is no CSV.
    #[error("the directory file: {0}")]
    Csv(String),
    /// There is something already where a folder is to be made.
    #[error("{} is there already", .0.display())]
    InTheWay(PathBuf),
    /// The data folder cannot be used.
    #[error("the data folder: {0}")]
    Io(#[from] std::io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen there: {0}")]
    Listen(std::io::Error),
    /// There is no backup at that place.
    #[error("there is no backup in {}", .0.display())]
    NoBackup(PathBuf),
    /// There is no such entry in the directory.
    #[error("no such address in the directory: import it first")]
    NoEntry,
    /// There is no relay's database in the folder.
    #[error("there is no relay in this data folder")]
    NoRelay,
    /// Nobody is enrolled under this address, so that there is nothing to activate anew.
    #[error("nobody is enrolled under this address: an activation code will do")]
    NotEnrolled,
    /// The database cannot be used.
    #[error("{0}")]
    Storage(String),
    /// The certificate or its key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
}

impl RelayError {
    /// The error's code, stable over releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRunning => "relay-already-running",
            Self::BackupDamaged(_) => "relay-backup-damaged",
            Self::BlobFolder(_) => "relay-blob-folder",
            Self::Csv(_) => "relay-csv",
            Self::InTheWay(_) => "relay-in-the-way",
            Self::Io(_) => "relay-io",
            Self::Listen(_) => "relay-listen",
            Self::NoBackup(_) => "relay-no-backup",
            Self::NoEntry => "relay-no-entry",
            Self::NoRelay => "relay-missing",
            Self::NotEnrolled => "relay-not-enrolled",
            Self::Storage(_) => "relay-storage",
            Self::Tls(_) => "relay-tls",
        }
    }
}

impl From<rcgen::Error> for RelayError {
    fn from(error: rcgen::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

impl From<StorageError> for RelayError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::BlobFolder(id) => Self::BlobFolder(id),
            error => Self::Storage(error.to_string()),
        }
    }
}

/// What the operator is to do about a blob folder without the marker that belongs to the database.
fn strange_folder(id: &str) -> String {
    if id.is_empty() {
        return format!("the folder {BLOBS} belongs to another database: bring back the relay.db that it belongs to");
    }
    format!(
        "the folder {BLOBS} is not the one that this relay began with: mount its disk, or restore it, and start again. \
         If it is lost for good, write {id} into {BLOBS}/folder.id: the senders of what was there are then told so"
    )
}

/// Two relays on one folder would give the same numbers twice.
fn lock(data: &Path) -> Result<File, RelayError> {
    let lock = folder::create_private(&data.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(RelayError::AlreadyRunning),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RelayError> {
    let listener = TcpListener::bind(address).map_err(RelayError::Listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// How connections are let in and served.
struct Serving {
    limits: Limits,
    metrics: Arc<Metrics>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Serving {
    fn serve(
        self,
        listener: TcpListener,
        router: Router,
        handle: Handle<SocketAddr>,
    ) -> Result<JoinHandle<std::io::Result<()>>, RelayError> {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let mut server = axum_server::from_tcp(listener)?.handle(handle);
        let patience = Duration::from_secs(self.limits.head_seconds);
        let builder = server.http_builder();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_FIELDS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.connection_requests)
            .max_header_list_size(HEAD_LIST_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_stream_window_size(REQUEST_WINDOW_BYTES)
            .keep_alive_interval(patience)
            .keep_alive_timeout(patience);
        let (limits, metrics) = (&self.limits, self.metrics);
        Ok(if let Some(config) = self.tls {
            let tls = RustlsAcceptor::new(RustlsConfig::from_config(config)).handshake_timeout(patience);
            tokio::spawn(server.acceptor(Entrance::new(tls, limits, metrics)).serve(service))
        } else {
            let plain = DefaultAcceptor::new();
            tokio::spawn(server.acceptor(Entrance::new(plain, limits, metrics)).serve(service))
        })
    }
}

async fn sweep_hourly(app: App, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => (),
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        if let Err(error) = sweep(&app, clock::now()).await {
            tracing::warn!(%error, "the hourly sweep failed");
        }
    }
}

/// Tells of mail that waits, lets go of mail that has waited too long, and suspends silent devices, as it is at `now`; removes payload files that no
/// row names, and answers too old to be repeated.
async fn sweep(app: &App, now: Timestamp) -> Result<(), StorageError> {
    let told = move |connection: &_, effects: &mut _| expiry::tell_waiting(connection, effects, now);
    while app.storage().write(told).await? {}
    let expired = move |connection: &_, effects: &mut _| expiry::expire(connection, effects, now);
    while app.storage().write(expired).await? {}
    let silent = app
        .storage()
        .write(move |connection, effects| suspensions::suspend_silent(connection, effects, now))
        .await?;
    app.tokens().end(&silent);
    if !silent.is_empty() {
        tracing::info!(count = silent.len(), "devices that were silent for long are suspended");
    }
    let blobs = Arc::clone(app.blobs());
    let swept = app
        .storage()
        .read(move |connection| blobs.sweep(|name| sequence::is_blob_named(connection, name)))
        .await?;
    if swept > 0 {
        tracing::info!(swept, "payload files without a row were removed");
    }
    app.storage()
        .write(move |connection, _| deposits::forget_old(connection, now))
        .await
}
