//! A relay that ends at each of its steps, between commit and reply above all, and is started again on the same folder and port.

use pli_tests::process::Outside;

use crate::story::{
    DEPOSIT, DEPOSIT_LARGE, ENROL, LEARN, PROGRAM, RECEIPTS, RECEIVE, STORY, WITHDRAWAL, at_each_commit, at_each_step,
    check, ends, run,
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
    at_each_step(STORY, named, tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_before_any_of_its_commits_goes_on() {
    at_each_commit(STORY, COMMITTING, ("relay-commit-due", FIRST), tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ends_after_any_of_its_commits_goes_on() {
    at_each_commit(STORY, COMMITTING, ("relay-committed", FIRST), tell).await;
}

/// Tells the story with a relay that ends once, at `step` during one command; whether it did end there.
async fn tell(crashing: usize, step: &str) -> bool {
    let mut outside = Outside::open(PROGRAM);
    for at in 0..STORY.len() {
        let what = format!("the relay's {step} in {:?}", STORY[crashing]);
        if at == crashing {
            outside.stop_relay();
            outside.start_relay(Some(step));
            let end = run(&outside, at, None).await;
            if !outside.relay_crashed() {
                end.well();
                return false;
            }
            outside.start_relay(None);
        }
        run(&outside, at, None).await.well();
        check(&outside, at, &what);
    }
    true
}
