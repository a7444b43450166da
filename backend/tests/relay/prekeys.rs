//! Prekeys: each is handed out once, the last resort when none is left, and what becomes of a phone that was away.

use std::collections::BTreeSet;

use protocol::api::{DepositAnswer, DirectoryEntry, ListUpload, PrekeyStock, PrekeyWish, path};
use protocol::envelope::{self, Deposit};
use protocol::identity::Signed;
use protocol::prekey::{BatchRoot, BatchUpload};
use protocol::seal::PrekeyPublic;
use protocol::sequence::{Cursor, Step};
use protocol::{Code, Timestamp, cbor, limits, merkle};
use reqwest::{Method, Response, StatusCode};

use super::support::{IDA, LEA, PAUL, Phone, TestRelay, ZOE, problem_of, unthrottled};

async fn upload(relay: &TestRelay, phone: &Phone, batch: &BatchUpload) -> Response {
    relay
        .request(Method::POST, path::PREKEYS)
        .bearer_auth(&phone.token)
        .body(cbor::encode(batch))
        .send()
        .await
        .unwrap()
}

async fn stock(relay: &TestRelay, phone: &Phone) -> (u32, u64) {
    let asked = relay.request(Method::GET, path::PREKEYS).bearer_auth(&phone.token);
    let stock: PrekeyStock = asked.send().await.unwrap().json().await.unwrap();
    (stock.left, stock.newest_batch)
}

async fn is_reachable(relay: &TestRelay, asking: &Phone, address: &str) -> bool {
    let asked = relay.request(Method::GET, &format!("{}/{address}", path::ENTRIES));
    let entry: DirectoryEntry = asked
        .bearer_auth(&asking.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    entry.reachable
}

#[tokio::test]
async fn each_is_handed_out_once_however_many_ask_and_then_the_last_resort() {
    let relay = TestRelay::start_tuned(unthrottled()).await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol_with(PAUL, 12).await);
    let asked = (0..20).map(|_| relay.keys(&lea, &[PAUL], PrekeyWish::OneTime));
    let (mut leaves, mut last_resort) = (BTreeSet::new(), 0);
    for keys in futures_util::future::join_all(asked).await {
        match &keys.accounts[0].prekeys[0].leaf {
            Some(leaf) => assert!(leaves.insert(leaf.index), "prekey {} twice", leaf.index),
            None => last_resort += 1,
        }
    }
    assert_eq!((leaves.len(), last_resort), (12, 8));
    assert_eq!(stock(&relay, &paul).await, (0, 1));
    let sealed = relay.seal(&lea, &[PAUL], b"dernier recours").await;
    assert_eq!(sealed.wraps[0].prekey.leaf, None);
    assert_eq!(relay.deposit(&lea, &sealed).await.status(), StatusCode::OK);
    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), b"dernier recours");
}

#[tokio::test]
async fn what_is_handed_out_is_what_was_asked_for() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let keys = relay.keys(&lea, &[PAUL], PrekeyWish::LastResort).await;
    assert_eq!(keys.accounts[0].prekeys[0].leaf, None);
    let keys = relay.keys(&lea, &[PAUL, IDA], PrekeyWish::None).await;
    assert_eq!((keys.accounts.len(), keys.accounts[0].prekeys.len()), (1, 0));
    assert_eq!(stock(&relay, &paul).await, (4, 1), "neither used one up");
    let own = relay.keys(&paul, &[PAUL], PrekeyWish::OneTime).await;
    assert!(
        own.accounts[0].prekeys.is_empty(),
        "nobody seals to the device that asks"
    );
}

#[tokio::test]
async fn a_batch_replaces_the_one_before_it_and_never_a_newer_one() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let (second, third) = (paul.next_batch(2, 3).upload, paul.next_batch(3, 2).upload);
    let answer: PrekeyStock = upload(&relay, &paul, &third).await.json().await.unwrap();
    assert_eq!((answer.left, answer.newest_batch), (2, 3));
    let handed = relay.keys(&lea, &[PAUL], PrekeyWish::OneTime).await;
    assert_eq!(handed.accounts[0].prekeys[0].root, third.root);
    // The reply was lost: the same again is granted, and brings nothing back that was handed out.
    assert_eq!(upload(&relay, &paul, &third).await.status(), StatusCode::OK);
    assert_eq!(stock(&relay, &paul).await, (1, 3));
    for outdated in [&second, &paul.next_batch(3, 4).upload, &paul.batch.upload] {
        assert_eq!(
            problem_of(upload(&relay, &paul, outdated).await).await,
            Code::PrekeysOutdated
        );
    }
    assert_eq!(
        problem_of(upload(&relay, &lea, &paul.next_batch(4, 1).upload).await).await,
        Code::SignatureRefused,
        "another device's batch"
    );
    for (days, code) in [(-1, Code::PrekeysOutdated), (60, Code::Malformed)] {
        let misdated = Phone::make_with(ZOE, 1, 0, Timestamp::now().plus_days(days));
        assert_eq!(
            problem_of(relay.send_enrolment(&misdated, &relay.code(ZOE)).await).await,
            code
        );
    }
    assert_eq!(stock(&relay, &paul).await, (1, 3));
}

#[tokio::test]
async fn who_was_away_until_the_batch_ended_is_named_to_senders_until_the_next_batch() {
    let relay = TestRelay::start().await;
    let (lea, paul, zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    let sealed_before = relay.seal(&lea, &[ZOE], b"avant").await;
    assert!(is_reachable(&relay, &lea, ZOE).await);
    relay.alter(&format!(
        "UPDATE prekey_batch SET not_after = 1 WHERE device = (SELECT device.id FROM device JOIN account
         ON account.id = device.account WHERE address = '{ZOE}')"
    ));
    assert!(!is_reachable(&relay, &lea, ZOE).await);
    let both = relay.seal(&lea, &[PAUL, ZOE], b"aux deux").await;
    let answer: DepositAnswer = relay.deposit(&lea, &both).await.json().await.unwrap();
    let steps: Vec<_> = answer.outcomes.iter().map(|outcome| outcome.step).collect();
    assert_eq!(steps, [Step::Available, Step::Unreachable]);
    let alone = relay.seal(&lea, &[ZOE], b"seule").await;
    assert_eq!(problem_of(relay.deposit(&lea, &alone).await).await, Code::Unreachable);
    // What was sealed in time is taken: the phone keeps its private halves for longer.
    let answer: DepositAnswer = relay.deposit(&lea, &sealed_before).await.json().await.unwrap();
    assert_eq!(answer.outcomes[0].step, Step::Available);
    assert_eq!(
        upload(&relay, &zoe, &zoe.next_batch(2, 3).upload).await.status(),
        StatusCode::OK
    );
    assert!(is_reachable(&relay, &lea, ZOE).await);
    // What was refused was not used up: the same mail goes with new wraps.
    let keys = relay.keys(&lea, &[ZOE], PrekeyWish::OneTime).await;
    assert_eq!(keys.accounts[0].prekeys.len(), 1);
    assert_eq!(
        problem_of(relay.deposit(&lea, &alone).await).await,
        Code::DevicesChanged
    );
    assert_eq!(paul.open(&relay.page(&paul, Cursor::START).await[0], &lea), b"aux deux");
    assert_eq!(zoe.open(&relay.page(&zoe, Cursor::START).await[0], &lea), b"avant");
}

#[tokio::test]
async fn a_wrap_for_a_prekey_that_cannot_be_is_refused_and_the_mail_goes_with_another() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let of_first = relay.seal(&lea, &[PAUL], b"avant").await;
    assert_eq!(
        upload(&relay, &paul, &paul.next_batch(2, 3).upload).await.status(),
        StatusCode::OK
    );
    let sealed = relay.seal(&lea, &[PAUL], b"bonjour").await;
    let naming = |batch: u64, leaf: Option<u32>| {
        let mut deposit = sealed.clone();
        (deposit.wraps[0].prekey.batch, deposit.wraps[0].prekey.leaf) = (batch, leaf);
        deposit
    };
    let places = u32::try_from(limits::PREKEYS).unwrap();
    for (batch, leaf) in [
        (u64::MAX, None),
        (u64::MAX, Some(0)),
        (u64::try_from(i64::MAX).unwrap(), None),
        (3, Some(0)),
        (0, None),
        (2, Some(3)),
        (1, Some(places)),
        (2, Some(u32::MAX)),
    ] {
        let deposit = naming(batch, leaf);
        let again = relay.request(Method::POST, path::REWRAPS).bearer_auth(&lea.token);
        let again = again.body(cbor::encode(&deposit)).send().await.unwrap();
        for answer in [relay.deposit(&lea, &deposit).await, again] {
            assert_eq!(problem_of(answer).await, Code::DevicesChanged, "{batch} {leaf:?}");
        }
    }
    let taken: [&Deposit; 2] = [&of_first, &sealed];
    for deposit in taken {
        assert_eq!(relay.deposit(&lea, deposit).await.status(), StatusCode::OK);
    }
    assert_eq!(relay.page(&paul, Cursor::START).await.len(), 2);
}

/// The batch with other leaves, and what `edit` makes of its root.
fn edited(phone: &Phone, number: u64, leaves: Vec<PrekeyPublic>, edit: &dyn Fn(&mut BatchRoot)) -> BatchUpload {
    let made = phone.next_batch(number, 1);
    let mut root = made.upload.root.verify(&phone.key.verifying_key()).unwrap();
    let hashes: Vec<_> = leaves.iter().map(|leaf| merkle::leaf(leaf.as_bytes())).collect();
    root.leaf_count = u32::try_from(leaves.len()).unwrap();
    root.leaves = merkle::root(&hashes);
    edit(&mut root);
    BatchUpload {
        root: Signed::make(&root, &phone.key),
        leaves,
    }
}

#[tokio::test]
async fn prekeys_that_nothing_can_be_sealed_to_are_taken_nowhere() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let none = || PrekeyPublic::try_from([0xFF_u8; PrekeyPublic::LEN].as_slice()).unwrap();
    let good = |phone: &Phone| phone.batch.upload.leaves.clone();
    let bad = |phone: &Phone, number| {
        let mut leaves = good(phone);
        leaves[3] = none();
        [
            edited(phone, number, leaves, &|_| ()),
            edited(phone, number, good(phone), &|root| root.last_resort = none()),
            edited(phone, number, good(phone), &|root| {
                root.opens = vec![envelope::VERSION + 1];
            }),
        ]
    };
    let mut zoe = Phone::make(ZOE, 4);
    let tablet = Phone::make_with(LEA, 4, 1, Timestamp::now().plus_days(30));
    let code = relay.code(ZOE);
    let answers = bad(&paul, 2).into_iter().zip(bad(&zoe, 1)).zip(bad(&tablet, 1));
    for ((of_paul, of_zoe), of_tablet) in answers {
        zoe.batch.upload = of_zoe;
        let list = ListUpload {
            list: lea.next_list(&[&lea, &tablet]),
            batch: Some(of_tablet),
        };
        let added = relay.request(Method::POST, path::LISTS).bearer_auth(&lea.token);
        for answer in [
            upload(&relay, &paul, &of_paul).await,
            relay.send_enrolment(&zoe, &code).await,
            added.body(cbor::encode(&list)).send().await.unwrap(),
        ] {
            assert_eq!(problem_of(answer).await, Code::Malformed);
        }
    }
    assert_eq!(stock(&relay, &paul).await, (4, 1));
    // A phone of a later release opens versions that this relay does not know.
    let newer = edited(&paul, 2, good(&paul), &|root| root.opens.push(envelope::VERSION + 1));
    assert_eq!(upload(&relay, &paul, &newer).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn no_number_of_a_batch_leaves_its_device_without_a_next_one() {
    let relay = TestRelay::start().await;
    let paul = relay.enrol(PAUL).await;
    let last = u64::from(u32::MAX);
    for far in [1_002, last, u64::try_from(i64::MAX).unwrap(), u64::MAX] {
        let answer = upload(&relay, &paul, &paul.next_batch(far, 1).upload).await;
        assert!(
            [Code::Malformed, Code::SignatureRefused].contains(&problem_of(answer).await),
            "{far}"
        );
    }
    let mut zoe = Phone::make(ZOE, 1);
    zoe.batch = zoe.next_batch(last, 1);
    let answer = relay.send_enrolment(&zoe, &relay.code(ZOE)).await;
    assert_eq!(problem_of(answer).await, Code::Malformed);
    // A relay from before the device sees its seventy-thousandth mail's batch first.
    zoe.batch = zoe.next_batch(70_000, 1);
    let answer = relay.send_enrolment(&zoe, &relay.code(ZOE)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for next in [1_001, 1_002] {
        let answer = upload(&relay, &paul, &paul.next_batch(next, 1).upload).await;
        assert_eq!(answer.status(), StatusCode::OK, "{next}");
    }
}
