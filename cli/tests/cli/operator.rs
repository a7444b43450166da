//! The operator's commands on a relay that runs.

use std::fs;
use std::process::Command;

use crate::doors::refused;
use crate::scene::{GP, NURSE, Running, Scene, answer, pli};

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

#[test]
fn counts_and_entries_are_told_in_both_languages() {
    let scene = Scene::enrolled();
    let data = scene.path("relay");
    let asked = |words: &str| {
        let mut command = pli();
        command.args(words.split(' ')).arg("--data").arg(&data);
        command
    };
    let figures = answer(&mut asked("admin figures"));
    let nurses = &figures["users"][0];
    assert_eq!(
        (&nurses["profession"], &nurses["enrolled"]),
        (&"Infirmière".into(), &1.into())
    );
    assert_eq!(figures["days"].as_array().unwrap().len(), 0);
    let found = answer(&mut asked("admin find --town Dreux"));
    let silent = &found["entries"][0];
    assert_eq!(
        (&silent["code"], &silent["enrolled_at"]),
        (&"none".into(), &serde_json::Value::Null)
    );
    for (words, said) in [
        ("admin figures --lang fr", "Inscrits"),
        ("admin figures --lang en", "Enrolled"),
        ("admin find caradec --lang fr", "utilisé"),
        ("admin find caradec --lang en", "used"),
        ("admin find xyz --lang fr", "Aucune fiche"),
    ] {
        let output = asked(words).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(said), "{words}: {text}");
    }
    refused(
        pli().args(["admin", "figures", "--data"]).arg(scene.path("nowhere")),
        1,
        "relay-missing",
    );
}

#[test]
fn the_unit_starts_a_relay_with_options_that_it_has() {
    let scene = Scene::open();
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/pli.service");
    let unit = fs::read_to_string(unit).unwrap();
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/usr/bin/pli "))
        .unwrap();
    let data = scene.path("other").to_str().unwrap().to_owned();
    let line = line
        .replace("/var/lib/pli", &data)
        .replace("%d/chain.pem", scene.path("relay/ca.pem").to_str().unwrap())
        .replace("%d/key.pem", scene.path("relay/ca-key.pem").to_str().unwrap())
        .replace("[::]:8443", "127.0.0.1:0")
        .replace("127.0.0.1:9464", "127.0.0.1:0");
    let mut command = pli();
    command.args(line.split(' ')).arg("--json");
    let relay = Running::start(command);
    assert_eq!(relay.first["name"], "relay.example");
    assert!(
        relay.first["metrics"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    assert!(relay.end().success());
}
