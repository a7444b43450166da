//! A lost phone, as a person lives it: the phrase on paper, the backup at the relay, the new phone.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::doors::refused;
use crate::scene::{GP, NURSE, Running, Scene, answer, result, until, with_input};
use crate::terminal::Terminal;

/// Nurse and GP enrolled, the GP with a backup: the words on paper.
fn backed_up() -> (Scene, String) {
    let scene = Scene::open();
    scene.enrol(NURSE);
    let enrolled = answer(scene.enrolling(GP).arg("--backup"));
    assert_eq!(enrolled["backup"], Value::Bool(true));
    let words = enrolled["recovery_phrase"].as_str().unwrap().to_owned();
    (scene, words)
}

fn send(scene: &Scene, number: u32) {
    let file = scene.file("result.hpr", &result(number));
    let subject = format!("Résultat {number}");
    let words = ["mail", "send", "--to", GP, "--subject", &subject, "--hprim", &file];
    assert_eq!(answer(&mut scene.on(NURSE, &words))["sent"], Value::Bool(true));
}

fn subjects(scene: &Scene) -> Vec<String> {
    let inbox = answer(&mut scene.on(GP, &["mail", "list"]));
    let mails = inbox["mails"].as_array().unwrap();
    let mut subjects: Vec<_> = mails
        .iter()
        .map(|mail| mail["subject"].as_str().unwrap().to_owned())
        .collect();
    subjects.sort();
    subjects
}

fn restoring(scene: &Scene) -> Command {
    let mut command = scene.at_relay(&["recovery", "restore", GP]);
    command.arg("--home").arg(scene.home(GP));
    command
}

#[test]
fn a_lost_phone_is_replaced_and_erases_itself_when_it_is_found() {
    let (scene, words) = backed_up();
    send(&scene, 1);
    answer(&mut scene.on(GP, &["sync"]));
    let backup = answer(&mut scene.on(GP, &["recovery", "backup"]));
    assert!(
        backup["on"] == Value::Bool(true) && backup["due"] == 0 && backup["written_at"].is_string(),
        "{backup}"
    );
    // Lost with the watch that runs on it; it goes on in whoever's hands.
    fs::rename(scene.home(GP), scene.path("found")).unwrap();
    let mut watch = scene.on(GP, &["watch", "--json"]);
    watch.env("PLI_HOME", scene.path("found"));
    let mut found = Running::start(watch);
    send(&scene, 2);
    let on_found = |words: &[&str]| answer(scene.on(GP, words).env("PLI_HOME", scene.path("found")));
    until("the lost phone takes it in, and backs it up", || {
        let inbox = on_found(&["mail", "list"]);
        inbox["mails"].as_array().unwrap().len() == 2 && on_found(&["recovery", "backup"])["due"] == 0
    });
    // It is told at once, and not only when it asks.
    let file = scene.file("phrase.txt", format!("\u{feff}{}\r\n", words.to_uppercase()).as_bytes());
    let restored = answer(restoring(&scene).args(["--phrase-file", &file]));
    assert!(
        restored["complete"] == Value::Bool(true) && restored["backup"] == Value::Bool(true),
        "{restored}"
    );
    assert_eq!(restored["restored"], 2, "{restored}");
    assert_eq!(subjects(&scene), ["Résultat 1", "Résultat 2"]);
    assert_eq!(found.child.wait().unwrap().code(), Some(1));
    assert!(!scene.path("found/store.db").exists() && !scene.path("found/store.key").exists());
    send(&scene, 3);
    answer(&mut scene.on(GP, &["sync"]));
    assert_eq!(subjects(&scene).len(), 3);
    let verify = answer(&mut scene.on(NURSE, &["directory", "verify", GP]));
    assert_eq!(
        verify["accepted"],
        Value::Bool(true),
        "nobody is asked to accept anything: {verify}"
    );
}

#[test]
fn what_waits_for_the_lost_phone_comes_by_itself_and_that_phone_says_why_it_is_empty() {
    let (scene, words) = backed_up();
    send(&scene, 1);
    answer(&mut scene.on(GP, &["sync"]));
    fs::rename(scene.home(GP), scene.path("found")).unwrap();
    send(&scene, 2);
    let output = with_input(&mut restoring(&scene), &format!("{words}\n"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 mails came back from the backup"), "{said}");
    for person in [NURSE, NURSE, GP] {
        answer(&mut scene.on(person, &["sync"]));
    }
    assert_eq!(subjects(&scene), ["Résultat 1", "Résultat 2"]);
    for (language, advice) in [("en", "this one has erased itself"), ("fr", "celui-ci s'est effacé")] {
        let found = scene.path(language);
        copy(&scene.path("found"), &found);
        let mut sync = scene.on(GP, &["sync", "--lang", language]);
        let output = sync.env("PLI_HOME", &found).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said.contains("pli: [device-removed] ") && said.contains(advice),
            "{said}"
        );
        assert!(!found.join("store.db").exists() && !found.join("store.key").exists());
    }
}

#[test]
fn a_phrase_is_typed_unseen_and_one_that_is_wrong_changes_nothing() {
    let (scene, words) = backed_up();
    fs::rename(scene.home(GP), scene.path("lost")).unwrap();
    for (typed, code) in [
        ("abaisser abandon", "phrase-invalid"),
        (&words.replacen(' ', " abeille ", 1), "phrase-invalid"),
        ("", "input-missing"),
    ] {
        let file = scene.file("phrase.txt", typed.as_bytes());
        refused(restoring(&scene).args(["--phrase-file", &file]), 1, code);
    }
    let file = scene.file("phrase.txt", &[0xff; 100]);
    refused(restoring(&scene).args(["--phrase-file", &file]), 1, "phrase-invalid");
    refused(restoring(&scene).args(["--phrase-file", "/none"]), 1, "file-unreadable");
    refused(&mut restoring(&scene), 1, "input-missing");
    assert!(!scene.home(GP).exists(), "nothing is made before there is a phrase");
    let strangers = answer(&mut scene.on(NURSE, &["recovery", "backup"]));
    assert_eq!(strangers["on"], Value::Bool(false));
    let mut on = scene.on(NURSE, &["recovery", "backup", "--on"]);
    let output = with_input(&mut on, &words);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("pli: [phrase-of-another]")
    );

    let mut terminal = Terminal::run(restoring(&scene));
    terminal.answer("not shown as you type", &words);
    let (status, seen) = terminal.end("stays the same");
    assert!(status.success(), "{seen}");
    let first = words.split(' ').next().unwrap();
    assert!(!seen.contains(first), "{seen}");
}

#[test]
fn a_backup_is_offered_begun_and_ended_and_its_cost_is_said() {
    let scene = Scene::open();
    let mut terminal = Terminal::run(scene.enrolling(NURSE));
    terminal.answer("(Y/n)", "");
    let (status, seen) = terminal.end("goes to the relay with every sync");
    assert!(status.success() && seen.contains("together open everything"), "{seen}");
    let backup = answer(&mut scene.on(NURSE, &["recovery", "backup"]));
    assert_eq!(backup["on"], Value::Bool(true));
    let mut terminal = Terminal::run(scene.enrolling(GP));
    terminal.answer("(Y/n)", "n");
    let (status, seen) = terminal.end("There is no backup");
    assert!(status.success(), "{seen}");
    let words = seen.lines().find_map(|line| {
        let words = line.strip_prefix("    ")?.trim();
        (words.split(' ').count() == 12).then(|| words.to_owned())
    });
    let words = words.unwrap();
    assert_eq!(
        answer(&mut scene.on(GP, &["recovery", "backup"]))["on"],
        Value::Bool(false)
    );

    let output = with_input(&mut scene.on(GP, &["recovery", "backup", "--on"]), &words);
    let (said, aside) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        said.contains("complete up to") && aside.contains("together open everything"),
        "{said}{aside}"
    );
    assert_eq!(
        answer(&mut scene.on(GP, &["recovery", "backup", "--off"]))["on"],
        Value::Bool(false)
    );
    // With nothing kept, a new phone is told so.
    fs::remove_dir_all(scene.home(GP)).unwrap();
    let output = with_input(&mut restoring(&scene), &words);
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("There was no backup")
    );
}

#[test]
fn a_phrase_is_shown_once() {
    let scene = Scene::enrolled();
    refused(&mut scene.on(GP, &["recovery", "phrase"]), 1, "phrase-not-kept");
    refused(
        scene.on(GP, &["recovery", "phrase"]).args(["--lang", "fr"]),
        1,
        "phrase-not-kept",
    );
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
