//! Vectors of `docs/protocol/state.md`: what an account's devices tell each other.

use protocol::archive::ArchiveKey;
use protocol::cbor::{self, Format as _};
use protocol::state::{Change, History, State, States};
use protocol::{ArchiveId, DeviceId, MessageId, Timestamp, limits};
use serde_json::json;

use crate::envelope::replaced;
use crate::people::{NOW, Person};
use crate::vectors::{agree, check_refusals, common_refusals, refused, taken, too_large};

#[test]
fn states_and_histories_are_those_of_the_page() {
    let jean = Person::jean();
    let changes = [
        Change::Read(true),
        Change::Read(false),
        Change::Handled(true),
        Change::Archived(true),
        Change::Deleted,
        Change::Draft(b"Subject: Bonjour\r\n\r\nBonj".to_vec().into()),
        Change::Name("Tablette du cabinet".parse().unwrap()),
        Change::HistoryWanted,
        Change::Here,
    ];
    let state = |number: u8, change| State {
        sender: jean.address.clone(),
        id: MessageId::from_bytes([number; 16]),
        change,
        at: NOW.plus_seconds(i64::from(number)),
        device: jean.device(),
    };
    let all = States {
        states: (0x41..)
            .zip(changes)
            .map(|(number, change)| state(number, change))
            .collect(),
    };
    let one = States {
        states: vec![state(0x41, Change::Read(true))],
    };
    let encoded = cbor::encode(&one);
    let mut refusals = common_refusals("states", &encoded);
    // Behind key 2 stand the change's own array, its number, and an array of one with the boolean.
    let with = |to: &[u8]| replaced(&encoded, &[0x02, 0x82, 0x00, 0x81, 0xF5], to);
    for (name, to) in [
        ("a change that is not known", [0x02, 0x82, 0x08, 0x81, 0xF5].as_slice()),
        ("a number instead of a boolean", &[0x02, 0x82, 0x00, 0x81, 0x01]),
        ("read without a boolean", &[0x02, 0x82, 0x00, 0x80]),
        ("a name without a letter", &[0x02, 0x82, 0x05, 0x81, 0x61, 0x20]),
        ("a name of two lines", &[0x02, 0x82, 0x05, 0x81, 0x63, 0x41, 0x0A, 0x42]),
    ] {
        refusals.push(refused(name, "states", &with(to), "malformed"));
    }
    refusals.push(refused(
        "deleted with something",
        "states",
        &with(&[0x02, 0x82, 0x03, 0x81, 0xF5]),
        "not-canonical",
    ));
    refusals.push(too_large("states", limits::MAIL_BYTES));
    let history = History {
        device: jean.device(),
        archive: ArchiveId::from_bytes([0x07; 16]),
        key: ArchiveKey::from_bytes(&[0x55; 32]),
        parts: 3,
    };
    let encoded = cbor::encode(&history);
    refusals.extend(common_refusals("history", &encoded));
    refusals.push(refused(
        "a key of 31 bytes",
        "history",
        &replaced(
            &encoded,
            &[[0x58, 0x20].as_slice(), &[0x55; 32]].concat(),
            &[[0x58, 0x1F].as_slice(), &[0x55; 31]].concat(),
        ),
        "malformed",
    ));
    refusals.push(too_large("history", History::LIMIT));
    let derived = json!({
        "taken": [
            taken("one of each change", "states", &all),
            taken("none", "states", &States { states: Vec::new() }),
            taken("three parts", "history", &history),
        ],
        "refused": refusals,
    });
    let file = agree("state", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
}

#[test]
fn as_many_states_as_the_limit_says_fit_and_the_largest_history() {
    let state = State {
        sender: Person::jean().address,
        id: MessageId::from_bytes([0xFF; 16]),
        change: Change::Archived(true),
        at: Timestamp::from_millis(i64::MAX),
        device: DeviceId::from_bytes([0xFF; 16]),
    };
    let full = States {
        states: vec![state; limits::STATES],
    };
    assert_eq!(cbor::decode(&cbor::encode(&full)), Ok(full));
    let history = History {
        device: DeviceId::from_bytes([0xFF; 16]),
        archive: ArchiveId::from_bytes([0xFF; 16]),
        key: ArchiveKey::from_bytes(&[0xFF; 32]),
        parts: u64::MAX,
    };
    assert_eq!(cbor::decode(&cbor::encode(&history)), Ok(history));
}

#[test]
fn states_and_histories_show_nothing_of_themselves() {
    let states = States { states: Vec::new() };
    let history = History {
        device: DeviceId::from_bytes([1; 16]),
        archive: ArchiveId::from_bytes([2; 16]),
        key: ArchiveKey::from_bytes(&[3; 32]),
        parts: 1,
    };
    assert_eq!(format!("{states:?} {history:?}"), "States History");
}
