//! The blob folder: payloads too large for a row, each in a file of a random name that a row names.
//! A file is durable before its row is; files that no row names are swept.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;

use crate::folder;

/// Payloads up to this size stay in their row, in bytes.
pub(crate) const IN_ROW_BYTES: usize = 16 * 1024;

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

    /// The payload in the file `name`.
    pub(crate) fn load(&self, name: &str) -> io::Result<Vec<u8>> {
        let limit = u64::try_from(protocol::limits::DEPOSIT_BYTES).unwrap_or(u64::MAX);
        let mut payload = Vec::new();
        File::open(self.folder.join(name))?
            .take(limit)
            .read_to_end(&mut payload)?;
        Ok(payload)
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
    pub(crate) fn sweep<E: From<io::Error>>(&self, is_named: impl Fn(&str) -> Result<bool, E>) -> Result<u32, E> {
        let mut swept = 0_u32;
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let blob = name.strip_suffix(PART).unwrap_or(&name);
            // In this order: what is no longer pending is decided, so that the row is there if it ever will be.
            let pending = self
                .pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(blob);
            if pending || (blob == name && is_named(blob)?) {
                continue;
            }
            fs::remove_file(file.path())?;
            swept = swept.saturating_add(1);
        }
        Ok(swept)
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
