//! Another main device: it shows a code, the present one reads it, and the identity's key is where it is to be, and nowhere else.

use pli_core::keystore::{KeyPlace, STORE_FILE};
use pli_core::store::StoreError;
use pli_core::{Error, Session};
use pli_tests::disk::{decrypted, files, holds};
use pli_tests::place::{GP, NURSE, Place, address, draft, inbox};

use crate::devices::linked;
use crate::rollback::settle;

/// The identity's key in a device's store; nothing where there is none.
fn identity_seed(place: &Place, name: &str) -> Vec<u8> {
    let store = place.store(name);
    store
        .read::<_, StoreError>(|connection| {
            Ok(connection.query_row("SELECT identity_seed FROM account", [], |row| row.get(0))?)
        })
        .unwrap()
}

/// Every page of a device's store, decrypted.
fn pages(place: &Place, name: &str) -> Vec<u8> {
    let home = place.home(name);
    let key = KeyPlace::File(home.join("store.key")).load().unwrap().unwrap();
    decrypted(&home.join(STORE_FILE), &key)
}

/// Whether the first device on this one's list is itself.
fn is_main(device: &Session) -> bool {
    device.devices().unwrap()[0].is_this
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_goes_over_and_the_key_is_erased_where_it_was() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    let seed = identity_seed(&place, GP);
    assert!(matches!(gp.show_main_code().await, Err(Error::AlreadyMain)));
    let code = tablet.show_main_code().await.unwrap();
    assert_eq!(
        tablet.show_main_code().await.unwrap(),
        code,
        "asked again, it is the same"
    );
    assert!(!tablet.finish_handover().await.unwrap(), "nobody has confirmed");
    let asked = gp.handover_request(&code).await.unwrap();
    assert_eq!(asked.id, gp.devices().unwrap()[1].id);
    assert_eq!(asked.name.unwrap().as_str(), "tablet");
    gp.hand_over(&code).await.unwrap();
    assert_eq!(gp.handing_over_to().unwrap(), Some(asked.id));
    // Nothing of it is readable at the relay or on the line's way; it has been there by now.
    gp.sync().await.unwrap();
    assert_eq!(
        identity_seed(&place, GP),
        seed,
        "the other one's list is not published yet"
    );
    assert!(tablet.finish_handover().await.unwrap());
    assert!(is_main(&tablet));
    assert_eq!(identity_seed(&place, "tablet"), seed);
    gp.sync().await.unwrap();
    assert!(!is_main(&gp));
    assert_eq!(identity_seed(&place, GP), b"");
    assert_eq!(gp.handing_over_to().unwrap(), None);
    for (path, bytes) in files(place.folder.path()) {
        assert!(!holds(&bytes, std::slice::from_ref(&seed)), "{}", path.display());
    }

    // The new one alone adds and removes; correspondents write to both as before.
    let [new, old] = [0, 1].map(|at| gp.devices().unwrap()[at].id);
    assert!(matches!(gp.remove_device(new), Err(Error::NotMain)));
    let third = linked(&place, &tablet, "third").await;
    nurse.send(&draft(&[GP], "À tous")).unwrap();
    nurse.sync().await.unwrap();
    for device in [&gp, &tablet, &third] {
        device.sync().await.unwrap();
        assert_eq!(inbox(device), ["À tous"]);
    }
    gp.close();
    tablet.close();
    let left = pages(&place, GP);
    assert!(!holds(&left, std::slice::from_ref(&seed)), "the key is left in a page");
    assert!(
        holds(&pages(&place, "tablet"), std::slice::from_ref(&seed)),
        "the pages are decrypted"
    );
    let (gp, tablet) = (place.phone(GP), place.phone_in("tablet"));
    tablet.remove_device(old).unwrap();
    tablet.sync().await.unwrap();
    assert!(matches!(gp.sync().await, Err(Error::DeviceRemoved)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_changes_meanwhile_and_removal_calls_it_off() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let (tablet, third) = (linked(&place, &gp, "tablet").await, linked(&place, &gp, "third").await);
    let [_, to, other] = [0, 1, 2].map(|at| gp.devices().unwrap()[at].id);
    gp.hand_over(&tablet.show_main_code().await.unwrap()).await.unwrap();
    assert!(matches!(gp.remove_device(other), Err(Error::DevicesChanging)));
    let new = place.phone_in("new");
    let code = new.show_link_code(&address(GP), &"new".parse().unwrap()).await.unwrap();
    assert!(matches!(gp.confirm_link(&code).await, Err(Error::DevicesChanging)));
    let code = third.show_main_code().await.unwrap();
    assert!(matches!(gp.hand_over(&code).await, Err(Error::DevicesChanging)));
    // The tablet is gone for good: the role stays, and it, which has the key by now, learns that it was removed.
    gp.remove_device(to).unwrap();
    gp.sync().await.unwrap();
    assert!(matches!(tablet.finish_handover().await, Err(Error::DeviceRemoved)));
    assert!(!place.home("tablet").join(STORE_FILE).exists());
    assert!(is_main(&gp));
    gp.hand_over(&code).await.unwrap();
    assert!(third.finish_handover().await.unwrap());
    gp.sync().await.unwrap();
    assert!(is_main(&third) && !is_main(&gp));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_comes_too_late_changes_nothing() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let tablet = linked(&place, &gp, "tablet").await;
    gp.hand_over(&tablet.show_main_code().await.unwrap()).await.unwrap();
    assert!(tablet.finish_handover().await.unwrap());
    gp.remove_device(gp.devices().unwrap()[1].id).unwrap();
    for _ in 0..2 {
        gp.sync().await.unwrap();
        tablet.sync().await.unwrap();
    }
    assert!(is_main(&tablet) && !is_main(&gp));
    assert_eq!(identity_seed(&place, GP), b"");
    assert_eq!(tablet.devices().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_of_no_use_to_a_device_of_another_account() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    let foreign = place.phone_in("foreign");
    let called = "foreign".parse().unwrap();
    let code = foreign.show_link_code(&address(NURSE), &called).await.unwrap();
    nurse.confirm_link(&code).await.unwrap();
    nurse.sync().await.unwrap();
    assert!(foreign.finish_link().await.unwrap());
    let code = foreign.show_main_code().await.unwrap();
    assert!(matches!(gp.hand_over(&code).await, Err(Error::Link(_))));
    let own = tablet.show_main_code().await.unwrap();
    assert!(matches!(tablet.hand_over(&own).await, Err(Error::NotMain)));
    // A code that adds a device hands nothing over, nor the other way round.
    assert!(gp.link_request(&own).await.is_err());
    let new = place.phone_in("new");
    let linking = new.show_link_code(&address(GP), &"new".parse().unwrap()).await.unwrap();
    assert!(gp.hand_over(&linking).await.is_err());
    assert_eq!(gp.handing_over_to().unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backup_goes_on_on_the_new_main_device() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = gp.enrol(&address(GP), &place.code(GP)).await.unwrap();
    gp.phrase_shown().unwrap();
    gp.start_backup(&phrase).unwrap();
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    settle(&[&nurse, &gp]).await;
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&gp, &tablet]).await;
    let code = tablet.show_main_code().await.unwrap();
    gp.hand_over(&code).await.unwrap();
    assert!(tablet.finish_handover().await.unwrap());
    settle(&[&gp, &tablet]).await;
    let old = tablet.devices().unwrap()[1].id;
    tablet.remove_device(old).unwrap();
    tablet.sync().await.unwrap();
    assert!(matches!(gp.sync().await, Err(Error::DeviceRemoved)));
    nurse.send(&draft(&[GP], "Après")).unwrap();
    settle(&[&nurse, &tablet]).await;
    drop(tablet);
    let gp = place.phone_in("new");
    gp.recover(&address(GP), &phrase).await.unwrap();
    settle(&[&nurse, &gp]).await;
    assert_eq!(inbox(&gp), ["Avant", "Après"]);
}
