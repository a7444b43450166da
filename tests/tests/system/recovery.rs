//! A lost phone: the account goes on on a new one, with the phrase and the backup, and correspondents notice nothing.

use pli_core::keystore::{self, KeyPlace};
use pli_core::store::StoreError;
use pli_core::{Error, Folder, RecoveryPhrase, Session};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};

/// The GP's phone with its phrase, backed up.
async fn enrolled_with_backup(place: &Place) -> (Session, RecoveryPhrase) {
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    (gp, phrase)
}

/// A new phone with the GP's account, in a folder of its own.
async fn replaced(place: &Place, phrase: &RecoveryPhrase) -> Session {
    place.lose(GP);
    let gp = place.phone(GP);
    gp.recover(&address(GP), phrase).await.unwrap();
    gp
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_with_the_phrase_has_everything_up_to_the_last_increment() {
    let place = Place::open().await;
    let (nurse, cardiologist) = (place.enrol(NURSE).await, place.enrol(CARDIOLOGIST).await);
    let (gp, phrase) = enrolled_with_backup(&place).await;
    nurse.send(&draft(&[GP], "Lue")).unwrap();
    nurse.send(&draft(&[GP], "Effacée")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let of = |phone: &Session, subject: &str| {
        let mails = phone.list(Folder::Inbox, None, 100).unwrap();
        mails.iter().find(|mail| mail.subject == subject).unwrap().number
    };
    gp.mark_read(of(&gp, "Lue")).unwrap();
    gp.delete(of(&gp, "Effacée")).unwrap();
    let sent = gp.send(&draft(&[CARDIOLOGIST], "Avis")).unwrap();
    gp.save_draft(&draft(&[NURSE], "Brouillon")).unwrap();
    gp.sync().await.unwrap();
    cardiologist.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(state(&gp, sent, CARDIOLOGIST), "retrieved");
    assert_eq!(gp.backup().unwrap().unwrap().due, 0);
    let number = nurse.identity(&address(GP)).await.unwrap().number;
    drop(gp);

    // It waits at the relay for the phone that is lost.
    nurse.send(&draft(&[GP], "En route")).unwrap();
    nurse.sync().await.unwrap();
    let gp = replaced(&place, &phrase).await;
    let report = gp.sync().await.unwrap();
    assert_eq!(report.restored, 3);
    assert_eq!(inbox(&gp), ["Lue"]);
    assert!(gp.message(of(&gp, "Lue")).unwrap().summary.read_at.is_some());
    let sent = gp.list(Folder::Sent, None, 10).unwrap();
    assert_eq!(state(&gp, sent[0].number, CARDIOLOGIST), "retrieved");
    assert_eq!(gp.list(Folder::Drafts, None, 10).unwrap()[0].subject, "Brouillon");

    // What was sealed for the lost phone is asked for, and comes by itself.
    nurse.sync().await.unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Lue", "En route"]);
    assert!(gp.unopened().unwrap().is_empty());
    // Correspondents go on as before, without a question.
    let now = nurse.identity(&address(GP)).await.unwrap();
    assert_eq!(now.changed, None);
    assert_ne!(now.number, number, "it is another identity, which follows the first");
    let reply = gp.answer(of(&gp, "En route")).unwrap();
    gp.send(&reply).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse).len(), 1);
    nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Lue", "En route", "Après"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lost_phone_erases_itself_when_it_hears_of_it_and_not_before() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (lost, phrase) = enrolled_with_backup(&place).await;
    nurse.send(&draft(&[GP], "Secret")).unwrap();
    nurse.sync().await.unwrap();
    lost.sync().await.unwrap();
    let home = place.home(GP);
    assert!(home.join("store.db").exists());
    place.rename(GP, "lost");
    let gp = replaced(&place, &phrase).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Secret"]);
    drop(lost);
    let lost = place.phone_in("lost");
    assert!(matches!(lost.sync().await, Err(Error::DeviceRemoved)));
    assert!(matches!(lost.own_address(), Err(Error::Locked)));
    let left: Vec<_> = std::fs::read_dir(place.folder.path().join("lost"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["store.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phrase_of_somebody_else_takes_nothing_over() {
    let place = Place::open().await;
    let nurse = place.phone(NURSE);
    let phrase = nurse.enrol(&address(NURSE), &place.code(NURSE)).await.unwrap();
    nurse.phrase_shown().unwrap();
    let gp = place.enrol(GP).await;
    let thief = place.phone_in("thief");
    assert!(matches!(
        thief.recover(&address(GP), &phrase).await,
        Err(Error::PhraseOfAnother)
    ));
    gp.sync().await.unwrap();
    let typed = phrase.words().to_uppercase().replace(' ', "  \n");
    assert_eq!(RecoveryPhrase::parse(&typed).unwrap().words(), phrase.words());
    assert!(matches!(RecoveryPhrase::parse("abaisser"), Err(Error::PhraseInvalid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_does_not_follow_what_the_relay_has_is_begun_anew() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (gp, phrase) = enrolled_with_backup(&place).await;
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    // As after a store, or a relay, that stands where it stood some days ago.
    let home = place.home(GP);
    let store = keystore::open_or_create(&home, &KeyPlace::File(home.join("store.key"))).unwrap();
    store
        .write(|tx| {
            tx.execute("UPDATE backup SET next_part = next_part + 7", [])
                .map_err(StoreError::from)
        })
        .unwrap();
    drop(store);
    nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(gp.backup().unwrap().unwrap().due, 0);
    drop(gp);
    let gp = replaced(&place, &phrase).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Avant", "Après"]);
}
