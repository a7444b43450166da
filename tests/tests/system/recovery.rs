//! A lost phone: the account goes on on a new one, with the phrase and the backup, and correspondents notice nothing.

use std::collections::BTreeSet;

use pli_core::store::StoreError;
use pli_core::{Error, Folder, RecoveryPhrase, Session};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use protocol::Code;

use super::devices::linked;
use super::rollback::settle;

/// Somebody's phone with its phrase, backed up.
async fn enrolled_with_backup(place: &Place, who: &str) -> (Session, RecoveryPhrase) {
    let phone = place.phone(who);
    let phrase = phone.enrol(&address(who), &place.code(who)).await.unwrap();
    phone.phrase_shown().unwrap();
    phone.start_backup(&phrase).unwrap();
    (phone, phrase)
}

/// A new phone with somebody's account, in a folder of its own.
async fn replaced(place: &Place, who: &str, phrase: &RecoveryPhrase) -> Session {
    place.lose(who);
    let phone = place.phone(who);
    phone.recover(&address(who), phrase).await.unwrap();
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_with_the_phrase_has_everything_up_to_the_last_increment() {
    let place = Place::open().await;
    let (nurse, cardiologist) = (place.enrol(NURSE).await, place.enrol(CARDIOLOGIST).await);
    let (gp, phrase) = enrolled_with_backup(&place, GP).await;
    nurse.send(&draft(&[GP], "Lue")).unwrap();
    nurse.send(&draft(&[GP], "Effacée")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let find = |phone: &Session, subject: &str| {
        let mails = phone.list(Folder::Inbox, None, 100).unwrap();
        mails.into_iter().find(|mail| mail.subject == subject).unwrap()
    };
    let of = |phone: &Session, subject: &str| find(phone, subject).number;
    gp.record_export(of(&gp, "Lue"), find(&gp, "Lue").id, "lettre.hpr")
        .unwrap();
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
    let gp = replaced(&place, GP, &phrase).await;
    let report = gp.sync().await.unwrap();
    assert_eq!(report.restored, 3);
    assert_eq!(inbox(&gp), ["Lue"]);
    assert!(gp.message(of(&gp, "Lue")).unwrap().summary.read_at.is_some());
    // The practice's software has it.
    assert!(gp.unexported().unwrap().is_empty());
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
async fn what_a_lost_phone_had_not_opened_yet_is_asked_for_by_the_next_one() {
    let place = Place::open().await;
    let (nurse, of_nurse) = enrolled_with_backup(&place, NURSE).await;
    let (gp, phrase) = enrolled_with_backup(&place, GP).await;
    gp.sync().await.unwrap();
    drop(gp);
    nurse.send(&draft(&[GP], "En route")).unwrap();
    nurse.sync().await.unwrap();
    // The second phone keeps what was sealed for the first one, and asks for it.
    let gp = replaced(&place, GP, &phrase).await;
    gp.sync().await.unwrap();
    assert_eq!(gp.unopened().unwrap().len(), 1);
    assert_eq!(gp.backup().unwrap().unwrap().due, 0);
    // Both are lost, and the question with them.
    drop((gp, nurse));
    let nurse = replaced(&place, NURSE, &of_nurse).await;
    nurse.sync().await.unwrap();
    let gp = replaced(&place, GP, &phrase).await;
    gp.sync().await.unwrap();
    assert_eq!(gp.unopened().unwrap().len(), 1);
    for phone in [&nurse, &nurse, &gp] {
        phone.sync().await.unwrap();
    }
    assert_eq!(inbox(&gp), ["En route"]);
    assert!(gp.unopened().unwrap().is_empty());
    gp.sync().await.unwrap();
    drop(gp);
    // What was opened since is not asked for again.
    let gp = replaced(&place, GP, &phrase).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["En route"]);
    assert!(gp.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lost_phone_erases_itself_when_it_hears_of_it_and_not_before() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (lost, phrase) = enrolled_with_backup(&place, GP).await;
    nurse.send(&draft(&[GP], "Secret")).unwrap();
    nurse.sync().await.unwrap();
    lost.sync().await.unwrap();
    let home = place.home(GP);
    assert!(home.join("store.db").exists());
    place.rename(GP, "lost");
    let gp = replaced(&place, GP, &phrase).await;
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
    let (gp, phrase) = enrolled_with_backup(&place, GP).await;
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    // As after a store, or a relay, that stands where it stood some days ago.
    let store = place.store(GP);
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
    let gp = replaced(&place, GP, &phrase).await;
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Avant", "Après"]);
}

/// What is damaged at the relay is counted, and holds up neither the rest of the backup nor what comes in.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_parts_of_the_backup_hold_up_nothing_else() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (gp, phrase) = enrolled_with_backup(&place, GP).await;
    let blobs = || {
        let files = std::fs::read_dir(place.folder.path().join("relay/blobs")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        paths.filter(|path| path.extension().is_none()).collect::<BTreeSet<_>>()
    };
    let mut damaged = BTreeSet::new();
    for subject in ["Abîmée", "Entière"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
        nurse.sync().await.unwrap();
        gp.sync().await.unwrap();
        if damaged.is_empty() {
            damaged = blobs();
        }
    }
    drop(gp);
    for path in &damaged {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let gp = replaced(&place, GP, &phrase).await;
    nurse.send(&draft(&[GP], "Nouvelle")).unwrap();
    nurse.sync().await.unwrap();
    let report = gp.sync().await.unwrap();
    assert_eq!(usize::try_from(report.damaged).unwrap(), damaged.len());
    assert_eq!(report.restored, 1);
    let mut came = inbox(&gp);
    came.sort();
    assert_eq!(came, ["Entière", "Nouvelle"]);
}

/// A relay without room for the backup is told to the person, and the phone goes on with all else.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_room_ends_no_watch() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (gp, _) = enrolled_with_backup(&place, GP).await;
    nurse.send(&draft(&[GP], "Un")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let database = place.relay_database();
    database
        .execute("UPDATE archive_part SET size_bytes = 2147483648", [])
        .unwrap();
    let arrived = tokio::sync::Notify::new();
    let watching = gp.watch(|report| {
        if report.received > 0 {
            arrived.notify_one();
        }
    });
    let told = async {
        for subject in ["Deux", "Trois"] {
            nurse.send(&draft(&[GP], subject)).unwrap();
            nurse.sync().await.unwrap();
            arrived.notified().await;
            while !gp.backup().unwrap().unwrap().is_full {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        ended = watching => panic!("the watch ended: {ended:?}"),
        () = told => {}
    }
    assert_eq!(inbox(&gp).len(), 3);
    assert_eq!(
        place.line.count("/v1/archives"),
        3,
        "the list, two parts, and one that had no room"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_main_device_that_another_one_had_suspended_goes_on_where_it_is_with_the_phrase() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let (gp, phrase) = enrolled_with_backup(&place, GP).await;
    let tablet = linked(&place, &gp, "tablet").await;
    nurse.send(&draft(&[GP], "Reçue")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    gp.send(&draft(&[NURSE], "À envoyer")).unwrap();
    let main = gp.devices().unwrap()[0].id;
    tablet.suspend_device(main).await.unwrap();
    nurse.send(&draft(&[GP], "Entre-temps")).unwrap();
    nurse.sync().await.unwrap();
    let is_locked = |gp: &Session| matches!(gp.devices(), Err(Error::Relay(Code::DeviceSuspended)));
    assert!(gp.sync().await.is_err());
    assert!(is_locked(&gp));

    let other = RecoveryPhrase::parse(
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    );
    for (who, phrase) in [(GP, &other.unwrap()), (NURSE, &phrase)] {
        assert!(gp.recover(&address(who), phrase).await.is_err());
        assert!(is_locked(&gp), "it opens for the phrase of its account alone");
    }
    gp.recover(&address(GP), &phrase).await.unwrap();
    settle(&[&gp, &nurse]).await;
    assert_eq!(inbox(&gp), ["Reçue", "Entre-temps"]);
    assert_eq!(inbox(&nurse), ["À envoyer"]);
    assert!(!nurse.correspondents().unwrap()[0].is_changed);
    assert!(matches!(tablet.sync().await, Err(Error::DeviceRemoved)));
}
