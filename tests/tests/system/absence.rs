//! Somebody who was away: what senders are told meanwhile, and that the phone is reachable again after one sync.

use pli_core::{Error, Folder};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox, state};
use protocol::{Code, Timestamp, limits};

use super::devices::{linked, listing, number};
use super::rollback::settle;

/// Lets the batch of prekeys end of the GP's first device, the `min`, or the newest, as it does after thirty days.
fn end_batch(place: &Place, which: &str) {
    end_batch_of(place, GP, which);
}

fn end_batch_of(place: &Place, whose: &str, which: &str) {
    let database = place.relay_database();
    let sql = format!(
        "UPDATE prekey_batch SET not_after = 1 WHERE device = (SELECT {which}(device.id) FROM device
         JOIN account ON account.id = device.account WHERE address = ?1)"
    );
    assert_eq!(database.execute(&sql, [whose]).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_weeks_away_is_told_to_senders_and_ends_with_one_sync() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    end_batch(&place, "min");
    let both = nurse.send(&draft(&[GP, CARDIOLOGIST], "À deux")).unwrap();
    let alone = nurse.send(&draft(&[GP], "Seul")).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, both, CARDIOLOGIST), "available");
    assert_eq!(state(&nurse, both, GP), "unreachable");
    assert_eq!(state(&nurse, alone, GP), "unreachable");
    assert!(!nurse.entry(&GP.parse().unwrap()).await.unwrap().reachable);

    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Avant"], "what was sealed in time waited");
    assert!(nurse.entry(&GP.parse().unwrap()).await.unwrap().reachable);
    let after = nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    assert_eq!(state(&nurse, after, GP), "available");
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Avant", "Après"]);
    cardiologist.sync().await.unwrap();
    assert_eq!(inbox(&cardiologist), ["À deux"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_for_somebody_away_wait_until_they_are_back() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = gp.send(&draft(&[NURSE], "Lu ?")).unwrap();
    gp.sync().await.unwrap();
    nurse.sync().await.unwrap();
    end_batch(&place, "min");
    let received = nurse.list(Folder::Inbox, None, 10).unwrap()[0].number;
    nurse.mark_read(received).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(state(&gp, sent, NURSE), "retrieved");
    nurse.hurry().unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(state(&gp, sent, NURSE), "read");
}

/// A tablet in a drawer: it is shut out after 120 days, keeps what it has, and gets the rest from the phone once it is let in.
#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_that_is_silent_for_months_is_suspended_and_catches_up_from_the_phone() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    for subject in ["Avant", "Entre-temps"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
        nurse.sync().await.unwrap();
        gp.sync().await.unwrap();
        if subject == "Avant" {
            tablet.sync().await.unwrap();
            tablet.sync().await.unwrap();
        }
    }
    assert_eq!(inbox(&tablet), ["Avant"]);
    for (days, count) in [(limits::SILENT_DAYS - 1, 0), (limits::SILENT_DAYS, 1)] {
        let later = Timestamp::now().plus_days(days);
        place.relay().sweep(later).await.unwrap();
        assert_eq!(gp.suspensions().await.unwrap().len(), count, "{days} days");
    }
    let refused = tablet.sync().await;
    assert!(
        matches!(refused, Err(Error::Relay(Code::DeviceSuspended))),
        "{refused:?}"
    );
    assert!(place.home("tablet").join("store.db").exists());
    nurse.send(&draft(&[GP], "Après")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    gp.lift_suspension(gp.devices().unwrap()[1].id).unwrap();
    gp.sync().await.unwrap();
    for _ in 0..2 {
        tablet.sync().await.unwrap();
    }
    let mut shown = inbox(&tablet);
    shown.sort();
    assert_eq!(shown, ["Après", "Avant", "Entre-temps"]);
}

/// Nothing was sealed to it once its batch had ended: the other one has that, and gives it over.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_five_weeks_away_has_what_came_meanwhile() {
    for is_main in [false, true] {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let tablet = linked(&place, &gp, "tablet").await;
        for _ in 0..2 {
            tablet.sync().await.unwrap();
            gp.sync().await.unwrap();
        }
        let (away, here) = if is_main { (&gp, &tablet) } else { (&tablet, &gp) };
        end_batch(&place, if is_main { "min" } else { "max" });
        nurse.send(&draft(&[GP], "Pendant")).unwrap();
        nurse.sync().await.unwrap();
        here.sync().await.unwrap();
        here.mark_handled(here.list(Folder::Inbox, None, 1).unwrap()[0].number)
            .unwrap();
        for _ in 0..3 {
            away.sync().await.unwrap();
            here.sync().await.unwrap();
        }
        away.sync().await.unwrap();
        assert_eq!(inbox(away), ["Pendant"], "the main one: {is_main}");
        assert_eq!(listing(away), listing(here));
        nurse.send(&draft(&[GP], "Après")).unwrap();
        nurse.sync().await.unwrap();
        for device in [away, here] {
            device.sync().await.unwrap();
            assert_eq!(inbox(device), ["Pendant", "Après"]);
            assert_eq!(device.sync().await.unwrap().sent, 0, "it asks no more");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_reached_is_shown_on_all_devices_of_the_sender() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    let tablet = linked(&place, &gp, "tablet").await;
    settle(&[&nurse, &gp, &tablet, &cardiologist]).await;
    end_batch_of(&place, CARDIOLOGIST, "min");
    let sent = gp.send(&draft(&[NURSE, CARDIOLOGIST], "À deux")).unwrap();
    gp.sync().await.unwrap();
    tablet.sync().await.unwrap();
    let there = number(&tablet, Folder::Sent, "À deux");
    assert_eq!(state(&gp, sent, CARDIOLOGIST), "unreachable");
    assert_eq!(state(&tablet, there, CARDIOLOGIST), "unreachable");
    assert_eq!(state(&tablet, there, NURSE), "available");
    settle(&[&nurse, &gp, &tablet]).await;
    assert_eq!(listing(&tablet), listing(&gp));
}
