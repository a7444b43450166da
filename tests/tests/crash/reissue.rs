//! An address that is activated anew, for somebody without phone and phrase: who ends on the way is started again.

use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::Outside;

use crate::story::{AROUND_COMMITS, Command, at_each_commit, at_each_step, begin, ends, tell, tell_of_relay};

/// The phone on which the GP begins anew.
const NEW: &str = "new";

const ENROL: usize = 5;
const ACCEPT: usize = 9;
const RECEIVE: usize = 12;

const STORY: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (NURSE, &["send", GP, "En route", "60000"]),
    (NURSE, &["sync"]),
    ("relay", &["reissue", GP]),
    (NEW, &["enrol", GP]),
    (NEW, &["exchange"]),
    (NURSE, &["send", GP, "Retenue", "100"]),
    (NURSE, &["exchange"]),
    (NURSE, &["accept", GP]),
    (NURSE, &["exchange"]),
    (NURSE, &["exchange"]),
    (NEW, &["exchange"]),
    (NURSE, &["exchange"]),
    (NEW, &["exchange"]),
];

/// Steps at which a phone ends in other stories, too.
const STEPS: &[(&str, &[usize])] = &[
    ("enrolment-stored", &[ENROL]),
    ("enrolment-accepted", &[ENROL]),
    ("page-stored", &[RECEIVE]),
];

/// Commands of which each commit is tried, before and after.
const COMMITTING: &[usize] = &[ENROL, ACCEPT];

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_while_an_address_is_activated_anew_goes_on() {
    at_each_step(ends(STEPS), begin(STORY), tell(STORY, check)).await;
    at_each_commit(COMMITTING, (AROUND_COMMITS, 1), begin(STORY), tell(STORY, check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_before_it_answers_the_new_activation_goes_on() {
    let steps = [("enrolment-unanswered", ENROL)];
    at_each_step(steps.into_iter(), begin(STORY), tell_of_relay(STORY, check)).await;
}

/// Whatever happened on the way: what waited and what was held is there once, and the phone of before has its store.
fn check(outside: &Outside, what: &str) {
    let new = outside.phone(NEW);
    let mut came = inbox(&new);
    came.sort();
    assert_eq!(came, ["En route", "Retenue"], "{what}");
    assert!(new.unopened().unwrap().is_empty(), "{what}");
    assert!(outside.home(GP).join("store.db").exists(), "{what}");
}
