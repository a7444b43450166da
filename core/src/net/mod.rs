//! The relay as this phone sees it: every request it answers, over TLS that is always verified.
//! What is asked and when is `sync`'s. See `docs/protocol/api.md`.

pub(crate) mod stream;
mod token;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use protocol::api::{
    self, Archives, Challenge, ChallengeAnswer, ChallengeRequest, DepositAnswer, DirectoryEntries, DirectoryEntry,
    Enrolled, Enrolment, KeysAnswer, KeysRequest, PrekeyStock, PrekeyWish, ServerInfo, Standing, Suspensions,
    TokenAnswer, TokenRequest, Withdrawal, WithdrawalAnswer, path,
};
use protocol::cbor::{self, Format};
use protocol::link::LinkCode;
use protocol::problem::{self, Code, Problem};
use protocol::removal::Removal;
use protocol::sequence::{Cursor, SequencePage};
use protocol::sign::Purpose;
use protocol::{Address, ArchiveId, DeviceId, MessageId, limits};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::account::Account;
use crate::clock::RelayClock;
use crate::error::{Error, NetworkError, ServerError};
use token::Tokens;

/// A request that got no answer after this long, or an answer that stood still for as long, is given up and repeated
/// later; what a long poll waits and a large body needs comes on top.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The slowest line on which a large body is still waited for: a bad mobile one, in bytes a second.
const SLOWEST_LINE: usize = 2_048;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest JSON answer.
const JSON_BYTES: usize = 256 * 1024;

/// How long a phone waits for a sign of life before it takes an open line for dead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// A line that was silent for this long is asked for one.
    pub ping_after: Duration,
    /// Without an answer for this long more, it is given up and opened anew.
    pub dead_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ping_after: Duration::from_secs(20),
            dead_after: Duration::from_secs(10),
        }
    }
}

/// What is said in the channel of a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    /// By the main device, which has read the code.
    Answer,
    /// By the device that shows it.
    Hello,
}

impl Said {
    fn path(self, code: &LinkCode) -> String {
        let what = match self {
            Self::Answer => "answer",
            Self::Hello => "hello",
        };
        format!("{}/{}/{what}", path::LINKS, code.channel())
    }
}

/// A relay, and this device's token there.
pub(crate) struct Relay {
    patience: Patience,
    base: String,
    http: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
    tokens: Tokens,
    pub(crate) clock: RelayClock,
}

impl Relay {
    /// The relay at `https://host:port`, trusting the certificates in `ca`, or else the system's.
    pub(crate) fn new(server: &str, ca: Option<&Path>, patience: Patience) -> Result<Self, Error> {
        let base = server.trim_end_matches('/').to_owned();
        if !base.starts_with("https://") {
            return Err(ServerError::NotHttps.into());
        }
        let tls = client_config(ca)?;
        let mut http_tls = tls.clone();
        http_tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(http_tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // A connection that is kept for later may be dead by then, and would eat one request after the other.
            .http2_keep_alive_interval(patience.ping_after)
            .http2_keep_alive_timeout(patience.dead_after)
            .http2_keep_alive_while_idle(true)
            .build()
            .map_err(|_| ServerError::Unusable)?;
        Ok(Self {
            patience,
            base,
            http,
            tls: Arc::new(tls),
            tokens: Tokens::default(),
            clock: RelayClock::default(),
        })
    }

    pub(crate) async fn server(&self) -> Result<ServerInfo, Error> {
        let info: ServerInfo = json(send(self.request(Method::GET, path::SERVER)).await?).await?;
        self.clock.heard(info.time);
        Ok(info)
    }

    pub(crate) async fn enrol(&self, request: &Enrolment) -> Result<Enrolled, Error> {
        let request = binary_body(self.request(Method::POST, path::ENROLMENTS), cbor::encode(request));
        json(send(request).await?).await
    }

    /// What everybody may know of an account; this phone needs no token for it.
    pub(crate) async fn identity(&self, address: &Address) -> Result<KeysAnswer, Error> {
        let path = format!("{}/{address}", path::IDENTITIES);
        binary(send(self.request(Method::GET, &path)).await?).await
    }

    pub(crate) async fn publish_list(&self, account: &Account, upload: Vec<u8>) -> Result<(), Error> {
        self.authorised(account, || {
            binary_body(self.request(Method::POST, path::LISTS), upload.clone())
        })
        .await?;
        Ok(())
    }

    /// Says something in the channel of a code.
    pub(crate) async fn put_link(&self, code: &LinkCode, said: Said, sealed: Vec<u8>) -> Result<(), Error> {
        send(binary_body(self.request(Method::PUT, &said.path(code)), sealed)).await?;
        Ok(())
    }

    /// What was said in the channel of a code.
    pub(crate) async fn link(&self, code: &LinkCode, said: Said) -> Result<Vec<u8>, Error> {
        let answer = send(self.request(Method::GET, &said.path(code))).await?;
        bytes(answer, limits::LINK_BYTES).await
    }

    pub(crate) async fn archives(&self, account: &Account) -> Result<Archives, Error> {
        json(
            self.authorised(account, || self.request(Method::GET, path::ARCHIVES))
                .await?,
        )
        .await
    }

    pub(crate) async fn put_part(
        &self,
        account: &Account,
        archive: ArchiveId,
        number: u64,
        sealed: Vec<u8>,
    ) -> Result<(), Error> {
        let path = format!("{}/{archive}/{number}", path::ARCHIVES);
        self.authorised(account, || {
            binary_body(self.request(Method::PUT, &path), sealed.clone())
        })
        .await?;
        Ok(())
    }

    pub(crate) async fn suspensions(&self, account: &Account) -> Result<Suspensions, Error> {
        json(
            self.authorised(account, || self.request(Method::GET, path::SUSPENSIONS))
                .await?,
        )
        .await
    }

    pub(crate) async fn suspend(&self, account: &Account, device: DeviceId) -> Result<(), Error> {
        let path = format!("{}/{device}", path::SUSPENSIONS);
        self.authorised(account, || self.request(Method::PUT, &path)).await?;
        Ok(())
    }

    pub(crate) async fn lift(&self, account: &Account, device: DeviceId) -> Result<(), Error> {
        let path = format!("{}/{device}", path::SUSPENSIONS);
        self.authorised(account, || self.request(Method::DELETE, &path)).await?;
        Ok(())
    }

    pub(crate) async fn part(&self, account: &Account, archive: ArchiveId, number: u64) -> Result<Vec<u8>, Error> {
        let path = format!("{}/{archive}/{number}", path::ARCHIVES);
        let limit = limits::ARCHIVE_PART_BYTES;
        let request = || {
            self.request(Method::GET, &path)
                .timeout(ANSWER_TIMEOUT.saturating_add(transfer_time(limit)))
        };
        bytes(self.authorised(account, request).await?, limit).await
    }

    pub(crate) async fn drop_archive(&self, account: &Account, archive: ArchiveId) -> Result<(), Error> {
        let path = format!("{}/{archive}", path::ARCHIVES);
        self.authorised(account, || self.request(Method::DELETE, &path)).await?;
        Ok(())
    }

    pub(crate) async fn entry(&self, account: &Account, address: &Address) -> Result<DirectoryEntry, Error> {
        let path = format!("{}/{address}", path::ENTRIES);
        json(self.authorised(account, || self.request(Method::GET, &path)).await?).await
    }

    pub(crate) async fn entries(
        &self,
        account: &Account,
        query: &str,
        town: Option<&str>,
    ) -> Result<DirectoryEntries, Error> {
        let mut parameters = vec![("q", query)];
        parameters.extend(town.map(|town| ("town", town)));
        json(
            self.authorised(account, || self.request(Method::GET, path::ENTRIES).query(&parameters))
                .await?,
        )
        .await
    }

    pub(crate) async fn keys(
        &self,
        account: &Account,
        accounts: Vec<Address>,
        prekeys: PrekeyWish,
    ) -> Result<KeysAnswer, Error> {
        let request = KeysRequest { accounts, prekeys };
        binary(
            self.authorised(account, || self.request(Method::POST, path::KEYS).json(&request))
                .await?,
        )
        .await
    }

    /// How a device was taken off its account's list.
    pub(crate) async fn removal(&self, account: &Account, device: DeviceId) -> Result<Removal, Error> {
        let path = format!("{}/{device}", path::REMOVALS);
        binary(self.authorised(account, || self.request(Method::GET, &path)).await?).await
    }

    /// The account that a device was one of until the operator activated its address anew.
    pub(crate) async fn ending(&self, account: &Account, device: DeviceId) -> Result<KeysAnswer, Error> {
        let path = format!("{}/{device}", path::ENDINGS);
        binary(self.authorised(account, || self.request(Method::GET, &path)).await?).await
    }

    pub(crate) async fn upload_prekeys(&self, account: &Account, upload: Vec<u8>) -> Result<PrekeyStock, Error> {
        json(
            self.authorised(account, || {
                binary_body(self.request(Method::POST, path::PREKEYS), upload.clone())
            })
            .await?,
        )
        .await
    }

    pub(crate) async fn prekey_stock(&self, account: &Account) -> Result<PrekeyStock, Error> {
        json(
            self.authorised(account, || self.request(Method::GET, path::PREKEYS))
                .await?,
        )
        .await
    }

    pub(crate) async fn deposit(&self, account: &Account, deposit: Vec<u8>) -> Result<DepositAnswer, Error> {
        json(
            self.authorised(account, || {
                binary_body(self.request(Method::POST, path::DEPOSITS), deposit.clone())
            })
            .await?,
        )
        .await
    }

    pub(crate) async fn rewrap(&self, account: &Account, deposit: Vec<u8>) -> Result<(), Error> {
        self.authorised(account, || {
            binary_body(self.request(Method::POST, path::REWRAPS), deposit.clone())
        })
        .await?;
        Ok(())
    }

    pub(crate) async fn withdraw(&self, account: &Account, id: MessageId) -> Result<WithdrawalAnswer, Error> {
        let request = Withdrawal { id };
        json(
            self.authorised(account, || self.request(Method::POST, path::WITHDRAWALS).json(&request))
                .await?,
        )
        .await
    }

    /// The entries after `cursor`; waits for the first of them for up to `wait_seconds`.
    pub(crate) async fn page(
        &self,
        account: &Account,
        cursor: Cursor,
        wait_seconds: u32,
    ) -> Result<SequencePage, Error> {
        let parameters = [
            ("number", cursor.number.to_string()),
            ("hash", cursor.hash.to_string()),
            ("wait_seconds", wait_seconds.to_string()),
        ];
        let patience = ANSWER_TIMEOUT.saturating_add(Duration::from_secs(wait_seconds.into()));
        let request = || {
            self.request(Method::GET, path::SEQUENCE)
                .query(&parameters)
                .timeout(patience.saturating_add(transfer_time(limits::PAGE_BYTES_MAX)))
        };
        let head = timeout(patience, self.authorised(account, request));
        binary(head.await.map_err(|_| NetworkError::Timeout)??).await
    }

    /// Whether the relay agrees with `cursor`, and how far it knows this device to have acknowledged.
    pub(crate) async fn standing(&self, account: &Account, cursor: Cursor) -> Result<Standing, Error> {
        let parameters = [("number", cursor.number.to_string()), ("hash", cursor.hash.to_string())];
        json(
            self.authorised(account, || {
                self.request(Method::GET, path::ACKNOWLEDGEMENTS).query(&parameters)
            })
            .await?,
        )
        .await
    }

    /// Whether notes were compared under the token in use. A relay that begins anew takes none of those from before.
    pub(crate) fn has_compared(&self, account: &Account) -> bool {
        self.tokens.has_compared(account.device, self.clock.now())
    }

    /// Notes were compared.
    pub(crate) fn compared(&self) {
        self.tokens.set_compared(true);
    }

    /// They have to be compared again.
    pub(crate) fn doubt(&self) {
        self.tokens.set_compared(false);
    }

    pub(crate) async fn acknowledge(&self, account: &Account, cursor: Cursor) -> Result<(), Error> {
        self.authorised(account, || {
            self.request(Method::POST, path::ACKNOWLEDGEMENTS).json(&cursor)
        })
        .await?;
        Ok(())
    }

    /// Sends what `request` builds with this device's token, and once more with a new one if the relay refuses it.
    async fn authorised(&self, account: &Account, request: impl Fn() -> RequestBuilder) -> Result<Response, Error> {
        let token = self.token(account).await?;
        match send(request().bearer_auth(token.as_str())).await {
            Err(Error::Relay(Code::TokenRefused)) => {
                self.tokens.forget(&token);
                let token = self.token(account).await?;
                send(request().bearer_auth(token.as_str())).await
            }
            answer => answer,
        }
    }

    /// A token that is still good for a while, asking for a new one if need be.
    async fn token(&self, account: &Account) -> Result<token::Token, Error> {
        if let Some(token) = self.tokens.current(account.device, self.clock.now()) {
            return Ok(token);
        }
        let request = ChallengeRequest { device: account.device };
        let answer: ChallengeAnswer =
            json(send(self.request(Method::POST, path::CHALLENGES).json(&request)).await?).await?;
        let bytes = BASE64
            .decode(answer.challenge.as_bytes())
            .map_err(|_| NetworkError::AnswerUnreadable)?;
        let challenge: Challenge = decoded(&bytes)?;
        if challenge.server != account.server || challenge.device != account.device {
            return Err(ServerError::Renamed.into());
        }
        self.clock
            .heard(challenge.expires_at.plus_seconds(-limits::CHALLENGE_SECONDS));
        let signature = account.key.sign(Purpose::Challenge, &bytes);
        let request = TokenRequest {
            challenge: answer.challenge,
            signature: BASE64.encode(signature.as_bytes()),
        };
        let answer: TokenAnswer = json(send(self.request(Method::POST, path::TOKENS).json(&request)).await?).await?;
        Ok(self.tokens.keep(account.device, answer))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .timeout(ANSWER_TIMEOUT)
    }
}

/// TLS with post-quantum key exchange preferred; a server that does not verify is refused.
fn client_config(ca: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    match ca {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file).map_err(|_| ServerError::CaUnreadable)?;
            for certificate in certificates {
                let certificate = certificate.map_err(|_| ServerError::CaUnreadable)?;
                roots.add(certificate).map_err(|_| ServerError::CaUnreadable)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(ServerError::CaEmpty.into());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ServerError::TlsUnusable)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Sends a request; an answer that is no success becomes an error.
async fn send(request: RequestBuilder) -> Result<Response, Error> {
    let answer = request.send().await.map_err(|error| network_error(&error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let is_problem = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(problem::MEDIA_TYPE.as_bytes()));
    if is_problem {
        let body = bytes(answer, JSON_BYTES).await?;
        if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
            return Err(Error::Relay(problem.code));
        }
    }
    // Something between here and the relay answered: it says nothing about what the relay did.
    Err(Error::Network(match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => NetworkError::ProxyAuthentication,
        _ => NetworkError::AnswerUnexpected,
    }))
}

async fn json<T: DeserializeOwned>(answer: Response) -> Result<T, Error> {
    let body = bytes(answer, JSON_BYTES).await?;
    serde_json::from_slice(&body).map_err(|_| NetworkError::AnswerUnreadable.into())
}

async fn binary<T: Format>(answer: Response) -> Result<T, Error> {
    decoded(&bytes(answer, T::LIMIT).await?)
}

/// What is not of the form that was asked for may be somebody else's answer: another attempt may get the relay's.
fn decoded<T: Format>(bytes: &[u8]) -> Result<T, Error> {
    cbor::decode(bytes).map_err(|_| NetworkError::AnswerUnreadable.into())
}

/// The body of an answer, refused as soon as it passes `limit`.
async fn bytes(mut answer: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        let part = timeout(ANSWER_TIMEOUT, answer.chunk())
            .await
            .map_err(|_| NetworkError::Timeout)?;
        let Some(part) = part.map_err(|error| network_error(&error))? else {
            return Ok(body);
        };
        if body.len().saturating_add(part.len()) > limit {
            return Err(NetworkError::AnswerTooLarge.into());
        }
        body.extend_from_slice(&part);
    }
}

fn binary_body(request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
    let patience = ANSWER_TIMEOUT.saturating_add(transfer_time(body.len()));
    request
        .header(header::CONTENT_TYPE, api::BINARY)
        .timeout(patience)
        .body(body)
}

fn transfer_time(bytes: usize) -> Duration {
    Duration::from_secs(u64::try_from(bytes / SLOWEST_LINE).unwrap_or(u64::MAX))
}

fn network_error(error: &reqwest::Error) -> Error {
    Error::Network(if error.is_timeout() {
        NetworkError::Timeout
    } else if is_certificate(error) {
        NetworkError::CertificateRefused
    } else if error.is_connect() {
        NetworkError::Unreachable
    } else {
        NetworkError::ConnectionLost
    })
}

/// Whether somebody answered whose certificate does not verify, as far down as the reason is told.
fn is_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // An error of input and output does not name what is in it as its source.
    let io = error.downcast_ref::<std::io::Error>();
    match io.and_then(std::io::Error::get_ref) {
        Some(inner) => is_certificate(inner),
        None => error.source().is_some_and(is_certificate),
    }
}
