//! Vectors of `docs/protocol/archive.md`: the records, their sealing, and the table of delivery states.

use protocol::archive::{
    self, ArchiveKey, ArchivedCorrespondent, ArchivedDelivery, ArchivedMessage, DeletedMessage, Part, Place, Record,
    UnopenedMessage,
};
use protocol::cbor::{self, Format as _};
use protocol::chunked::{self, ContentKey};
use protocol::envelope::{EnvelopeError, Header};
use protocol::sign::Purpose;
use protocol::statement::Statement;
use protocol::{ArchiveId, Digest, MessageId, Timestamp, limits, padding};
use serde_json::{Value, json};

use crate::people::{NOW, Person, signing_key};
use crate::vectors::{
    agree, array, bytes, check_refusals, common_refusals, hex, name_of, refused, taken, text, too_large,
};

const NUMBER: u64 = 3;

#[test]
fn archives_are_those_of_the_page() {
    let whole = Part {
        records: vec![
            received(),
            sent(),
            queued(),
            draft(),
            deleted(),
            correspondent(Some(NOW)),
            correspondent(None),
            unopened(),
            Record::Former(
                [0x0d, 0x0e]
                    .map(|byte| Digest::from_bytes([byte; Digest::LEN]))
                    .to_vec(),
            ),
        ],
    };
    let small = Part {
        records: vec![deleted()],
    };
    let encoded = cbor::encode(&small);
    // The record's number stands behind version, map, key, list and its own array.
    let mut unknown = encoded.clone();
    assert_eq!(unknown[4..6], [0x82, 0x01]);
    unknown[5] = 5;
    let mut refusals = common_refusals("archive part", &encoded);
    refusals.push(refused(
        "a record that is not known",
        "archive part",
        &unknown,
        "malformed",
    ));
    refusals.push(too_large("archive part", Part::LIMIT));
    let keys = [[0x01; 64], [0xFE; 64]]
        .map(|seed| json!({ "seed": hex(&seed), "key": hex(ArchiveKey::of_phrase(&seed).as_bytes()) }));
    let derived = json!({
        "keys": keys,
        "taken": [
            taken("one record of each", "archive part", &whole),
            taken("a message was deleted", "archive part", &small),
            taken("none", "archive part", &Part { records: Vec::new() }),
        ],
        "refused": refusals,
    });
    let file = agree("archive", &derived, || draw(&whole));
    check_refusals(&file["derived"]["refused"]);
    for vector in file["drawn"]["opened"].as_array().unwrap() {
        let part = open(vector).unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
        assert_eq!(hex(&cbor::encode(&part)), text(&vector["part"]), "{}", vector["name"]);
    }
    let first = &file["drawn"]["opened"][0];
    for edit in file["drawn"]["unopened"].as_array().unwrap() {
        let mut vector = first.clone();
        vector
            .as_object_mut()
            .unwrap()
            .extend(edit.as_object().unwrap().clone());
        let error = open(&vector).map(|_| ()).expect_err(text(&edit["name"]));
        assert_eq!(name_of(error), text(&edit["error"]), "{}", edit["name"]);
    }
}

#[test]
fn what_the_page_does_not_let_stand_together_is_not_sealed_either() {
    for (name, record, _) in impossible() {
        let part = Part { records: vec![record] };
        let sealed = archive::seal(&key(), archive_id(), 0, &part);
        assert!(matches!(sealed, Err(EnvelopeError::Format(_))), "{name}");
    }
}

#[test]
fn a_part_that_was_gathered_takes_one_more_whole_mail() {
    let of = |content: usize| {
        let Record::Message(mut message) = received() else {
            panic!("a message")
        };
        message.content = vec![0x5A; content].into();
        message.statement = vec![1; Statement::LIMIT].into();
        message.header = vec![1; Header::LIMIT].into();
        Record::Message(message)
    };
    let full = Part {
        records: vec![of(limits::ARCHIVE_GATHER_BYTES), of(limits::MAIL_BYTES)],
    };
    let sealed = archive::seal(&key(), archive_id(), 0, &full).unwrap();
    assert!(archive::open(&key(), archive_id(), 0, &sealed).unwrap() == full);
    let larger = Part {
        records: vec![of(limits::ARCHIVE_PART_BYTES)],
    };
    let error = archive::seal(&key(), archive_id(), 0, &larger).unwrap_err();
    assert_eq!(error, EnvelopeError::TooLarge);
}

#[test]
fn a_part_shows_nothing_of_itself() {
    let part = Part { records: vec![sent()] };
    assert_eq!(format!("{part:?} {:?}", key()), "Part ArchiveKey");
}

/// A record of each kind, in which nothing is left out that can be there.
pub(crate) fn records() -> Vec<Record> {
    vec![
        received(),
        sent(),
        queued(),
        draft(),
        deleted(),
        correspondent(Some(NOW)),
        unopened(),
    ]
}

fn key() -> ArchiveKey {
    ArchiveKey::of_phrase(&[0x01; 64])
}

fn archive_id() -> ArchiveId {
    ArchiveId::from_bytes([0x07; 16])
}

fn message(number: u8, sender: &Person, place: Place) -> ArchivedMessage {
    ArchivedMessage {
        id: MessageId::from_bytes([number; 16]),
        sender: sender.address.clone(),
        place,
        content: b"Subject: Bonjour\r\n\r\nBonjour.\r\n".to_vec().into(),
        statement: Vec::new().into(),
        signature: None,
        header: Vec::new().into(),
        content_key: None,
        dated_at: NOW,
        read_at: None,
        handled_at: None,
        archived_at: None,
        deliveries: Vec::new(),
        exported_at: None,
    }
}

/// With statement, signature and header of the form that they have, though not of this message.
fn sealed(number: u8, sender: &Person, place: Place) -> ArchivedMessage {
    let signature = signing_key(0x11).sign(Purpose::Statement, b"statement");
    ArchivedMessage {
        statement: vec![0x01, 0xA0].into(),
        signature: Some(signature),
        header: vec![0x01, 0xA0].into(),
        ..message(number, sender, place)
    }
}

fn received() -> Record {
    Record::Message(Box::new(ArchivedMessage {
        read_at: Some(NOW),
        handled_at: Some(NOW.plus_seconds(60)),
        archived_at: Some(NOW.plus_days(1)),
        exported_at: Some(NOW.plus_seconds(30)),
        ..sealed(0x41, &Person::jean(), Place::Received)
    }))
}

fn sent() -> Record {
    Record::Message(Box::new(ArchivedMessage {
        content_key: Some(ContentKey::from_bytes(&[0x55; 32])),
        deliveries: vec![delivery(5)],
        ..sealed(0x42, &Person::lea(), Place::Sent)
    }))
}

fn queued() -> Record {
    Record::Message(Box::new(ArchivedMessage {
        deliveries: vec![delivery(0)],
        ..message(0x43, &Person::lea(), Place::Sent)
    }))
}

fn draft() -> Record {
    Record::Message(Box::new(message(0x44, &Person::lea(), Place::Draft)))
}

fn deleted() -> Record {
    Record::Deleted(DeletedMessage {
        id: MessageId::from_bytes([0x45; 16]),
        sender: Person::jean().address,
    })
}

fn unopened() -> Record {
    Record::Unopened(UnopenedMessage {
        id: MessageId::from_bytes([0x46; 16]),
        sender: Person::jean().address,
        received_at: NOW,
    })
}

fn correspondent(verified_at: Option<Timestamp>) -> Record {
    let jean = Person::jean();
    Record::Correspondent(Box::new(ArchivedCorrespondent {
        identity: jean.identity,
        list: jean.list,
        verified_at,
    }))
}

fn delivery(state: u32) -> ArchivedDelivery {
    ArchivedDelivery {
        address: Person::jean().address,
        state,
        at: NOW,
    }
}

/// Messages that are readable, but whose parts do not go together, and the error.
fn impossible() -> Vec<(&'static str, Record, &'static str)> {
    let in_part = "refused: a message that is sealed in part";
    let misplaced = "refused: a message that does not go with its place";
    let (lea, jean) = (Person::lea(), Person::jean());
    let with = |mut message: ArchivedMessage, edit: &dyn Fn(&mut ArchivedMessage)| {
        edit(&mut message);
        Record::Message(Box::new(message))
    };
    let key = Some(ContentKey::from_bytes(&[0x55; 32]));
    let received = || sealed(0x41, &jean, Place::Received);
    let draft = || message(0x44, &lea, Place::Draft);
    vec![
        (
            "no statement",
            with(received(), &|it| it.statement = Vec::new().into()),
            in_part,
        ),
        ("no signature", with(received(), &|it| it.signature = None), in_part),
        (
            "no header",
            with(received(), &|it| it.header = Vec::new().into()),
            in_part,
        ),
        (
            "received, not sealed",
            with(message(0x41, &jean, Place::Received), &|_| {}),
            misplaced,
        ),
        (
            "received, with a key",
            with(received(), &|it| it.content_key.clone_from(&key)),
            misplaced,
        ),
        (
            "received, with a delivery",
            with(received(), &|it| it.deliveries.push(delivery(2))),
            misplaced,
        ),
        (
            "a draft, sealed",
            with(sealed(0x44, &lea, Place::Draft), &|_| {}),
            misplaced,
        ),
        (
            "a draft with a key",
            with(draft(), &|it| it.content_key.clone_from(&key)),
            misplaced,
        ),
        (
            "a draft with a delivery",
            with(draft(), &|it| it.deliveries.push(delivery(0))),
            misplaced,
        ),
        (
            "sent, with a key, not sealed",
            with(message(0x42, &lea, Place::Sent), &|it| it.content_key.clone_from(&key)),
            misplaced,
        ),
    ]
}

fn draw(whole: &Part) -> Value {
    let opened = |name: &str, number: u64, part: &Part| {
        json!({
            "name": name,
            "key": hex(key().as_bytes()),
            "archive": archive_id(),
            "number": number,
            "sealed": hex(&archive::seal(&key(), archive_id(), number, part).unwrap()),
            "part": hex(&cbor::encode(part)),
        })
    };
    let small = Part {
        records: vec![deleted()],
    };
    let first = opened("a message was deleted", NUMBER, &small);
    let sealed = bytes(&first["sealed"]);
    let flipped = |at: usize| {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        hex(&changed)
    };
    let edit = |name: &str, field: &str, value: Value| json!({ "name": name, field: value, "error": "opening" });
    let mut unopened = vec![
        edit("another key", "key", json!(hex(&[0x54; 32]))),
        edit("another archive", "archive", json!(ArchiveId::from_bytes([0x08; 16]))),
        edit("the number before", "number", json!(NUMBER - 1)),
        edit(
            "a number of which the low byte is the same",
            "number",
            json!(NUMBER + 256),
        ),
        edit("a bit of the salt", "sealed", json!(flipped(0))),
        edit("a bit of the commitment", "sealed", json!(flipped(24))),
        edit("a bit of the last tag", "sealed", json!(flipped(sealed.len() - 1))),
        edit(
            "the last byte missing",
            "sealed",
            json!(hex(&sealed[..sealed.len() - 1])),
        ),
        edit("a byte more", "sealed", json!(hex(&[sealed.as_slice(), &[0]].concat()))),
        edit("nothing", "sealed", json!("")),
        json!({ "name": "a byte more than the limit, each of them 01", "length": limits::ARCHIVE_PART_BYTES + 1, "error": "too-large" }),
        json!({ "name": "not padded", "sealed": hex(&seal_raw(&cbor::encode(&small))), "error": "spliced" }),
        json!({ "name": "empty", "sealed": hex(&seal_raw(&padding::pad(b"").unwrap())), "error": "empty" }),
        json!({ "name": "version 2", "sealed": hex(&seal_raw(&padding::pad(&[2, 0xA0]).unwrap())), "error": "unknown-version" }),
    ];
    unopened.extend(impossible().into_iter().map(|(name, record, error)| {
        let encoded = cbor::encode(&Part { records: vec![record] });
        json!({ "name": name, "sealed": hex(&seal_raw(&padding::pad(&encoded).unwrap())), "error": error })
    }));
    json!({
        "opened": [first, opened("one record of each", 0, whole), opened("none", 256, &Part { records: Vec::new() })],
        "unopened": unopened,
    })
}

/// Seals for the place of the first vector what [`archive::seal`] would not.
fn seal_raw(padded: &[u8]) -> Vec<u8> {
    let context = [
        b"pli/1 archive".as_slice(),
        archive_id().as_bytes(),
        &NUMBER.to_be_bytes(),
    ]
    .concat();
    chunked::encrypt(&ContentKey::from_bytes(key().as_bytes()), &context, padded).unwrap()
}

fn open(vector: &Value) -> Result<Part, EnvelopeError> {
    let key = ArchiveKey::from_bytes(&array(&vector["key"]));
    let archive: ArchiveId = text(&vector["archive"]).parse().unwrap();
    let sealed = match vector["length"].as_u64() {
        Some(length) => vec![1; usize::try_from(length).unwrap()],
        None => bytes(&vector["sealed"]),
    };
    archive::open(&key, archive, vector["number"].as_u64().unwrap(), &sealed)
}
