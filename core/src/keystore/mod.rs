//! Where the store's key is kept, and how a store is opened with it.
//! A key is made only where there is no store: one that is missing beside a store is an error, and nothing is overwritten.
//! What the key opens is `store`'s.

mod file;
mod passphrase;
mod platform;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::crash::crash_point;
use crate::files::{self, make_folder};
use crate::store::{Store, StoreError, StoreKey};

pub use passphrase::Passphrase;

/// The store's file in its folder.
pub const STORE_FILE: &str = "store.db";

/// Stands in the folder from the decision to erase the store until nothing of it is left.
const ERASING: &str = "erasing";

/// Where a store's key is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyPlace {
    /// In a file that its owner alone may read.
    File(PathBuf),
    /// In a file, sealed by a passphrase.
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What opens it.
        passphrase: Passphrase,
    },
    /// In the platform's key store: readable once the device was unlocked, and never leaving it.
    Platform {
        /// The application.
        service: String,
        /// The account in it.
        user: String,
    },
}

impl KeyPlace {
    /// The key kept there; none when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyOpenToOthers`], [`StoreError::KeyDamaged`], [`StoreError::PassphraseRefused`] or
    /// [`StoreError::KeyPlace`], by the kind of place.
    pub fn load(&self) -> Result<Option<StoreKey>, StoreError> {
        match self {
            Self::File(path) => file::load(path),
            Self::Passphrase { path, passphrase } => passphrase::load(path, passphrase),
            Self::Platform { service, user } => platform::load(service, user),
        }
    }

    /// Keeps a key where there is none yet; it is durable once this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when there is a key already; otherwise as [`KeyPlace::load`].
    pub fn save(&self, key: &StoreKey) -> Result<(), StoreError> {
        match self {
            Self::File(path) => file::save(path, key),
            Self::Passphrase { path, passphrase } => passphrase::save(path, passphrase, key),
            Self::Platform { service, user } => platform::save(service, user, key),
        }
    }

    /// Forgets the key, if there is one.
    fn erase(&self) -> Result<(), StoreError> {
        match self {
            Self::File(path) | Self::Passphrase { path, .. } => files::remove(path),
            Self::Platform { service, user } => platform::erase(service, user),
        }
    }
}

/// Opens the store of a folder, or makes folder, key and store where there are none.
///
/// # Errors
///
/// [`StoreError::KeyMissing`] when there is a store and no key; otherwise the store's and the key place's.
pub fn open_or_create(folder: &Path, place: &KeyPlace) -> Result<Store, StoreError> {
    make_folder(folder)?;
    // Two processes that begin at once must not make two keys for one store. Released when closed.
    let turn = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("store.lock"))?;
    turn.lock()?;
    if folder.join(ERASING).try_exists()? {
        finish_erasing(folder, place)?;
    }
    let path = folder.join(STORE_FILE);
    match (path.try_exists()?, place.load()?) {
        (true, Some(key)) => Store::open(&path, key),
        (true, None) => Err(StoreError::KeyMissing),
        // The last attempt ended between key and store.
        (false, Some(key)) => Store::create(&path, key),
        (false, None) => {
            let key = StoreKey::make()?;
            place.save(&key)?;
            crash_point!("store-key-kept");
            Store::create(&path, key)
        }
    }
}

/// Erases key and store for good. Once begun, it is finished by whoever opens the folder next.
///
/// # Errors
///
/// The file system's, and the key place's.
pub(crate) fn erase(folder: &Path, place: &KeyPlace) -> Result<(), StoreError> {
    match files::write_new(&folder.join(ERASING), b"") {
        Err(StoreError::Exists) | Ok(()) => {}
        Err(error) => return Err(error),
    }
    crash_point!("erasing-begun");
    finish_erasing(folder, place)
}

/// The key goes first: without it the rest is noise.
fn finish_erasing(folder: &Path, place: &KeyPlace) -> Result<(), StoreError> {
    place.erase()?;
    crash_point!("key-erased");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        files::remove(&folder.join(format!("{STORE_FILE}{suffix}")))?;
    }
    files::remove(&folder.join(ERASING))
}

/// Reads a file of at most `most` bytes that its owner alone may read; none when there is none.
fn read_private(path: &Path, most: u64) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(StoreError::KeyOpenToOthers);
    }
    if !metadata.is_file() || metadata.len() > most {
        return Err(StoreError::KeyDamaged);
    }
    // Room for it all, so that no smaller copy is left behind.
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(usize::try_from(most).unwrap_or(0)));
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
