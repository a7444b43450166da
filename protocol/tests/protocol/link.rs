//! Vectors of `docs/protocol/link.md`: the code, and what is said in its channel.

use data_encoding::BASE32_NOPAD;
use hkdf::Hkdf;
use protocol::cbor::{self, Format as _};
use protocol::chunked::{self, ContentKey};
use protocol::identity::{Signed, device_id};
use protocol::link::{Answer, Hello, LinkCode, LinkError};
use protocol::merkle;
use protocol::prekey::{BatchRoot, BatchUpload};
use protocol::{Digest, limits};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::people::{NOW, Person, digest, prekey_secret, signing_key};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, name_of, refused, taken, text, too_large};

const SECRET: [u8; 16] = [0x31; 16];

#[test]
fn links_are_those_of_the_page() {
    let hello = hello();
    let answer = Answer { identity: digest(0x61) };
    let encoded = cbor::encode(&hello);
    let mut refusals = common_refusals("hello", &encoded);
    refusals.push(too_large("hello", limits::LINK_BYTES));
    let encoded = cbor::encode(&answer);
    refusals.extend(common_refusals("link answer", &encoded));
    let mut short = encoded.clone();
    assert_eq!(short[3..5], [0x58, 0x20]);
    short[4] = 0x1F;
    short.pop();
    refusals.push(refused("a fingerprint of 31 bytes", "link answer", &short, "malformed"));
    refusals.push(too_large("link answer", Answer::LIMIT));
    let code = code_text(&SECRET, &hello);
    let bare = code.replace('-', "");
    let mut altered = bare.clone();
    // The last letter holds one bit of the code; the four others are 0.
    altered.pop();
    altered.push('B');
    let derived = json!({
        "taken": [taken("a device", "hello", &hello), taken("an account", "link answer", &answer)],
        "refused": refusals,
        "codes": [{
            "secret": hex(&SECRET),
            "hello": hex(&cbor::encode(&hello)),
            "code": code,
            "channel": hex(&expand::<16>(b"pli/1 link channel")),
            "key": hex(&expand::<32>(b"pli/1 link key")),
            "spellings": [bare, code.to_lowercase(), format!(" {} ", code.replace('-', " "))],
        }],
        "codes_refused": [
            { "name": "nothing", "code": "", "error": "code" },
            { "name": "a group missing", "code": code[..code.len() - 5], "error": "code" },
            { "name": "a group more", "code": format!("{code}-AAAA"), "error": "code" },
            { "name": "half of a code", "code": BASE32_NOPAD.encode(&SECRET), "error": "code" },
            { "name": "bits over that are not 0", "code": altered, "error": "code" },
            { "name": "a digit that base32 has not", "code": format!("1{}", &code[1..]), "error": "code" },
        ],
    });
    let file = agree("link", &derived, draw);
    check_refusals(&file["derived"]["refused"]);
    for vector in file["derived"]["codes"].as_array().unwrap() {
        let code = LinkCode::parse(text(&vector["code"])).unwrap();
        assert_eq!(code.to_text().as_str(), text(&vector["code"]));
        assert_eq!(code.channel().to_string(), text(&vector["channel"]));
        for spelling in vector["spellings"].as_array().unwrap() {
            assert!(LinkCode::parse(text(spelling)) == Ok(code.clone()), "{spelling}");
        }
    }
    for vector in file["derived"]["codes_refused"].as_array().unwrap() {
        let refused = LinkCode::parse(text(&vector["code"]));
        assert_eq!(refused.err(), Some(LinkError::Code), "{}", vector["name"]);
    }
    for vector in file["drawn"]["opened"].as_array().unwrap() {
        assert_eq!(open(vector), Ok(bytes(&vector["value"])), "{}", vector["name"]);
    }
    for vector in file["drawn"]["unopened"].as_array().unwrap() {
        let error = open(vector).expect_err(text(&vector["name"]));
        assert_eq!(error, text(&vector["error"]), "{}", vector["name"]);
    }
}

#[test]
fn a_code_opens_the_hello_of_the_device_that_shows_it_and_the_answer_of_who_read_it() {
    let hello = hello();
    let shown = LinkCode::make(&hello).unwrap();
    let read = LinkCode::parse(&shown.to_text()).unwrap();
    assert_eq!(read.channel(), shown.channel());
    assert_eq!(read.open_hello(&shown.seal(&hello).unwrap()), Ok(hello.clone()));
    let answer = Answer { identity: digest(0x61) };
    assert_eq!(shown.open_answer(&read.seal(&answer).unwrap()), Ok(answer));
    // Somebody who has seen the code says hello for another device.
    let mut other = hello.clone();
    other.name = "Tablette".parse().unwrap();
    assert_eq!(
        read.open_hello::<Hello>(&shown.seal(&other).unwrap()),
        Err(LinkError::OtherDevice)
    );
    let another = LinkCode::make(&hello).unwrap();
    assert_ne!(another.channel(), shown.channel(), "the secret is a fresh one");
    assert_eq!(
        read.open_hello::<Hello>(&another.seal(&hello).unwrap()),
        Err(LinkError::Sealed)
    );
    assert_eq!(format!("{shown:?}"), "LinkCode");
}

/// What the device of seed 0x33 says, which Léa Petit adds; prekeys of seeds 0x50 and 0x51, the last-resort one of 0x5F.
pub(crate) fn hello() -> Hello {
    let lea = Person::lea();
    let key = signing_key(0x33);
    let leaves: Vec<_> = (0x50..0x52)
        .map(|number| prekey_secret(number).public().unwrap())
        .collect();
    let hashes: Vec<_> = leaves.iter().map(|leaf| merkle::leaf(leaf.as_bytes())).collect();
    let root = BatchRoot {
        address: lea.address,
        device: device_id(&key.verifying_key()),
        list_version: 0,
        number: 1,
        leaf_count: 2,
        leaves: merkle::root(&hashes),
        last_resort: prekey_secret(0x5F).public().unwrap(),
        opens: vec![1],
        not_after: NOW.plus_days(30),
    };
    Hello {
        key: key.verifying_key(),
        batch: BatchUpload {
            root: Signed::make(&root, &key),
            leaves,
        },
        name: "Tablette du cabinet".parse().unwrap(),
    }
}

/// The code as the page makes it, apart from [`LinkCode::make`], which draws its secret.
fn code_text(secret: &[u8], hello: &Hello) -> String {
    let digest = Digest::of(&[&cbor::encode(hello)]);
    let letters = BASE32_NOPAD.encode(&[secret, &digest.as_bytes()[..16]].concat());
    let groups: Vec<_> = letters
        .as_bytes()
        .chunks(4)
        .map(|group| str::from_utf8(group).unwrap())
        .collect();
    groups.join("-")
}

fn expand<const LEN: usize>(info: &[u8]) -> [u8; LEN] {
    let mut key = [0; LEN];
    Hkdf::<Sha256>::new(None, &SECRET).expand(info, &mut key).unwrap();
    key
}

/// Seals what [`LinkCode::seal`] would not.
fn seal_raw(what: &str, encoded: &[u8]) -> Vec<u8> {
    chunked::encrypt(
        &ContentKey::from_bytes(&expand(b"pli/1 link key")),
        what.as_bytes(),
        encoded,
    )
    .unwrap()
}

fn draw() -> Value {
    let hello = hello();
    let answer = cbor::encode(&Answer { identity: digest(0x61) });
    let code = code_text(&SECRET, &hello);
    let mut other = hello.clone();
    other.name = "Tablette".parse().unwrap();
    let (hello, other) = (cbor::encode(&hello), cbor::encode(&other));
    let vector = |name: &str, what: &str, sealed: &[u8], result: (&str, String)| json!({ "name": name, "what": what, "code": code, "sealed": hex(sealed), result.0: result.1 });
    let opened = |name: &str, value: &[u8]| vector(name, name, &seal_raw(name, value), ("value", hex(value)));
    let unopened =
        |name: &str, what: &str, sealed: &[u8], error: &str| vector(name, what, sealed, ("error", error.into()));
    let mut flipped = seal_raw("hello", &hello);
    *flipped.last_mut().unwrap() ^= 1;
    let mut of_another = unopened(
        "sealed with another code",
        "link answer",
        &seal_raw("link answer", &answer),
        "sealed",
    );
    of_another["code"] = json!(code_text(&[0x32; 16], &self::hello()));
    json!({
        "opened": [opened("hello", &hello), opened("link answer", &answer)],
        "unopened": [
            unopened("the hello of another device", "hello", &seal_raw("hello", &other), "other-device"),
            unopened("a bit of the last tag", "hello", &flipped, "sealed"),
            unopened("a hello with the context of an answer", "hello", &seal_raw("link answer", &hello), "sealed"),
            unopened("an answer with the context of a hello", "link answer", &seal_raw("hello", &answer), "sealed"),
            of_another,
            unopened("nothing", "link answer", &[], "sealed"),
            json!({ "name": "a byte more than the limit, each of them 01", "what": "hello", "code": code, "length": limits::LINK_BYTES + 1, "error": "sealed" }),
            unopened("version 2", "link answer", &seal_raw("link answer", &[2, 0xA0]), "unknown-version"),
            unopened("an answer without a fingerprint", "link answer", &seal_raw("link answer", &[1, 0xA0]), "malformed"),
        ],
    })
}

fn open(vector: &Value) -> Result<Vec<u8>, String> {
    let code = LinkCode::parse(text(&vector["code"])).unwrap();
    let sealed = match vector["length"].as_u64() {
        Some(length) => vec![1; usize::try_from(length).unwrap()],
        None => bytes(&vector["sealed"]),
    };
    let opened = match text(&vector["what"]) {
        "hello" => code.open_hello::<Hello>(&sealed).map(|hello| cbor::encode(&hello)),
        _ => code.open_answer::<Answer>(&sealed).map(|answer| cbor::encode(&answer)),
    };
    opened.map_err(|error| match error {
        LinkError::Code => "code".into(),
        LinkError::OtherDevice => "other-device".into(),
        LinkError::Sealed => "sealed".into(),
        LinkError::Format(error) => name_of(error),
    })
}
