//! The phone's store: opening, lists and search. Filled here as a sync leaves it, used in a process of its own by `phone`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use pli_core::keystore::{KeyPlace, STORE_FILE};
use pli_core::store::{Store, StoreError};
use protocol::MessageId;
use rusqlite::{Transaction, params};

use crate::corpus::{self, Corpus, Letter};
use crate::figure::Figure;
use crate::phone::{self, Task, Told};

const INBOX: usize = 10_000;
const SEARCHED: usize = 100_000;
/// Mails stored by one transaction.
const BATCH: usize = 1_000;
const STORE_PAGE_BYTES: u64 = 4_096;
/// How often a process is started.
const STARTS: usize = 11;
/// Sizes of what a received mail has besides its content: statement, signature, header.
const STATEMENT_BYTES: usize = 400;
const SIGNATURE_BYTES: usize = 3_373;
const HEADER_BYTES: usize = 200;
const OWN: &str = "mathieu.delorme@medical28.apicrypt.org";

/// The store is opened in a new process, and the first page rendered.
pub(crate) fn open() -> Vec<Figure> {
    let folder = filled(INBOX);
    let mut runs: Vec<(f64, Told)> = (0..STARTS).map(|_| run(Task::Open, &folder)).collect();
    runs.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (slowest, _) = runs.last().unwrap();
    let (median, told) = &runs[STARTS / 2];
    let pages = told.read_bytes.div_ceil(STORE_PAGE_BYTES);
    let beside = format!(
        "{pages} pages of 4 KiB read; slowest of {STARTS} {slowest:.1} ms; peak memory {:.0} MB",
        told.memory.peak_mb()
    );
    vec![
        Figure::new("new process to first Inbox page, 10,000 messages", *median, "ms")
            .at_most(100.0)
            .beside(beside),
    ]
}

/// The first page once more, while the store is open.
pub(crate) fn list() -> Vec<Figure> {
    let folder = filled(INBOX);
    let (_, told) = run(Task::List, &folder);
    let times = &told.times[0];
    let beside = format!(
        "median {:.3} ms; {} lines; 1 statement, as its test asserts",
        millis(times.p50_us),
        times.found
    );
    vec![
        Figure::new("a list page, p95", millis(times.p95_us), "ms")
            .at_most(1.0)
            .beside(beside),
    ]
}

/// The newest mails with a word.
pub(crate) fn search() -> Vec<Figure> {
    let folder = filled(SEARCHED);
    let (_, told) = run(Task::Search, &folder);
    let figures = told.times.iter().map(|times| {
        let what = match times.what.as_str() {
            "two letters" => "search 100,000 messages, two letters, newest 50, p95".to_owned(),
            share => format!("search 100,000 messages, word in {share}, newest 50, p95"),
        };
        let beside = format!("median {:.2} ms; {} found", millis(times.p50_us), times.found);
        Figure::new(what, millis(times.p95_us), "ms")
            .at_most(10.0)
            .beside(beside)
    });
    let mut figures: Vec<_> = figures.collect();
    figures.push(Figure::new("peak memory of that process", told.memory.peak_mb(), "MB"));
    figures
}

/// The folder of a store with so many received mails. It is kept in the target folder: the next run has the same letters.
fn filled(count: usize) -> PathBuf {
    let name = format!("store-{count}-{}", corpus::EDITION);
    let folder = std::env::current_exe().unwrap().with_file_name("bench").join(name);
    if !folder.exists() {
        let part = folder.with_extension("part");
        if part.exists() {
            fs::remove_dir_all(&part).unwrap();
        }
        fill(&part, count);
        fs::rename(&part, &folder).unwrap();
    }
    folder
}

fn fill(folder: &Path, count: usize) {
    // Made as a shell makes it, key and all.
    phone::open(folder).close();
    let key = KeyPlace::File(folder.join("store.key")).load().unwrap().unwrap();
    let store = Store::open(&folder.join(STORE_FILE), key).unwrap();
    let mut corpus = Corpus::new();
    let begun = Instant::now();
    for stored in (BATCH..=count).step_by(BATCH) {
        store
            .write::<_, StoreError>(|tx| {
                for _ in 0..BATCH {
                    let letter = corpus.next().unwrap();
                    let signed = corpus.bytes(STATEMENT_BYTES + SIGNATURE_BYTES + HEADER_BYTES);
                    insert(tx, &letter, &signed)?;
                }
                Ok(())
            })
            .unwrap();
        if stored % (10 * BATCH) == 0 {
            let seconds = begun.elapsed().as_secs_f64();
            eprintln!("bench:   {stored} of {count} messages stored, {seconds:.0} s");
        }
    }
    store.truncate_wal().unwrap();
}

fn insert(tx: &Transaction<'_>, letter: &Letter, signed: &[u8]) -> Result<(), StoreError> {
    let (statement, rest) = signed.split_at(STATEMENT_BYTES);
    let (signature, header) = rest.split_at(SIGNATURE_BYTES);
    let mut insert = tx.prepare_cached(
        "INSERT INTO message (id, sender, direction, subject, body, people, patient, content, statement, signature, header,
                              attachments, dated_at, read_at)
         VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        MessageId::make().unwrap().as_bytes(),
        letter.sender,
        letter.subject,
        letter.text,
        format!("{} {}", letter.sender, letter.name),
        letter.patient,
        letter.mime(OWN),
        statement,
        signature,
        header,
        u32::from(letter.attached.is_some()),
        letter.dated_at_ms,
        letter.dated_at_ms + 60_000,
    ])?;
    Ok(())
}

/// A phone in a new process: milliseconds until its first page was there, and what it told at its end.
fn run(task: Task, folder: &Path) -> (f64, Told) {
    let begun = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["phone", task.name()])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..phone::PAGE {
        lines.next().unwrap().unwrap();
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let last = lines.map(Result::unwrap).last().unwrap();
    assert!(child.wait().unwrap().success());
    (took, serde_json::from_str(&last).unwrap())
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}
