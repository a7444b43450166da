//! Mail that nobody fetches, as both phones show it.

use pli_core::{Language, UnopenedReason};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox, state};
use protocol::Timestamp;

async fn days_later(place: &Place, days: i64) {
    let now = Timestamp::now().plus_days(days);
    place.relay().sweep(now).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_nobody_fetches_is_shown_so_and_what_comes_late_moves_it_on() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "Attendu")).unwrap();
    nurse.sync().await.unwrap();
    cardiologist.sync().await.unwrap();
    days_later(&place, 3).await;
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "not-retrieved");
    assert_eq!(state(&nurse, sent, CARDIOLOGIST), "retrieved");
    let shown = nurse.message(sent).unwrap().summary.state.unwrap();
    assert_eq!(shown.as_str(), "not-retrieved", "in the list, too");
    assert!(shown.text(Language::French).contains("depuis 3 jours"));
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Attendu"]);
    assert_eq!(state(&nurse, sent, GP), "retrieved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_has_waited_too_long_is_expired_here_and_an_empty_place_there() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Trop tard")).unwrap();
    nurse.sync().await.unwrap();
    days_later(&place, 90).await;
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "expired");
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
    let reasons: Vec<_> = gp.unopened().unwrap().iter().map(|kept| kept.reason).collect();
    assert_eq!(reasons, [UnopenedReason::Emptied]);
    nurse.send(&draft(&[GP], "Encore")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Encore"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_nobody_has_fetched_for_days_can_be_taken_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "Repris")).unwrap();
    nurse.sync().await.unwrap();
    cardiologist.sync().await.unwrap();
    days_later(&place, 3).await;
    nurse.sync().await.unwrap();
    nurse.withdraw(sent).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "withdrawn");
    assert_eq!(state(&nurse, sent, CARDIOLOGIST), "retrieved");
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
}
