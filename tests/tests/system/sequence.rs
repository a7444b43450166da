//! A sequence that comes with a gap, or comes again: nothing is taken, nothing is lost, and the phone does not spin.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pli_core::Error;
use pli_tests::place::{GP, NURSE, Place, draft, inbox, state};
use protocol::cbor;
use protocol::sequence::SequencePage;
use tokio::time::timeout;

/// Longest wait for what has to end.
const NEVER: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_a_gap_is_asked_for_again() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    for subject in ["Un", "Deux"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
    }
    nurse.sync().await.unwrap();
    place.line.edit("/v1/sequence", |bytes| {
        let mut page: SequencePage = cbor::decode(&bytes).unwrap();
        if !page.entries.is_empty() {
            page.entries.remove(0);
        }
        cbor::encode(&page)
    });
    let error = gp.sync().await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("sequence-gap", true));
    assert!(inbox(&gp).is_empty());
    place.line.honest();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Un", "Deux"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_relay_lost_is_told_to_both_and_holds_nothing_up() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let mut large = draft(&[GP], "Perdu");
    large.text = "Long. ".repeat(5_000);
    let lost = nurse.send(&large).unwrap();
    nurse.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    let blobs = fs::read_dir(place.folder.path().join("relay/blobs")).unwrap();
    let mut blobs: Vec<_> = blobs.map(|blob| blob.unwrap().path()).collect();
    blobs.retain(|blob| !blob.ends_with("folder.id"));
    assert_eq!(blobs.len(), 1);
    fs::remove_file(&blobs[0]).unwrap();

    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Après"]);
    let unopened = gp.unopened().unwrap();
    assert_eq!((unopened.len(), unopened[0].reason.code()), (1, "payload-lost"));
    assert_eq!(unopened[0].sender, NURSE);
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, lost, GP), "lost");
    gp.sync().await.unwrap();
    assert_eq!(gp.unopened().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_again_ends_the_sync() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Un")).unwrap();
    nurse.sync().await.unwrap();
    let first = Arc::new(Mutex::new(Vec::new()));
    place.line.edit("/v1/sequence", move |bytes| {
        let mut first = first.lock().unwrap();
        if first.is_empty() {
            *first = bytes;
        }
        first.clone()
    });
    let ended = timeout(NEVER, gp.sync()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), "sequence-stuck");
    assert_eq!(inbox(&gp), ["Un"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_the_session_is_locked() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let (ended, ()) = tokio::join!(timeout(NEVER, gp.watch(|_| ())), async {
        while place.line.count("/v1/sequence") < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gp.lock();
    });
    assert!(matches!(ended, Ok(Err(Error::Locked))));
}
