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

#[tokio::test]
async fn a_network_that_fills_its_share_keeps_no_device_elsewhere_from_being_added() {
    let relay = TestRelay::start().await;
    let place = |n: u32| format!("{n:032x}/hello");
    for n in 0..40 {
        assert_eq!(put(&relay, &place(n), vec![1]).await.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(
        problem_of(put(&relay, &place(40), vec![1]).await).await,
        Code::Throttled
    );
    assert_eq!(put(&relay, &place(39), vec![2]).await.status(), StatusCode::NO_CONTENT);
    let elsewhere = reqwest::Client::builder()
        .local_address(std::net::IpAddr::from([127, 0, 0, 2]))
        .build()
        .unwrap();
    let url = relay.request(Method::PUT, &format!("{}/{}", path::LINKS, place(40)));
    let url = url.build().unwrap().url().clone();
    let said = elsewhere.put(url).body(vec![1]).send().await.unwrap();
    assert_eq!(said.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_path_that_is_no_text_is_answered_by_a_problem() {
    let relay = TestRelay::start().await;
    assert_eq!(problem_of(read(&relay, "%ff/hello").await).await, Code::NotFound);
}
