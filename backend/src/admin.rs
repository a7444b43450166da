//! What the operator does on the relay's data folder, whether the relay runs or not.

use std::io::Read;
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use protocol::api::DirectoryEntry;
use protocol::{Address, Code, Timestamp, limits};
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;

use crate::clock;
use crate::folder;
use crate::relay::RelayError;
use crate::storage::connection;
use crate::storage::directory::{self, Imported, Person};
use crate::storage::{StorageError, accounts, activation, figures};

/// Name of the database in a data folder.
pub(crate) const DATABASE: &str = "relay.db";
/// Longest field of a directory file, in bytes.
const FIELD_BYTES: usize = 200;
/// Rows of one transaction: a relay that runs meanwhile gets its turn in between.
const ROWS: usize = 500;

/// What an import did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ImportReport {
    /// Addresses of the rows that were taken, in the order of the file.
    pub addresses: Vec<Address>,
    /// New entries.
    pub added: u32,
    /// Entries that say something else now.
    pub updated: u32,
    /// Entries that were there as they are.
    pub unchanged: u32,
    /// Rows that were not taken.
    pub refused: Vec<RefusedRow>,
}

/// A row of a directory file that was not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Imports directory entries from CSV (comma or semicolon, UTF-8). The first line names the columns: `given`, `surname`
/// and `departement` are needed; `profession`, `specialty`, `postcode` and `town` are taken, others ignored.
///
/// A person who is there already is brought up to date. Rows that cannot be taken are reported, and the others taken.
///
/// # Errors
///
/// [`RelayError`] when the file lacks a needed column or cannot be read, or the data folder cannot be used.
pub fn import_csv(data: &Path, mut reader: impl Read) -> Result<ImportReport, RelayError> {
    let mut content = Vec::new();
    reader.read_to_end(&mut content)?;
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    let content = with_plain_line_ends(content);
    let first_line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if first_line.contains(&b';') { b';' } else { b',' };
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(content.as_slice());
    let columns = Columns::find(
        rows.byte_headers()
            .map_err(|error| RelayError::Csv(error.to_string()))?,
    )?;

    let mut connection = open(data)?;
    let mut report = ImportReport::default();
    let mut records = rows.byte_records().peekable();
    while records.peek().is_some() {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StorageError::from)?;
        for record in records.by_ref().take(ROWS) {
            let record = record.map_err(|error| RelayError::Csv(error.to_string()))?;
            import_row(&transaction, &columns, &record, &mut report)?;
        }
        transaction.commit().map_err(StorageError::from)?;
    }
    Ok(report)
}

/// Draws an activation code for an address of the directory, good once within 30 days; one drawn before is void.
///
/// # Errors
///
/// [`RelayError::NoEntry`] when the directory has no such address, others when the data folder cannot be used.
pub fn make_activation_code(data: &Path, address: &Address) -> Result<String, RelayError> {
    make_code(data, address, false)
}

/// Draws a code that activates an enrolled address anew, without the recovery phrase. Nothing changes until it is used: then
/// the identity before it is dead, and its devices are refused. One drawn before is void.
///
/// # Errors
///
/// [`RelayError::NotEnrolled`] when nobody is enrolled under this address; others as [`make_activation_code`].
pub fn reissue(data: &Path, address: &Address) -> Result<String, RelayError> {
    make_code(data, address, true)
}

fn make_code(data: &Path, address: &Address, reissues: bool) -> Result<String, RelayError> {
    let mut connection = open(data)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(StorageError::from)?;
    let code = match activation::make(&transaction, address, reissues, clock::now()) {
        Err(StorageError::Refused(Code::NotFound, _)) => return Err(RelayError::NoEntry),
        other => other?,
    };
    if reissues && accounts::find_id(&transaction, address)?.is_none() {
        return Err(RelayError::NotEnrolled);
    }
    transaction.commit().map_err(StorageError::from)?;
    Ok(code)
}

/// Entries of the directory, and how many of them are enrolled.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Users {
    /// The profession, as the entries have it.
    pub profession: String,
    /// The département.
    pub departement: String,
    /// How many entries there are.
    pub entries: u64,
    /// How many of them are enrolled.
    pub enrolled: u64,
}

/// The mails of one day.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Day {
    /// The day in Universal Time, as 2026-11-28.
    pub day: String,
    /// Mails that were accepted.
    pub mails: u64,
    /// Their recipients, all together.
    pub recipients: u64,
    /// How many of these have retrieved theirs so far.
    pub retrieved: u64,
}

/// Counts of users and mails; nothing of who they are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Figures {
    /// By profession and département.
    pub users: Vec<Users>,
    /// The latest day first, and only days with mails.
    pub days: Vec<Day>,
}

/// Counts users, and mails of the last `days` days. A relay remembers 90 days of them.
///
/// # Errors
///
/// [`RelayError`] when there is no relay in the data folder, or it cannot be used.
pub fn figures(data: &Path, days: u32) -> Result<Figures, RelayError> {
    let connection = open_existing(data)?;
    let since = clock::now().plus_days(i64::from(days).saturating_neg());
    Ok(Figures {
        users: figures::users(&connection)?,
        days: figures::days(&connection, since)?,
    })
}

/// What became of the code of an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// It was not used in time.
    Expired,
    /// None was drawn.
    None,
    /// One that activates an enrolled address anew waits for its use.
    Reissued,
    /// It was used.
    Used,
    /// It waits for its use.
    Waiting,
}

/// Where an address stands.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Standing {
    /// What became of its code.
    pub code: Activation,
    /// When it was enrolled, if it is.
    pub enrolled_at: Option<Timestamp>,
    /// Its devices.
    pub devices: u64,
    /// Those of them that are suspended.
    pub suspended: u64,
}

/// An entry of the directory, and where its address stands.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Account {
    /// The entry, as everybody sees it.
    #[serde(flatten)]
    pub entry: DirectoryEntry,
    /// What only the operator sees.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Entries whose names have a word that begins with each word of `words`, in a town that begins with `town`; or the one whose
/// address `words` is. At most [`protocol::limits::SEARCH_ENTRIES`].
///
/// # Errors
///
/// As [`figures()`].
pub fn find(data: &Path, words: &str, town: &str) -> Result<Vec<Account>, RelayError> {
    let connection = open_existing(data)?;
    let entries = directory::search(
        &connection,
        words,
        town,
        directory::Page {
            skip: 0,
            limit: limits::SEARCH_ENTRIES,
        },
    )?
    .entries;
    let now = clock::now();
    let mut accounts = Vec::new();
    for entry in entries {
        let standing = figures::standing(&connection, entry.address.as_str(), now)?;
        accounts.push(Account { entry, standing });
    }
    Ok(accounts)
}

/// Where the database of a data folder is.
pub(crate) fn database(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

/// The same with a line feed alone at the end of each line: line numbers would be one too low otherwise.
fn with_plain_line_ends(content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'\r' || after.first() != Some(&b'\n') {
            plain.push(byte);
        }
        rest = after;
    }
    plain
}

/// What is asked of a folder makes none.
fn open_existing(data: &Path) -> Result<Connection, RelayError> {
    if database(data).exists() {
        open(data)
    } else {
        Err(RelayError::NoRelay)
    }
}

fn open(data: &Path) -> Result<Connection, RelayError> {
    folder::create_private_folder(data)?;
    Ok(connection::open(&database(data))?)
}

fn import_row(
    connection: &Connection,
    columns: &Columns,
    record: &ByteRecord,
    report: &mut ImportReport,
) -> Result<(), RelayError> {
    let person = match columns.person(record) {
        Ok(person) => person,
        Err(reason) => {
            report.refuse(record, reason);
            return Ok(());
        }
    };
    let (count, address) = match directory::import(connection, &person)? {
        Some(Imported::Added(address)) => (&mut report.added, address),
        Some(Imported::Updated(address)) => (&mut report.updated, address),
        Some(Imported::Unchanged(address)) => (&mut report.unchanged, address),
        None => {
            report.refuse(record, "the name makes no address".to_owned());
            return Ok(());
        }
    };
    *count = count.saturating_add(1);
    report.addresses.push(address);
    Ok(())
}

impl ImportReport {
    fn refuse(&mut self, record: &ByteRecord, reason: String) {
        let line = record.position().map_or(0, csv::Position::line);
        self.refused.push(RefusedRow { line, reason });
    }
}

/// Where each column is.
struct Columns {
    given: usize,
    surname: usize,
    departement: usize,
    profession: Option<usize>,
    specialty: Option<usize>,
    postcode: Option<usize>,
    town: Option<usize>,
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Self, RelayError> {
        let place = |name: &str| {
            header
                .iter()
                .position(|column| column.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        };
        let needed = |name: &str| place(name).ok_or_else(|| RelayError::Csv(format!("there is no column {name:?}")));
        Ok(Self {
            given: needed("given")?,
            surname: needed("surname")?,
            departement: needed("departement")?,
            profession: place("profession"),
            specialty: place("specialty"),
            postcode: place("postcode"),
            town: place("town"),
        })
    }

    fn person(&self, record: &ByteRecord) -> Result<Person, String> {
        let field = |place: usize, name: &str| {
            let bytes = record.get(place).unwrap_or_default();
            if bytes.len() > FIELD_BYTES {
                return Err(format!("{name} is longer than {FIELD_BYTES} bytes"));
            }
            let text = str::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
            if text.chars().any(char::is_control) {
                return Err(format!("{name} holds control characters"));
            }
            Ok(text.trim().to_owned())
        };
        let maybe = |place: Option<usize>, name| place.map_or(Ok(String::new()), |place| field(place, name));
        let departement = field(self.departement, "departement")?;
        Ok(Person {
            given: field(self.given, "given")?,
            surname: field(self.surname, "surname")?,
            departement: departement
                .parse()
                .map_err(|error: protocol::address::AddressError| error.to_string())?,
            profession: maybe(self.profession, "profession")?,
            specialty: maybe(self.specialty, "specialty")?,
            postcode: maybe(self.postcode, "postcode")?,
            town: maybe(self.town, "town")?,
        })
    }
}
