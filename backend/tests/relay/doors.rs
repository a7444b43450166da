//! What knocks at the wrong door or in the wrong way gets a problem document with a code.

use std::net::SocketAddr;
use std::time::Duration;

use backend::Tls;
use protocol::api::{PrekeyWish, path};
use protocol::{Code, Problem, cbor, limits};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{LEA, PAUL, TestRelay, problem_of};

/// Longest wait for what has to happen.
const NEVER: Duration = Duration::from_mins(1);

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so() {
    let relay = TestRelay::start().await;
    for unknown in [
        "/",
        "/v1",
        "/v2/server",
        "/v1/entries/a/b",
        "/v1/sequence/",
        "/../relay.db",
        "/%00",
    ] {
        let answer = relay.request(Method::GET, unknown).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
        assert_eq!(problem_of(answer).await, Code::NotFound, "{unknown}");
    }
    for (method, known) in [
        (Method::GET, path::DEPOSITS),
        (Method::DELETE, path::SEQUENCE),
        (Method::PUT, path::PREKEYS),
        (Method::POST, path::SERVER),
        (Method::GET, path::TOKENS),
    ] {
        let answer = relay.request(method, known).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{known}");
        assert_eq!(problem_of(answer).await, Code::NotFound, "{known}");
    }
}

#[tokio::test]
async fn without_a_good_token_no_door_opens() {
    let relay = TestRelay::start().await;
    for (method, door) in [
        (Method::GET, path::ENTRIES.to_owned()),
        (Method::GET, format!("{}/{LEA}", path::ENTRIES)),
        (Method::POST, path::KEYS.to_owned()),
        (Method::GET, path::PREKEYS.to_owned()),
        (Method::POST, path::PREKEYS.to_owned()),
        (Method::POST, path::DEPOSITS.to_owned()),
        (Method::POST, path::REWRAPS.to_owned()),
        (Method::GET, path::ARCHIVES.to_owned()),
        (Method::PUT, format!("{}/{}/0", path::ARCHIVES, "0".repeat(32))),
        (Method::GET, format!("{}/{}/0", path::ARCHIVES, "0".repeat(32))),
        (Method::DELETE, format!("{}/{}", path::ARCHIVES, "0".repeat(32))),
        (Method::POST, path::WITHDRAWALS.to_owned()),
        (Method::GET, path::SEQUENCE.to_owned()),
        (Method::POST, path::ACKNOWLEDGEMENTS.to_owned()),
        (Method::GET, path::STREAM.to_owned()),
    ] {
        for token in ["", "AAAA", "é"] {
            let request = relay.request(method.clone(), &door);
            let request = match token {
                "" => request,
                token => request.header("authorization", format!("Bearer {token}").as_bytes()),
            };
            let answer = request.body(vec![0; 100]).send().await.unwrap();
            assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{door}");
            assert_eq!(problem_of(answer).await, Code::TokenRefused, "{door}");
        }
    }
}

#[tokio::test]
async fn unknown_fields_and_members_are_refused() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    let post = async |door: &str, body: Value| {
        let request = relay.request(Method::POST, door).bearer_auth(&lea.token);
        problem_of(request.json(&body).send().await.unwrap()).await
    };
    let hash = "0".repeat(64);
    for (door, body) in [
        (path::CHALLENGES, json!({"device": lea.device, "more": 1})),
        (
            path::TOKENS,
            json!({"challenge": "AA==", "signature": "AA==", "more": 1}),
        ),
        (
            path::KEYS,
            json!({"accounts": [PAUL], "prekeys": "one-time", "more": 1}),
        ),
        (path::KEYS, json!({"accounts": [PAUL], "prekeys": "all"})),
        (path::KEYS, json!({"accounts": [PAUL, PAUL], "prekeys": "none"})),
        (path::KEYS, json!({"accounts": [], "prekeys": "none"})),
        (path::KEYS, json!({"accounts": ["nobody"], "prekeys": "none"})),
        (path::WITHDRAWALS, json!({"id": "0".repeat(32), "more": 1})),
        (path::ACKNOWLEDGEMENTS, json!({"number": 0, "hash": hash, "more": 1})),
        (path::ACKNOWLEDGEMENTS, json!({"number": -1, "hash": hash})),
    ] {
        assert_eq!(post(door, body.clone()).await, Code::Malformed, "{door} {body}");
    }
    for query in [
        format!("{}?nombre=1", path::SEQUENCE),
        format!("{}?number=un", path::SEQUENCE),
        format!("{}?hash=00", path::SEQUENCE),
        format!("{}?wait_seconds=-1", path::SEQUENCE),
        format!("{}?wait_seconds=1", path::ACKNOWLEDGEMENTS),
        format!("{}?q=a&more=1", path::ENTRIES),
        format!("{}/nobody", path::ENTRIES),
        format!("{}/%FF", path::ENTRIES),
    ] {
        let answer = relay.request(Method::GET, &query).bearer_auth(&lea.token).send().await;
        assert_eq!(problem_of(answer.unwrap()).await, Code::Malformed, "{query}");
    }
    let long = "a".repeat(201);
    let query = format!("{}?q={long}", path::ENTRIES);
    let answer = relay.request(Method::GET, &query).bearer_auth(&lea.token).send().await;
    assert_eq!(problem_of(answer.unwrap()).await, Code::TooLarge);
    let body = vec![b' '; limits::JSON_BYTES + 1];
    let request = relay.request(Method::POST, path::KEYS).bearer_auth(&lea.token);
    assert_eq!(
        problem_of(request.body(body).send().await.unwrap()).await,
        Code::TooLarge
    );
}

#[tokio::test]
async fn who_asks_too_much_is_told_to_wait() {
    let mut tuning = backend::Tuning::default();
    for limit in [
        &mut tuning.limits.keys,
        &mut tuning.limits.deposits,
        &mut tuning.limits.directory,
    ] {
        (limit.bucket, limit.refill) = (1, 0);
    }
    let relay = TestRelay::start_tuned(tuning).await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let sealed = relay.seal(&lea, &[PAUL], b"un").await;
    assert_eq!(relay.deposit(&lea, &sealed).await.status(), StatusCode::OK);
    // Who lost the answer gets it all the same.
    assert_eq!(relay.deposit(&lea, &sealed).await.status(), StatusCode::OK);
    let keys = relay.ask_keys(&lea, &[PAUL], PrekeyWish::OneTime).await;
    assert_eq!(problem_of(keys).await, Code::Throttled);
    let search = || async {
        let request = relay.request(Method::GET, &format!("{}?q=noel", path::ENTRIES));
        request.bearer_auth(&lea.token).send().await.unwrap()
    };
    assert_eq!(search().await.status(), StatusCode::OK);
    assert_eq!(problem_of(search().await).await, Code::Throttled);
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_taken_and_one_that_stands_still_may_be_sent_again() {
    let mut tuning = backend::Tuning::default();
    tuning.limits.body_silence_seconds = 3;
    let relay = TestRelay::start_tuned(tuning).await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let sealed = cbor::encode(&relay.seal(&lea, &[PAUL], &vec![b'x'; 30_000]).await);
    for (parts, pause_ms, status) in [(8, 500, "200"), (1, 0, "503")] {
        let mut socket = TcpStream::connect(relay.running.local_addr()).await.unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: relay.test\r\nauthorization: Bearer {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            path::DEPOSITS,
            lea.token,
            sealed.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        for part in sealed.chunks(sealed.len().div_ceil(8)).take(parts) {
            socket.write_all(part).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
        }
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        if status == "503" {
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            let problem: Problem = serde_json::from_str(body).unwrap();
            assert_eq!(problem.code, Code::TemporarilyUnavailable);
        }
    }
}

#[tokio::test]
async fn who_does_not_say_what_it_wants_is_shut_out_and_others_are_served() {
    for tls in [Tls::None, Tls::Dev] {
        let mut tuning = backend::Tuning::default();
        tuning.limits.head_seconds = 1;
        let relay = TestRelay::start_in(tempfile::tempdir().unwrap(), tls, tuning).await;
        let address = relay.running.local_addr();
        let mut slow = Vec::new();
        for said in ["", "PRI * HTTP/2", "GET /v1/server HTTP/1.1\r\nHost: relay.test\r\n"] {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(said.as_bytes()).await.unwrap();
            slow.push(socket);
        }
        let served = relay.request(Method::GET, path::SERVER).send().await.unwrap();
        assert_eq!(served.status(), StatusCode::OK);
        for socket in slow {
            timeout(NEVER, until_shut(socket)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_giant_head_is_refused_and_others_are_served() {
    let mut tuning = backend::Tuning::default();
    tuning.limits.head_seconds = 3_600;
    let relay = TestRelay::start_tuned(tuning).await;
    let address = relay.running.local_addr();
    let long = format!("x-long: {}\r\n", "a".repeat(64 * 1024));
    // Fields are counted once the head is whole.
    let many = "x-many: a\r\n".repeat(200);
    for head in [long, many + "\r\n"] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let (mut from, mut to) = socket.split();
        let mut answer = Vec::new();
        let asked = format!("GET {} HTTP/1.1\r\nhost: relay.test\r\n{head}", path::SERVER);
        // Who waits for the end of the first waits for ever. The relay may hang up on what still comes.
        let (_, read) = tokio::join!(
            to.write_all(asked.as_bytes()),
            timeout(NEVER, from.read_to_end(&mut answer))
        );
        assert!(read.is_ok(), "the relay waits for the end of the head");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let served = relay.request(Method::GET, path::SERVER).send().await.unwrap();
        assert_eq!(served.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn what_is_packed_is_not_unpacked() {
    let relay = TestRelay::start().await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let sealed = cbor::encode(&relay.seal(&lea, &[PAUL], &vec![0; 900_000]).await);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, &sealed).unwrap();
    let request = relay.request(Method::POST, path::DEPOSITS).bearer_auth(&lea.token);
    let answer = request
        .header("content-encoding", "gzip")
        .body(packer.finish().unwrap());
    assert_eq!(problem_of(answer.send().await.unwrap()).await, Code::Malformed);
    let answer = relay.request(Method::POST, path::DEPOSITS).bearer_auth(&lea.token);
    assert_eq!(answer.body(sealed).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn when_every_place_is_taken_who_comes_is_shut_out_until_one_leaves() {
    let mut tuning = backend::Tuning::default();
    tuning.limits.connections = 2;
    let relay = TestRelay::start_tuned(tuning).await;
    let address = relay.running.local_addr();
    let (first, second) = (ask(address).await, ask(address).await);
    assert!(first.is_some() && second.is_some());
    assert!(ask(address).await.is_none());
    drop(first);
    let again = async {
        while ask(address).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(NEVER, again).await.unwrap();
}

/// Asks for something and keeps the connection; `None` when it is closed instead of answered.
async fn ask(address: SocketAddr) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: relay.test\r\n\r\n", path::SERVER);
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.ok()?;
    assert_eq!(&answer, b"HTTP/1.1 200");
    Some(socket)
}

/// Returns once the relay has closed the connection.
async fn until_shut(mut socket: TcpStream) {
    let mut said = Vec::new();
    // With a reset, when it had not read all.
    let _ = socket.read_to_end(&mut said).await;
}
