//! Several devices of one account: added by a code, with the history; then all of them show the same.

use pli_core::store::StoreError;
use pli_core::{Error, Folder, Session};
use pli_tests::dice::Dice;
use pli_tests::line::client;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use protocol::api::{KeysAnswer, path};
use protocol::link::{Answer, LinkCode};
use protocol::{Code, cbor};

use crate::rollback::settle;

/// The GP's tablet, added by the GP's phone.
pub(crate) async fn linked(place: &Place, main: &Session, name: &str) -> Session {
    let tablet = place.phone_in(name);
    let called = name.parse().unwrap();
    let code = tablet.show_link_code(&address(GP), &called).await.unwrap();
    assert_eq!(main.link_request(&code).await.unwrap().name, called);
    assert!(!tablet.finish_link().await.unwrap());
    main.confirm_link(&code).await.unwrap();
    main.sync().await.unwrap();
    assert!(tablet.finish_link().await.unwrap());
    tablet
}

pub(crate) fn number(phone: &Session, folder: Folder, subject: &str) -> i64 {
    let mails = phone.list(folder, None, 100).unwrap();
    mails.iter().find(|mail| mail.subject == subject).unwrap().number
}

/// All that a device shows of its mail.
pub(crate) fn listing(phone: &Session) -> Vec<String> {
    let mut lines = Vec::new();
    for folder in [Folder::Inbox, Folder::Sent, Folder::Drafts, Folder::Archive] {
        for mail in phone.list(folder, None, 1_000).unwrap() {
            lines.push(format!(
                "{folder:?} {} {} {} {:?} {:?} {:?}",
                mail.id, mail.sender, mail.subject, mail.read_at, mail.handled_at, mail.state
            ));
        }
    }
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_has_the_history_and_all_that_comes_later() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    gp.mark_read(number(&gp, Folder::Inbox, "Avant")).unwrap();
    gp.send(&draft(&[NURSE], "Réponse")).unwrap();
    gp.save_draft(&draft(&[NURSE], "Brouillon")).unwrap();

    let tablet = linked(&place, &gp, "tablet").await;
    // Mail that comes before the new device was ever online again.
    nurse.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Entre deux")).unwrap();
    nurse.sync().await.unwrap();
    tablet.sync().await.unwrap();
    tablet.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&tablet), ["Avant", "Entre deux"]);
    assert!(tablet.unopened().unwrap().is_empty());
    assert_eq!(listing(&tablet), listing(&gp));

    // Each writes; the other has it, too.
    let sent = tablet.send(&draft(&[CARDIOLOGIST], "De la tablette")).unwrap();
    tablet.sync().await.unwrap();
    cardiologist.sync().await.unwrap();
    assert_eq!(inbox(&cardiologist), ["De la tablette"]);
    for device in [&gp, &tablet] {
        device.sync().await.unwrap();
    }
    assert_eq!(state(&tablet, sent, CARDIOLOGIST), "retrieved");
    assert_eq!(listing(&tablet), listing(&gp));
    assert_eq!(tablet.devices().unwrap().len(), 2);
    assert!(matches!(
        tablet.remove_device(gp.devices().unwrap()[0].id),
        Err(Error::NotMain)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_mail_meanwhile_shows_on_a_device_whose_history_is_from_before() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.send(&draft(&[NURSE], "Question")).unwrap();
    gp.sync().await.unwrap();
    let tablet = linked(&place, &gp, "tablet").await;
    // The history says that it waits; the notices come before the tablet has that.
    nurse.sync().await.unwrap();
    nurse.mark_handled(number(&nurse, Folder::Inbox, "Question")).unwrap();
    nurse.sync().await.unwrap();
    for device in [&tablet, &tablet, &gp] {
        device.sync().await.unwrap();
    }
    assert_eq!(state(&gp, number(&gp, Folder::Sent, "Question"), NURSE), "handled");
    assert_eq!(listing(&tablet), listing(&gp));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_read_answer_and_delete_offline_come_to_the_same() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    for subject in ["Un", "Deux", "Trois"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
    }
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    tablet.sync().await.unwrap();
    // Both are offline.
    let of = |device: &Session, subject| number(device, Folder::Inbox, subject);
    let read_at = |device: &Session| device.message(of(device, "Un")).unwrap().summary.read_at;
    gp.mark_read(of(&gp, "Un")).unwrap();
    // Each has heard the relay's clock by itself: the tablet's word is the later one once its clock says so.
    tablet.mark_read(of(&tablet, "Un")).unwrap();
    while read_at(&tablet) <= read_at(&gp) {
        tablet.mark_unread(of(&tablet, "Un")).unwrap();
        tablet.mark_read(of(&tablet, "Un")).unwrap();
    }
    tablet.mark_unread(of(&tablet, "Un")).unwrap();
    gp.delete(of(&gp, "Deux")).unwrap();
    tablet.mark_handled(of(&tablet, "Deux")).unwrap();
    gp.archive(of(&gp, "Trois")).unwrap();
    let reply = tablet.answer(of(&tablet, "Trois")).unwrap();
    tablet.send(&reply).unwrap();
    let kept = gp.save_draft(&draft(&[NURSE], "Esquisse")).unwrap();
    let again = gp.draft(kept).unwrap();
    gp.save_draft(&again).unwrap();
    for _ in 0..2 {
        for device in [&gp, &tablet] {
            device.sync().await.unwrap();
        }
    }
    assert_eq!(listing(&gp), listing(&tablet));
    assert_eq!(inbox(&gp), ["Un"]);
    assert_eq!(
        gp.list(Folder::Inbox, None, 10).unwrap()[0].read_at,
        None,
        "the later one holds"
    );
    assert_eq!(gp.list(Folder::Drafts, None, 10).unwrap().len(), 1);
    assert_eq!(gp.list(Folder::Archive, None, 10).unwrap().len(), 1);
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse).len(), 1);
}

/// Changes that each of two devices makes offline at random.
const CHANGES: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_after_a_thousand_random_changes_offline_show_the_same() {
    for seed in 1..=2 {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let tablet = linked(&place, &gp, "tablet").await;
        for number in 0..60 {
            nurse.send(&draft(&[GP], &format!("Courrier {number}"))).unwrap();
        }
        nurse.sync().await.unwrap();
        for device in [&gp, &tablet] {
            device.sync().await.unwrap();
            assert_eq!(inbox(device).len(), 60);
        }
        let mut dice = Dice(seed);
        for _ in 0..CHANGES {
            for device in [&gp, &tablet] {
                change(device, &mut dice);
            }
        }
        assert_ne!(listing(&gp), listing(&tablet), "seed {seed}");
        for _ in 0..3 {
            for device in [&gp, &tablet] {
                device.sync().await.unwrap();
            }
        }
        let shown = listing(&gp);
        assert!(shown.len() > 20, "seed {seed}: {shown:?}");
        assert_eq!(shown, listing(&tablet), "seed {seed}");
        // Each device knows later than what it heard of, and says so again.
        for device in [&gp, &tablet, &gp] {
            change(device, &mut dice);
            device.sync().await.unwrap();
        }
        tablet.sync().await.unwrap();
        assert_eq!(listing(&gp), listing(&tablet), "seed {seed}");
    }
}

/// One thing that a person does with some mail of this device.
fn change(device: &Session, dice: &mut Dice) {
    let folders = [
        Folder::Inbox,
        Folder::Inbox,
        Folder::Archive,
        Folder::Sent,
        Folder::Drafts,
    ];
    let folder = dice.pick(&folders);
    let mails = device.list(folder, None, 1_000).unwrap();
    if mails.is_empty() {
        device.save_draft(&draft(&[NURSE], "Brouillon")).unwrap();
        return;
    }
    let number = dice.pick(&mails).number;
    match (folder, dice.roll(40)) {
        (Folder::Drafts, 0..=19) => {
            let kept = device.draft(number).unwrap();
            device.save_draft(&kept).unwrap();
        }
        (Folder::Drafts, 20..=29) => {
            let kept = device.draft(number).unwrap();
            device.send(&kept).unwrap();
        }
        (Folder::Inbox, 0) => {
            let reply = device.answer(number).unwrap();
            device.send(&reply).unwrap();
        }
        (Folder::Inbox | Folder::Archive, 1..=8) => device.mark_read(number).unwrap(),
        (Folder::Inbox | Folder::Archive, 9..=16) => device.mark_unread(number).unwrap(),
        (Folder::Inbox | Folder::Archive, 17..=24) => device.mark_handled(number).unwrap(),
        (Folder::Inbox, 25..=31) => device.archive(number).unwrap(),
        (Folder::Archive, 25..=38) => device.unarchive(number).unwrap(),
        (_, 39) => match device.delete(number) {
            Ok(()) | Err(Error::StillLeaving) => {}
            Err(error) => panic!("{error}"),
        },
        _ => drop(device.save_draft(&draft(&[NURSE], "Brouillon")).unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_erases_itself_and_hears_nothing_more() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    let device = gp
        .devices()
        .unwrap()
        .into_iter()
        .find(|device| !device.is_main)
        .unwrap();
    gp.remove_device(device.id).unwrap();
    gp.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Après"]);
    assert!(matches!(tablet.sync().await, Err(Error::DeviceRemoved)));
    assert!(!place.home("tablet").join("store.db").exists());
    assert_eq!(gp.devices().unwrap().len(), 1);
}

/// What a device shows of the account's devices.
fn names(device: &Session) -> Vec<Option<String>> {
    let devices = device.devices().unwrap().into_iter();
    devices.map(|device| device.name.map(|name| name.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_have_names_that_all_of_them_show_and_the_last_word_holds() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let own = gp.devices().unwrap()[0].id;
    gp.rename_device(own, &"Accueil".parse().unwrap()).unwrap();
    let tablet = linked(&place, &gp, "Tablette").await;
    assert_eq!(names(&tablet), [None, Some("Tablette".into())]);
    gp.sync().await.unwrap();
    tablet.sync().await.unwrap();
    let both = [Some("Accueil".to_owned()), Some("Tablette".to_owned())];
    assert_eq!(names(&gp), both);
    assert_eq!(names(&tablet), both, "also names from before it was there");
    // A third one hears of both.
    let third = linked(&place, &gp, "Étage").await;
    gp.sync().await.unwrap();
    third.sync().await.unwrap();
    assert_eq!(names(&third)[..2], both);
    // Two rename one device, offline.
    let named = tablet.devices().unwrap()[1].id;
    gp.rename_device(named, &"Cabinet 1".parse().unwrap()).unwrap();
    tablet.rename_device(named, &"Cabinet 2".parse().unwrap()).unwrap();
    for device in [&tablet, &gp, &third, &tablet] {
        device.sync().await.unwrap();
    }
    let last = [
        Some("Accueil".to_owned()),
        Some("Cabinet 2".into()),
        Some("Étage".into()),
    ];
    for device in [&gp, &tablet, &third] {
        assert_eq!(names(device), last);
    }
    let stranger = place.enrol(NURSE).await.devices().unwrap()[0].id;
    let refused = gp.rename_device(stranger, &"Étranger".parse().unwrap());
    assert!(matches!(refused, Err(Error::NoSuchDevice)));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_shared_box_all_see_on_which_device_a_mail_was_handled() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "Accueil").await;
    nurse.send(&draft(&[GP], "À traiter")).unwrap();
    nurse.sync().await.unwrap();
    tablet.sync().await.unwrap();
    tablet
        .mark_handled(number(&tablet, Folder::Inbox, "À traiter"))
        .unwrap();
    tablet.sync().await.unwrap();
    gp.sync().await.unwrap();
    // One that is added afterwards sees the same.
    let third = linked(&place, &gp, "Étage").await;
    gp.sync().await.unwrap();
    for _ in 0..2 {
        third.sync().await.unwrap();
    }
    for device in [&gp, &tablet, &third] {
        let shown = device.message(number(device, Folder::Inbox, "À traiter")).unwrap();
        let by = shown.handled_by.unwrap();
        assert_eq!(by.name.unwrap().as_str(), "Accueil");
        assert_eq!(by.device, gp.devices().unwrap()[1].id);
    }
    assert_eq!(listing(&third), listing(&gp));
}

/// Whether a device says that it is suspended.
fn is_suspended<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Relay(Code::DeviceSuspended)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_device_stops_and_locks_and_catches_up_once_it_is_let_in() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let mut tablet = linked(&place, &gp, "tablet").await;
    for subject in ["Avant", "Aussi avant"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
    }
    nurse.sync().await.unwrap();
    for _ in 0..2 {
        gp.sync().await.unwrap();
        tablet.sync().await.unwrap();
    }
    assert_eq!(inbox(&tablet), ["Avant", "Aussi avant"]);
    let device = gp.devices().unwrap()[1].id;
    gp.suspend_device(device).await.unwrap();
    assert_eq!(gp.suspensions().await.unwrap()[0].device, device);
    nurse.send(&draft(&[GP], "Pendant")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    gp.delete(number(&gp, Folder::Inbox, "Avant")).unwrap();
    gp.mark_handled(number(&gp, Folder::Inbox, "Aussi avant")).unwrap();
    gp.sync().await.unwrap();

    assert!(is_suspended(&tablet.sync().await));
    // A new process changes nothing, nor does asking again: it is locked, and everything stays.
    for _ in 0..2 {
        assert!(is_suspended(&tablet.list(Folder::Inbox, None, 10)));
        assert!(is_suspended(&tablet.unlock()));
        assert!(is_suspended(&tablet.sync().await));
        tablet.close();
        tablet = place.phone_in("tablet");
    }
    assert!(place.home("tablet").join("store.db").exists());

    assert!(matches!(
        gp.lift_suspension(gp.devices().unwrap()[0].id),
        Err(Error::NoSuchDevice)
    ));
    gp.lift_suspension(device).unwrap();
    gp.hurry().unwrap();
    gp.sync().await.unwrap();
    for _ in 0..2 {
        tablet.sync().await.unwrap();
    }
    assert_eq!(inbox(&tablet), ["Aussi avant", "Pendant"]);
    assert_eq!(listing(&tablet), listing(&gp));
    assert!(tablet.unopened().unwrap().is_empty());
    assert_eq!(nurse.sync().await.unwrap().sent, 0, "nobody but the phone was asked");
    assert_eq!(gp.suspensions().await.unwrap(), []);
    // It has what comes from now on, by itself.
    nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    tablet.sync().await.unwrap();
    assert_eq!(inbox(&tablet), ["Aussi avant", "Pendant", "Après"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_device_suspends_the_main_one_and_a_suspended_one_that_is_removed_erases_itself() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let tablet = linked(&place, &gp, "tablet").await;
    let [main, other] = [0, 1].map(|place| gp.devices().unwrap()[place].id);
    gp.suspend_device(other).await.unwrap();
    assert!(is_suspended(&tablet.sync().await));
    gp.remove_device(other).unwrap();
    gp.sync().await.unwrap();
    assert!(matches!(tablet.sync().await, Err(Error::DeviceRemoved)));
    assert!(!place.home("tablet").join("store.db").exists());

    let second = linked(&place, &gp, "second").await;
    assert!(matches!(second.lift_suspension(main), Err(Error::NotMain)));
    second.suspend_device(main).await.unwrap();
    assert!(is_suspended(&gp.sync().await));
    assert!(place.home(GP).join("store.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_lost_on_its_way_is_asked_for_again() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let tablet = linked(&place, &gp, "tablet").await;
    // What says where the history is does not open.
    let store = place.store("tablet");
    store
        .write::<_, StoreError>(|tx| Ok(tx.execute("DELETE FROM prekey WHERE leaf = 0", [])?))
        .unwrap();
    for _ in 0..2 {
        tablet.sync().await.unwrap();
        assert!(inbox(&tablet).is_empty());
        assert!(tablet.unopened().unwrap().is_empty());
    }
    gp.sync().await.unwrap();
    for _ in 0..2 {
        tablet.sync().await.unwrap();
    }
    assert_eq!(inbox(&tablet), ["Avant"]);
    // It asks no more, and is told no more.
    for device in [&gp, &tablet, &gp, &tablet] {
        let report = device.sync().await.unwrap();
        assert_eq!(report.sent, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_missed_its_answer_hears_it_when_its_code_is_read_again() {
    let mut place = Place::open().await;
    let gp = place.phone(GP);
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    let tablet = place.phone_in("tablet");
    let code = tablet
        .show_link_code(&address(GP), &"tablet".parse().unwrap())
        .await
        .unwrap();
    gp.confirm_link(&code).await.unwrap();
    // There is no history: with these the main one has done all that there is to do.
    for _ in 0..3 {
        gp.sync().await.unwrap();
    }
    // The relay keeps answers in memory alone.
    place.stop_relay().await;
    place.start_relay().await;
    gp.sync().await.unwrap();
    assert!(!tablet.finish_link().await.unwrap());
    gp.confirm_link(&code).await.unwrap();
    gp.sync().await.unwrap();
    assert!(tablet.finish_link().await.unwrap());
    settle(&[&gp, &tablet]).await;
    assert_eq!(gp.devices().unwrap().len(), 2);
    assert!(tablet.history_progress().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_only_seen_the_code_puts_no_other_device_in_its_place() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let tablet = place.phone_in("tablet");
    let code = tablet
        .show_link_code(&address(GP), &"tablet".parse().unwrap())
        .await
        .unwrap();
    let thief = place.phone_in("thief");
    let own = thief
        .show_link_code(&address(GP), &"thief".parse().unwrap())
        .await
        .unwrap();
    // The thief says in the tablet's channel what it says of itself.
    let swapped = [code.split_at(code.len() / 2).0, own.split_at(own.len() / 2).1].concat();
    for wrong in [swapped.as_str(), "ABCD", ""] {
        assert!(gp.link_request(wrong).await.is_err(), "{wrong}");
    }
    assert_eq!(gp.link_request(&code).await.unwrap().name.as_str(), "tablet");
}

/// Whoever has seen the code can answer in the main device's place, and takes the tablet into no account by that.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_seen_the_code_takes_the_new_device_into_no_account() {
    let place = Place::open().await;
    let (_nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = place.phone_in("tablet");
    let code = tablet
        .show_link_code(&address(GP), &"tablet".parse().unwrap())
        .await
        .unwrap();
    let seen = LinkCode::parse(&code).unwrap();
    for (answered_for, is_elsewhere) in [(NURSE, true), (GP, false)] {
        let url = format!("{}{}/{answered_for}", place.plain_url(), path::IDENTITIES);
        let answer = client().get(url).send().await.unwrap().bytes().await.unwrap();
        let shown: KeysAnswer = cbor::decode(&answer).unwrap();
        let identity = shown.accounts[0].identity.digest();
        let url = format!("{}{}/{}/answer", place.plain_url(), path::LINKS, seen.channel());
        let said = client().put(url).body(seen.seal(&Answer { identity }).unwrap());
        assert!(said.send().await.unwrap().status().is_success());
        let linked = tablet.finish_link().await;
        if is_elsewhere {
            assert!(matches!(linked, Err(Error::LinkedElsewhere)), "{linked:?}");
        } else {
            assert!(!linked.unwrap(), "the GP's list does not have it");
        }
        assert!(matches!(tablet.sync().await, Err(Error::NotEnrolled)));
    }
    gp.confirm_link(&code).await.unwrap();
    gp.sync().await.unwrap();
    assert!(tablet.finish_link().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_let_in_again_shows_what_became_of_sent_mail() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    gp.send(&draft(&[NURSE], "Question")).unwrap();
    gp.sync().await.unwrap();
    for _ in 0..2 {
        gp.sync().await.unwrap();
        tablet.sync().await.unwrap();
    }
    let device = gp.devices().unwrap()[1].id;
    gp.suspend_device(device).await.unwrap();
    nurse.sync().await.unwrap();
    nurse.mark_handled(number(&nurse, Folder::Inbox, "Question")).unwrap();
    settle(&[&nurse, &gp]).await;
    assert!(tablet.sync().await.is_err());
    gp.lift_suspension(device).unwrap();
    gp.sync().await.unwrap();
    settle(&[&nurse, &gp]).await;
    for _ in 0..2 {
        tablet.sync().await.unwrap();
    }
    settle(&[&nurse, &gp, &tablet]).await;
    assert_eq!(listing(&tablet), listing(&gp));
}
