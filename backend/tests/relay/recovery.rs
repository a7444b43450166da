//! An account that is taken over with its recovery phrase: who may, what goes along, and what is left to the phone before.

use std::time::Duration;

use protocol::api::{self, PrekeyWish, path};
use protocol::envelope::{Deposit, Header};
use protocol::identity::{Signed, Succession, VerifiedAccount};
use protocol::sequence::{Cursor, EntryBody, Step};
use protocol::{Code, cbor, limits};
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{IDA, LEA, PAUL, Phone, TestRelay, ZOE, after, mail_of, notice_of, problem_of};

/// Longest wait for what has to happen.
const NEVER: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_next_phone_has_the_account_what_waits_and_the_line_of_its_identities() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let first = relay.send(&lea, &[PAUL], b"un").await;
    let by_paul = relay.send(&paul, &[LEA], b"de Paul").await;
    let of_lea = relay.page(&lea, Cursor::START).await;
    relay.acknowledge(&lea, after(Cursor::START, &of_lea)).await;
    let second = relay.send(&lea, &[PAUL], b"deux").await;

    let next = relay.take_over(&paul, 1).await;
    let told = relay.identity(PAUL).await;
    assert_eq!((&told.identity, &told.list), (&next.identity, &next.list));
    let line = next.account().line(&told.predecessors);
    assert_eq!(line.len(), 1);
    assert_eq!(line[0].fingerprint(), paul.account().fingerprint());
    let keys = relay.keys(&lea, &[PAUL], PrekeyWish::OneTime).await;
    assert_eq!(keys.accounts[0].predecessors, told.predecessors);
    assert_eq!(keys.accounts[0].prekeys[0].device, next.device);

    let waiting = relay.page(&next, Cursor::START).await;
    let ids: Vec<_> = waiting
        .iter()
        .map(|entry| match entry.open().unwrap().unwrap() {
            EntryBody::Mail(mail) => Header::parse(&mail.header).unwrap().id,
            EntryBody::Notice(notice) => notice.id,
        })
        .collect();
    assert_eq!(ids, [first, by_paul, second]);
    relay.acknowledge(&next, after(Cursor::START, &waiting)).await;
    let told: Vec<_> = relay.page(&lea, after(Cursor::START, &of_lea)).await;
    let told: Vec<_> = told
        .iter()
        .map(notice_of)
        .map(|notice| (notice.id, notice.step))
        .collect();
    assert_eq!(told, [(first, Step::Retrieved), (second, Step::Retrieved)]);

    relay.send(&lea, &[PAUL], b"trois").await;
    let entries = relay.page(&next, after(Cursor::START, &waiting)).await;
    assert_eq!(next.open(&entries[0], &lea), b"trois");
}

#[tokio::test]
async fn what_was_handed_to_the_phone_before_cannot_be_withdrawn_afterwards_either() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let handed = relay.send(&lea, &[PAUL], b"un").await;
    assert_eq!(relay.page(&paul, Cursor::START).await.len(), 1);
    let waiting = relay.send(&lea, &[PAUL], b"deux").await;
    let next = relay.take_over(&paul, 1).await;
    assert_eq!(relay.take_back(&lea, handed).await, [Step::Available]);
    assert_eq!(relay.take_back(&lea, waiting).await, [Step::Withdrawn]);
    let entries = relay.page(&next, Cursor::START).await;
    assert_eq!((entries.len(), entries[1].body.is_none()), (2, true));
}

#[tokio::test]
async fn what_waited_for_several_devices_waits_once() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    // The relay knows another device of his, as a linked one is.
    let linked = [7; 16];
    relay.alter(&format!(
        "INSERT INTO device (account, device, key) SELECT account, x'{}', key FROM device WHERE device = x'{}'",
        "07".repeat(16),
        paul.device
    ));
    // Its batch is past its date, so that it is handed out to nobody: a wrap for it is taken all the same.
    relay.alter(&format!(
        "INSERT INTO prekey_batch (device, number, root, leaf_hashes, not_after)
         SELECT (SELECT max(id) FROM device), number, root, leaf_hashes, 0 FROM prekey_batch
         WHERE device = (SELECT id FROM device WHERE device = x'{}')",
        paul.device
    ));
    let mut sealed = relay.seal(&lea, &[PAUL], &vec![b'x'; 20_000]).await;
    let mut wrap = sealed.wraps[0].clone();
    wrap.device = protocol::DeviceId::from_bytes(linked);
    sealed.wraps.push(wrap);
    assert_eq!(relay.deposit(&lea, &sealed).await.status(), StatusCode::OK);
    relay.send(&paul, &[LEA], b"de Paul").await;
    let of_lea = relay.page(&lea, Cursor::START).await;
    relay.acknowledge(&lea, after(Cursor::START, &of_lea)).await;

    let next = relay.take_over(&paul, 1).await;
    let entries = relay.page(&next, Cursor::START).await;
    assert_eq!(entries.len(), 2, "the mail and the notice");
    mail_of(&entries[0]);
    notice_of(&entries[1]);
    assert_eq!(relay.blob_count(), 1);
    relay.acknowledge(&next, after(Cursor::START, &entries)).await;
    assert_eq!(relay.look::<i64>("SELECT count(*) FROM payload"), 0);
}

#[tokio::test]
async fn the_same_succession_again_gets_the_same_answer_and_changes_nothing() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let next = paul.successor(1);
    let steps = vec![paul.leading_to(&next)];
    let at_once = (0..8).map(|_| relay.send_succession(&next, steps.clone()));
    for answer in futures_util::future::join_all(at_once).await {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let relay = relay.restart().await;
    let again = relay.send_succession(&next, steps).await;
    assert_eq!(
        again.text().await.unwrap(),
        format!("{{\"device\":\"{}\"}}", next.device)
    );
    assert_eq!(relay.identity(PAUL).await.predecessors.len(), 1);
    relay.token(&next).await;
}

#[tokio::test]
async fn of_two_phones_that_take_over_at_once_the_second_has_to_follow_the_first() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let (one, other) = (paul.successor(1), paul.successor(2));
    let (of_one, of_other) = tokio::join!(
        relay.send_succession(&one, vec![paul.leading_to(&one)]),
        relay.send_succession(&other, vec![paul.leading_to(&other)])
    );
    let (winner, number, lost) = if of_one.status() == StatusCode::OK {
        (one, 2, of_other)
    } else {
        assert_eq!(of_other.status(), StatusCode::OK);
        (other, 1, of_one)
    };
    assert_eq!(problem_of(lost).await, Code::SignatureRefused);
    assert_eq!(relay.identity(PAUL).await.identity, winner.identity);
    relay.token(&winner).await;

    let follower = relay.take_over(&winner, number).await;
    let told = relay.identity(PAUL).await;
    assert_eq!(follower.account().line(&told.predecessors).len(), 2);
    assert_eq!(
        problem_of(relay.challenge(winner.device).await).await,
        Code::DeviceUnknown
    );
}

#[tokio::test]
async fn only_the_word_of_the_present_recovery_key_on_this_very_identity_is_taken() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let (next, stranger) = (paul.successor(1), paul.successor(2));
    let unrelated = Phone::make_with(PAUL, 4, 3, protocol::Timestamp::now().plus_days(30));
    let word = paul.succession(&next);
    let of_another = Succession {
        address: lea.address.clone(),
        ..word.clone()
    };
    let from_another = Succession {
        from: lea.identity.digest(),
        ..word.clone()
    };
    for (what, next, succession) in [
        ("signed by the device", &next, Signed::make(&word, &paul.key)),
        (
            "signed by the next recovery key",
            &next,
            Signed::make(&word, &next.recovery),
        ),
        ("of another account", &next, Signed::make(&of_another, &paul.recovery)),
        (
            "from another identity",
            &next,
            Signed::make(&from_another, &paul.recovery),
        ),
        ("to another identity", &stranger, Signed::make(&word, &paul.recovery)),
        (
            "to one that does not follow",
            &unrelated,
            Signed::make(&paul.succession(&unrelated), &paul.recovery),
        ),
    ] {
        let answer = relay.send_succession(next, vec![paul.leading_by(succession)]).await;
        assert_eq!(problem_of(answer).await, Code::SignatureRefused, "{what}");
    }
    let nobody = Phone::make(IDA, 4);
    let of_nobody = nobody.successor(1);
    let answer = relay
        .send_succession(&of_nobody, vec![nobody.leading_to(&of_nobody)])
        .await;
    assert_eq!(problem_of(answer).await, Code::NotFound);

    assert_eq!(relay.identity(PAUL).await.identity, paul.identity);
    assert!(relay.page(&paul, Cursor::START).await.is_empty());
    let next = relay.take_over(&paul, 1).await;
    let answer = relay.send_succession(&stranger, vec![paul.leading_to(&stranger)]).await;
    assert_eq!(
        problem_of(answer).await,
        Code::SignatureRefused,
        "the phone before has no say any more"
    );
    relay.token(&next).await;
}

#[tokio::test]
async fn an_account_can_be_taken_over_without_end_and_its_last_identities_are_told() {
    let relay = TestRelay::start().await;
    let mut paul = relay.enrol(PAUL).await;
    let times = u8::try_from(limits::PREDECESSORS).unwrap() + 2;
    for identity in 1..=times {
        paul = relay.take_over(&paul, identity).await;
    }
    let told = relay.identity(PAUL).await;
    assert_eq!(told.predecessors.len(), limits::PREDECESSORS);
    let account = VerifiedAccount::verify(&told.identity, &told.list).unwrap();
    assert_eq!(account.fingerprint(), paul.account().fingerprint());
    assert_eq!(account.line(&told.predecessors).len(), limits::PREDECESSORS);
}

/// Every path that takes a token, and what is asked there.
pub(crate) async fn knock_everywhere(relay: &TestRelay, phone: &Phone, deposit: &Deposit) -> Vec<(String, Code)> {
    let archive = format!("{}/{}", path::ARCHIVES, "0".repeat(32));
    let deposit = cbor::encode(deposit);
    let json = |text: &str| text.as_bytes().to_vec();
    let zeros = "0".repeat(64);
    let mut codes = Vec::new();
    for (method, path, body) in [
        (Method::GET, path::ENTRIES.to_owned(), Vec::new()),
        (Method::GET, format!("{}/{ZOE}", path::ENTRIES), Vec::new()),
        (
            Method::POST,
            path::KEYS.to_owned(),
            json(&format!(r#"{{"accounts":["{ZOE}"],"prekeys":"one-time"}}"#)),
        ),
        (
            Method::POST,
            path::KEYS.to_owned(),
            json(&format!(r#"{{"accounts":["{ZOE}"],"prekeys":"none"}}"#)),
        ),
        (Method::GET, path::PREKEYS.to_owned(), Vec::new()),
        (
            Method::POST,
            path::PREKEYS.to_owned(),
            cbor::encode(&phone.next_batch(9, 1).upload),
        ),
        (Method::POST, path::DEPOSITS.to_owned(), deposit.clone()),
        (Method::POST, path::REWRAPS.to_owned(), deposit),
        (
            Method::POST,
            path::WITHDRAWALS.to_owned(),
            json(&format!(r#"{{"id":"{}"}}"#, "0".repeat(32))),
        ),
        (Method::GET, path::SEQUENCE.to_owned(), Vec::new()),
        (
            Method::POST,
            path::ACKNOWLEDGEMENTS.to_owned(),
            json(&format!(r#"{{"number":0,"hash":"{zeros}"}}"#)),
        ),
        (Method::GET, path::ARCHIVES.to_owned(), Vec::new()),
        (Method::PUT, format!("{archive}/0"), vec![1]),
        (Method::GET, format!("{archive}/0"), Vec::new()),
        (Method::DELETE, archive, Vec::new()),
    ] {
        let request = relay.request(method.clone(), &path).bearer_auth(&phone.token);
        let answer = request.body(body).send().await.unwrap();
        codes.push((format!("{method} {path}"), problem_of(answer).await));
    }
    let stream = relay.stream(phone, Cursor::START).await;
    codes.push(("stream".to_owned(), stream.err().unwrap()));
    codes
}

#[tokio::test]
async fn the_phone_before_is_refused_everywhere_at_once() {
    let relay = TestRelay::start().await;
    let (paul, _zoe) = (relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let sealed = relay.seal(&paul, &[ZOE], b"x").await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let (polled, next) = tokio::join!(relay.poll(&paul, Cursor::START, 30), relay.take_over(&paul, 1));
    // The second when it came too late to wait.
    let polled = problem_of(polled).await;
    assert!(matches!(polled, Code::DeviceUnknown | Code::TokenRefused), "{polled:?}");
    let end = timeout(NEVER, stream.end()).await.unwrap();
    assert_eq!(end, (1008, Code::DeviceUnknown.as_str().to_owned()));
    for (door, code) in knock_everywhere(&relay, &paul, &sealed).await {
        assert_eq!(code, Code::TokenRefused, "{door}");
    }
    assert_eq!(
        problem_of(relay.challenge(paul.device).await).await,
        Code::DeviceUnknown
    );
    assert!(relay.page(&next, Cursor::START).await.is_empty());
}

#[tokio::test]
async fn a_token_that_outlives_its_device_opens_no_door_and_its_row_is_never_anothers() {
    let relay = TestRelay::start().await;
    let (zoe, paul) = (relay.enrol(ZOE).await, relay.enrol_with(PAUL, 1).await);
    let sealed = relay.seal(&paul, &[ZOE], b"x").await;
    let row: i64 = relay.look("SELECT max(id) FROM device");
    for table in ["prekey", "prekey_batch"] {
        relay.alter(&format!("DELETE FROM {table} WHERE device = {row}"));
    }
    relay.alter(&format!("DELETE FROM device WHERE id = {row}"));
    let lea = relay.enrol(LEA).await;
    assert_eq!(relay.look::<i64>("SELECT max(id) FROM device"), row + 1);
    relay.send(&zoe, &[LEA], b"pour Lea").await;
    for (door, code) in knock_everywhere(&relay, &paul, &sealed).await {
        assert_eq!(code, Code::DeviceUnknown, "{door}");
    }
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn a_deposit_on_its_way_from_the_phone_before_is_refused_and_leaves_nothing() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let body = cbor::encode(&relay.seal(&paul, &[LEA], &vec![b'x'; 20_000]).await);
    let mut socket = TcpStream::connect(relay.running.local_addr()).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nExpect: 100-continue\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        path::DEPOSITS,
        paul.token,
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    // Said once the relay has looked at the token and wants the body.
    let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    socket.read_exact(&mut go_on).await.unwrap();
    let next = relay.take_over(&paul, 1).await;
    socket.write_all(&body).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(r#""code":"device-unknown""#), "{answer}");
    assert!(relay.page(&lea, Cursor::START).await.is_empty());
    assert_eq!(relay.blob_count(), 0);
    let sealed = relay.seal(&next, &[LEA], b"deux").await;
    assert_eq!(relay.deposit(&next, &sealed).await.status(), StatusCode::OK);
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn an_account_that_the_relay_lost_is_shown_by_any_device_with_its_newest_list_and_all_that_leads_to_it() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let waiting = relay.send(&lea, &[PAUL], b"attend").await;
    let between = paul.successor(1);
    let mut newest = between.successor(2);
    let tablet = Phone::make_with(PAUL, 4, 9, protocol::Timestamp::now().plus_days(30));
    newest.list = newest.next_list(&[&newest, &tablet]);
    let shown = api::Enrolment {
        code: String::new(),
        identity: newest.identity.clone(),
        list: newest.list.clone(),
        batch: tablet.batch.upload.clone(),
        predecessors: vec![paul.leading_to(&between), between.leading_to(&newest)],
    };
    // Without a step between, or with prekeys of nobody on the list, it is not the account's.
    let mut a_step_less = shown.clone();
    a_step_less.predecessors.remove(1);
    let mut of_nobody = shown.clone();
    of_nobody.batch = between.batch.upload.clone();
    for refused in [a_step_less, of_nobody] {
        let answer = relay.enrol_as(&refused).await;
        assert_eq!(problem_of(answer).await, Code::SignatureRefused);
    }
    assert_eq!(relay.identity(PAUL).await.identity, paul.identity);

    assert_eq!(relay.enrol_as(&shown).await.status(), StatusCode::OK);
    let told = relay.identity(PAUL).await;
    assert_eq!((&told.identity, &told.list), (&newest.identity, &newest.list));
    let line = newest.account().line(&told.predecessors);
    let line: Vec<_> = line.iter().map(VerifiedAccount::fingerprint).collect();
    assert_eq!(line, [between.identity.digest(), paul.identity.digest()]);
    // Both devices are the account's; the one that asked has what waits, and prekeys.
    let mut tablet = tablet;
    tablet.token = relay.token(&tablet).await;
    newest.token = relay.token(&newest).await;
    let of_tablet = relay.page(&tablet, Cursor::START).await;
    let header = mail_of(&of_tablet[0]).header.clone();
    assert_eq!(Header::parse(&header).unwrap().id, waiting);
    assert!(relay.page(&newest, Cursor::START).await.is_empty());
    let keys = relay.keys(&lea, &[PAUL], PrekeyWish::OneTime).await;
    let with_prekeys: Vec<_> = keys.accounts[0].prekeys.iter().map(|prekey| prekey.device).collect();
    assert_eq!(with_prekeys, [tablet.device]);
    // The other one comes with the same, or an older list: nothing changes.
    let mut again = shown;
    again.batch = newest.batch.upload.clone();
    assert_eq!(relay.enrol_as(&again).await.status(), StatusCode::OK);
    assert_eq!(relay.identity(PAUL).await.list, newest.list);
}
