//! Phone and phrase are gone: the operator activates the address anew, correspondents are asked, and nothing is lost.

use pli_core::store::StoreError;
use pli_core::{Error, Folder, RecoveryPhrase, Session, UnopenedReason};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use pli_tests::stranger::Stranger;
use protocol::api::path;
use protocol::{Code, Timestamp};

use crate::devices::{linked, listing};
use crate::rollback::settle;

#[tokio::test(flavor = "multi_thread")]
async fn without_the_phrase_correspondents_are_warned_and_held_mail_arrives_once_they_accept() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Lue")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    nurse.send(&draft(&[GP], "En route")).unwrap();
    nurse.sync().await.unwrap();
    drop(gp);
    place.lose(GP);

    let gp = place.phone(GP);
    let plain = gp.enrol(&address(GP), &place.code(GP)).await;
    assert!(
        matches!(plain, Err(Error::Relay(Code::AlreadyEnrolled))),
        "a code alone does not"
    );
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
    assert_eq!(gp.unopened().unwrap().len(), 1, "sealed for the phone that is gone");

    let held = nurse.send(&draft(&[GP], "Retenue")).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, held, GP), "queued");
    assert!(nurse.correspondents().unwrap()[0].is_changed, "a warning");
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());

    let number = nurse.identity(&address(GP)).await.unwrap().changed.unwrap();
    assert_eq!(
        number,
        gp.identity(&address(NURSE)).await.unwrap().number,
        "what the two compare"
    );
    nurse.accept_identity(&address(GP), &number).unwrap();
    nurse.hurry().unwrap();
    nurse.sync().await.unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let mut arrived = inbox(&gp);
    arrived.sort();
    assert_eq!(arrived, ["En route", "Retenue"]);
    assert!(gp.unopened().unwrap().is_empty());
    let received = gp.list(Folder::Inbox, None, 10).unwrap()[0].number;
    gp.send(&gp.answer(received).unwrap()).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_of_before_is_refused_and_erases_nothing() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Gardée")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    drop(gp);
    place.rename(GP, "before");
    let code = place.reissue(GP);
    let before = place.phone_in("before");
    before.sync().await.unwrap();
    let gp = place.phone(GP);
    gp.enrol(&address(GP), &code).await.unwrap();
    let refused = before.sync().await;
    assert!(matches!(refused, Err(Error::Relay(Code::DeviceUnknown))), "{refused:?}");
    assert_eq!(inbox(&before), ["Gardée"]);
    drop(before);
    assert_eq!(inbox(&place.phone_in("before")), ["Gardée"]);
    gp.sync().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_correspondent_after_it_sees_no_change() {
    let place = Place::open().await;
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    drop(place.enrol(GP).await);
    place.lose(GP);
    let gp = place.phone(GP);
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    let sent = cardiologist.send(&draft(&[GP], "Premier")).unwrap();
    cardiologist.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Premier"]);
    cardiologist.sync().await.unwrap();
    assert_eq!(state(&cardiologist, sent, GP), "retrieved");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tried_a_code_first_still_restores_with_the_phrase() {
    let place = Place::open().await;
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    drop(gp);
    place.lose(GP);
    let gp = place.phone(GP);
    let plain = gp.enrol(&address(GP), &place.code(GP)).await;
    assert!(matches!(plain, Err(Error::Relay(Code::AlreadyEnrolled))));
    gp.recover(&address(GP), &phrase).await.unwrap();
    gp.sync().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_device_of_before_goes_on_with_what_it_has() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    nurse.send(&draft(&[GP], "Sur la tablette")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    drop(gp);
    place.lose(GP);
    let gp = place.phone(GP);
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    let refused = tablet.sync().await;
    assert!(matches!(refused, Err(Error::Relay(Code::DeviceUnknown))), "{refused:?}");
    let code = tablet
        .show_link_code(&address(GP), &"tablet".parse().unwrap())
        .await
        .unwrap();
    gp.confirm_link(&code).await.unwrap();
    gp.sync().await.unwrap();
    assert!(tablet.finish_link().await.unwrap());
    tablet.sync().await.unwrap();
    assert_eq!(inbox(&tablet), ["Sur la tablette"]);
}

/// The GP has lost phone and phrase, and is given another code.
async fn begin_anew(place: &Place, gp: Session) -> Session {
    drop(gp);
    place.lose(GP);
    let gp = place.phone(GP);
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.sync().await.unwrap();
    gp
}

/// The person accepts whoever the GP is now.
pub(crate) async fn accept(phone: &Session) {
    let number = phone.identity(&address(GP)).await.unwrap().changed.unwrap();
    phone.accept_identity(&address(GP), &number).unwrap();
}

/// What the nurse has accepted, she has accepted longer ago than mail waits.
pub(crate) fn accepted_long_ago(place: &Place) {
    let store = place.store(NURSE);
    let long_ago = Timestamp::now().plus_days(-96).as_millis();
    store
        .write(|tx| {
            let sql = format!("UPDATE correspondent_before SET accepted_at = {long_ago}");
            tx.execute_batch(&sql).map_err(StoreError::from)
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_from_before_it_is_read_also_by_who_has_accepted_it_already() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Du téléphone")).unwrap();
    settle(&[&gp, &nurse]).await;
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    let desk = linked(&place, &gp, "desk").await;
    desk.sync().await.unwrap();
    for (device, subject) in [(&tablet, "De la tablette"), (&desk, "Du bureau")] {
        device.send(&draft(&[NURSE], subject)).unwrap();
        device.sync().await.unwrap();
    }
    let on_list = gp
        .devices()
        .unwrap()
        .into_iter()
        .find(|device| device.name == "desk".parse().ok());
    gp.remove_device(on_list.unwrap().id).unwrap();
    gp.sync().await.unwrap();
    let _gp = begin_anew(&place, gp).await;
    accept(&nurse).await;
    nurse.sync().await.unwrap();
    let mut all = inbox(&nurse);
    all.sort();
    assert_eq!(
        all,
        ["De la tablette", "Du bureau", "Du téléphone"],
        "{:?}",
        nurse.unopened()
    );
    assert!(!nurse.correspondents().unwrap()[0].is_changed, "she has accepted it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_was_never_pinned_is_nobodys() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let stranger = Stranger::enrol(&place, GP).await;
    let (sealed, wraps) = stranger.seal(NURSE, b"Subject: Bonjour\r\n\r\nBonjour.\r\n").await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    let gp = place.phone(GP);
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    nurse.send(&draft(&[GP], "Au médecin")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert!(place.line.count(path::ENDINGS) > 0, "it was shown");
    assert_eq!(nurse.unopened().unwrap()[0].reason, UnopenedReason::WrongSignature);
    assert!(inbox(&nurse).is_empty());
    assert!(!nurse.correspondents().unwrap()[0].is_changed);
    assert_eq!(inbox(&gp), ["Au médecin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_long_after_another_identity_was_accepted_is_not_read_any_more() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Avant")).unwrap();
    settle(&[&gp, &nurse]).await;
    gp.send(&draft(&[NURSE], "Trop tard")).unwrap();
    gp.sync().await.unwrap();
    let _gp = begin_anew(&place, gp).await;
    accept(&nurse).await;
    accepted_long_ago(&place);
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse), ["Avant"]);
    assert_eq!(nurse.unopened().unwrap()[0].reason, UnopenedReason::WrongSignature);
}

/// A mail for the GP of before, whom the nurse has not accepted since; and the GP's new phone.
async fn waiting_for_a_yes(place: &Place, nurse: &Session) -> (Session, RecoveryPhrase) {
    let gp = place.enrol(GP).await;
    nurse.send(&draft(&[GP], "En route")).unwrap();
    nurse.sync().await.unwrap();
    drop(gp);
    place.lose(GP);
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    for phone in [&gp, nurse, &gp] {
        phone.sync().await.unwrap();
    }
    (gp, phrase)
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_for_the_identity_before_it_opens_on_a_device_that_was_linked_since() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (gp, _) = waiting_for_a_yes(&place, &nurse).await;
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    accept(&nurse).await;
    settle(&[&nurse, &gp, &tablet]).await;
    assert_eq!(inbox(&gp), ["En route"]);
    assert_eq!(listing(&tablet), listing(&gp));
    assert!(tablet.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_for_the_identity_before_it_opens_on_a_phone_that_was_recovered_since() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (gp, phrase) = waiting_for_a_yes(&place, &nurse).await;
    drop(gp);
    let gp = place.phone_in("new");
    gp.recover(&address(GP), &phrase).await.unwrap();
    gp.sync().await.unwrap();
    accept(&nurse).await;
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["En route"]);
    assert!(gp.unopened().unwrap().is_empty());
}
