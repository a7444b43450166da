//! Vectors of `docs/protocol/receipts.md`.

use protocol::cbor;
use protocol::receipt::{Reading, Receipt, Receipts};
use protocol::{MessageId, limits};
use serde_json::json;

use crate::people::NOW;
use crate::vectors::{agree, check_refusals, common_refusals, refused, taken, too_large};

#[test]
fn receipts_are_those_of_the_page() {
    let receipt = |number: u8, reading| Receipt {
        id: MessageId::from_bytes([number; 16]),
        reading,
        at: NOW,
    };
    let two = Receipts {
        receipts: vec![receipt(0x41, Reading::Read), receipt(0x42, Reading::Handled)],
    };
    let encoded = cbor::encode(&two);
    let mut unknown = encoded.clone();
    // The first receipt's reading stands behind version, map, key, list, map, key, id and key.
    let place = 1 + 1 + 1 + 1 + 1 + 1 + 17 + 1;
    assert_eq!(unknown[place - 1..=place], [0x01, 0x00]);
    unknown[place] = 2;
    let mut refusals = common_refusals("receipts", &encoded);
    refusals.push(refused(
        "a reading that is not known",
        "receipts",
        &unknown,
        "malformed",
    ));
    refusals.push(too_large("receipts", limits::RECEIPTS * 64));
    let derived = json!({
        "taken": [
            taken("read and handled", "receipts", &two),
            taken("none", "receipts", &Receipts { receipts: Vec::new() }),
        ],
        "refused": refusals,
    });
    let file = agree("receipts", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
}

#[test]
fn as_many_receipts_as_the_limit_says_fit() {
    let receipt = Receipt {
        id: MessageId::from_bytes([0xFF; 16]),
        reading: Reading::Handled,
        at: protocol::Timestamp::from_millis(i64::MAX),
    };
    let full = Receipts {
        receipts: vec![receipt; limits::RECEIPTS],
    };
    assert_eq!(cbor::decode(&cbor::encode(&full)), Ok(full));
}
