//! Large payloads in the blob folder: there as long as a row needs them, and not a moment longer.

use std::fs;
use std::time::Duration;

use protocol::Code;
use protocol::sequence::{Cursor, Step};
use reqwest::StatusCode;

use super::support::{IDA, LEA, PAUL, TestRelay, ZOE, after, notice_of, problem_of};

const LARGE: &[u8] = &[b'x'; 20 * 1024];

async fn until_blobs(relay: &TestRelay, count: usize) {
    while relay.blob_count() != count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_large_payload_is_a_file_until_the_last_device_has_it() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    relay.send(&lea, &[PAUL], b"petit").await;
    assert_eq!(relay.blob_count(), 0);
    relay.send(&lea, &[PAUL, ZOE], LARGE).await;
    assert_eq!(relay.blob_count(), 1, "one for both");
    let of_paul = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&of_paul[1], &lea), LARGE);
    relay.acknowledge(&paul, after(Cursor::START, &of_paul)).await;
    let of_zoe = relay.page(&zoe, Cursor::START).await;
    assert_eq!(zoe.open(&of_zoe[0], &lea), LARGE);
    relay.acknowledge(&zoe, after(Cursor::START, &of_zoe)).await;
    until_blobs(&relay, 0).await;
}

#[tokio::test]
async fn what_is_refused_repeated_or_withdrawn_leaves_no_file() {
    let relay = TestRelay::start().await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let to_nobody = relay.seal(&lea, &[IDA], LARGE).await;
    assert_eq!(
        problem_of(relay.deposit(&lea, &to_nobody).await).await,
        Code::Unreachable
    );
    assert_eq!(relay.blob_count(), 0);
    let sealed = relay.seal(&lea, &[PAUL], LARGE).await;
    let again = (0..8).map(|_| relay.deposit(&lea, &sealed));
    for answer in futures_util::future::join_all(again).await {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(relay.blob_count(), 1);
    let id = protocol::envelope::Header::parse(&sealed.header).unwrap().id;
    assert_eq!(relay.withdraw(&lea, id).await.status(), StatusCode::OK);
    until_blobs(&relay, 0).await;
}

#[tokio::test]
async fn files_without_a_row_are_swept_and_the_others_kept() {
    let relay = TestRelay::start().await;
    let (lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], LARGE).await;
    let blobs = relay.data.path().join("blobs");
    for stray in [
        "00112233445566778899aabbccddeeff",
        "ffeeddccbbaa99887766554433221100.part",
    ] {
        fs::write(blobs.join(stray), LARGE).unwrap();
    }
    let relay = relay.restart().await;
    assert_eq!(relay.blob_count(), 1);
    paul.token = relay.token(&paul).await;
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), LARGE);
}

#[tokio::test]
async fn a_payload_that_is_lost_holds_up_nothing_and_its_sender_is_told() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let id = relay.send(&lea, &[PAUL, ZOE], LARGE).await;
    relay.send(&lea, &[PAUL], b"petit").await;
    let blobs = relay.data.path().join("blobs");
    let file = fs::read_dir(&blobs).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();

    fs::remove_file(&file).unwrap();
    let of_paul = relay.page(&paul, Cursor::START).await;
    assert!(of_paul[0].body.is_some() && of_paul[0].payload.is_none());
    assert_eq!(paul.open(&of_paul[1], &lea), b"petit");
    assert_eq!(relay.page(&paul, Cursor::START).await, of_paul);
    relay.acknowledge(&paul, after(Cursor::START, &of_paul)).await;
    let told = relay.page(&lea, Cursor::START).await;
    let steps: Vec<_> = told.iter().map(|entry| notice_of(entry).step).collect();
    assert_eq!(steps, [Step::Lost, Step::Retrieved]);
    let lost = notice_of(&told[0]);
    assert_eq!((lost.id, lost.recipient.as_str()), (id, PAUL));

    fs::write(&file, &whole[1..]).unwrap();
    let of_zoe = relay.page(&zoe, Cursor::START).await;
    assert_eq!(of_zoe[0].payload, None, "cut short");
    relay.acknowledge(&zoe, after(Cursor::START, &of_zoe)).await;
    assert_eq!(relay.take_back(&lea, id).await, [Step::Lost, Step::Lost]);
}
