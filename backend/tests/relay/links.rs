//! Channels by which a new device and the main one find each other.

use protocol::api::path;
use protocol::{Code, limits};
use reqwest::{Method, Response, StatusCode};

use super::support::{TestRelay, problem_of};

const CHANNEL: &str = "0123456789abcdef0123456789abcdef";

async fn put(relay: &TestRelay, place: &str, bytes: Vec<u8>) -> Response {
    let path = format!("{}/{place}", path::LINKS);
    relay.request(Method::PUT, &path).body(bytes).send().await.unwrap()
}

async fn read(relay: &TestRelay, place: &str) -> Response {
    let path = format!("{}/{place}", path::LINKS);
    relay.request(Method::GET, &path).send().await.unwrap()
}

#[tokio::test]
async fn what_is_put_into_a_place_is_read_there_without_a_token_until_the_relay_ends() {
    let relay = TestRelay::start().await;
    let (hello, answer) = (format!("{CHANNEL}/hello"), format!("{CHANNEL}/answer"));
    assert_eq!(problem_of(read(&relay, &hello).await).await, Code::NotFound);
    for bytes in [vec![1; 100], vec![2; limits::LINK_BYTES]] {
        assert_eq!(
            put(&relay, &hello, bytes.clone()).await.status(),
            StatusCode::NO_CONTENT
        );
        let said = read(&relay, &hello).await;
        assert_eq!(said.headers()["content-type"], "application/cbor");
        assert!(said.bytes().await.unwrap() == bytes, "the later one");
    }
    assert_eq!(
        problem_of(read(&relay, &answer).await).await,
        Code::NotFound,
        "each has a place"
    );
    let too_large = put(&relay, &answer, vec![3; limits::LINK_BYTES + 1]).await;
    assert_eq!(problem_of(too_large).await, Code::TooLarge);
    for place in [format!("{CHANNEL}/other"), "0123/hello".into()] {
        assert_eq!(
            problem_of(put(&relay, &place, vec![1]).await).await,
            Code::NotFound,
            "{place}"
        );
        assert_eq!(problem_of(read(&relay, &place).await).await, Code::NotFound, "{place}");
    }
    let relay = relay.restart().await;
    assert_eq!(problem_of(read(&relay, &hello).await).await, Code::NotFound);
}
