//! The number that two people compare, and an identity that changed behind somebody's back.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::doors::refused;
use crate::scene::{GP, NURSE, Scene, answer, result};
use crate::terminal::Terminal;

fn number(scene: &Scene, of: &str, whom: &str) -> String {
    let shown = answer(&mut scene.on(of, &["directory", "verify", whom]));
    shown["number"].as_str().unwrap().to_owned()
}

fn standing(scene: &Scene) -> Value {
    let shown = answer(&mut scene.on(NURSE, &["directory", "show", GP]));
    shown["identity"].clone()
}

#[test]
fn two_people_compare_a_number_and_the_entry_is_shown_as_verified() {
    let scene = Scene::enrolled();
    let mine = number(&scene, NURSE, GP);
    assert_eq!(mine, number(&scene, GP, NURSE));
    assert_eq!(standing(&scene), "unverified");
    let mut other = mine.clone();
    other.replace_range(..1, if mine.starts_with('0') { "1" } else { "0" });
    refused(
        &mut scene.on(NURSE, &["directory", "verify", GP, "--number", &other]),
        1,
        "number-differs",
    );
    let mut no = Terminal::run(scene.on(NURSE, &["directory", "verify", GP]));
    no.answer("same on both sides? (y/n)", "n");
    let (status, seen) = no.end("[number-not-same]");
    assert!(!status.success() && seen.contains(&mine), "{seen}");
    assert_eq!(standing(&scene), "unverified");

    let mut yes = Terminal::run(scene.on(NURSE, &["directory", "verify", GP]));
    yes.answer("same on both sides? (y/n)", "y");
    let (status, seen) = yes.end("is verified");
    assert!(status.success() && seen.contains(&mine), "{seen}");
    assert_eq!(standing(&scene), "verified");
    let found = scene.on(NURSE, &["directory", "find", "delorme"]).output().unwrap();
    assert!(String::from_utf8(found.stdout).unwrap().contains("  verified  "));
    let typed = mine.replace(' ', "");
    let verified = answer(&mut scene.on(GP, &["directory", "verify", NURSE, "--number", &typed]));
    assert_eq!(verified["verified"], Value::Bool(true));
    refused(
        &mut scene.on(GP, &["directory", "accept", NURSE]),
        1,
        "nothing-to-accept",
    );
}

#[test]
fn mail_for_an_identity_that_nobody_vouched_for_waits_until_it_is_accepted() {
    let mut scene = Scene::open();
    scene.enrol(NURSE);
    let listen = scene.url.trim_start_matches("https://").to_owned();
    // The relay as it was before the GP enrolled.
    scene.stop_relay();
    copy(&scene, "relay", "yesterday");
    scene.start_relay(&listen);
    scene.enrol(GP);
    let before = number(&scene, NURSE, GP);
    answer(&mut scene.on(NURSE, &["directory", "verify", GP, "--number", &before]));
    scene.stop_relay();
    fs::remove_dir_all(scene.path("relay")).unwrap();
    fs::rename(scene.path("yesterday"), scene.path("relay")).unwrap();
    scene.start_relay(&listen);
    fs::rename(scene.home(GP), scene.path("earlier")).unwrap();
    scene.enrol(GP);

    let file = scene.file("result.hpr", &result(1));
    let sent = answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    assert_eq!(sent["sent"], Value::Bool(false), "{sent}");
    let synced = answer(&mut scene.on(NURSE, &["sync"]));
    assert_eq!(synced["identities_changed"][0], GP, "{synced}");
    let said = scene.on(NURSE, &["sync"]).output().unwrap();
    assert!(
        String::from_utf8(said.stdout)
            .unwrap()
            .contains(&format!("pli directory accept {GP}"))
    );
    assert_eq!(standing(&scene), "changed");
    let verify = |number: &[&str]| -> Command {
        let mut command = scene.on(NURSE, &["directory", "verify", GP]);
        command.args(number);
        command
    };
    refused(&mut verify(&[]), 1, "identity-changed");
    refused(&mut verify(&["--number", &before]), 1, "identity-changed");
    let accept = || scene.on(NURSE, &["directory", "accept", GP]);
    refused(accept().args(["--number", &before]), 1, "number-differs");
    let shown = answer(&mut accept());
    assert_eq!(shown["accepted"], Value::Bool(false));
    assert_eq!(standing(&scene), "changed");
    let number = number(&scene, GP, NURSE);
    assert_eq!(shown["number"], number.as_str());
    assert_ne!(number, before);

    let mut terminal = Terminal::run(accept());
    terminal.answer("and accepted? (y/n)", "y");
    let (status, seen) = terminal.end("is accepted and verified");
    assert!(status.success() && seen.contains(&number), "{seen}");
    assert_eq!(standing(&scene), "verified");
    answer(&mut scene.on(NURSE, &["sync"]));
    answer(&mut scene.on(GP, &["sync"]));
    let inbox = answer(&mut scene.on(GP, &["mail", "list"]));
    assert_eq!(inbox["mails"].as_array().unwrap().len(), 1, "{inbox}");
}

fn copy(scene: &Scene, from: &str, to: &str) {
    let status = Command::new("cp")
        .arg("-R")
        .args([scene.path(from), scene.path(to)])
        .status()
        .unwrap();
    assert!(status.success());
}
