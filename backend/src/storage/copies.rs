//! A copy of the database as it is at one moment, and whether a copy is whole. The files beside it are [`crate::backup`]'s.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{StorageError, connection};

/// Copies the database `from` to the new file `to`, in one snapshot: a relay goes on writing meanwhile.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), StorageError> {
    let source = connection::open_untouched(from)?;
    crate::folder::create_private(to)?;
    let to = to
        .to_str()
        .ok_or_else(|| std::io::Error::other("the name of the copy is not UTF-8"))?;
    source.execute("VACUUM INTO ?1", [to])?;
    Ok(())
}

/// What a copy of the database says of itself.
pub(crate) struct Stored {
    /// The id of the blob folder that belongs to it.
    pub(crate) folder: Option<String>,
    /// The files that its rows name.
    pub(crate) blobs: Vec<String>,
    /// Its accounts.
    pub(crate) accounts: i64,
}

/// Reads a copy that nobody writes to, and looks at every page and reference of it.
pub(crate) fn check(copy: &Path) -> Result<Stored, StorageError> {
    let connection = connection::open_untouched(copy)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > connection::NEWEST {
        return Err(StorageError::Newer(version));
    }
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StorageError::Damaged("a page of the database"));
    }
    if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(StorageError::Damaged("a row refers to one that is not there"));
    }
    Ok(Stored {
        folder: connection
            .query_row("SELECT id FROM blob_folder", [], |row| row.get(0))
            .optional()?,
        blobs: named_blobs(&connection)?,
        accounts: connection.query_row("SELECT count(*) FROM account", [], |row| row.get(0))?,
    })
}

fn named_blobs(connection: &Connection) -> Result<Vec<String>, StorageError> {
    let mut named = connection
        .prepare("SELECT blob FROM payload WHERE blob <> '' UNION SELECT blob FROM archive_part ORDER BY 1")?;
    let rows = named.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
