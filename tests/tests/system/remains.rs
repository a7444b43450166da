//! What a whole exchange leaves on the disks: nothing readable anywhere, and with the key nothing of what was deleted or burnt.

use std::collections::BTreeSet;
use std::path::Path;

use pli_core::hprim::Patient;
use pli_core::keystore::{self, KeyPlace, STORE_FILE};
use pli_core::mime::Attachment;
use pli_core::store::{StoreError, StoreKey};
use pli_core::{Draft, Error, Folder, Session};
use pli_tests::disk::{decrypted, files, forms, forms_of_bytes, holds};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox};

use crate::devices::linked;

const SUBJECT: &str = "Ulcère veineux à évolution";
const BODY: &str = "Pansement refait, œdème";
const ANSWER: &str = "Réponse à votre évaluation";
const SURNAME: &str = "QUERVILLE";
const ATTACHED: &str = "Mesures prises à domicile";

fn texts() -> Vec<Vec<Vec<u8>>> {
    // What ISO-8859-1 lacks is looked for up to there.
    let body = BODY.split(',').next().unwrap();
    [SUBJECT, body, ANSWER, SURNAME, ATTACHED].map(forms).to_vec()
}

fn key_of(home: &Path) -> StoreKey {
    KeyPlace::File(home.join("store.key")).load().unwrap().unwrap()
}

/// Secrets that this query finds in the store of a phone.
fn secrets(home: &Path, query: &str) -> BTreeSet<Vec<u8>> {
    let store = keystore::open_or_create(home, &KeyPlace::File(home.join("store.key"))).unwrap();
    store
        .read::<_, StoreError>(|connection| {
            let mut select = connection.prepare(query)?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

/// A mail to two, read, handled and answered by one of them, until everybody knows.
async fn exchange(nurse: &Session, gp: &Session, cardiologist: &Session) {
    let attachment = Attachment {
        name: "mesures.bin".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        bytes: ATTACHED.repeat(2_000).into_bytes(),
    };
    let patient = Patient {
        surname: SURNAME.to_owned(),
        given: "Odette".to_owned(),
        birth_date: None,
    };
    nurse
        .send(&Draft {
            text: BODY.to_owned(),
            patient: Some(patient),
            attachments: vec![attachment],
            ..draft(&[GP, CARDIOLOGIST], SUBJECT)
        })
        .unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    cardiologist.sync().await.unwrap();
    let received = gp.list(Folder::Inbox, None, 10).unwrap()[0].number;
    gp.mark_read(received).unwrap();
    gp.mark_handled(received).unwrap();
    gp.send(&Draft {
        text: ANSWER.to_owned(),
        ..gp.answer(received).unwrap()
    })
    .unwrap();
    for phone in [gp, nurse, gp] {
        phone.sync().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_exchange_leaves_nothing_readable_and_nothing_of_what_was_deleted() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    let homes = [NURSE, GP, CARDIOLOGIST].map(|who| place.home(who));
    let prekeys = "SELECT secret FROM prekey WHERE leaf >= 0";
    let before = homes.each_ref().map(|home| secrets(home, prekeys));

    exchange(&nurse, &gp, &cardiologist).await;

    // Nothing readable while everything is still there, logs included.
    let mut private: Vec<Vec<u8>> = Vec::new();
    for home in &homes {
        private.extend(secrets(home, "SELECT secret FROM prekey"));
        private.extend(secrets(
            home,
            "SELECT identity_seed FROM account UNION SELECT device_seed FROM account",
        ));
        private.extend(secrets(
            home,
            "SELECT content_key FROM message WHERE content_key <> x''",
        ));
    }
    private.extend(before.iter().flatten().cloned());
    let needles: Vec<_> = texts()
        .into_iter()
        .chain(private.iter().map(|key| vec![key.clone()]))
        .collect();
    let look = || {
        let all = files(place.folder.path());
        assert!(
            all.iter().any(|(_, bytes)| holds(bytes, &forms(CARDIOLOGIST))),
            "the search finds what is there"
        );
        for (path, bytes) in &all {
            for needle in &needles {
                assert!(!holds(bytes, needle), "{} holds {needle:?}", path.display());
            }
        }
    };
    look();

    // With the key: what was deleted and what was burnt is in no page any more.
    for (phone, folder) in [
        (&nurse, Folder::Sent),
        (&nurse, Folder::Inbox),
        (&gp, Folder::Inbox),
        (&gp, Folder::Sent),
    ] {
        for mail in phone.list(folder, None, 10).unwrap() {
            phone.delete(mail.number).unwrap();
        }
    }
    for phone in [nurse, gp, cardiologist] {
        phone.close();
    }
    look();
    for (home, before) in homes.iter().zip(&before) {
        let left = secrets(home, prekeys);
        let burnt: Vec<_> = before.difference(&left).collect();
        assert!(home.ends_with(NURSE) || !burnt.is_empty(), "a mail burns a prekey");
        let path = home.join(STORE_FILE);
        assert!(std::fs::read(&path).unwrap().starts_with(b"SQLite format 3\0"));
        let pages = decrypted(&path, &key_of(home));
        assert!(
            left.iter().all(|secret| holds(&pages, std::slice::from_ref(secret))),
            "the pages are decrypted"
        );
        for secret in burnt {
            assert!(!holds(&pages, &forms_of_bytes(secret)), "a burnt prekey is left");
        }
        let is_kept = home.ends_with(CARDIOLOGIST);
        for text in texts() {
            assert!(is_kept || !holds(&pages, &text), "a deleted text is left: {text:?}");
        }
        if is_kept {
            assert!(holds(&pages, &forms(SURNAME)), "what was kept is there");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_leaves_neither_a_page_nor_the_key_that_opens_one() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    nurse
        .send(&Draft {
            text: BODY.to_owned(),
            ..draft(&[GP], SUBJECT)
        })
        .unwrap();
    nurse.sync().await.unwrap();
    tablet.sync().await.unwrap();
    assert_eq!(inbox(&tablet), [SUBJECT]);
    // Somebody has copied the disk, and lays hands on the device once it has erased itself.
    let home = place.home("tablet");
    tablet.lock();
    let copied = files(&home);
    let key = key_of(&home);
    assert!(
        holds(&decrypted(&home.join(STORE_FILE), &key), &forms(SUBJECT)),
        "the pages are decrypted"
    );
    tablet.unlock().unwrap();
    let device = gp.devices().unwrap()[1].id;
    gp.remove_device(device).unwrap();
    gp.sync().await.unwrap();
    assert!(matches!(tablet.sync().await, Err(Error::DeviceRemoved)));

    let left = files(&home);
    for (path, bytes) in left.iter().chain(&files(&place.home("relay"))) {
        assert!(
            !holds(bytes, &forms_of_bytes(key.as_bytes())),
            "{} holds the key",
            path.display()
        );
    }
    assert!(left.iter().all(|(_, bytes)| bytes.is_empty()), "something is left");
    assert!(KeyPlace::File(home.join("store.key")).load().unwrap().is_none());
    let (_, store) = copied.iter().find(|(path, _)| path.ends_with(STORE_FILE)).unwrap();
    for text in texts() {
        assert!(!holds(store, &text), "the copy is noise without the key");
    }
}
