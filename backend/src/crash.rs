//! Named steps at which a test can end the process, as a power cut or `kill -9` would.
//! Built only with the feature `crash-points`: what ships holds no trace of them.

/// Ends the process if the environment's `PLI_CRASH_AT` names this step, as `step`, or `step:n` for its n-th time.
macro_rules! crash_point {
    ($step:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::reach($step);
    };
}

pub(crate) use crash_point;

#[cfg(feature = "crash-points")]
pub(crate) fn reach(step: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    // One step is named in the life of a process, so one counter is enough.
    static TIMES: AtomicU32 = AtomicU32::new(1);

    let Ok(named) = std::env::var("PLI_CRASH_AT") else {
        return;
    };
    let (name, nth) = named.split_once(':').unwrap_or((&named, "1"));
    if name == step && TIMES.fetch_add(1, Ordering::SeqCst).to_string() == nth {
        std::process::abort();
    }
}
