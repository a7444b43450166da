//! How much there is of what: counts of rows, nothing of whom they are.

use protocol::Timestamp;
use protocol::sequence::Step;
use rusqlite::{Connection, OptionalExtension as _};

use super::StorageError;
use crate::admin::{Activation, Day, Standing, Users};

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

/// Entries and enrolled addresses, by profession and département.
pub(crate) fn users(connection: &Connection) -> Result<Vec<Users>, StorageError> {
    let mut users = connection.prepare(
        "SELECT profession, departement, count(*), count(account.id)
         FROM directory_entry LEFT JOIN account ON account.address = directory_entry.address
         GROUP BY profession, departement ORDER BY profession, departement",
    )?;
    let rows = users.query_map([], |row| {
        Ok(Users {
            profession: row.get(0)?,
            departement: row.get(1)?,
            entries: row.get(2)?,
            enrolled: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Mails accepted since then, by day of Universal Time; the latest first. What phones tell each other is no mail.
pub(crate) fn days(connection: &Connection, since: Timestamp) -> Result<Vec<Day>, StorageError> {
    let mut days = connection.prepare(
        "SELECT date(deposit.accepted_at / 1000, 'unixepoch') AS day, count(DISTINCT deposit.id), count(delivery.address),
             count(CASE delivery.step WHEN ?2 THEN 1 END)
         FROM deposit LEFT JOIN delivery ON delivery.deposit = deposit.id
         WHERE deposit.notices = 1 AND deposit.accepted_at >= ?1
         GROUP BY day ORDER BY day DESC",
    )?;
    let rows = days.query_map([since.as_millis(), Step::Retrieved.number()], |row| {
        Ok(Day {
            day: row.get(0)?,
            mails: row.get(1)?,
            recipients: row.get(2)?,
            retrieved: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Where the address of an entry stands.
pub(crate) fn standing(connection: &Connection, address: &str, now: Timestamp) -> Result<Standing, StorageError> {
    let code = connection
        .query_row(
            "SELECT used, expires_at, reissues FROM activation WHERE address = ?1",
            [address],
            |row| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?)),
        )
        .optional()?;
    let code = match code {
        None => Activation::None,
        Some((true, ..)) => Activation::Used,
        Some((false, expires_at, _)) if expires_at < now.as_millis() => Activation::Expired,
        Some((false, _, true)) => Activation::Reissued,
        Some((false, _, false)) => Activation::Waiting,
    };
    let account = connection
        .query_row(
            "SELECT enrolled_at, count(device.id), count(CASE WHEN device.suspended_at <> 0 THEN 1 END)
             FROM account LEFT JOIN device ON device.account = account.id
             WHERE account.address = ?1 GROUP BY account.id",
            [address],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (enrolled_at, devices, suspended) = account.map_or((None, 0, 0), |(at, devices, suspended)| {
        (Some(Timestamp::from_millis(at)), devices, suspended)
    });
    Ok(Standing {
        code,
        enrolled_at,
        devices,
        suspended,
    })
}
