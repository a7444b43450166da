//! Where keys are kept: files and their permissions, passphrases, the platform's key store.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pli_core::keystore::{KeyPlace, Passphrase, STORE_FILE, open_or_create};
use pli_core::store::StoreError;

use crate::store::{add_message, key};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_first_start_makes_key_and_store_for_their_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a/b");
    let place = KeyPlace::File(folder.join("store.key"));
    let store = open_or_create(&folder, &place).unwrap();
    store
        .write::<_, StoreError>(|tx| Ok(add_message(tx, 1, "Bilan", "Tout va bien", 5)))
        .unwrap();
    assert_eq!(mode(&folder), 0o700);
    for file in ["store.db", "store.db-wal", "store.key"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    drop(store);
    let store = open_or_create(&folder, &place).unwrap();
    let number: i64 = store
        .read::<_, StoreError>(|c| Ok(c.query_row("SELECT count(*) FROM message", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(number, 1);
}

#[test]
fn a_missing_key_is_an_error_and_the_store_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.key");
    let place = KeyPlace::File(path.clone());
    drop(open_or_create(folder.path(), &place).unwrap());
    let store = fs::read(folder.path().join(STORE_FILE)).unwrap();
    let key = fs::read(&path).unwrap();

    fs::remove_file(&path).unwrap();
    let refused = open_or_create(folder.path(), &place).map(|_| ()).unwrap_err();
    assert_eq!((refused, refused.code()), (StoreError::KeyMissing, "key-missing"));
    assert!(!path.exists(), "a new key was made");
    assert_eq!(fs::read(folder.path().join(STORE_FILE)).unwrap(), store);

    fs::write(&path, key).unwrap();
    set_mode(&path, 0o600);
    assert!(open_or_create(folder.path(), &place).is_ok());
}

#[test]
fn a_start_cut_short_after_the_key_uses_that_key() {
    let folder = tempfile::tempdir().unwrap();
    let place = KeyPlace::File(folder.path().join("store.key"));
    place.save(&key()).unwrap();
    drop(open_or_create(folder.path(), &place).unwrap());
    assert_eq!(place.load().unwrap().unwrap().as_bytes(), key().as_bytes());
}

#[test]
fn starts_at_the_same_time_agree_on_one_key() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for id in 1..=4 {
            let folder = folder.path();
            scope.spawn(move || {
                let place = KeyPlace::File(folder.join("store.key"));
                let store = open_or_create(folder, &place).unwrap();
                store
                    .write::<_, StoreError>(|tx| Ok(add_message(tx, id, "Bilan", "Tout va bien", 5)))
                    .unwrap();
            });
        }
    });
    let store = open_or_create(folder.path(), &KeyPlace::File(folder.path().join("store.key"))).unwrap();
    let number: i64 = store
        .read::<_, StoreError>(|c| Ok(c.query_row("SELECT count(*) FROM message", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(number, 4);
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.key");
    let place = KeyPlace::File(path.clone());
    place.save(&key()).unwrap();
    for wide in [0o640, 0o604, 0o620, 0o602, 0o601, 0o610] {
        set_mode(&path, wide);
        assert_eq!(place.load().unwrap_err(), StoreError::KeyOpenToOthers, "{wide:o}");
    }
    set_mode(&path, 0o400);
    assert!(place.load().unwrap().is_some());
}

#[test]
fn a_damaged_key_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.key");
    let place = KeyPlace::File(path.clone());
    place.save(&key()).unwrap();
    let good = fs::read(&path).unwrap();
    for wrong in [
        &b""[..],
        &good[..95],
        &[b'z'; 96],
        &[0xff; 96],
        &good.repeat(2),
        &vec![b'0'; 1 << 20],
    ] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(
            place.load().unwrap_err(),
            StoreError::KeyDamaged,
            "{} bytes",
            wrong.len()
        );
    }
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = Passphrase::new("quatre mots au hasard".to_owned());
    for place in [
        KeyPlace::File(folder.path().join("store.key")),
        KeyPlace::Passphrase {
            path: folder.path().join("store.sealed"),
            passphrase,
        },
    ] {
        place.save(&key()).unwrap();
        assert_eq!(place.save(&key()).unwrap_err(), StoreError::Exists);
    }
}

#[test]
fn a_passphrase_opens_what_it_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sealed");
    let place = |text: &str| KeyPlace::Passphrase {
        path: path.clone(),
        passphrase: Passphrase::new(text.to_owned()),
    };
    assert!(place("quatre mots au hasard").load().unwrap().is_none());
    place("quatre mots au hasard").save(&key()).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(
        place("quatre mots au hasard").load().unwrap().unwrap().as_bytes(),
        key().as_bytes()
    );
    assert_eq!(
        place("quatre mots au hasar").load().unwrap_err(),
        StoreError::PassphraseRefused
    );

    let good = fs::read(&path).unwrap();
    for part in [&key().as_bytes()[..16], &key().as_bytes()[32..], &b"quatre"[..]] {
        assert!(!good.windows(part.len()).any(|window| window == part));
    }
    for position in [16, 40, 60, good.len() - 1] {
        let mut wrong = good.clone();
        wrong[position] ^= 1;
        fs::write(&path, wrong).unwrap();
        assert_eq!(
            place("quatre mots au hasard").load().unwrap_err(),
            StoreError::PassphraseRefused,
            "byte {position}"
        );
    }
    // A version of tomorrow, and costs meant to exhaust: refused before they are paid.
    for (position, value) in [(3, 2), (4, 0x7f), (8, 0x7f), (12, 0x7f)] {
        let mut wrong = good.clone();
        wrong[position] = value;
        fs::write(&path, wrong).unwrap();
        assert_eq!(
            place("quatre mots au hasard").load().unwrap_err(),
            StoreError::KeyDamaged,
            "byte {position}"
        );
    }
    for wrong in [&good[..good.len() - 1], &[good.as_slice(), b"x"].concat(), b""] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(
            place("quatre mots au hasard").load().unwrap_err(),
            StoreError::KeyDamaged,
            "{} bytes",
            wrong.len()
        );
    }
}

#[test]
fn the_platform_keeps_a_key() {
    let place = KeyPlace::Platform {
        service: "pli".to_owned(),
        user: "essai".to_owned(),
    };
    if cfg!(target_os = "linux") {
        assert_eq!(
            place.load().unwrap_err(),
            StoreError::KeyPlace,
            "there is none by itself"
        );
    }
    keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap());
    assert!(place.load().unwrap().is_none());
    place.save(&key()).unwrap();
    assert_eq!(place.load().unwrap().unwrap().as_bytes(), key().as_bytes());
    assert_eq!(place.save(&key()).unwrap_err(), StoreError::Exists);
    keyring_core::unset_default_store();
}

#[test]
fn a_place_never_shows_its_passphrase() {
    let place = KeyPlace::Passphrase {
        path: "store.sealed".into(),
        passphrase: Passphrase::new("quatre mots au hasard".to_owned()),
    };
    assert!(!format!("{place:?}").contains("quatre"));
}
