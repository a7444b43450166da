//! A relay that ends at each of its steps, between commit and reply above all, and is started again on the same folder and port.

use crate::story::{
    Beginning, DEPOSIT, DEPOSIT_LARGE, ENROL, LEARN, RECEIPTS, RECEIVE, STORY, WITHDRAWAL, at_each_commit,
    at_each_step, begin, check, ends,
};

/// Each step of the relay, and the commands of the story during which it ends there.
pub(crate) const STEPS: &[(&str, &[usize])] = &[
    ("acknowledgement-unanswered", &[RECEIVE, LEARN]),
    ("deposit-unanswered", &[DEPOSIT, RECEIPTS, DEPOSIT_LARGE]),
    ("enrolment-unanswered", &[ENROL]),
    ("payload-kept", &[DEPOSIT, DEPOSIT_LARGE]),
    ("relay-commit-due", COMMITTING),
    ("relay-committed", COMMITTING),
    ("withdrawal-unanswered", &[WITHDRAWAL]),
];

/// Commands during which the relay commits.
const COMMITTING: &[usize] = &[ENROL, DEPOSIT, RECEIVE, RECEIPTS, LEARN, DEPOSIT_LARGE, WITHDRAWAL];

/// The commit before it is that of the start, which forgets what is old.
const FIRST: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_at_a_named_step_goes_on() {
    let named = ends(STEPS).filter(|(step, _)| !step.starts_with("relay-commit"));
    at_each_step(named, begin(STORY), tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_around_any_of_its_commits_goes_on() {
    let steps = ["relay-commit-due", "relay-committed"];
    at_each_commit(COMMITTING, (&steps, FIRST), begin(STORY), tell).await;
}

async fn tell(beginning: &Beginning, step: &str) -> bool {
    beginning.tell_of_relay(step, check).await
}
