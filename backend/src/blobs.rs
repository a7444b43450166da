//! The blob folder: payloads too large for a row, each in a file of a random name that a row names.
//! A file is durable before its row is; files that no row names are swept, but not while a backup is being made. A marker shows that it is the folder that the
//! database began with, and not the empty one beneath a disk that is not mounted.

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

/// Letters of a file's name.
pub(crate) const NAME_LETTERS: usize = 32;

/// Ending of a file that is still being written.
const PART: &str = ".part";

/// Name of the marker: it holds the folder's id, which the database has, too.
pub(crate) const MARKER: &str = "folder.id";

/// The folder is another than the one that the database began with.
#[derive(Debug)]
pub(crate) enum FolderError {
    /// What is in the folder cannot be used.
    Io(io::Error),
    /// The marker with this id is not there.
    Strange(String),
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(crate) struct Blobs {
    folder: PathBuf,
    id: String,
    pending: Mutex<HashSet<String>>,
    removing: Mutex<()>,
}

impl Blobs {
    /// The blob folder at `folder`, which has the id that its database says, if it says one. Else it is made and marked.
    pub(crate) fn open(folder: &Path, id: Option<&str>) -> Result<Self, FolderError> {
        let marker = folder.join(MARKER);
        let id = if let Some(id) = id {
            if marked(&marker)?.as_deref() != Some(id) {
                return Err(FolderError::Strange(id.to_owned()));
            }
            id.to_owned()
        } else {
            folder::create_private_folder(folder)?;
            mark(folder, &marker)?
        };
        Ok(Self {
            folder: folder.to_owned(),
            id,
            pending: Mutex::default(),
            removing: Mutex::default(),
        })
    }

    /// The folder's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Writes a payload and makes it durable: the file first, then its name in the folder.
    pub(crate) fn store(self: &Arc<Self>, payload: &[u8]) -> io::Result<PendingBlob> {
        self.check_there()?;
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
                // With the whole folder gone nothing is lost: it will be mounted again.
                self.check_there()?;
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

    /// Removes files that no row names any longer; says whether it may. While the folder is [held](hold) they are left for
    /// the sweep.
    pub(crate) fn remove(&self, names: &[String]) -> bool {
        if names.is_empty() {
            return true;
        }
        let _one_at_a_time = self.removing.lock().unwrap_or_else(PoisonError::into_inner);
        // Locked until it is closed.
        let Ok(marker) = File::open(self.folder.join(MARKER)) else {
            return false;
        };
        if marker.try_lock().is_err() {
            return false;
        }
        for name in names {
            if let Err(error) = fs::remove_file(self.folder.join(name))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a payload that is no longer needed could not be removed");
            }
        }
        true
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
            if self.remove(&[name]) {
                swept = swept.saturating_add(1);
            }
        }
        Ok(swept)
    }

    /// The files whose deposit is decided: their rows are there if they ever will be.
    fn not_pending(&self) -> io::Result<Vec<String>> {
        self.check_there()?;
        let mut decided = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            if name == MARKER {
                continue;
            }
            let blob = name.strip_suffix(PART).unwrap_or(&name);
            let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if !pending.contains(blob) {
                decided.push(name);
            }
        }
        Ok(decided)
    }
}

impl Blobs {
    /// Fails while the folder is not the marked one: its disk may have gone while the relay runs.
    pub(crate) fn check_there(&self) -> io::Result<()> {
        if marked(&self.folder.join(MARKER))?.as_deref() == Some(self.id.as_str()) {
            Ok(())
        } else {
            tracing::error!("the blob folder is not there: is its disk mounted?");
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

/// Keeps the relay of this blob folder from removing any file until what is returned is dropped.
pub(crate) fn hold(folder: &Path) -> io::Result<File> {
    let marker = File::open(folder.join(MARKER))?;
    marker.lock_shared()?;
    Ok(marker)
}

/// What the marker says, if it is there.
fn marked(marker: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(marker) {
        Ok(id) => Ok(Some(id.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Marks a folder for a database that has none yet. A marker without anything beside it is that of a first start which
/// ended before its database had the id; with files beside it they are another database's, and would be swept.
fn mark(folder: &Path, marker: &Path) -> Result<String, FolderError> {
    if let Some(id) = marked(marker)? {
        let is_alone = fs::read_dir(folder)?.count() == 1;
        return if is_alone {
            Ok(id)
        } else {
            Err(FolderError::Strange(String::new()))
        };
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let id = HEXLOWER.encode(&random);
    folder::write_private(marker, format!("{id}\n").as_bytes())?;
    Ok(id)
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
    fn while_the_folder_is_held_no_file_is_removed_and_the_sweep_makes_good_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path(), None).unwrap());
        let blob = blobs.store(b"named in the copy").unwrap();
        let name = blob.name().to_owned();
        blob.adopt();
        let nothing_is_named = |_: &str| Ok::<_, io::Error>(false);
        let held = hold(folder.path()).unwrap();
        assert!(!blobs.remove(std::slice::from_ref(&name)));
        assert_eq!(blobs.sweep(nothing_is_named).unwrap(), 0);
        assert!(blobs.load(&name).unwrap().is_some());
        drop(held);
        assert_eq!(blobs.sweep(nothing_is_named).unwrap(), 1);
        assert!(blobs.load(&name).unwrap().is_none());
    }

    #[test]
    fn what_is_committed_while_the_sweep_looks_at_rows_stays() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path(), None).unwrap());
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
