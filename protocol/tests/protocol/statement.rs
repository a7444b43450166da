//! Vectors of `docs/protocol/statement.md`.

use protocol::cbor;
use protocol::sign::{Purpose, Signature};
use protocol::statement::{StatedRecipient, Statement};
use protocol::{Digest, MessageId, Timestamp};
use serde_json::json;

use crate::people::{NOW, Person, digest};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, taken, too_large};

#[test]
fn statements_are_those_of_the_page() {
    let (lea, jean) = (Person::lea(), Person::jean());
    let content = b"bonjour";
    let statement = Statement {
        nonce: digest(0x31),
        id: MessageId::from_bytes([0x32; 16]),
        from: lea.address.clone(),
        device: lea.device(),
        list_version: 1,
        list_digest: lea.account.list_digest(),
        recipients: vec![StatedRecipient {
            address: jean.address.clone(),
            identity: jean.account.fingerprint(),
        }],
        sent_at: NOW,
        content_length: 7,
        content_digest: Digest::of(&[content]),
    };
    let before_1970 = Statement {
        sent_at: Timestamp::from_millis(-1),
        recipients: Vec::new(),
        ..statement.clone()
    };
    let encoded = cbor::encode(&statement);
    let mut refusals = common_refusals("statement", &encoded);
    refusals.push(too_large("statement", 16 * 1024));
    let derived = json!({
        "taken": [
            taken("one recipient", "statement", &statement),
            taken("no recipient, sent before 1970", "statement", &before_1970),
        ],
        "refused": refusals,
        "signed": [{
            "content": hex(content),
            "digest": Digest::of(&[&encoded]),
            "seed": hex(lea.device_key.seed().as_bytes()),
            "signature": hex(lea.device_key.sign(Purpose::Statement, &encoded).as_bytes()),
        }],
    });
    let file = agree("statement", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
    let signature = Signature::try_from(bytes(&file["derived"]["signed"][0]["signature"]).as_slice()).unwrap();
    let key = lea.device_key.verifying_key();
    assert_eq!(
        key.verify(
            Purpose::Statement,
            &bytes(&file["derived"]["taken"][0]["bytes"]),
            &signature
        ),
        Ok(())
    );
}
