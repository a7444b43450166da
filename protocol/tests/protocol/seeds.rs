//! How random tests draw: the same cases on every run, unless `PLI_FRESH_SEEDS` is set in the environment.

use proptest::test_runner::{Config, RngSeed};

/// `cases` cases from a fixed seed. With `PLI_FRESH_SEEDS` set, to any value, from a seed that differs each time.
pub(crate) fn cases(cases: u32) -> Config {
    let is_fresh = std::env::var_os("PLI_FRESH_SEEDS").is_some();
    let rng_seed = if is_fresh {
        RngSeed::Random
    } else {
        RngSeed::Fixed(0x0050_4C49)
    };
    Config {
        cases,
        rng_seed,
        failure_persistence: None,
        ..Config::default()
    }
}
