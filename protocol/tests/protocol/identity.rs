//! Vectors of `docs/protocol/identity.md`.

use protocol::api::Enrolment;
use protocol::cbor;
use protocol::identity::{
    DeviceCertificate, DeviceList, Identity, Predecessor, Signed, SignedFormat, Succession, VerifiedAccount,
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
    let enrolment = |code: &str, succession| {
        cbor::encode(&Enrolment {
            code: code.into(),
            identity: lea.identity.clone(),
            list: lea.list.clone(),
            batch: crate::prekey::upload(&lea),
            succession,
        })
    };
    let enrolments = [enrolment("7K2M-9QXD", None), enrolment("", Some(step.clone()))];
    let derived = json!({
        "seeds": { "identity": "10 × 64", "device": "11 × 64", "recovery": "12 × 64", "recovery_before": "62 × 64" },
        "taken": [
            taken("identity", "identity", &identity),
            taken("certificate", "device certificate", &certificate),
            taken("one device", "device list", &list),
            taken("identity", "signed identity", &lea.identity),
            taken("certificate", "signed device certificate", &list.devices[0]),
            taken("one device", "signed device list", &lea.list),
            taken("succession", "succession", &succession),
            taken("succession", "signed succession", &step),
            { "name": "first device", "format": "enrolment", "bytes": hex(&enrolments[0]) },
            { "name": "first device of a successor", "format": "enrolment", "bytes": hex(&enrolments[1]) },
        ],
        "refused": refused,
        "accounts": [account("one device", &lea.identity, &lea.list), account("two devices", &lea.identity, &two_devices(&lea))],
        "identity": hex(&cbor::encode(&lea.identity)),
        "list": hex(&cbor::encode(&lea.list)),
        "accounts_refused": accounts_refused(&lea),
        "steps": steps(),
        "followed": followed(),
        "not_followed": not_followed(),
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
    for vector in file["derived"]["followed"].as_array().unwrap() {
        assert_eq!(follow(&file["derived"], vector), Ok(()), "{}", vector["name"]);
    }
    for vector in file["derived"]["not_followed"].as_array().unwrap() {
        let error = follow(&file["derived"], vector).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
}

#[test]
fn an_identity_is_followed_over_as_many_steps_as_the_limit_says() {
    let people: Vec<_> = (0..=u8::try_from(limits::PREDECESSORS).unwrap() + 1)
        .map(|number| Person::new("lea.petit@medical28.apicrypt.org", 0x80 + 3 * number))
        .collect();
    let line: Vec<_> = people
        .windows(2)
        .zip(0_u8..)
        .map(|(pair, number)| succeed(&pair[0], &pair[1], &signing_key(0x82 + 3 * number)))
        .collect();
    let newest = &people.last().unwrap().account;
    assert_eq!(newest.follows(&people[1].account.fingerprint(), &line[1..]), Ok(()));
    let error = newest.follows(&people[1].account.fingerprint(), &line).unwrap_err();
    assert_eq!(name_of(error), "refused: too many predecessors");
}

/// What Léa's identity of the vectors follows: the one of numbers 0x60 to 0x62.
pub(crate) fn predecessor() -> Predecessor {
    succeed(&earlier(0x60), &Person::lea(), &signing_key(0x62))
}

/// An earlier identity of Léa's, of numbers `number` to `number + 2`.
fn earlier(number: u8) -> Person {
    Person::new("lea.petit@medical28.apicrypt.org", number)
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
        succession: Signed::make(&succession, recovery),
    }
}

/// Steps of which the lines of predecessors are put together, by name. A is the identity of number 0x70, B that of 0x60, C Léa's.
fn steps() -> Value {
    let (a, b, c, jean) = (earlier(0x70), earlier(0x60), Person::lea(), Person::jean());
    let (key_of_a, key_of_b) = (signing_key(0x72), signing_key(0x62));
    let edited = |identity: &Signed<Identity>, edit: &dyn Fn(&mut Succession)| {
        let mut succession = Succession {
            address: b.address.clone(),
            from: b.account.fingerprint(),
            to: c.account.fingerprint(),
            issued_at: NOW,
        };
        edit(&mut succession);
        Predecessor {
            identity: identity.clone(),
            succession: Signed::make(&succession, &key_of_b),
        }
    };
    let encoded = cbor::encode(&predecessor().succession.verify(&key_of_b.verifying_key()).unwrap());
    let identity = cbor::encode(&b.identity.verify(&b.identity_key.verifying_key()).unwrap());
    let steps = [
        ("a to b", succeed(&a, &b, &key_of_a)),
        ("b to c", predecessor()),
        ("b to a", succeed(&b, &a, &key_of_b)),
        ("by b's own key", succeed(&b, &c, &b.identity_key)),
        ("by c's recovery key", succeed(&b, &c, &signing_key(0x12))),
        (
            "with the context of an identity",
            Predecessor {
                identity: b.identity.clone(),
                succession: signed(&encoded, &key_of_b, Purpose::Identity),
            },
        ),
        (
            "b signed by another key",
            Predecessor {
                identity: signed(&identity, &jean.identity_key, Purpose::Identity),
                succession: predecessor().succession,
            },
        ),
        (
            "from a, by b's recovery key",
            edited(&b.identity, &|step| step.from = a.account.fingerprint()),
        ),
        (
            "b to jean, by b's recovery key",
            edited(&b.identity, &|step| step.to = jean.account.fingerprint()),
        ),
        (
            "of another account, by b's recovery key",
            edited(&b.identity, &|step| step.address = jean.address.clone()),
        ),
        (
            "from another account's identity to c",
            succeed(&jean, &c, &signing_key(0x22)),
        ),
    ];
    steps
        .iter()
        .map(|(name, step)| ((*name).to_owned(), json!(hex(&minicbor::to_vec(step).unwrap()))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn followed() -> Vec<Value> {
    let (a, b, c) = (earlier(0x70), earlier(0x60), Person::lea());
    let line = |name: &str, pinned: &Person, steps: &[&str]| json!({ "name": name, "pinned": pinned.account.fingerprint(), "predecessors": steps });
    vec![
        line("itself", &c, &[]),
        line("itself, others before it", &c, &["a to b", "b to c"]),
        line("one step", &b, &["b to c"]),
        line("two steps", &a, &["a to b", "b to c"]),
        line("the pinned one is the second", &b, &["a to b", "b to c"]),
    ]
}

fn not_followed() -> Vec<Value> {
    let (a, b, jean) = (earlier(0x70), earlier(0x60), Person::jean());
    let line = |name: &str, pinned: &Person, steps: &[&str], error: &str| json!({ "name": name, "pinned": pinned.account.fingerprint(), "predecessors": steps, "error": error });
    let missing = "refused: a step is missing";
    vec![
        line("none", &b, &[], missing),
        line("the pinned one is not among them", &a, &["b to c"], missing),
        line("the last step left out", &a, &["a to b"], missing),
        line("leads elsewhere", &b, &["b to jean, by b's recovery key"], missing),
        line("leads back", &a, &["a to b", "b to a"], missing),
        line("the other way round", &a, &["b to c", "a to b"], missing),
        line("a step twice", &a, &["a to b", "a to b", "b to c"], ANOTHER),
        line(
            "signed by the identity's own key",
            &b,
            &["by b's own key"],
            WRONG_SIGNATURE,
        ),
        line(
            "signed by the new recovery key",
            &b,
            &["by c's recovery key"],
            WRONG_SIGNATURE,
        ),
        line(
            "signed with the context of an identity",
            &b,
            &["with the context of an identity"],
            WRONG_SIGNATURE,
        ),
        line(
            "an identity signed by another key",
            &b,
            &["b signed by another key"],
            WRONG_SIGNATURE,
        ),
        line(
            "the second step is not signed",
            &a,
            &["a to b", "by b's own key"],
            WRONG_SIGNATURE,
        ),
        line(
            "names another identity that ends",
            &b,
            &["from a, by b's recovery key"],
            ANOTHER,
        ),
        line(
            "names another account",
            &b,
            &["of another account, by b's recovery key"],
            ANOTHER,
        ),
        line(
            "another account's identity",
            &jean,
            &["from another account's identity to c"],
            ANOTHER,
        ),
    ]
}

/// Whether Léa's account follows the pinned identity of a vector.
fn follow(shared: &Value, vector: &Value) -> Result<(), FormatError> {
    let predecessors: Vec<Predecessor> = vector["predecessors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| minicbor::decode(&bytes(&shared["steps"][text(name)])).unwrap())
        .collect();
    verify(shared, &json!({}))?.follows(&text(&vector["pinned"]).parse().unwrap(), &predecessors)
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

fn two_devices(lea: &Person) -> Signed<DeviceList> {
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
