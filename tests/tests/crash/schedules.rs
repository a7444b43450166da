//! Ten random schedules, always the same ones. `cargo xtask fault` tells others.

use futures_util::stream::{self, StreamExt as _};
use pli_tests::fault;

use crate::story::PROGRAM;

const SEEDS: [u64; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const STEPS: usize = 60;
/// How many are told at once.
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn schedules_of_fixed_seeds_lose_nothing_and_double_nothing() {
    let told = stream::iter(SEEDS).map(async |seed| (seed, fault::run(PROGRAM, seed, STEPS).await));
    let told: Vec<_> = told.buffer_unordered(AT_ONCE).collect().await;
    for (seed, outcome) in told {
        let why = outcome.err().map(|failure| failure.why);
        assert_eq!(why, None, "cargo xtask fault --seed {seed} --steps {STEPS}");
    }
}
