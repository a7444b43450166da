//! Vectors of `docs/protocol/prekey.md`.

use protocol::api::{AccountKeys, KeysAnswer};
use protocol::cbor;
use protocol::identity::{Signed, SignedFormat};
use protocol::limits;
use protocol::merkle;
use protocol::prekey::{BatchRoot, BatchUpload, HandedPrekey, VerifiedPrekey, hand_out};
use protocol::seal::PrekeyPublic;
use protocol::sign::Purpose;
use protocol::{Digest, FormatError, Timestamp};
use serde_json::{Value, json};

use crate::identity::{following, predecessor};
use crate::people::{NOW, Person, prekey_secret, signed};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, name_of, taken, text};

const PATH: &str = "refused: the path does not lead to the root";

#[test]
fn prekeys_are_those_of_the_page() {
    let lea = Person::lea();
    let upload = upload(&lea);
    let root = upload.root.verify(&lea.device_key.verifying_key()).unwrap();
    let refused = common_refusals("batch root", &cbor::encode(&root));
    let keys = KeysAnswer {
        accounts: vec![AccountKeys {
            identity: lea.identity.clone(),
            list: lea.list.clone(),
            prekeys: vec![hand_out(&upload, lea.device(), 1).unwrap()],
            predecessors: Vec::new(),
            ended: Vec::new(),
        }],
    };
    let newest = following();
    let followed = KeysAnswer {
        accounts: vec![AccountKeys {
            identity: newest.identity.clone(),
            list: newest.list.clone(),
            prekeys: Vec::new(),
            predecessors: vec![predecessor()],
            ended: vec![Digest::from_bytes([0x0e; Digest::LEN])],
        }],
    };
    let derived = json!({
        "secrets": { "leaves": ["50 × 32", "51 × 32", "52 × 32"], "last_resort": "5f × 32" },
        "trees": (0..8).map(tree).collect::<Vec<_>>(),
        "taken": [
            taken("three prekeys", "batch root", &root),
            taken("three prekeys", "signed batch root", &upload.root),
            taken("three prekeys", "upload", &upload),
            taken("one account", "keys", &keys),
            taken("an account that follows another one, without prekeys", "keys", &followed),
        ],
        "refused": refused,
        "account": { "identity": hex(&cbor::encode(&lea.identity)), "list": hex(&cbor::encode(&lea.list)) },
        "handed": handed(&lea, &upload),
        "handed_refused": handed_refused(&lea, &upload),
        "uploads_refused": uploads_refused(&lea, &upload),
    });
    let file = agree("prekey", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
    for vector in file["derived"]["handed"].as_array().unwrap() {
        let prekey = verify(&lea, vector).unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
        assert_eq!(hex(prekey.key.as_bytes()), text(&vector["key"]), "{}", vector["name"]);
    }
    for vector in file["derived"]["handed_refused"].as_array().unwrap() {
        let error = verify(&lea, vector).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
    for vector in file["derived"]["uploads_refused"].as_array().unwrap() {
        let upload: BatchUpload = cbor::decode(&bytes(&vector["upload"])).unwrap();
        let error = upload
            .verify(&lea.account, &lea.device())
            .expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
}

/// A batch of three prekeys of seeds 0x50 to 0x52, the last-resort one of 0x5F.
pub(crate) fn upload(person: &Person) -> BatchUpload {
    let leaves: Vec<_> = (0x50..0x53)
        .map(|number| prekey_secret(number).public().unwrap())
        .collect();
    let root = BatchRoot {
        address: person.address.clone(),
        device: person.device(),
        list_version: 1,
        number: 4,
        leaf_count: 3,
        leaves: merkle::root(&hashes(&leaves)),
        last_resort: prekey_secret(0x5F).public().unwrap(),
        opens: vec![1],
        not_after: NOW.plus_days(30),
    };
    BatchUpload {
        root: Signed::make(&root, &person.device_key),
        leaves,
    }
}

fn hashes(leaves: &[PrekeyPublic]) -> Vec<Digest> {
    leaves.iter().map(|leaf| merkle::leaf(leaf.as_bytes())).collect()
}

/// The tree over `count` leaves whose contents are one byte each: 0, 1, 2, …
fn tree(count: u8) -> Value {
    let leaves: Vec<_> = (0..count).map(|number| merkle::leaf(&[number])).collect();
    let paths: Vec<_> = (0..leaves.len()).map(|at| merkle::path(&leaves, at).unwrap()).collect();
    for (at, path) in paths.iter().enumerate() {
        assert_eq!(
            merkle::root_of_path(leaves[at], at, leaves.len(), path),
            Some(merkle::root(&leaves))
        );
    }
    json!({ "name": format!("{count} leaves"), "root": merkle::root(&leaves), "paths": paths })
}

fn item(handed: &HandedPrekey) -> String {
    hex(&minicbor::to_vec(handed).unwrap())
}

fn handed(lea: &Person, upload: &BatchUpload) -> Vec<Value> {
    let last_resort = HandedPrekey {
        device: lea.device(),
        root: upload.root.clone(),
        leaf: None,
    };
    let vector = |name: &str, handed: &HandedPrekey, now: Timestamp, newest: u64| {
        let prekey = handed.verify(&lea.account, newest, now).unwrap();
        json!({
            "name": name,
            "handed": item(handed),
            "now": now,
            "newest_batch": newest,
            "batch": prekey.id.batch,
            "leaf": prekey.id.leaf,
            "key": hex(prekey.key.as_bytes()),
        })
    };
    vec![
        vector("leaf 0", &hand_out(upload, lea.device(), 0).unwrap(), NOW, 0),
        vector(
            "leaf 2, whose path is shorter",
            &hand_out(upload, lea.device(), 2).unwrap(),
            NOW,
            3,
        ),
        vector(
            "last resort, at the last moment, batch already seen",
            &last_resort,
            NOW.plus_days(30),
            4,
        ),
    ]
}

fn handed_refused(lea: &Person, upload: &BatchUpload) -> Vec<Value> {
    let jean = Person::jean();
    let vector = |name: &str, handed: &HandedPrekey, now: Timestamp, newest: u64, error: &str| json!({ "name": name, "handed": item(handed), "now": now, "newest_batch": newest, "error": error });
    let good = hand_out(upload, lea.device(), 1).unwrap();
    let with_leaf = |name: &str, edit: &dyn Fn(&mut protocol::prekey::HandedLeaf)| {
        let mut handed = good.clone();
        edit(handed.leaf.as_mut().unwrap());
        vector(name, &handed, NOW, 0, PATH)
    };
    let with_signed = |name: &str, root: Signed<BatchRoot>, error: &str| {
        let handed = HandedPrekey {
            root,
            leaf: None,
            ..good.clone()
        };
        vector(name, &handed, NOW, 0, error)
    };
    let root = upload.root.verify(&lea.device_key.verifying_key()).unwrap();
    let with_root = |name: &str, error: &str, edit: &dyn Fn(&mut BatchRoot)| {
        let mut root = root.clone();
        edit(&mut root);
        with_signed(name, Signed::make(&root, &lea.device_key), error)
    };
    let encoded = cbor::encode(&root);
    let wrong = "refused: wrong signature";
    let impossible = "refused: an impossible number";
    let versions = "refused: versions out of order";
    let later = Timestamp::from_millis(root.not_after.as_millis() + 1);
    let mut of_jean = good.clone();
    of_jean.device = jean.device();
    vec![
        vector("a millisecond after its date", &good, later, 0, "refused: expired"),
        vector(
            "a batch older than one seen",
            &good,
            NOW,
            5,
            "refused: older than one already seen",
        ),
        vector(
            "a device that is not on the list",
            &of_jean,
            NOW,
            0,
            "refused: of a device that is not on the list",
        ),
        with_leaf("the place of another leaf", &|leaf| leaf.index = 0),
        with_leaf("a place beyond the last leaf", &|leaf| leaf.index = 3),
        with_leaf("a path without its last step", &|leaf| {
            leaf.path.pop();
        }),
        with_leaf("a path with one step more at the root", &|leaf| {
            leaf.path.push(Digest::ZERO);
        }),
        with_leaf("a path with one step more at the leaf", &|leaf| {
            leaf.path.insert(0, Digest::ZERO);
        }),
        with_leaf("the steps the other way round", &|leaf| leaf.path.reverse()),
        with_leaf("another key", &|leaf| leaf.key = prekey_secret(0x5E).public().unwrap()),
        with_signed(
            "signed by the identity",
            signed(&encoded, &lea.identity_key, BatchRoot::PURPOSE),
            wrong,
        ),
        with_signed(
            "signed with the context of a statement",
            signed(&encoded, &lea.device_key, Purpose::Statement),
            wrong,
        ),
        with_root("names another device", "refused: of another device", &|root| {
            root.device = jean.device();
        }),
        with_root("names another account", "refused: of another device", &|root| {
            root.address = jean.address.clone();
        }),
        with_root("batch 0", impossible, &|root| root.number = 0),
        with_root("a batch beyond the last number", impossible, &|root| {
            root.number = limits::NUMBER + 1;
        }),
        with_root("a list beyond the last version", impossible, &|root| {
            root.list_version = u64::MAX;
        }),
        with_root("201 prekeys", impossible, &|root| root.leaf_count = 201),
        with_root("opens nothing", versions, &|root| root.opens.clear()),
        with_root("versions descending", versions, &|root| root.opens = vec![2, 1]),
        with_root("a version twice", versions, &|root| root.opens = vec![1, 1]),
    ]
}

fn uploads_refused(lea: &Person, upload: &BatchUpload) -> Vec<Value> {
    let with_leaves = |name: &str, edit: &dyn Fn(&mut Vec<PrekeyPublic>)| {
        let mut upload = upload.clone();
        edit(&mut upload.leaves);
        let error = name_of(upload.verify(&lea.account, &lea.device()).unwrap_err());
        json!({ "name": name, "upload": hex(&cbor::encode(&upload)), "error": error })
    };
    vec![
        with_leaves("two prekeys exchanged", &|leaves| leaves.swap(0, 1)),
        with_leaves("a prekey missing", &|leaves| {
            leaves.pop();
        }),
    ]
}

fn verify(lea: &Person, vector: &Value) -> Result<VerifiedPrekey, FormatError> {
    let handed: HandedPrekey = minicbor::decode(&bytes(&vector["handed"])).unwrap();
    let now = Timestamp::from_millis(vector["now"].as_i64().unwrap());
    handed.verify(&lea.account, vector["newest_batch"].as_u64().unwrap(), now)
}
