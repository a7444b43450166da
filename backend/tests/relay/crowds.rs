//! What one network address, or one connection, takes of the relay: no more than its share, and others are served.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use backend::Tuning;
use backend::limits::Room;
use protocol::api::path;
use protocol::sequence::Cursor;
use protocol::{Code, cbor};
use reqwest::{Client, Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::support::{LEA, PAUL, Phone, TestRelay, problem_of};

/// Longest wait for what has to happen.
const NEVER: Duration = Duration::from_mins(1);
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Another network address.
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn one_network_does_not_take_every_place() {
    let mut tuning = Tuning::default();
    (tuning.limits.connections, tuning.limits.network_connections) = (3, 2);
    let relay = TestRelay::start_tuned(tuning).await;
    let address = relay.running.local_addr();
    let (first, second) = (ask(HERE, address).await, ask(HERE, address).await);
    assert!(first.is_some() && second.is_some());
    assert!(ask(HERE, address).await.is_none());
    assert!(ask(THERE, address).await.is_some());
    drop(first);
    let again = async {
        while ask(HERE, address).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(NEVER, again).await.unwrap();
}

#[tokio::test]
async fn without_a_token_or_a_place_at_the_door_no_body_is_waited_for() {
    let mut tuning = Tuning::default();
    for limit in [
        &mut tuning.limits.enrolments,
        &mut tuning.limits.identities,
        &mut tuning.limits.knocks,
    ] {
        (limit.bucket, limit.refill) = (1, 0);
    }
    let relay = TestRelay::start_tuned(tuning).await;
    let address = relay.running.local_addr();
    let channel = format!("{}/{}/hello", path::LINKS, "0".repeat(32));
    for (method, door) in [
        ("POST", path::ENROLMENTS),
        ("POST", path::CHALLENGES),
        ("PUT", &channel),
    ] {
        // This one is let in, and what it says is no good.
        let mut socket = connect(HERE, address).await;
        socket.write_all(head(method, door, 0).as_bytes()).await.unwrap();
        assert_ne!(status(&mut socket).await, "429", "{door}");
        // All that comes of the next is its head.
        let mut socket = connect(HERE, address).await;
        socket.write_all(head(method, door, 60_000).as_bytes()).await.unwrap();
        assert_eq!(timeout(NEVER, status(&mut socket)).await.unwrap(), "429", "{door}");
        let mut socket = connect(THERE, address).await;
        socket.write_all(head(method, door, 0).as_bytes()).await.unwrap();
        assert_ne!(status(&mut socket).await, "429", "{door}");
    }
    let mut socket = connect(HERE, address).await;
    socket
        .write_all(head("POST", path::DEPOSITS, 60_000).as_bytes())
        .await
        .unwrap();
    assert_eq!(timeout(NEVER, status(&mut socket)).await.unwrap(), "401");
}

#[tokio::test]
async fn bodies_that_do_not_end_take_their_networks_share_and_no_more() {
    let mut tuning = Tuning::default();
    tuning.limits.stranger_bodies = Room {
        bytes: 80_000,
        share_bytes: 40_000,
    };
    tuning.limits.enrolments.bucket = u32::MAX;
    let relay = TestRelay::start_tuned(tuning).await;
    let address = relay.running.local_addr();
    let phone = Phone::make(LEA, 4);
    let enrolment = cbor::encode(&phone.enrolment(&relay.code(LEA)));
    assert!((15_000..30_000).contains(&enrolment.len()), "{}", enrolment.len());
    let mut slow = half_said(HERE, address, 39_000).await;
    let elsewhere = client(THERE);
    // As soon as it has come there, nothing more is taken from here.
    let full = async {
        loop {
            let here = send(&relay, &relay.client, b"{}".repeat(1_000)).await;
            if here.status() == StatusCode::TOO_MANY_REQUESTS {
                return problem_of(here).await;
            }
        }
    };
    assert_eq!(timeout(NEVER, full).await.unwrap(), Code::Throttled);
    let served = send(&relay, &elsewhere, enrolment.clone()).await;
    assert_eq!(served.status(), StatusCode::OK);
    // With all the room taken by two networks a third one waits until one of them is done.
    let other = half_said(THERE, address, 39_000).await;
    let third = client(Ipv4Addr::new(127, 0, 0, 3));
    let full = async {
        loop {
            let answer = send(&relay, &third, enrolment.clone()).await;
            if answer.status() != StatusCode::OK {
                return problem_of(answer).await;
            }
        }
    };
    assert_eq!(timeout(NEVER, full).await.unwrap(), Code::TemporarilyUnavailable);
    slow.shutdown().await.unwrap();
    drop(slow);
    let again = async {
        while send(&relay, &third, enrolment.clone()).await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    timeout(NEVER, again).await.unwrap();
    drop(other);
}

#[tokio::test]
async fn a_device_whose_bodies_do_not_end_takes_its_share_and_no_more() {
    let mut tuning = Tuning::default();
    tuning.limits.device_bodies.share_bytes = 40_000;
    let relay = TestRelay::start_tuned(tuning).await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut socket = connect(HERE, relay.running.local_addr()).await;
    let head = head("POST", path::DEPOSITS, 60_000).replace("\r\n\r\n", "\r\nauthorization: Bearer ");
    socket
        .write_all(format!("{head}{}\r\n\r\n", lea.token).as_bytes())
        .await
        .unwrap();
    socket.write_all(&vec![0; 39_000]).await.unwrap();
    let upload = |phone: &Phone| {
        let request = relay.request(Method::POST, path::DEPOSITS).bearer_auth(&phone.token);
        request.body(vec![0; 2_000]).send()
    };
    let full = async {
        while problem_of(upload(&lea).await.unwrap()).await != Code::Throttled {
            tokio::task::yield_now().await;
        }
    };
    timeout(NEVER, full).await.unwrap();
    assert_eq!(problem_of(upload(&paul).await.unwrap()).await, Code::Malformed);
}

#[tokio::test]
async fn a_body_without_a_token_has_little_time() {
    let mut tuning = Tuning::default();
    tuning.limits.stranger_body_seconds = 2;
    let relay = TestRelay::start_tuned(tuning).await;
    let mut socket = half_said(HERE, relay.running.local_addr(), 1_000).await;
    let dribble = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if socket.write_all(b"a").await.is_err() {
                return;
            }
            let mut answer = [0; 12];
            let read = timeout(Duration::from_millis(1), socket.read_exact(&mut answer)).await;
            if read.is_ok() {
                assert_eq!(&answer, b"HTTP/1.1 503");
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), dribble).await.unwrap();
}

#[tokio::test]
async fn one_connection_has_so_many_requests_at_once() {
    let mut tuning = Tuning::default();
    tuning.limits.connection_requests = 2;
    let relay = TestRelay::start_tuned(tuning).await;
    let lea = relay.enrol(LEA).await;
    let one = Client::builder().http2_prior_knowledge().build().unwrap();
    let get = |path: &str| one.get(format!("{}{path}", relay.base)).bearer_auth(&lea.token).send();
    assert_eq!(get(path::SERVER).await.unwrap().status(), StatusCode::OK);
    let wait = format!("{}?wait_seconds=5", path::SEQUENCE);
    let polls = async { tokio::join!(get(&wait), get(&wait)) };
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let page = relay.poll(&lea, Cursor::START, 0).await;
        assert_eq!(page.status(), StatusCode::OK);
        timeout(Duration::from_secs(1), get(path::SERVER)).await.is_err()
    };
    let ((first, second), waits) = tokio::join!(polls, late);
    assert!(waits, "a third request was served meanwhile");
    assert_eq!(first.unwrap().status(), StatusCode::OK);
    assert_eq!(second.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_and_one_that_waits_is_not() {
    let mut tuning = Tuning::default();
    (tuning.limits.head_seconds, tuning.limits.idle_seconds) = (600, 1);
    let relay = TestRelay::start_tuned(tuning).await;
    let lea = relay.enrol(LEA).await;
    let mut idle = connect(HERE, relay.running.local_addr()).await;
    // The opening of HTTP/2 and settings that say nothing.
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let waiting = Client::builder().http2_prior_knowledge().build().unwrap();
    let poll = waiting
        .get(format!("{}{}?wait_seconds=4", relay.base, path::SEQUENCE))
        .bearer_auth(&lea.token);
    let mut stream = relay.stream(&lea, Cursor::START).await.unwrap();
    let (page, closed) = tokio::join!(poll.send(), async {
        let mut said = Vec::new();
        timeout(NEVER, idle.read_to_end(&mut said)).await.is_ok()
    });
    assert!(closed);
    assert_eq!(page.unwrap().status(), StatusCode::OK);
    relay.enrol(PAUL).await;
    let sent = relay.send(&lea, &[PAUL], b"un").await;
    assert_eq!(relay.take_back(&lea, sent).await.len(), 1);
    // The stream is there all the same: the notice comes on it.
    assert_eq!(timeout(NEVER, stream.page()).await.unwrap().len(), 1);
}

/// Asks for something and keeps the connection; `None` when it is closed instead of answered.
async fn ask(network: Ipv4Addr, address: SocketAddr) -> Option<TcpStream> {
    let mut socket = connect(network, address).await;
    let request = format!("GET {} HTTP/1.1\r\nhost: relay.test\r\n\r\n", path::SERVER);
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.ok()?;
    assert_eq!(&answer, b"HTTP/1.1 200");
    Some(socket)
}

/// A connection from this network address.
async fn connect(network: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((network, 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

/// An enrolment of which so many bytes come, and then no more.
async fn half_said(network: Ipv4Addr, address: SocketAddr, bytes: usize) -> TcpStream {
    let mut socket = connect(network, address).await;
    let head = head("POST", path::ENROLMENTS, 200_000);
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![0; bytes]).await.unwrap();
    socket
}

fn head(method: &str, door: &str, bytes: usize) -> String {
    format!("{method} {door} HTTP/1.1\r\nhost: relay.test\r\ncontent-length: {bytes}\r\n\r\n")
}

/// The status of the answer.
async fn status(socket: &mut TcpStream) -> String {
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

fn client(network: Ipv4Addr) -> Client {
    Client::builder().local_address(Some(network.into())).build().unwrap()
}

async fn send(relay: &TestRelay, client: &Client, body: Vec<u8>) -> reqwest::Response {
    let url = format!("{}{}", relay.base, path::ENROLMENTS);
    client.post(url).body(body).send().await.unwrap()
}
