//! A relay that keeps a mail from one device of an account: the account's others tell it, and it asks for what it lacks.

use pli_core::store::StoreError;
use pli_core::{Error, Folder, Session};
use pli_tests::place::{GP, NURSE, Place, address, draft, inbox};

use crate::devices::{linked, listing, number};
use crate::rollback::{copy_phone, put_phone_back, settle};

struct Practice {
    place: Place,
    nurse: Session,
    phone: Session,
    tablet: Session,
}

impl Practice {
    async fn open() -> Self {
        let place = Place::open().await;
        let (nurse, phone) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let tablet = linked(&place, &phone, "tablet").await;
        settle(&[&nurse, &phone, &tablet, &phone]).await;
        Self {
            place,
            nurse,
            phone,
            tablet,
        }
    }

    /// Sends while the relay hands out no prekey of the tablet, and takes mail that has no wrap for it.
    async fn send_past_the_tablet(&self, from: &Session, to: &str, subject: &str) {
        let date = self.set_date_of_batch(1);
        from.send(&draft(&[to], subject)).unwrap();
        from.sync().await.unwrap();
        self.set_date_of_batch(date);
    }

    /// Sets until when the tablet's batch is handed out; until when it was.
    fn set_date_of_batch(&self, not_after: i64) -> i64 {
        let database = self.place.relay_database();
        let newest =
            "(SELECT max(device.id) FROM device JOIN account ON account.id = device.account WHERE address = ?1)";
        let sql = format!("SELECT not_after FROM prekey_batch WHERE device = {newest}");
        let before = database.query_row(&sql, [GP], |row| row.get(0)).unwrap();
        let sql = format!("UPDATE prekey_batch SET not_after = ?2 WHERE device = {newest}");
        assert_eq!(database.execute(&sql, rusqlite::params![GP, not_after]).unwrap(), 1);
        before
    }

    /// Lets a day pass since all that came here, or left from here.
    fn let_a_day_pass(&self) {
        let store = self.place.store(GP);
        let aged = store.write(|tx| {
            tx.execute("UPDATE state SET at = at - 86400001 WHERE due = 2", [])
                .map_err(StoreError::from)
        });
        assert_eq!(aged.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_a_device_was_left_out_of_comes_once_another_has_read_it() {
    let practice = Practice::open().await;
    let Practice {
        nurse, phone, tablet, ..
    } = &practice;
    practice.send_past_the_tablet(nurse, GP, "Plaie").await;
    settle(&[phone, tablet]).await;
    assert_eq!((inbox(phone), inbox(tablet)), (vec!["Plaie".to_owned()], vec![]));
    phone.mark_read(number(phone, Folder::Inbox, "Plaie")).unwrap();
    settle(&[phone, tablet, nurse, tablet]).await;
    assert_eq!(inbox(tablet), ["Plaie"]);
    assert_eq!(listing(tablet), listing(phone));
    assert!(tablet.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_a_device_was_left_out_of_comes_within_a_day_also_when_nobody_reads_it() {
    let practice = Practice::open().await;
    let Practice {
        nurse, phone, tablet, ..
    } = &practice;
    practice.send_past_the_tablet(nurse, GP, "Plaie").await;
    phone.sync().await.unwrap();
    assert_eq!(phone.sync().await.unwrap().sent, 0, "it waits for company");
    practice.let_a_day_pass();
    settle(&[phone, tablet, nurse, tablet]).await;
    assert_eq!(inbox(tablet), ["Plaie"]);
    assert_eq!(listing(tablet), listing(phone));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_comes_to_a_device_that_was_left_out_of_it() {
    let practice = Practice::open().await;
    let Practice {
        nurse, phone, tablet, ..
    } = &practice;
    practice.send_past_the_tablet(phone, NURSE, "Avis").await;
    settle(&[nurse, tablet]).await;
    assert!(tablet.list(Folder::Sent, None, 1).unwrap().is_empty());
    practice.let_a_day_pass();
    settle(&[phone, tablet, phone, tablet, tablet]).await;
    assert_eq!(listing(tablet), listing(phone));
    assert!(tablet.unopened().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_back_and_is_deleted_is_asked_for_by_nobody() {
    let practice = Practice::open().await;
    let Practice {
        nurse, phone, tablet, ..
    } = &practice;
    practice.send_past_the_tablet(nurse, GP, "Plaie").await;
    phone.sync().await.unwrap();
    phone.delete(number(phone, Folder::Inbox, "Plaie")).unwrap();
    settle(&[phone, tablet]).await;
    assert!(tablet.unopened().unwrap().is_empty());
    assert_eq!(nurse.sync().await.unwrap().sent, 0, "nobody asked");
    assert!(inbox(tablet).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_goes_on_alone_has_nobody_to_tell_what_came() {
    let place = Place::open().await;
    let (nurse, phone) = (place.enrol(NURSE).await, place.phone(GP));
    let phrase = phone.enrol(&address(GP), &place.code(GP)).await.unwrap();
    phone.phrase_shown().unwrap();
    let tablet = linked(&place, &phone, "tablet").await;
    nurse.send(&draft(&[GP], "Plaie")).unwrap();
    settle(&[&nurse, &phone, &tablet]).await;
    let phone = copy_phone(&place, GP, phone);
    nurse.send(&draft(&[GP], "Suture")).unwrap();
    settle(&[&nurse, &phone]).await;
    let phone = put_phone_back(&place, GP, phone);
    assert!(matches!(phone.sync().await, Err(Error::DevicePutBack)));
    phone.recover(&address(GP), &phrase).await.unwrap();
    let store = place.store(GP);
    let due = store.read(|connection| {
        let sql = "SELECT count(*) FROM state WHERE due > 0";
        connection
            .query_row(sql, [], |row| row.get::<_, u32>(0))
            .map_err(StoreError::from)
    });
    assert_eq!(due.unwrap(), 0);
}

/// Two devices to which all came have nothing to ask for, and tell each other with what is told anyway.
#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_kept_back_nobody_is_asked() {
    let practice = Practice::open().await;
    let Practice {
        nurse, phone, tablet, ..
    } = &practice;
    for subject in ["Un", "Deux"] {
        nurse.send(&draft(&[GP], subject)).unwrap();
    }
    settle(&[nurse, phone, tablet]).await;
    tablet.delete(number(tablet, Folder::Inbox, "Un")).unwrap();
    phone.mark_read(number(phone, Folder::Inbox, "Deux")).unwrap();
    assert_eq!(phone.sync().await.unwrap().sent, 2, "a receipt, and all states in one");
    assert_eq!(tablet.sync().await.unwrap().sent, 1);
    phone.sync().await.unwrap();
    assert_eq!(nurse.sync().await.unwrap().sent, 0, "nobody asked");
    assert_eq!(listing(tablet), listing(phone));
}
