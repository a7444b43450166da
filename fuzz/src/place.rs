//! A place that was set once and is copied for each input, so that none feels what another did.

use std::fs;
use std::path::Path;

use pli_tests::place::Place;
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

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}
