//! Somebody who was away: what senders are told meanwhile, and that the phone is reachable again after one sync.

use pli_core::Folder;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox, state};

/// Lets the GP's batch of prekeys end, as it does after thirty days.
fn end_batch(place: &Place) {
    sqlcipher::link();
    let database = rusqlite::Connection::open(place.folder.path().join("relay/relay.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    let sql = "UPDATE prekey_batch SET not_after = 1 WHERE device = (SELECT device.id FROM device
         JOIN account ON account.id = device.account WHERE address = ?1)";
    assert_eq!(database.execute(sql, [GP]).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_weeks_away_is_told_to_senders_and_ends_with_one_sync() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    nurse.send(&draft(&[GP], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    end_batch(&place);
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
    end_batch(&place);
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
