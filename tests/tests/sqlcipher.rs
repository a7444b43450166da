//! The store's file format against stock `SQLCipher` 4 and its OpenSSL: each reads what the other wrote.
//! `PLI_SQLCIPHER_PYTHON` names a Python that has the package `sqlcipher3`; without it these tests fail.
#![allow(
    clippy::doc_markdown,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pli_core::keystore::{KeyPlace, STORE_FILE, open_or_create};
use pli_core::store::{Store, StoreError, StoreKey, search};
use rusqlite::params;
use serde_json::Value;

fn stock(arguments: &[&OsStr]) -> Value {
    let python = std::env::var_os("PLI_SQLCIPHER_PYTHON")
        .unwrap_or_else(|| panic!("PLI_SQLCIPHER_PYTHON is not set: run `cargo xtask test --only sqlcipher`"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sqlcipher_stock.py");
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn read_by_stock(store: &Path, key: &Path) -> Value {
    stock(&["read".as_ref(), store.as_ref(), key.as_ref()])
}

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/store/schema/0001.sql")
}

#[test]
fn stock_sqlcipher_reads_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join(STORE_FILE), folder.path().join("store.key"));
    let store = open_or_create(folder.path(), &KeyPlace::File(key.clone())).unwrap();
    let body = "Bilan de contrôle. ".repeat(3000);
    for id in 1..=40_u8 {
        store
            .write::<_, StoreError>(|tx| {
                Ok(tx.execute(
                    "INSERT INTO message (id, sender, direction, subject, body, content, dated_at)
                     VALUES (?1, 'claire.petit@medical59.apicrypt.org', 0, 'Hématurie', ?2, ?3, ?4)",
                    params![[id; 16], body, [id; 5000], i64::from(id)],
                )?)
            })
            .unwrap();
    }
    // First from the log, while the store is open; then from the file alone.
    let from_log = read_by_stock(&path, &key);
    store.truncate_wal().unwrap();
    let from_file = read_by_stock(&path, &key);
    for answer in [from_log, from_file] {
        assert!(
            answer["version"].as_str().unwrap().starts_with("4."),
            "{}",
            answer["version"]
        );
        assert_eq!(answer["subject"], "Hématurie");
        assert_eq!(answer["body"], body);
        assert_eq!(answer["content"], "01".repeat(5000));
        assert_eq!(answer["messages"], 40);
        assert_eq!(answer["found"], 40);
        assert_eq!(answer["tables"], "ok");
        assert_eq!(answer["pages"], Value::Array(Vec::new()), "pages that do not verify");
        assert_eq!(answer["wrong_key"], "refused");
    }

    // The check above can fail: one bit of one page, and it does.
    drop(store);
    let mut file = std::fs::read(&path).unwrap();
    let middle = file.len() / 2;
    file[middle] ^= 1;
    let damaged = folder.path().join("damaged.db");
    std::fs::write(&damaged, file).unwrap();
    let pages = stock(&["check".as_ref(), damaged.as_ref(), key.as_ref()]);
    assert_eq!(pages["pages"].as_array().unwrap().len(), 1);
}

#[test]
fn the_core_reads_what_stock_sqlcipher_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let place = KeyPlace::File(folder.path().join("store.key"));
    let key = StoreKey::make().unwrap();
    place.save(&key).unwrap();
    let written = stock(&[
        "write".as_ref(),
        path.as_ref(),
        folder.path().join("store.key").as_ref(),
        schema().as_ref(),
    ]);
    assert!(written["written"].as_u64().unwrap() > 20_000);

    let store = Store::open(&path, key).unwrap();
    let (body, content): (String, Vec<u8>) = store
        .read::<_, StoreError>(|c| {
            Ok(c.query_row("SELECT body, content FROM message", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?)
        })
        .unwrap();
    assert_eq!(body, "Écrit par un autre. ".repeat(1000));
    assert_eq!(content, b"\x00\xff".repeat(5000));
    assert_eq!(found(&store, "hématurie"), [1]);
    let (tables, pages): (String, usize) = store
        .read::<_, StoreError>(|c| {
            let tables = c.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            let mut check = c.prepare("PRAGMA cipher_integrity_check")?;
            let pages = check.query_map([], |_| Ok(()))?.count();
            Ok((tables, pages))
        })
        .unwrap();
    assert_eq!((tables.as_str(), pages), ("ok", 0));

    // And goes on writing it.
    store
        .write::<_, StoreError>(|tx| Ok(tx.execute("DELETE FROM message", [])?))
        .unwrap();
    assert!(found(&store, "hématurie").is_empty());
}

fn found(store: &Store, query: &str) -> Vec<i64> {
    store
        .read::<_, StoreError>(|c| {
            let mut select = c.prepare("SELECT rowid FROM message_search WHERE message_search MATCH ?1")?;
            let found = select.query_map([search::expression(query)], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .unwrap()
}
