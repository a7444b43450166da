//! A relay in a folder of its own, and phones that hold just enough keys to speak to it.

use std::io::Cursor as Bytes;
use std::net::SocketAddr;

use backend::limits::Limits;
use backend::{Relay, RelayConfig, Running, Tls, Tuning, admin};
use data_encoding::BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::api::{self, path};
use protocol::cbor::{self, Format};
use protocol::chunked::ContentKey;
use protocol::envelope::{self, Deposit, Header, Kind, Sender, Wrap};
use protocol::identity::{
    DeviceCertificate, DeviceList, Identity, Predecessor, Signed, Succession, VerifiedAccount, device_id,
};
use protocol::prekey::{BatchFacts, MadeBatch};
use protocol::sequence::{Cursor, Entry, EntryBody, MailEntry, Notice, SequencePage, Step};
use protocol::sign::{Purpose, Seed, SigningKey};
use protocol::statement::StatedRecipient;
use protocol::{Address, Code, DeviceId, Digest, MessageId, Problem, Timestamp, problem};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) const LEA: &str = "lea.petit@medical28.apicrypt.org";
pub(crate) const PAUL: &str = "paul.noel@medical28.apicrypt.org";
pub(crate) const ZOE: &str = "zoe.lefevre@medical28.apicrypt.org";
/// In the directory, never enrolled.
pub(crate) const IDA: &str = "ida.roux@medical28.apicrypt.org";

const PEOPLE: &str = "given,surname,departement,profession,specialty,postcode,town
Léa,Petit,28,Infirmière,,28000,Chartres
Paul,Noël,28,Médecin,Médecine générale,28100,Dreux
Zoé,Lefèvre,28,Médecin,Cardiologie,28000,Chartres
Ida,Roux,28,Médecin,Dermatologie,28200,Châteaudun
";

pub(crate) struct TestRelay {
    pub(crate) running: Running,
    pub(crate) data: TempDir,
    pub(crate) client: reqwest::Client,
    pub(crate) base: String,
}

impl TestRelay {
    pub(crate) async fn start() -> Self {
        Self::start_tuned(Tuning::default()).await
    }

    pub(crate) async fn start_tuned(tuning: Tuning) -> Self {
        let data = tempfile::tempdir().unwrap();
        admin::import_csv(data.path(), Bytes::new(PEOPLE)).unwrap();
        Self::start_in(data, Tls::None, tuning).await
    }

    pub(crate) async fn start_in(data: TempDir, tls: Tls, tuning: Tuning) -> Self {
        let scheme = if tls == Tls::None { "http" } else { "https" };
        let running = Relay::start_tuned(config(&data, tls), tuning).await.unwrap();
        let base = format!("{scheme}://127.0.0.1:{}", running.local_addr().port());
        let client = client(&running);
        Self {
            running,
            data,
            client,
            base,
        }
    }

    /// Stops the relay and starts it again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        self.running.stop().await.unwrap();
        Self::start_in(self.data, Tls::None, Tuning::default()).await
    }

    /// Enrols the account with a batch of so many one-time prekeys.
    pub(crate) async fn enrol_with(&self, address: &str, prekeys: u32) -> Phone {
        let mut phone = Phone::make(address, prekeys);
        let answer = self.send_enrolment(&phone, &self.code(address)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        phone.token = self.token(&phone).await;
        phone
    }

    /// What a query of the relay's database gives, behind its back.
    pub(crate) fn look<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        sqlcipher::link();
        let database = rusqlite::Connection::open(self.data.path().join("relay.db")).unwrap();
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Changes a row of the relay's database behind its back.
    pub(crate) fn alter(&self, sql: &str) {
        sqlcipher::link();
        let database = rusqlite::Connection::open(self.data.path().join("relay.db")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
    }

    pub(crate) fn code(&self, address: &str) -> String {
        admin::make_activation_code(self.data.path(), &address.parse().unwrap()).unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Enrols the account and gets its device a token.
    pub(crate) async fn enrol(&self, address: &str) -> Phone {
        self.enrol_with(address, 4).await
    }

    pub(crate) async fn send_enrolment(&self, phone: &Phone, code: &str) -> Response {
        self.enrol_as(&phone.enrolment(code)).await
    }

    /// Asks that `next` takes the account over, to which these lead.
    pub(crate) async fn send_succession(&self, next: &Phone, predecessors: Vec<Predecessor>) -> Response {
        let mut enrolment = next.enrolment("");
        enrolment.predecessors = predecessors;
        self.enrol_as(&enrolment).await
    }

    pub(crate) async fn enrol_as(&self, enrolment: &api::Enrolment) -> Response {
        self.request(Method::POST, path::ENROLMENTS)
            .body(cbor::encode(enrolment))
            .send()
            .await
            .unwrap()
    }

    /// Another phone takes the account over, by the word of the present one's recovery key.
    pub(crate) async fn take_over(&self, present: &Phone, identity: u8) -> Phone {
        let mut next = present.successor(identity);
        let answer = self.send_succession(&next, vec![present.leading_to(&next)]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        next.token = self.token(&next).await;
        next
    }

    /// What anybody is told of an account.
    pub(crate) async fn identity(&self, address: &str) -> api::AccountKeys {
        let path = format!("{}/{address}", path::IDENTITIES);
        let answer = self.request(Method::GET, &path).send().await.unwrap();
        let mut answer: api::KeysAnswer = binary(answer).await;
        assert_eq!(answer.accounts.len(), 1);
        answer.accounts.remove(0)
    }

    pub(crate) async fn rewrap(&self, phone: &Phone, deposit: &Deposit) -> Response {
        self.request(Method::POST, path::REWRAPS)
            .bearer_auth(&phone.token)
            .body(cbor::encode(deposit))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn archive(&self, phone: &Phone, method: Method, archive: &str, body: Vec<u8>) -> Response {
        self.request(method, &format!("{}{archive}", path::ARCHIVES))
            .bearer_auth(&phone.token)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn challenge(&self, device: DeviceId) -> Response {
        self.request(Method::POST, path::CHALLENGES)
            .json(&api::ChallengeRequest { device })
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn token(&self, phone: &Phone) -> String {
        let challenge: api::ChallengeAnswer = self.challenge(phone.device).await.json().await.unwrap();
        let answer: api::TokenAnswer = self
            .answer_challenge(&challenge.challenge, &phone.key)
            .await
            .json()
            .await
            .unwrap();
        answer.token
    }

    pub(crate) async fn answer_challenge(&self, challenge: &str, key: &SigningKey) -> Response {
        let bytes = BASE64.decode(challenge.as_bytes()).unwrap();
        let signature = key.sign(Purpose::Challenge, &bytes);
        self.request(Method::POST, path::TOKENS)
            .json(&api::TokenRequest {
                challenge: challenge.to_owned(),
                signature: BASE64.encode(signature.as_bytes()),
            })
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn keys(&self, phone: &Phone, accounts: &[&str], prekeys: api::PrekeyWish) -> api::KeysAnswer {
        binary(self.ask_keys(phone, accounts, prekeys).await).await
    }

    pub(crate) async fn ask_keys(&self, phone: &Phone, accounts: &[&str], prekeys: api::PrekeyWish) -> Response {
        let request = api::KeysRequest {
            accounts: accounts.iter().map(|address| address.parse().unwrap()).collect(),
            prekeys,
        };
        self.request(Method::POST, path::KEYS)
            .bearer_auth(&phone.token)
            .json(&request)
            .send()
            .await
            .unwrap()
    }

    /// Seals `content` with fresh prekeys; recipients without a device get no wrap.
    pub(crate) async fn seal(&self, phone: &Phone, to: &[&str], content: &[u8]) -> Deposit {
        let keys = self.keys(phone, to, api::PrekeyWish::OneTime).await;
        phone.seal(to, &keys, content)
    }

    pub(crate) async fn deposit(&self, phone: &Phone, deposit: &Deposit) -> Response {
        self.request(Method::POST, path::DEPOSITS)
            .bearer_auth(&phone.token)
            .body(cbor::encode(deposit))
            .send()
            .await
            .unwrap()
    }

    /// Seals and deposits; the message's id.
    pub(crate) async fn send(&self, phone: &Phone, to: &[&str], content: &[u8]) -> MessageId {
        let sealed = self.seal(phone, to, content).await;
        let answer = self.deposit(phone, &sealed).await;
        assert_eq!(answer.status(), StatusCode::OK);
        Header::parse(&sealed.header).unwrap().id
    }

    pub(crate) async fn poll(&self, phone: &Phone, cursor: Cursor, wait_seconds: u32) -> Response {
        let query = format!(
            "{}?number={}&hash={}&wait_seconds={wait_seconds}",
            path::SEQUENCE,
            cursor.number,
            cursor.hash
        );
        self.request(Method::GET, &query)
            .bearer_auth(&phone.token)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn page(&self, phone: &Phone, cursor: Cursor) -> Vec<Entry> {
        let page: SequencePage = binary(self.poll(phone, cursor, 0).await).await;
        page.entries
    }

    /// Entries after the cursor, waited for until there are some.
    pub(crate) async fn news(&self, phone: &Phone, cursor: Cursor) -> Vec<Entry> {
        loop {
            let page: SequencePage = binary(self.poll(phone, cursor, 30).await).await;
            if !page.entries.is_empty() {
                return page.entries;
            }
        }
    }

    /// Opens a stream, or gives the code of the refusal.
    pub(crate) async fn stream(&self, phone: &Phone, cursor: Cursor) -> Result<Stream, Code> {
        let host = self.running.local_addr();
        let url = format!(
            "ws://{host}{}?number={}&hash={}",
            path::STREAM,
            cursor.number,
            cursor.hash
        );
        let mut request = url.into_client_request().unwrap();
        let token = format!("Bearer {}", phone.token).parse().unwrap();
        request.headers_mut().insert("authorization", token);
        let socket = TcpStream::connect(host).await.unwrap();
        match client_async(request, socket).await {
            Ok((stream, _)) => Ok(Stream(stream)),
            Err(tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.headers()["content-type"], problem::MEDIA_TYPE);
                let problem: Problem = serde_json::from_slice(answer.body().as_ref().unwrap()).unwrap();
                assert_eq!(problem.status, answer.status().as_u16());
                Err(problem.code)
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn acknowledge(&self, phone: &Phone, cursor: Cursor) -> Response {
        self.request(Method::POST, path::ACKNOWLEDGEMENTS)
            .bearer_auth(&phone.token)
            .json(&cursor)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn withdraw(&self, phone: &Phone, id: MessageId) -> Response {
        self.request(Method::POST, path::WITHDRAWALS)
            .bearer_auth(&phone.token)
            .json(&api::Withdrawal { id })
            .send()
            .await
            .unwrap()
    }

    /// Withdraws; the step of each recipient.
    pub(crate) async fn take_back(&self, phone: &Phone, id: MessageId) -> Vec<Step> {
        let answer = self.withdraw(phone, id).await;
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        let answer: api::WithdrawalAnswer = serde_json::from_str(&body).unwrap();
        answer.outcomes.iter().map(|outcome| outcome.step).collect()
    }

    /// The files of the blob folder, but for its marker.
    pub(crate) fn blobs(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self.data.path().join("blobs")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files.filter(|file| !file.ends_with("folder.id")).collect()
    }

    pub(crate) fn blob_count(&self) -> usize {
        self.blobs().len()
    }
}

/// A device's stream; it answers pings while it is read.
pub(crate) struct Stream(WebSocketStream<TcpStream>);

impl Stream {
    /// The next page.
    pub(crate) async fn page(&mut self) -> Vec<Entry> {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Binary(bytes) => return cbor::decode::<SequencePage>(&bytes).unwrap().entries,
                Message::Ping(_) => (),
                other => panic!("no page: {other:?}"),
            }
        }
    }

    /// What the relay says as it ends the stream.
    pub(crate) async fn end(&mut self) -> (u16, String) {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Ping(_) => (),
                other => panic!("no end: {other:?}"),
            }
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn acknowledge(&mut self, cursor: Cursor) {
        self.send(Message::Binary(cbor::encode(&cursor).into())).await;
    }

    /// The socket itself, on which nothing is answered.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.0.into_inner()
    }
}

pub(crate) fn config(data: &TempDir, tls: Tls) -> RelayConfig {
    RelayConfig {
        data: data.path().to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        name: "relay.test".to_owned(),
        tls,
        metrics: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
    }
}

/// Limits that no test reaches by being fast.
pub(crate) fn unthrottled() -> Tuning {
    let mut limits = Limits::default();
    let Limits {
        challenges,
        tokens,
        keys,
        deposits,
        ..
    } = &mut limits;
    for limit in [challenges, tokens, keys, deposits] {
        limit.bucket = u32::MAX;
    }
    Tuning {
        limits,
        ..Tuning::default()
    }
}

pub(crate) fn client(running: &Running) -> reqwest::Client {
    // The first of several tests in this process installs it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder = reqwest::Client::builder();
    let builder = match running.ca() {
        Some(ca) => {
            let ca = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
            builder.tls_certs_only([ca])
        }
        None => builder,
    };
    builder.build().unwrap()
}

pub(crate) async fn binary<T: Format>(answer: Response) -> T {
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    cbor::decode(&body).unwrap()
}

/// The problem that an answer is, checked to be one in every respect.
pub(crate) async fn problem_of(answer: Response) -> Code {
    let status = answer.status();
    let path = answer.url().path().to_owned();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let body = answer.text().await.unwrap();
    assert_eq!(kind, problem::MEDIA_TYPE, "{body}");
    let problem: Problem = serde_json::from_str(&body).unwrap();
    assert_eq!(problem.status, status.as_u16(), "{body}");
    assert!(Code::ALL.contains(&problem.code), "{body}");
    assert!(!body.contains('@'), "an address in {body}");
    super::described::check_told(&path, problem.code);
    problem.code
}

pub(crate) struct Phone {
    pub(crate) address: Address,
    pub(crate) key: SigningKey,
    pub(crate) identity_key: SigningKey,
    pub(crate) device: DeviceId,
    pub(crate) identity: Signed<Identity>,
    pub(crate) list: Signed<DeviceList>,
    pub(crate) batch: MadeBatch,
    pub(crate) recovery: SigningKey,
    pub(crate) token: String,
}

impl Phone {
    pub(crate) fn make(address: &str, prekeys: u32) -> Self {
        Self::make_with(address, prekeys, 0, Timestamp::now().plus_days(30))
    }

    /// Another `identity` number makes other keys for the same address.
    pub(crate) fn make_with(address: &str, prekeys: u32, identity: u8, not_after: Timestamp) -> Self {
        Self::make_following(address, prekeys, identity, not_after, None)
    }

    /// A phone of the same account with another identity, which says that it follows this one's.
    pub(crate) fn successor(&self, identity: u8) -> Self {
        let not_after = Timestamp::now().plus_days(30);
        let follows = Some(self.identity.digest());
        Self::make_following(self.address.as_str(), 4, identity, not_after, follows)
    }

    /// The word of this phone's recovery key that the other identity follows.
    pub(crate) fn succession(&self, to: &Self) -> Succession {
        Succession {
            address: self.address.clone(),
            from: self.identity.digest(),
            to: to.identity.digest(),
            issued_at: Timestamp::now(),
        }
    }

    /// This phone's identity and list, and the word of its recovery key that the other identity follows.
    pub(crate) fn leading_to(&self, next: &Self) -> Predecessor {
        self.leading_by(Signed::make(&self.succession(next), &self.recovery))
    }

    /// This phone's identity and list, with these words on what follows.
    pub(crate) fn leading_by(&self, succession: Signed<Succession>) -> Predecessor {
        Predecessor {
            identity: self.identity.clone(),
            list: self.list.clone(),
            succession,
        }
    }

    fn make_following(
        address: &str,
        prekeys: u32,
        identity: u8,
        not_after: Timestamp,
        follows: Option<Digest>,
    ) -> Self {
        let address: Address = address.parse().unwrap();
        let key = |purpose: u8| {
            let half = *Digest::of(&[address.as_str().as_bytes(), &[identity, purpose]]).as_bytes();
            let mut seed = [0; Seed::LEN];
            seed[..32].copy_from_slice(&half);
            seed[32..].copy_from_slice(&half);
            SigningKey::derive(&Seed::from_bytes(&seed))
        };
        let (identity_key, recovery, key) = (key(1), key(2), key(3));
        let created_at = Timestamp::from_millis(0);
        let identity = Signed::make(
            &Identity {
                address: address.clone(),
                key: identity_key.verifying_key(),
                recovery: recovery.verifying_key(),
                created_at,
                follows,
            },
            &identity_key,
        );
        let certificate = DeviceCertificate {
            address: address.clone(),
            identity: identity.digest(),
            key: key.verifying_key(),
            created_at,
        };
        let list = Signed::make(
            &DeviceList {
                address: address.clone(),
                identity: identity.digest(),
                version: 1,
                devices: vec![Signed::make(&certificate, &identity_key)],
                issued_at: created_at,
            },
            &identity_key,
        );
        let device = device_id(&key.verifying_key());
        let batch = make_batch(&key, &address, device, 1, prekeys, not_after);
        Self {
            address,
            key,
            identity_key,
            device,
            identity,
            list,
            batch,
            recovery,
            token: String::new(),
        }
    }

    /// The list of the next version, with these devices.
    pub(crate) fn next_list(&self, devices: &[&Self]) -> Signed<DeviceList> {
        let mut list = self.list.verify(&self.identity_key.verifying_key()).unwrap();
        list.version = list.version.saturating_add(1);
        list.devices = devices.iter().map(|phone| self.certify(phone)).collect();
        Signed::make(&list, &self.identity_key)
    }

    fn certify(&self, phone: &Self) -> Signed<DeviceCertificate> {
        let certificate = DeviceCertificate {
            address: self.address.clone(),
            identity: self.identity.digest(),
            key: phone.key.verifying_key(),
            created_at: Timestamp::from_millis(0),
        };
        Signed::make(&certificate, &self.identity_key)
    }

    pub(crate) fn next_batch(&self, number: u64, prekeys: u32) -> MadeBatch {
        let not_after = Timestamp::now().plus_days(30);
        make_batch(&self.key, &self.address, self.device, number, prekeys, not_after)
    }

    pub(crate) fn enrolment(&self, code: &str) -> api::Enrolment {
        api::Enrolment {
            code: code.to_owned(),
            identity: self.identity.clone(),
            list: self.list.clone(),
            batch: self.batch.upload.clone(),
            predecessors: Vec::new(),
        }
    }

    pub(crate) fn account(&self) -> VerifiedAccount {
        VerifiedAccount::verify(&self.identity, &self.list).unwrap()
    }

    pub(crate) fn seal(&self, to: &[&str], keys: &api::KeysAnswer, content: &[u8]) -> Deposit {
        self.seal_with_key(to, keys, content).0
    }

    /// Seals, and keeps what is needed to wrap it again.
    pub(crate) fn seal_with_key(&self, to: &[&str], keys: &api::KeysAnswer, content: &[u8]) -> (Deposit, ContentKey) {
        // Who has no keys has no identity either: the relay, which this is for, cannot tell.
        let accounts = keys
            .accounts
            .iter()
            .map(|keys| VerifiedAccount::verify(&keys.identity, &keys.list).unwrap());
        let known: Vec<_> = accounts.collect();
        let recipients = to.iter().map(|address| StatedRecipient {
            address: address.parse().unwrap(),
            identity: known
                .iter()
                .find(|account| account.address().as_str() == *address)
                .map_or(Digest::ZERO, VerifiedAccount::fingerprint),
        });
        let account = self.account();
        let sender = Sender {
            address: &self.address,
            device: self.device,
            key: &self.key,
            list_version: 1,
            list_digest: account.list_digest(),
        };
        let id = MessageId::make().unwrap();
        let sealed = envelope::seal(sender, id, Kind::Mail, recipients.collect(), content, Timestamp::now()).unwrap();
        let mut wraps = Vec::new();
        for keys in &keys.accounts {
            let account = VerifiedAccount::verify(&keys.identity, &keys.list).unwrap();
            for handed in &keys.prekeys {
                let prekey = handed.verify(&account, 0, Timestamp::now()).unwrap();
                wraps.push(Wrap::make(&sealed.key, &sealed.header, &prekey).unwrap());
            }
        }
        let deposit = Deposit {
            header: sealed.header.into(),
            wraps,
            payload: sealed.payload.into(),
        };
        (deposit, sealed.key)
    }

    /// Opens a mail entry with the prekey it was sealed to.
    pub(crate) fn open(&self, entry: &Entry, sender: &Self) -> Vec<u8> {
        self.open_as(entry, sender, self.account().fingerprint())
    }

    /// The same for what was sealed when its account had this identity.
    pub(crate) fn open_as(&self, entry: &Entry, sender: &Self, identity: Digest) -> Vec<u8> {
        let mail = mail_of(entry);
        let leaf = mail.wrap.prekey.leaf;
        let secret = leaf.map_or(&self.batch.last_resort, |leaf| {
            &self.batch.secrets[usize::try_from(leaf).unwrap()]
        });
        let payload = entry.payload.as_ref().unwrap();
        envelope::open(&mail.header, &mail.wrap, payload, secret)
            .unwrap()
            .verify(&sender.account(), &self.address, &[identity])
            .unwrap()
            .content
    }
}

fn make_batch(
    key: &SigningKey,
    address: &Address,
    device: DeviceId,
    number: u64,
    prekeys: u32,
    not_after: Timestamp,
) -> MadeBatch {
    let facts = BatchFacts {
        address: address.clone(),
        device,
        list_version: 1,
        number,
        opens: vec![envelope::VERSION],
        not_after,
    };
    MadeBatch::make(key, facts, prekeys).unwrap()
}

pub(crate) fn mail_of(entry: &Entry) -> MailEntry {
    match entry.open().unwrap() {
        Some(EntryBody::Mail(mail)) => mail,
        other => panic!("no mail: {other:?}"),
    }
}

pub(crate) fn notice_of(entry: &Entry) -> Notice {
    match entry.open().unwrap() {
        Some(EntryBody::Notice(notice)) => notice,
        other => panic!("no notice: {other:?}"),
    }
}

/// Where a device stands after these entries, whose numbers have no gaps.
pub(crate) fn after(mut cursor: Cursor, entries: &[Entry]) -> Cursor {
    for entry in entries {
        cursor = cursor.after(&entry.digest);
        assert_eq!(entry.number, cursor.number);
    }
    cursor
}
