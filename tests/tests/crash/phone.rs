//! A phone that ends at each of its steps, and is started again.

use pli_tests::place::{CARDIOLOGIST, GP};
use pli_tests::process::Outside;
use pli_tests::stranger::Stranger;

use crate::story::{
    AROUND_COMMITS, Beginning, DELETE, DEPOSIT, ENROL, HANDLE, LEARN, PROGRAM, READ, RECEIPTS, RECEIVE, SEND, STORY,
    WITHDRAW, WITHDRAWAL, at_each_commit, at_each_step, begin, check, ends, run,
};

/// Each step of the core, and the commands of the story in which a phone ends there.
pub(crate) const STEPS: &[(&str, &[usize])] = &[
    ("deposit-answered", &[DEPOSIT, RECEIPTS]),
    ("deposit-settled", &[DEPOSIT, RECEIPTS]),
    ("enrolment-accepted", &[ENROL]),
    ("enrolment-stored", &[ENROL]),
    ("mail-deleted", &[DELETE]),
    ("mail-queued", &[SEND]),
    ("mail-sealed", &[DEPOSIT, RECEIPTS]),
    ("page-acknowledged", &[RECEIVE, LEARN]),
    ("page-opened", &[RECEIVE, LEARN]),
    ("page-stored", &[RECEIVE, LEARN]),
    ("store-commit-due", COMMITTING),
    ("store-committed", COMMITTING),
    ("store-key-kept", &[ENROL]),
    ("store-named", &[ENROL]),
    ("store-unnamed", &[ENROL]),
    ("withdrawal-answered", &[WITHDRAWAL]),
];

/// Steps of a sync that brings a new batch of prekeys, which the story does not come to.
pub(crate) const BATCH_STEPS: &[&str] = &["batch-stored", "batch-uploaded"];

/// Commands that commit, each of whose commits is tried, before and after.
const COMMITTING: &[usize] = &[
    ENROL, SEND, DEPOSIT, RECEIVE, READ, HANDLE, RECEIPTS, LEARN, WITHDRAW, WITHDRAWAL, DELETE,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_at_a_named_step_goes_on() {
    let named = ends(STEPS).filter(|(step, _)| !step.starts_with("store-commit"));
    at_each_step(named, begin(STORY), tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_around_any_of_its_commits_goes_on() {
    at_each_commit(COMMITTING, (AROUND_COMMITS, 1), begin(STORY), tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_while_it_renews_its_prekeys_goes_on() {
    for step in BATCH_STEPS {
        assert!(renew(step).await, "{step} is not reached");
    }
    for step in AROUND_COMMITS {
        let mut nth = 1;
        while renew(&format!("{step}:{nth}")).await {
            nth += 1;
        }
        assert!(nth > 2, "the batch and the end of its upload are commits");
    }
}

/// Takes most prekeys of a phone, and lets it end once, at `step` of the sync that brings new ones; whether it did end there.
async fn renew(step: &str) -> bool {
    let outside = Outside::open(PROGRAM);
    for at in ENROL..SEND {
        run(&outside, at, None).await.well();
    }
    let stranger = Stranger::enrol_at(outside.plain_url(), CARDIOLOGIST, outside.code(CARDIOLOGIST)).await;
    for _ in 0..75 {
        assert_eq!(stranger.take_prekey(GP).await.batch, 1);
    }
    let end = outside.run(GP, &["sync"], Some(step)).await;
    if !end.crashed() {
        end.well();
        return false;
    }
    outside.run(GP, &["sync"], None).await.well();
    assert_eq!(stranger.take_prekey(GP).await.batch, 2, "{step}");
    for at in SEND..=RECEIVE {
        run(&outside, at, None).await.well();
        check(&outside, at, step);
    }
    assert!(outside.phone(GP).unopened().unwrap().is_empty(), "{step}");
    true
}

async fn tell(beginning: &Beginning, step: &str) -> bool {
    beginning.tell(step, |_, _| (), check).await
}
