//! How long to wait before the next attempt, of a row of the outbox as of the whole line.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Pauses from one second on, each twice the one before up to `longest`, with jitter, so that phones do not all come back at once.
pub(super) fn pauses(longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(longest)
        .with_jitter()
        .without_max_times()
        .build()
}
