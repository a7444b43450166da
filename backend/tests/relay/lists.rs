//! The device list of an account: the next one alone, with the first batch of the device that it adds.

use protocol::api::{ListUpload, PrekeyWish, path};
use protocol::removal::Removal;
use protocol::sequence::Cursor;
use protocol::{Code, DeviceId, Timestamp, cbor};
use reqwest::{Method, Response, StatusCode};

use super::support::{LEA, PAUL, Phone, TestRelay, ZOE, problem_of};

pub(crate) async fn publish(relay: &TestRelay, phone: &Phone, upload: &ListUpload) -> Response {
    relay
        .request(Method::POST, path::LISTS)
        .bearer_auth(&phone.token)
        .body(cbor::encode(upload))
        .send()
        .await
        .unwrap()
}

/// Another device of the same account, not yet on its list.
pub(crate) fn tablet(phone: &Phone, number: u8) -> Phone {
    let other = Phone::make_with(phone.address.as_str(), 4, number, Timestamp::now().plus_days(30));
    Phone {
        identity: phone.identity.clone(),
        ..other
    }
}

pub(crate) fn adding(phone: &Phone, added: &Phone) -> ListUpload {
    ListUpload {
        list: phone.next_list(&[phone, added]),
        batch: Some(added.batch.upload.clone()),
    }
}

#[tokio::test]
async fn a_device_is_added_with_its_prekeys_and_ends_when_it_is_taken_off() {
    let relay = TestRelay::start().await;
    let (mut lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut tablet = tablet(&lea, 1);
    let upload = adding(&lea, &tablet);
    for _ in 0..2 {
        let answer = publish(&relay, &lea, &upload).await;
        assert_eq!(
            answer.status(),
            StatusCode::NO_CONTENT,
            "the same again changes nothing"
        );
    }
    lea.list = upload.list.clone();
    tablet.token = relay.token(&tablet).await;
    let keys = relay.keys(&paul, &[LEA], PrekeyWish::OneTime).await;
    assert_eq!(keys.accounts[0].prekeys.len(), 2, "its first batch came with the list");
    relay.send(&paul, &[LEA], b"aux deux").await;
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 1);
    assert_eq!(relay.page(&tablet, Cursor::START).await.len(), 1);

    let without = ListUpload {
        list: lea.next_list(&[&lea]),
        batch: None,
    };
    let answer = publish(&relay, &lea, &without).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let refused = relay.poll(&tablet, Cursor::START, 0).await;
    assert_eq!(problem_of(refused).await, Code::TokenRefused);
    let unknown = relay.challenge(tablet.device).await;
    assert_eq!(problem_of(unknown).await, Code::DeviceUnknown);
    assert_eq!(
        problem_of(publish(&relay, &lea, &upload).await).await,
        Code::ListOutdated
    );
    let keys = relay.keys(&paul, &[LEA], PrekeyWish::OneTime).await;
    assert_eq!(keys.accounts[0].prekeys.len(), 1);
    assert_eq!(
        relay.page(&lea, Cursor::START).await.len(),
        1,
        "the main device had it, too"
    );
}

#[tokio::test]
async fn what_waits_for_a_removed_device_alone_goes_to_the_main_one() {
    let relay = TestRelay::start().await;
    let (mut lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut tablet = tablet(&lea, 1);
    let upload = adding(&lea, &tablet);
    publish(&relay, &lea, &upload).await;
    lea.list = upload.list;
    tablet.token = relay.token(&tablet).await;
    // The main device is past its date: the mail is for the tablet alone.
    relay.alter("UPDATE prekey_batch SET not_after = 0 WHERE device = (SELECT min(device) FROM prekey_batch)");
    relay.send(&paul, &[LEA], b"seule").await;
    assert_eq!(relay.page(&lea, Cursor::START).await, []);
    let without = ListUpload {
        list: lea.next_list(&[&lea]),
        batch: None,
    };
    let answer = publish(&relay, &lea, &without).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let page = relay.page(&lea, Cursor::START).await;
    assert_eq!(page.len(), 1);
    let mail = super::support::mail_of(&page[0]);
    assert_eq!(mail.wrap.device, tablet.device, "as it was sealed");
}

#[tokio::test]
async fn a_list_that_is_shown_again_brings_back_its_devices_which_bring_their_prekeys() {
    let relay = TestRelay::start().await;
    let (mut lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let mut tablet = tablet(&lea, 1);
    // The relay has lost two versions of it.
    lea.list = lea.next_list(&[&lea]);
    let again = ListUpload {
        list: lea.next_list(&[&lea, &tablet]),
        batch: None,
    };
    assert_eq!(publish(&relay, &lea, &again).await.status(), StatusCode::NO_CONTENT);
    let keys = relay.keys(&paul, &[LEA], PrekeyWish::OneTime).await;
    assert_eq!(keys.accounts[0].prekeys.len(), 1, "nothing can be sealed to it yet");
    relay.send(&paul, &[LEA], b"avant").await;
    tablet.token = relay.token(&tablet).await;
    let uploaded = relay
        .request(Method::POST, path::PREKEYS)
        .bearer_auth(&tablet.token)
        .body(cbor::encode(&tablet.batch.upload))
        .send()
        .await
        .unwrap();
    assert_eq!(uploaded.status(), StatusCode::OK);
    relay.send(&paul, &[LEA], b"aux deux").await;
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 2);
    assert_eq!(relay.page(&tablet, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn a_device_that_another_account_named_without_its_word_is_whose_prekeys_it_signs() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, Phone::make(ZOE, 4));
    let mut tablet = tablet(&lea, 1);
    let named = ListUpload {
        list: paul.next_list(&[&paul, &tablet, &zoe]),
        batch: None,
    };
    assert_eq!(publish(&relay, &paul, &named).await.status(), StatusCode::NO_CONTENT);
    let answer = publish(&relay, &lea, &adding(&lea, &tablet)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let answer = relay.send_enrolment(&zoe, &relay.code(ZOE)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    tablet.token = relay.token(&tablet).await;
    relay.send(&paul, &[LEA], b"aux deux").await;
    assert_eq!(relay.page(&tablet, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn of_a_removed_device_the_last_list_with_it_and_the_next_one_are_shown_for_good() {
    let relay = TestRelay::start().await;
    let (mut lea, mut paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let (first, second) = (tablet(&lea, 1), tablet(&lea, 2));
    let paul_token = paul.token.clone();
    let ask = async |device: DeviceId| {
        let request = relay.request(Method::GET, &format!("{}/{device}", path::REMOVALS));
        request.bearer_auth(&paul_token).send().await.unwrap()
    };
    // Added, and taken off after another one was added.
    for devices in [vec![&first], vec![&first, &second], vec![&second], vec![]] {
        let added = devices
            .last()
            .filter(|_| devices.len() != 1 || devices[0].device == first.device);
        let all: Vec<&Phone> = std::iter::once(&lea).chain(devices.iter().copied()).collect();
        let upload = ListUpload {
            list: lea.next_list(&all),
            batch: added.map(|added| added.batch.upload.clone()),
        };
        assert_eq!(publish(&relay, &lea, &upload).await.status(), StatusCode::NO_CONTENT);
        lea.list = upload.list;
    }
    // Another account names its key, and takes it off again.
    let others: [&[&Phone]; 2] = [&[&first], &[]];
    for devices in others {
        let all: Vec<&Phone> = std::iter::once(&paul).chain(devices.iter().copied()).collect();
        let list = paul.next_list(&all);
        let upload = ListUpload {
            list: list.clone(),
            batch: None,
        };
        assert_eq!(publish(&relay, &paul, &upload).await.status(), StatusCode::NO_CONTENT);
        paul.list = list;
    }
    for (device, version) in [(first.device, 3), (second.device, 4)] {
        let answer = ask(device).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let removal: Removal = cbor::decode(&answer.bytes().await.unwrap()).unwrap();
        assert!(removal.identity == lea.identity);
        assert_eq!(removal.verify(&device).unwrap().before.list_version(), version);
    }
    for other in [lea.device, DeviceId::from_bytes([7; DeviceId::LEN])] {
        assert_eq!(problem_of(ask(other).await).await, Code::NotFound);
    }
    let nameless = relay.request(Method::GET, &format!("{}/tablette", path::REMOVALS));
    let answer = nameless.bearer_auth(&paul.token).send().await.unwrap();
    assert!(answer.status().is_client_error());
}

#[tokio::test]
async fn a_list_that_does_not_follow_or_hold_is_refused_and_changes_nothing() {
    let relay = TestRelay::start().await;
    let (lea, zoe) = (relay.enrol(LEA).await, relay.enrol(ZOE).await);
    let (tablet, second) = (tablet(&lea, 1), tablet(&lea, 2));
    let good = adding(&lea, &tablet);
    let old = Phone::make_with(LEA, 4, 1, Timestamp::from_millis(0));
    let mut later = Phone::make(LEA, 4);
    later.list = good.list.clone();
    let signature = Code::SignatureRefused;
    for (what, upload, code) in [
        ("two versions on", adding(&later, &tablet), Code::ListOutdated),
        ("of another identity", adding(&zoe, &tablet), signature),
        (
            "a batch of another device",
            ListUpload {
                batch: Some(second.batch.upload.clone()),
                ..good.clone()
            },
            signature,
        ),
        (
            "two devices at once",
            ListUpload {
                list: lea.next_list(&[&lea, &tablet, &second]),
                ..good.clone()
            },
            signature,
        ),
        ("prekeys past their date", adding(&lea, &old), Code::PrekeysOutdated),
    ] {
        assert_eq!(problem_of(publish(&relay, &lea, &upload).await).await, code, "{what}");
    }
    let keys = relay.keys(&zoe, &[LEA], PrekeyWish::None).await;
    assert!(keys.accounts[0].list == lea.list, "the list is the one before");
    assert_eq!(publish(&relay, &lea, &good).await.status(), StatusCode::NO_CONTENT);
}
