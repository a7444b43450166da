//! Phones and relays that end at every persisted step, as by a power cut or `kill -9`, and go on where they were.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it found by panicking"
)]

mod clock;
mod devices;
mod disk;
mod handover;
mod phone;
mod recovery;
mod reissue;
mod relay;
mod rollback;
mod schedules;
mod story;

use std::collections::BTreeSet;
use std::path::Path;

use pli_tests::process::steps_in;

#[test]
fn every_step_of_the_sources_has_a_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (sources, stories, more) in [
        (
            "core/src",
            [
                phone::STEPS,
                recovery::STEPS,
                devices::STEPS,
                handover::STEPS,
                rollback::STEPS,
                rollback::PHONE_STEPS,
            ]
            .as_slice(),
            phone::BATCH_STEPS,
        ),
        (
            "backend/src",
            &[relay::STEPS, recovery::RELAY_STEPS, devices::RELAY_STEPS],
            &[],
        ),
    ] {
        let found = steps_in(&root.join(sources));
        let distinct: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(distinct.len(), found.len(), "a step is named twice: {found:?}");
        let tried: BTreeSet<&str> = stories
            .iter()
            .copied()
            .flatten()
            .map(|(step, _)| *step)
            .chain(more.iter().copied())
            .collect();
        assert_eq!(distinct, tried, "{sources}");
    }
}
