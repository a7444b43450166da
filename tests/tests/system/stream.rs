//! News by WebSocket, from the relay's own TLS to the phone: as it comes, on a line that went dead, with a token that ended.

use std::time::Duration;

use backend::Tuning;
use pli_core::keystore::KeyPlace;
use pli_core::{Config, Patience, Session};
use pli_tests::line::Fault;
use pli_tests::place::{GP, NURSE, Place, address, draft, inbox, state};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

/// Longest wait for what has to happen: whoever waits so long has missed it.
const NEVER: Duration = Duration::from_mins(1);

/// Watches on `phone` while `story` is told, which hears how many mails came.
async fn watching<F: Future<Output = ()>>(phone: &Session, story: impl FnOnce(UnboundedReceiver<u32>) -> F) {
    let (news, arrivals) = tokio::sync::mpsc::unbounded_channel();
    let watch = phone.watch(|report| {
        let _told = news.send(report.received);
    });
    tokio::select! {
        ended = watch => panic!("the watch ended: {ended:?}"),
        told = timeout(NEVER, story(arrivals)) => assert!(told.is_ok(), "it never happened"),
    }
}

async fn arrival(arrivals: &mut UnboundedReceiver<u32>) {
    while arrivals.recv().await.unwrap() == 0 {}
}

/// Until a phone has opened another connection than it had.
async fn until_opened(place: &Place, more_than: usize) {
    while place.wire.as_ref().unwrap().opened() <= more_than {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_comes_by_stream_over_the_relays_own_tls() {
    let place = Place::wired(Tuning::default()).await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let wire = place.wire.as_ref().unwrap();
    watching(&gp, async |mut arrivals| {
        // One connection for requests, shared with nobody; one more for the stream.
        until_opened(&place, 2).await;
        for subject in ["Un", "Deux"] {
            let sent = nurse.send(&draft(&[GP], subject)).unwrap();
            nurse.sync().await.unwrap();
            arrival(&mut arrivals).await;
            // Acknowledged on the stream: the relay tells the sender.
            while state(&nurse, sent, GP) != "retrieved" {
                nurse.sync().await.unwrap();
                sleep(Duration::from_millis(20)).await;
            }
        }
    })
    .await;
    assert_eq!(inbox(&gp), ["Un", "Deux"]);
    assert_eq!(wire.opened(), 3, "the stream stayed open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_goes_dead_without_being_cut_is_noticed_and_opened_anew() {
    let mut place = Place::wired(Tuning::default()).await;
    place.patience = Patience {
        ping_after: Duration::from_millis(300),
        dead_after: Duration::from_millis(700),
    };
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    watching(&gp, async |mut arrivals| {
        until_opened(&place, 2).await;
        nurse.send(&draft(&[GP], "Avant")).unwrap();
        nurse.sync().await.unwrap();
        arrival(&mut arrivals).await;
        nurse.close();
        place.wire.as_ref().unwrap().go_dead();
        let nurse = place.phone(NURSE);
        nurse.send(&draft(&[GP], "Après le silence")).unwrap();
        nurse.sync().await.unwrap();
        arrival(&mut arrivals).await;
    })
    .await;
    assert_eq!(inbox(&gp), ["Avant", "Après le silence"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_in_mid_stream_is_replaced() {
    let tuning = Tuning {
        token_seconds: 2,
        ..Tuning::default()
    };
    let place = Place::wired(tuning).await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    watching(&gp, async |mut arrivals| {
        // The first stream, and the one after it.
        until_opened(&place, 3).await;
        nurse.send(&draft(&[GP], "Après le jeton")).unwrap();
        nurse.sync().await.unwrap();
        arrival(&mut arrivals).await;
    })
    .await;
    assert_eq!(inbox(&gp), ["Après le jeton"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_told_although_its_acknowledgement_is_lost() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    // What each acknowledged so far is compared now, and not again.
    for phone in [&nurse, &gp] {
        phone.sync().await.unwrap();
    }
    place.line.fail_next("/v1/acknowledgements", Fault::RequestLost);
    watching(&gp, async |mut arrivals| {
        nurse.send(&draft(&[GP], "Une fois")).unwrap();
        nurse.sync().await.unwrap();
        arrival(&mut arrivals).await;
    })
    .await;
    assert!(place.line.has_failed(), "nothing was acknowledged");
    assert_eq!(inbox(&gp), ["Une fois"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_can_read_does_not_end_the_watch() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    watching(&gp, async |mut arrivals| {
        place.line.edit("/v1/sequence", |_| b"\xffnot a page".to_vec());
        let asked = place.line.count("/v1/sequence");
        nurse.send(&draft(&[GP], "Une fois")).unwrap();
        // What goes out does; her own sequence is garbled as well.
        nurse.sync().await.unwrap_err();
        while place.line.count("/v1/sequence") < asked + 2 {
            sleep(Duration::from_millis(20)).await;
        }
        place.line.honest();
        arrival(&mut arrivals).await;
    })
    .await;
    assert_eq!(inbox(&gp), ["Une fois"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_certificate_stands_on_another_authority_is_named_so() {
    let place = Place::wired(Tuning::default()).await;
    let home = place.folder.path().join("elsewhere");
    let phone = Session::open(Config {
        key: KeyPlace::File(home.join("store.key")),
        folder: home,
        server: place.wire.as_ref().unwrap().url(),
        ca: Some(place.line.ca()),
        patience: Patience::default(),
    })
    .unwrap();
    let error = phone.enrol(&address(GP), &place.code(GP)).await.unwrap_err();
    assert_eq!(error.code(), "certificate-refused");
}
