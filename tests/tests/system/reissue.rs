//! Phone and phrase are gone: the operator activates the address anew, correspondents are asked, and nothing is lost.

use pli_core::{Error, Folder};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use protocol::Code;

use crate::devices::linked;
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
