//! Vectors of `docs/protocol/sequence.md`.

use protocol::cbor;
use protocol::envelope::Wrap;
use protocol::prekey::PrekeyId;
use protocol::seal::SealedKey;
use protocol::sequence::{Cursor, Entry, EntryBody, MailEntry, Notice, SequencePage, Step};
use protocol::{Digest, MessageId};
use serde_json::{Value, json};

use crate::people::{NOW, Person, digest};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, name_of, refused, taken, text};

const PAYLOAD: [u8; 72] = [0xCD; 72];
const STEPS: [(&str, Step); 7] = [
    ("available", Step::Available),
    ("retrieved", Step::Retrieved),
    ("unreachable", Step::Unreachable),
    ("withdrawn", Step::Withdrawn),
    ("expired", Step::Expired),
    ("lost", Step::Lost),
    ("not-retrieved", Step::NotRetrieved),
];

#[test]
fn sequences_are_those_of_the_page() {
    let at_300 = Cursor {
        number: 300,
        hash: digest(0xAA),
    };
    let mut list = vec![
        taken("before the first entry", "cursor", &Cursor::START),
        taken("at 300", "cursor", &at_300),
        taken("a mail", "entry body", &mail()),
    ];
    list.extend(
        STEPS
            .iter()
            .map(|(name, step)| taken(name, "entry body", &notice(*step))),
    );
    list.push(taken("no news", "sequence page", &SequencePage { entries: Vec::new() }));
    list.push(taken("a mail, a notice, one withdrawn", "sequence page", &page()));
    let body = cbor::encode(&notice(Step::Available));
    let mut refusals = common_refusals("cursor", &cbor::encode(&at_300));
    refusals.extend(common_refusals("sequence page", &cbor::encode(&page())));
    refusals.extend([
        refused(
            "no choice 2",
            "entry body",
            &[&body[..2], &[2], &body[3..]].concat(),
            "malformed",
        ),
        refused("choice without content", "entry body", &[1, 0x82, 1, 0x80], "malformed"),
        refused("choice alone", "entry body", &[1, 1], "malformed"),
        refused(
            "array of indefinite length",
            "entry body",
            &[&[1, 0x9F], &body[2..], &[0xFF]].concat(),
            "malformed",
        ),
        refused(
            "a byte more",
            "entry body",
            &[body.as_slice(), &[0]].concat(),
            "not-canonical",
        ),
    ]);
    let derived = json!({
        "taken": list,
        "refused": refusals,
        "chain": chain(),
        "entries": entries(),
    });
    let file = agree("sequence", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);

    let mut cursor = Cursor::START;
    for link in file["derived"]["chain"].as_array().unwrap() {
        cursor = cursor.after(&text(&link["digest"]).parse().unwrap());
        assert_eq!(
            (json!(cursor.number), cursor.hash.to_string().as_str()),
            (link["number"].clone(), text(&link["hash"]))
        );
    }
    for vector in file["derived"]["entries"].as_array().unwrap() {
        let entry: Entry = minicbor::decode(&bytes(&vector["entry"])).unwrap();
        let found = match entry.open() {
            Ok(Some(EntryBody::Mail(_))) => json!("mail"),
            Ok(Some(_)) => json!("notice"),
            Ok(None) => json!("nothing left"),
            Err(error) => json!({ "error": name_of(error) }),
        };
        assert_eq!(found, vector["opens"], "{}", vector["name"]);
    }
}

fn mail() -> EntryBody {
    let jean = Person::jean();
    EntryBody::Mail(MailEntry {
        header: vec![0x01, 0xA0].into(),
        wrap: Wrap {
            address: jean.address.clone(),
            device: jean.device(),
            prekey: PrekeyId {
                batch: 1,
                leaf: Some(0),
            },
            sealed: SealedKey::try_from([0xAB; SealedKey::LEN].as_slice()).unwrap(),
        },
        payload_digest: Digest::of(&[&PAYLOAD]),
        deposited_at: NOW,
    })
}

fn notice(step: Step) -> EntryBody {
    EntryBody::Notice(Notice {
        id: MessageId::from_bytes([0x01; 16]),
        recipient: Person::jean().address,
        step,
        at: NOW,
    })
}

fn entry(number: u64, body: &EntryBody, payload: Option<&[u8]>) -> Entry {
    let body = cbor::encode(body);
    Entry {
        number,
        digest: Digest::of(&[&body]),
        body: Some(body.into()),
        payload: payload.map(|payload| payload.to_vec().into()),
    }
}

fn withdrawn(number: u64) -> Entry {
    Entry {
        body: None,
        payload: None,
        ..entry(number, &mail(), None)
    }
}

fn page() -> SequencePage {
    SequencePage {
        entries: vec![
            entry(1, &mail(), Some(&PAYLOAD)),
            entry(2, &notice(Step::Retrieved), None),
            withdrawn(3),
        ],
    }
}

fn chain() -> Vec<Value> {
    let mut cursor = Cursor::START;
    (1..=3)
        .map(|number| {
            let digest = digest(number);
            cursor = cursor.after(&digest);
            json!({ "digest": digest, "number": cursor.number, "hash": cursor.hash })
        })
        .collect()
}

fn entries() -> Vec<Value> {
    let vector = |name: &str, entry: &Entry, opens: Value| json!({ "name": name, "entry": hex(&minicbor::to_vec(entry).unwrap()), "opens": opens });
    let another_digest = json!({ "error": "refused: another digest" });
    let another_payload = json!({ "error": "refused: another payload" });
    let not_canonical = [cbor::encode(&notice(Step::Available)).as_slice(), &[0]].concat();
    let wrong_digest = Entry {
        digest: Digest::ZERO,
        ..entry(1, &mail(), Some(&PAYLOAD))
    };
    let bad_body = Entry {
        digest: Digest::of(&[&not_canonical]),
        body: Some(not_canonical.into()),
        ..withdrawn(1)
    };
    vec![
        vector("a mail", &entry(1, &mail(), Some(&PAYLOAD)), json!("mail")),
        vector("a notice", &entry(2, &notice(Step::Expired), None), json!("notice")),
        vector("withdrawn", &withdrawn(3), json!("nothing left")),
        vector("another digest", &wrong_digest, another_digest),
        vector(
            "a mail without its payload",
            &entry(1, &mail(), None),
            another_payload.clone(),
        ),
        vector(
            "a mail with another payload",
            &entry(1, &mail(), Some(&[0xCE; 72])),
            another_payload.clone(),
        ),
        vector(
            "a notice with a payload",
            &entry(1, &notice(Step::Expired), Some(&PAYLOAD)),
            another_payload,
        ),
        vector(
            "a body that is not canonical",
            &bad_body,
            json!({ "error": "not-canonical" }),
        ),
    ]
}
