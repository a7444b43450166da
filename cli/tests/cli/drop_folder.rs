//! `watch --export` killed −9, again and again, or beside another process: each document is dropped once, whole.

use std::collections::HashMap;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{GP, NURSE, Running, Scene, answer, dropped, result, until};

#[test]
fn each_document_is_dropped_once_however_often_the_process_is_killed() {
    const DOCUMENTS: u32 = 6;
    let scene = Scene::enrolled();
    for number in 1..=DOCUMENTS {
        let file = scene.file("result.hpr", &result(number));
        answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    }
    answer(&mut scene.on(GP, &["sync"]));
    let folder = scene.path("practice");
    fs::create_dir(&folder).unwrap();
    let watch = || {
        let mut command = scene.on(GP, &["watch", "--json", "--export"]);
        command.arg(&folder);
        command
    };
    // The practice software takes what it sees, so that a second drop would show.
    let mut taken: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut take = || {
        for path in dropped(&folder) {
            *taken.entry(fs::read(&path).unwrap()).or_default() += 1;
            fs::remove_file(&path).unwrap();
        }
        taken.len()
    };
    let mut child = None;
    for round in 0..40_u64 {
        let mut command = watch();
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut running = command.spawn().unwrap();
        sleep(Duration::from_millis(3 * round));
        running.kill().unwrap();
        running.wait().unwrap();
        take();
        child = Some(running);
    }
    drop(child);
    let watching = Running::start(watch());
    until("all documents were dropped", || {
        take() == usize::try_from(DOCUMENTS).unwrap()
    });
    assert!(watching.end().success());
    take();
    for number in 1..=DOCUMENTS {
        assert_eq!(taken.get(&result(number)), Some(&1), "document {number}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing unfinished is left");
}

#[test]
fn what_another_process_took_in_is_dropped_without_waiting_for_the_next_arrival() {
    let scene = Scene::enrolled();
    let folder = scene.path("practice");
    fs::create_dir(&folder).unwrap();
    let mut watch = scene.on(GP, &["watch", "--json", "--export"]);
    watch.arg(&folder);
    let watching = Running::start(watch);
    // While it stands still, another process takes the document in and acknowledges it.
    let pid = Pid::from_child(&watching.child);
    kill_process(pid, Signal::STOP).unwrap();
    let file = scene.file("result.hpr", &result(1));
    answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    assert_eq!(answer(&mut scene.on(GP, &["sync"]))["received"], 1);
    kill_process(pid, Signal::CONT).unwrap();
    until("the document is dropped", || dropped(&folder).len() == 1);
    assert_eq!(fs::read(&dropped(&folder)[0]).unwrap(), result(1));
    assert!(watching.end().success());
}
