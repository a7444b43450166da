//! What time it is: by this phone, and by the relay, whose clock decides over prekeys and tokens.
//! A phone whose clock is wrong must neither lose keys nor look expired to others.

use std::sync::atomic::{AtomicI64, Ordering};

use protocol::Timestamp;

/// The relay's clock, as far as it was heard.
#[derive(Debug, Default)]
pub(crate) struct RelayClock {
    ahead_ms: AtomicI64,
}

impl RelayClock {
    /// The relay says that it is `time` there.
    pub(crate) fn heard(&self, time: Timestamp) {
        self.ahead_ms.store(time.millis_since(now()), Ordering::Relaxed);
    }

    /// The relay's time; this phone's while nothing was heard.
    pub(crate) fn now(&self) -> Timestamp {
        let millis = now().as_millis().saturating_add(self.ahead_ms.load(Ordering::Relaxed));
        Timestamp::from_millis(millis)
    }
}

/// This phone's time. Only for what is shown and for what never leaves the phone.
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
