//! The line between phones and relay: TLS in front, as a hospital's proxy has it, and faults on demand.
//! It passes requests on and takes no upgrades.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::Notify;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It never reaches the relay.
    RequestLost,
    /// The relay does what it asks, and the reply is lost.
    ReplyLost,
    /// The proxy answers with a page of its own.
    Page,
    /// The first half of the reply arrives.
    ReplyCut,
}

/// What an answer becomes on its way to the phone.
pub type Edit = Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

/// A request that is held up before it reaches the relay.
#[derive(Default)]
pub struct Gate {
    reached: Notify,
    opened: Notify,
    passed: Notify,
}

impl Gate {
    /// Waits until the request is there.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets it go on.
    pub fn open(&self) {
        self.opened.notify_one();
    }

    /// Waits until the relay has answered it, or is not there, whether or not anybody waits for the reply.
    pub async fn passed(&self) {
        self.passed.notified().await;
    }
}

/// A line that is open.
pub struct Line {
    address: SocketAddr,
    ca: PathBuf,
    state: Arc<Shared>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
    held: Mutex<Vec<(&'static str, Arc<Gate>)>>,
    edits: Mutex<Vec<(&'static str, Edit)>>,
    seen: Mutex<Vec<String>>,
}

impl Line {
    /// A line to the relay at `upstream`, whose authority is kept in `folder`.
    pub fn open(folder: &Path, upstream: SocketAddr) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca_certificate = params.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let ca = folder.join("line-ca.pem");
        std::fs::write(&ca, ca_certificate.pem()).unwrap();

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let state = Arc::new(Shared {
            upstream: format!("http://{upstream}"),
            client: client(),
            faults: Mutex::default(),
            held: Mutex::default(),
            edits: Mutex::default(),
            seen: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&state));
        let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(config))).unwrap();
        tokio::spawn(server.serve(router.into_make_service()));
        Self { address, ca, state }
    }

    /// What goes wrong with the next request whose path begins with `path`; faults of one path take turns.
    pub fn fail_next(&self, path: &'static str, fault: Fault) {
        self.state.faults.lock().unwrap().push_back((path, fault));
    }

    /// Holds up the next request whose path begins with `path`.
    pub fn hold_next(&self, path: &'static str) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        self.state.held.lock().unwrap().push((path, Arc::clone(&gate)));
        gate
    }

    /// Edits every answer to requests whose path begins with `path`, until [`Line::honest`].
    pub fn edit(&self, path: &'static str, edit: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) {
        self.state.edits.lock().unwrap().push((path, Arc::new(edit)));
    }

    /// Ends all edits.
    pub fn honest(&self) {
        self.state.edits.lock().unwrap().clear();
    }

    /// Forgets the faults and the gates that no request came to.
    pub fn calm(&self) {
        self.state.faults.lock().unwrap().clear();
        self.state.held.lock().unwrap().clear();
    }

    /// Whether every fault has happened.
    pub fn has_failed(&self) -> bool {
        self.state.faults.lock().unwrap().is_empty()
    }

    /// How many requests began with `path`.
    pub fn count(&self, path: &str) -> usize {
        self.state
            .seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| seen.starts_with(path))
            .count()
    }

    /// Where phones reach it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority that its certificate stands on.
    pub fn ca(&self) -> PathBuf {
        self.ca.clone()
    }
}

/// A client without TLS, which asks for a crypto provider all the same.
pub fn client() -> reqwest::Client {
    // Refused when another test has installed it: all the better.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

/// What reached the line is passed on to its end, even if the phone is gone meanwhile.
async fn pass(State(line): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    line.seen.lock().unwrap().push(uri.path().to_owned());
    let fault = {
        let mut faults = line.faults.lock().unwrap();
        let place = faults.iter().position(|(path, _)| uri.path().starts_with(path));
        place.and_then(|place| faults.remove(place)).map(|(_, fault)| fault)
    };
    if headers.contains_key(header::UPGRADE) {
        return (StatusCode::BAD_REQUEST, "no upgrades here").into_response();
    }
    match fault {
        Some(Fault::RequestLost) => return lost(),
        Some(Fault::Page) => {
            return (
                StatusCode::OK,
                [(header::CONTENT_TYPE, "text/html")],
                "<h1>Connectez-vous</h1>",
            )
                .into_response();
        }
        _ => {}
    }
    let passed = tokio::spawn(pass_on(line, method, uri, headers, body, fault));
    passed.await.unwrap_or_else(|_| lost())
}

async fn pass_on(
    line: Arc<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    fault: Option<Fault>,
) -> Response {
    let gate = {
        let mut held = line.held.lock().unwrap();
        let place = held.iter().position(|(path, _)| uri.path().starts_with(path));
        place.map(|place| held.remove(place).1)
    };
    if let Some(gate) = &gate {
        gate.reached.notify_one();
        gate.opened.notified().await;
    }
    let edits: Vec<_> = {
        let edits = line.edits.lock().unwrap();
        let ours = edits.iter().filter(|(path, _)| uri.path().starts_with(path));
        ours.map(|(_, edit)| Arc::clone(edit)).collect()
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = line
        .client
        .request(method, format!("{}{path}", line.upstream))
        .body(body.to_vec());
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let answer = answered(request).await;
    if let Some(gate) = &gate {
        gate.passed.notify_one();
    }
    let Some((status, kind, bytes)) = answer else {
        return lost();
    };
    if fault == Some(Fault::ReplyLost) {
        return lost();
    }
    let bytes = if fault == Some(Fault::ReplyCut) {
        bytes.slice(..bytes.len() / 2)
    } else {
        bytes
    };
    let bytes = edits
        .iter()
        .fold(bytes, |bytes, edit| Bytes::from(edit(bytes.to_vec())));
    let mut answer = (status, bytes).into_response();
    if let Some(kind) = kind {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    answer
}

/// The relay's whole answer; none if the relay is not there.
async fn answered(request: reqwest::RequestBuilder) -> Option<(StatusCode, Option<HeaderValue>, Bytes)> {
    let answer = request.send().await.ok()?;
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    Some((status, kind, answer.bytes().await.ok()?))
}

/// A body that breaks off at its start: the phone sees a connection that was lost.
fn lost() -> Response {
    let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::from(
        std::io::ErrorKind::ConnectionReset,
    ))]);
    Response::new(Body::from_stream(broken))
}
