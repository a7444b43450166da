//! The operator's commands on a relay that runs.

use std::fs;
use std::process::Command;

use crate::doors::refused;
use crate::scene::{GP, NURSE, Scene, answer, pli};

#[test]
fn a_backup_is_taken_while_the_relay_runs_checked_and_put_back() {
    let mut scene = Scene::enrolled();
    let (data, backup) = (scene.path("relay"), scene.path("backup"));
    let made = answer(pli().args(["admin", "backup"]).arg(&backup).arg("--data").arg(&data));
    assert_eq!((&made["accounts"], &made["lost"]), (&2.into(), &0.into()));
    let checked = answer(pli().args(["admin", "check"]).arg(&backup));
    assert_eq!(checked, made);
    let said = pli().args(["admin", "check", "--lang", "fr"]).arg(&backup).output();
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    assert!(said.contains("est entier : 2 comptes"), "{said}");
    let sums = Command::new("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(&backup)
        .status();
    assert!(sums.unwrap().success());
    refused(
        pli().args(["admin", "backup"]).arg(&backup).arg("--data").arg(&data),
        1,
        "relay-in-the-way",
    );
    refused(
        pli().args(["admin", "restore"]).arg(&backup).arg("--data").arg(&data),
        1,
        "relay-in-the-way",
    );
    refused(
        pli()
            .args(["admin", "backup"])
            .arg(scene.path("other"))
            .arg("--data")
            .arg(scene.path("nowhere")),
        1,
        "relay-missing",
    );

    scene.stop_relay();
    fs::remove_dir_all(&data).unwrap();
    answer(pli().args(["admin", "restore"]).arg(&backup).arg("--data").arg(&data));
    // The authority came back with it: phones trust the relay as before.
    let listen = scene.url.trim_start_matches("https://").to_owned();
    scene.start_relay(&listen);
    for phone in [NURSE, GP] {
        answer(pli().args(["sync", "--home"]).arg(scene.home(phone)));
    }

    let database = backup.join("relay.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&database, bytes).unwrap();
    refused(pli().args(["admin", "check"]).arg(&backup), 1, "relay-backup-damaged");
    refused(
        pli()
            .args(["admin", "restore", "--lang", "fr"])
            .arg(&backup)
            .arg("--data")
            .arg(scene.path("other")),
        1,
        "relay-backup-damaged",
    );
    assert!(!scene.path("other").exists());
}
