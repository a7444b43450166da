//! Envelopes that the core would never make: each is kept sealed, and what comes after it arrives.

use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox};
use pli_tests::stranger::Stranger;
use protocol::envelope::Wrap;
use protocol::sequence::Cursor;
use protocol::sign::SigningKey;
use protocol::{Code, Problem, cbor};

const LETTER: &[u8] = b"Subject: Bonjour\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBonjour.\r\n";

/// After the hostile envelope comes an honest mail, and the GP has both: one kept sealed, one in the inbox.
async fn is_kept_and_holds_nothing_up(place: &Place, reason: &str) {
    let (nurse, gp) = (place.enrol(NURSE).await, place.phone(GP));
    nurse.send(&draft(&[GP], "Honnête")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let reasons: Vec<_> = gp
        .unopened()
        .unwrap()
        .into_iter()
        .map(|unopened| unopened.reason.code())
        .collect();
    assert_eq!(reasons, [reason]);
    assert_eq!(inbox(&gp), ["Honnête"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_does_not_open() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    let mut payload = sealed.payload.clone();
    payload[100] ^= 1;
    stranger.deposit_accepted(&sealed.header, &wraps, &payload).await;
    is_kept_and_holds_nothing_up(&place, "cannot-open").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_spliced_from_two() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (one, wraps) = stranger.seal(GP, LETTER).await;
    let (two, _) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&one.header, &wraps, &two.payload).await;
    is_kept_and_holds_nothing_up(&place, "cannot-open").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_no_device_of_the_sender_signed() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let mut stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    stranger.key = SigningKey::make().unwrap();
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    is_kept_and_holds_nothing_up(&place, "wrong-signature").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_no_letter_is_still_kept() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    for content in [&b""[..], &[0; 1], &[0xFF; 5_000]] {
        let (sealed, wraps) = stranger.seal(GP, content).await;
        stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    }
    gp.sync().await.unwrap();
    let numbers: Vec<_> = gp
        .list(pli_core::Folder::Inbox, None, 10)
        .unwrap()
        .into_iter()
        .map(|mail| mail.number)
        .collect();
    assert_eq!(numbers.len(), 3);
    for number in numbers {
        gp.message(number).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_deposit_again_gets_the_same_answer_and_one_entry() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    let first = stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    assert_eq!(
        stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await,
        first
    );
    // Other wraps change nothing: the id is looked up before any other check.
    assert_eq!(
        stranger.deposit_accepted(&sealed.header, &[], &sealed.payload).await,
        first
    );
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Bonjour"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_replayed_under_another_account_is_refused() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let author = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = author.seal(GP, LETTER).await;
    author.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    let other = Stranger::enrol(&place, NURSE).await;
    let answer = other.deposit(&sealed.header, &wraps, &sealed.payload).await;
    let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(problem.code, Code::NotYours);
}

#[tokio::test(flavor = "multi_thread")]
async fn wraps_that_are_not_of_the_device_lists_are_refused() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    let twice: Vec<Wrap> = wraps.iter().chain(&wraps).cloned().collect();
    for (wrong, code) in [(&[][..], Code::DevicesChanged), (&twice, Code::Malformed)] {
        let answer = stranger.deposit(&sealed.header, wrong, &sealed.payload).await;
        let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(problem.code, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_to_one_device_leave_no_gap_in_its_sequence() {
    let place = Place::open().await;
    let reader = Stranger::enrol(&place, GP).await;
    let writers = [
        Stranger::enrol(&place, CARDIOLOGIST).await,
        Stranger::enrol(&place, NURSE).await,
    ];
    let mut deposits = Vec::new();
    for _ in 0..20 {
        for writer in &writers {
            let (sealed, wraps) = writer.seal(GP, LETTER).await;
            deposits.push(async move { writer.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await });
        }
    }
    let before = place.relay().commits();
    futures_util::future::join_all(deposits).await;
    let shared = place.relay().commits() - before;
    assert!(shared < 40, "{shared} commits for 40 deposits at once");
    let mut cursor = Cursor::START;
    loop {
        let page = reader.page(cursor).await;
        if page.entries.is_empty() {
            break;
        }
        for entry in page.entries {
            assert_eq!(entry.number, cursor.number + 1);
            entry.open().unwrap().unwrap();
            cursor = cursor.after(&entry.digest);
        }
    }
    assert_eq!(cursor.number, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bytes_at_every_door_get_a_code() {
    let place = Place::open().await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = {
        drop(place.enrol(GP).await);
        stranger.seal(GP, LETTER).await
    };
    let deposit = cbor::encode(&protocol::envelope::Deposit {
        header: sealed.header.into(),
        wraps,
        payload: sealed.payload.into(),
    });
    let mut later_version = deposit.clone();
    later_version[0] = 9;
    let mut longer = deposit.clone();
    longer.push(0);
    let bodies: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("cut", deposit[..deposit.len() / 2].to_vec()),
        ("a later version", later_version),
        ("trailing bytes", longer),
        ("not CBOR", b"{\"to\": \"quelqu'un\"}".to_vec()),
        ("not UTF-8", vec![0xFF; 64]),
    ];
    for path in [
        "/v1/deposits",
        "/v1/prekeys",
        "/v1/enrolments",
        "/v1/keys",
        "/v1/withdrawals",
        "/v1/acknowledgements",
        "/v1/challenges",
        "/v1/tokens",
    ] {
        for (what, body) in &bodies {
            let answer = stranger.post(path, body.clone()).await;
            assert_eq!(
                answer.headers()["content-type"],
                "application/problem+json",
                "{path} {what}"
            );
            let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_ne!(problem.code, Code::Unknown, "{path} {what}");
            assert!(
                (400..500).contains(&problem.status),
                "{path} {what}: {}",
                problem.status
            );
        }
        let answer = stranger.post(path, vec![1; 3 * 1024 * 1024]).await;
        assert!(answer.status().is_client_error(), "{path} oversized");
    }
    stranger.page(Cursor::START).await;
}
