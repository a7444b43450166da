//! A relay as three accounts see it that do whatever the bytes say: what it accepted comes once and whole, and what it
//! refuses it refuses in its own words.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place};
use pli_tests::stranger::Stranger;
use protocol::api::{self, DepositAnswer, Withdrawal, WithdrawalAnswer, path};
use protocol::envelope::{Deposit, Header};
use protocol::sequence::{Cursor, EntryBody, Step};
use protocol::{Address, Code, Digest, MessageId, Problem, cbor};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::cut;
use crate::place::{Template, on_a_runtime};

/// Most steps of one input.
const STEPS: usize = 40;
const WHO: [&str; 3] = [NURSE, GP, CARDIOLOGIST];
/// Where anything at all is sent.
const PATHS: [&str; 16] = [
    path::ENROLMENTS,
    path::CHALLENGES,
    path::TOKENS,
    path::KEYS,
    path::LISTS,
    path::PREKEYS,
    path::DEPOSITS,
    path::REWRAPS,
    path::WITHDRAWALS,
    path::ACKNOWLEDGEMENTS,
    path::ARCHIVES,
    path::LINKS,
    path::SUSPENSIONS,
    path::ENTRIES,
    path::SEQUENCE,
    path::IDENTITIES,
];

/// The folder of a relay with the three, who are strangers to the core.
static PLACE: LazyLock<(Template, Mutex<Vec<Stranger>>)> = LazyLock::new(|| {
    on_a_runtime(async {
        let mut place = Place::open().await;
        let mut three = Vec::new();
        for who in WHO {
            three.push(Stranger::enrol(&place, who).await);
        }
        place.stop_relay().await;
        (Template::of(&place), Mutex::new(three))
    })
});

pub(crate) fn run(bytes: &[u8]) {
    let (template, three) = &*PLACE;
    let mut three = three.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    on_a_runtime(async {
        let mut scene = Scene::open(template.copy(), three.as_mut_slice()).await;
        scene.play(bytes).await;
        scene.end().await;
    });
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // To the next of the three, or to the one after.
    let deposit = |from: u8, to: u8, text: &str| {
        [
            &[0, from, (to + 2 - from) % 3],
            cut::join(&[text.as_bytes()]).as_slice(),
        ]
        .concat()
    };
    let once = deposit(0, 1, "bonjour");
    let poll = |who: u8| vec![4, who];
    vec![
        Vec::new(),
        [once.clone(), vec![1, 0], poll(1), vec![1, 0]].concat(),
        [once.clone(), vec![6, 0], poll(1)].concat(),
        [
            once.clone(),
            poll(1),
            vec![6, 0],
            vec![11, 0],
            deposit(1, 0, "re"),
            poll(0),
        ]
        .concat(),
        [once.clone(), vec![2, 0], cut::join(&[&[0, 9, 0, 1]])].concat(),
        [
            deposit(0, 1, "a"),
            deposit(2, 1, "b"),
            deposit(1, 0, "c"),
            poll(1),
            vec![5, 1],
        ]
        .concat(),
        [
            vec![7, 0, 1, 0],
            cut::join(&[b"part"]),
            vec![7, 0, 1, 1],
            cut::join(&[b"part"]),
        ]
        .concat(),
        [
            vec![9, 0, 1],
            cut::join(&[b"hello"]),
            vec![9, 1, 1],
            cut::join(&[b"hello"]),
        ]
        .concat(),
        [
            vec![3, 0, 3, 0],
            cut::join(&[br#"{"accounts":["jean.martin@medical28.apicrypt.org"],"prekeys":"none"}"#]),
        ]
        .concat(),
        [vec![8, 0, 13], cut::join(&[b"q=martin&limit=3"])].concat(),
    ]
}

/// A relay and the three, and what they have been told.
struct Scene<'a> {
    place: Place,
    three: &'a mut [Stranger],
    cursors: [Cursor; 3],
    seen: Vec<Cursor>,
    /// What was accepted: for whom, by its id, with the digest of its payload.
    accepted: BTreeMap<(Address, MessageId), Digest>,
    came: BTreeMap<(Address, MessageId), usize>,
    withdrawn: Vec<(Address, MessageId)>,
    /// The last deposit of each, and what the relay said of it.
    last: [Option<(Deposit, DepositAnswer)>; 3],
    parts: BTreeMap<(usize, u8), u64>,
}

impl<'a> Scene<'a> {
    async fn open(folder: TempDir, three: &'a mut [Stranger]) -> Self {
        let place = Place::copied(folder, backend::Tuning::default()).await;
        for one in three.iter_mut() {
            one.move_to(place.plain_url()).await;
        }
        Self {
            place,
            three,
            cursors: [Cursor::START; 3],
            seen: vec![Cursor::START],
            accepted: BTreeMap::new(),
            came: BTreeMap::new(),
            withdrawn: Vec::new(),
            last: [const { None }; 3],
            parts: BTreeMap::new(),
        }
    }

    async fn play(&mut self, mut bytes: &[u8]) {
        let mut was_stopped = false;
        for _ in 0..STEPS {
            if bytes.is_empty() {
                return;
            }
            let (step, who) = (cut::byte(&mut bytes) % 12, usize::from(cut::byte(&mut bytes)) % 3);
            match step {
                0 => {
                    let to = WHO[(who + 1 + usize::from(cut::byte(&mut bytes)) % 2) % 3];
                    self.deposit(who, to, cut::take(&mut bytes)).await;
                }
                1 => self.deposit_again(who).await,
                2 => self.deposit_edited(who, cut::take(&mut bytes)).await,
                3 => {
                    let place = PATHS[usize::from(cut::byte(&mut bytes)) % PATHS.len()];
                    let how = cut::byte(&mut bytes);
                    let method = [Method::POST, Method::PUT, Method::DELETE][usize::from(how / 2) % 3].clone();
                    let kind = if how.is_multiple_of(2) {
                        "application/json"
                    } else {
                        api::BINARY
                    };
                    let body = cut::take(&mut bytes).to_vec();
                    let request = self.three[who].request(method, place).header("content-type", kind);
                    refused_or_done(request.body(body)).await;
                }
                4 => self.poll(who).await,
                5 => {
                    let number = u64::from(cut::byte(&mut bytes));
                    let hash = self
                        .seen
                        .get(usize::from(cut::byte(&mut bytes)))
                        .map_or(Digest::ZERO, |seen| seen.hash);
                    self.acknowledge(who, Cursor { number, hash }).await;
                }
                6 => self.withdraw(who).await,
                7 => {
                    self.archive(
                        who,
                        cut::byte(&mut bytes) % 2,
                        cut::byte(&mut bytes),
                        cut::take(&mut bytes),
                    )
                    .await;
                }
                8 => {
                    let place = PATHS[usize::from(cut::byte(&mut bytes)) % PATHS.len()];
                    let text = String::from_utf8_lossy(cut::take(&mut bytes)).into_owned();
                    // A poll is not to wait for minutes.
                    if !text.contains("wait") {
                        refused_or_done(self.three[who].request(Method::GET, &format!("{place}{text}"))).await;
                    }
                }
                9 => {
                    let channel = MessageId::from_bytes([cut::byte(&mut bytes) % 3; 16]);
                    let place = if who == 0 { "hello" } else { "answer" };
                    let address = format!("{}/{channel}/{place}", path::LINKS);
                    let body = cut::take(&mut bytes).to_vec();
                    let put = self.three[who]
                        .request(Method::PUT, &address)
                        .header("content-type", api::BINARY);
                    refused_or_done(put.body(body)).await;
                    refused_or_done(self.three[who].request(Method::GET, &address)).await;
                }
                10 => {
                    let other = self.three[usize::from(cut::byte(&mut bytes)) % 3].device;
                    let address = format!("{}/{other}", path::SUSPENSIONS);
                    let (status, _) = refused_or_done(self.three[who].request(Method::PUT, &address)).await;
                    assert!(status >= 400, "a device was suspended by itself or by a stranger");
                }
                _ if !was_stopped => {
                    was_stopped = true;
                    self.place.stop_relay().await;
                    self.place.start_relay().await;
                    for one in self.three.iter_mut() {
                        one.sign_in().await;
                    }
                }
                _ => (),
            }
        }
    }

    /// Everybody has all that was accepted for them, once.
    async fn end(mut self) {
        for who in 0..3 {
            self.poll(who).await;
        }
        for key in self.accepted.keys() {
            let came = self.came.get(key).copied().unwrap_or(0);
            let is_gone = self.withdrawn.contains(key);
            assert!(came == 1 || (is_gone && came == 0), "came {came} times: {key:?}");
        }
        self.place.stop_relay().await;
    }

    async fn deposit(&mut self, who: usize, to: &str, content: &[u8]) {
        let (sealed, wraps) = self.three[who].seal(to, content).await;
        let deposit = Deposit {
            header: sealed.header.into(),
            wraps,
            payload: sealed.payload.into(),
        };
        self.send(who, deposit).await;
    }

    async fn send(&mut self, who: usize, deposit: Deposit) -> u16 {
        let request = self.three[who]
            .request(Method::POST, path::DEPOSITS)
            .header("content-type", api::BINARY);
        let (status, body) = refused_or_done(request.body(cbor::encode(&deposit))).await;
        if status == 200 {
            let answer: DepositAnswer = parse(&body);
            let header = Header::parse(&deposit.header).expect("the header of what was accepted");
            assert_eq!(
                header.from, self.three[who].address,
                "somebody else's name was accepted"
            );
            for outcome in answer.outcomes.iter().filter(|outcome| outcome.step == Step::Available) {
                let key = (outcome.address.clone(), header.id);
                let digest = Digest::of(&[&deposit.payload]);
                let before = self.accepted.insert(key, digest);
                assert!(
                    before.is_none_or(|before| before == digest),
                    "one id was accepted for two messages"
                );
            }
            self.last[who] = Some((deposit, answer));
        }
        status
    }

    async fn deposit_again(&mut self, who: usize) {
        let Some((deposit, answer)) = self.last[who].clone() else {
            return;
        };
        let id = Header::parse(&deposit.header).expect("a header").id;
        let status = self.send(who, deposit).await;
        let is_withdrawn = self.withdrawn.iter().any(|(_, gone)| *gone == id);
        assert!(status == 200 || is_withdrawn, "the same deposit was refused: {status}");
        if status == 200 {
            assert_eq!(self.last[who].as_ref().map(|(_, again)| again), Some(&answer));
        }
    }

    async fn deposit_edited(&mut self, who: usize, edits: &[u8]) {
        let Some((deposit, _)) = &self.last[who] else { return };
        let mut bytes = cbor::encode(deposit);
        cut::edit(&mut bytes, edits);
        if let Ok(edited) = cbor::decode(&bytes) {
            self.send(who, edited).await;
            return;
        }
        let request = self.three[who].request(Method::POST, path::DEPOSITS);
        let (status, _) = refused_or_done(request.header("content-type", api::BINARY).body(bytes)).await;
        assert!(status >= 400, "what is no deposit was accepted");
    }

    /// Reads all there is, checks it, and acknowledges it.
    async fn poll(&mut self, who: usize) {
        loop {
            let page = self.three[who].page(self.cursors[who]).await;
            if page.entries.is_empty() {
                break;
            }
            for entry in &page.entries {
                self.cursors[who] = self.cursors[who].after(&entry.digest);
                self.seen.push(self.cursors[who]);
                assert_eq!(entry.number, self.cursors[who].number, "a gap");
                let Some(EntryBody::Mail(mail)) = entry.open().expect("an entry that fits its digests") else {
                    continue;
                };
                let key = (
                    self.three[who].address.clone(),
                    Header::parse(&mail.header).expect("a header").id,
                );
                let count = self.came.entry(key.clone()).or_default();
                *count += 1;
                assert_eq!(*count, 1, "twice");
                assert_eq!(self.accepted.get(&key), Some(&mail.payload_digest), "never accepted");
            }
        }
        let cursor = self.cursors[who];
        self.acknowledge(who, cursor).await;
    }

    async fn acknowledge(&mut self, who: usize, cursor: Cursor) {
        let request = self.three[who].request(Method::POST, path::ACKNOWLEDGEMENTS);
        let body = serde_json::to_vec(&cursor).expect("JSON");
        let (status, _) = refused_or_done(request.header("content-type", "application/json").body(body)).await;
        let is_known = self.seen.contains(&cursor);
        assert!(is_known || status >= 400, "a cursor was taken that there is not");
        assert!(
            cursor != self.cursors[who] || status < 300,
            "the newest cursor was refused"
        );
        // Whoever acknowledges what it has not read is not given it any more.
        let is_read = cursor.number <= self.cursors[who].number;
        assert!(is_read || status >= 400, "a cursor was taken that was not read");
    }

    async fn withdraw(&mut self, who: usize) {
        let Some((deposit, _)) = &self.last[who] else { return };
        let id = Header::parse(&deposit.header).expect("a header").id;
        let body = serde_json::to_vec(&Withdrawal { id }).expect("JSON");
        let request = self.three[who].request(Method::POST, path::WITHDRAWALS);
        let (status, body) = refused_or_done(request.header("content-type", "application/json").body(body)).await;
        if status == 200 {
            let answer: WithdrawalAnswer = parse(&body);
            for outcome in answer.outcomes.iter().filter(|outcome| outcome.step == Step::Withdrawn) {
                let key = (outcome.address.clone(), id);
                assert!(
                    !self.came.contains_key(&key) || self.withdrawn.contains(&key),
                    "came, and was taken back"
                );
                self.withdrawn.push(key);
            }
        }
    }

    /// Parts come one after another, and are kept as they came.
    async fn archive(&mut self, who: usize, archive: u8, part: u8, body: &[u8]) {
        let id = protocol::ArchiveId::from_bytes([archive; 16]);
        let address = format!("{}/{id}/{part}", path::ARCHIVES);
        let put = self.three[who]
            .request(Method::PUT, &address)
            .header("content-type", api::BINARY);
        let (status, _) = refused_or_done(put.body(body.to_vec())).await;
        let parts = self.parts.entry((who, archive)).or_default();
        if status < 300 {
            assert!(u64::from(part) <= *parts, "a part was taken that does not come next");
            *parts = (*parts).max(u64::from(part) + 1);
            let (status, kept) = refused_or_done(self.three[who].request(Method::GET, &address)).await;
            assert_eq!(status, 200);
            assert_eq!(kept, body, "another part is kept");
        }
    }
}

/// Sends it; what is refused is refused with a problem that is known.
async fn refused_or_done(request: RequestBuilder) -> (u16, Vec<u8>) {
    // What is no address or no header is never sent.
    let Ok(answer) = request.send().await else {
        return (400, Vec::new());
    };
    let status = answer.status().as_u16();
    let body = answer.bytes().await.expect("a whole answer").to_vec();
    assert!(status < 500, "{status}: {}", String::from_utf8_lossy(&body));
    if status >= 400 {
        let problem: Problem = parse(&body);
        assert_eq!(problem.status, status);
        assert_ne!(problem.code, Code::Unknown);
    }
    (status, body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}
