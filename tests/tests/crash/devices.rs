//! A second device that is added and removed again: both devices end at each of their steps, and are started again.

use futures_util::future::join_all;
use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::{End, Outside};

use crate::story::{Command, PROGRAM};

/// The GP's second device.
const TABLET: &str = "tablet";

const SHOW: usize = 4;
const CONFIRM: usize = 5;
const PUBLISH: usize = 6;
const FINISH: usize = 8;
const LEARN: usize = 9;
const TAKE_IN: usize = 10;

const STORY: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (NURSE, &["send", GP, "Avant", "60000"]),
    (NURSE, &["sync"]),
    (TABLET, &["show-code", GP]),
    (GP, &["confirm-code"]),
    (GP, &["sync"]),
    (NURSE, &["sync"]),
    (TABLET, &["finish-link"]),
    (TABLET, &["sync"]),
    (TABLET, &["sync"]),
    (NURSE, &["send", GP, "Après", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (GP, &["read", "Avant"]),
    (GP, &["sync"]),
    (TABLET, &["sync"]),
];

/// Each step of the core that only this story comes to, and the commands in which a device ends there.
pub(crate) const STEPS: &[(&str, &[usize])] = &[
    ("history-sealed", &[PUBLISH]),
    ("history-taken-in", &[TAKE_IN]),
    ("link-code-stored", &[SHOW]),
    ("link-confirmed", &[CONFIRM]),
    ("link-finished", &[FINISH]),
    ("list-published", &[PUBLISH]),
    ("list-signed", &[PUBLISH]),
];

/// Each step of the relay that only this story comes to.
pub(crate) const RELAY_STEPS: &[(&str, &[usize])] = &[("list-unanswered", &[PUBLISH])];

/// Commands of which each commit is tried, before and after.
const COMMITTING: &[usize] = &[SHOW, CONFIRM, PUBLISH, FINISH, LEARN, TAKE_IN];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_ends_at_a_step_of_its_linking_goes_on() {
    let ends = STEPS
        .iter()
        .flat_map(|(step, commands)| commands.iter().map(move |command| (*step, *command)));
    join_all(ends.map(async |(step, command)| {
        assert!(
            tell(command, step).await,
            "{step} is not reached by {:?}",
            STORY[command]
        );
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_ends_around_any_commit_of_its_linking_goes_on() {
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
async fn a_relay_that_ends_while_a_list_is_published_goes_on() {
    for (step, commands) in RELAY_STEPS {
        let mut outside = Outside::open(PROGRAM);
        for (at, command) in STORY.iter().enumerate() {
            if commands.contains(&at) {
                outside.stop_relay();
                outside.start_relay(Some(step));
                run(&outside, at, None).await;
                assert!(outside.relay_crashed(), "{step} is not reached by {command:?}");
                outside.start_relay(None);
            }
            run(&outside, at, None).await.well();
        }
        check(&outside, step);
    }
}

async fn run(outside: &Outside, at: usize, crash_at: Option<&str>) -> End {
    let (who, words) = STORY[at];
    outside.run(who, words, crash_at).await
}

/// Tells the story with a device that ends once, at `step` of one command; whether it did end there.
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

/// Whatever happened on the way: both devices show the same, each mail once.
fn check(outside: &Outside, what: &str) {
    for who in [GP, TABLET] {
        let device = outside.phone(who);
        assert_eq!(inbox(&device), ["Avant", "Après"], "{who}: {what}");
        assert!(device.unopened().unwrap().is_empty(), "{who}: {what}");
        assert_eq!(device.devices().unwrap().len(), 2, "{who}: {what}");
        let mails = device.list(pli_core::Folder::Inbox, None, 10).unwrap();
        let read: Vec<_> = mails.iter().filter(|mail| mail.read_at.is_some()).collect();
        assert_eq!(read.len(), 1, "{who}: {what}");
    }
}
