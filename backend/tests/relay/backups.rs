//! Backups: taken while mail comes and goes, looked over, and put back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use backend::{RelayError, Tls, Tuning, backup};
use protocol::MessageId;
use protocol::api::{self, path};
use protocol::envelope::Header;
use protocol::sequence::{Cursor, Entry, EntryBody};
use reqwest::Method;
use tempfile::TempDir;

use super::support::{LEA, PAUL, Phone, TestRelay, after};

/// Message ids, by whatever task.
#[derive(Clone, Default)]
struct Ids(Arc<Mutex<BTreeSet<MessageId>>>);

impl Ids {
    fn extend(&self, ids: impl IntoIterator<Item = MessageId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
    }

    fn so_far(&self) -> BTreeSet<MessageId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The mails among the entries whose payload is there.
fn mails(entries: &[Entry]) -> Vec<MessageId> {
    let of = |entry: &Entry| match entry.open().unwrap() {
        Some(EntryBody::Mail(mail)) => {
            assert!(entry.payload.is_some(), "a mail without its payload");
            Some(Header::parse(&mail.header).unwrap().id)
        }
        _ => None,
    };
    entries.iter().filter_map(of).collect()
}

/// A relay of its own on the backup.
async fn restored(backup: &Path) -> TestRelay {
    let data = tempfile::tempdir().unwrap();
    backup::restore(backup, data.path()).unwrap();
    TestRelay::start_in(data, Tls::None, Tuning::default()).await
}

/// All that waits for the phone at this relay.
async fn waiting(relay: &TestRelay, phone: &mut Phone) -> Vec<Entry> {
    phone.token = relay.token(phone).await;
    let query = format!("{}?number=0&hash={}", path::ACKNOWLEDGEMENTS, Cursor::START.hash);
    let asked = relay.request(Method::GET, &query).bearer_auth(&phone.token);
    let standing: api::Standing = asked.send().await.unwrap().json().await.unwrap();
    let (mut cursor, mut all) = (standing.acknowledged, Vec::new());
    loop {
        let page = relay.page(phone, cursor).await;
        if page.is_empty() {
            return all;
        }
        cursor = after(cursor, &page);
        all.extend(page);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_one_taken_while_mail_comes_and_goes_holds_all_that_was_accepted_and_not_retrieved() {
    let relay = Arc::new(TestRelay::start().await);
    let (lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let (accepted, retrieved, is_over) = (Ids::default(), Ids::default(), Arc::new(AtomicBool::new(false)));
    let sending = tokio::spawn({
        let (relay, accepted, is_over) = (Arc::clone(&relay), accepted.clone(), Arc::clone(&is_over));
        async move {
            // Every other one is a file.
            for size in [20_000, 300].into_iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                accepted.extend([relay.send(&lea, &[PAUL], &vec![b'x'; size]).await]);
            }
        }
    });
    let retrieving = tokio::spawn({
        let (relay, retrieved, is_over) = (Arc::clone(&relay), retrieved.clone(), Arc::clone(&is_over));
        let token = paul.token.clone();
        let mut phone = Phone::make(PAUL, 0);
        phone.token = token;
        async move {
            let mut cursor = Cursor::START;
            while !is_over.load(Ordering::Relaxed) {
                let page = relay.page(&phone, cursor).await;
                if page.len() > 4 {
                    // Some stay for the next round: a backup is to have something to hold.
                    let page = &page[..page.len() - 3];
                    retrieved.extend(mails(page));
                    cursor = after(cursor, page);
                    assert!(relay.acknowledge(&phone, cursor).await.status().is_success());
                }
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut backups = Vec::new();
    for number in 0..8 {
        // Something has come since the one before.
        let before = accepted.so_far();
        while accepted.so_far().len() < before.len() + 6 {
            tokio::task::yield_now().await;
        }
        let (data, to) = (relay.data.path().to_owned(), folder.path().join(number.to_string()));
        let earlier = accepted.so_far();
        let made = tokio::task::spawn_blocking({
            let to = to.clone();
            move || backup::make(&data, &to).unwrap()
        });
        let made = made.await.unwrap();
        let meanwhile = retrieved.so_far();
        let expected: BTreeSet<_> = earlier.difference(&meanwhile).copied().collect();
        backups.push((to, made, expected));
    }
    is_over.store(true, Ordering::Relaxed);
    sending.await.unwrap();
    retrieving.await.unwrap();

    let mut held = 0;
    for (backup, made, expected) in backups {
        assert_eq!(made.lost, 0, "a row of the copy names a blob that is not there");
        assert_eq!(backup::check(&backup).unwrap(), made);
        let relay = restored(&backup).await;
        let there: BTreeSet<_> = mails(&waiting(&relay, &mut paul).await).into_iter().collect();
        assert!(expected.is_subset(&there), "{} of {}", there.len(), expected.len());
        held += expected.len();
    }
    assert!(held > 0, "nothing waited at any backup: it shows nothing");
}

/// A stopped relay's backup with one mail in a file.
async fn backed_up() -> (TempDir, TempDir) {
    let relay = TestRelay::start().await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], &vec![b'x'; 20_000]).await;
    let folder = tempfile::tempdir().unwrap();
    let made = backup::make(relay.data.path(), &folder.path().join("backup")).unwrap();
    assert_eq!((made.accounts, made.blobs, made.lost), (2, 1, 0));
    let TestRelay { running, data, .. } = relay;
    running.stop().await.unwrap();
    (folder, data)
}

#[tokio::test]
async fn one_that_is_not_as_it_was_made_is_neither_good_nor_put_back() {
    let (folder, _data) = backed_up().await;
    let backup = folder.path().join("backup");
    let read = |name: &str| std::fs::read(backup.join(name)).unwrap();
    let sums = String::from_utf8(read("SHA256SUMS")).unwrap();
    let blob = sums
        .lines()
        .find(|line| line.contains("blobs/") && !line.ends_with("folder.id"));
    let blob = blob.unwrap().split_once("  ").unwrap().1;
    for name in ["relay.db", blob, "blobs/folder.id", "SHA256SUMS"] {
        let good = read(name);
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        for (what, content) in [("changed", Some(bad)), ("gone", None)] {
            std::fs::remove_file(backup.join(name)).unwrap();
            if let Some(content) = content {
                std::fs::write(backup.join(name), content).unwrap();
            }
            let checked = backup::check(&backup);
            assert!(
                matches!(checked, Err(RelayError::BackupDamaged(_))),
                "{name} {what}: {checked:?}"
            );
            let data = folder.path().join("data");
            let refused = backup::restore(&backup, &data);
            assert!(
                matches!(refused, Err(RelayError::BackupDamaged(_))),
                "{name} {what}: {refused:?}"
            );
            assert!(!data.exists(), "{name} {what}");
            std::fs::write(backup.join(name), &good).unwrap();
        }
    }
    // Cut at the end of a line, it names fewer files.
    for needed in ["relay.db", "blobs/folder.id"] {
        let fewer = sums.lines().filter(|line| !line.ends_with(needed));
        let fewer: Vec<_> = fewer.collect();
        std::fs::write(backup.join("SHA256SUMS"), fewer.join("\n")).unwrap();
        let checked = backup::check(&backup);
        assert!(
            matches!(checked, Err(RelayError::BackupDamaged(_))),
            "{needed}: {checked:?}"
        );
    }
    // What it says does not lead out of it.
    let outside = sums.replace(blob, "../outside");
    std::fs::rename(backup.join(blob), folder.path().join("outside")).unwrap();
    std::fs::write(backup.join("SHA256SUMS"), outside).unwrap();
    let checked = backup::check(&backup);
    assert!(matches!(checked, Err(RelayError::BackupDamaged(_))), "{checked:?}");
}

#[tokio::test]
async fn nothing_that_is_there_is_written_over() {
    let (folder, data) = backed_up().await;
    let backup = folder.path().join("backup");
    let again = backup::make(data.path(), &backup);
    assert!(matches!(again, Err(RelayError::InTheWay(_))), "{again:?}");
    let over = backup::restore(&backup, data.path());
    assert!(matches!(over, Err(RelayError::InTheWay(_))), "{over:?}");
    let empty = tempfile::tempdir().unwrap();
    let nothing = backup::make(empty.path(), &folder.path().join("nothing"));
    assert!(matches!(nothing, Err(RelayError::NoRelay)), "{nothing:?}");
    assert!(!folder.path().join("nothing").exists() && empty.path().read_dir().unwrap().count() == 0);
}

#[tokio::test]
async fn what_the_relay_had_lost_before_is_counted_and_stops_no_backup() {
    let (folder, data) = backed_up().await;
    for file in data.path().join("blobs").read_dir().unwrap() {
        let path = file.unwrap().path();
        if !path.ends_with("folder.id") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let backup = folder.path().join("second");
    let made = backup::make(data.path(), &backup).unwrap();
    assert_eq!((made.blobs, made.lost), (0, 1));
    assert_eq!(backup::check(&backup).unwrap(), made);
    let everybody = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o077
    };
    for name in ["", "relay.db", "SHA256SUMS", "blobs", "blobs/folder.id"] {
        assert_eq!(everybody(&backup.join(name)), 0, "{name}");
    }
}
