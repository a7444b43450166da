//! Large payloads in the blob folder: there as long as a row needs them, and not a moment longer.

use std::fs;
use std::time::Duration;

use backend::{Relay, Tls, Tuning};
use protocol::Code;
use protocol::sequence::{Cursor, Step};
use reqwest::StatusCode;

use super::support::{IDA, LEA, PAUL, TestRelay, ZOE, after, config, notice_of, problem_of};

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
    let file = relay.blobs().remove(0);
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

#[tokio::test]
async fn a_relay_whose_blob_folder_is_not_mounted_does_not_start_and_loses_nothing() {
    let relay = TestRelay::start().await;
    let (mut lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], LARGE).await;
    let TestRelay { running, data, .. } = relay;
    running.stop().await.unwrap();
    let (blobs, away) = (data.path().join("blobs"), data.path().join("away"));
    fs::rename(&blobs, &away).unwrap();
    let refused = async || {
        let error = Relay::start(config(&data, Tls::None)).await.unwrap_err();
        assert_eq!(error.code(), "relay-blob-folder", "{error}");
        error.to_string()
    };
    let id = fs::read_to_string(away.join("folder.id")).unwrap();
    assert!(refused().await.contains(id.trim()));
    assert!(!blobs.exists(), "nothing is made in its place");
    fs::create_dir(&blobs).unwrap();
    refused().await;
    fs::write(blobs.join("folder.id"), "00").unwrap();
    refused().await;
    fs::remove_dir_all(&blobs).unwrap();
    fs::rename(&away, &blobs).unwrap();
    // A database without its own folder takes no other's, whose files it would sweep.
    let database = data.path().join("relay.db");
    fs::rename(&database, data.path().join("kept.db")).unwrap();
    refused().await;
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(data.path().join(format!("relay.db{ending}")));
    }
    fs::rename(data.path().join("kept.db"), &database).unwrap();

    let relay = TestRelay::start_in(data, Tls::None, Tuning::default()).await;
    (lea.token, paul.token) = (relay.token(&lea).await, relay.token(&paul).await);
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), LARGE);
    assert_eq!(relay.page(&lea, Cursor::START).await, []);
}

#[tokio::test]
async fn a_blob_folder_that_goes_while_the_relay_runs_is_waited_for() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], LARGE).await;
    let (blobs, away) = (relay.data.path().join("blobs"), relay.data.path().join("away"));
    fs::rename(&blobs, &away).unwrap();
    fs::create_dir(&blobs).unwrap();
    let page = relay.poll(&paul, Cursor::START, 0).await;
    assert_eq!(problem_of(page).await, Code::TemporarilyUnavailable);
    let sealed = relay.seal(&lea, &[PAUL], LARGE).await;
    let deposit = relay.deposit(&lea, &sealed).await;
    assert_eq!(problem_of(deposit).await, Code::TemporarilyUnavailable);
    assert_eq!(fs::read_dir(&blobs).unwrap().count(), 0);
    fs::remove_dir(&blobs).unwrap();
    fs::rename(&away, &blobs).unwrap();
    assert_eq!(relay.deposit(&lea, &sealed).await.status(), StatusCode::OK);
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), LARGE);
    assert_eq!(paul.open(&entries[1], &lea), LARGE);
    assert_eq!(relay.page(&lea, Cursor::START).await, []);
}

#[tokio::test]
async fn a_first_start_that_ended_between_marker_and_database_is_gone_on_with() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("blobs")).unwrap();
    fs::write(data.path().join("blobs/folder.id"), "0123456789abcdef\n").unwrap();
    let relay = TestRelay::start_in(data, Tls::None, Tuning::default()).await;
    let relay = relay.restart().await;
    assert_eq!(relay.look::<String>("SELECT id FROM blob_folder"), "0123456789abcdef");
}
