//! What a relay or a phone that was put back must not undo, and how people go on all the same.

use pli_core::{Error, Folder};
use pli_tests::line::Fault;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use protocol::api::path;
use protocol::{Code, Timestamp};

use crate::devices::{linked, listing, number};
use crate::rollback::{copy_phone, copy_relay, put_phone_back, put_relay_back, settle};

async fn sweep(place: &Place, days: i64) {
    place.relay().sweep(Timestamp::now().plus_days(days)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_retrieved_for_days_is_given_again() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Hier")).unwrap();
    settle(&[&nurse, &gp]).await;
    copy_relay(&mut place).await;
    let sent = nurse.send(&draft(&[GP], "En attente")).unwrap();
    nurse.sync().await.unwrap();
    sweep(&place, 3).await;
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, sent, GP), "not-retrieved");
    put_relay_back(&mut place).await;
    assert!(nurse.sync().await.unwrap().relay_put_back);
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Hier", "En attente"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_had_not_given_again_when_it_was_lost_the_next_one_gives() {
    let mut place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    settle(&[&nurse, &gp]).await;
    copy_relay(&mut place).await;
    gp.send(&draft(&[NURSE], "En attente")).unwrap();
    nurse.send(&draft(&[GP], "Entre-temps")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    put_relay_back(&mut place).await;
    // Nothing but its backup gets through.
    place.line.fail_next(path::DEPOSITS, Fault::Page);
    assert!(gp.sync().await.is_err());
    assert!(place.line.has_failed());
    drop(gp);
    place.lose(GP);
    let gp = place.phone(GP);
    gp.recover(&address(GP), &phrase).await.unwrap();
    settle(&[&gp, &nurse]).await;
    assert_eq!(inbox(&nurse), ["En attente"]);
    let sent = number(&gp, Folder::Sent, "En attente");
    assert_eq!(state(&gp, sent, NURSE), "retrieved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_made_good() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet]).await;
    copy_relay(&mut place).await;
    // The tablet was stolen, and is off.
    let stolen = gp.devices().unwrap()[1].id;
    gp.remove_device(stolen).unwrap();
    gp.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(gp.devices().unwrap().len(), 1);
    put_relay_back(&mut place).await;
    let mut noticed = false;
    for _ in 0..3 {
        noticed |= gp.sync().await.unwrap().relay_put_back;
    }
    let sent = gp.send(&draft(&[NURSE], "Du GP")).unwrap();
    gp.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Secret")).unwrap();
    nurse.sync().await.unwrap();
    for _ in 0..4 {
        gp.hurry().unwrap();
        gp.sync().await.unwrap();
    }
    assert_ne!(state(&gp, sent, NURSE), "queued");
    let thief = tablet.sync().await;
    assert!(noticed);
    assert!(matches!(thief, Err(Error::DeviceRemoved)), "{thief:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_had_sent_that_was_removed_since_is_read_all_the_same() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet]).await;
    copy_relay(&mut place).await;
    tablet.send(&draft(&[NURSE], "De la tablette")).unwrap();
    settle(&[&tablet, &gp]).await;
    gp.remove_device(gp.devices().unwrap()[1].id).unwrap();
    gp.sync().await.unwrap();
    // The list is another one once more.
    let next = linked(&place, &gp, "next").await;
    put_relay_back(&mut place).await;
    settle(&[&gp, &next, &nurse]).await;
    assert_eq!(inbox(&nurse), ["De la tablette"]);
    assert!(nurse.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_is_made_good() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet]).await;
    copy_relay(&mut place).await;
    let stolen = gp.devices().unwrap()[1].id;
    gp.suspend_device(stolen).await.unwrap();
    nurse.send(&draft(&[GP], "Un")).unwrap();
    settle(&[&nurse, &gp]).await;
    put_relay_back(&mut place).await;
    assert!(gp.sync().await.unwrap().relay_put_back);
    settle(&[&nurse, &gp]).await;
    nurse.send(&draft(&[GP], "Secret")).unwrap();
    nurse.sync().await.unwrap();
    let thief = tablet.sync().await;
    assert!(matches!(thief, Err(Error::Relay(Code::DeviceSuspended))), "{thief:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_copy_put_back_in_its_place_stops_no_phone() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Un")).unwrap();
    settle(&[&nurse, &gp]).await;
    copy_relay(&mut place).await;
    for subject in ["Deux", "Trois", "Quatre"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
    }
    settle(&[&nurse, &gp]).await;
    // The disk of today is set aside, yesterday's is put in its place.
    place.stop_relay().await;
    std::fs::rename(place.home("relay"), place.home("relay-today")).unwrap();
    std::fs::rename(place.home("relay-copy"), place.home("relay")).unwrap();
    place.start_relay().await;
    assert!(gp.sync().await.unwrap().relay_put_back);
    place.stop_relay().await;
    std::fs::rename(place.home("relay"), place.home("relay-yesterday")).unwrap();
    std::fs::rename(place.home("relay-today"), place.home("relay")).unwrap();
    place.start_relay().await;
    gp.sync().await.unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Un", "Deux", "Trois", "Quatre"]);
    nurse.send(&draft(&[GP], "Cinq")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_recovered_and_linked_since_goes_on_as_they_are() {
    let mut place = Place::open().await;
    let (nurse, lost) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = lost.enrol(&address(GP), &place.code(GP)).await.unwrap();
    lost.phrase_shown().unwrap();
    settle(&[&nurse, &lost]).await;
    drop(lost);
    copy_relay(&mut place).await;
    let gp = place.phone_in("new");
    gp.recover(&address(GP), &phrase).await.unwrap();
    let tablet = linked(&place, &gp, "tablet").await;
    nurse.send(&draft(&[GP], "Entre deux")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    gp.send(&draft(&[NURSE], "De l'identité perdue")).unwrap();
    gp.sync().await.unwrap();
    put_relay_back(&mut place).await;
    // Nobody types a phrase, and nobody is asked whether it is still them.
    settle(&[&gp, &tablet, &nurse]).await;
    assert_eq!(inbox(&nurse), ["De l'identité perdue"]);
    assert_eq!(nurse.identity(&address(GP)).await.unwrap().changed, None);
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    assert_eq!(inbox(&gp), ["Entre deux", "Après"]);
    assert_eq!(listing(&gp), listing(&tablet));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moved_to_another_phone_since_goes_on_there() {
    let mut place = Place::open().await;
    let (nurse, before) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    settle(&[&nurse, &before]).await;
    copy_relay(&mut place).await;
    let gp = linked(&place, &before, "next").await;
    settle(&[&before, &gp]).await;
    before.hand_over(&gp.show_main_code().await.unwrap()).await.unwrap();
    before.sync().await.unwrap();
    assert!(gp.finish_handover().await.unwrap());
    settle(&[&before, &gp]).await;
    let removed = gp.devices().unwrap()[1].id;
    gp.remove_device(removed).unwrap();
    gp.sync().await.unwrap();
    assert!(matches!(before.sync().await, Err(Error::DeviceRemoved)));
    put_relay_back(&mut place).await;
    settle(&[&gp, &nurse]).await;
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Avant", "Après"]);
    assert_eq!(nurse.identity(&address(GP)).await.unwrap().changed, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_device_of_an_account_that_was_recovered_twice_since_brings_it_back() {
    let mut place = Place::open().await;
    let (nurse, lost) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = lost.enrol(&address(GP), &place.code(GP)).await.unwrap();
    lost.phrase_shown().unwrap();
    settle(&[&nurse, &lost]).await;
    copy_relay(&mut place).await;
    let second = place.phone_in("second");
    second.recover(&address(GP), &phrase).await.unwrap();
    let third = place.phone_in("third");
    third.recover(&address(GP), &phrase).await.unwrap();
    let tablet = linked(&place, &third, "tablet").await;
    nurse.send(&draft(&[GP], "Entre deux")).unwrap();
    settle(&[&nurse, &third, &tablet]).await;
    put_relay_back(&mut place).await;
    tablet.sync().await.unwrap();
    settle(&[&tablet, &nurse, &third]).await;
    assert_eq!(nurse.identity(&address(GP)).await.unwrap().changed, None);
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &third, &tablet]).await;
    assert_eq!(inbox(&third), ["Entre deux", "Après"]);
    assert_eq!(listing(&third), listing(&tablet));
    for before in [lost, second] {
        assert!(matches!(before.sync().await, Err(Error::DeviceRemoved)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_activated_anew_since_goes_on_by_a_code_as_they_are() {
    let mut place = Place::open().await;
    let (nurse, lost) = (place.enrol(NURSE).await, place.enrol(GP).await);
    settle(&[&nurse, &lost]).await;
    copy_relay(&mut place).await;
    let gp = place.phone_in("new");
    gp.enrol(&address(GP), &place.reissue(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    let compared = nurse.identity(&address(GP)).await.unwrap().number;
    put_relay_back(&mut place).await;
    let refused = gp.sync().await;
    assert!(matches!(refused, Err(Error::Relay(Code::DeviceUnknown))), "{refused:?}");
    // A code that puts nobody aside is not enough where somebody is enrolled.
    let refused = gp.enrol_once_more("7K2M-9QXD").await;
    assert!(
        matches!(
            refused,
            Err(Error::Relay(Code::AlreadyEnrolled | Code::ActivationRefused))
        ),
        "{refused:?}"
    );
    gp.enrol_once_more(&place.reissue(GP)).await.unwrap();
    settle(&[&gp, &tablet, &nurse]).await;
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    let now = nurse.identity(&address(GP)).await.unwrap();
    assert!(now.changed.is_none() && now.number == compared, "the same person");
    assert_eq!(inbox(&gp), ["Après"]);
    assert_eq!(listing(&gp), listing(&tablet));
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_held_for_a_changed_identity_outlives_a_phone_put_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.phone(GP));
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    gp.send(&draft(&[CARDIOLOGIST], "Avant")).unwrap();
    settle(&[&nurse, &gp, &cardiologist]).await;
    drop(cardiologist);
    place.lose(CARDIOLOGIST);
    let cardiologist = place.phone(CARDIOLOGIST);
    cardiologist
        .enrol(&address(CARDIOLOGIST), &place.reissue(CARDIOLOGIST))
        .await
        .unwrap();
    cardiologist.phrase_shown().unwrap();
    let held = gp.send(&draft(&[CARDIOLOGIST], "Retenue")).unwrap();
    gp.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(state(&gp, held, CARDIOLOGIST), "queued");
    let gp = copy_phone(&place, GP, gp);
    nurse.send(&draft(&[GP], "Aujourd'hui")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let gp = put_phone_back(&place, GP, gp);
    assert_eq!(gp.sync().await.unwrap_err().code(), "device-put-back");
    gp.recover(&address(GP), &phrase).await.unwrap();
    for _ in 0..3 {
        gp.hurry().unwrap();
        gp.sync().await.unwrap();
    }
    let held = number(&gp, Folder::Sent, "Retenue");
    let identity = gp.identity(&address(CARDIOLOGIST)).await.unwrap();
    gp.accept_identity(&address(CARDIOLOGIST), &identity.changed.unwrap())
        .unwrap();
    for _ in 0..3 {
        gp.hurry().unwrap();
        gp.sync().await.unwrap();
        cardiologist.sync().await.unwrap();
    }
    assert_eq!(inbox(&cardiologist), ["Retenue"], "{}", state(&gp, held, CARDIOLOGIST));
}
