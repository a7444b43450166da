//! Archives of an account: parts in order, whole, and gone when dropped.

use std::time::Duration;

use protocol::api::Archives;
use protocol::{Code, limits};
use reqwest::{Method, StatusCode};

use super::support::{LEA, PAUL, Phone, TestRelay, problem_of};

const ONE: &str = "/11111111111111111111111111111111";
const OTHER: &str = "/22222222222222222222222222222222";
const THIRD: &str = "/33333333333333333333333333333333";

async fn put(relay: &TestRelay, phone: &Phone, part: &str, bytes: &[u8]) -> Result<(), Code> {
    let answer = relay.archive(phone, Method::PUT, part, bytes.to_vec()).await;
    if answer.status() == StatusCode::NO_CONTENT {
        Ok(())
    } else {
        Err(problem_of(answer).await)
    }
}

async fn part(relay: &TestRelay, phone: &Phone, part: &str) -> Result<Vec<u8>, Code> {
    let answer = relay.archive(phone, Method::GET, part, Vec::new()).await;
    if answer.status() == StatusCode::OK {
        Ok(answer.bytes().await.unwrap().to_vec())
    } else {
        Err(problem_of(answer).await)
    }
}

/// Id, parts and bytes of each archive.
async fn list(relay: &TestRelay, phone: &Phone) -> Vec<(String, u64, u64)> {
    let answer = relay.archive(phone, Method::GET, "", Vec::new()).await;
    let list: Archives = answer.json().await.unwrap();
    let sizes = list.archives.iter();
    sizes
        .map(|size| (format!("/{}", size.id), size.parts, size.bytes))
        .collect()
}

async fn remove(relay: &TestRelay, phone: &Phone, archive: &str) {
    let answer = relay.archive(phone, Method::DELETE, archive, Vec::new()).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

async fn until_blobs(relay: &TestRelay, count: usize) {
    while relay.blob_count() != count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn parts_come_in_order_once_and_to_their_account_alone() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let (first, second) = (format!("{ONE}/0"), format!("{ONE}/1"));
    assert_eq!(put(&relay, &lea, &second, b"deux").await, Err(Code::ArchiveMismatch));
    assert_eq!(put(&relay, &lea, &first, b"").await, Err(Code::Malformed));
    for _ in 0..3 {
        assert_eq!(put(&relay, &lea, &first, b"un").await, Ok(()));
    }
    assert_eq!(put(&relay, &lea, &first, b"autre").await, Err(Code::ArchiveMismatch));
    assert_eq!(put(&relay, &lea, &second, b"deux").await, Ok(()));
    assert_eq!(
        put(&relay, &lea, &format!("{ONE}/3"), b"x").await,
        Err(Code::ArchiveMismatch)
    );
    assert_eq!(put(&relay, &lea, &format!("{OTHER}/0"), b"trois").await, Ok(()));
    assert_eq!(relay.blob_count(), 3, "what was refused or there leaves no file");
    let mut listed = list(&relay, &lea).await;
    listed.sort();
    assert_eq!(listed, [(ONE.to_owned(), 2, 6), (OTHER.to_owned(), 1, 5)]);
    assert_eq!(part(&relay, &lea, &first).await.unwrap(), b"un");
    assert_eq!(part(&relay, &lea, &second).await.unwrap(), b"deux");
    assert_eq!(part(&relay, &lea, &format!("{ONE}/2")).await, Err(Code::NotFound));

    assert_eq!(part(&relay, &paul, &first).await, Err(Code::NotFound));
    assert_eq!(list(&relay, &paul).await, []);
    remove(&relay, &paul, ONE).await;
    assert_eq!(put(&relay, &paul, &first, b"de Paul").await, Ok(()));
    assert_eq!(part(&relay, &lea, &first).await.unwrap(), b"un");
    for nowhere in ["/1", "/1/0", &format!("{ONE}/x"), &format!("{ONE}/-1"), "/%ff/0"] {
        let answer = relay.archive(&lea, Method::GET, nowhere, Vec::new()).await;
        assert_eq!(problem_of(answer).await, Code::NotFound, "{nowhere}");
    }
}

#[tokio::test]
async fn the_same_part_many_times_at_once_is_one_file_and_another_is_refused() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    let first = format!("{ONE}/0");
    let puts = (0..12_u8).map(|n| {
        let bytes = if n % 2 == 0 { b"un" } else { b"ne" };
        put(&relay, &lea, &first, bytes)
    });
    let outcomes = futures_util::future::join_all(puts).await;
    let granted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(granted, 6, "{outcomes:?}");
    assert_eq!(relay.blob_count(), 1);
}

#[tokio::test]
async fn the_largest_part_comes_back_whole_and_a_larger_one_is_refused() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    let mut largest = vec![b'x'; limits::ARCHIVE_PART_BYTES];
    largest.push(b'y');
    assert_eq!(
        put(&relay, &lea, &format!("{ONE}/0"), &largest).await,
        Err(Code::TooLarge)
    );
    largest.remove(0);
    assert_eq!(put(&relay, &lea, &format!("{ONE}/0"), &largest).await, Ok(()));
    assert!(part(&relay, &lea, &format!("{ONE}/0")).await.unwrap() == largest);
}

#[tokio::test]
async fn parts_outlive_the_sweep_and_a_lost_phone_and_go_when_they_are_dropped() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    for (number, bytes) in [b"un", b"de"].into_iter().enumerate() {
        assert_eq!(put(&relay, &lea, &format!("{ONE}/{number}"), bytes).await, Ok(()));
    }
    assert_eq!(put(&relay, &lea, &format!("{OTHER}/0"), b"autre").await, Ok(()));
    let relay = relay.restart().await;
    assert_eq!(relay.blob_count(), 3);
    let next = relay.take_over(&lea, 1).await;
    assert_eq!(part(&relay, &next, &format!("{ONE}/1")).await.unwrap(), b"de");
    assert_eq!(put(&relay, &next, &format!("{ONE}/2"), b"trois").await, Ok(()));
    remove(&relay, &next, ONE).await;
    remove(&relay, &next, ONE).await;
    until_blobs(&relay, 1).await;
    assert_eq!(part(&relay, &next, &format!("{ONE}/0")).await, Err(Code::NotFound));
    assert_eq!(part(&relay, &next, &format!("{OTHER}/0")).await.unwrap(), b"autre");
}

#[tokio::test]
async fn an_account_has_room_for_so_much_and_a_small_part_takes_some_too() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    assert_eq!(put(&relay, &lea, &format!("{ONE}/0"), b"un").await, Ok(()));
    // 2 GiB but for the room of one small part.
    relay.alter("UPDATE archive_part SET size_bytes = 2 * 1024 * 1024 * 1024 - 65536");
    assert_eq!(put(&relay, &lea, &format!("{ONE}/1"), b"x").await, Ok(()));
    assert_eq!(put(&relay, &lea, &format!("{ONE}/2"), b"x").await, Err(Code::TooLarge));
    // The one that is to follow has as much again.
    assert_eq!(put(&relay, &lea, &format!("{OTHER}/0"), b"x").await, Ok(()));
    relay.alter(
        "UPDATE archive_part SET size_bytes = 2 * 1024 * 1024 * 1024 - 65536 WHERE size_bytes < 65536 AND number = 0",
    );
    relay.alter("DELETE FROM archive_part WHERE number = 1");
    assert_eq!(put(&relay, &lea, &format!("{OTHER}/1"), b"x").await, Ok(()));
    assert_eq!(put(&relay, &lea, &format!("{THIRD}/0"), b"x").await, Ok(()));
    assert_eq!(put(&relay, &lea, &format!("{ONE}/1"), b"x").await, Err(Code::TooLarge));
    assert_eq!(relay.blob_count(), 5);
    remove(&relay, &lea, ONE).await;
    assert_eq!(put(&relay, &lea, &format!("{THIRD}/1"), b"x").await, Ok(()));
}
