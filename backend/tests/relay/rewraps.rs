//! Envelopes that are given once more, for devices that could not open them.

use protocol::api::path;
use protocol::envelope::Deposit;
use protocol::sequence::Cursor;
use protocol::{Code, cbor};
use reqwest::{Method, Response, StatusCode};

use super::support::{LEA, PAUL, Phone, TestRelay, ZOE, after, problem_of};

async fn rewrap(relay: &TestRelay, phone: &Phone, deposit: &Deposit) -> Response {
    relay
        .request(Method::POST, path::REWRAPS)
        .bearer_auth(&phone.token)
        .body(cbor::encode(deposit))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_envelope_comes_again_without_notices_for_its_recipients_devices_alone() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let deposit = relay.seal(&lea, &[PAUL], b"bonjour").await;
    for _ in 0..2 {
        let answer = rewrap(&relay, &lea, &deposit).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let page = relay.page(&paul, Cursor::START).await;
    assert_eq!(page.len(), 2, "what a device has, it drops itself");
    assert_eq!(paul.open(&page[1], &lea), b"bonjour");
    let end = after(Cursor::START, &page);
    assert_eq!(relay.acknowledge(&paul, end).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(relay.page(&lea, Cursor::START).await, [], "no notice");

    let edited = |edit: &dyn Fn(&mut Deposit)| {
        let mut deposit = deposit.clone();
        edit(&mut deposit);
        deposit
    };
    let to_zoe = relay.seal(&lea, &[ZOE], b"autre").await.wraps;
    for (what, phone, deposit, code) in [
        ("of another sender", &paul, deposit.clone(), Code::NotYours),
        (
            "for nobody of the header",
            &lea,
            edited(&|deposit| deposit.wraps.clone_from(&to_zoe)),
            Code::NotYours,
        ),
        (
            "for no device of the recipient",
            &lea,
            edited(&|deposit| deposit.wraps[0].device = zoe.device),
            Code::DevicesChanged,
        ),
        (
            "twice for one device",
            &lea,
            edited(&|deposit| deposit.wraps.push(deposit.wraps[0].clone())),
            Code::Malformed,
        ),
        (
            "for no device",
            &lea,
            edited(&|deposit| deposit.wraps.clear()),
            Code::Malformed,
        ),
    ] {
        assert_eq!(problem_of(rewrap(&relay, phone, &deposit).await).await, code, "{what}");
    }
    assert_eq!(relay.page(&paul, end).await, [], "what is refused is put nowhere");
}
