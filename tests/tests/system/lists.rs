//! Devices of one account that come and go: what they write meanwhile is known for theirs, and waits for nobody.

use std::time::Duration;

use backend::Tuning;
use pli_core::store::StoreError;
use pli_core::{Error, Folder, Session, UnopenedReason};
use pli_tests::line::{Fault, client};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use protocol::api::{AccountKeys, KeysAnswer, path};
use protocol::cbor;
use protocol::identity::{Signed, VerifiedAccount};
use protocol::removal::Removal;
use protocol::sign::{Seed, SigningKey};

use super::devices::{linked, listing, number};

fn sent(phone: &Session) -> Vec<String> {
    let mails = phone.list(Folder::Sent, None, 10).unwrap();
    let mut subjects: Vec<_> = mails.into_iter().map(|mail| mail.subject).collect();
    subjects.sort();
    subjects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_device_is_known_to_the_second() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let tablet = linked(&place, &gp, "tablet").await;
    for device in [&tablet, &tablet, &gp] {
        device.sync().await.unwrap();
    }
    let desk = linked(&place, &gp, "desk").await;
    for _ in 0..2 {
        desk.sync().await.unwrap();
    }
    desk.mark_handled(number(&desk, Folder::Inbox, "Avant")).unwrap();
    desk.send(&draft(&[NURSE], "Du bureau")).unwrap();
    desk.sync().await.unwrap();
    // The second writes nothing and asks for nothing: it only looks.
    for _ in 0..2 {
        for device in [&tablet, &gp, &desk] {
            device.sync().await.unwrap();
        }
    }
    assert!(tablet.unopened().unwrap().is_empty());
    assert_eq!(sent(&tablet), ["Du bureau"]);
    assert_eq!(tablet.devices().unwrap().len(), 3);
    for device in [&tablet, &desk] {
        assert_eq!(listing(device), listing(&gp));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_is_known_to_the_process_that_was_in_touch_while_another_added_it() {
    let place = Place::wired(Tuning::default()).await;
    let (_nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    gp.sync().await.unwrap();
    let watching = place.phone(GP);
    let watch = tokio::spawn(async move { watching.watch(|_| ()).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tablet = linked(&place, &gp, "tablet").await;
    for _ in 0..2 {
        tablet.sync().await.unwrap();
    }
    tablet.send(&draft(&[NURSE], "De la tablette")).unwrap();
    tablet.sync().await.unwrap();
    for _ in 0..100 {
        if !sent(&gp).is_empty() || !gp.unopened().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    watch.abort();
    assert_eq!(sent(&gp), ["De la tablette"]);
    assert!(gp.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_seemed_to_have_signed_is_tried_again_with_the_next_list() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    let older = shown(&place, GP).await.list;
    let desk = linked(&place, &gp, "desk").await;
    desk.sync().await.unwrap();
    desk.send(&draft(&[NURSE], "Du bureau")).unwrap();
    desk.sync().await.unwrap();
    // The relay shows the list without it, for a while.
    place.line.edit("/v1/keys", move |bytes| {
        let Ok(mut answer) = cbor::decode::<KeysAnswer>(&bytes) else {
            return bytes;
        };
        for keys in &mut answer.accounts {
            let account = VerifiedAccount::verify(&keys.identity, &keys.list).unwrap();
            if *account.address() == address(GP) {
                keys.list = older.clone();
            }
        }
        cbor::encode(&answer)
    });
    for phone in [&tablet, &nurse] {
        phone.sync().await.unwrap();
        let reasons: Vec<_> = phone.unopened().unwrap().iter().map(|kept| kept.reason).collect();
        assert!(reasons.contains(&UnopenedReason::WrongSignature));
    }
    place.line.honest();
    let asked = place.line.count("/v1/keys");
    for phone in [&tablet, &nurse] {
        phone.sync().await.unwrap();
    }
    assert_eq!(place.line.count("/v1/keys"), asked, "nothing new is known");
    tablet.send(&draft(&[NURSE], "De la tablette")).unwrap();
    nurse.send(&draft(&[GP], "Autre chose")).unwrap();
    for phone in [&tablet, &nurse] {
        phone.sync().await.unwrap();
        assert!(phone.unopened().unwrap().is_empty());
    }
    let mut received = inbox(&nurse);
    received.sort();
    assert_eq!(received, ["De la tablette", "Du bureau"]);
    assert_eq!(sent(&tablet), ["De la tablette", "Du bureau"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_of_a_device_that_was_removed_since_arrives() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    // The nurse knows the list with it, the cardiologist knows none.
    nurse.send(&draft(&[GP], "Question")).unwrap();
    nurse.sync().await.unwrap();
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    tablet.sync().await.unwrap();
    tablet.mark_handled(number(&tablet, Folder::Inbox, "Question")).unwrap();
    let urgent = tablet.send(&draft(&[NURSE, CARDIOLOGIST], "Urgent")).unwrap();
    tablet.sync().await.unwrap();
    assert_eq!(state(&tablet, urgent, NURSE), "available");
    // The tablet is retired the same evening, and a desk comes in its place.
    remove_other(&gp);
    gp.sync().await.unwrap();
    let desk = linked(&place, &gp, "desk").await;
    for phone in [&gp, &nurse, &cardiologist, &desk, &gp, &desk] {
        phone.sync().await.unwrap();
        assert!(phone.unopened().unwrap().is_empty());
    }
    for phone in [&nurse, &cardiologist] {
        assert_eq!(inbox(phone), ["Urgent"]);
    }
    assert_eq!(sent(&gp), ["Urgent"]);
    assert!(gp.list(Folder::Inbox, None, 10).unwrap()[0].handled_at.is_some());
    assert_eq!(listing(&desk), listing(&gp));
    assert!(matches!(tablet.sync().await, Err(Error::DeviceRemoved)));
}

/// A relay that helps a removed device to go on writing can do so for as long as mail waits, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_device_signed_is_its_accounts_if_it_came_in_time() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    tablet.send(&draft(&[NURSE], "Urgent")).unwrap();
    tablet.sync().await.unwrap();
    remove_other(&gp);
    gp.sync().await.unwrap();
    // The removal of another device, and none at all, show nothing.
    let other = removal_of_another(&place).await;
    for shown in [other, Vec::new()] {
        place.line.edit(path::REMOVALS, move |_| shown.clone());
        nurse.sync().await.unwrap();
        assert_eq!(nurse.unopened().unwrap()[0].reason, UnopenedReason::WrongSignature);
        place.line.honest();
        try_again(&place);
    }
    let key = identity_key(&place);
    place.line.edit(path::REMOVALS, move |bytes| {
        let mut removal: Removal = cbor::decode(&bytes).unwrap();
        let mut after = removal.after.verify(&key.verifying_key()).unwrap();
        after.issued_at = after.issued_at.plus_days(-96);
        removal.after = Signed::make(&after, &key);
        cbor::encode(&removal)
    });
    nurse.sync().await.unwrap();
    assert_eq!(nurse.unopened().unwrap()[0].reason, UnopenedReason::WrongSignature);
    place.line.honest();
    try_again(&place);
    nurse.sync().await.unwrap();
    assert_eq!(inbox(&nurse), ["Urgent"]);
    assert!(nurse.unopened().unwrap().is_empty());
}

/// What the nurse has not opened is to be tried again.
fn try_again(place: &Place) {
    let tried = place.store(NURSE).write(|tx| {
        let sql = "UPDATE unopened SET tried_at = 0";
        tx.execute(sql, []).map_err(StoreError::from)
    });
    assert_eq!(tried.unwrap(), 1);
}

/// The key with which the GP's main device signs lists.
fn identity_key(place: &Place) -> SigningKey {
    let seed = place.store(GP).read::<Vec<u8>, StoreError>(|connection| {
        Ok(connection.query_row("SELECT identity_seed FROM account", [], |row| row.get(0))?)
    });
    SigningKey::derive(&Seed::from_bytes(seed.unwrap().as_slice().try_into().unwrap()))
}

/// The removal of a device of the cardiologist's.
async fn removal_of_another(place: &Place) -> Vec<u8> {
    let main = place.enrol(CARDIOLOGIST).await;
    let tablet = place.phone_in("another");
    let code = tablet
        .show_link_code(&address(CARDIOLOGIST), &"another".parse().unwrap())
        .await
        .unwrap();
    main.confirm_link(&code).await.unwrap();
    main.sync().await.unwrap();
    remove_other(&main);
    let before = shown(place, CARDIOLOGIST).await;
    main.sync().await.unwrap();
    let after = shown(place, CARDIOLOGIST).await;
    cbor::encode(&Removal {
        identity: before.identity,
        before: before.list,
        after: after.list,
    })
}

/// What was done before the only other device was removed is due for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_for_a_removed_device_keeps_nobody_busy() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Un")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    gp.archive(number(&gp, Folder::Inbox, "Un")).unwrap();
    remove_other(&gp);
    for _ in 0..2 {
        gp.sync().await.unwrap();
    }
    let before = place.line.count(path::PREKEYS);
    let watch = tokio::time::timeout(Duration::from_secs(12), gp.watch(|_| ())).await;
    assert!(watch.is_err());
    // Without a stream it syncs a second time before it begins to poll.
    assert!(place.line.count(path::PREKEYS) - before <= 2, "it syncs without need");
}

/// The same, queued before the device was removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_row_for_a_removed_device_does_not_wait_for_ever() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    tablet.sync().await.unwrap();
    nurse.send(&draft(&[GP], "Un")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    gp.archive(number(&gp, Folder::Inbox, "Un")).unwrap();
    place.line.fail_next(path::DEPOSITS, Fault::RequestLost);
    let lost = gp.sync().await;
    assert!(lost.is_err() && place.line.has_failed());
    remove_other(&gp);
    gp.hurry().unwrap();
    gp.sync().await.unwrap();
    let tried = place.line.count(path::DEPOSITS);
    gp.hurry().unwrap();
    assert_eq!(gp.sync().await.unwrap().waiting, 0);
    assert_eq!(place.line.count(path::DEPOSITS), tried);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_for_a_removed_device_is_not_written_to_its_end() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    gp.send(&draft(&[NURSE], "Avant")).unwrap();
    let tablet = place.phone_in("tablet");
    let code = tablet
        .show_link_code(&address(GP), &"tablet".parse().unwrap())
        .await
        .unwrap();
    gp.confirm_link(&code).await.unwrap();
    place.line.fail_next(path::ARCHIVES, Fault::RequestLost);
    let lost = gp.sync().await;
    assert!(lost.is_err() && place.line.has_failed());
    let written = place.line.count(path::ARCHIVES);
    remove_other(&gp);
    for _ in 0..2 {
        gp.hurry().unwrap();
        gp.sync().await.unwrap();
    }
    assert_eq!(place.line.count(path::ARCHIVES), written);
    assert_eq!(gp.sync().await.unwrap().waiting, 0);
}

fn remove_other(main: &Session) {
    let devices = main.devices().unwrap();
    let other = devices.iter().find(|device| !device.is_main).unwrap();
    main.remove_device(other.id).unwrap();
}

/// What the relay shows of an account.
pub(crate) async fn shown(place: &Place, address: &str) -> AccountKeys {
    let url = format!("{}{}/{address}", place.plain_url(), path::IDENTITIES);
    let answer = client().get(url).send().await.unwrap().bytes().await.unwrap();
    let keys: KeysAnswer = cbor::decode(&answer).unwrap();
    keys.accounts.into_iter().next().unwrap()
}
