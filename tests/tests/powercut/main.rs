//! What a power cut would leave: `strace` shows that whatever phone and relay wrote is on the disk before they tell anybody
//! of it. How a trace is read is `trace`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it found by panicking"
)]

mod trace;

use std::path::PathBuf;

use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::Outside;

use crate::trace::{Told, read};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pli-steps");

/// `strace` with what changes files and what tells others; `{folder}` is the scene's.
const STRACE: &[&str] = &[
    "strace",
    "-f",
    "-yy",
    "-s",
    "40",
    "-e",
    "trace=open,openat,creat,write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,\
     rename,renameat,renameat2,link,linkat,unlink,unlinkat,read,readv,recvfrom,recvmsg,sendto,sendmsg",
    "-o",
];

/// Text of a mail whose payload the relay keeps in its row.
const SMALL: &str = "100";
/// Text of a mail whose payload the relay keeps in a file.
const LARGE: &str = "60000";

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_answers_an_acceptance_once_it_is_on_the_disk() {
    let mut tracer = STRACE.to_vec();
    tracer.push("{folder}/relay.trace");
    let mut outside = Outside::traced(PROGRAM, &tracer);
    for (who, words) in [
        (NURSE, &["enrol", NURSE][..]),
        (GP, &["enrol", GP]),
        (NURSE, &["send", GP, "Petite", SMALL]),
        (NURSE, &["sync"]),
        (GP, &["sync"]),
        (NURSE, &["send", GP, "Grande", LARGE]),
        (NURSE, &["sync"]),
        (GP, &["sync"]),
    ] {
        outside.run(who, words, None).await.well();
    }
    assert_eq!(inbox(&outside.phone(GP)), ["Petite", "Grande"]);
    outside.stop_relay();

    let told = read(&outside.folder.path().join("relay.trace"), &outside.home("relay"));
    let answers = |path: &str| -> Vec<&Told> {
        // The relay first reads as much as tells it which HTTP is spoken: 24 bytes.
        let line = format!("POST {path} ");
        let line = &line[..line.len().min(24)];
        told.iter().filter(|told| told.asked.starts_with(line)).collect()
    };
    for answer in &told {
        answer.is_durable();
    }
    let log = outside.home("relay").join("relay.db-wal");
    let (enrolments, deposits, notes) = (
        answers("/v1/enrolments"),
        answers("/v1/deposits"),
        answers("/v1/acknowledgements"),
    );
    assert_eq!(enrolments.len(), 2);
    let [small, large] = deposits.as_slice() else {
        panic!("{deposits:?}")
    };
    assert!(notes.len() >= 2, "{notes:?}");
    for answer in enrolments.iter().chain([small, large]) {
        assert!(answer.synced.contains(&log), "{answer:?}");
    }
    let kept = notes.iter().filter(|answer| answer.synced.contains(&log)).count();
    assert!(kept >= 2, "{notes:?}");

    // The small payload is in its row; the large one is written beside, synced, renamed, and its name synced.
    let blobs = outside.home("relay/blobs");
    let is_blob = |path: &&PathBuf| path.starts_with(&blobs);
    assert_eq!(small.synced.iter().filter(is_blob).count(), 0, "{small:?}");
    assert_eq!(large.named.iter().filter(is_blob).count(), 1, "{large:?}");
    assert!(large.synced.contains(&blobs), "{large:?}");
    assert!(
        large
            .synced
            .iter()
            .any(|path| path.starts_with(&blobs) && path.extension().is_some_and(|ending| ending == "part")),
        "{large:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_tells_of_nothing_that_is_not_on_its_disk() {
    let outside = Outside::open(PROGRAM);
    let commands: &[(&str, &[&str])] = &[
        (NURSE, &["enrol", NURSE]),
        (GP, &["enrol", GP]),
        (NURSE, &["send", GP, "Petite", SMALL]),
        (NURSE, &["send", GP, "Grande", LARGE]),
        (NURSE, &["sync"]),
        (GP, &["sync"]),
        (GP, &["read", "Petite"]),
        (GP, &["handle", "Petite"]),
        (GP, &["sync"]),
        (NURSE, &["sync"]),
        (GP, &["delete", "Grande"]),
    ];
    for (number, (who, words)) in commands.iter().enumerate() {
        let file = outside.folder.path().join(format!("{number}.trace"));
        let mut tracer = STRACE.to_vec();
        let name = file.display().to_string();
        tracer.push(&name);
        outside.run_under(&tracer, who, words).await.well();
        let told = read(&file, &outside.home(who));
        for telling in &told {
            telling.is_durable();
        }
        let done = told.iter().find(|telling| telling.what.starts_with("done"));
        let done = done.unwrap_or_else(|| panic!("{words:?}: {told:?}"));
        let log = outside.home(who).join("store.db-wal");
        assert!(
            told.iter().any(|telling| telling.synced.contains(&log)),
            "{words:?}: {told:?}"
        );
        match words[0] {
            "send" | "read" | "handle" => assert!(done.synced.contains(&log), "{words:?}: {done:?}"),
            // The key before the store, both by name.
            "enrol" => {
                let first = &told[0];
                assert!(first.synced.contains(&outside.home(who)), "{first:?}");
                assert!(first.named.contains(&outside.home(who).join("store.db")), "{first:?}");
            }
            // What was received is on the disk when the relay is told so.
            _ => assert!(told.len() > 1 || words[0] == "delete", "{told:?}"),
        }
    }
}
