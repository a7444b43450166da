//! Mail when nothing goes wrong, and what both sides see of it.

use std::time::Duration;

use pli_core::{Draft, Folder};
use pli_tests::line::Fault;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, UNREACHABLE, draft, inbox, state, sync_until_sent};

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_once_and_its_states_come_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Pansement")).unwrap();
    assert_eq!(state(&nurse, sent, GP), "queued");
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "available");
    gp.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Pansement"]);
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "retrieved");

    let received = gp.list(Folder::Inbox, None, 10).unwrap()[0].number;
    gp.mark_read(received).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "read");
    gp.mark_handled(received).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "handled");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_sends_nothing_when_receipts_are_off() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Pansement")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    gp.set_read_receipts(false).unwrap();
    let received = gp.list(Folder::Inbox, None, 10).unwrap()[0].number;
    gp.mark_read(received).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "retrieved");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_a_device_is_told_apart_from_the_others() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let both = nurse.send(&draft(&[GP, UNREACHABLE], "Deux")).unwrap();
    let none = nurse.send(&draft(&[UNREACHABLE], "Personne")).unwrap();
    let report = nurse.sync().await.unwrap();
    assert_eq!((report.sent, report.refused), (1, 1));
    assert_eq!(
        (state(&nurse, both, GP), state(&nurse, both, UNREACHABLE)),
        ("available", "unreachable")
    );
    assert_eq!(state(&nurse, none, UNREACHABLE), "unreachable");
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Deux"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_offline_leaves_when_the_relay_is_back() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    place.stop_relay().await;
    nurse.send(&draft(&[GP], "Sans réseau")).unwrap();
    assert!(nurse.sync().await.unwrap_err().is_retryable());
    assert_eq!(
        nurse.list(Folder::Sent, Some("reseau"), 10).unwrap().len(),
        1,
        "it is found offline"
    );
    place.start_relay().await;
    sync_until_sent(&nurse).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Sans réseau"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hprim_document_and_its_attachments_arrive_byte_for_byte() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let document = b"0001\r\nLANVAUX\r\nOdette\r\n\r\n\r\n28000 Chartres\r\n12/03/1948\r\n\r\n\r\n27/11/2026\r\n.         labo\r\n.         delorme\r\n\r\nR\xe9sultat \xe0 jeun\r\n****LAB****\r\nRES|Glyc\xe9mie|GLY|N|1.05|g/L|0.70|1.10||F||||\r\n****FIN****\r\n****FINFICHIER****\r\n";
    let picture: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    let attachment = pli_core::mime::Attachment {
        name: "plaie.jpg".to_owned(),
        media_type: "image/jpeg".to_owned(),
        bytes: picture.clone(),
    };
    nurse
        .send(&Draft {
            hprim: Some(document.to_vec()),
            attachments: vec![attachment],
            ..draft(&[GP], "Biologie")
        })
        .unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let line = &gp.list(Folder::Inbox, Some("lanvaux"), 10).unwrap()[0];
    assert_eq!(gp.export_hprim(line.number).unwrap(), document);
    let letter = pli_core::mime::parse(&gp.export_eml(line.number).unwrap()).unwrap();
    assert_eq!(letter.attachments[0].bytes, picture);
}

#[tokio::test(flavor = "multi_thread")]
async fn prekeys_are_handed_out_once_and_then_the_last_resort() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    for round in 0..110 {
        nurse.send(&draft(&[GP], &format!("Lettre {round}"))).unwrap();
    }
    nurse.sync().await.unwrap();
    // While the stock is empty, one last-resort prekey serves for page after page.
    place.line.fail_next("/v1/prekeys", Fault::RequestLost);
    gp.sync().await.unwrap_err();
    assert_eq!(inbox(&gp).len(), 110);
    nurse.send(&draft(&[GP], "La dernière")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp).len(), 111);
    assert!(gp.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn news_comes_by_long_poll_where_a_proxy_takes_no_websocket() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let (news, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let watching = async {
        gp.watch(|report| news.send(report.received).unwrap()).await.unwrap();
    };
    let writing = async {
        while place.line.count("/v1/stream") == 0 || place.line.count("/v1/sequence") < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        nurse.send(&draft(&[GP], "Urgent")).unwrap();
        nurse.sync().await.unwrap();
        while arrived.recv().await != Some(1) {}
    };
    tokio::select! { () = watching => panic!("the watch ended"), () = writing => {} }
    assert_eq!(inbox(&gp), ["Urgent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_answer_each_other() {
    let place = Place::open().await;
    let (nurse, gp, cardiologist) = (
        place.enrol(NURSE).await,
        place.enrol(GP).await,
        place.enrol(CARDIOLOGIST).await,
    );
    nurse.send(&draft(&[GP, CARDIOLOGIST], "Œdème")).unwrap();
    nurse.sync().await.unwrap();
    cardiologist.sync().await.unwrap();
    let question = cardiologist.list(Folder::Inbox, Some("oedeme"), 10).unwrap()[0].number;
    let answer = cardiologist.answer(question).unwrap();
    assert_eq!(answer.subject, "Re: Œdème");
    cardiologist
        .send(&Draft {
            text: "Oui.".to_owned(),
            ..answer
        })
        .unwrap();
    cardiologist.sync().await.unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&nurse), ["Re: Œdème"]);
    assert_eq!(inbox(&gp), ["Œdème"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_of_a_deleted_mail_is_not_that_of_the_next_one() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let mut received = Vec::new();
    for subject in ["Effacé", "Suivant"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
        nurse.sync().await.unwrap();
        gp.sync().await.unwrap();
        let mail = gp.list(Folder::Inbox, None, 1).unwrap().remove(0);
        assert_eq!(
            (mail.subject.as_str(), gp.unexported().unwrap()),
            (subject, vec![mail.number])
        );
        if subject == "Effacé" {
            assert!(gp.record_export(mail.number, mail.id, "a.hpr").unwrap());
            assert!(gp.unexported().unwrap().is_empty());
            gp.delete(mail.number).unwrap();
        }
        received.push(mail);
    }
    let (deleted, next) = (&received[0], &received[1]);
    assert_ne!(deleted.number, next.number);
    assert!(!gp.record_export(deleted.number, deleted.id, "a.hpr").unwrap());
    assert!(!gp.record_export(next.number, deleted.id, "a.hpr").unwrap());
    assert_eq!(gp.unexported().unwrap(), [next.number]);
}
