//! Vectors of `docs/protocol/handover.md`: the claim, and what is answered to it.

use minicbor::bytes::ByteVec;
use protocol::archive::ArchiveKey;
use protocol::cbor::{self, Format as _};
use protocol::handover::{Claim, Handover, Keys};
use protocol::identity::Signed;
use protocol::limits;
use protocol::link::{LinkCode, LinkError};
use protocol::seal::SealError;
use protocol::sign::Seed;
use serde_json::{Value, json};

use crate::link::hello;
use crate::people::{Person, prekey_secret};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, refused, taken, text, too_large};

/// The claim's key.
const KEY: u8 = 0x71;
/// What stands for the identity's seed.
const SEED: [u8; 64] = [0x72; 64];
/// What stands for the key of the account's backups.
const BACKUP: [u8; 32] = [0x75; 32];

fn keys(backup: Option<[u8; 32]>) -> Keys {
    Keys {
        seed: Seed::from_bytes(&SEED),
        backup: backup.map(|key| ArchiveKey::from_bytes(&key)),
    }
}

fn claim() -> Claim {
    let lea = Person::lea();
    Claim {
        address: lea.address.clone(),
        identity: lea.identity.digest(),
        device: lea.device(),
        key: prekey_secret(KEY).public().unwrap(),
    }
}

fn signed() -> Signed<Claim> {
    Signed::make(&claim(), &Person::lea().device_key)
}

/// A handover of these bytes.
fn handover(key: usize, seed: usize) -> Vec<u8> {
    let mut encoded = vec![1, 0xA2, 0x00];
    minicbor::encode(ByteVec::from(vec![0x73; key]), &mut encoded).unwrap();
    encoded.push(0x01);
    minicbor::encode(ByteVec::from(vec![0x74; seed]), &mut encoded).unwrap();
    encoded
}

#[test]
fn handovers_are_those_of_the_page() {
    let encoded = cbor::encode(&claim());
    let mut refusals = common_refusals("claim", &encoded);
    refusals.push(too_large("claim", limits::SIGNED_BYTES));
    refusals.push(refused(
        "a key of 1,167 bytes",
        "handover",
        &handover(1_167, 144),
        "malformed",
    ));
    let whole = handover(1_168, 144);
    refusals.extend(common_refusals("handover", &whole));
    refusals.push(too_large("handover", Handover::LIMIT));
    let derived = json!({
        "taken": [
            taken("a device", "claim", &claim()),
            taken("a device", "signed claim", &signed()),
            taken("bytes that nothing opens", "handover", &cbor::decode::<Handover>(&whole).unwrap()),
        ],
        "refused": refusals,
    });
    let file = agree("handover", &derived, draw);
    check_refusals(&file["derived"]["refused"]);
    for vector in file["drawn"]["opened"].as_array().unwrap() {
        let whole = [bytes(&vector["seed"]), bytes(&vector["backup"])].concat();
        assert_eq!(open(vector), Ok(whole), "{}", vector["name"]);
    }
    for vector in file["drawn"]["unopened"].as_array().unwrap() {
        assert_eq!(text(&vector["error"]), "opening");
        assert_eq!(open(vector), Err(SealError::Opening), "{}", vector["name"]);
    }
}

fn draw() -> Value {
    let sealed = |backup| cbor::encode(&Handover::make(&keys(backup), &signed(), &claim().key).unwrap());
    let encoded = sealed(None);
    let other = Claim {
        device: Person::jean().device(),
        ..claim()
    };
    let other = Signed::make(&other, &Person::lea().device_key);
    let vector = |name: &str, claim: &Signed<Claim>, key: u8, bytes: &[u8], result: (&str, String)| {
        json!({
            "name": name,
            "claim": hex(&cbor::encode(claim)),
            "secret": hex(&[key; 32]),
            "bytes": hex(bytes),
            result.0: result.1,
        })
    };
    let opened = |name: &str, bytes: &[u8], backup: &[u8]| {
        let mut vector = vector(name, &signed(), KEY, bytes, ("seed", hex(&SEED)));
        vector["backup"] = json!(hex(backup));
        vector
    };
    let unopened = |name: &str, claim: &Signed<Claim>, key, bytes: &[u8]| {
        vector(name, claim, key, bytes, ("error", "opening".to_owned()))
    };
    let mut flipped = encoded.clone();
    *flipped.last_mut().unwrap() ^= 1;
    json!({
        "opened": [
            opened("a seed", &encoded, &[]),
            opened("a seed and the key of the backups", &sealed(Some(BACKUP)), &BACKUP),
        ],
        "unopened": [
            unopened("another claim", &other, KEY, &encoded),
            unopened("another secret", &signed(), KEY + 1, &encoded),
            unopened("a bit of the last tag", &signed(), KEY, &flipped),
            unopened("bytes that nothing opens", &signed(), KEY, &handover(1_168, 144)),
        ],
    })
}

fn open(vector: &Value) -> Result<Vec<u8>, SealError> {
    let handover: Handover = cbor::decode(&bytes(&vector["bytes"])).unwrap();
    let claim: Signed<Claim> = cbor::decode(&bytes(&vector["claim"])).unwrap();
    let secret = bytes(&vector["secret"]);
    let keys = handover.open(&prekey_secret(secret[0]), &claim)?;
    let backup = keys.backup.map(|key| key.as_bytes().to_vec());
    Ok([keys.seed.as_bytes().to_vec(), backup.unwrap_or_default()].concat())
}

#[test]
fn a_code_of_a_claim_is_none_of_a_new_device() {
    let (claim, hello) = (signed(), hello());
    let shown = LinkCode::make(&claim).unwrap();
    let read = LinkCode::parse(&shown.to_text()).unwrap();
    let said = shown.seal(&claim).unwrap();
    assert_eq!(read.open_hello::<Signed<Claim>>(&said), Ok(claim.clone()));
    assert_eq!(read.open_hello::<protocol::link::Hello>(&said), Err(LinkError::Sealed));
    let other = LinkCode::make(&hello).unwrap();
    let said = other.seal(&hello).unwrap();
    assert_eq!(other.open_hello::<Signed<Claim>>(&said), Err(LinkError::Sealed));
    // Who has seen the code puts no other claim in its place.
    let forged = Signed::make(&self::claim(), &Person::jean().device_key);
    let said = shown.seal(&forged).unwrap();
    assert_eq!(read.open_hello::<Signed<Claim>>(&said), Err(LinkError::OtherDevice));
    let handover = Handover::make(&keys(None), &claim, &self::claim().key).unwrap();
    let answer = read.seal(&handover).unwrap();
    assert!(shown.open_answer::<Handover>(&answer) == Ok(handover.clone()));
    assert_eq!(format!("{handover:?}"), "Handover");
    assert!(!answer.windows(64).any(|window| window == SEED));
}
