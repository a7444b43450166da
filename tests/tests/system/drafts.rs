//! Drafts that are kept: gone on with as they were, and away in the same moment as they are sent.

use pli_core::hprim::Patient;
use pli_core::{Draft, Error, Folder};
use pli_tests::place::{GP, NURSE, Place, draft, inbox};

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_draft_is_sent_as_it_was_written_and_goes_away() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Question")).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    let question = &nurse.list(Folder::Inbox, None, 10).unwrap()[0];
    let patient = Patient {
        surname: "LANVAUX".to_owned(),
        given: "Odette".to_owned(),
        birth_date: None,
    };
    let written = Draft {
        text: "Réponse.".to_owned(),
        patient: Some(patient.clone()),
        ..nurse.answer(question.number).unwrap()
    };
    let first = nurse.save_draft(&written).unwrap();
    let kept = nurse.draft(first).unwrap();
    assert_eq!((kept.in_reply_to, &kept.to), (Some(question.id), &written.to));
    assert_eq!((&kept.patient, &kept.hprim), (&Some(patient), &None));
    assert_eq!(
        (kept.subject.as_str(), kept.text.as_str()),
        ("Re: Question", "Réponse.")
    );

    // Kept again, it takes its own place.
    let second = nurse
        .save_draft(&Draft {
            text: "Mieux.".to_owned(),
            ..kept
        })
        .unwrap();
    assert_eq!(nurse.list(Folder::Drafts, None, 10).unwrap().len(), 1);
    let number = nurse.send(&nurse.draft(second).unwrap()).unwrap();
    assert!(nurse.list(Folder::Drafts, None, 10).unwrap().is_empty());
    assert!(
        matches!(nurse.draft(number), Err(Error::NoSuchMessage)),
        "a sent mail is no draft"
    );
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Re: Question"]);
    let line = &gp.list(Folder::Inbox, Some("mieux"), 10).unwrap()[0];
    assert_eq!(line.patient, "LANVAUX Odette");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_document_is_sent_byte_for_byte_and_a_refused_draft_stays() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let document = b"0001\r\nLANVAUX\r\nOdette\r\n\r\n\r\n28000 Chartres\r\n12/03/1948\r\n\r\n\r\n27/11/2026\r\n.         labo\r\n.         delorme\r\n\r\nR\xe9sultat\r\n****FIN****\r\n****FINFICHIER****\r\n";
    let kept = nurse
        .save_draft(&Draft {
            hprim: Some(document.to_vec()),
            ..draft(&[], "Biologie")
        })
        .unwrap();
    let nobody = nurse.draft(kept).unwrap();
    assert_eq!(nurse.send(&nobody).unwrap_err().code(), "no-recipient");
    assert_eq!(nurse.list(Folder::Drafts, None, 10).unwrap().len(), 1, "it stays");
    nurse
        .send(&Draft {
            to: draft(&[GP], "").to,
            ..nobody
        })
        .unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let number = gp.list(Folder::Inbox, None, 10).unwrap()[0].number;
    assert_eq!(gp.export_hprim(number).unwrap(), document);
}
