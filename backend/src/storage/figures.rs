//! How much there is of what: counts of rows, nothing of whom they are.

use rusqlite::Connection;

use super::StorageError;

/// A count of what is stored.
pub(crate) struct Stored {
    /// Its name for Prometheus.
    pub(crate) name: &'static str,
    /// What it counts.
    pub(crate) help: &'static str,
    /// The count.
    pub(crate) value: i64,
}

/// Each count's name, what it counts, and where it comes from.
const STORED: [(&str, &str, &str); 6] = [
    (
        "pli_directory_entries",
        "Entries of the directory.",
        "SELECT count(*) FROM directory_entry",
    ),
    (
        "pli_accounts",
        "Addresses that are enrolled.",
        "SELECT count(*) FROM account",
    ),
    ("pli_devices", "Devices of all accounts.", "SELECT count(*) FROM device"),
    (
        "pli_devices_suspended",
        "Devices that are suspended.",
        "SELECT count(*) FROM device WHERE suspended_at <> 0",
    ),
    (
        "pli_deliveries_waiting",
        "Recipients that have not retrieved a mail yet.",
        "SELECT count(*) FROM delivery WHERE step = 0",
    ),
    (
        "pli_database_bytes",
        "Size of the database file.",
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    ),
];

/// What is stored now.
pub(crate) fn stored(connection: &Connection) -> Result<Vec<Stored>, StorageError> {
    STORED
        .into_iter()
        .map(|(name, help, sql)| {
            let value = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(Stored { name, help, value })
        })
        .collect()
}
