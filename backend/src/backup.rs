//! Backups of a relay's data folder: made while it runs, looked over, and put back.
//! A backup is a folder: the database as of one moment, every blob that its rows name, and `SHA256SUMS`, which is written
//! last and which `sha256sum --check` reads, too. The database's own part is in [`crate::storage`]'s `copies`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::relay::{BLOBS, RelayError};
use crate::storage::copies;
use crate::{admin, blobs, folder, tls};

const SUMS: &str = "SHA256SUMS";
/// Ending of a backup that is being made.
const PART: &str = "part";
const CHUNK_BYTES: usize = 64 * 1024;

/// What is in a backup.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Contents {
    /// Accounts that are enrolled.
    pub accounts: u64,
    /// Payloads and parts of archives that are files.
    pub blobs: u64,
    /// All files together, in bytes.
    pub bytes: u64,
    /// Files that the relay itself had lost before: their senders are told so when they are asked for.
    pub lost: u64,
}

/// Copies the data folder `data`, whose relay may run, into the new folder `backup`.
///
/// While it is made the relay removes no blob file, so that each one named in the copy of the database is there to be
/// copied after it.
///
/// # Errors
///
/// [`RelayError::InTheWay`] when there is something at that place, [`RelayError::NoRelay`] when there is nothing to copy,
/// others when a folder fails.
pub fn make(data: &Path, backup: &Path) -> Result<Contents, RelayError> {
    let database = admin::database(data);
    if !database.exists() {
        return Err(RelayError::NoRelay);
    }
    let part = backup.with_added_extension(PART);
    for path in [backup, &part] {
        if path.symlink_metadata().is_ok() {
            return Err(RelayError::InTheWay(path.to_owned()));
        }
    }
    folder::create_private_folder(&part)?;
    let made = fill(data, &database, &part);
    if made.is_err() {
        let _ = fs::remove_dir_all(&part);
        return made;
    }
    fs::rename(&part, backup)?;
    match backup.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => folder::sync(parent)?,
        None => folder::sync(Path::new("."))?,
    }
    made
}

fn fill(data: &Path, database: &Path, part: &Path) -> Result<Contents, RelayError> {
    // Before the database is read, and until the last file is copied.
    let _held = blobs::hold(&data.join(BLOBS))?;
    let copied = admin::database(part);
    copies::copy(database, &copied)?;
    let stored = copies::check(&copied)?;
    folder::create_private_folder(&part.join(BLOBS))?;
    let mut files = Files::default();
    files.take(admin::DATABASE.to_owned(), read(&copied, None)?);
    for name in [marker(), tls::CA.to_owned(), tls::CA_KEY.to_owned()] {
        if data.join(&name).exists() {
            let read = read(&data.join(&name), Some(&part.join(&name)))?;
            files.take(name, read);
        }
    }
    for blob in &stored.blobs {
        let name = file_of(blob);
        match read(&data.join(&name), Some(&part.join(&name))) {
            Ok(read) => files.take(name, read),
            // The relay has lost it: that is nothing that a backup could make good.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(error.into()),
        }
    }
    File::open(&copied)?.sync_all()?;
    folder::sync(&part.join(BLOBS))?;
    folder::write_private(&part.join(SUMS), files.sums().as_bytes())?;
    Ok(files.contents(&stored))
}

/// Looks at every byte of a backup: the files are those that were copied, and the database is whole.
///
/// # Errors
///
/// [`RelayError::NoBackup`]; [`RelayError::BackupDamaged`] says what is not as it was copied.
pub fn check(backup: &Path) -> Result<Contents, RelayError> {
    Ok(look_over(backup)?.1)
}

/// Looks a backup over, and makes a data folder of it where there is none, or an empty one. The database comes last: what
/// was cut short is no folder that a relay starts on with less than all.
///
/// # Errors
///
/// As [`check`]; [`RelayError::InTheWay`] when the folder holds something.
pub fn restore(backup: &Path, data: &Path) -> Result<Contents, RelayError> {
    match fs::read_dir(data).map(Iterator::count) {
        Ok(0) => (),
        Ok(_) => return Err(RelayError::InTheWay(data.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(error.into()),
    }
    let (files, contents) = look_over(backup)?;
    folder::create_private_folder(data)?;
    folder::create_private_folder(&data.join(BLOBS))?;
    let mut names: Vec<_> = files.sums.keys().collect();
    names.sort_by_key(|name| *name == admin::DATABASE);
    for name in names {
        let part = data.join(format!("{name}.{PART}"));
        read(&backup.join(name), Some(&part))?;
        fs::rename(&part, data.join(name))?;
        if name == admin::DATABASE {
            folder::sync(&data.join(BLOBS))?;
        }
    }
    folder::sync(data)?;
    Ok(contents)
}

fn look_over(backup: &Path) -> Result<(Files, Contents), RelayError> {
    if !backup.is_dir() {
        return Err(RelayError::NoBackup(backup.to_owned()));
    }
    let text = fs::read_to_string(backup.join(SUMS)).map_err(|_| damaged(SUMS))?;
    let mut files = Files::default();
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").ok_or_else(|| damaged(SUMS))?;
        if !belongs(name) {
            return Err(damaged(SUMS));
        }
        match read(&backup.join(name), None) {
            Ok(read) if read.sum == sum => files.take(name.to_owned(), read),
            _ => return Err(damaged(name)),
        }
    }
    // A list of sums that was cut short names fewer files.
    for needed in [admin::DATABASE.to_owned(), marker()] {
        if !files.sums.contains_key(&needed) {
            return Err(damaged(SUMS));
        }
    }
    let stored = copies::check(&admin::database(backup));
    let stored = stored.map_err(|error| {
        tracing::warn!(%error, "the database of a backup is damaged");
        damaged(admin::DATABASE)
    })?;
    let id = fs::read_to_string(backup.join(marker())).map_err(|_| damaged(&marker()))?;
    if stored.folder.as_deref() != Some(id.trim()) {
        return Err(damaged(&marker()));
    }
    let contents = files.contents(&stored);
    Ok((files, contents))
}

/// The files of a backup, and what SHA-256 says of each.
#[derive(Default)]
struct Files {
    sums: BTreeMap<String, String>,
    bytes: u64,
}

impl Files {
    fn take(&mut self, name: String, read: Read) {
        self.bytes = self.bytes.saturating_add(read.bytes);
        self.sums.insert(name, read.sum);
    }

    /// As `sha256sum` writes it.
    fn sums<'a>(&'a self) -> String {
        let line = |(name, sum): (&'a String, &'a String)| [sum.as_str(), "  ", name.as_str(), "\n"];
        self.sums.iter().flat_map(line).collect()
    }

    fn contents(&self, stored: &copies::Stored) -> Contents {
        let is_there = |blob: &&String| self.sums.contains_key(&file_of(blob));
        let count = |blobs: usize| u64::try_from(blobs).unwrap_or(u64::MAX);
        let (there, named) = (stored.blobs.iter().filter(is_there).count(), stored.blobs.len());
        Contents {
            accounts: u64::try_from(stored.accounts).unwrap_or_default(),
            blobs: count(there),
            bytes: self.bytes,
            lost: count(named.saturating_sub(there)),
        }
    }
}

/// A file that was read to its end.
struct Read {
    sum: String,
    bytes: u64,
}

/// Reads a file, and makes a durable copy of it if `to` is given.
fn read(from: &Path, to: Option<&Path>) -> io::Result<Read> {
    let mut from = File::open(from)?;
    let mut to = to.map(folder::create_new_private).transpose()?;
    let (mut digest, mut bytes, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK_BYTES]);
    loop {
        let length = from.read(&mut chunk)?;
        let came = chunk.get(..length).unwrap_or_default();
        if came.is_empty() {
            break;
        }
        digest.update(came);
        bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if let Some(to) = &mut to {
            to.write_all(came)?;
        }
    }
    if let Some(to) = to {
        to.sync_all()?;
    }
    let sum = HEXLOWER.encode(&digest.finalize());
    Ok(Read { sum, bytes })
}

/// Whether a backup has files of that name: nothing that it says leads out of its folder.
fn belongs(name: &str) -> bool {
    let is_blob = |blob: &str| blob.len() == blobs::NAME_LETTERS && HEXLOWER.decode(blob.as_bytes()).is_ok();
    [admin::DATABASE, tls::CA, tls::CA_KEY, &marker()].contains(&name)
        || name
            .strip_prefix(BLOBS)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(is_blob)
}

fn marker() -> String {
    file_of(blobs::MARKER)
}

fn file_of(blob: &str) -> String {
    format!("{BLOBS}/{blob}")
}

fn damaged(name: &str) -> RelayError {
    RelayError::BackupDamaged(name.to_owned())
}
