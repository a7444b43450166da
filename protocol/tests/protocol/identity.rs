//! Vectors of `docs/protocol/identity.md`.

use protocol::api::Enrolment;
use protocol::cbor;
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Signed, SignedFormat, VerifiedAccount};
use protocol::sign::Purpose;
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
    let refused = common_refusals("device certificate", &cbor::encode(&certificate));
    let enrolment = cbor::encode(&Enrolment {
        code: "7K2M-9QXD".into(),
        identity: lea.identity.clone(),
        list: lea.list.clone(),
        batch: crate::prekey::upload(&lea),
    });
    let derived = json!({
        "seeds": { "identity": "10 × 64", "device": "11 × 64", "recovery": "12 × 64" },
        "taken": [
            taken("identity", "identity", &identity),
            taken("certificate", "device certificate", &certificate),
            taken("one device", "device list", &list),
            taken("identity", "signed identity", &lea.identity),
            taken("certificate", "signed device certificate", &list.devices[0]),
            taken("one device", "signed device list", &lea.list),
            { "name": "first device", "format": "enrolment", "bytes": hex(&enrolment) },
        ],
        "refused": refused,
        "accounts": [account("one device", &lea.identity, &lea.list), account("two devices", &lea.identity, &two_devices(&lea))],
        "identity": hex(&cbor::encode(&lea.identity)),
        "list": hex(&cbor::encode(&lea.list)),
        "accounts_refused": accounts_refused(&lea),
    });
    let file = agree("identity", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
    assert!(cbor::decode::<Enrolment>(&enrolment).is_ok());
    for vector in file["derived"]["accounts"].as_array().unwrap() {
        let account = verify(&file["derived"], vector).unwrap();
        assert_eq!(account.fingerprint().to_string(), text(&vector["fingerprint"]));
    }
    for vector in file["derived"]["accounts_refused"].as_array().unwrap() {
        let error = verify(&file["derived"], vector).expect_err(text(&vector["name"]));
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]);
    }
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
