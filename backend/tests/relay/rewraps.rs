//! Envelopes that come once more, wrapped for a device that could not open them.

use protocol::api::PrekeyWish;
use protocol::envelope::{Deposit, Header, Wrap};
use protocol::sequence::{Cursor, Step};
use protocol::{Code, DeviceId};
use reqwest::StatusCode;

use super::support::{LEA, PAUL, Phone, TestRelay, ZOE, after, mail_of, notice_of, problem_of};

/// An envelope to Paul, and the same with wraps for the phones that have his account by then.
async fn sealed_for_both(relay: &TestRelay, lea: &Phone, paul: &Phone) -> (Deposit, Phone, Deposit) {
    let keys = relay.keys(lea, &[PAUL], PrekeyWish::OneTime).await;
    let (first, key) = lea.seal_with_key(&[PAUL], &keys, &vec![b'x'; 20_000]);
    assert_eq!(relay.deposit(lea, &first).await.status(), StatusCode::OK);
    let next = relay.take_over(paul, 1).await;
    let keys = relay.keys(lea, &[PAUL], PrekeyWish::OneTime).await;
    let prekey = keys.accounts[0].prekeys[0]
        .verify(&next.account(), 0, protocol::Timestamp::now())
        .unwrap();
    let again = Deposit {
        header: first.header.clone(),
        wraps: vec![Wrap::make(&key, &first.header, &prekey).unwrap()],
        payload: first.payload.clone(),
    };
    (first, next, again)
}

#[tokio::test]
async fn what_the_next_phone_cannot_open_it_opens_once_it_was_wrapped_again() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let (first, next, again) = sealed_for_both(&relay, &lea, &paul).await;
    assert_eq!(relay.rewrap(&lea, &again).await.status(), StatusCode::NO_CONTENT);
    let entries = relay.page(&next, Cursor::START).await;
    assert_eq!(entries.len(), 2);
    assert_eq!(mail_of(&entries[0]).wrap.device, paul.device);
    assert_eq!(mail_of(&entries[1]).wrap.device, next.device);
    assert_eq!(
        next.open_as(&entries[1], &lea, paul.account().fingerprint()),
        vec![b'x'; 20_000]
    );
    relay.acknowledge(&next, after(Cursor::START, &entries)).await;
    let told = relay.page(&lea, Cursor::START).await;
    assert_eq!(told.len(), 1, "once for the deposit, never for a re-wrap");
    assert_eq!(
        (notice_of(&told[0]).id, notice_of(&told[0]).step),
        (Header::parse(&first.header).unwrap().id, Step::Retrieved)
    );
    // The same again is put there again: the phone knows it by its id.
    assert_eq!(relay.rewrap(&lea, &again).await.status(), StatusCode::NO_CONTENT);
    let cursor = after(Cursor::START, &entries);
    let once_more = relay.page(&next, cursor).await;
    assert_eq!(once_more.len(), 1);
    relay.acknowledge(&next, after(cursor, &once_more)).await;
    while relay.blob_count() != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(relay.page(&lea, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn a_rewrap_that_is_not_the_senders_or_for_no_device_is_refused_and_leaves_nothing() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let (first, next, again) = sealed_for_both(&relay, &lea, &paul).await;
    let cursor = after(Cursor::START, &relay.page(&next, Cursor::START).await);
    let wrap = again.wraps[0].clone();
    let to = |address: &str, device: DeviceId| {
        let mut wrap = wrap.clone();
        (wrap.address, wrap.device) = (address.parse().unwrap(), device);
        wrap
    };
    for (what, wraps, code) in [
        ("none", vec![], Code::Malformed),
        ("two for one device", vec![wrap.clone(), wrap.clone()], Code::Malformed),
        ("for the phone before", first.wraps.clone(), Code::DevicesChanged),
        ("for nobody of the header", vec![to(ZOE, zoe.device)], Code::NotYours),
        ("for another's device", vec![to(PAUL, zoe.device)], Code::DevicesChanged),
        (
            "one good, one not",
            vec![wrap.clone(), to(PAUL, zoe.device)],
            Code::DevicesChanged,
        ),
    ] {
        let answer = relay.rewrap(&lea, &Deposit { wraps, ..again.clone() }).await;
        assert_eq!(problem_of(answer).await, code, "{what}");
    }
    assert_eq!(problem_of(relay.rewrap(&zoe, &again).await).await, Code::NotYours);
    let empty = Deposit {
        payload: Vec::new().into(),
        ..again.clone()
    };
    assert_eq!(problem_of(relay.rewrap(&lea, &empty).await).await, Code::Malformed);
    assert!(relay.page(&next, cursor).await.is_empty());
    assert!(relay.page(&zoe, Cursor::START).await.is_empty());
    assert_eq!(relay.blob_count(), 1, "the deposit's own");
}

#[tokio::test]
async fn an_envelope_comes_again_without_notices_for_its_recipients_devices_alone() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let deposit = relay.seal(&lea, &[PAUL], b"bonjour").await;
    for _ in 0..2 {
        let answer = relay.rewrap(&lea, &deposit).await;
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
        assert_eq!(problem_of(relay.rewrap(phone, &deposit).await).await, code, "{what}");
    }
    assert_eq!(relay.page(&paul, end).await, [], "what is refused is put nowhere");
}

#[tokio::test]
async fn an_account_gives_so_many_again_in_a_day_whichever_of_its_devices_does() {
    let mut tuning = backend::Tuning::default();
    (tuning.limits.rewraps.bucket, tuning.limits.rewraps.refill) = (2, 0);
    let relay = TestRelay::start_tuned(tuning).await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let deposit = relay.seal(&lea, &[PAUL], b"bonjour").await;
    for _ in 0..2 {
        assert_eq!(relay.rewrap(&lea, &deposit).await.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(problem_of(relay.rewrap(&lea, &deposit).await).await, Code::Throttled);
    assert_eq!(relay.page(&paul, Cursor::START).await.len(), 2);
    assert_eq!(
        relay.deposit(&lea, &deposit).await.status(),
        StatusCode::OK,
        "mail goes on"
    );
    let by_paul = relay.seal(&paul, &[LEA], b"merci").await;
    assert_eq!(
        relay.rewrap(&paul, &by_paul).await.status(),
        StatusCode::NO_CONTENT,
        "so do others"
    );
}
