//! A phone in a process of its own: it opens a filled store and does what a shell would, through `Session` alone.
//! Who fills the store, and what is made of the answers, is in `store`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hdrhistogram::Histogram;
use pli_core::keystore::KeyPlace;
use pli_core::{Config, Folder, Patience, Session, Summary};
use serde::{Deserialize, Serialize};

use crate::corpus::{MOST, RARE, TENTH};
use crate::process::Memory;

/// Mails of a page.
pub(crate) const PAGE: u32 = 50;
/// How often each word is looked for.
const TIMES: usize = 25;
/// Two letters, as typed first.
const PREFIXES: [&str; 12] = ["bo", "pa", "ta", "co", "ré", "dé", "in", "mé", "sa", "tr", "va", "xy"];

/// What the phone does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Task {
    Open,
    List,
    Search,
}

impl Task {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Search => "search",
        }
    }
}

/// What it tells when it is done.
#[derive(Deserialize, Serialize)]
pub(crate) struct Told {
    /// Bytes read of files between the start and the first page.
    pub(crate) read_bytes: u64,
    pub(crate) times: Vec<Times>,
    pub(crate) memory: Memory,
}

/// How long one thing took, of many times.
#[derive(Deserialize, Serialize)]
pub(crate) struct Times {
    pub(crate) what: String,
    /// Mails found.
    pub(crate) found: usize,
    pub(crate) p50_us: u64,
    pub(crate) p95_us: u64,
}

/// Does `task` on the store in `folder`: prints the first page, then a line of JSON.
pub(crate) fn run(task: Task, folder: &Path) {
    let before = read_bytes();
    let session = open(folder);
    print_page(&session.list(Folder::Inbox, None, PAGE).unwrap());
    let read_bytes = read_bytes() - before;
    let times = match task {
        Task::Open => Vec::new(),
        Task::List => vec![timed("Inbox", &[""], |_| {
            session.list(Folder::Inbox, None, PAGE).unwrap().len()
        })],
        Task::Search => {
            let search = |word: &str| session.list(Folder::Inbox, Some(word), PAGE).unwrap().len();
            vec![
                timed("0.1 %", &RARE, search),
                timed("10 %", &TENTH, search),
                timed("60 %", &MOST, search),
                timed("two letters", &PREFIXES, search),
            ]
        }
    };
    let told = Told {
        read_bytes,
        times,
        memory: Memory::of(std::process::id()),
    };
    println!("{}", serde_json::to_string(&told).unwrap());
}

/// The phone of a filled store; it is never in touch with a relay.
pub(crate) fn open(folder: &Path) -> Session {
    Session::open(Config {
        folder: folder.to_owned(),
        key: KeyPlace::File(folder.join("store.key")),
        server: "https://127.0.0.1:9".to_owned(),
        ca: None,
        patience: Patience::default(),
    })
    .unwrap()
}

fn print_page(page: &[Summary]) {
    let mut text = String::new();
    for line in page {
        let read = if line.read_at.is_some() { ' ' } else { '•' };
        writeln!(text, "{read} {}  {}  {}", line.people, line.subject, line.patient).unwrap();
    }
    println!("{text}");
}

fn timed(what: &str, words: &[&str], work: impl Fn(&str) -> usize) -> Times {
    let mut times: Histogram<u64> = Histogram::new(3).unwrap();
    let mut found = usize::MAX;
    for _ in 0..TIMES.max(100 / words.len()) {
        for word in words {
            let begun = Instant::now();
            found = work(word).min(found);
            times.record(micros(begun.elapsed())).unwrap();
        }
    }
    Times {
        what: what.to_owned(),
        found,
        p50_us: times.value_at_quantile(0.5),
        p95_us: times.value_at_quantile(0.95),
    }
}

/// Whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

/// Bytes that this process has asked of files so far.
fn read_bytes() -> u64 {
    procfs::process::Process::myself().unwrap().io().unwrap().rchar
}
