//! Vectors of `docs/protocol/envelope.md`: headers, deposits, and whole envelopes that open or do not.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use protocol::cbor::{self, Format};
use protocol::chunked::{self, ContentKey};
use protocol::envelope::{
    self, Class, Deposit, EnvelopeError, Header, Kind, Message, Opened, SealedEnvelope, Sender, Wrap,
};
use protocol::identity::{Signed, VerifiedAccount};
use protocol::padding;
use protocol::prekey::PrekeyId;
use protocol::seal::{PrekeySecret, SealedKey};
use protocol::sign::{Purpose, Signature, SigningKey};
use protocol::statement::{StatedRecipient, Statement};
use protocol::{Digest, MessageId, Recipients};
use serde_json::{Value, json};

use crate::identity::{following, predecessor, second};
use crate::people::{NOW, Person, digest, prekey_secret, signing_key};
use crate::vectors::{
    agree, array, bytes, check_refusals, common_refusals, hex, name_of, refused, taken, text, too_large,
};

const CONTENT: &[u8] = b"Subject: bonjour\r\n\r\nTout va bien.\r\n";

#[test]
fn envelopes_are_those_of_the_page() {
    let derived = derived();
    let file = agree("envelope", &derived, draw);
    check_refusals(&file["derived"]["refused"]);

    for vector in file["drawn"]["opened"].as_array().unwrap() {
        let message = open(&file, vector).unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
        assert_eq!(hex(&message.content), text(&vector["content"]), "{}", vector["name"]);
        assert_eq!(
            hex(&message.statement_bytes),
            text(&vector["statement"]),
            "{}",
            vector["name"]
        );
        assert_eq!(
            hex(message.signature.as_bytes()),
            text(&vector["signature"]),
            "{}",
            vector["name"]
        );
        assert_eq!(
            hex(message.key.as_bytes()),
            text(&vector["content_key"]),
            "{}",
            vector["name"]
        );
        assert_eq!(json!(message.kind as u8), vector["kind"], "{}", vector["name"]);
    }
    for vector in file["drawn"]["unopened"].as_array().unwrap() {
        let error = open(&file, vector).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
}

#[test]
fn what_was_sealed_for_an_earlier_identity_is_taken_by_the_reader_that_follows_it_alone() {
    let (jean, lea) = (Person::jean(), following());
    let earlier = second().account.fingerprint();
    let to_earlier = sealed(&jean, &lea, earlier);
    let own = [earlier, lea.account.fingerprint()];
    let message = opened_by(&lea, &to_earlier).verify(&jean.account, &lea.address, &own);
    assert_eq!(message.unwrap().content, CONTENT);
    let never = opened_by(&lea, &to_earlier).verify(&jean.account, &lea.address, &own[1..]);
    assert_eq!(never.unwrap_err(), EnvelopeError::Recipient);
    let strange = opened_by(&lea, &sealed(&jean, &lea, digest(0x10)));
    let strange = strange.verify(&jean.account, &lea.address, &own);
    assert_eq!(strange.unwrap_err(), EnvelopeError::Recipient);
    // Somebody else whom the statement does not name, whatever identity they had.
    let anne = Person::new("anne.roux@medical28.apicrypt.org", 0x30);
    let other = opened_by(&anne, &to_earlier).verify(&jean.account, &anne.address, &own);
    assert_eq!(other.unwrap_err(), EnvelopeError::Recipient);
}

#[test]
fn what_a_device_of_an_earlier_identity_signed_is_that_ones_alone() {
    let (jean, newest, before) = (Person::jean(), following(), second());
    let from_before = sealed(&before, &jean, jean.account.fingerprint());
    let own = [jean.account.fingerprint()];
    let line = newest.account.line(&[predecessor()]);
    let message = opened_by(&jean, &from_before).verify(&line[0], &jean.address, &own);
    assert_eq!(message.unwrap().content, CONTENT);
    let by_newest = opened_by(&jean, &from_before).verify(&newest.account, &jean.address, &own);
    assert_eq!(by_newest.unwrap_err(), EnvelopeError::Signature);
}

#[test]
fn a_payload_made_again_opens_under_the_same_header_and_key() {
    let (jean, lea) = (Person::jean(), Person::lea());
    let mut again = sealed(&jean, &lea, lea.account.fingerprint());
    let signed = (again.statement.as_slice(), again.signature.clone());
    let payload = envelope::seal_again(&again.header, &again.key, Kind::Mail, signed, CONTENT).unwrap();
    assert_ne!(payload, again.payload, "the salt is a fresh one");
    again.payload = payload;
    let own = [lea.account.fingerprint()];
    let message = opened_by(&lea, &again).verify(&jean.account, &lea.address, &own);
    assert_eq!(message.unwrap().content, CONTENT);
}

/// Mail from one to the other, under an identity that the other has or had.
fn sealed(from: &Person, to: &Person, identity: Digest) -> SealedEnvelope {
    let sender = Sender {
        address: &from.address,
        device: from.device(),
        key: &from.device_key,
        list_version: from.account.list_version(),
        list_digest: from.account.list_digest(),
    };
    let recipients = vec![StatedRecipient {
        address: to.address.clone(),
        identity,
    }];
    envelope::seal(sender, MessageId::make().unwrap(), Kind::Mail, recipients, CONTENT, NOW).unwrap()
}

fn opened_by(reader: &Person, sealed: &SealedEnvelope) -> Opened {
    let secret = prekey_secret(0x43);
    let wrap = Wrap::make(&sealed.key, &sealed.header, &reader.prekey(&secret, 2, None)).unwrap();
    envelope::open(&sealed.header, &wrap, &sealed.payload, &secret).unwrap()
}

fn derived() -> Value {
    let (lea, jean) = (Person::lea(), Person::jean());
    let header = |to: Vec<protocol::Address>, class| AnyHeader {
        id: MessageId::from_bytes([0x01; 16]),
        from: lea.address.clone(),
        to,
        class,
        statement: digest(0x02),
    };
    let read = |header: &AnyHeader| Header::parse(&cbor::encode(header)).unwrap();
    let one = header(vec![jean.address.clone()], Class::Mail);
    let bytes_of_one = cbor::encode(&one);
    let many: Vec<_> = (2..19)
        .map(|number| format!("jean.martin{number}@medical28.apicrypt.org").parse().unwrap())
        .collect();
    let deposit = Deposit {
        header: bytes_of_one.clone().into(),
        wraps: vec![Wrap {
            address: jean.address.clone(),
            device: jean.device(),
            prekey: PrekeyId {
                batch: 1,
                leaf: Some(0),
            },
            sealed: SealedKey::try_from([0xAB; SealedKey::LEN].as_slice()).unwrap(),
        }],
        payload: vec![0xCD; 72].into(),
    };
    let mut refusals = common_refusals("header", &bytes_of_one);
    let (number, twice) = ("refused: no recipient, or too many", "refused: an address twice");
    let not_own = "refused: not to its own account alone";
    let to = |people: &[&Person]| people.iter().map(|person| person.address.clone()).collect();
    for (name, to, class, error) in [
        ("no recipient", Vec::new(), Class::Mail, number),
        ("17 recipients", many.clone(), Class::Mail, number),
        ("a recipient twice", to(&[&jean, &jean]), Class::Mail, twice),
        (
            "the sender among the recipients",
            to(&[&jean, &lea]),
            Class::Mail,
            twice,
        ),
        ("class 2 to somebody else", to(&[&jean]), Class::Own, not_own),
        (
            "class 2 to the sender and somebody else",
            to(&[&lea, &jean]),
            Class::Own,
            not_own,
        ),
        ("the sender alone, in class 1", to(&[&lea]), Class::Quiet, twice),
    ] {
        refusals.push(refused(name, "header", &cbor::encode(&header(to, class)), error));
    }
    refusals.push(refused(
        "an address in upper case",
        "header",
        &replaced(&bytes_of_one, b"jean.martin@", b"Jean.martin@"),
        "not-canonical",
    ));
    refusals.push(refused(
        "a class that is not known",
        "header",
        &replaced(&bytes_of_one, &[0x03, 0x00, 0x04], &[0x03, 0x03, 0x04]),
        "malformed",
    ));
    refusals.push(refused(
        "an id of 15 bytes",
        "header",
        &replaced(
            &bytes_of_one,
            &[&[0x50], [0x01; 16].as_slice()].concat(),
            &[&[0x4F], [0x01; 15].as_slice()].concat(),
        ),
        "malformed",
    ));
    refusals.push(refused(
        "fields 0 and 1 exchanged",
        "header",
        &fields_exchanged(&bytes_of_one),
        "not-canonical",
    ));
    refusals.push(too_large("header", 8 * 1024));
    json!({
        "taken": [
            taken("mail to one", "header", &read(&one)),
            taken("receipts to one", "header", &read(&header(vec![jean.address.clone()], Class::Quiet))),
            taken("states to its own account", "header", &read(&header(vec![lea.address.clone()], Class::Own))),
            taken("mail to 16", "header", &read(&header(many[..16].to_vec(), Class::Mail))),
            taken("one wrap", "deposit", &deposit),
        ],
        "refused": refusals,
        "people": { "lea": keys(&lea), "jean": keys(&jean) },
    })
}

/// A header as bytes may say it, with recipients that none may have.
#[derive(Decode, Encode)]
#[cbor(map)]
struct AnyHeader {
    #[n(0)]
    id: MessageId,
    #[n(1)]
    from: protocol::Address,
    #[n(2)]
    to: Vec<protocol::Address>,
    #[n(3)]
    class: Class,
    #[n(4)]
    statement: Digest,
}

impl Format for AnyHeader {
    const NAME: &'static str = Header::NAME;
    const VERSION: u8 = Header::VERSION;
    const LIMIT: usize = Header::LIMIT;
}

/// An envelope written by the page, apart from [`envelope::seal`], so that it can also lie.
struct Draft {
    header: Header,
    statement: Statement,
    kind: u8,
    content: Vec<u8>,
    signer: SigningKey,
    purpose: Purpose,
    /// A byte set in the padding.
    dirty: bool,
    /// A statement that differs from the one whose digest the header holds.
    other_statement: Option<Statement>,
}

#[derive(Encode)]
#[cbor(map)]
struct Sealed {
    #[n(0)]
    kind: u8,
    #[n(1)]
    statement: ByteVec,
    #[n(2)]
    signature: Signature,
    #[n(3)]
    content: ByteVec,
}

impl Draft {
    fn new(lea: &Person, jean: &Person) -> Self {
        Self {
            header: Header {
                id: MessageId::from_bytes([0x0D; 16]),
                from: lea.address.clone(),
                to: Recipients::new(vec![jean.address.clone()]).unwrap(),
                class: Class::Mail,
                statement: Digest::ZERO,
            },
            statement: Statement {
                nonce: digest(0x0E),
                id: MessageId::from_bytes([0x0D; 16]),
                from: lea.address.clone(),
                device: lea.device(),
                list_version: lea.account.list_version(),
                list_digest: lea.account.list_digest(),
                recipients: vec![StatedRecipient {
                    address: jean.address.clone(),
                    identity: jean.account.fingerprint(),
                }],
                sent_at: NOW,
                content_length: CONTENT.len() as u64,
                content_digest: Digest::of(&[CONTENT]),
            },
            kind: 0,
            content: CONTENT.to_vec(),
            signer: signing_key(0x11),
            purpose: Purpose::Statement,
            dirty: false,
            other_statement: None,
        }
    }

    fn vector(mut self, name: &str, jean: &Person, error: Option<&str>) -> Value {
        let statement = cbor::encode(&self.statement);
        self.header.statement = Digest::of(&[&statement]);
        let header = cbor::encode(&self.header);
        let inside = self.other_statement.as_ref().map_or(statement, cbor::encode);
        let signature = self.signer.sign(self.purpose, &inside);
        let mut sealed = vec![1];
        let body = Sealed {
            kind: self.kind,
            statement: inside.clone().into(),
            signature: signature.clone(),
            content: self.content.clone().into(),
        };
        minicbor::encode(&body, &mut sealed).unwrap();
        let mut padded = padding::pad(&sealed).unwrap().to_vec();
        if self.dirty {
            *padded.last_mut().unwrap() = 1;
        }
        let key = ContentKey::make().unwrap();
        let payload = chunked::encrypt(&key, Digest::of(&[&header]).as_bytes(), &padded).unwrap();
        let secret = prekey_secret(0x42);
        let wrap = Wrap::make(&key, &header, &jean.prekey(&secret, 1, Some(4))).unwrap();
        let mut vector = json!({
            "name": name,
            "secret": hex(secret.as_bytes()),
            "header": hex(&header),
            "wrap": hex(&cbor::encode(&wrap)),
            "payload": hex(&payload),
        });
        if let Some(error) = error {
            vector["error"] = json!(error);
        } else {
            vector["kind"] = json!(self.kind);
            vector["statement"] = json!(hex(&inside));
            vector["signature"] = json!(hex(signature.as_bytes()));
            vector["content"] = json!(hex(&self.content));
            vector["content_key"] = json!(hex(key.as_bytes()));
        }
        vector
    }
}

fn draw() -> Value {
    let (lea, jean) = (Person::lea(), Person::jean());
    let refused = |name: &str, error: &str, edit: &dyn Fn(&mut Draft)| {
        let mut draft = Draft::new(&lea, &jean);
        edit(&mut draft);
        draft.vector(name, &jean, Some(error))
    };
    let opened = [
        by_the_library(&lea, &jean),
        Draft::new(&lea, &jean).vector("written by the page", &jean, None),
    ];
    let exchanged = |name: &str, field: &str, error: &str| {
        let mut vector = opened[0].clone();
        vector[field] = opened[1][field].clone();
        for output in ["kind", "statement", "signature", "content", "content_key"] {
            vector.as_object_mut().unwrap().remove(output);
        }
        vector["name"] = json!(name);
        vector["error"] = json!(error);
        vector
    };
    let unopened = [
        exchanged("header of another envelope", "header", "opening"),
        exchanged("wrap of another envelope", "wrap", "opening"),
        exchanged("payload of another envelope", "payload", "opening"),
        refused("statement of another id", "spliced", &|draft| {
            draft.statement.id = MessageId::from_bytes([0x0C; 16]);
        }),
        refused("statement from another account", "spliced", &|draft| {
            draft.statement.from = jean.address.clone();
        }),
        refused("statement names other recipients", "spliced", &|draft| {
            draft.statement.recipients.clear();
        }),
        refused("statement not the one of the header's digest", "spliced", &|draft| {
            let mut other = draft.statement.clone();
            other.nonce = digest(0x0F);
            draft.other_statement = Some(other);
        }),
        refused("receipts in a header of mail", "spliced", &|draft| draft.kind = 1),
        refused("content longer than stated", "spliced", &|draft| {
            draft.content.push(b' ');
        }),
        refused("content other than stated", "spliced", &|draft| draft.content[0] = b's'),
        refused("padding not zero", "spliced", &|draft| draft.dirty = true),
        refused("states in a header of mail", "spliced", &|draft| draft.kind = 3),
        refused("kind that is not known", "malformed", &|draft| draft.kind = 23),
        refused("sealed for another identity of the reader", "recipient", &|draft| {
            draft.statement.recipients[0].identity = digest(0x10);
        }),
        refused("signed by the recipient's device", "signature", &|draft| {
            draft.signer = signing_key(0x21);
        }),
        refused("signed with the context of a challenge", "signature", &|draft| {
            draft.purpose = Purpose::Challenge;
        }),
        refused("device that is not on the sender's list", "signature", &|draft| {
            draft.statement.device = jean.device();
        }),
        refused("header from an account that did not sign", "signature", &|draft| {
            let other: protocol::Address = "paul.roux@medical28.apicrypt.org".parse().unwrap();
            draft.header.from = other.clone();
            draft.statement.from = other;
        }),
    ];
    json!({ "opened": opened, "unopened": unopened })
}

fn by_the_library(lea: &Person, jean: &Person) -> Value {
    let sender = Sender {
        address: &lea.address,
        device: lea.device(),
        key: &lea.device_key,
        list_version: lea.account.list_version(),
        list_digest: lea.account.list_digest(),
    };
    let recipients = vec![StatedRecipient {
        address: jean.address.clone(),
        identity: jean.account.fingerprint(),
    }];
    let id = MessageId::from_bytes([0x0B; 16]);
    let sealed = envelope::seal(sender, id, Kind::Mail, recipients, CONTENT, NOW).unwrap();
    let secret = prekey_secret(0x42);
    let wrap = Wrap::make(&sealed.key, &sealed.header, &jean.prekey(&secret, 1, None)).unwrap();
    json!({
        "name": "written by the library",
        "secret": hex(secret.as_bytes()),
        "header": hex(&sealed.header),
        "wrap": hex(&cbor::encode(&wrap)),
        "payload": hex(&sealed.payload),
        "kind": 0,
        "statement": hex(&sealed.statement),
        "signature": hex(sealed.signature.as_bytes()),
        "content": hex(CONTENT),
        "content_key": hex(sealed.key.as_bytes()),
    })
}

fn open(file: &Value, vector: &Value) -> Result<Message, EnvelopeError> {
    let account = |name: &str| {
        let person = &file["derived"]["people"][name];
        let identity = cbor::decode::<Signed<_>>(&bytes(&person["identity"]))?;
        VerifiedAccount::verify(&identity, &cbor::decode(&bytes(&person["list"]))?)
    };
    let (sender, reader) = (account("lea")?, account("jean")?);
    let wrap: Wrap = cbor::decode(&bytes(&vector["wrap"]))?;
    let secret = PrekeySecret::from_bytes(&array(&vector["secret"]));
    envelope::open(&bytes(&vector["header"]), &wrap, &bytes(&vector["payload"]), &secret)?.verify(
        &sender,
        reader.address(),
        &[reader.fingerprint()],
    )
}

fn keys(person: &Person) -> Value {
    json!({
        "address": person.address,
        "device": person.device(),
        "device_seed": hex(person.device_key.seed().as_bytes()),
        "identity": hex(&cbor::encode(&person.identity)),
        "list": hex(&cbor::encode(&person.list)),
    })
}

/// `bytes` with `to` in the one place where `from` stands.
pub(crate) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<_> = (0..=bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert_eq!(places.len(), 1, "what to replace stands there once");
    [&bytes[..places[0]], to, &bytes[places[0] + from.len()..]].concat()
}

/// A header whose fields 0 (key and 17 bytes) and 1 (key, two bytes of length, the address) stand the other way round.
fn fields_exchanged(header: &[u8]) -> Vec<u8> {
    let id_end = 2 + 1 + 17;
    let from_end = id_end + 3 + usize::from(header[id_end + 2]);
    [
        &header[..2],
        &header[id_end..from_end],
        &header[2..id_end],
        &header[from_end..],
    ]
    .concat()
}
