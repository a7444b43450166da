//! What time it is at the relay: its clock decides over prekeys, tokens and what has waited for too long.

use protocol::Timestamp;

/// The relay's time.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "crash-points")]
    if let Some(days) = std::env::var("PLI_CLOCK_AHEAD_DAYS")
        .ok()
        .and_then(|days| days.parse().ok())
    {
        return Timestamp::now().plus_days(days);
    }
    Timestamp::now()
}
