//! The blob folder: payloads too large for a row, each in a file of a random name that a row names.
//! A file is durable before its row is; files that no row names are swept.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use protocol::limits;

use crate::folder;

/// Payloads up to this size stay in their row, in bytes.
pub(crate) const IN_ROW_BYTES: usize = 16 * 1024;

/// The largest of what is kept here, in bytes.
const LARGEST_BYTES: usize = if limits::ARCHIVE_PART_BYTES > limits::PAYLOAD_BYTES {
    limits::ARCHIVE_PART_BYTES
} else {
    limits::PAYLOAD_BYTES
};

/// Ending of a file that is still being written.
const PART: &str = ".part";

pub(crate) struct Blobs {
    folder: PathBuf,
    pending: Mutex<HashSet<String>>,
}

impl Blobs {
    /// The blob folder at `folder`, made when there is none.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        folder::create_private_folder(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            pending: Mutex::default(),
        })
    }

    /// Writes a payload and makes it durable: the file first, then its name in the folder.
    pub(crate) fn store(self: &Arc<Self>, payload: &[u8]) -> io::Result<PendingBlob> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = HEXLOWER.encode(&random);
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone());
        let blob = PendingBlob {
            blobs: Arc::clone(self),
            name,
            adopted: false,
        };
        let part = self.folder.join(format!("{}{PART}", blob.name));
        let mut file = folder::create_new_private(&part)?;
        file.write_all(payload)?;
        file.sync_all()?;
        fs::rename(&part, self.folder.join(&blob.name))?;
        folder::sync(&self.folder)?;
        Ok(blob)
    }

    /// What the file `name` holds; `None` when it is gone or the disk does not give it back.
    ///
    /// An error is one that may pass, such as too many open files.
    pub(crate) fn load(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let limit = u64::try_from(LARGEST_BYTES).unwrap_or(u64::MAX);
        let file = match File::open(self.folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::error!("a payload file is gone");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut payload = Vec::new();
        let read = file.take(limit).read_to_end(&mut payload);
        Ok(read
            .inspect_err(|error| tracing::error!(%error, "a payload file cannot be read"))
            .ok()
            .map(|_| payload))
    }

    /// Removes files that no row names any longer.
    pub(crate) fn remove(&self, names: &[String]) {
        for name in names {
            if let Err(error) = fs::remove_file(self.folder.join(name))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a payload that is no longer needed could not be removed");
            }
        }
    }

    /// Removes every file that is neither being deposited nor named by a row; tells how many.
    ///
    /// The first row is looked at after the last file: rows read in one snapshot from then on are all there are.
    pub(crate) fn sweep<E: From<io::Error>>(&self, is_named: impl Fn(&str) -> Result<bool, E>) -> Result<u32, E> {
        let mut swept = 0_u32;
        for name in self.not_pending()? {
            if !name.ends_with(PART) && is_named(&name)? {
                continue;
            }
            self.remove(&[name]);
            swept = swept.saturating_add(1);
        }
        Ok(swept)
    }

    /// The files whose deposit is decided: their rows are there if they ever will be.
    fn not_pending(&self) -> io::Result<Vec<String>> {
        let mut decided = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            let blob = name.strip_suffix(PART).unwrap_or(&name);
            let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if !pending.contains(blob) {
                decided.push(name);
            }
        }
        Ok(decided)
    }
}

/// A payload file whose row is not yet committed.
pub(crate) struct PendingBlob {
    blobs: Arc<Blobs>,
    name: String,
    adopted: bool,
}

impl PendingBlob {
    /// Its name, for the row.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// No row will name it.
    pub(crate) fn discard(self) {
        self.blobs.remove(std::slice::from_ref(&self.name));
    }

    /// Its row is committed.
    pub(crate) fn adopt(mut self) {
        self.adopted = true;
    }
}

impl Drop for PendingBlob {
    /// What was not adopted is left for the sweep: a failed commit may still come back with the log.
    fn drop(&mut self) {
        self.blobs
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
        if !self.adopted {
            tracing::debug!("a payload without a row is left for the sweep");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn what_is_committed_while_the_sweep_looks_at_rows_stays() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
        let without_row = blobs.store(b"decided").unwrap();
        drop(without_row);
        let on_their_way: Vec<_> = (0..50).map(|_| blobs.store(b"on its way").unwrap()).collect();
        let names: Vec<_> = on_their_way.iter().map(|blob| blob.name().to_owned()).collect();
        let on_their_way = RefCell::new(on_their_way);
        // The rows are read in a snapshot from before those commits: it names none of them.
        let swept = blobs.sweep(|_| {
            on_their_way.take().into_iter().for_each(PendingBlob::adopt);
            Ok::<_, io::Error>(false)
        });
        assert_eq!(swept.unwrap(), 1);
        for name in names {
            assert_eq!(blobs.load(&name).unwrap().unwrap(), b"on its way");
        }
    }
}
