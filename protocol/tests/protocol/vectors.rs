//! The files of `docs/protocol/vectors/`: compared with what the code makes, or written anew
//! when `PLI_WRITE_VECTORS` is set in the environment.

use std::fs;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use protocol::FormatError;
use protocol::api::{Challenge, Enrolment, KeysAnswer, ListUpload};
use protocol::archive::Part;
use protocol::cbor::{self, Format};
use protocol::envelope::{Deposit, EnvelopeError, Header, Wrap};
use protocol::handover::{Claim, Handover};
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Predecessor, Signed, Succession};
use protocol::link::{Answer, Hello};
use protocol::prekey::{BatchRoot, BatchUpload};
use protocol::receipt::Receipts;
use protocol::removal::Removal;
use protocol::rewrap::RewrapRequest;
use protocol::seal::SealError;
use protocol::sequence::{Cursor, EntryBody, SequencePage};
use protocol::state::{History, States};
use protocol::statement::Statement;
use serde_json::{Value, json};

use crate::diagnostic::diagnostic;

/// `docs/protocol/`.
pub(crate) fn pages() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol")
}

/// Compares the vectors of a page with `derived`, which follows from their inputs alone, and gives the file back.
///
/// What `draw` makes used randomness: it is only written, and it is for the caller to open what the file holds.
pub(crate) fn agree(page: &str, derived: &Value, draw: impl FnOnce() -> Value) -> Value {
    let path = pages().join(format!("vectors/{page}.json"));
    if std::env::var_os("PLI_WRITE_VECTORS").is_some() {
        let whole = json!({ "derived": derived, "drawn": draw() });
        let text = serde_json::to_string_pretty(&whole).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_same(page, derived, &file["derived"]);
    let said = fs::read_to_string(pages().join(format!("{page}.md"))).unwrap()
        + &fs::read_to_string(pages().join("encoding.md")).unwrap();
    for error in errors(&file) {
        assert!(
            said.contains(&format!("`{error}`")),
            "{page}.md does not explain `{error}`"
        );
    }
    file
}

/// A value that is taken: its one encoding, which decodes to it again.
pub(crate) fn taken<T: Format + std::fmt::Debug + PartialEq>(name: &str, format: &str, value: &T) -> Value {
    let bytes = cbor::encode(value);
    assert_eq!(cbor::decode::<T>(&bytes).as_ref(), Ok(value), "{format}: {name}");
    json!({
        "name": name,
        "format": format,
        "diagnostic": diagnostic(&bytes[1..]),
        "bytes": hex(&bytes),
    })
}

/// Bytes of a format that are refused with an error.
pub(crate) fn refused(name: &str, format: &str, bytes: &[u8], error: &str) -> Value {
    json!({ "name": name, "format": format, "bytes": hex(bytes), "error": error })
}

/// One byte more than a format may have, all of them 1.
pub(crate) fn too_large(format: &str, limit_bytes: usize) -> Value {
    json!({
        "name": "a byte more than the limit, each of them 01",
        "format": format,
        "length": limit_bytes + 1,
        "error": "too-large",
    })
}

/// The ways in which every format whose value is a map is refused, shown on the encoding `bytes` of one.
pub(crate) fn common_refusals(format: &str, bytes: &[u8]) -> Vec<Value> {
    let (count, first_key) = (bytes[1], bytes[2]);
    assert!(
        (0xA1..0xB7).contains(&count) && first_key == 0,
        "{format}: a small map from key 0"
    );
    let body = &bytes[2..];
    let edits: [(&str, Vec<u8>, &str); 8] = [
        ("nothing", Vec::new(), "empty"),
        ("version alone", vec![bytes[0]], "malformed"),
        (
            "next version",
            [&[bytes[0] + 1], &bytes[1..]].concat(),
            "unknown-version",
        ),
        ("last byte missing", bytes[..bytes.len() - 1].to_vec(), "malformed"),
        ("a byte more", [bytes, &[0]].concat(), "not-canonical"),
        (
            "unknown field 23",
            [&[bytes[0], count + 1], body, &[23, 0]].concat(),
            "not-canonical",
        ),
        (
            "key 0 in two bytes",
            [&[bytes[0], count, 0x18, 0], &body[1..]].concat(),
            "not-canonical",
        ),
        (
            "map of indefinite length",
            [&[bytes[0], 0xBF], body, &[0xFF]].concat(),
            "not-canonical",
        ),
    ];
    edits
        .iter()
        .map(|(name, bytes, error)| refused(name, format, bytes, error))
        .collect()
}

/// Checks that each of `list` is refused as it says.
pub(crate) fn check_refusals(list: &Value) {
    let list = list.as_array().unwrap();
    assert!(!list.is_empty());
    for vector in list {
        let (name, format) = (text(&vector["name"]), text(&vector["format"]));
        let bytes = match vector["length"].as_u64() {
            Some(length) => vec![1; usize::try_from(length).unwrap()],
            None => bytes(&vector["bytes"]),
        };
        let found = error_of(format, &bytes);
        assert_eq!(found.as_deref(), vector["error"].as_str(), "{format}: {name}");
    }
}

/// The name of the error that `bytes` are refused with as `format`; `None` when they are taken.
pub(crate) fn error_of(format: &str, bytes: &[u8]) -> Option<String> {
    read(format, bytes).err().map(name_of)
}

/// What `bytes` hold as `format`, encoded again.
pub(crate) fn read(format: &str, bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    let (_, read) = FORMATS
        .iter()
        .find(|(name, _)| *name == format)
        .unwrap_or_else(|| panic!("no format is called {format}"));
    read(bytes)
}

/// A format's reader: what it read, encoded again.
type Read = fn(&[u8]) -> Result<Vec<u8>, FormatError>;

/// Every binary format, by the name it has in the vectors.
pub(crate) const FORMATS: [(&str, Read); 34] = [
    ("archive part", again::<Part>),
    ("batch root", again::<BatchRoot>),
    ("challenge", again::<Challenge>),
    ("claim", again::<Claim>),
    ("cursor", again::<Cursor>),
    ("deposit", again::<Deposit>),
    ("device certificate", again::<DeviceCertificate>),
    ("device list", again::<DeviceList>),
    ("enrolment", again::<Enrolment>),
    ("entry body", again::<EntryBody>),
    ("handover", again::<Handover>),
    ("header", |bytes| {
        Header::parse(bytes).map(|header| cbor::encode(&header))
    }),
    ("hello", again::<Hello>),
    ("history", again::<History>),
    ("identity", again::<Identity>),
    ("keys", again::<KeysAnswer>),
    ("link answer", again::<Answer>),
    ("list upload", again::<ListUpload>),
    ("predecessor", again::<Predecessor>),
    ("receipts", again::<Receipts>),
    ("removal", again::<Removal>),
    ("rewrap request", again::<RewrapRequest>),
    ("sequence page", again::<SequencePage>),
    ("signed batch root", again::<Signed<BatchRoot>>),
    ("signed claim", again::<Signed<Claim>>),
    ("signed device certificate", again::<Signed<DeviceCertificate>>),
    ("signed device list", again::<Signed<DeviceList>>),
    ("signed identity", again::<Signed<Identity>>),
    ("signed succession", again::<Signed<Succession>>),
    ("statement", again::<Statement>),
    ("states", again::<States>),
    ("succession", again::<Succession>),
    ("upload", again::<BatchUpload>),
    ("wrap", again::<Wrap>),
];

fn again<T: Format>(bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    cbor::decode::<T>(bytes).map(|value| cbor::encode(&value))
}

/// The name that the pages give an error.
pub(crate) fn name_of(error: impl Into<EnvelopeError>) -> String {
    match error.into() {
        EnvelopeError::Format(error) => match error {
            FormatError::Empty(_) => "empty".into(),
            FormatError::Malformed(_) => "malformed".into(),
            FormatError::NotCanonical(_) => "not-canonical".into(),
            FormatError::Refused { what, .. } => format!("refused: {what}"),
            FormatError::TooLarge { .. } => "too-large".into(),
            FormatError::UnknownVersion { .. } => "unknown-version".into(),
        },
        EnvelopeError::Seal(SealError::Opening) => "opening".into(),
        EnvelopeError::Seal(_) => "key".into(),
        EnvelopeError::Recipient => "recipient".into(),
        EnvelopeError::Signature => "signature".into(),
        EnvelopeError::Spliced => "spliced".into(),
        EnvelopeError::TooLarge => "too-large".into(),
        other => panic!("an error without a name: {other}"),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes that a value of a vector is the hexadecimal form of.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(text(value).as_bytes()).unwrap()
}

/// The bytes of a fixed length that a value of a vector is the hexadecimal form of.
pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

/// The text of a value of a vector.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn assert_same(place: &str, made: &Value, filed: &Value) {
    match (made, filed) {
        (Value::Object(made), Value::Object(filed)) => {
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(made), keys(filed), "{place}: other fields than in the file");
            for (key, value) in made {
                assert_same(&format!("{place}.{key}"), value, &filed[key]);
            }
        }
        (Value::Array(made), Value::Array(filed)) => {
            assert_eq!(
                made.len(),
                filed.len(),
                "{place}: another number of vectors than in the file"
            );
            for (at, (made, filed)) in made.iter().zip(filed).enumerate() {
                let name = made["name"].as_str().map_or(at.to_string(), str::to_owned);
                assert_same(&format!("{place}[{name}]"), made, filed);
            }
        }
        _ => assert_eq!(made, filed, "{place}: not what the file holds"),
    }
}

fn errors(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(error) if key == "error" => vec![error.clone()],
                _ => errors(value),
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(errors).collect(),
        _ => Vec::new(),
    }
}
