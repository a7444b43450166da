//! Vectors of `docs/protocol/payload.md`: padding, and encryption in chunks.

use protocol::chunked::{self, ContentKey};
use protocol::padding;
use protocol::seal::SealError;
use serde_json::{Value, json};

use crate::vectors::{agree, array, bytes, hex, name_of, text};

const CHUNK: usize = 16_384 + 16;

#[test]
fn payloads_are_those_of_the_page() {
    let derived = json!({
        "padded": padded(),
        "lengths": lengths(),
        "not_padded": not_padded(),
    });
    let file = agree("payload", &derived, draw);
    for vector in file["derived"]["padded"].as_array().unwrap() {
        assert_eq!(
            padding::unpad(&bytes(&vector["padded"])),
            Some(bytes(&vector["content"]).as_slice())
        );
    }
    for vector in file["derived"]["not_padded"].as_array().unwrap() {
        assert_eq!(padding::unpad(&bytes(&vector["padded"])), None, "{}", vector["name"]);
    }
    check_sealed(&file["drawn"]["sealed"]);
    let whole = &file["drawn"]["sealed"][0];
    for vector in file["drawn"]["unopened"].as_array().unwrap() {
        let error = decrypt(&edited(whole, vector)).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
}

#[test]
fn what_another_implementation_encrypted_opens() {
    let text = std::fs::read_to_string(crate::vectors::pages().join("vectors/chunked.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    check_sealed(&file["independent"]);
}

fn check_sealed(list: &Value) {
    let list = list.as_array().unwrap();
    assert!(!list.is_empty());
    for vector in list {
        let opened = decrypt(vector).unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
        assert!(opened == plaintext(vector), "{}: another plaintext", vector["name"]);
    }
}

fn padded() -> Vec<Value> {
    [Vec::new(), b"bonjour".to_vec(), vec![0x5A; 95], vec![0; 1_000]]
        .iter()
        .map(|content| {
            json!({
                "name": format!("{} bytes", content.len()),
                "content": hex(content),
                "padded": hex(&padding::pad(content).unwrap()),
            })
        })
        .collect()
}

fn lengths() -> Vec<Value> {
    [
        0_usize, 1, 5, 6, 60, 61, 252, 253, 1_020, 4_000, 65_532, 65_533, 921_600,
    ]
    .iter()
    .map(|length| json!([length, padding::pad(&vec![0; *length]).unwrap().len()]))
    .collect()
}

fn not_padded() -> Vec<Value> {
    let good = padding::pad(&[0x5A; 95]).unwrap();
    let with = |at: usize, byte: u8| {
        let mut changed = good.to_vec();
        changed[at] = byte;
        changed
    };
    let edits = [
        ("nothing", Vec::new()),
        ("three bytes of prefix", vec![0; 3]),
        ("last byte of the padding not zero", with(103, 1)),
        ("first byte of the padding not zero", with(99, 1)),
        ("a byte of padding missing", good[..103].to_vec()),
        ("a byte of padding more", [good.as_slice(), &[0]].concat()),
        ("a length whose padding would be longer", with(3, 101)),
        ("a length beyond the end", with(0, 0xFF)),
    ];
    edits
        .iter()
        .map(|(name, bytes)| json!({ "name": name, "padded": hex(bytes), "error": "padding" }))
        .collect()
}

fn draw() -> Value {
    let key = ContentKey::from_bytes(&[0x55; 32]);
    let context = [0x66; 32];
    let sealed = |name: &str, length: usize, byte: u8| {
        let ciphertext = chunked::encrypt(&key, &context, &vec![byte; length]).unwrap();
        json!({
            "name": name,
            "key": hex(key.as_bytes()),
            "context": hex(&context),
            "plaintext": { "length": length, "byte": byte },
            "sealed": hex(&ciphertext),
        })
    };
    let end = 56 + 2 * CHUNK + 100 + 16;
    let (first, second, third) = ([56, 56 + CHUNK], [56 + CHUNK, 56 + 2 * CHUNK], [56 + 2 * CHUNK, end]);
    let slices = |name: &str, slices: &[[usize; 2]]| json!({ "name": name, "slices": slices, "error": "opening" });
    let flip = |name: &str, at: usize| json!({ "name": name, "flip": at, "error": "opening" });
    let unopened = [
        slices("nothing", &[]),
        slices("half of the salt", &[[0, 12]]),
        slices("salt and commitment alone", &[[0, 56]]),
        slices("chunks 0 and 1 exchanged", &[[0, 56], second, first, third]),
        slices("chunk 0 missing", &[[0, 56], second, third]),
        slices("chunk 0 twice", &[[0, 56], first, first, second, third]),
        slices("the last chunk missing", &[[0, 56], first, second]),
        slices("the last byte missing", &[[0, end - 1]]),
        slices("a byte more", &[[0, end], [0, 1]]),
        slices("the last chunk twice", &[[0, end], third]),
        flip("a bit of the salt", 0),
        flip("a bit of the commitment", 24),
        flip("a bit of chunk 0", 56),
        flip("a bit of chunk 1's tag", 56 + 2 * CHUNK - 1),
        flip("a bit of the last tag", end - 1),
        json!({ "name": "another key", "key": hex(&[0x54; 32]), "error": "opening" }),
        json!({ "name": "another context", "context": hex(&[0x67; 32]), "error": "opening" }),
    ];
    json!({
        "sealed": [sealed("two full chunks and a short one", 2 * 16_384 + 100, 0x77), sealed("one short chunk", 20, 0x78)],
        "unopened": unopened,
    })
}

/// The first sealed vector after an edit: its ciphertext put together from slices or with a bit flipped, or another input.
fn edited(whole: &Value, edit: &Value) -> Value {
    let mut vector = whole.clone();
    let sealed = bytes(&whole["sealed"]);
    if let Some(slices) = edit["slices"].as_array() {
        let place = |at: &Value| usize::try_from(at.as_u64().unwrap()).unwrap();
        let parts: Vec<_> = slices
            .iter()
            .map(|slice| &sealed[place(&slice[0])..place(&slice[1])])
            .collect();
        vector["sealed"] = json!(hex(&parts.concat()));
    }
    if let Some(at) = edit["flip"].as_u64() {
        let mut sealed = sealed;
        sealed[usize::try_from(at).unwrap()] ^= 1;
        vector["sealed"] = json!(hex(&sealed));
    }
    for input in ["key", "context"] {
        if edit[input].is_string() {
            vector[input] = edit[input].clone();
        }
    }
    vector
}

fn decrypt(vector: &Value) -> Result<Vec<u8>, SealError> {
    let key = ContentKey::from_bytes(&array(&vector["key"]));
    chunked::decrypt(&key, &bytes(&vector["context"]), &bytes(&vector["sealed"])).map(|plaintext| plaintext.to_vec())
}

fn plaintext(vector: &Value) -> Vec<u8> {
    let plaintext = &vector["plaintext"];
    let length = usize::try_from(plaintext["length"].as_u64().unwrap()).unwrap();
    vec![u8::try_from(plaintext["byte"].as_u64().unwrap()).unwrap(); length]
}
