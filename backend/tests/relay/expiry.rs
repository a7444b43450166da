//! Mail that waits: its sender hears of it after three days and after ninety, and then nothing is left of it.

use protocol::sequence::{Cursor, Step};
use protocol::{Timestamp, limits};
use reqwest::StatusCode;

use super::support::{LEA, PAUL, Phone, TestRelay, ZOE, after, notice_of};

const LARGE: &[u8] = &[b'x'; 20 * 1024];

/// Lets the relay do what it does every hour, so many days from now.
async fn sweep(relay: &TestRelay, days: i64) {
    relay.running.sweep(Timestamp::now().plus_days(days)).await.unwrap();
}

/// What the phone was told: whom of, and what.
async fn told(relay: &TestRelay, phone: &Phone) -> Vec<(String, Step)> {
    let entries = relay.page(phone, Cursor::START).await;
    let notices = entries.iter().map(notice_of);
    notices
        .map(|notice| (notice.recipient.to_string(), notice.step))
        .collect()
}

#[tokio::test]
async fn a_mail_that_nobody_retrieves_is_told_of_once_and_still_arrives() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    relay.send(&lea, &[PAUL, ZOE], b"un").await;
    let of_zoe = relay.page(&zoe, Cursor::START).await;
    relay.acknowledge(&zoe, after(Cursor::START, &of_zoe)).await;
    let by_zoe = (ZOE.to_owned(), Step::Retrieved);
    sweep(&relay, limits::WAITING_DAYS - 1).await;
    assert_eq!(told(&relay, &lea).await, std::slice::from_ref(&by_zoe));
    sweep(&relay, limits::WAITING_DAYS).await;
    sweep(&relay, limits::WAITING_DAYS + 1).await;
    let of_paul = (PAUL.to_owned(), Step::NotRetrieved);
    assert_eq!(told(&relay, &lea).await, [by_zoe.clone(), of_paul.clone()]);
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), b"un");
    relay.acknowledge(&paul, after(Cursor::START, &entries)).await;
    sweep(&relay, limits::MAIL_DAYS).await;
    let by_paul = (PAUL.to_owned(), Step::Retrieved);
    assert_eq!(told(&relay, &lea).await, [by_zoe, of_paul, by_paul]);
}

#[tokio::test]
async fn after_ninety_days_nothing_is_left_of_it_and_its_sender_is_told() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let sealed = relay.seal(&lea, &[PAUL, ZOE], LARGE).await;
    assert_eq!(relay.deposit(&lea, &sealed).await.status(), StatusCode::OK);
    let of_zoe = relay.page(&zoe, Cursor::START).await;
    relay.acknowledge(&zoe, after(Cursor::START, &of_zoe)).await;
    // It waits for him once more, under a wrap of its own.
    assert_eq!(relay.rewrap(&lea, &sealed).await.status(), StatusCode::NO_CONTENT);
    sweep(&relay, limits::MAIL_DAYS - 1).await;
    assert_eq!(relay.blob_count(), 2);
    let before = relay.page(&paul, Cursor::START).await;
    assert!(before.iter().all(|entry| entry.payload.is_some()));
    sweep(&relay, limits::MAIL_DAYS).await;
    assert_eq!(relay.blob_count(), 0);
    let steps: Vec<_> = told(&relay, &lea).await.into_iter().map(|(_, step)| step).collect();
    assert_eq!(steps, [Step::Retrieved, Step::NotRetrieved, Step::Expired]);
    // The numbers stay, so that the running hash holds.
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .all(|entry| entry.body.is_none() && entry.payload.is_none())
    );
    let cursor = after(Cursor::START, &entries);
    assert_eq!(cursor, after(Cursor::START, &before));
    assert_eq!(relay.acknowledge(&paul, cursor).await.status(), StatusCode::NO_CONTENT);
    sweep(&relay, limits::MAIL_DAYS + 1).await;
    assert_eq!(relay.look::<i64>("SELECT count(*) FROM deposit"), 0);
    assert_eq!(told(&relay, &lea).await.len(), 3);
}
