//! Vectors of `docs/protocol/wrap.md`.

use protocol::cbor;
use protocol::chunked::ContentKey;
use protocol::envelope::Wrap;
use protocol::prekey::PrekeyId;
use protocol::seal::{self, PrekeySecret, SealedKey};
use protocol::{Digest, MessageId};
use serde_json::{Value, json};

use crate::people::{Person, digest, prekey_secret};
use crate::vectors::{agree, array, bytes, check_refusals, common_refusals, hex, name_of, taken, text};

#[test]
fn wraps_are_those_of_the_page() {
    let jean = Person::jean();
    let wrap = |leaf| Wrap {
        address: jean.address.clone(),
        device: jean.device(),
        prekey: PrekeyId { batch: 3, leaf },
        sealed: SealedKey::try_from([0xAB; SealedKey::LEN].as_slice()).unwrap(),
    };
    let one_time = cbor::encode(&wrap(Some(17)));
    let mut refused = common_refusals("wrap", &one_time);
    refused.push(crate::vectors::refused(
        "leaf given as null",
        "wrap",
        &with_null_leaf(&cbor::encode(&wrap(None))),
        "not-canonical",
    ));
    let derived = json!({
        "taken": [taken("one-time prekey", "wrap", &wrap(Some(17))), taken("last-resort prekey", "wrap", &wrap(None))],
        "refused": refused,
        "prekeys": [prekey(0x40), prekey(0x41)],
    });
    let file = agree("wrap", &derived, draw);
    check_refusals(&file["derived"]["refused"]);

    let sealed = file["drawn"]["sealed"].as_array().unwrap();
    for vector in sealed {
        let opened = open(vector).unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
        assert_eq!(
            hex(opened.as_bytes()),
            text(&vector["content_key"]),
            "{}",
            vector["name"]
        );
    }
    for vector in file["drawn"]["unopened"].as_array().unwrap() {
        let error = open(vector).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
}

#[test]
fn public_halves_are_those_of_the_x_wing_draft() {
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(crate::vectors::pages().join("vectors/x-wing.json")).unwrap())
            .unwrap();
    let list = file["published"].as_array().unwrap();
    assert!(!list.is_empty());
    for vector in list {
        let public = PrekeySecret::from_bytes(&array(&vector["sk"])).public().unwrap();
        assert_eq!(hex(public.as_bytes()), text(&vector["pk"]));
    }
}

fn prekey(number: u8) -> Value {
    let secret = prekey_secret(number);
    json!({
        "name": format!("seed of 32 bytes {number:#04x}"),
        "secret": hex(secret.as_bytes()),
        "public": hex(secret.public().unwrap().as_bytes()),
    })
}

fn with_null_leaf(bytes: &[u8]) -> Vec<u8> {
    // The prekey id without a leaf is the map {0: 3}.
    let at = bytes
        .windows(4)
        .position(|four| four == [0x02, 0xA1, 0x00, 0x03])
        .unwrap();
    [&bytes[..=at], &[0xA2, 0x00, 0x03, 0x01, 0xF6], &bytes[at + 4..]].concat()
}

fn draw() -> Value {
    let jean = Person::jean();
    let secret = prekey_secret(0x40);
    let key = ContentKey::from_bytes(&[0x55; 32]);
    let header = header();
    let vector = |name: &str, leaf| {
        let prekey = jean.prekey(&secret, 3, leaf);
        let wrap = Wrap::make(&key, &header, &prekey).unwrap();
        json!({
            "name": name,
            "header": hex(&header),
            "address": jean.address,
            "device": jean.device(),
            "batch": 3,
            "leaf": leaf,
            "info": hex(&info(&header, &wrap)),
            "secret": hex(secret.as_bytes()),
            "sealed": hex(wrap.sealed.as_bytes()),
            "content_key": hex(key.as_bytes()),
        })
    };
    let (one_time, last_resort) = (vector("one-time prekey", Some(17)), vector("last-resort prekey", None));
    let edit = |name: &str, field: &str, value: Value| {
        let mut vector = one_time.clone();
        vector["name"] = json!(name);
        vector[field] = value;
        vector["error"] = json!("opening");
        vector.as_object_mut().unwrap().remove("content_key");
        vector
    };
    let other_info = |leaf| text(&vector("", leaf)["info"]).to_owned();
    let flipped = |at: usize| {
        let mut sealed = bytes(&one_time["sealed"]);
        sealed[at] ^= 1;
        json!(hex(&sealed))
    };
    let unopened = [
        edit("another prekey's secret", "secret", json!(hex(&[0x41; 32]))),
        edit("another leaf in the info", "info", json!(other_info(Some(18)))),
        edit("no leaf in the info", "info", json!(other_info(None))),
        edit("first byte of ML-KEM's ciphertext changed", "sealed", flipped(0)),
        edit("last byte of X25519's key changed", "sealed", flipped(1_119)),
        edit("first byte of the sealed key changed", "sealed", flipped(1_120)),
        edit("last byte of the tag changed", "sealed", flipped(1_167)),
    ];
    json!({ "sealed": [one_time, last_resort], "unopened": unopened })
}

fn open(vector: &Value) -> Result<ContentKey, protocol::seal::SealError> {
    let sealed = SealedKey::try_from(bytes(&vector["sealed"]).as_slice())?;
    seal::open_key(
        &sealed,
        &PrekeySecret::from_bytes(&array(&vector["secret"])),
        &bytes(&vector["info"]),
    )
}

fn header() -> Vec<u8> {
    cbor::encode(&protocol::envelope::Header {
        id: MessageId::from_bytes([0x01; 16]),
        from: Person::lea().address,
        to: protocol::Recipients::new(vec![Person::jean().address]).unwrap(),
        class: protocol::envelope::Class::Mail,
        statement: digest(0x02),
    })
}

/// The info as the page writes it, apart from the code that the library has for it.
fn info(header: &[u8], wrap: &Wrap) -> Vec<u8> {
    let header_hash = Digest::of(&[header]);
    let mut info = b"\x00\x0apli/1 wrap\x00\x20".to_vec();
    info.extend_from_slice(header_hash.as_bytes());
    let address = wrap.address.as_str();
    info.extend_from_slice(&[0, u8::try_from(address.len()).unwrap()]);
    info.extend_from_slice(address.as_bytes());
    info.extend_from_slice(b"\x00\x10");
    info.extend_from_slice(wrap.device.as_bytes());
    info.extend_from_slice(b"\x00\x08");
    info.extend_from_slice(&wrap.prekey.batch.to_be_bytes());
    match wrap.prekey.leaf {
        Some(leaf) => {
            info.extend_from_slice(b"\x00\x04");
            info.extend_from_slice(&leaf.to_be_bytes());
        }
        None => info.extend_from_slice(b"\x00\x00"),
    }
    info
}
