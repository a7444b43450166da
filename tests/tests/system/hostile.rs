//! Envelopes that the core would never make: each is kept sealed, and what comes after it arrives.

use pli_core::keystore::{self, KeyPlace};
use pli_core::store::{Store, StoreError};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox, state};
use pli_tests::stranger::Stranger;
use protocol::envelope::Wrap;
use protocol::seal::PrekeySecret;
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

/// Runs this in the GP's store, from beside.
fn execute(place: &Place, sql: &str) {
    let home = place.home(GP);
    let store: Store = keystore::open_or_create(&home, &KeyPlace::File(home.join("store.key"))).unwrap();
    store
        .write(|tx| tx.execute_batch(sql).map_err(StoreError::from))
        .unwrap();
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

/// Whoever wraps a mail names the prekey: the number may be one that no column of a store takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrap_that_names_a_batch_beyond_all_numbers() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, mut wraps) = stranger.seal(GP, LETTER).await;
    wraps[0].prekey.batch = u64::MAX;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    is_kept_and_holds_nothing_up(&place, "no-prekey").await;
}

/// Whatever it is about one mail that the store does not take: the rest of the page is taken, and this mail is kept sealed
/// until the store takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_store_refuses() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    execute(
        &place,
        "CREATE TRIGGER no_bonjour BEFORE INSERT ON message WHEN new.subject = 'Bonjour'
         BEGIN SELECT raise(ABORT, 'not this one'); END",
    );
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    is_kept_and_holds_nothing_up(&place, "cannot-store").await;
    let gp = place.phone(GP);
    assert_eq!(gp.sync().await.unwrap().unopened, 0, "it is no news a second time");
    execute(&place, "DROP TRIGGER no_bonjour");
    gp.sync().await.unwrap();
    assert!(gp.unopened().unwrap().is_empty());
    let mut came = inbox(&gp);
    came.sort();
    assert_eq!(came, ["Bonjour", "Honnête"]);
}

/// The batch and the list of a sender or recipient may bear any number, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_number_beyond_all_is_not_taken() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let key = PrekeySecret::make().unwrap().public().unwrap();
    let answer = stranger.publish(key, |root| root.number = u64::MAX).await;
    assert!(answer.status().is_client_error());
    let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "À deux")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["À deux"]);
    assert_eq!(state(&nurse, sent, CARDIOLOGIST), "available");
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
