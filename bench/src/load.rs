//! The load: devices that speak the relay's protocol, each on connections of its own, and what they send.
//! How much of the relay it takes is measured in `relay` and `sockets`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use backend::admin;
use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use pli_tests::place::address;
use pli_tests::stranger::Stranger;
use protocol::api::{self, path};
use protocol::cbor;
use protocol::chunked::ContentKey;
use protocol::envelope::{self, Class, Deposit, Header, Kind, Sender, Wrap};
use protocol::prekey::VerifiedPrekey;
use protocol::sequence::{Cursor, EntryBody, SequencePage};
use protocol::statement::StatedRecipient;
use protocol::{Digest, MessageId, Recipients, Timestamp};
use reqwest::{Client, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::corpus::Corpus;
use crate::phone::micros;
use crate::process::Relay;

/// Where connections come from unless said otherwise.
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A connection, with TLS or without.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A stream of a device's sequence.
pub(crate) struct Stream {
    socket: WebSocketStream<Box<dyn Connection>>,
    cursor: Cursor,
}

/// How a relay is reached.
#[derive(Clone)]
pub(crate) struct Net {
    url: String,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Net {
    /// To this relay, as it serves.
    pub(crate) fn to(relay: &Relay) -> Self {
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tls = relay.url.starts_with("https").then(|| {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(relay.ca()).unwrap() {
                roots.add(certificate.unwrap()).unwrap();
            }
            let config = rustls::ClientConfig::builder();
            Arc::new(config.with_root_certificates(roots).with_no_client_auth())
        });
        Self {
            url: relay.url.clone(),
            tls,
        }
    }

    /// A client with connections of its own, as a phone has: HTTP/2 over TLS, HTTP/1.1 without.
    pub(crate) fn client(&self, from: Ipv4Addr) -> Client {
        let client = Client::builder().local_address(Some(from.into())).tcp_nodelay(true);
        let client = match &self.tls {
            None => client,
            Some(tls) => {
                let mut tls = rustls::ClientConfig::clone(tls);
                tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                client.tls_backend_preconfigured(tls)
            }
        };
        client.build().unwrap()
    }

    /// A connection from this network address, before TLS.
    pub(crate) async fn connect(&self, from: Ipv4Addr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        // So that more connections than there are ports can follow each other.
        socket.set_reuseaddr(true).unwrap();
        socket.bind((from, 0).into()).unwrap();
        let (_, host) = self.url.split_once("://").unwrap();
        let stream = socket.connect(host.parse().unwrap()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The stream of `who` from the start of its sequence.
    pub(crate) async fn stream(&self, who: &Stranger, from: Ipv4Addr) -> Stream {
        let tcp = self.connect(from).await;
        let socket: Box<dyn Connection> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls));
                let name = ServerName::try_from("127.0.0.1").unwrap();
                Box::new(connector.connect(name, tcp).await.unwrap())
            }
        };
        let url = format!("{}{}", self.url.replacen("http", "ws", 1), path::STREAM);
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {}", who.token()).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (socket, _) = tokio_tungstenite::client_async(request, socket).await.unwrap();
        Stream {
            socket,
            cursor: Cursor::START,
        }
    }
}

impl Stream {
    /// The next page; pings are answered meanwhile. `None` when the relay has ended the stream.
    pub(crate) async fn page(&mut self) -> Option<SequencePage> {
        loop {
            if let Message::Binary(bytes) = self.socket.next().await?.ok()? {
                let page: SequencePage = cbor::decode(&bytes).unwrap();
                self.cursor = page
                    .entries
                    .iter()
                    .fold(self.cursor, |at, entry| at.after(&entry.digest));
                return Some(page);
            }
        }
    }

    /// Acknowledges all that has come.
    pub(crate) async fn acknowledge(&mut self) {
        let cursor = cbor::encode(&self.cursor).into();
        self.socket.send(Message::Binary(cursor)).await.unwrap();
    }
}

/// So many enrolled devices, each an account of its own.
pub(crate) async fn enrol(relay: &Relay, net: &Net, count: usize) -> Vec<Stranger> {
    let mut people = "given,surname,departement\n".to_owned();
    for number in 0..count {
        writeln!(people, "Camille,{},28", surname(number)).unwrap();
    }
    admin::import_csv(&relay.data(), people.as_bytes()).unwrap();
    let client = net.client(HERE);
    let mut enrolled = Vec::with_capacity(count);
    for number in 0..count {
        let who = format!("camille.{}@medical28.apicrypt.org", surname(number).to_lowercase());
        let code = admin::make_activation_code(&relay.data(), &address(&who)).unwrap();
        enrolled.push(Stranger::enrol_by(client.clone(), net.url.clone(), &who, code).await);
    }
    enrolled
}

/// A surname for each number, in letters.
fn surname(number: usize) -> String {
    let letter = |place: usize| char::from(b"abcdefghij"[number / place % 10]);
    format!("Ker{}{}{}", letter(100), letter(10), letter(1))
}

/// Deposits of one device for another, sealed beforehand.
pub(crate) type Deposits = Vec<(MessageId, Vec<u8>)>;

/// With a payload of random bytes of this size: the relay cannot tell.
pub(crate) async fn opaque(from: &Stranger, to: &Stranger, class: Class, bytes: usize, count: usize) -> Deposits {
    let payload = Corpus::new().bytes(bytes);
    let prekey = prekey(from, to).await;
    let wraps = vec![Wrap::make(&ContentKey::make().unwrap(), b"header", &prekey).unwrap()];
    let deposits = (0..count).map(|_| {
        let id = MessageId::make().unwrap();
        let header = Header {
            id,
            from: from.address.clone(),
            to: Recipients::new(vec![to.address.clone()]).unwrap(),
            class,
            statement: Digest::of(&[id.as_bytes()]),
        };
        let deposit = Deposit {
            header: cbor::encode(&header).into(),
            wraps: wraps.clone(),
            payload: payload.clone().into(),
        };
        (id, cbor::encode(&deposit))
    });
    deposits.collect()
}

/// Mails, signed and sealed, with a content of this size.
pub(crate) async fn sealed(from: &Stranger, to: &Stranger, bytes: usize, count: usize) -> Deposits {
    let content = Corpus::new().bytes(bytes);
    let prekey = prekey(from, to).await;
    let sender = Sender {
        address: &from.address,
        device: from.device,
        key: &from.key,
        list_version: from.account.list_version(),
        list_digest: from.account.list_digest(),
    };
    let deposits = (0..count).map(|_| {
        let id = MessageId::make().unwrap();
        let recipient = StatedRecipient {
            address: to.address.clone(),
            identity: to.account.fingerprint(),
        };
        let sealed = envelope::seal(sender, id, Kind::Mail, vec![recipient], &content, Timestamp::now()).unwrap();
        let deposit = Deposit {
            wraps: vec![Wrap::make(&sealed.key, &sealed.header, &prekey).unwrap()],
            payload: sealed.payload.into(),
            header: sealed.header.into(),
        };
        (id, cbor::encode(&deposit))
    });
    deposits.collect()
}

async fn prekey(from: &Stranger, to: &Stranger) -> VerifiedPrekey {
    let keys = from.keys(to.address.as_str()).await;
    keys.accounts[0].prekeys[0]
        .verify(&to.account, 0, Timestamp::now())
        .unwrap()
}

/// Deposits, which the relay has to take.
pub(crate) async fn deposit(client: &Client, net: &Net, token: &str, body: Vec<u8>) {
    let request = client.post(format!("{}{}", net.url, path::DEPOSITS));
    let request = request
        .header("content-type", api::BINARY)
        .bearer_auth(token)
        .body(body);
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
}

/// A sender and a recipient, both with their stream open.
pub(crate) struct Pair {
    from: Stranger,
    deposits: std::vec::IntoIter<(MessageId, Vec<u8>)>,
    client: Client,
    stream: Stream,
    hearing: JoinHandle<()>,
}

impl Pair {
    /// The sender has its stream open, too, and acknowledges what it hears there of its mails.
    pub(crate) async fn meet(net: &Net, from: Stranger, to: &Stranger, deposits: Deposits, network: Ipv4Addr) -> Self {
        let mut heard = net.stream(&from, network).await;
        let hearing = tokio::spawn(async move {
            while heard.page().await.is_some() {
                heard.acknowledge().await;
            }
        });
        Self {
            deposits: deposits.into_iter(),
            client: net.client(network),
            stream: net.stream(to, network).await,
            from,
            hearing,
        }
    }

    /// Sends the next `count` deposits, at most `window` of them on their way at once: the times from the begin of each to the
    /// acknowledgement of its delivery.
    pub(crate) async fn run(&mut self, net: &Net, window: usize, count: usize) -> Histogram<u64> {
        let places = Semaphore::new(window);
        let begun: Mutex<HashMap<MessageId, Instant>> = Mutex::default();
        let (client, stream, deposits) = (&self.client, &mut self.stream, &mut self.deposits);
        let receiving = async {
            let mut times = Histogram::new(3).unwrap();
            let mut missing = count;
            while missing > 0 {
                let page = stream.page().await.unwrap();
                stream.acknowledge().await;
                for entry in &page.entries {
                    let Some(EntryBody::Mail(mail)) = entry.open().unwrap() else {
                        panic!("no mail");
                    };
                    let id = Header::parse(&mail.header).unwrap().id;
                    let begun = begun.lock().unwrap().remove(&id).unwrap();
                    times.record(micros(begun.elapsed())).unwrap();
                    places.add_permits(1);
                    missing -= 1;
                }
            }
            times
        };
        let sending = async {
            let mut sending = JoinSet::new();
            for (id, body) in deposits.take(count) {
                places.acquire().await.unwrap().forget();
                begun.lock().unwrap().insert(id, Instant::now());
                let (client, net, token) = (client.clone(), net.clone(), self.from.token().to_owned());
                sending.spawn(async move { deposit(&client, &net, &token, body).await });
            }
            sending.join_all().await;
        };
        let (times, ()) = tokio::join!(receiving, sending);
        times
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.hearing.abort();
    }
}
