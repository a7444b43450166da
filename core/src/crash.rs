//! Named steps at which a test can end the process, as a power cut or `kill -9` would.
//! Built only with the feature `crash-points`: what ships holds no trace of them.

/// Ends the process if the environment's `PLI_CRASH_AT` names this step.
macro_rules! crash_point {
    ($step:literal) => {
        #[cfg(feature = "crash-points")]
        if std::env::var_os("PLI_CRASH_AT").is_some_and(|step| step == $step) {
            std::process::abort();
        }
    };
}

pub(crate) use crash_point;
