//! A relay that starts, stops and starts again: what it accepted is there, and nobody else writes to its folder.

use backend::{Relay, RelayError, Tls};
use protocol::api::{DepositAnswer, path};
use protocol::sequence::Cursor;
use protocol::{Code, MessageId, cbor};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{LEA, PAUL, TestRelay, after, config, problem_of};

#[tokio::test]
async fn a_restart_keeps_sequence_answers_and_stock_and_refuses_old_tokens() {
    let relay = TestRelay::start().await;
    let (mut lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], b"un").await;
    let sealed = relay.seal(&lea, &[PAUL], b"deux").await;
    let first: DepositAnswer = relay.deposit(&lea, &sealed).await.json().await.unwrap();
    let entries = relay.page(&paul, Cursor::START).await;
    let cursor = after(Cursor::START, &entries[..1]);
    relay.acknowledge(&paul, cursor).await;

    let relay = relay.restart().await;
    assert_eq!(problem_of(relay.poll(&paul, cursor, 0).await).await, Code::TokenRefused);
    assert!(matches!(relay.stream(&paul, cursor).await, Err(Code::TokenRefused)));
    (lea.token, paul.token) = (relay.token(&lea).await, relay.token(&paul).await);
    assert_eq!(relay.page(&paul, cursor).await, entries[1..]);
    let again: DepositAnswer = relay.deposit(&lea, &sealed).await.json().await.unwrap();
    assert_eq!(again, first);
    relay.send(&lea, &[PAUL], b"trois").await;
    let rest = relay.page(&paul, cursor).await;
    assert_eq!(after(cursor, &rest).number, 3);
    assert_eq!(paul.open(&rest[1], &lea), b"trois");
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 1, "the notice, once");
}

#[tokio::test]
async fn a_second_relay_on_the_same_folder_is_refused_until_the_first_has_stopped() {
    let relay = TestRelay::start().await;
    let second = Relay::start(config(&relay.data, Tls::None)).await;
    assert!(matches!(second, Err(RelayError::AlreadyRunning)));
    relay.enrol(LEA).await;
    let relay = relay.restart().await;
    relay.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_deposit_that_is_on_its_way_when_the_relay_stops_is_finished() {
    let relay = TestRelay::start().await;
    let (lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let content = vec![b'x'; 30_000];
    let sealed = cbor::encode(&relay.seal(&lea, &[PAUL], &content).await);
    let (half, rest) = sealed.split_at(sealed.len() / 2);
    let mut socket = TcpStream::connect(relay.running.local_addr()).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: relay.test\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        path::DEPOSITS,
        lea.token,
        sealed.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    socket.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(half).await.unwrap();

    // The relay is at it, and is told to stop; that it does so shows in the stream's end.
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let data = relay.data;
    let stopping = tokio::spawn(relay.running.stop());
    assert_eq!(stream.end().await.1, "stopping");
    socket.write_all(rest).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stopping.await.unwrap().unwrap();

    let relay = TestRelay::start_in(data, Tls::None, backend::Tuning::default()).await;
    paul.token = relay.token(&paul).await;
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), content);
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_relay_stops() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let asking = relay.request(reqwest::Method::GET, &format!("{}?wait_seconds=30", path::SEQUENCE));
    let asked = tokio::spawn(asking.bearer_auth(&paul.token).send());
    // Another request on the way shows that the relay takes them.
    relay.page(&paul, Cursor::START).await;
    let (_, stopped) = tokio::join!(stream.end(), relay.running.stop());
    stopped.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_folder_of_an_earlier_release_is_brought_up_to_date_and_one_of_a_later_is_refused() {
    let relay = TestRelay::start().await;
    let (mut lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    for _ in 0..3 {
        relay.send(&lea, &[PAUL], &vec![b'x'; 20_000]).await;
    }
    relay.send(&lea, &[PAUL], b"petit").await;
    let TestRelay { running, data, .. } = relay;
    running.stop().await.unwrap();
    let database = rusqlite::Connection::open(data.path().join("relay.db")).unwrap();
    let select = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'device'";
    let device: String = database.query_row(select, [], |row| row.get(0)).unwrap();
    let device = device.replace("\"device\"", "old_device").replace(" AUTOINCREMENT", "");
    let as_before = format!(
        "PRAGMA foreign_keys = OFF;
         {device}; INSERT INTO old_device SELECT * FROM device; DROP TABLE device;
         ALTER TABLE old_device RENAME TO device;
         DROP TABLE predecessor; DROP TABLE archive_part; DROP TABLE blob_folder; DROP TABLE removal;
         DROP TABLE ended_device; DROP TABLE ended_account;
         ALTER TABLE activation DROP COLUMN reissues; DROP INDEX delivery_waiting;
         ALTER TABLE delivery DROP COLUMN is_told;
         DROP TABLE withdrawal; ALTER TABLE payload DROP COLUMN size_bytes; PRAGMA user_version = 1"
    );
    database.execute_batch(&as_before).unwrap();
    drop(database);
    std::fs::remove_file(data.path().join("blobs/folder.id")).unwrap();

    let relay = TestRelay::start_in(data, Tls::None, backend::Tuning::default()).await;
    (lea.token, paul.token) = (relay.token(&lea).await, relay.token(&paul).await);
    let page = relay.page(&paul, Cursor::START).await;
    assert_eq!(page.len(), 2, "files from before are taken to be large");
    let rest = relay.page(&paul, after(Cursor::START, &page)).await;
    assert_eq!(paul.open(&rest[1], &lea), b"petit");
    assert_eq!(relay.take_back(&lea, MessageId::make().unwrap()).await, []);

    let TestRelay { running, data, .. } = relay;
    running.stop().await.unwrap();
    let database = rusqlite::Connection::open(data.path().join("relay.db")).unwrap();
    database.pragma_update(None, "user_version", 1_000).unwrap();
    let refused = Relay::start(config(&data, Tls::None)).await.unwrap_err();
    assert!(matches!(refused, RelayError::Storage(_)), "{refused}");
}
