//! A device's sequence over plain HTTP: long poll, pages, and what an acknowledgement may say.

use protocol::api::path;
use protocol::envelope::Header;
use protocol::sequence::{Cursor, SequencePage, Step};
use protocol::{Code, Digest, limits};
use reqwest::{Method, StatusCode};

use super::support::{LEA, PAUL, TestRelay, ZOE, after, binary, notice_of, problem_of, unthrottled};

#[tokio::test]
async fn a_long_poll_is_woken_by_news_and_empty_at_its_end() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol_with(LEA, 8).await, relay.enrol_with(PAUL, 8).await);
    let page: SequencePage = binary(relay.poll(&paul, Cursor::START, 1).await).await;
    assert!(page.entries.is_empty());
    let mut cursor = Cursor::START;
    for round in 0..5_u8 {
        let sealed = relay.seal(&lea, &[PAUL], &[round]).await;
        let (polled, deposited) = tokio::join!(relay.poll(&paul, cursor, 30), relay.deposit(&lea, &sealed));
        assert_eq!(deposited.status(), StatusCode::OK);
        let page: SequencePage = binary(polled).await;
        assert_eq!(paul.open(&page.entries[0], &lea), [round]);
        cursor = after(cursor, &page.entries);
    }
    let too_long = relay.poll(&paul, cursor, limits::POLL_SECONDS + 1).await;
    assert_eq!(problem_of(too_long).await, Code::Malformed);
}

#[tokio::test]
async fn an_acknowledgement_covers_all_before_it_and_repeats_change_nothing() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut sent = Vec::new();
    for content in [&b"un"[..], b"deux", b"trois"] {
        sent.push(relay.send(&lea, &[PAUL], content).await);
    }
    let entries = relay.page(&paul, Cursor::START).await;
    let (first, last) = (after(Cursor::START, &entries[..1]), after(Cursor::START, &entries));
    for cursor in [last, last, first, Cursor::START] {
        assert_eq!(relay.acknowledge(&paul, cursor).await.status(), StatusCode::NO_CONTENT);
    }
    let told = relay.page(&lea, Cursor::START).await;
    let told: Vec<_> = told.iter().map(notice_of).collect();
    assert!(told.iter().all(|notice| notice.step == Step::Retrieved));
    assert_eq!(told.iter().map(|notice| notice.id).collect::<Vec<_>>(), sent);
    relay.send(&lea, &[PAUL], b"quatre").await;
    assert_eq!(after(last, &relay.page(&paul, last).await).number, 4);
}

#[tokio::test]
async fn a_cursor_that_the_relay_does_not_know_so_is_refused_and_changes_nothing() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], b"un").await;
    relay.send(&lea, &[PAUL], b"deux").await;
    let entries = relay.page(&paul, Cursor::START).await;
    let first = after(Cursor::START, &entries[..1]);
    let future = after(Cursor::START, &entries).after(&Digest::ZERO);
    let other = Cursor {
        hash: Digest::ZERO,
        ..first
    };
    let huge = Cursor {
        number: u64::MAX,
        ..first
    };
    for wrong in [future, other, huge] {
        assert_eq!(
            problem_of(relay.acknowledge(&paul, wrong).await).await,
            Code::CursorMismatch
        );
        assert_eq!(
            problem_of(relay.poll(&paul, wrong, 0).await).await,
            Code::CursorMismatch
        );
    }
    assert_eq!(relay.page(&paul, Cursor::START).await, entries);
    assert!(relay.page(&lea, Cursor::START).await.is_empty());
    relay.acknowledge(&paul, first).await;
    let behind = relay.poll(&paul, Cursor::START, 0).await;
    assert_eq!(problem_of(behind).await, Code::CursorMismatch);
}

#[tokio::test]
async fn many_entries_come_in_pages_without_a_gap() {
    let relay = TestRelay::start_tuned(unthrottled()).await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    for _ in 0..=limits::PAGE_ENTRIES {
        relay.send(&lea, &[PAUL], b"x").await;
    }
    let page = relay.page(&paul, Cursor::START).await;
    assert_eq!(page.len(), limits::PAGE_ENTRIES);
    let cursor = after(Cursor::START, &page);
    let rest = relay.page(&paul, cursor).await;
    assert_eq!(rest.len(), 1);
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    assert_eq!([stream.page().await, stream.page().await], [page, rest]);
}

#[tokio::test]
async fn requests_that_share_a_transaction_share_its_commit() {
    let relay = TestRelay::start_tuned(unthrottled()).await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut sealed = Vec::new();
    for _ in 0..40 {
        sealed.push(relay.seal(&lea, &[PAUL], b"x").await);
    }
    let before = relay.running.commits();
    relay.deposit(&lea, &sealed[0]).await;
    assert_eq!(relay.running.commits(), before + 1, "one deposit alone");
    relay.deposit(&lea, &sealed[0]).await;
    relay.page(&lea, Cursor::START).await;
    assert_eq!(relay.running.commits(), before + 1, "nothing changed");
    let deposits = sealed[1..].iter().map(|sealed| relay.deposit(&lea, sealed));
    for answer in futures_util::future::join_all(deposits).await {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let shared = relay.running.commits() - before - 1;
    assert!(shared < 39, "{shared} commits for 39 deposits at once");
}

#[tokio::test]
async fn a_withdrawn_mail_keeps_its_place_and_nothing_else() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let id = relay.send(&lea, &[PAUL, ZOE], b"erreur").await;
    relay.page(&zoe, Cursor::START).await;
    assert_eq!(
        relay.take_back(&lea, id).await,
        [Step::Withdrawn, Step::Available],
        "Zoé's phone was handed it, and has not said that it has it"
    );
    let of_zoe = after(Cursor::START, &relay.page(&zoe, Cursor::START).await);
    relay.acknowledge(&zoe, of_zoe).await;
    assert_eq!(relay.take_back(&lea, id).await, [Step::Withdrawn, Step::Retrieved]);
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!((entries[0].body.as_ref(), entries[0].payload.as_ref()), (None, None));
    let cursor = after(Cursor::START, &entries);
    assert_eq!(relay.acknowledge(&paul, cursor).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(relay.take_back(&paul, id).await, [], "another account's");
    let unasked = relay.request(Method::POST, path::WITHDRAWALS).send().await.unwrap();
    assert_eq!(problem_of(unasked).await, Code::TokenRefused);
}

#[tokio::test]
async fn a_withdrawal_that_overtakes_its_deposit_keeps_it_out() {
    let relay = TestRelay::start().await;
    let (mut lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let late = relay.seal(&lea, &[PAUL], &vec![b'x'; 20_000]).await;
    let id = Header::parse(&late.header).unwrap().id;
    assert_eq!(relay.take_back(&lea, id).await, []);
    assert_eq!(problem_of(relay.deposit(&lea, &late).await).await, Code::Withdrawn);
    let relay = relay.restart().await;
    lea.token = relay.token(&lea).await;
    assert_eq!(problem_of(relay.deposit(&lea, &late).await).await, Code::Withdrawn);
    assert_eq!(relay.take_back(&lea, id).await, []);
    assert_eq!(relay.blob_count(), 0);
    // The relay remembers it as long as it remembers a deposit.
    relay.alter("UPDATE withdrawal SET at = 1");
    let relay = relay.restart().await;
    lea.token = relay.token(&lea).await;
    assert_eq!(relay.deposit(&lea, &late).await.status(), StatusCode::OK);
    let mut paul = paul;
    paul.token = relay.token(&paul).await;
    assert_eq!(relay.page(&paul, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn what_a_page_has_no_room_for_can_still_be_taken_back() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut sent = Vec::new();
    for _ in 0..4 {
        sent.push(relay.send(&lea, &[PAUL], &vec![b'x'; 900_000]).await);
    }
    let page = relay.page(&paul, Cursor::START).await;
    assert_eq!(page.len(), 3);
    assert_eq!(relay.take_back(&lea, sent[2]).await, [Step::Available]);
    assert_eq!(relay.take_back(&lea, sent[3]).await, [Step::Withdrawn]);
    let rest = relay.page(&paul, after(Cursor::START, &page)).await;
    assert_eq!((rest[0].body.as_ref(), rest.len()), (None, 1));
}
