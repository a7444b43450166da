//! Files of this phone: for their owner alone, and there whole or not at all. What is in them is `store`'s and `keystore`'s.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Writes a file, whole and durable, where there is none.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    if path.try_exists()? {
        return Err(StoreError::Exists);
    }
    let part = part_of(path);
    let mut file = create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    publish(&part, path)
}

/// The name under which a file is made before it has its own.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    beside(path, ".part")
}

/// The name of a file's companion.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes an empty file in the place of what an interrupted attempt left there.
pub(crate) fn create(part: &Path) -> Result<File, StoreError> {
    remove_left(part)?;
    Ok(OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?)
}

/// Gives what is whole and durable its name.
pub(crate) fn publish(part: &Path, path: &Path) -> Result<(), StoreError> {
    std::fs::rename(part, path)?;
    sync_folder_of(path)
}

/// Removes a file that need not be there.
pub(crate) fn remove_left(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes a file for good, if there is one.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    remove_left(path)?;
    sync_folder_of(path)
}

/// Makes a folder, and its name durable.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    sync_folder_of(folder)
}

fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()?;
    Ok(())
}
