//! Vectors of `docs/protocol/removal.md`.

use protocol::cbor;
use protocol::identity::{DeviceList, Signed};
use protocol::removal::{Removal, VerifiedRemoval};
use protocol::{DeviceId, FormatError, Timestamp, limits};
use serde_json::{Value, json};

use crate::people::{NOW, Person};
use crate::vectors::{agree, bytes, check_refusals, common_refusals, hex, name_of, taken, text};

#[test]
fn removals_are_those_of_the_page() {
    let (lea, jean) = (Person::lea(), Person::jean());
    let [one, two, three] = lists(&lea);
    let removed = removed(&lea);
    let good = Removal {
        identity: lea.identity.clone(),
        before: two.clone(),
        after: three.clone(),
    };
    let main = lea.account.devices()[0].id;
    let with = |edit: &dyn Fn(&mut Removal)| {
        let mut removal = good.clone();
        edit(&mut removal);
        removal
    };
    let later = relisted(&lea, &three, 4);
    let refused = [
        ("a device that stays", good.clone(), main),
        (
            "a device that was never there",
            good.clone(),
            jean.account.devices()[0].id,
        ),
        (
            "the list that adds it",
            with(&|removal| (removal.before, removal.after) = (one.clone(), two.clone())),
            removed,
        ),
        (
            "the same list twice",
            with(&|removal| removal.after = two.clone()),
            removed,
        ),
        ("a later list", with(&|removal| removal.after = later.clone()), removed),
        (
            "the other way round",
            with(&|removal| (removal.before, removal.after) = (three.clone(), two.clone())),
            removed,
        ),
        (
            "another identity",
            with(&|removal| removal.identity = jean.identity.clone()),
            removed,
        ),
        (
            "a list of another account",
            with(&|removal| removal.after = jean.list.clone()),
            removed,
        ),
    ];
    let derived = json!({
        "taken": [taken("a device less", "removal", &good)],
        "refused": common_refusals("removal", &cbor::encode(&good)),
        "removals": [vector("a device less", &good, removed, |removal| {
            let removal = removal.unwrap();
            json!({ "before": removal.before.list_version(), "removed_at": removal.removed_at })
        })],
        "removals_refused": refused
            .iter()
            .map(|(name, removal, device)| {
                vector(name, removal, *device, |removal| json!({ "error": name_of(removal.unwrap_err()) }))
            })
            .collect::<Vec<_>>(),
    });
    let file = agree("removal", &derived, || json!({}));
    check_refusals(&file["derived"]["refused"]);
    for name in ["removals", "removals_refused"] {
        for vector in file["derived"][name].as_array().unwrap() {
            let removal: Removal = cbor::decode(&bytes(&vector["removal"])).unwrap();
            let device = text(&vector["device"]).parse().unwrap();
            match removal.verify(&device) {
                Ok(verified) => assert_eq!(verified.before.list_version(), vector["before"], "{}", vector["name"]),
                Err(error) => assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["name"]),
            }
        }
    }
}

#[test]
fn it_is_good_for_what_came_within_the_days_of_the_limit() {
    let lea = Person::lea();
    let [_, before, after] = lists(&lea);
    let removal = Removal {
        identity: lea.identity.clone(),
        before,
        after,
    };
    let verified = removal.verify(&removed(&lea)).unwrap();
    let last = NOW.plus_days(limits::REMOVED_DEVICE_DAYS);
    assert!(verified.covers(last));
    assert!(!verified.covers(Timestamp::from_millis(last.as_millis() + 1)));
}

fn vector(
    name: &str,
    removal: &Removal,
    device: DeviceId,
    outcome: impl FnOnce(Result<VerifiedRemoval, FormatError>) -> Value,
) -> Value {
    let mut vector = outcome(removal.verify(&device));
    vector["name"] = json!(name);
    vector["device"] = json!(device);
    vector["removal"] = json!(hex(&cbor::encode(removal)));
    vector
}

/// The device that Léa adds in the vectors of linking, and removes again.
fn removed(lea: &Person) -> DeviceId {
    let [_, two, _] = lists(lea);
    let account = protocol::identity::VerifiedAccount::verify(&lea.identity, &two).unwrap();
    account.devices()[1].id
}

/// Léa's first list, one with another device, and one without it again.
fn lists(lea: &Person) -> [Signed<DeviceList>; 3] {
    [
        lea.list.clone(),
        crate::identity::two_devices(lea),
        relisted(lea, &lea.list, 3),
    ]
}

/// The same list in another version.
fn relisted(lea: &Person, list: &Signed<DeviceList>, version: u64) -> Signed<DeviceList> {
    let mut list = list.verify(&lea.identity_key.verifying_key()).unwrap();
    list.version = version;
    Signed::make(&list, &lea.identity_key)
}
