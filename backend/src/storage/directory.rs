//! The directory's entries: import, look-up by address, search by name and town.
//! The CSV file itself is read in [`crate::admin`].

use protocol::address::{Departement, fold_name};
use protocol::api::{DirectoryEntries, DirectoryEntry};
use protocol::{Address, limits};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::StorageError;

const COLUMNS: &str = "directory_entry.address, given, surname, profession, specialty, postcode, town,
    EXISTS (SELECT 1 FROM account JOIN device ON device.account = account.id
            JOIN prekey_batch ON prekey_batch.device = device.id
            WHERE account.address = directory_entry.address
            AND device.suspended_at = 0 AND prekey_batch.not_after >= CAST(unixepoch('subsec') * 1000 AS INTEGER))";

/// Words of a query beyond this many are not looked at.
const QUERY_WORDS: usize = 8;

/// A person as the operator knows them.
pub(crate) struct Person {
    pub(crate) given: String,
    pub(crate) surname: String,
    pub(crate) departement: Departement,
    pub(crate) profession: String,
    pub(crate) specialty: String,
    pub(crate) postcode: String,
    pub(crate) town: String,
}

/// What importing one person did.
pub(crate) enum Imported {
    /// A new entry.
    Added(Address),
    /// The entry was there, and says something else now.
    Updated(Address),
    /// The entry was there as it is.
    Unchanged(Address),
}

/// Adds a person, or brings their entry up to date. The same name, département, town and profession is the same person.
///
/// `None` when the name makes no address.
pub(crate) fn import(connection: &Connection, person: &Person) -> Result<Option<Imported>, StorageError> {
    let folded = [&person.given, &person.surname, &person.profession, &person.town].map(|text| fold_name(text));
    let [given, surname, profession, town] = &folded;
    let departement = person.departement.to_string();
    let known: Option<(i64, String)> = connection
        .prepare_cached(
            "SELECT id, address FROM directory_entry WHERE departement = ?1 AND folded_surname = ?2
             AND folded_given = ?3 AND folded_town = ?4 AND folded_profession = ?5",
        )?
        .query_row(params![departement, surname, given, town, profession], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((id, address)) = known {
        let address = address
            .parse()
            .map_err(|_| StorageError::Damaged("an entry's address"))?;
        let changed = connection
            .prepare_cached(
                "UPDATE directory_entry SET given = ?2, surname = ?3, profession = ?4, specialty = ?5, postcode = ?6,
                 town = ?7 WHERE id = ?1
                 AND (given, surname, profession, specialty, postcode, town) IS NOT (?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                person.given,
                person.surname,
                person.profession,
                person.specialty,
                person.postcode,
                person.town
            ])?;
        return Ok(Some(if changed > 0 {
            Imported::Updated(address)
        } else {
            Imported::Unchanged(address)
        }));
    }
    let Some(address) = free_address(connection, person)? else {
        return Ok(None);
    };
    let id = connection
        .prepare_cached(
            "INSERT INTO directory_entry (address, given, surname, departement, profession, specialty, postcode, town,
                 folded_given, folded_surname, folded_profession, folded_town)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .insert(params![
            address.as_str(),
            person.given,
            person.surname,
            departement,
            person.profession,
            person.specialty,
            person.postcode,
            person.town,
            given,
            surname,
            profession,
            town,
        ])?;
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO directory_word (word, entry) VALUES (?1, ?2)")?;
    for word in words(given).chain(words(surname)) {
        insert.execute(params![word, id])?;
    }
    Ok(Some(Imported::Added(address)))
}

/// The entry with this address.
pub(crate) fn entry(connection: &Connection, address: &Address) -> Result<Option<DirectoryEntry>, StorageError> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM directory_entry WHERE address = ?1"))?
        .query_row([address.as_str()], read_entry)
        .optional()?;
    row.transpose()
}

/// Which of the entries that a search finds.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// So many are passed over.
    pub(crate) skip: u32,
    /// So many at most.
    pub(crate) limit: u32,
}

/// Entries whose names have a word that begins with each word of `query`, in any order, in a town that begins with `town`.
///
/// Whole words come first, then by name. Neither a name nor a town finds nothing.
pub(crate) fn search(
    connection: &Connection,
    query: &str,
    town: &str,
    page: Page,
) -> Result<DirectoryEntries, StorageError> {
    let Page { skip, limit } = page;
    let limit = limit.min(limits::SEARCH_ENTRIES);
    let nothing = DirectoryEntries {
        entries: Vec::new(),
        more: false,
    };
    if let Ok(address) = query.trim().parse::<Address>() {
        let entries = entry(connection, &address)?
            .into_iter()
            .skip(usize::from(skip > 0))
            .collect();
        return Ok(DirectoryEntries { entries, ..nothing });
    }
    let (query, town) = (fold_name(query), fold_name(town));
    let words: Vec<&str> = words(&query).take(QUERY_WORDS).collect();
    if words.is_empty() && town.is_empty() {
        return Ok(nothing);
    }
    let mut values: Vec<String> = Vec::new();
    let mut conditions = Vec::new();
    let mut whole = Vec::new();
    for word in words {
        values.push(word.to_owned());
        let place = values.len();
        // `{{` sorts after every folded letter, so that the two bounds hold exactly the words with this prefix.
        conditions.push(format!(
            "directory_entry.id IN (SELECT entry FROM directory_word WHERE word >= ?{place} AND word < ?{place} || '{{')"
        ));
        whole.push(format!(
            "EXISTS (SELECT 1 FROM directory_word WHERE word = ?{place} AND entry = directory_entry.id)"
        ));
    }
    if !town.is_empty() {
        values.push(town);
        let place = values.len();
        conditions.push(format!("folded_town >= ?{place} AND folded_town < ?{place} || '{{'"));
    }
    let best_first = if whole.is_empty() {
        String::new()
    } else {
        format!("{} DESC, ", whole.join(" + "))
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM directory_entry WHERE {}
         ORDER BY {best_first}folded_surname, folded_given, address LIMIT {} OFFSET {skip}",
        conditions.join(" AND "),
        limit.saturating_add(1),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read_entry)?;
    let mut entries: Vec<_> = rows.map(|row| row?).collect::<Result<_, StorageError>>()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok(DirectoryEntries { entries, more })
}

/// The first address of the person's name that nobody has; `None` when the name makes none.
fn free_address(connection: &Connection, person: &Person) -> Result<Option<Address>, StorageError> {
    let mut taken = connection.prepare_cached("SELECT 1 FROM directory_entry WHERE address = ?1")?;
    for homonym in 1..=u16::MAX {
        let Ok(address) = Address::for_person(&person.given, &person.surname, &person.departement, homonym) else {
            return Ok(None);
        };
        if !taken.exists([address.as_str()])? {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split('-').filter(|word| !word.is_empty())
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Result<DirectoryEntry, StorageError>> {
    let address: String = row.get(0)?;
    let Ok(address) = address.parse() else {
        return Ok(Err(StorageError::Damaged("an entry's address")));
    };
    Ok(Ok(DirectoryEntry {
        address,
        given: row.get(1)?,
        surname: row.get(2)?,
        profession: row.get(3)?,
        specialty: row.get(4)?,
        postcode: row.get(5)?,
        town: row.get(6)?,
        reachable: row.get(7)?,
    }))
}
