//! How the relay's database file is opened, and its schema.
//! The statements are in the modules beside this one.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StorageError;

/// What brings the schema to each version, from the first on.
const SCHEMAS: [&str; 12] = [
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
    include_str!("schema/0009.sql"),
    include_str!("schema/0010.sql"),
    include_str!("schema/0011.sql"),
    include_str!("schema/0012.sql"),
];
/// The version of the last one.
pub(super) const NEWEST: i64 = 12;
/// How long to wait for another process, such as an import, to end its transaction.
const BUSY: Duration = Duration::from_secs(20);
/// Bytes of the log kept after a checkpoint.
const LOG_BYTES: i64 = 16 * 1024 * 1024;

/// A connection that writes; the file is made, readable by its owner alone, and the schema brought up to date.
pub(crate) fn open(path: &Path) -> Result<Connection, StorageError> {
    sqlcipher::link();
    crate::folder::create_private(path)?;
    let mut connection = configured(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    // A table that others refer to is made anew: that is checked at the end instead.
    connection.pragma_update(None, "foreign_keys", false)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (number, schema) in (1_i64..).zip(SCHEMAS) {
        if version < number {
            transaction.execute_batch(schema)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
    }
    if version > NEWEST {
        return Err(StorageError::Newer(version));
    }
    if version < NEWEST && transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(StorageError::Damaged("a row refers to one that is not there"));
    }
    transaction.commit()?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// A connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let connection = configured(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection to a database that stays as it is: no schema is brought up to date, no file made.
pub(super) fn open_untouched(path: &Path) -> Result<Connection, StorageError> {
    sqlcipher::link();
    configured(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn configured(path: &Path, flags: OpenFlags) -> Result<Connection, StorageError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}
