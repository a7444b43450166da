//! One side is an earlier copy of itself: the relay, as its operator restored it, or a phone, as a person did.

use std::fs;
use std::path::Path;

use pli_core::{Error, Folder, Session};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, copy, draft, inbox, state};
use pli_tests::stranger::Stranger;
use protocol::Code;

use crate::devices::{linked, listing, number};

/// Puts the copy in the place of the folder.
fn put_back(copy_of: &Path, folder: &Path) {
    fs::remove_dir_all(folder).unwrap();
    fs::rename(copy_of, folder).unwrap();
}

/// The relay's folder as it stands, in a place of its own.
pub(crate) async fn copy_relay(place: &mut Place) {
    place.stop_relay().await;
    copy(&place.home("relay"), &place.home("relay-copy"));
    place.start_relay().await;
}

pub(crate) async fn put_relay_back(place: &mut Place) {
    place.stop_relay().await;
    put_back(&place.home("relay-copy"), &place.home("relay"));
    place.start_relay().await;
}

/// Everybody syncs until nothing moves.
pub(crate) async fn settle(phones: &[&Session]) {
    let (mut quiet, mut reports) = (0_u32, Vec::new());
    for _ in 0..12 {
        reports.clear();
        for phone in phones {
            phone.hurry().unwrap();
            reports.push(phone.sync().await.unwrap());
        }
        let is_quiet = reports.iter().all(|report| !report.is_news() && report.waiting == 0);
        // What an account's devices tell each other is no news to a person, and may bring some.
        quiet = if is_quiet { quiet.saturating_add(1) } else { 0 };
        if quiet == 3 {
            return;
        }
    }
    panic!("it never comes to rest: {reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_put_back_to_yesterday_is_told_and_given_again_what_it_lost() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Hier")).unwrap();
    settle(&[&nurse, &gp]).await;
    copy_relay(&mut place).await;
    // Today: some of it is retrieved, some waits, and some is on its way back.
    for subject in ["Relevée", "Traitée"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
    }
    settle(&[&nurse, &gp]).await;
    gp.mark_handled(number(&gp, Folder::Inbox, "Traitée")).unwrap();
    gp.sync().await.unwrap();
    let waits = nurse.send(&draft(&[GP], "En attente")).unwrap();
    let taken_back = nurse.send(&draft(&[GP], "Reprise")).unwrap();
    nurse.sync().await.unwrap();
    nurse.withdraw(taken_back).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, waits, GP), "available");
    assert_eq!(inbox(&gp), ["Hier", "Relevée", "Traitée"]);
    gp.delete(number(&gp, Folder::Inbox, "Relevée")).unwrap();
    nurse.send(&draft(&[GP], "Dernière")).unwrap();
    nurse.sync().await.unwrap();

    put_relay_back(&mut place).await;
    for phone in [&nurse, &gp] {
        assert!(phone.sync().await.unwrap().relay_put_back);
        assert!(!phone.sync().await.unwrap().relay_put_back, "once");
    }
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Hier", "Traitée", "En attente", "Dernière"]);
    assert!(gp.unopened().unwrap().is_empty() && nurse.unopened().unwrap().is_empty());
    assert_eq!(state(&nurse, waits, GP), "retrieved");
    assert_eq!(state(&nurse, taken_back, GP), "withdrawn");
    let handled = number(&nurse, Folder::Sent, "Traitée");
    assert_eq!(state(&nurse, handled, GP), "handled");
    // What is new goes its way, sealed to prekeys that were never handed out.
    nurse.send(&draft(&[GP], "Après")).unwrap();
    gp.send(&draft(&[NURSE], "Réponse")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp).last().unwrap(), "Après");
    assert_eq!(inbox(&nurse), ["Réponse"]);
    assert!(gp.unopened().unwrap().is_empty() && nurse.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_goes_on_from_an_earlier_copy_is_noticed_by_its_hash() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    copy_relay(&mut place).await;
    nurse.send(&draft(&[GP], "Un")).unwrap();
    settle(&[&nurse, &gp]).await;
    put_relay_back(&mut place).await;
    // As many come as were there, before the phone is in touch again.
    cardiologist.send(&draft(&[GP], "Deux")).unwrap();
    cardiologist.sync().await.unwrap();
    assert!(gp.sync().await.unwrap().relay_put_back);
    settle(&[&nurse, &cardiologist, &gp]).await;
    assert_eq!(inbox(&gp), ["Un", "Deux"]);
    assert!(gp.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_from_before_a_batch_of_prekeys_gets_another_one() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    copy_relay(&mut place).await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    while stranger.take_prekey(GP).await.leaf.is_some() {}
    gp.sync().await.unwrap();
    let sent = nurse.send(&draft(&[GP], "À la seconde série")).unwrap();
    nurse.sync().await.unwrap();
    put_relay_back(&mut place).await;
    // Nothing else tells the recipient: it had acknowledged and sent nothing since.
    assert!(!gp.sync().await.unwrap().relay_put_back);
    settle(&[&nurse, &gp]).await;
    assert_eq!(state(&nurse, sent, GP), "retrieved");
    assert_eq!(inbox(&gp), ["À la seconde série"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_a_mail_that_was_taken_back_is_kept_once() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Reprise")).unwrap();
    nurse.sync().await.unwrap();
    nurse.withdraw(number(&nurse, Folder::Sent, "Reprise")).unwrap();
    nurse.sync().await.unwrap();
    copy_relay(&mut place).await;
    nurse.send(&draft(&[GP], "Ensuite")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(gp.unopened().unwrap().len(), 1);
    put_relay_back(&mut place).await;
    assert!(gp.sync().await.unwrap().relay_put_back);
    settle(&[&nurse, &gp]).await;
    assert_eq!(gp.unopened().unwrap().len(), 1);
    assert_eq!(inbox(&gp), ["Ensuite"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_from_before_a_link_knows_the_device_again_and_nothing_is_erased() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    settle(&[&nurse, &gp]).await;
    copy_relay(&mut place).await;
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet]).await;
    tablet.archive(number(&tablet, Folder::Inbox, "Avant")).unwrap();
    tablet.sync().await.unwrap();
    put_relay_back(&mut place).await;
    // It shows the list on which it stands by itself.
    assert!(tablet.sync().await.unwrap().relay_put_back);
    assert_eq!(tablet.list(Folder::Archive, None, 10).unwrap().len(), 1);
    gp.sync().await.unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    assert_eq!(inbox(&tablet), ["Après"]);
    assert_eq!(listing(&tablet), listing(&gp));
    assert!(tablet.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_one_device_alone_at_a_relay_put_back_comes_from_the_other() {
    for is_main in [true, false] {
        let mut place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let tablet = linked(&place, &gp, "tablet").await;
        settle(&[&nurse, &gp, &tablet]).await;
        copy_relay(&mut place).await;
        let sent = nurse.send(&draft(&[GP], "Aujourd'hui")).unwrap();
        let (early, late) = if is_main { (&gp, &tablet) } else { (&tablet, &gp) };
        settle(&[&nurse, early]).await;
        assert_eq!(state(&nurse, sent, GP), "retrieved", "it is offered no more");
        put_relay_back(&mut place).await;
        settle(&[&nurse, early, late]).await;
        assert_eq!(inbox(late), ["Aujourd'hui"], "{is_main}");
        assert_eq!(listing(&tablet), listing(&gp));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_a_device_is_in_touch_with_a_relay_put_back_comes_from_the_other() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    copy_relay(&mut place).await;
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    put_relay_back(&mut place).await;
    for _ in 0..3 {
        gp.sync().await.unwrap();
    }
    // The relay knows the tablet again, and has no prekey of it.
    nurse.send(&draft(&[GP], "Entre-temps")).unwrap();
    nurse.sync().await.unwrap();
    settle(&[&gp, &tablet, &nurse]).await;
    assert_eq!(inbox(&gp), ["Entre-temps"]);
    assert_eq!(inbox(&tablet), ["Entre-temps"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_own_devices_seal_to_keys_that_a_relay_put_back_hands_out_again_comes_with_the_history() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet]).await;
    copy_relay(&mut place).await;
    for device in [&gp, &tablet] {
        device.send(&draft(&[NURSE], "Avant")).unwrap();
    }
    settle(&[&nurse, &gp, &tablet]).await;
    put_relay_back(&mut place).await;
    // Each seals to the other's keys before that one has been in touch.
    for (device, subject) in [(&gp, "Du téléphone"), (&tablet, "De la tablette")] {
        device.send(&draft(&[NURSE], subject)).unwrap();
        device.sync().await.unwrap();
    }
    settle(&[&nurse, &gp, &tablet]).await;
    assert_eq!(listing(&tablet), listing(&gp));
    assert_eq!(gp.list(Folder::Sent, None, 10).unwrap().len(), 4);
    assert!(gp.unopened().unwrap().is_empty() && tablet.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_from_before_a_removal_lets_nobody_in_again_also_when_nothing_else_was_done_since() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet]).await;
    copy_relay(&mut place).await;
    gp.remove_device(gp.devices().unwrap()[1].id).unwrap();
    gp.sync().await.unwrap();
    put_relay_back(&mut place).await;
    assert!(gp.sync().await.unwrap().relay_put_back);
    assert!(matches!(tablet.sync().await, Err(Error::DeviceRemoved)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_from_before_a_recovery_follows_the_phrase_again() {
    let mut place = Place::open().await;
    let (nurse, lost) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = lost.enrol(&address(GP), &place.code(GP)).await.unwrap();
    lost.phrase_shown().unwrap();
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    settle(&[&nurse, &lost]).await;
    copy_relay(&mut place).await;
    let gp = place.phone_in("new");
    gp.recover(&address(GP), &phrase).await.unwrap();
    nurse.send(&draft(&[GP], "Entre deux")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Entre deux"]);
    put_relay_back(&mut place).await;
    settle(&[&gp, &nurse]).await;
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Entre deux", "Après"]);
    assert!(matches!(lost.sync().await, Err(Error::DeviceRemoved)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_phone_had_sent_is_offered_again_by_the_next_one_to_a_relay_from_before_it() {
    let mut place = Place::open().await;
    let (nurse, lost) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = lost.enrol(&address(GP), &place.code(GP)).await.unwrap();
    lost.phrase_shown().unwrap();
    lost.start_backup(&phrase).unwrap();
    lost.sync().await.unwrap();
    copy_relay(&mut place).await;
    lost.send(&draft(&[NURSE], "Envoyé")).unwrap();
    lost.sync().await.unwrap();
    drop(lost);
    let gp = place.phone_in("new");
    gp.recover(&address(GP), &phrase).await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(state(&gp, number(&gp, Folder::Sent, "Envoyé"), NURSE), "available");
    put_relay_back(&mut place).await;
    settle(&[&gp, &nurse]).await;
    assert_eq!(inbox(&nurse), ["Envoyé"]);
    assert_eq!(state(&gp, number(&gp, Folder::Sent, "Envoyé"), NURSE), "retrieved");
}

/// The phone of `who` as it stands, in a place of its own.
pub(crate) fn copy_phone(place: &Place, who: &str, phone: Session) -> Session {
    phone.close();
    copy(&place.home(who), &place.home("phone-copy"));
    place.phone_in(who)
}

pub(crate) fn put_phone_back(place: &Place, who: &str, phone: Session) -> Session {
    phone.close();
    put_back(&place.home("phone-copy"), &place.home(who));
    place.phone_in(who)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_yesterday_is_told_and_goes_on_by_the_phrase_as_another_device() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    nurse.send(&draft(&[GP], "Hier")).unwrap();
    settle(&[&nurse, &gp]).await;
    // It was to be sent when the copy was made, and left afterwards.
    gp.send(&draft(&[NURSE], "En route")).unwrap();
    let gp = copy_phone(&place, GP, gp);
    nurse.send(&draft(&[GP], "Aujourd'hui")).unwrap();
    settle(&[&nurse, &gp]).await;
    nurse.send(&draft(&[GP], "En attente")).unwrap();
    nurse.sync().await.unwrap();

    let gp = put_phone_back(&place, GP, gp);
    for _ in 0..2 {
        let told = gp.sync().await.unwrap_err();
        assert_eq!((told.code(), told.is_retryable()), ("device-put-back", false));
    }
    assert_eq!(inbox(&gp), ["Hier"], "nothing is erased");
    assert!(matches!(
        gp.recover(&address(NURSE), &phrase).await,
        Err(Error::AlreadyEnrolled)
    ));
    gp.recover(&address(GP), &phrase).await.unwrap();
    settle(&[&gp, &nurse]).await;
    assert_eq!(inbox(&gp), ["Hier", "Aujourd'hui", "En attente"]);
    assert!(gp.unopened().unwrap().is_empty());
    assert_eq!(inbox(&nurse), ["En route"]);
    assert_eq!(gp.list(Folder::Sent, None, 10).unwrap().len(), 1);
    gp.send(&draft(&[NURSE], "Après")).unwrap();
    settle(&[&gp, &nurse]).await;
    assert_eq!(inbox(&nurse), ["En route", "Après"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_before_it_was_the_main_one_is_told_and_goes_on_by_the_phrase() {
    let place = Place::open().await;
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    let tablet = copy_phone(&place, "tablet", tablet);
    let code = tablet.show_main_code().await.unwrap();
    gp.hand_over(&code).await.unwrap();
    assert!(tablet.finish_handover().await.unwrap());
    // Nothing came to it since, and the identity's key is erased where it was.
    let tablet = put_phone_back(&place, "tablet", tablet);
    gp.sync().await.unwrap();
    assert_eq!(tablet.sync().await.unwrap_err().code(), "device-put-back");
    tablet.recover(&address(GP), &phrase).await.unwrap();
    tablet.sync().await.unwrap();
    assert!(
        tablet
            .devices()
            .unwrap()
            .iter()
            .any(|device| device.is_main && device.is_this)
    );
    assert!(matches!(gp.sync().await, Err(Error::DeviceRemoved)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_put_back_to_yesterday_is_linked_again_with_all_the_account_has() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    nurse.send(&draft(&[GP], "Hier")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    let tablet = copy_phone(&place, "tablet", tablet);
    nurse.send(&draft(&[GP], "Aujourd'hui")).unwrap();
    settle(&[&nurse, &gp, &tablet]).await;
    let before = gp.devices().unwrap();
    let tablet = put_phone_back(&place, "tablet", tablet);
    assert_eq!(tablet.sync().await.unwrap_err().code(), "device-put-back");
    let old = before.iter().find(|device| !device.is_this).unwrap().id;
    drop(tablet);
    let tablet = linked(&place, &gp, "tablet").await;
    gp.remove_device(old).unwrap();
    settle(&[&gp, &tablet, &nurse]).await;
    assert_eq!(inbox(&tablet), ["Hier", "Aujourd'hui"]);
    assert_eq!(listing(&tablet), listing(&gp));
    assert_eq!(gp.devices().unwrap().len(), 2);
    assert!(tablet.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_before_it_only_sent_doubles_nothing_and_opens_what_comes() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Une fois")).unwrap();
    let gp = copy_phone(&place, GP, gp);
    gp.sync().await.unwrap();
    let gp = put_phone_back(&place, GP, gp);
    gp.sync().await.unwrap();
    let sent = number(&gp, Folder::Sent, "Une fois");
    assert_eq!(
        state(&gp, sent, NURSE),
        "unknown",
        "under another key, as it was not sealed yet"
    );
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&nurse), ["Une fois"]);
    assert_eq!(state(&gp, sent, NURSE), "retrieved");
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Après"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_before_it_only_sent_has_it_again_from_its_backup() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    settle(&[&gp]).await;
    let gp = copy_phone(&place, GP, gp);
    gp.send(&draft(&[NURSE], "Envoyé")).unwrap();
    gp.sync().await.unwrap();
    let gp = put_phone_back(&place, GP, gp);
    settle(&[&gp, &nurse, &gp]).await;
    assert_eq!(state(&gp, number(&gp, Folder::Sent, "Envoyé"), NURSE), "retrieved");
    // It is in the backup that goes on, too; and nothing is asked for any more.
    drop(gp);
    let next = place.phone_in("next");
    next.recover(&address(GP), &phrase).await.unwrap();
    assert_eq!(next.sync().await.unwrap().restored, 1);
    number(&next, Folder::Sent, "Envoyé");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_put_back_to_before_it_only_sent_has_it_again_from_the_others() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    let gp = copy_phone(&place, GP, gp);
    // It makes another batch of prekeys, whose secrets the copy lacks.
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    while stranger.take_prekey(GP).await.leaf.is_some() {}
    gp.send(&draft(&[NURSE], "Du téléphone")).unwrap();
    gp.sync().await.unwrap();
    let gp = put_phone_back(&place, GP, gp);
    assert!(gp.list(Folder::Sent, None, 10).unwrap().is_empty());
    settle(&[&tablet, &gp]).await;
    number(&gp, Folder::Sent, "Du téléphone");
    let tablet = copy_phone(&place, "tablet", tablet);
    tablet.send(&draft(&[NURSE], "De la tablette")).unwrap();
    tablet.sync().await.unwrap();
    let tablet = put_phone_back(&place, "tablet", tablet);
    settle(&[&gp, &tablet, &nurse]).await;
    assert_eq!(inbox(&nurse), ["Du téléphone", "De la tablette"]);
    assert_eq!(listing(&gp), listing(&tablet));
    assert_eq!(gp.list(Folder::Sent, None, 10).unwrap().len(), 2);
    // It is not asked for again.
    let told = [
        gp.sync().await.unwrap().sent,
        place.phone_in("tablet").sync().await.unwrap().sent,
    ];
    assert_eq!(told, [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_from_before_an_enrolment_takes_the_same_phone_again() {
    let mut place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    settle(&[&nurse]).await;
    copy_relay(&mut place).await;
    let gp = place.enrol(GP).await;
    nurse.send(&draft(&[GP], "Gardée")).unwrap();
    settle(&[&nurse, &gp]).await;
    let number = nurse.identity(&address(GP)).await.unwrap().number;
    put_relay_back(&mut place).await;
    let refused = gp.sync().await;
    assert!(matches!(refused, Err(Error::Relay(Code::DeviceUnknown))), "{refused:?}");
    drop(gp);
    let gp = place.phone(GP);
    let code = place.code(GP);
    gp.enrol_once_more(&code).await.unwrap();
    let again = gp.enrol_once_more(&code).await;
    assert!(matches!(again, Err(Error::AlreadyEnrolled)), "{again:?}");
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Gardée"]);
    let now = nurse.identity(&address(GP)).await.unwrap();
    assert!(now.changed.is_none() && now.number == number, "the same person");
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Gardée", "Après"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_put_back_to_before_it_heard_that_the_relay_was_too_makes_prekeys_that_open() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    settle(&[&nurse, &gp]).await;
    copy_relay(&mut place).await;
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    settle(&[&nurse, &gp]).await;
    put_relay_back(&mut place).await;
    let gp = copy_phone(&place, GP, gp);
    // It publishes another batch, whose secrets the copy lacks.
    assert!(gp.sync().await.unwrap().relay_put_back);
    let gp = put_phone_back(&place, GP, gp);
    assert!(gp.sync().await.unwrap().relay_put_back);
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Avant", "Après"]);
    assert!(gp.unopened().unwrap().is_empty());
}
