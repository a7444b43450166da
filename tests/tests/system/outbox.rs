//! The outbox: rows that fail hold up none of the others, two processes on one store send a mail once,
//! and what is taken back or deleted never leaves unseen.

use pli_core::store::StoreError;
use pli_core::{Error, Folder};
use pli_tests::line::Fault;
use pli_tests::place::{GP, NURSE, Place, draft, inbox, state, sync_until_sent};
use protocol::api::KeysAnswer;
use protocol::cbor;

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_line_does_not_take_holds_up_neither_the_next_nor_what_comes_in() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Entre")).unwrap();
    gp.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Reste")).unwrap();
    nurse.send(&draft(&[GP], "Passe")).unwrap();
    for _ in 0..2 {
        place.line.fail_next("/v1/deposits", Fault::Page);
        nurse.hurry().unwrap();
        assert_eq!(nurse.sync().await.unwrap_err().code(), "answer-unreadable");
        gp.sync().await.unwrap();
        assert_eq!(inbox(&gp), ["Passe"]);
        assert_eq!(inbox(&nurse), ["Entre"]);
    }
    sync_until_sent(&nurse).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Passe", "Reste"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_is_set_aside() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let damaged = nurse.send(&draft(&[GP], "Abîmé")).unwrap();
    nurse.send(&draft(&[GP], "Entier")).unwrap();
    let store = place.store(NURSE);
    store
        .write(|tx| {
            tx.execute("UPDATE outbox SET kind = 99 WHERE message = ?1", [damaged])
                .map_err(StoreError::from)
        })
        .unwrap();
    let report = nurse.sync().await.unwrap();
    assert_eq!((report.sent, report.refused, report.waiting), (1, 1, 0));
    assert_eq!(state(&nurse, damaged, GP), "refused");
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Entier"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_seal_at_the_same_time_send_one_mail() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let beside = place.phone(NURSE);
    let sent = nurse.send(&draft(&[GP], "Une fois")).unwrap();
    // The one has read the row and asks for keys, while the other seals and sends it, and loses the reply.
    let gate = place.line.hold_next("/v1/keys");
    let (slow, ()) = tokio::join!(nurse.sync(), async {
        gate.reached().await;
        place.line.fail_next("/v1/deposits", Fault::ReplyLost);
        beside.sync().await.unwrap_err();
        gate.open();
    });
    assert_eq!(slow.unwrap().refused, 0);
    assert_eq!(state(&nurse, sent, GP), "available");
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Une fois"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_does_not_settle_the_mail_that_took_the_place_of_the_first() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let beside = place.phone(NURSE);
    nurse.send(&draft(&[GP], "Premier")).unwrap();
    let gate = place.line.hold_next("/v1/deposits");
    let (slow, ()) = tokio::join!(nurse.sync(), async {
        gate.reached().await;
        beside.sync().await.unwrap();
        beside.send(&draft(&[GP], "Second")).unwrap();
        gate.open();
    });
    slow.unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Premier", "Second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_while_it_is_being_sealed_does_not_leave() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Erreur")).unwrap();
    let gate = place.line.hold_next("/v1/keys");
    let (report, ()) = tokio::join!(nurse.sync(), async {
        gate.reached().await;
        nurse.withdraw(sent).unwrap();
        gate.open();
    });
    assert_eq!(report.unwrap().sent, 0);
    assert_eq!(place.line.count("/v1/deposits"), 0);
    assert_eq!(state(&nurse, sent, GP), "withdrawn");
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_reached_the_relay_is_taken_back_and_not_sent_again() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Erreur")).unwrap();
    place.line.fail_next("/v1/deposits", Fault::RequestLost);
    nurse.sync().await.unwrap_err();
    nurse.withdraw(sent).unwrap();
    nurse.hurry().unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "withdrawn");
    nurse.hurry().unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_overtakes_the_mail_keeps_it_out() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let beside = place.phone(NURSE);
    for reply_is_lost in [false, true] {
        let sent = nurse.send(&draft(&[GP], "Erreur")).unwrap();
        let gate = place.line.hold_next("/v1/deposits");
        let (slow, ()) = tokio::join!(nurse.sync(), async {
            gate.reached().await;
            beside.withdraw(sent).unwrap();
            if reply_is_lost {
                place.line.fail_next("/v1/withdrawals", Fault::ReplyLost);
            }
            assert_eq!(beside.sync().await.is_err(), reply_is_lost);
            gate.open();
        });
        let slow = slow.unwrap();
        assert_eq!((slow.sent, slow.refused), (0, 0));
        assert_eq!(state(&nurse, sent, GP), "withdrawn");
        nurse.hurry().unwrap();
        nurse.sync().await.unwrap();
    }
    gp.sync().await.unwrap();
    assert!(inbox(&gp).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_on_its_way_out_is_deleted_only_after_it_was_taken_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Accepté")).unwrap();
    let error = nurse.delete(sent).unwrap_err();
    assert!(matches!(error, Error::StillLeaving), "{error}");
    nurse.sync().await.unwrap();
    nurse.delete(sent).unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Accepté"]);

    let wrong = nurse.send(&draft(&[GP], "Erreur")).unwrap();
    nurse.withdraw(wrong).unwrap();
    nurse.delete(wrong).unwrap();
    assert!(nurse.list(Folder::Sent, None, 10).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_outlives_its_mail_and_a_change_of_mind_does_not_leave() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let (first, second) = (
        nurse.send(&draft(&[GP], "Lu et supprimé")).unwrap(),
        nurse.send(&draft(&[GP], "Lu en secret")).unwrap(),
    );
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let numbers: Vec<_> = gp
        .list(Folder::Inbox, None, 10)
        .unwrap()
        .iter()
        .map(|mail| mail.number)
        .collect();
    let [secret, deleted] = numbers[..] else {
        panic!("two mails")
    };
    gp.mark_read(deleted).unwrap();
    gp.delete(deleted).unwrap();
    gp.sync().await.unwrap();
    gp.mark_read(secret).unwrap();
    gp.set_read_receipts(false).unwrap();
    gp.sync().await.unwrap();
    // Reading one's own sent mail tells nobody.
    nurse.mark_read(first).unwrap();
    assert_eq!(nurse.sync().await.unwrap().sent, 0);
    assert_eq!(
        (state(&nurse, first, GP), state(&nurse, second, GP)),
        ("read", "retrieved")
    );
}

/// What was kept once is sent once, however many send it; and what is deleted leaves its number to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_two_send_leaves_once() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let kept = nurse.save_draft(&draft(&[GP], "Une fois")).unwrap();
    let (one, other) = (nurse.draft(kept).unwrap(), place.phone(NURSE).draft(kept).unwrap());
    let sent = nurse.send(&one).unwrap();
    assert_eq!(place.phone(NURSE).send(&other).unwrap_err().code(), "draft-gone");
    // Whoever still writes on it loses nothing.
    let again = nurse.save_draft(&other).unwrap();
    assert_ne!(again, kept);
    nurse.delete(again).unwrap();
    assert!(nurse.save_draft(&draft(&[GP], "Autre")).unwrap() > again);
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Une fois"]);
    assert_eq!(state(&nurse, sent, GP), "available");
}

/// The relay accepted it and its reply was lost; then it says that nobody is enrolled under the address. It is asked what became
/// of the mail, whatever it says of the recipient.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_accepted_is_not_refused_for_a_recipient_who_is_gone_since() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Une fois")).unwrap();
    place.line.fail_next("/v1/deposits", Fault::ReplyLost);
    nurse.sync().await.unwrap_err();
    place
        .line
        .edit("/v1/keys", |_| cbor::encode(&KeysAnswer { accounts: Vec::new() }));
    nurse.hurry().unwrap();
    let report = nurse.sync().await.unwrap();
    assert_eq!((report.sent, report.refused), (1, 0));
    assert_eq!(state(&nurse, sent, GP), "available");
    place.line.honest();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Une fois"]);
}
