//! A device's sequence over WebSocket: what it gets, what it tells, and every way in which the relay ends it.

use backend::Tuning;
use protocol::Code;
use protocol::sequence::{Cursor, Step};
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::support::{LEA, PAUL, TestRelay, after, notice_of, problem_of};

const AWAY: u16 = 1001;
const POLICY: u16 = 1008;

#[tokio::test]
async fn what_waits_comes_at_once_and_what_is_new_as_it_comes() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], b"avant").await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let waiting = stream.page().await;
    assert_eq!(paul.open(&waiting[0], &lea), b"avant");
    let cursor = after(Cursor::START, &waiting);
    for content in [&b"un"[..], b"deux", b"trois"] {
        relay.send(&lea, &[PAUL], content).await;
        let news = stream.page().await;
        assert_eq!(paul.open(&news[0], &lea), content);
        assert_eq!(news.len(), 1, "one entry, once");
    }
    assert_eq!(
        relay.page(&paul, cursor).await.len(),
        3,
        "nothing is gone unacknowledged"
    );
}

#[tokio::test]
async fn acknowledgements_go_through_it_and_the_senders_hear_of_them() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut of_lea = relay.stream(&lea, Cursor::START).await.unwrap();
    let mut of_paul = relay.stream(&paul, Cursor::START).await.unwrap();
    let id = relay.send(&lea, &[PAUL], b"Bonjour").await;
    let cursor = after(Cursor::START, &of_paul.page().await);
    of_paul.acknowledge(cursor).await;
    let notice = notice_of(&of_lea.page().await[0]);
    assert_eq!((notice.id, notice.step), (id, Step::Retrieved));
    assert_eq!(
        problem_of(relay.poll(&paul, Cursor::START, 0).await).await,
        Code::CursorMismatch,
        "behind its own acknowledgement"
    );
}

#[tokio::test]
async fn after_a_reconnection_nothing_comes_twice_and_nothing_is_missing() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], b"un").await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let first = after(Cursor::START, &stream.page().await);
    relay.send(&lea, &[PAUL], b"deux").await;
    let second = after(first, &stream.page().await);
    stream.acknowledge(first).await;
    relay.news(&lea, Cursor::START).await;
    drop(stream);

    // The second was stored, but never acknowledged: it is not sent again to who says that it has it.
    let mut stream = relay.stream(&paul, second).await.unwrap();
    relay.send(&lea, &[PAUL], b"trois").await;
    let third = stream.page().await;
    assert_eq!(paul.open(&third[0], &lea), b"trois");
    assert_eq!((third.len(), after(second, &third).number), (1, 3));
    drop(stream);

    // The second was not stored: it comes again, with all after it.
    let mut stream = relay.stream(&paul, first).await.unwrap();
    let mut again = stream.page().await;
    while again.len() < 2 {
        again.extend(stream.page().await);
    }
    assert_eq!(paul.open(&again[0], &lea), b"deux");
    assert_eq!(after(first, &again).number, 3);
}

#[tokio::test]
async fn a_silent_stream_is_closed_and_one_that_answers_pings_is_not() {
    let relay = TestRelay::start_tuned(Tuning {
        ping_seconds: 1,
        silence_seconds: 4,
        ..Tuning::default()
    })
    .await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut live = relay.stream(&paul, Cursor::START).await.unwrap();
    let alive = tokio::spawn(async move { live.page().await });
    let mut silent = relay.stream(&paul, Cursor::START).await.unwrap().into_socket();
    let mut heard = Vec::new();
    silent.read_to_end(&mut heard).await.unwrap();
    assert!(heard.starts_with(&[0x89, 0]), "pings: {heard:?}");
    assert!(heard.ends_with(b"silent"), "{heard:?}");
    relay.send(&lea, &[PAUL], b"Bonjour").await;
    assert_eq!(paul.open(&alive.await.unwrap()[0], &lea), b"Bonjour");
}

#[tokio::test]
async fn it_ends_with_its_token_and_goes_on_with_the_next() {
    let relay = TestRelay::start_tuned(Tuning {
        token_seconds: 5,
        ..Tuning::default()
    })
    .await;
    let (mut lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    paul.token = relay.token(&paul).await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let poll = relay.poll(&paul, Cursor::START, 30);
    let (end, polled) = tokio::join!(stream.end(), poll);
    assert_eq!(end, (POLICY, "token-refused".to_owned()));
    assert_eq!(problem_of(polled).await, Code::TokenRefused);
    assert!(matches!(
        relay.stream(&paul, Cursor::START).await,
        Err(Code::TokenRefused)
    ));
    lea.token = relay.token(&lea).await;
    relay.send(&lea, &[PAUL], b"entretemps").await;
    paul.token = relay.token(&paul).await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    assert_eq!(paul.open(&stream.page().await[0], &lea), b"entretemps");
}

#[tokio::test]
async fn what_it_does_not_understand_ends_it_with_a_code() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let future = Cursor {
        number: 7,
        ..Cursor::START
    };
    assert!(matches!(relay.stream(&paul, future).await, Err(Code::CursorMismatch)));
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    stream.acknowledge(future).await;
    assert_eq!(stream.end().await, (POLICY, "cursor-mismatch".to_owned()));
    for message in [Message::Text("1".into()), Message::Binary(vec![1, 2, 3].into())] {
        let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
        stream.send(message).await;
        assert_eq!(stream.end().await, (POLICY, "malformed".to_owned()));
    }
    let plain = relay.request(reqwest::Method::GET, protocol::api::path::STREAM);
    let plain = plain.bearer_auth(&paul.token).send().await.unwrap();
    assert_eq!(problem_of(plain).await, Code::Malformed);
}

#[tokio::test]
async fn it_ends_when_the_relay_stops() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let (end, stopped) = tokio::join!(stream.end(), relay.running.stop());
    stopped.unwrap();
    assert_eq!(end, (AWAY, "stopping".to_owned()));
}

#[tokio::test]
async fn a_stream_that_lags_behind_polls_goes_on_where_they_came_to() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut lagging = relay.stream(&paul, Cursor::START).await.unwrap();
    let large = vec![b'x'; 880 * 1024];
    for _ in 0..16 {
        relay.send(&lea, &[PAUL], &large).await;
    }
    let mut cursor = Cursor::START;
    while cursor.number < 16 {
        cursor = after(cursor, &relay.page(&paul, cursor).await);
    }
    relay.acknowledge(&paul, cursor).await;
    relay.send(&lea, &[PAUL], b"ensuite").await;
    let last = loop {
        let page = lagging.page().await;
        if page.last().unwrap().number == 17 {
            break page;
        }
    };
    assert_eq!(paul.open(last.last().unwrap(), &lea), b"ensuite");
}
