//! A disk that is full: whoever needs more of it is refused with a code, and goes on when there is room again.

use pli_core::{Folder, Session};
use pli_tests::place::{GP, NURSE, inbox, state};
use pli_tests::process::Outside;

use crate::story::PROGRAM;

/// Runs a program whose files do not grow beyond 64 KiB: writing more is refused it, as on a full disk.
const FULL: &[&str] = &["sh", "-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"];
/// Text of a mail for which there is no room, in its row or in a file of the relay's.
const IN_ROW: &str = "14000";
const LARGE: &str = "150000";

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_disk_is_full_loses_nothing_and_goes_on_when_there_is_room() {
    let outside = enrolled().await;
    let write = ["send", GP, "Pleine", LARGE];
    let refused = outside.run_under(FULL, NURSE, &write).await;
    assert_eq!(code(&refused.said), "store-io", "{refused:?}");
    assert!(
        sent(&outside.phone(NURSE)).is_empty(),
        "what was refused was not accepted"
    );
    outside.run(NURSE, &write, None).await.well();
    outside.run(NURSE, &["sync"], None).await.well();
    for _ in 0..2 {
        let refused = outside.run_under(FULL, GP, &["sync"]).await;
        assert_eq!(code(&refused.said), "store-io", "{refused:?}");
    }
    outside.run(NURSE, &["sync"], None).await.well();
    assert_eq!(shown(&outside.phone(NURSE)), [("Pleine".to_owned(), "available")]);
    outside.run(GP, &["sync"], None).await.well();
    outside.run(NURSE, &["sync"], None).await.well();
    arrived_once(&outside, &["Pleine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_disk_is_full_accepts_nothing_and_goes_on_when_there_is_room() {
    let mut outside = enrolled().await;
    outside.stop_relay();
    outside.start_relay_under(FULL);
    for (subject, size) in [("Grande", LARGE), ("Petite", IN_ROW)] {
        outside.run(NURSE, &["send", GP, subject, size], None).await.well();
        let waiting = outside.run(NURSE, &["exchange"], None).await;
        assert!(waiting.told.contains("sent: 0"), "{waiting:?}");
    }
    let waiting: Vec<_> = shown(&outside.phone(NURSE))
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(waiting, ["queued", "queued"]);
    outside.kill_relay();
    outside.start_relay(None);
    outside.run(NURSE, &["sync"], None).await.well();
    outside.run(GP, &["sync"], None).await.well();
    outside.run(NURSE, &["sync"], None).await.well();
    arrived_once(&outside, &["Grande", "Petite"]);
}

async fn enrolled() -> Outside {
    let outside = Outside::open(PROGRAM);
    for who in [NURSE, GP] {
        outside.run(who, &["enrol", who], None).await.well();
    }
    outside
}

/// The stable code in what a command said of its failure.
fn code(said: &str) -> &str {
    said.trim().rsplit(['[', ']']).nth(1).unwrap()
}

fn sent(phone: &Session) -> Vec<(String, i64)> {
    let mut mails: Vec<_> = phone.list(Folder::Sent, None, 10).unwrap();
    mails.sort_by_key(|mail| mail.number);
    mails.into_iter().map(|mail| (mail.subject, mail.number)).collect()
}

/// Sent mails, and what became of each with the GP.
fn shown(phone: &Session) -> Vec<(String, &'static str)> {
    let mails = sent(phone).into_iter();
    mails
        .map(|(subject, number)| (subject, state(phone, number, GP)))
        .collect()
}

fn arrived_once(outside: &Outside, subjects: &[&str]) {
    let gp = outside.phone(GP);
    let mut came = inbox(&gp);
    came.sort();
    assert_eq!(came, subjects);
    assert!(gp.unopened().unwrap().is_empty());
    let states: Vec<_> = shown(&outside.phone(NURSE))
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(states, vec!["retrieved"; subjects.len()]);
}
