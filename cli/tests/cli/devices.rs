//! A phone and a tablet of one person, as processes of their own: from the code on the new one to the end of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::doors::refused;
use crate::scene::{GP, NURSE, Running, Scene, answer, result, until, with_input};
use crate::terminal::Terminal;

/// A command whose events are read as they come.
pub(crate) struct Told {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Told {
    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut child = command
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next event of this name.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it ended without {name}");
            let told: Value = serde_json::from_str(&line).unwrap();
            if told["event"] == name {
                return told;
            }
        }
    }

    pub(crate) fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn linking(scene: &Scene) -> Command {
    let mut command = scene.at_relay(&["device", "link", GP, "--name", "Tablette"]);
    command.arg("--home").arg(scene.path("tablet"));
    command
}

fn on_tablet(scene: &Scene, words: &[&str]) -> Command {
    let mut command = scene.on(GP, words);
    command.env("PLI_HOME", scene.path("tablet"));
    command
}

/// The GP's tablet, linked.
fn linked(scene: &Scene) {
    let mut link = Told::begin(&mut linking(scene));
    let code = link.event("code")["code"].as_str().unwrap().to_owned();
    let accepted = with_input(
        &mut scene.on(GP, &["device", "accept", "--yes", "--json"]),
        &format!("{code}\n"),
    );
    assert!(
        accepted.status.success(),
        "{}",
        String::from_utf8_lossy(&accepted.stderr)
    );
    link.event("complete");
    link.end();
}

fn subjects(mut command: Command) -> Vec<String> {
    let listed = answer(&mut command);
    let mails = listed["mails"].as_array().unwrap();
    mails
        .iter()
        .map(|mail| mail["subject"].as_str().unwrap().to_owned())
        .collect()
}

fn send(scene: &Scene, subject: &str) {
    let file = scene.file("result.hpr", &result(1));
    let words = ["mail", "send", "--to", GP, "--subject", subject, "--hprim", &file];
    assert_eq!(answer(&mut scene.on(NURSE, &words))["sent"], Value::Bool(true));
}

#[test]
fn a_tablet_is_linked_by_a_code_has_the_history_and_shows_what_the_phone_shows() {
    let scene = Scene::enrolled();
    send(&scene, "Avant");
    answer(&mut scene.on(GP, &["sync"]));
    let mut link = Told::begin(&mut linking(&scene));
    let code = link.event("code")["code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 64, "13 groups of four and what is between them");

    // The person sees the name and says yes.
    let mut accept = Terminal::run(scene.on(GP, &["device", "accept"]));
    accept.answer("Code that the other device shows:", &code.to_lowercase());
    accept.answer("Is it the device in front of you?", "y");
    let (status, said) = accept.end("its history waits for it");
    assert!(
        status.success() && said.contains("“Tablette” asks to be a device of yours"),
        "{said}"
    );
    link.event("linked");
    assert_eq!(link.event("complete")["mails"], 1);
    link.end();
    assert_eq!(subjects(on_tablet(&scene, &["mail", "list"])), ["Avant"]);
    refused(&mut linking(&scene), 1, "already-enrolled-here");

    // Later mail comes to both, and what one handles the other shows as handled.
    let watching = Running::start(on_tablet(&scene, &["watch", "--json"]));
    send(&scene, "Après");
    answer(&mut scene.on(GP, &["sync"]));
    until("the tablet has it, too", || {
        subjects(on_tablet(&scene, &["mail", "list"])) == ["Après", "Avant"]
    });
    assert_eq!(subjects(scene.on(GP, &["mail", "list"])), ["Après", "Avant"]);
    answer(&mut scene.on(GP, &["mail", "handled", "2"]));
    answer(&mut scene.on(GP, &["sync"]));
    until("the tablet shows it as handled", || {
        let listed = answer(&mut on_tablet(&scene, &["mail", "list"]));
        listed["mails"][0]["handled"] == Value::Bool(true)
    });
    assert!(watching.end().success());

    // The phone gets its name on the tablet, and shows it.
    let phone = answer(&mut scene.on(GP, &["device", "list"]))["devices"][0]["id"].clone();
    let words = ["device", "rename", &phone.as_str().unwrap()[..8], "Téléphone"];
    assert_eq!(answer(&mut on_tablet(&scene, &words))["told"], Value::Bool(true));
    answer(&mut scene.on(GP, &["sync"]));
    let named = answer(&mut scene.on(GP, &["device", "list"]));
    assert_eq!(named["devices"][0]["name"], "Téléphone", "{named}");
    assert_eq!(named["devices"][1]["name"], "Tablette", "{named}");
    refused(&mut scene.on(GP, &["device", "rename", "Tablette", "a\nb"]), 2, "usage");

    let listed = answer(&mut on_tablet(&scene, &["device", "list"]));
    let [phone, tablet] = listed["devices"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    assert!(
        phone["main"] == Value::Bool(true) && phone["this"] == Value::Bool(false),
        "{listed}"
    );
    assert!(
        tablet["main"] == Value::Bool(false) && tablet["this"] == Value::Bool(true),
        "{listed}"
    );
}

#[test]
fn a_tablet_that_is_removed_erases_itself_and_the_phone_goes_on() {
    let scene = Scene::enrolled();
    linked(&scene);
    let listed = answer(&mut scene.on(GP, &["device", "list"]));
    let id = |place: usize| listed["devices"][place]["id"].as_str().unwrap().to_owned();
    let (phone, tablet) = (id(0), id(1));
    refused(
        &mut on_tablet(&scene, &["device", "remove", &phone, "--yes"]),
        1,
        "not-main",
    );
    refused(
        &mut scene.on(GP, &["device", "remove", &phone, "--yes"]),
        1,
        "no-such-device",
    );
    refused(
        &mut scene.on(GP, &["device", "remove", "zz", "--yes"]),
        1,
        "no-such-device",
    );
    refused(
        &mut scene.on(GP, &["device", "remove", &tablet]),
        1,
        "device-not-confirmed",
    );
    refused(
        &mut scene.on(GP, &["device", "remove", "", "--yes"]),
        1,
        "device-unclear",
    );
    let removed = answer(&mut scene.on(GP, &["device", "remove", "Tablette", "--yes"]));
    assert_eq!(removed["removed"], Value::Bool(true), "{removed}");
    refused(&mut on_tablet(&scene, &["sync"]), 1, "device-removed");
    assert!(!scene.path("tablet/store.db").exists() && !scene.path("tablet/store.key").exists());
    send(&scene, "Seul");
    answer(&mut scene.on(GP, &["sync"]));
    assert_eq!(subjects(scene.on(GP, &["mail", "list"])), ["Seul"]);
    assert_eq!(
        answer(&mut scene.on(GP, &["device", "list"]))["devices"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_tablet_is_suspended_by_the_phone_locks_and_catches_up_when_it_is_let_in() {
    let scene = Scene::enrolled();
    linked(&scene);
    let suspended = answer(&mut scene.on(GP, &["device", "suspend", "Tablette"]));
    assert_eq!(suspended["suspended"], Value::Bool(true));
    let tablet = &answer(&mut scene.on(GP, &["device", "list"]))["devices"][1];
    assert_eq!(tablet["suspended"], Value::Bool(true), "{tablet}");
    refused(&mut on_tablet(&scene, &["sync"]), 1, "device-suspended");
    refused(&mut on_tablet(&scene, &["mail", "list"]), 1, "device-suspended");
    send(&scene, "Entre-temps");
    let resumed = answer(&mut scene.on(GP, &["device", "resume", "Tablette"]));
    assert_eq!(resumed["resumed"], Value::Bool(true));
    until("it has what came meanwhile", || {
        answer(&mut scene.on(GP, &["sync"]));
        answer(&mut on_tablet(&scene, &["sync"]));
        subjects(on_tablet(&scene, &["mail", "list"])) == ["Entre-temps"]
    });
}

#[test]
fn the_tablet_becomes_the_main_device_and_removes_the_phone() {
    let scene = Scene::enrolled();
    linked(&scene);
    refused(&mut scene.on(GP, &["device", "main"]), 1, "already-main");
    let mut claim = Told::begin(&mut on_tablet(&scene, &["device", "main"]));
    let code = claim.event("code")["code"].as_str().unwrap().to_owned();
    refused(
        &mut on_tablet(&scene, &["device", "accept", &code, "--yes"]),
        1,
        "not-main",
    );
    let mut accept = Terminal::run(scene.on(GP, &["device", "accept"]));
    accept.answer("Code that the other device shows:", &code);
    accept.answer("Make Tablette the main device", "y");
    let (status, said) = accept.end("the key is erased here");
    assert!(
        status.success() && said.contains("Tablette is the main device now"),
        "{said}"
    );
    claim.event("main");
    claim.end();
    let listed = answer(&mut on_tablet(&scene, &["device", "list"]));
    let tablet = &listed["devices"][0];
    assert!(
        tablet["main"] == Value::Bool(true) && tablet["this"] == Value::Bool(true),
        "{listed}"
    );
    let phone = listed["devices"][1]["id"].as_str().unwrap().to_owned();
    refused(
        &mut scene.on(GP, &["device", "remove", "Tablette", "--yes"]),
        1,
        "not-main",
    );
    let removed = answer(&mut on_tablet(&scene, &["device", "remove", &phone, "--yes"]));
    assert_eq!(removed["removed"], Value::Bool(true));
    refused(&mut scene.on(GP, &["sync"]), 1, "device-removed");
}

#[test]
fn a_link_that_is_interrupted_shows_the_same_code_and_a_wrong_one_changes_nothing() {
    let scene = Scene::enrolled();
    let mut first = Told::begin(&mut linking(&scene));
    let code = first.event("code")["code"].clone();
    drop(first);
    let mut again = Told::begin(&mut linking(&scene));
    assert_eq!(again.event("code")["code"], code);
    let code = code.as_str().unwrap();
    let wrong = format!("{}{}", if code.starts_with('A') { 'B' } else { 'A' }, &code[1..]);
    refused(
        &mut scene.on(GP, &["device", "accept", "not a code", "--yes"]),
        1,
        "link-code-refused",
    );
    refused(
        &mut scene.on(GP, &["device", "accept", &wrong, "--yes"]),
        1,
        "link-not-shown",
    );
    let unasked = with_input(&mut scene.on(GP, &["device", "accept"]), &format!("{code}\n"));
    let said = String::from_utf8(unasked.stderr).unwrap();
    assert!(said.contains("[device-not-confirmed]"), "{said}");
    assert_eq!(
        answer(&mut scene.on(GP, &["device", "list"]))["devices"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // The main device reads it while the new one is off: the same command goes on from there.
    drop(again);
    let mut accept = Told::begin(&mut scene.on(GP, &["device", "accept", code, "--yes"]));
    assert_eq!(accept.event("accepted")["complete"], Value::Bool(true));
    accept.end();
    let mut last = Told::begin(&mut linking(&scene));
    last.event("linked");
    last.event("complete");
    last.end();
}
