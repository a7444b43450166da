//! Connections that do nothing, and such that mean harm: what they take, and how others fare beside them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use pli_tests::stranger::Stranger;
use protocol::api::path;
use protocol::envelope::Class;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::figure::Figure;
use crate::load::{self, HERE, Net, Pair, Stream};
use crate::process::Relay;

const IDLE: usize = 2_000;
/// Devices of the idle sockets.
const DEVICES: usize = 20;
/// Sockets opened at once.
const OPENING: usize = 32;

/// Where the hostile ones come from, and the pair that behaves well.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const THIRD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const HOSTILE: usize = 1_000;
/// Mails that the pair sends one after the other, before and during the crowd.
const MAILS: usize = 1_000;
const MAIL_BYTES: usize = 4_096;
/// By how much more the pair may wait in the crowd than alone.
const TIMES_SLOWER: f64 = 5.0;

/// What a stream takes of the relay's memory while nothing comes on it.
pub(crate) fn idle() -> Vec<Figure> {
    let runtime = Runtime::new().unwrap();
    let measured = [("plain", Relay::plain(), 15.0), ("TLS", Relay::tls(), 30.0)];
    let figures = measured.into_iter().map(|(how, relay, budget)| {
        let (before, after) = runtime.block_on(async {
            let net = Net::to(&relay);
            let people = load::enrol(&relay, &net, DEVICES).await;
            // What the first ones make the relay set up is nobody's share.
            let few = open(&net, &people, OPENING).await;
            let before = relay.memory();
            let all = open(&net, &people, IDLE).await;
            sleep(Duration::from_secs(2)).await;
            let after = relay.memory();
            drop((few, all));
            (before, after)
        });
        let kib = (after.peak_bytes - before.peak_bytes) as f64 / 1024.0 / IDLE as f64;
        let beside = format!(
            "{IDLE} sockets; relay's memory {:.0} MB before, {:.0} MB with them, at most {:.0} MB",
            before.now_bytes as f64 / 1e6,
            after.now_bytes as f64 / 1e6,
            after.peak_mb(),
        );
        Figure::new(format!("idle WebSocket, {how}"), kib, "KiB")
            .at_most(budget)
            .beside(beside)
    });
    figures.collect()
}

/// A pair that behaves well, alone and among idle and hostile sockets.
pub(crate) fn crowd() -> Vec<Figure> {
    let relay = Relay::plain();
    let (alone, crowded, held) = Runtime::new().unwrap().block_on(async {
        let net = Net::to(&relay);
        let mut people = load::enrol(&relay, &net, DEVICES + 2).await;
        let (to, from) = (people.pop().unwrap(), people.pop().unwrap());
        let deposits = load::opaque(&from, &to, Class::Mail, MAIL_BYTES, 2 * MAILS).await;
        let mut pair = Pair::meet(&net, from, &to, deposits, THIRD).await;
        let alone = pair.run(&net, 1, MAILS).await;

        let idle = open(&net, &people, IDLE).await;
        let held = Arc::new(AtomicUsize::new(0));
        let mut hostile = JoinSet::new();
        for number in 0..HOSTILE {
            hostile.spawn(misbehave(net.clone(), number, Arc::clone(&held)));
        }
        while held.load(Ordering::Relaxed) < HOSTILE {
            sleep(Duration::from_millis(20)).await;
        }
        let crowded = pair.run(&net, 1, MAILS).await;
        let held = held.load(Ordering::Relaxed);
        drop(idle);
        (alone, crowded, held)
    });
    let millis = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    let (alone_p99, crowded_p99) = (millis(&alone, 0.99), millis(&crowded, 0.99));
    let memory = relay.memory().peak_mb();
    vec![
        Figure::new(
            format!("p99 of a pair among {IDLE} idle and {HOSTILE} hostile sockets"),
            crowded_p99,
            "ms",
        )
        .at_most(TIMES_SLOWER * alone_p99)
        .beside(format!(
            "alone {alone_p99:.2} ms; medians {:.2} and {:.2} ms; {held} hostile ones held at the end",
            millis(&crowded, 0.5),
            millis(&alone, 0.5)
        )),
        Figure::new("the relay's peak memory with all of them", memory, "MB"),
    ]
}

/// Opens so many streams, of each device as many.
async fn open(net: &Net, people: &[Stranger], count: usize) -> Vec<Stream> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let some = people
            .iter()
            .cycle()
            .skip(open.len())
            .take(OPENING.min(count - open.len()));
        open.extend(futures_util::future::join_all(some.map(|who| net.stream(who, HERE))).await);
    }
    open
}

/// Holds a connection and does harm on it; once it is closed, on the next one.
async fn misbehave(net: Net, number: usize, held: Arc<AtomicUsize>) {
    loop {
        let mut socket = net.connect(ELSEWHERE).await;
        held.fetch_add(1, Ordering::Relaxed);
        let _closed = match number % 3 {
            0 => silent(&mut socket).await,
            1 => half_a_request(&mut socket).await,
            _ => slow_body(&mut socket).await,
        };
        held.fetch_sub(1, Ordering::Relaxed);
        sleep(Duration::from_millis(200)).await;
    }
}

async fn silent(socket: &mut TcpStream) -> std::io::Result<()> {
    ended(socket).await
}

async fn half_a_request(socket: &mut TcpStream) -> std::io::Result<()> {
    let head = format!("POST {} HTTP/1.1\r\nhost: relay.test\r\nx-half: ", path::DEPOSITS);
    socket.write_all(head.as_bytes()).await?;
    ended(socket).await
}

/// A body that is announced and comes a byte a second.
async fn slow_body(socket: &mut TcpStream) -> std::io::Result<()> {
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: relay.test\r\ncontent-length: 60000\r\n\r\n",
        path::ENROLMENTS
    );
    socket.write_all(head.as_bytes()).await?;
    while timeout(Duration::from_secs(1), ended(socket)).await.is_err() {
        socket.write_all(b"x").await?;
    }
    Ok(())
}

/// Reads until the relay closes the connection.
async fn ended(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut said = [0; 1_024];
    while socket.read(&mut said).await? > 0 {}
    Ok(())
}
