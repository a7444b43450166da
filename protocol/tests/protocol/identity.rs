//! Vectors of `docs/protocol/identity.md`.

use protocol::api::{Enrolment, ListUpload};
use protocol::cbor;
use protocol::identity::{
    DeviceCertificate, DeviceList, Identity, Predecessor, Signed, SignedFormat, Succession, VerifiedAccount, device_id,
    shared_number,
};
use protocol::sign::{Purpose, SigningKey};
use protocol::{Digest, FormatError, limits};
use serde_json::{Value, json};

use crate::people::{NOW, Person, signed, signing_key};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, name_of, taken, text};

const WRONG_SIGNATURE: &str = "refused: wrong signature";
const IMPOSSIBLE: &str = "refused: an impossible version or number of devices";
const ANOTHER: &str = "refused: of another identity";

#[test]
fn identities_are_those_of_the_page() {
    let lea = Person::lea();
    let identity = lea.identity.verify(&lea.identity_key.verifying_key()).unwrap();
    let list = list(&lea);
    let certificate = list.devices[0].verify(&identity.key).unwrap();
    let step = predecessor().succession;
    let succession = step.verify(&signing_key(0x62).verifying_key()).unwrap();
    let mut refused = common_refusals("device certificate", &cbor::encode(&certificate));
    refused.extend(common_refusals("succession", &cbor::encode(&succession)));
    refused.extend(common_refusals("predecessor", &cbor::encode(&predecessor())));
    let enrolment = |code: &str, person: &Person, predecessors| {
        cbor::encode(&Enrolment {
            code: code.into(),
            identity: person.identity.clone(),
            list: person.list.clone(),
            batch: crate::prekey::upload(person),
            predecessors,
        })
    };
    let newest = following();
    let enrolments = [
        enrolment("7K2M-9QXD", &lea, Vec::new()),
        enrolment("", &newest, vec![predecessor()]),
    ];
    let derived = json!({
        "seeds": { "identity": "10 × 64", "device": "11 × 64", "recovery": "12 × 64", "recovery_before": "62 × 64" },
        "taken": [
            taken("identity", "identity", &identity),
            taken(
                "identity that follows another one",
                "identity",
                &newest.identity.verify(&newest.identity_key.verifying_key()).unwrap(),
            ),
            taken("certificate", "device certificate", &certificate),
            taken("one device", "device list", &list),
            taken("identity", "signed identity", &lea.identity),
            taken("certificate", "signed device certificate", &list.devices[0]),
            taken("one device", "signed device list", &lea.list),
            taken("a second device", "list upload", &second_device(&lea, &list)),
            taken("a device less", "list upload", &a_device_less(&lea, &list)),
            taken("succession", "succession", &succession),
            taken("succession", "signed succession", &step),
            taken("predecessor", "predecessor", &predecessor()),
            { "name": "first device", "format": "enrolment", "bytes": hex(&enrolments[0]) },
            { "name": "first device of a successor", "format": "enrolment", "bytes": hex(&enrolments[1]) },
        ],
        "refused": refused,
        "accounts": [account("one device", &lea.identity, &lea.list), account("two devices", &lea.identity, &two_devices(&lea))],
        "identity": hex(&cbor::encode(&lea.identity)),
        "list": hex(&cbor::encode(&lea.list)),
        "accounts_refused": accounts_refused(&lea),
        "following": { "identity": hex(&cbor::encode(&newest.identity)), "list": hex(&cbor::encode(&newest.list)) },
        "numbers": numbers(),
        "steps": steps(),
        "lines": lines(),
        "shorter_lines": shorter_lines(),
    });
    let file = agree("identity", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
    for enrolment in enrolments {
        assert!(cbor::decode::<Enrolment>(&enrolment).is_ok());
    }
    for vector in file["derived"]["accounts"].as_array().unwrap() {
        let account = verify(&file["derived"], vector).unwrap();
        assert_eq!(account.fingerprint().to_string(), text(&vector["fingerprint"]));
    }
    for vector in file["derived"]["accounts_refused"].as_array().unwrap() {
        let error = verify(&file["derived"], vector).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
    for vector in ["lines", "shorter_lines"]
        .iter()
        .flat_map(|lines| file["derived"][lines].as_array().unwrap())
    {
        assert_eq!(
            json!(line(&file["derived"], vector)),
            vector["line"],
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn a_line_is_as_long_as_the_limit_says() {
    let mut people = vec![earlier(0x80, None)];
    for number in 1..=u8::try_from(limits::PREDECESSORS).unwrap() + 1 {
        let before = people.last().unwrap().account.fingerprint();
        people.push(earlier(0x80 + 3 * number, Some(before)));
    }
    let predecessors: Vec<_> = people
        .windows(2)
        .zip(0_u8..)
        .map(|(pair, number)| succeed(&pair[0], &pair[1], &signing_key(0x82 + 3 * number)))
        .collect();
    assert_eq!(predecessors.len(), limits::PREDECESSORS + 1);
    let line = people.last().unwrap().account.line(&predecessors);
    assert_eq!(line.len(), limits::PREDECESSORS);
    assert_eq!(line.last().unwrap().fingerprint(), people[1].account.fingerprint());
}

/// Pairs of fingerprints and their number, in either order.
fn numbers() -> Vec<Value> {
    let [one, two, three] = [0x01, 0x02, 0xFE].map(|byte| Digest::from_bytes([byte; 32]));
    [(one, two), (two, one), (one, three), (one, one)]
        .map(|(own, other)| json!({ "own": own.to_string(), "other": other.to_string(), "number": shared_number(own, other) }))
        .to_vec()
}

/// The identity that Léa has after a loss: her keys of the vectors, following the identity of numbers 0x60 to 0x62.
pub(crate) fn following() -> Person {
    earlier(0x10, Some(second().account.fingerprint()))
}

/// What it follows.
pub(crate) fn predecessor() -> Predecessor {
    succeed(&second(), &following(), &signing_key(0x62))
}

/// What follows Léa's first identity, that of numbers 0x70 to 0x72.
pub(crate) fn second() -> Person {
    earlier(0x60, Some(earlier(0x70, None).account.fingerprint()))
}

/// An identity of Léa's, of numbers `number` to `number + 2`.
fn earlier(number: u8, follows: Option<Digest>) -> Person {
    Person::following("lea.petit@medical28.apicrypt.org", number, follows)
}

/// Léa's keys of the vectors in an identity that says it follows Jean's.
fn usurper() -> Person {
    earlier(0x10, Some(Person::jean().account.fingerprint()))
}

/// Léa's keys of the vectors in an identity that says it follows her first one.
fn skipping() -> Person {
    earlier(0x10, Some(earlier(0x70, None).account.fingerprint()))
}

fn succeed(from: &Person, to: &Person, recovery: &SigningKey) -> Predecessor {
    let succession = Succession {
        address: from.address.clone(),
        from: from.account.fingerprint(),
        to: to.account.fingerprint(),
        issued_at: NOW,
    };
    Predecessor {
        identity: from.identity.clone(),
        list: from.list.clone(),
        succession: Signed::make(&succession, recovery),
    }
}

/// Steps of which the predecessors of the lines are put together, by name. A is the identity of number 0x70, B that of 0x60, C the
/// one of `following`.
fn steps() -> Value {
    let (a, b, c, jean) = (earlier(0x70, None), second(), following(), Person::jean());
    let (key_of_a, key_of_b) = (signing_key(0x72), signing_key(0x62));
    let edited = |edit: &dyn Fn(&mut Succession)| {
        let mut succession = Succession {
            address: b.address.clone(),
            from: b.account.fingerprint(),
            to: c.account.fingerprint(),
            issued_at: NOW,
        };
        edit(&mut succession);
        Predecessor {
            succession: Signed::make(&succession, &key_of_b),
            ..predecessor()
        }
    };
    let encoded = cbor::encode(&predecessor().succession.verify(&key_of_b.verifying_key()).unwrap());
    let identity = cbor::encode(&b.identity.verify(&b.identity_key.verifying_key()).unwrap());
    let steps = [
        ("a to b", succeed(&a, &b, &key_of_a)),
        ("b to c", predecessor()),
        ("b to a", succeed(&b, &a, &key_of_b)),
        ("a to b, by a's own key", succeed(&a, &b, &a.identity_key)),
        ("by b's own key", succeed(&b, &c, &b.identity_key)),
        ("by c's recovery key", succeed(&b, &c, &signing_key(0x12))),
        (
            "with the context of an identity",
            Predecessor {
                succession: signed(&encoded, &key_of_b, Purpose::Identity),
                ..predecessor()
            },
        ),
        (
            "b signed by another key",
            Predecessor {
                identity: signed(&identity, &jean.identity_key, Purpose::Identity),
                ..predecessor()
            },
        ),
        (
            "with c's list",
            Predecessor {
                list: c.list.clone(),
                ..predecessor()
            },
        ),
        (
            "from a, by b's recovery key",
            edited(&|step| step.from = a.account.fingerprint()),
        ),
        (
            "b to jean, by b's recovery key",
            edited(&|step| step.to = jean.account.fingerprint()),
        ),
        (
            "of another account, by b's recovery key",
            edited(&|step| step.address = jean.address.clone()),
        ),
        ("jean to c", succeed(&jean, &c, &signing_key(0x22))),
        (
            "jean to who says so of him",
            succeed(&jean, &usurper(), &signing_key(0x22)),
        ),
        ("b to who says nothing", succeed(&b, &Person::lea(), &signing_key(0x62))),
        ("b to who follows a", succeed(&b, &skipping(), &signing_key(0x62))),
    ];
    steps
        .iter()
        .map(|(name, step)| ((*name).to_owned(), json!(hex(&cbor::encode(step)))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Lines as long as they can be with what is there.
fn lines() -> Vec<Value> {
    let (a, b) = (
        earlier(0x70, None).account.fingerprint(),
        second().account.fingerprint(),
    );
    let line =
        |name: &str, steps: &[&str], line: &[Digest]| json!({ "name": name, "predecessors": steps, "line": line });
    vec![
        line("nothing", &[], &[]),
        line("two steps", &["a to b", "b to c"], &[b, a]),
        line("the other way round", &["b to c", "a to b"], &[b, a]),
        line("a step twice", &["a to b", "a to b", "b to c"], &[b, a]),
        line(
            "another's identity between them",
            &["a to b", "jean to c", "b to c"],
            &[b, a],
        ),
    ]
}

/// Lines that end before something that does not hold.
fn shorter_lines() -> Vec<Value> {
    let b = second().account.fingerprint();
    let none = |name: &str, step: &str| json!({ "name": name, "predecessors": ["a to b", step], "line": [] });
    let of = |name: &str, person: &Person, step: &str| {
        let mut vector = none(name, step);
        vector["identity"] = json!(hex(&cbor::encode(&person.identity)));
        vector["list"] = json!(hex(&cbor::encode(&person.list)));
        vector
    };
    vec![
        json!({ "name": "the older step left out", "predecessors": ["b to c"], "line": [b] }),
        json!({ "name": "the older step not signed by the recovery key", "predecessors": ["a to b, by a's own key", "b to c"], "line": [b] }),
        json!({ "name": "the newer step left out", "predecessors": ["a to b"], "line": [] }),
        json!({ "name": "the first of two words of one identity counts", "predecessors": ["a to b", "by b's own key", "b to c"], "line": [] }),
        none("leads elsewhere", "b to jean, by b's recovery key"),
        none("leads back", "b to a"),
        none("signed by the identity's own key", "by b's own key"),
        none("signed by the new recovery key", "by c's recovery key"),
        none(
            "signed with the context of an identity",
            "with the context of an identity",
        ),
        none("an identity signed by another key", "b signed by another key"),
        none("the list of another identity", "with c's list"),
        none("names another identity that ends", "from a, by b's recovery key"),
        none("names another account", "of another account, by b's recovery key"),
        of("another account's identity", &usurper(), "jean to who says so of him"),
        of("an identity that says nothing", &Person::lea(), "b to who says nothing"),
        of(
            "an identity that follows the one before the last",
            &skipping(),
            "b to who follows a",
        ),
    ]
}

/// The fingerprints of a vector's line.
fn line(shared: &Value, vector: &Value) -> Vec<Digest> {
    let predecessors: Vec<Predecessor> = vector["predecessors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| cbor::decode(&bytes(&shared["steps"][text(name)])).unwrap())
        .collect();
    let newest = verify(&shared["following"], vector).unwrap();
    newest
        .line(&predecessors)
        .iter()
        .map(VerifiedAccount::fingerprint)
        .collect()
}

#[test]
fn a_list_holds_as_many_devices_as_the_limit_says() {
    let lea = Person::lea();
    let of = |count: usize| {
        let mut list = list(&lea);
        list.devices = (0..count)
            .map(|number| certificate(&lea, 100 + u8::try_from(number).unwrap()))
            .collect();
        let signed = Signed::make(&list, &lea.identity_key);
        let travelled = cbor::decode(&cbor::encode(&signed)).unwrap();
        VerifiedAccount::verify(&lea.identity, &travelled)
    };
    assert_eq!(of(limits::DEVICES).unwrap().devices().len(), limits::DEVICES);
    assert_eq!(name_of(of(limits::DEVICES + 1).unwrap_err()), IMPOSSIBLE);
}

fn list(person: &Person) -> DeviceList {
    person.list.verify(&person.identity_key.verifying_key()).unwrap()
}

fn certificate(person: &Person, number: u8) -> Signed<DeviceCertificate> {
    let certificate = DeviceCertificate {
        address: person.address.clone(),
        identity: person.identity.digest(),
        key: signing_key(number).verifying_key(),
        created_at: NOW,
    };
    Signed::make(&certificate, &person.identity_key)
}

pub(crate) fn two_devices(lea: &Person) -> Signed<DeviceList> {
    let mut list = list(lea);
    list.version = 2;
    list.devices.push(certificate(lea, 0x13));
    Signed::make(&list, &lea.identity_key)
}

fn account(name: &str, identity: &Signed<Identity>, list: &Signed<DeviceList>) -> Value {
    let account = VerifiedAccount::verify(identity, list).unwrap();
    json!({
        "name": name,
        "list": hex(&cbor::encode(list)),
        "address": account.address(),
        "fingerprint": account.fingerprint(),
        "list_version": account.list_version(),
        "list_digest": account.list_digest(),
        "devices": account.devices().iter().map(|device| device.id).collect::<Vec<_>>(),
    })
}

fn accounts_refused(lea: &Person) -> Vec<Value> {
    let jean = Person::jean();
    let refused = |name: &str, identity: &Signed<Identity>, list: &Signed<DeviceList>, error: &str| {
        let mut vector = json!({ "name": name, "error": error });
        if *identity != lea.identity {
            vector["identity"] = json!(hex(&cbor::encode(identity)));
        }
        if *list != lea.list {
            vector["list"] = json!(hex(&cbor::encode(list)));
        }
        vector
    };
    let with_list = |name: &str, error: &str, edit: &dyn Fn(&mut DeviceList)| {
        let mut list = list(lea);
        edit(&mut list);
        refused(name, &lea.identity, &Signed::make(&list, &lea.identity_key), error)
    };
    let identity = cbor::encode(&lea.identity.verify(&lea.identity_key.verifying_key()).unwrap());
    let list_bytes = cbor::encode(&list(lea));
    let resigned = |key, purpose| signed::<Identity>(&identity, key, purpose);
    vec![
        refused(
            "identity signed by another key",
            &resigned(&jean.identity_key, Purpose::Identity),
            &lea.list,
            WRONG_SIGNATURE,
        ),
        refused(
            "identity signed with the context of a list",
            &resigned(&lea.identity_key, Purpose::DeviceList),
            &lea.list,
            WRONG_SIGNATURE,
        ),
        refused(
            "identity with a byte after its item, signed",
            &signed(
                &[identity.as_slice(), &[0]].concat(),
                &lea.identity_key,
                Purpose::Identity,
            ),
            &lea.list,
            "not-canonical",
        ),
        refused("list of another account", &lea.identity, &jean.list, WRONG_SIGNATURE),
        refused(
            "list signed by the device",
            &lea.identity,
            &signed(&list_bytes, &lea.device_key, DeviceList::PURPOSE),
            WRONG_SIGNATURE,
        ),
        with_list("list names another account", ANOTHER, &|list| {
            list.address = jean.address.clone();
        }),
        with_list("list names another identity", ANOTHER, &|list| {
            list.identity = Digest::ZERO;
        }),
        with_list("version 0", IMPOSSIBLE, &|list| list.version = 0),
        with_list("beyond the last version", IMPOSSIBLE, &|list| {
            list.version = limits::NUMBER + 1;
        }),
        with_list("no device", IMPOSSIBLE, &|list| list.devices.clear()),
        with_list("a device twice", "refused: a device twice", &|list| {
            list.devices.push(list.devices[0].clone());
        }),
        with_list("certificate by another identity", WRONG_SIGNATURE, &|list| {
            list.devices = self::list(&jean).devices;
        }),
        with_list("certificate names another account", ANOTHER, &|list| {
            let mut certificate = list.devices[0].verify(&lea.identity_key.verifying_key()).unwrap();
            certificate.address = jean.address.clone();
            list.devices = vec![Signed::make(&certificate, &lea.identity_key)];
        }),
    ]
}

/// Verifies the identity and list of a vector, or those that all vectors share where it has none of its own.
fn verify(shared: &Value, vector: &Value) -> Result<VerifiedAccount, FormatError> {
    let part = |name: &str| bytes(vector.get(name).unwrap_or(&shared[name]));
    VerifiedAccount::verify(&cbor::decode(&part("identity"))?, &cbor::decode(&part("list"))?)
}

/// Adds the device that says hello in the vectors of linking.
fn second_device(lea: &Person, present: &DeviceList) -> ListUpload {
    let hello = crate::link::hello();
    let certificate = DeviceCertificate {
        address: lea.address.clone(),
        identity: lea.identity.digest(),
        key: hello.key.clone(),
        created_at: NOW,
    };
    let mut next = present.clone();
    next.version = 2;
    next.devices.push(Signed::make(&certificate, &lea.identity_key));
    let upload = ListUpload {
        list: Signed::make(&next, &lea.identity_key),
        batch: Some(hello.batch),
    };
    let account = VerifiedAccount::verify(&lea.identity, &upload.list).unwrap();
    let added = device_id(&hello.key);
    upload.batch.as_ref().unwrap().verify(&account, &added).unwrap();
    upload
}

/// And removes it again.
fn a_device_less(lea: &Person, first: &DeviceList) -> ListUpload {
    let mut next = first.clone();
    next.version = 3;
    ListUpload {
        list: Signed::make(&next, &lea.identity_key),
        batch: None,
    }
}
