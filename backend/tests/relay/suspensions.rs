//! Suspended devices: refused everywhere at once, left out of what others seal, and let in again by the main one alone.

use std::time::Duration;

use protocol::api::{ListUpload, PrekeyWish, Suspensions, path};
use protocol::sequence::Cursor;
use protocol::{Code, Timestamp, limits};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;

use super::lists::{adding, publish, tablet};
use super::recovery::knock_everywhere;
use super::support::{LEA, PAUL, Phone, TestRelay, ZOE, problem_of};

const NEVER: Duration = Duration::from_secs(20);

/// Léa's phone, and a tablet that it has added.
async fn two_devices(relay: &TestRelay) -> (Phone, Phone) {
    let mut lea = relay.enrol(LEA).await;
    let mut tablet = tablet(&lea, 1);
    let upload = adding(&lea, &tablet);
    assert_eq!(publish(relay, &lea, &upload).await.status(), StatusCode::NO_CONTENT);
    tablet.list = upload.list.clone();
    lea.list = upload.list;
    tablet.token = relay.token(&tablet).await;
    (lea, tablet)
}

async fn ask(relay: &TestRelay, method: Method, caller: &Phone, of: &Phone) -> Response {
    relay
        .request(method, &format!("{}/{}", path::SUSPENSIONS, of.device))
        .bearer_auth(&caller.token)
        .send()
        .await
        .unwrap()
}

async fn suspended(relay: &TestRelay, caller: &Phone) -> Suspensions {
    let request = relay.request(Method::GET, path::SUSPENSIONS);
    let answer = request.bearer_auth(&caller.token).send().await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_suspended_device_is_refused_everywhere_at_once_and_nothing_is_sealed_to_it() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let (lea, mut tablet) = two_devices(&relay).await;
    relay.send(&paul, &[LEA], b"avant").await;
    let for_both = relay.seal(&paul, &[LEA], b"pour les deux").await;
    let own = relay.seal(&tablet, &[PAUL], b"x").await;
    let page = relay.page(&tablet, Cursor::START).await;
    let cursor = super::support::after(Cursor::START, &page);
    let mut stream = relay.stream(&tablet, cursor).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            ask(&relay, Method::PUT, &lea, &tablet).await.status(),
            StatusCode::NO_CONTENT
        );
    }
    let end = timeout(NEVER, stream.end()).await.unwrap();
    assert_eq!(end, (1008, Code::DeviceSuspended.as_str().to_owned()));
    for (door, code) in knock_everywhere(&relay, &tablet, &own).await {
        assert_eq!(code, Code::TokenRefused, "{door}");
    }
    let refused = relay.challenge(tablet.device).await;
    assert_eq!(problem_of(refused).await, Code::DeviceSuspended);
    let known = suspended(&relay, &lea).await.suspensions;
    assert_eq!(known.iter().map(|one| one.device).collect::<Vec<_>>(), [tablet.device]);

    // Senders are told to ask again, and get no prekey for it.
    let refused = relay.deposit(&paul, &for_both).await;
    assert_eq!(problem_of(refused).await, Code::DevicesChanged);
    let keys = relay.keys(&paul, &[LEA], PrekeyWish::OneTime).await;
    assert_eq!(keys.accounts[0].prekeys.len(), 1);
    relay.send(&paul, &[LEA], b"pendant").await;

    // It has what waited before, and then what comes after.
    assert_eq!(
        ask(&relay, Method::DELETE, &lea, &tablet).await.status(),
        StatusCode::NO_CONTENT
    );
    tablet.token = relay.token(&tablet).await;
    relay.send(&paul, &[LEA], b"ensuite").await;
    let contents: Vec<_> = relay
        .page(&tablet, Cursor::START)
        .await
        .iter()
        .map(|entry| tablet.open(entry, &paul))
        .collect();
    assert_eq!(contents, [b"avant".to_vec(), b"ensuite".to_vec()]);
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 3);
}

#[tokio::test]
async fn a_token_that_outlives_the_suspension_opens_no_door() {
    let relay = TestRelay::start().await;
    let _zoe = relay.enrol(ZOE).await;
    let (_, tablet) = two_devices(&relay).await;
    let sealed = relay.seal(&tablet, &[ZOE], b"x").await;
    relay.alter("UPDATE device SET suspended_at = 1 WHERE id = (SELECT max(id) FROM device)");
    for (door, code) in knock_everywhere(&relay, &tablet, &sealed).await {
        assert_eq!(code, Code::DeviceSuspended, "{door}");
    }
}

#[tokio::test]
async fn who_may_suspend_and_lift() {
    let relay = TestRelay::start().await;
    let zoe = relay.enrol(ZOE).await;
    let (lea, tablet) = two_devices(&relay).await;
    for (what, method, caller, of, code) in [
        ("a stranger's device", Method::PUT, &zoe, &tablet, Code::NotFound),
        ("itself", Method::PUT, &tablet, &tablet, Code::NotFound),
        (
            "lifted by another than the main one",
            Method::DELETE,
            &tablet,
            &tablet,
            Code::NotMain,
        ),
        ("a stranger's lifted", Method::DELETE, &zoe, &tablet, Code::NotFound),
    ] {
        let answer = ask(&relay, method, caller, of).await;
        assert_eq!(problem_of(answer).await, code, "{what}");
    }
    assert_eq!(suspended(&relay, &lea).await.suspensions, []);
    // Any device suspends any other, the main one, too: who has lost that one has nothing else at hand.
    let answer = ask(&relay, Method::PUT, &tablet, &lea).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let refused = relay.challenge(lea.device).await;
    assert_eq!(problem_of(refused).await, Code::DeviceSuspended);
    let refused = relay.ask_keys(&zoe, &[LEA], PrekeyWish::OneTime).await;
    assert_eq!(refused.status(), StatusCode::OK, "the other one is reachable");
}

#[tokio::test]
async fn a_suspended_device_is_taken_off_the_list_as_any_other() {
    let relay = TestRelay::start().await;
    let (lea, tablet) = two_devices(&relay).await;
    ask(&relay, Method::PUT, &lea, &tablet).await;
    let without = ListUpload {
        list: lea.next_list(&[&lea]),
        batch: None,
    };
    assert_eq!(publish(&relay, &lea, &without).await.status(), StatusCode::NO_CONTENT);
    let refused = relay.challenge(tablet.device).await;
    assert_eq!(problem_of(refused).await, Code::DeviceUnknown);
}

#[tokio::test]
async fn a_device_that_is_silent_for_long_is_suspended_and_the_main_one_never_is() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let (lea, tablet) = two_devices(&relay).await;
    let day = 24 * 60 * 60 * 1_000;
    let days_ago = |phone: &Phone, days: i64| {
        let at = Timestamp::now().as_millis() - days * day;
        let id = phone.device;
        relay.alter(&format!(
            "UPDATE device SET seen_at = {at} WHERE hex(device) = upper('{id}')"
        ));
    };
    let sweep = async || relay.running.sweep(Timestamp::now()).await.unwrap();
    for phone in [&lea, &paul] {
        days_ago(phone, limits::SILENT_DAYS);
    }
    // It has proved itself meanwhile.
    days_ago(&tablet, limits::SILENT_DAYS);
    relay.token(&tablet).await;
    sweep().await;
    assert!(suspended(&relay, &lea).await.suspensions.is_empty());
    days_ago(&tablet, limits::SILENT_DAYS - 1);
    sweep().await;
    assert!(suspended(&relay, &lea).await.suspensions.is_empty());
    days_ago(&tablet, limits::SILENT_DAYS);
    sweep().await;
    assert_eq!(suspended(&relay, &lea).await.suspensions[0].device, tablet.device);
    assert_eq!(
        problem_of(relay.poll(&tablet, Cursor::START, 0).await).await,
        Code::TokenRefused
    );
    assert_eq!(
        problem_of(relay.challenge(tablet.device).await).await,
        Code::DeviceSuspended
    );
    // Mail goes to the others, and the main devices go on.
    relay.send(&paul, &[LEA], b"apres").await;
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 1);
    assert_eq!(
        ask(&relay, Method::DELETE, &lea, &tablet).await.status(),
        StatusCode::NO_CONTENT
    );
    sweep().await;
    assert!(
        suspended(&relay, &lea).await.suspensions.is_empty(),
        "it counts as seen"
    );
}
