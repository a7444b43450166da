//! A second device that is added, and one that is removed: both devices end at each of their steps, and are started again.

use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::Outside;

use crate::story::{
    AROUND_COMMITS, Beginning, Command, at_each_commit, at_each_step, begin, ends, tell, tell_of_relay,
};

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
    at_each_step(ends(STEPS), begin_coded, tell(STORY, check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_ends_around_any_commit_of_its_linking_goes_on() {
    at_each_commit(COMMITTING, (AROUND_COMMITS, 1), begin_coded, tell(STORY, check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_while_a_list_is_published_goes_on() {
    at_each_step(ends(RELAY_STEPS), begin_coded, tell_of_relay(STORY, check)).await;
}

async fn begin_coded(at: usize) -> Beginning {
    // What a code leads to is in the relay's memory alone.
    let is_coded = (SHOW..=FINISH).contains(&at);
    Beginning::of(STORY, if is_coded { SHOW } else { at }).await.led_to(at)
}

/// The tablet is lost: the phone takes it off the list, and it erases itself once it is found.
const REMOVAL: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (TABLET, &["show-code", GP]),
    (GP, &["confirm-code"]),
    (GP, &["sync"]),
    (TABLET, &["finish-link"]),
    (NURSE, &["send", GP, "Secret", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (TABLET, &["sync"]),
    (GP, &["remove-others"]),
    (GP, &["sync"]),
    (TABLET, &["learn-of-removal"]),
    (NURSE, &["send", GP, "Après", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
];

const REMOVE: usize = 10;
const TAKE_OFF: usize = 11;
const ERASE: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_ends_while_it_removes_another_or_is_removed_goes_on() {
    // What other stories name happens here, too.
    let steps = [
        ("list-signed", TAKE_OFF),
        ("list-published", TAKE_OFF),
        ("erasing-begun", ERASE),
        ("key-erased", ERASE),
    ];
    at_each_step(steps.into_iter(), begin(REMOVAL), tell(REMOVAL, check_removal)).await;
    at_each_commit(
        &[REMOVE, TAKE_OFF],
        (AROUND_COMMITS, 1),
        begin(REMOVAL),
        tell(REMOVAL, check_removal),
    )
    .await;
}

/// The phone has everything, the tablet nothing.
fn check_removal(outside: &Outside, what: &str) {
    let gp = outside.phone(GP);
    assert_eq!(inbox(&gp), ["Secret", "Après"], "{what}");
    assert_eq!(gp.devices().unwrap().len(), 1, "{what}");
    // Who looks after it makes a fresh store: there is nothing in it.
    let left = outside.home(TABLET).join("store.db");
    assert!(!left.exists() || inbox(&outside.phone(TABLET)).is_empty(), "{what}");
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
