//! Vectors of `docs/protocol/signature.md`.

use protocol::api::Challenge;
use protocol::cbor;
use protocol::sign::{Purpose, Signature, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use crate::people::{NOW, Person, digest, signing_key};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, taken, text};

const PURPOSES: [Purpose; 8] = [
    Purpose::Challenge,
    Purpose::Claim,
    Purpose::DeviceCertificate,
    Purpose::DeviceList,
    Purpose::Identity,
    Purpose::PrekeyBatch,
    Purpose::Statement,
    Purpose::Succession,
];

#[test]
fn signatures_are_those_of_the_page() {
    let challenge = Challenge {
        server: "relay.example.org".into(),
        device: Person::lea().device(),
        nonce: digest(0x77),
        expires_at: NOW.plus_seconds(60),
    };
    let derived = json!({
        "signed": PURPOSES.iter().map(|purpose| signed(*purpose, &signing_key(0x11))).collect::<Vec<_>>(),
        "unverified": unverified(),
        "taken": [taken("challenge", "challenge", &challenge)],
        "refused": common_refusals("challenge", &cbor::encode(&challenge)),
    });
    let file = agree("signature", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
    for vector in file["derived"]["signed"].as_array().unwrap() {
        assert_eq!(verify(vector), Ok(true), "{}", vector["name"]);
    }
    for vector in file["derived"]["unverified"].as_array().unwrap() {
        assert_ne!(verify(vector), Ok(true), "{}", vector["name"]);
    }
}

fn signed(purpose: Purpose, key: &SigningKey) -> Value {
    let message = b"bonjour";
    json!({
        "name": text_of(purpose),
        "seed": hex(key.seed().as_bytes()),
        "context": text_of(purpose),
        "message": hex(message),
        "key": hex(key.verifying_key().as_bytes()),
        "signature": hex(key.sign(purpose, message).as_bytes()),
    })
}

fn unverified() -> Vec<Value> {
    let good = signed(Purpose::Statement, &signing_key(0x11));
    let signature = bytes(&good["signature"]);
    let other = signing_key(0x21).sign(Purpose::Statement, b"bonjour");
    let mixed = [&signature[..64], &other.as_bytes()[64..]].concat();
    let mixed_too = [&other.as_bytes()[..64], &signature[64..]].concat();
    let flipped = |at: usize| {
        let mut changed = signature.clone();
        changed[at] ^= 1;
        hex(&changed)
    };
    let edits = [
        ("another context", "context", "pli/1 challenge".to_owned()),
        ("another message", "message", hex(b"bonsoir")),
        ("another key", "key", hex(signing_key(0x21).verifying_key().as_bytes())),
        ("ML-DSA half by another key", "signature", hex(&mixed)),
        ("Ed25519 half by another key", "signature", hex(&mixed_too)),
        ("a bit of the Ed25519 half", "signature", flipped(63)),
        ("a bit of the ML-DSA half", "signature", flipped(64)),
        ("the last bit", "signature", flipped(Signature::LEN - 1)),
        ("Ed25519 half alone", "signature", hex(&signature[..64])),
        ("a byte more", "signature", hex(&[signature.as_slice(), &[0]].concat())),
    ];
    edits
        .into_iter()
        .map(|(name, field, value)| {
            let mut vector = good.clone();
            vector["name"] = json!(name);
            vector[field] = json!(value);
            let error = if name.ends_with("alone") || name.ends_with("more") {
                "malformed"
            } else {
                "refused: wrong signature"
            };
            vector["error"] = json!(error);
            vector.as_object_mut().unwrap().remove("seed");
            vector
        })
        .collect()
}

/// Whether the signature verifies; an error when key or signature are of another length.
fn verify(vector: &Value) -> Result<bool, protocol::sign::SignatureError> {
    let purpose = PURPOSES
        .into_iter()
        .find(|purpose| text_of(*purpose) == text(&vector["context"]))
        .unwrap();
    let key = VerifyingKey::try_from(bytes(&vector["key"]).as_slice())?;
    let signature = Signature::try_from(bytes(&vector["signature"]).as_slice())?;
    Ok(key.verify(purpose, &bytes(&vector["message"]), &signature).is_ok())
}

fn text_of(purpose: Purpose) -> &'static str {
    std::str::from_utf8(purpose.context()).unwrap()
}
