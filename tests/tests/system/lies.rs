//! A relay that says what is not so: of who somebody was before, and of what it accepted last. And answers that are lost, after
//! which a phone must not take itself for put back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pli_core::{Draft, Folder, Session};
use pli_tests::line::Fault;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use pli_tests::stranger::Stranger;
use protocol::api::{Standing, path};
use protocol::{Digest, cbor};

use crate::devices::{linked, number};
use crate::reissue::{accept, accepted_long_ago};
use crate::rollback::{copy_phone, put_phone_back, settle};

async fn reissued(place: &Place, home: &str) -> Session {
    let gp = place.phone_in(home);
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp
}

/// The stranger plays an identity that the relay made up and names as one that ended, and has sent a mail.
async fn planted(place: &Place) -> (Stranger, Vec<u8>) {
    let stranger = Stranger::enrol(place, GP).await;
    let (sealed, wraps) = stranger.seal(NURSE, b"Subject: Faux\r\n\r\nFaux.\r\n").await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    let keys = Stranger::enrol(place, CARDIOLOGIST).await.keys(GP).await;
    (stranger, cbor::encode(&keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_number_was_compared_nobody_named_by_the_relay_writes() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (_stranger, _) = planted(&place).await;
    let gp = reissued(&place, GP).await;
    let shown = nurse.identity(&address(GP)).await.unwrap().number;
    assert_eq!(shown, gp.identity(&address(NURSE)).await.unwrap().number);
    nurse.mark_verified(&address(GP), &shown).unwrap();
    nurse.sync().await.unwrap();
    assert!(inbox(&nurse).is_empty(), "{:?}", inbox(&nurse));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_was_compared_is_not_taken_back_when_the_phrase_was_used() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (_stranger, _) = planted(&place).await;
    let gp = place.phone_in("gp-1");
    let phrase = gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    let shown = nurse.identity(&address(GP)).await.unwrap().number;
    nurse.mark_verified(&address(GP), &shown).unwrap();
    drop(gp);
    let gp = place.phone_in("gp-2");
    gp.recover(&address(GP), &phrase).await.unwrap();
    assert!(
        nurse.identity(&address(GP)).await.unwrap().changed.is_none(),
        "it follows"
    );
    nurse.sync().await.unwrap();
    assert!(
        !nurse.correspondents().unwrap()[0].is_changed,
        "the pin went back to who was named at first: {:?}",
        inbox(&nurse)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_to_who_was_named_as_somebody_of_before() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (_stranger, keys) = planted(&place).await;
    let _gp = reissued(&place, GP).await;
    nurse.identity(&address(GP)).await.unwrap();
    nurse.sync().await.unwrap();
    let before = place.line.count(path::DEPOSITS);
    place.line.edit(path::KEYS, move |_| keys.clone());
    nurse.send(&draft(&[GP], "Secret")).unwrap();
    assert!(nurse.sync().await.is_ok(), "held, or given up");
    assert_eq!(
        place.line.count(path::DEPOSITS),
        before,
        "sealed to the stranger and sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_signed_by_a_dead_identity_counts_no_longer_than_the_identity() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Avant")).unwrap();
    settle(&[&gp, &nurse]).await;
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    tablet.send(&draft(&[NURSE], "Trop tard")).unwrap();
    tablet.sync().await.unwrap();
    gp.remove_device(gp.devices().unwrap()[1].id).unwrap();
    gp.sync().await.unwrap();
    let _gp = reissued(&place, "gp-2").await;
    accept(&nurse).await;
    accepted_long_ago(&place);
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse), ["Avant"]);
}

/// The relay says of each device that it accepted something else last.
fn lie_of_deposits(place: &Place) {
    let turn = Arc::new(AtomicU8::new(0));
    place.line.edit(path::ACKNOWLEDGEMENTS, move |bytes| {
        let Ok(mut standing) = serde_json::from_slice::<Standing>(&bytes) else {
            return bytes;
        };
        standing.deposited = Some(Digest::from_bytes([turn.fetch_add(1, Ordering::SeqCst); Digest::LEN]));
        serde_json::to_vec(&standing).unwrap()
    });
}

async fn with_backup(place: &Place) -> Session {
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    gp
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lies_of_deposits_undoes_nothing_that_a_person_wrote() {
    let place = Place::open().await;
    let gp = with_backup(&place).await;
    gp.save_draft(&draft(&[NURSE], "Ancien")).unwrap();
    settle(&[&gp]).await;
    let old = number(&gp, Folder::Drafts, "Ancien");
    gp.save_draft(&Draft {
        subject: "Nouveau".to_owned(),
        ..gp.draft(old).unwrap()
    })
    .unwrap();
    lie_of_deposits(&place);
    drop(gp);
    let gp = place.phone(GP);
    gp.sync().await.unwrap();
    let drafts = gp.list(Folder::Drafts, None, 10).unwrap();
    let subjects: Vec<_> = drafts.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["Nouveau"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lies_of_deposits_keeps_no_phone_busy() {
    let place = Place::open().await;
    let gp = with_backup(&place).await;
    settle(&[&gp]).await;
    lie_of_deposits(&place);
    let mut asked = Vec::new();
    let mut gp = Some(gp);
    for _ in 0..4 {
        drop(gp.take());
        let phone = place.phone(GP);
        let before = place.line.count(path::ARCHIVES);
        phone.sync().await.unwrap();
        asked.push(place.line.count(path::ARCHIVES).saturating_sub(before));
        gp = Some(phone);
    }
    assert_eq!(asked[1..], [0, 0, 0], "it reads its backup once: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_comes_while_the_backup_is_still_on_its_way_is_not_lost() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, with_backup(&place).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    let gp = copy_phone(&place, GP, gp);
    gp.send(&draft(&[NURSE], "Envoyé")).unwrap();
    // It leaves, and the line breaks before it is in the backup.
    for _ in 0..2 {
        place.line.fail_next(path::ARCHIVES, Fault::RequestLost);
    }
    assert!(gp.sync().await.is_err());
    place.line.calm();
    let gp = put_phone_back(&place, GP, gp);
    for _ in 0..4 {
        for _ in 0..3 {
            place.line.fail_next(path::ARCHIVES, Fault::RequestLost);
        }
        gp.hurry().unwrap();
        assert!(gp.sync().await.is_err(), "the line is broken");
        place.line.calm();
        tablet.hurry().unwrap();
        tablet.sync().await.unwrap();
    }
    settle(&[&gp, &tablet, &nurse]).await;
    let sent = gp.list(Folder::Sent, None, 10).unwrap();
    assert_eq!(sent.len(), 1, "what it sent after the copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lies_of_deposits_makes_no_draft_of_what_was_sent() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, with_backup(&place).await);
    gp.save_draft(&draft(&[NURSE], "Lettre")).unwrap();
    settle(&[&gp]).await;
    let old = number(&gp, Folder::Drafts, "Lettre");
    gp.send(&gp.draft(old).unwrap()).unwrap();
    // It leaves, and is not in the backup yet, or the relay does not show the part.
    place.line.fail_next(path::ARCHIVES, Fault::RequestLost);
    assert!(gp.sync().await.is_err());
    assert_eq!(gp.list(Folder::Sent, None, 10).unwrap().len(), 1);
    lie_of_deposits(&place);
    drop(gp);
    let gp = place.phone(GP);
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse), ["Lettre"]);
    let folders = [Folder::Sent, Folder::Drafts].map(|folder| gp.list(folder, None, 10).unwrap().len());
    assert_eq!(folders, [1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lies_of_deposits_takes_back_no_delivery() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, with_backup(&place).await);
    gp.send(&draft(&[NURSE], "Lettre")).unwrap();
    place.line.fail_next(path::DEPOSITS, Fault::RequestLost);
    assert!(gp.sync().await.is_err(), "the line is broken");
    // The backup has it as queued by now.
    place.line.calm();
    gp.hurry().unwrap();
    place.line.fail_next(path::ARCHIVES, Fault::RequestLost);
    assert!(gp.sync().await.is_err(), "the line is broken");
    nurse.sync().await.unwrap();
    place.line.fail_next(path::ARCHIVES, Fault::RequestLost);
    assert!(gp.sync().await.is_err(), "the line is broken");
    place.line.calm();
    let sent = number(&gp, Folder::Sent, "Lettre");
    assert_eq!(state(&gp, sent, NURSE), "retrieved");
    lie_of_deposits(&place);
    drop(gp);
    let gp = place.phone(GP);
    gp.sync().await.unwrap();
    let sent = number(&gp, Folder::Sent, "Lettre");
    assert_eq!(state(&gp, sent, NURSE), "retrieved");
}

/// How often the phone, opened anew, asks for or writes an archive in one sync: never, if it lacks nothing.
async fn archives_of_a_quiet_sync(place: &Place, phone: Session) -> usize {
    settle(&[&phone]).await;
    drop(phone);
    let phone = place.phone(GP);
    let before = place.line.count(path::ARCHIVES);
    phone.sync().await.unwrap();
    place.line.count(path::ARCHIVES).saturating_sub(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_taken_back_after_a_lost_answer_makes_no_phone_put_back() {
    let place = Place::open().await;
    let (_nurse, gp) = (place.enrol(NURSE).await, with_backup(&place).await);
    settle(&[&gp]).await;
    let sent = gp.send(&draft(&[NURSE], "Reprise")).unwrap();
    place.line.fail_next(path::DEPOSITS, Fault::ReplyCut);
    assert!(gp.sync().await.is_err(), "the line is broken");
    assert!(place.line.has_failed());
    gp.withdraw(sent).unwrap();
    gp.sync().await.unwrap();
    assert_eq!(state(&gp, sent, NURSE), "withdrawn");
    assert_eq!(archives_of_a_quiet_sync(&place, gp).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_dropped_after_a_lost_answer_makes_no_phone_put_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, with_backup(&place).await);
    let tablet = linked(&place, &gp, "tablet").await;
    nurse.send(&draft(&[GP], "Un")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    gp.archive(number(&gp, Folder::Inbox, "Un")).unwrap();
    place.line.fail_next(path::DEPOSITS, Fault::ReplyCut);
    assert!(gp.sync().await.is_err(), "the line is broken");
    assert!(place.line.has_failed());
    gp.remove_device(gp.devices().unwrap()[1].id).unwrap();
    gp.sync().await.unwrap();
    assert_eq!(archives_of_a_quiet_sync(&place, gp).await, 0);
}

/// A phone that lost no answer asks for none, either.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_lacks_nothing_asks_for_no_archive() {
    let place = Place::open().await;
    let (_nurse, gp) = (place.enrol(NURSE).await, with_backup(&place).await);
    let sent = gp.send(&draft(&[NURSE], "Reprise")).unwrap();
    settle(&[&gp]).await;
    gp.withdraw(sent).unwrap();
    assert_eq!(archives_of_a_quiet_sync(&place, gp).await, 0);
}
