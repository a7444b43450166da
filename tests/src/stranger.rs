//! Somebody who speaks the relay's protocol without the core: makes what the core would never send.

use data_encoding::BASE64;
use protocol::api::{
    self, ChallengeAnswer, ChallengeRequest, DepositAnswer, Enrolment, KeysAnswer, KeysRequest, PrekeyWish,
    TokenAnswer, TokenRequest, path,
};
use protocol::cbor;
use protocol::envelope::{self, Deposit, Kind, SealedEnvelope, Sender, Wrap};
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Signed, VerifiedAccount};
use protocol::merkle;
use protocol::prekey::{BatchFacts, BatchRoot, BatchUpload, MadeBatch, PrekeyId};
use protocol::seal::{PrekeyPublic, PrekeySecret};
use protocol::sequence::{Cursor, SequencePage};
use protocol::sign::{Purpose, SigningKey};
use protocol::statement::StatedRecipient;
use protocol::{Address, DeviceId, MessageId, Timestamp};
use reqwest::{Client, Method, RequestBuilder, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::line::client;
use crate::place::{Place, address};

/// An enrolled device that does as it is told.
pub struct Stranger {
    /// Its account.
    pub address: Address,
    /// Its device.
    pub device: DeviceId,
    /// The key with which it signs.
    pub key: SigningKey,
    /// What the relay says of its account.
    pub account: VerifiedAccount,
    /// The private halves of its one-time prekeys, in order.
    pub secrets: Vec<PrekeySecret>,
    client: Client,
    url: String,
    token: String,
}

impl Stranger {
    /// Enrols `who` at the relay of `place`.
    pub async fn enrol(place: &Place, who: &str) -> Self {
        Self::enrol_at(place.plain_url(), who, place.code(who)).await
    }

    /// Enrols `who` at the relay with this address, by an activation code.
    pub async fn enrol_at(url: String, who: &str, code: String) -> Self {
        Self::enrol_by(client(), url, who, code).await
    }

    /// The same by a client of its own, such as one that speaks TLS.
    pub async fn enrol_by(client: Client, url: String, who: &str, code: String) -> Self {
        let address = address(who);
        let (identity_key, key, recovery) = (
            SigningKey::make().unwrap(),
            SigningKey::make().unwrap(),
            SigningKey::make().unwrap(),
        );
        let created_at = Timestamp::now();
        let identity = Identity {
            address: address.clone(),
            key: identity_key.verifying_key(),
            recovery: recovery.verifying_key(),
            created_at,
            follows: None,
        };
        let identity = Signed::make(&identity, &identity_key);
        let fingerprint = identity.digest();
        let certificate = DeviceCertificate {
            address: address.clone(),
            identity: fingerprint,
            key: key.verifying_key(),
            created_at,
        };
        let device = certificate.device();
        let devices = vec![Signed::make(&certificate, &identity_key)];
        let list = DeviceList {
            address: address.clone(),
            identity: fingerprint,
            version: 1,
            devices,
            issued_at: created_at,
        };
        let list = Signed::make(&list, &identity_key);
        let account = VerifiedAccount::verify(&identity, &list).unwrap();
        let facts = BatchFacts {
            address: address.clone(),
            device,
            list_version: 1,
            number: 1,
            opens: vec![envelope::VERSION],
            not_after: created_at.plus_days(30),
        };
        let MadeBatch {
            upload: batch, secrets, ..
        } = MadeBatch::make(&key, facts, 10).unwrap();
        let enrolment = cbor::encode(&Enrolment {
            code,
            identity,
            list,
            batch,
            predecessors: Vec::new(),
        });
        let answer = post(&client, &url, path::ENROLMENTS, enrolment, "").await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());

        let token = sign_in(&client, &url, device, &key).await;
        Self {
            address,
            device,
            key,
            account,
            secrets,
            client,
            url,
            token,
        }
    }

    /// Signs in again, at a relay that was started again since.
    pub async fn sign_in(&mut self) {
        self.token = sign_in(&self.client, &self.url, self.device, &self.key).await;
    }

    /// With which it is let in.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Signs in at a relay that has what the other had when it was closed, at another address.
    pub async fn move_to(&mut self, url: String) {
        self.url = url;
        self.sign_in().await;
    }

    /// A request to `path`, signed in.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    /// Seals `content` as a mail for `to`, and wraps it for every device of theirs.
    pub async fn seal(&self, to: &str, content: &[u8]) -> (SealedEnvelope, Vec<Wrap>) {
        let keys = self.keys(to).await;
        let [account] = keys.accounts.as_slice() else {
            panic!("{to} is not enrolled")
        };
        let verified = VerifiedAccount::verify(&account.identity, &account.list).unwrap();
        let recipient = StatedRecipient {
            address: verified.address().clone(),
            identity: verified.fingerprint(),
        };
        let sender = Sender {
            address: &self.address,
            device: self.device,
            key: &self.key,
            list_version: self.account.list_version(),
            list_digest: self.account.list_digest(),
        };
        let id = MessageId::make().unwrap();
        let sealed = envelope::seal(sender, id, Kind::Mail, vec![recipient], content, Timestamp::now()).unwrap();
        let wraps = account
            .prekeys
            .iter()
            .map(|handed| {
                Wrap::make(
                    &sealed.key,
                    &sealed.header,
                    &handed.verify(&verified, 0, Timestamp::now()).unwrap(),
                )
                .unwrap()
            })
            .collect();
        (sealed, wraps)
    }

    /// Deposits these parts.
    pub async fn deposit(&self, header: &[u8], wraps: &[Wrap], payload: &[u8]) -> Response {
        let deposit = Deposit {
            header: header.to_vec().into(),
            wraps: wraps.to_vec(),
            payload: payload.to_vec().into(),
        };
        self.post(path::DEPOSITS, cbor::encode(&deposit)).await
    }

    /// Deposits these parts, and the relay takes them.
    pub async fn deposit_accepted(&self, header: &[u8], wraps: &[Wrap], payload: &[u8]) -> DepositAnswer {
        let answer = self.deposit(header, wraps, payload).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Posts these bytes to `path`.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> Response {
        post(&self.client, &self.url, path, body, &self.token).await
    }

    /// Announces a body of so many bytes for `path` and sends none: the status with which the relay answers by then.
    pub async fn announce(&self, path: &str, bytes: usize) -> u16 {
        let host = self.url.trim_start_matches("http://");
        let mut socket = TcpStream::connect(host).await.unwrap();
        let (token, binary) = (&self.token, api::BINARY);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: {binary}\r\ncontent-length: {bytes}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; "HTTP/1.1 413".len()];
        socket.read_exact(&mut status).await.unwrap();
        std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
    }

    /// The entries after `cursor`.
    pub async fn page(&self, cursor: Cursor) -> SequencePage {
        let url = format!(
            "{}{}?number={}&hash={}&wait_seconds=0",
            self.url,
            path::SEQUENCE,
            cursor.number,
            cursor.hash
        );
        let answer = self.client.get(url).bearer_auth(&self.token).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        cbor::decode(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Publishes its second batch, with `key` as its one leaf and its last-resort prekey, as `edit` leaves it.
    pub async fn publish(&self, key: PrekeyPublic, edit: impl FnOnce(&mut BatchRoot)) -> Response {
        let mut root = self.root(&key);
        edit(&mut root);
        let upload = BatchUpload {
            root: Signed::make(&root, &self.key),
            leaves: vec![key],
        };
        self.post(path::PREKEYS, cbor::encode(&upload)).await
    }

    /// The root of that batch.
    pub fn root(&self, key: &PrekeyPublic) -> BatchRoot {
        BatchRoot {
            address: self.address.clone(),
            device: self.device,
            list_version: 1,
            number: 2,
            leaf_count: 1,
            leaves: merkle::leaf(key.as_bytes()),
            last_resort: key.clone(),
            opens: vec![envelope::VERSION],
            not_after: Timestamp::now().plus_days(30),
        }
    }

    /// Takes a prekey of the only device of an account, and uses it for nothing.
    pub async fn take_prekey(&self, of: &str) -> PrekeyId {
        let keys = self.keys(of).await;
        let [account] = keys.accounts.as_slice() else {
            panic!("{of} is not enrolled")
        };
        let verified = VerifiedAccount::verify(&account.identity, &account.list).unwrap();
        account.prekeys[0].verify(&verified, 0, Timestamp::now()).unwrap().id
    }

    /// What the relay hands out of `of`.
    pub async fn keys(&self, of: &str) -> KeysAnswer {
        let request = serde_json::to_vec(&KeysRequest {
            accounts: vec![address(of)],
            prekeys: PrekeyWish::OneTime,
        })
        .unwrap();
        let url = format!("{}{}", self.url, path::KEYS);
        let answer = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .bearer_auth(&self.token)
            .body(request)
            .send()
            .await
            .unwrap();
        cbor::decode(&answer.bytes().await.unwrap()).unwrap()
    }
}

/// A token for the device that has this key.
async fn sign_in(client: &Client, url: &str, device: DeviceId, key: &SigningKey) -> String {
    let request = serde_json::to_vec(&ChallengeRequest { device }).unwrap();
    let answer: ChallengeAnswer = json(
        client
            .post(format!("{url}{}", path::CHALLENGES))
            .header("content-type", "application/json")
            .body(request),
    )
    .await;
    let bytes = BASE64.decode(answer.challenge.as_bytes()).unwrap();
    let signature = BASE64.encode(key.sign(Purpose::Challenge, &bytes).as_bytes());
    let request = serde_json::to_vec(&TokenRequest {
        challenge: answer.challenge,
        signature,
    })
    .unwrap();
    let answer: TokenAnswer = json(
        client
            .post(format!("{url}{}", path::TOKENS))
            .header("content-type", "application/json")
            .body(request),
    )
    .await;
    answer.token
}

async fn post(client: &Client, url: &str, path: &str, body: Vec<u8>, token: &str) -> Response {
    let request = client
        .post(format!("{url}{path}"))
        .header("content-type", api::BINARY)
        .body(body);
    let request = if token.is_empty() {
        request
    } else {
        request.bearer_auth(token)
    };
    request.send().await.unwrap()
}

async fn json<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> T {
    let answer = request.send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}
