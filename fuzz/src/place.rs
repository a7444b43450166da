//! A place that was set once and is copied for each input, so that none feels what another did.

use pli_tests::place::{Place, copy};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// The folder of a place whose relay has stopped.
pub(crate) struct Template(TempDir);

impl Template {
    pub(crate) fn of(place: &Place) -> Self {
        let kept = tempfile::tempdir().unwrap();
        copy(place.folder.path(), kept.path());
        Self(kept)
    }

    pub(crate) fn copy(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        copy(self.0.path(), folder.path());
        folder
    }
}

/// Runs it to its end; whatever it started and left ends with it.
pub(crate) fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}
