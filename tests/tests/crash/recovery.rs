//! A phone that is lost, and one that takes its place: each ends at each of its steps, and is started again.

use futures_util::future::join_all;
use pli_core::Folder;
use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::Outside;

use crate::story::{Command, PROGRAM};

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
    join_all(ends(STEPS).map(async |(step, command)| {
        assert!(
            tell(command, step).await,
            "{step} is not reached by {:?}",
            STORY[command]
        );
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_around_any_commit_of_its_recovery_goes_on() {
    for step in ["store-commit-due", "store-committed"] {
        join_all(COMMITTING.iter().map(async |command| {
            let mut nth = 1;
            while tell(*command, &format!("{step}:{nth}")).await {
                nth += 1;
            }
            assert!(nth > 1, "{:?} commits nothing", STORY[*command]);
        }))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_while_a_phone_is_recovered_goes_on() {
    let recovering = [("enrolment-unanswered", RECOVER)];
    join_all(ends(RELAY_STEPS).chain(recovering).map(async |(step, command)| {
        let mut outside = Outside::open(PROGRAM);
        for (at, told) in STORY.iter().enumerate() {
            if at == command {
                outside.stop_relay();
                outside.start_relay(Some(step));
                run(&outside, at, None).await;
                assert!(outside.relay_crashed(), "{step} is not reached by {told:?}");
                outside.start_relay(None);
            }
            run(&outside, at, None).await.well();
        }
        check(&outside, step);
    }))
    .await;
}

fn ends(steps: &'static [(&str, &[usize])]) -> impl Iterator<Item = (&'static str, usize)> {
    steps
        .iter()
        .flat_map(|(step, commands)| commands.iter().map(move |command| (*step, *command)))
}

async fn run(outside: &Outside, at: usize, crash_at: Option<&str>) -> pli_tests::process::End {
    let (who, words) = STORY[at];
    outside.run(who, words, crash_at).await
}

/// Tells the story with a phone that ends once, at `step` of one command; whether it did end there.
async fn tell(crashing: usize, step: &str) -> bool {
    let outside = Outside::open(PROGRAM);
    for at in 0..STORY.len() {
        if at == crashing {
            let end = run(&outside, at, Some(step)).await;
            if !end.crashed() {
                end.well();
                return false;
            }
        }
        run(&outside, at, None).await.well();
    }
    check(&outside, &format!("{step} in {:?}", STORY[crashing]));
    true
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
