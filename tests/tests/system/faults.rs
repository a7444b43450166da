//! A line that fails at each request, at every side of the answer: what was accepted arrives once all the same.

use pli_core::Error;
use pli_tests::line::Fault;
use pli_tests::place::{GP, NURSE, Place, draft, inbox, state, sync_until_sent};

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_line_around_a_deposit_leaves_one_mail() {
    for fault in [Fault::RequestLost, Fault::ReplyLost, Fault::ReplyCut, Fault::Page] {
        for path in ["/v1/deposits", "/v1/keys", "/v1/tokens", "/v1/challenges"] {
            let place = Place::open().await;
            let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
            let sent = nurse.send(&draft(&[GP], "Une fois")).unwrap();
            place.line.fail_next(path, fault);
            sync_until_sent(&nurse).await;
            assert!(place.line.has_failed(), "{path} was never asked for");
            gp.sync().await.unwrap();
            gp.sync().await.unwrap();
            assert_eq!(inbox(&gp), ["Une fois"], "{path} {fault:?}");
            assert_eq!(state(&nurse, sent, GP), "available", "{path} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_lost_after_the_relay_committed_is_made_good_by_the_same_answer() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Une fois")).unwrap();
    place.line.fail_next("/v1/deposits", Fault::ReplyLost);
    let error = nurse.sync().await.unwrap_err();
    assert!(matches!(error, Error::Network(_)), "{error}");
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Une fois"], "the relay had it");
    sync_until_sent(&nurse).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Une fois"]);
    assert_eq!(place.line.count("/v1/deposits"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_line_around_a_page_leaves_one_mail() {
    for fault in [Fault::RequestLost, Fault::ReplyLost, Fault::ReplyCut, Fault::Page] {
        for path in ["/v1/sequence", "/v1/acknowledgements", "/v1/keys"] {
            let place = Place::open().await;
            let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
            let sent = nurse.send(&draft(&[GP], "Une fois")).unwrap();
            nurse.sync().await.unwrap();
            place.line.fail_next(path, fault);
            // What fails is only made good later, and may have been stored already.
            let _first = gp.sync().await;
            gp.sync().await.unwrap();
            assert!(place.line.has_failed(), "{path} was never asked for");
            assert_eq!(inbox(&gp), ["Une fois"], "{path} {fault:?}");
            nurse.sync().await.unwrap();
            assert_eq!(state(&nurse, sent, GP), "retrieved", "{path} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_whose_reply_was_lost_is_gone_on_with() {
    let place = Place::open().await;
    let nurse = place.phone(NURSE);
    let code = place.code(NURSE);
    let who = pli_tests::place::address(NURSE);
    place.line.fail_next("/v1/enrolments", Fault::ReplyLost);
    assert!(nurse.enrol(&who, &code).await.unwrap_err().is_retryable());
    let phrase = nurse.enrol(&who, &code).await.unwrap();
    assert_eq!(phrase.words().split_whitespace().count(), 12);
    let again = nurse.enrol(&who, &code).await.unwrap();
    assert_eq!(again.words(), phrase.words(), "until it was shown, it is given again");
    nurse.phrase_shown().unwrap();
    assert!(matches!(nurse.enrol(&who, &code).await, Err(Error::AlreadyEnrolled)));
    nurse.sync().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_starts_again_keeps_what_it_accepted() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Gardé")).unwrap();
    nurse.sync().await.unwrap();
    place.stop_relay().await;
    place.start_relay().await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Gardé"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_opened_again_has_what_it_had() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "En attente")).unwrap();
    nurse.close();
    let nurse = place.phone(NURSE);
    nurse.sync().await.unwrap();
    gp.lock();
    assert!(matches!(gp.sync().await, Err(Error::Locked)));
    gp.unlock().unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["En attente"]);
}
