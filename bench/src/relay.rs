//! The relay under load: what a message and a deposit take of its processor, with the load in this process.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pli_tests::stranger::Stranger;
use protocol::envelope::Class;
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::corpus::Corpus;
use crate::figure::Figure;
use crate::load::{self, Deposits, HERE, Net, Pair};
use crate::process::{Memory, Relay};

const PAIRS: usize = 50;
const WINDOW: usize = 8;
/// Messages of each pair before and while its figures are taken.
const WARM_UP: usize = 20;
const MESSAGES: usize = 200;
const SMALL_BYTES: usize = 300;
const LETTER_BYTES: usize = 4_096;

/// Deposits at saturation.
const SENDERS: usize = 8;
const IN_FLIGHT: usize = 32;
const DEPOSITS: usize = 2_000;
const DEPOSIT_BYTES: usize = 1_024;
/// Deposits of each sender while the calls of the relay are watched.
const WATCHED: usize = 1_000;
const STRACE: [&str; 7] = [
    "strace",
    "-f",
    "--seccomp-bpf",
    "-e",
    "trace=fsync,fdatasync",
    "-o",
    "{folder}/calls",
];
const CALLS: &str = "calls";
/// Rows of the bare loop.
const ROWS: u32 = 2_000;

/// 300 B from deposit to acknowledged delivery, without TLS.
pub(crate) fn delivery() -> Vec<Figure> {
    let with_notices = delivered(&Relay::plain(), Sealing::Opaque(Class::Mail));
    let without = delivered(&Relay::plain(), Sealing::Opaque(Class::Quiet));
    vec![
        with_notices
            .figure("relay, 300 B plain, deposit to acknowledged delivery, the sender told of each step")
            .at_most(150.0),
        without.figure("the same without notices to the sender").at_most(150.0),
    ]
}

/// Sealed 4 KB over TLS.
pub(crate) fn delivery_tls() -> Vec<Figure> {
    let run = delivered(&Relay::tls(), Sealing::Sealed);
    vec![run.figure("relay, 4 KB sealed over TLS, deposit to acknowledged delivery, the sender told of each step")]
}

/// Deposits for one device, as fast as they go.
pub(crate) fn deposits() -> Vec<Figure> {
    let relay = Relay::plain();
    let run = Runtime::new().unwrap().block_on(saturate(&relay, DEPOSITS));
    let peak = relay.memory().peak_mb();
    let bare = bare_loop(relay.folder.path());
    drop(relay);
    let beside = format!("{:.1} commits per 1,000; relay's peak memory {peak:.0} MB", run.commits);
    let mut figures = vec![
        Figure::new("relay, deposits of 1 KiB at saturation", run.cpu_us, "µs CPU")
            .at_most(60.0)
            .beside(beside),
        Figure::new("their rate", run.rate, "/s").beside(format!("bare insert and commit {bare:.0} /s")),
    ];
    if Command::new(STRACE[0]).arg("-V").output().is_ok() {
        let relay = Relay::under(&STRACE);
        let run = Runtime::new().unwrap().block_on(saturate(&relay, WATCHED));
        let beside = format!("counted by strace; {:.1} commits", run.commits);
        figures.push(
            Figure::new("fsyncs per 1,000 deposits", run.fsyncs, "")
                .at_most(50.0)
                .beside(beside),
        );
    } else {
        eprintln!("bench:   strace is not here: fsyncs are not counted");
    }
    figures
}

#[derive(Clone, Copy)]
enum Sealing {
    Opaque(Class),
    Sealed,
}

/// What a run of deliveries took.
struct Delivered {
    cpu_us: f64,
    rate: f64,
    times: Histogram<u64>,
    relay: Memory,
}

impl Delivered {
    fn figure(&self, what: &str) -> Figure {
        let millis = |quantile| self.times.value_at_quantile(quantile) as f64 / 1e3;
        let (p50, p99) = (millis(0.5), millis(0.99));
        let (rate, peak) = (self.rate, self.relay.peak_mb());
        let own = Memory::of(std::process::id()).peak_mb();
        let beside =
            format!("{rate:.0} /s, {p50:.1} ms median, {p99:.1} ms p99; peak memory {peak:.0} MB, load {own:.0} MB");
        Figure::new(what, self.cpu_us, "µs CPU").beside(beside)
    }
}

fn delivered(relay: &Relay, sealing: Sealing) -> Delivered {
    Runtime::new().unwrap().block_on(async {
        let net = Net::to(relay);
        let mut people = load::enrol(relay, &net, 2 * PAIRS).await.into_iter();
        let mut pairs = Vec::new();
        while let (Some(from), Some(to)) = (people.next(), people.next()) {
            let deposits = match sealing {
                Sealing::Opaque(class) => load::opaque(&from, &to, class, SMALL_BYTES, WARM_UP + MESSAGES).await,
                Sealing::Sealed => load::sealed(&from, &to, LETTER_BYTES, WARM_UP + MESSAGES).await,
            };
            pairs.push(Pair::meet(&net, from, &to, deposits, HERE).await);
        }
        run(&net, &mut pairs, WARM_UP).await;
        settled(relay).await;
        let (before, begun) = (relay.processor(), Instant::now());
        let times = run(&net, &mut pairs, MESSAGES).await;
        let rate = (PAIRS * MESSAGES) as f64 / begun.elapsed().as_secs_f64();
        // Acknowledgements that were sent are still to be taken.
        settled(relay).await;
        let cpu = relay.processor().saturating_sub(before);
        Delivered {
            cpu_us: cpu.as_secs_f64() * 1e6 / (PAIRS * MESSAGES) as f64,
            rate,
            times,
            relay: relay.memory(),
        }
    })
}

/// Each pair sends so many messages, all pairs at once.
async fn run(net: &Net, pairs: &mut Vec<Pair>, count: usize) -> Histogram<u64> {
    let mut running = JoinSet::new();
    for mut pair in pairs.drain(..) {
        let net = net.clone();
        running.spawn(async move {
            let times = pair.run(&net, WINDOW, count).await;
            (pair, times)
        });
    }
    let mut all = Histogram::new(3).unwrap();
    for (pair, times) in running.join_all().await {
        all.add(times).unwrap();
        pairs.push(pair);
    }
    all
}

/// Waits until the relay has nothing to do any more.
async fn settled(relay: &Relay) {
    let mut before = relay.processor();
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = relay.processor();
        if now == before {
            return;
        }
        before = now;
    }
}

/// What deposits took at saturation.
struct Saturated {
    cpu_us: f64,
    rate: f64,
    /// For a thousand deposits.
    commits: f64,
    fsyncs: f64,
}

async fn saturate(relay: &Relay, each: usize) -> Saturated {
    let net = Net::to(relay);
    let mut people = load::enrol(relay, &net, SENDERS + 1).await;
    let to = people.pop().unwrap();
    let mut all: Vec<(Stranger, Deposits)> = Vec::new();
    for from in people {
        let deposits = load::opaque(&from, &to, Class::Quiet, DEPOSIT_BYTES, each).await;
        all.push((from, deposits));
    }
    settled(relay).await;
    let (cpu, commits, fsyncs) = (relay.processor(), relay.commits().await, fsyncs(relay));
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for (from, deposits) in all {
        let mut parts: Vec<Vec<Vec<u8>>> = vec![Vec::new(); IN_FLIGHT];
        for (place, (_, body)) in deposits.into_iter().enumerate() {
            parts[place % IN_FLIGHT].push(body);
        }
        let client = net.client(HERE);
        for part in parts {
            let (net, client, token) = (net.clone(), client.clone(), from.token().to_owned());
            running.spawn(async move {
                for body in part {
                    load::deposit(&client, &net, &token, body).await;
                }
            });
        }
    }
    running.join_all().await;
    let took = begun.elapsed().as_secs_f64();
    let cpu = relay.processor().saturating_sub(cpu);
    let count = (SENDERS * each) as f64;
    let of_thousand = |number: u64| number as f64 * 1e3 / count;
    Saturated {
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        rate: count / took,
        commits: of_thousand(relay.commits().await - commits),
        fsyncs: of_thousand(self::fsyncs(relay) - fsyncs),
    }
}

/// How often a watched relay had its disk confirm so far.
fn fsyncs(relay: &Relay) -> u64 {
    let calls = fs::read_to_string(relay.folder.path().join(CALLS)).unwrap_or_default();
    u64::try_from(calls.lines().filter(|line| line.contains("sync(")).count()).unwrap()
}

/// Rows of the size of a deposit inserted by one connection, each committed before the next, on the same disk: how many a second.
fn bare_loop(folder: &Path) -> f64 {
    sqlcipher::link();
    let connection = Connection::open(folder.join("bare.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE deposit (body BLOB NOT NULL) STRICT;",
        )
        .unwrap();
    let body = Corpus::new().bytes(DEPOSIT_BYTES);
    let begun = Instant::now();
    for _ in 0..ROWS {
        let mut insert = connection
            .prepare_cached("INSERT INTO deposit (body) VALUES (?1)")
            .unwrap();
        insert.execute([&body]).unwrap();
    }
    f64::from(ROWS) / begun.elapsed().as_secs_f64()
}
