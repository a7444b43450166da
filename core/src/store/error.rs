//! What can go wrong with the store and with its key. What `SQLite` said stays here.

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::code::coded;

/// A failure of the store or of the place its key is kept in.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else holds the store.
    #[error("the store is in use elsewhere")]
    Busy,
    /// What is stored is not what was written.
    #[error("the store is damaged")]
    Corrupt,
    /// There is a store already.
    #[error("there is a store already")]
    Exists,
    /// A request that the store does not understand: a fault of this program.
    #[error("the store could not do this")]
    Fault,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Files cannot be read or written.
    #[error("the store's files cannot be read or written")]
    Io,
    /// What is kept as the key is not one.
    #[error("the store's key is damaged")]
    KeyDamaged,
    /// There is a store, and its key is gone.
    #[error("the store's key is missing")]
    KeyMissing,
    /// Others than the owner may read the key file.
    #[error("the store's key file can be read by others")]
    KeyOpenToOthers,
    /// The platform's key store does not answer.
    #[error("the platform's key store does not answer")]
    KeyPlace,
    /// The key is another store's, or the file is not a store.
    #[error("the store does not open with this key")]
    KeyRefused,
    /// There is no store.
    #[error("there is no store")]
    Missing,
    /// A later version of the program wrote the store.
    #[error("the store was written by a later version")]
    Newer,
    /// The passphrase does not open the key.
    #[error("the passphrase is wrong")]
    PassphraseRefused,
    /// The system gives no random bytes.
    #[error("no random bytes to be had")]
    Random,
}

coded! {
    StoreError {
        Busy = "store-busy",
        Corrupt = "store-corrupt",
        Exists = "store-exists",
        Fault = "store-fault",
        Full = "store-full",
        Io = "store-io",
        KeyDamaged = "key-damaged",
        KeyMissing = "key-missing",
        KeyOpenToOthers = "key-open-to-others",
        KeyPlace = "key-place",
        KeyRefused = "key-refused",
        Missing = "store-missing",
        Newer = "store-newer",
        PassphraseRefused = "passphrase-refused",
        Random = "no-randomness",
    }
}

impl StoreError {
    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy)
    }

    /// What to tell a person, in French and in English: what happened and what can be done.
    #[must_use]
    pub const fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Busy => (
                "Le coffre est utilisé par un autre programme : fermez-le ou réessayez.",
                "The store is in use by another program: close it or try again.",
            ),
            Self::Corrupt => (
                "Le coffre est endommagé ; rien n'y est changé. Gardez ses fichiers et restaurez une sauvegarde.",
                "The store is damaged and was left as it is. Keep its files and restore a backup.",
            ),
            Self::Exists => (
                "Il y a déjà un coffre à cet endroit : ouvrez-le ou choisissez un autre dossier.",
                "There is a store here already: open it or choose another folder.",
            ),
            Self::Fault => (
                "Le coffre n'a pas pu faire cela ; rien n'y est changé. Signalez-le avec ce code.",
                "The store could not do this and was left as it is. Report it with this code.",
            ),
            Self::Full => (
                "Le disque est plein : libérez de la place, puis recommencez.",
                "The disk is full: free some space, then try again.",
            ),
            Self::Io => (
                "Les fichiers du coffre ne peuvent être lus ou écrits : vérifiez le dossier et ses droits.",
                "The store's files cannot be read or written: check the folder and its permissions.",
            ),
            Self::KeyDamaged => (
                "La clé du coffre est abîmée ; rien n'est effacé. Remettez la clé d'origine, ou réinscrivez cet appareil dans un autre dossier.",
                "The store's key is damaged; nothing is erased. Put the original key back, or enrol this device anew in another folder.",
            ),
            Self::KeyMissing => (
                "La clé du coffre a disparu ; rien n'est effacé. Remettez la clé, ou réinscrivez cet appareil dans un autre dossier.",
                "The store's key is gone; nothing is erased. Put the key back, or enrol this device anew in another folder.",
            ),
            Self::KeyOpenToOthers => (
                "D'autres peuvent lire le fichier de clé : réservez-le à son propriétaire (chmod 600).",
                "Others can read the key file: keep it to its owner (chmod 600).",
            ),
            Self::KeyPlace => (
                "Le trousseau du système ne répond pas : déverrouillez l'appareil, puis réessayez.",
                "The system's key store does not answer: unlock the device, then try again.",
            ),
            Self::KeyRefused => (
                "Cette clé n'ouvre pas ce coffre, ou ce fichier n'en est pas un ; rien n'est effacé. Vérifiez le dossier et la clé.",
                "This key does not open this store, or the file is not one; nothing is erased. Check the folder and the key.",
            ),
            Self::Missing => (
                "Il n'y a pas de coffre ici : vérifiez le dossier.",
                "There is no store here: check the folder.",
            ),
            Self::Newer => (
                "Une version plus récente a écrit ce coffre : mettez l'application à jour.",
                "A later version wrote this store: update the application.",
            ),
            Self::PassphraseRefused => (
                "Phrase secrète refusée : vérifiez-la et recommencez.",
                "The passphrase was refused: check it and try again.",
            ),
            Self::Random => (
                "Le système ne fournit pas d'aléa : redémarrez l'appareil.",
                "The system gives no random bytes: restart the device.",
            ),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(inner) = error.sqlite_error() else {
            // A row that is not of the type the schema gives it, or a statement used wrongly.
            return match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => Self::Corrupt,
                _ => Self::Fault,
            };
        };
        match inner.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DatabaseCorrupt => Self::Corrupt,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::NotADatabase => Self::KeyRefused,
            ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure => Self::Io,
            _ => {
                tracing::error!(code = inner.extended_code, "the store refused a statement");
                Self::Fault
            }
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::Full,
            _ => Self::Io,
        }
    }
}
