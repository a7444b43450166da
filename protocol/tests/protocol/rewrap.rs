//! Vectors of `docs/protocol/rewrap.md`.

use protocol::cbor;
use protocol::rewrap::RewrapRequest;
use protocol::{MessageId, limits};
use serde_json::json;

use crate::vectors::{agree, check_refusals, common_refusals, refused, taken, too_large};

#[test]
fn requests_are_those_of_the_page() {
    let request = |numbers: &[u8]| RewrapRequest {
        ids: numbers
            .iter()
            .map(|number| MessageId::from_bytes([*number; 16]))
            .collect(),
    };
    let two = request(&[0x41, 0x42]);
    let encoded = cbor::encode(&two);
    // The last byte of the first id, whose length is then one less: version, map, key, list, length, id.
    let mut short = encoded.clone();
    assert_eq!(short[4], 0x50);
    short[4] = 0x4F;
    short.remove(5);
    let mut refusals = common_refusals("rewrap request", &encoded);
    refusals.push(refused("an id of 15 bytes", "rewrap request", &short, "malformed"));
    refusals.push(too_large("rewrap request", limits::REWRAPS * 18));
    let derived = json!({
        "taken": [
            taken("two messages", "rewrap request", &two),
            taken("none", "rewrap request", &request(&[])),
        ],
        "refused": refusals,
    });
    let file = agree("rewrap", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
}

#[test]
fn as_many_messages_as_the_limit_says_fit() {
    let full = RewrapRequest {
        ids: vec![MessageId::from_bytes([0xFF; 16]); limits::REWRAPS],
    };
    assert_eq!(cbor::decode(&cbor::encode(&full)), Ok(full));
}
