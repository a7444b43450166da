//! Taking a mail back: in time, too late, and at the same moment as it is retrieved.

use pli_core::Error;
use pli_tests::place::{GP, NURSE, Place, draft, inbox, state};

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_has_not_left_is_taken_back_at_once() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Erreur")).unwrap();
    nurse.withdraw(sent).unwrap();
    assert_eq!(state(&nurse, sent, GP), "withdrawn");
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
    assert_eq!(place.line.count("/v1/deposits"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_waits_at_the_relay_is_taken_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Erreur")).unwrap();
    nurse.sync().await.unwrap();
    nurse.withdraw(sent).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "withdrawn");
    nurse.send(&draft(&[GP], "Juste")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Juste"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_retrieved_stays() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Reçu")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    nurse.withdraw(sent).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "retrieved");
    assert!(matches!(nurse.withdraw(sent), Err(Error::TooLateToWithdraw)));
    assert_eq!(inbox(&gp), ["Reçu"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_races_the_retrieval_ends_in_one_of_two_ways() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    for round in 0..10 {
        let subject = format!("Course {round}");
        let sent = nurse.send(&draft(&[GP], &subject)).unwrap();
        nurse.sync().await.unwrap();
        nurse.withdraw(sent).unwrap();
        let (taken_back, retrieved) = tokio::join!(nurse.sync(), gp.sync());
        taken_back.unwrap();
        retrieved.unwrap();
        gp.sync().await.unwrap();
        nurse.sync().await.unwrap();
        let arrived = inbox(&gp).contains(&subject);
        assert_eq!(
            state(&nurse, sent, GP),
            if arrived { "retrieved" } else { "withdrawn" },
            "{subject}"
        );
    }
}
