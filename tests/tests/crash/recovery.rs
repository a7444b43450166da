//! A phone that is lost, and one that takes its place: each ends at each of its steps, and is started again.

use pli_core::Folder;
use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::Outside;

use crate::story::{AROUND_COMMITS, Command, at_each_commit, at_each_step, begin, ends, tell, tell_of_relay};

/// The phone that takes the place of the GP's.
const NEW: &str = "new";

const BACK_UP: usize = 3;
const WRITE: usize = 6;
const RECOVER: usize = 9;
const RESTORE: usize = 10;
const ANSWER: usize = 11;
const FETCH: usize = 12;
const REMOVAL: usize = 13;

const STORY: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (NURSE, &["send", GP, "Avant", "60000"]),
    (GP, &["back-up"]),
    (NURSE, &["sync"]),
    (GP, &["send", NURSE, "Réponse", "100"]),
    (GP, &["sync"]),
    (NURSE, &["send", GP, "En route", "60000"]),
    (NURSE, &["sync"]),
    (NEW, &["recover", GP]),
    (NEW, &["sync"]),
    (NURSE, &["sync"]),
    (NEW, &["sync"]),
    (GP, &["learn-of-removal"]),
    (NEW, &["sync"]),
    (NURSE, &["sync"]),
];

/// Each step of the core that only this story comes to, and the commands in which a phone ends there.
pub(crate) const STEPS: &[(&str, &[usize])] = &[
    ("backup-sealed", &[WRITE, RESTORE]),
    ("backup-sent", &[WRITE, RESTORE]),
    ("backup-taken-in", &[RESTORE]),
    ("erasing-begun", &[REMOVAL]),
    ("key-erased", &[REMOVAL]),
    ("recovery-accepted", &[RECOVER]),
    ("recovery-stored", &[RECOVER]),
    ("rewrap-answered", &[ANSWER]),
];

/// Each step of the relay that only this story comes to, and the commands during which it ends there.
pub(crate) const RELAY_STEPS: &[(&str, &[usize])] = &[("part-unanswered", &[WRITE]), ("rewrap-unanswered", &[ANSWER])];

/// Commands of which each commit is tried, before and after.
const COMMITTING: &[usize] = &[BACK_UP, WRITE, RECOVER, RESTORE, ANSWER, FETCH];

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_at_a_step_of_its_recovery_goes_on() {
    at_each_step(ends(STEPS), begin(STORY), tell(STORY, check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_around_any_commit_of_its_recovery_goes_on() {
    at_each_commit(COMMITTING, (AROUND_COMMITS, 1), begin(STORY), tell(STORY, check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_while_a_phone_is_recovered_goes_on() {
    let recovering = [("enrolment-unanswered", RECOVER)];
    at_each_step(
        ends(RELAY_STEPS).chain(recovering),
        begin(STORY),
        tell_of_relay(STORY, check),
    )
    .await;
}

/// Whatever happened on the way: the new phone has everything once, the old one nothing.
fn check(outside: &Outside, what: &str) {
    let new = outside.phone(NEW);
    let mut came = inbox(&new);
    came.sort();
    assert_eq!(came, ["Avant", "En route"], "{what}");
    assert!(new.unopened().unwrap().is_empty(), "{what}");
    let sent: Vec<_> = new.list(Folder::Sent, None, 10).unwrap();
    assert_eq!(sent.len(), 1, "{what}");
    assert_eq!(new.backup().unwrap().unwrap().due, 0, "{what}");
    assert_eq!(inbox(&outside.phone(NURSE)), ["Réponse"], "{what}");
    let left = outside.home(GP).join("store.db");
    assert!(!left.exists() || inbox(&outside.phone(GP)).is_empty(), "{what}");
}
