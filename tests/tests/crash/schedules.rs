//! Ten random schedules, always the same ones. `cargo xtask fault` tells others.

use futures_util::stream::{self, StreamExt as _};
use pli_tests::fault::{self, Happened};

use crate::story::PROGRAM;

const SEEDS: [u64; 10] = [1, 2, 8, 9, 14, 15, 28, 31, 33, 38];
const STEPS: usize = 60;
/// How many are told at once.
const AT_ONCE: usize = 3;

/// What between them they bring about at least once.
const KINDS: [&str; 30] = [
    "archive",
    "clock",
    "cut",
    "delete",
    "drain",
    "find",
    "half-open",
    "hand-over",
    "handle",
    "keep",
    "link",
    "link-again",
    "lose-main",
    "lose-second",
    "phone-ends",
    "put-device-back",
    "put-relay-back",
    "read",
    "recover",
    "recover-in-place",
    "relay-clock",
    "relay-ends",
    "relay-killed",
    "relay-told-put-back",
    "remove",
    "second-device",
    "send",
    "slow",
    "told-put-back",
    "withdraw",
];

#[tokio::test(flavor = "multi_thread")]
async fn schedules_of_fixed_seeds_lose_nothing_and_double_nothing() {
    let told = stream::iter(SEEDS).map(async |seed| (seed, fault::run(PROGRAM, seed, STEPS).await));
    let told: Vec<_> = told.buffer_unordered(AT_ONCE).collect().await;
    let mut happened = Happened::new();
    for (seed, outcome) in told {
        let kinds = outcome
            .unwrap_or_else(|failure| panic!("{}: cargo xtask fault --seed {seed} --steps {STEPS}", failure.why));
        fault::add(&mut happened, kinds);
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !happened.contains_key(*kind)).collect();
    assert!(missing.is_empty(), "none of them: {missing:?}, of {happened:?}");
}
