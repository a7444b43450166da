//! A relay that lies about a correspondent's keys, and a list that changes under way: what is sealed is sealed to the devices
//! that the account has, and to nobody else.

use std::sync::Mutex;

use pli_core::{Error, Session, UnopenedReason};
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use pli_tests::stranger::Stranger;
use protocol::api::{AccountKeys, KeysAnswer, path};
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Predecessor, Signed, Succession, VerifiedAccount};
use protocol::prekey::BatchRoot;
use protocol::sign::SigningKey;
use protocol::{Code, Timestamp, cbor};

use super::devices::linked;
use super::lists::shown;

/// Edits what the relay hands out of the GP's account.
fn say(place: &Place, path: &'static str, edit: impl Fn(&mut AccountKeys) + Send + Sync + 'static) {
    place.line.edit(path, move |bytes| {
        let Ok(mut answer) = cbor::decode::<KeysAnswer>(&bytes) else {
            return bytes;
        };
        for keys in &mut answer.accounts {
            let account = VerifiedAccount::verify(&keys.identity, &keys.list).unwrap();
            if *account.address() == address(GP) {
                edit(keys);
            }
        }
        cbor::encode(&answer)
    });
}

/// The nurse writes, and nothing leaves her phone; once the relay is honest, each of the GP's devices has the mail.
async fn waits_for_an_honest_relay(place: &Place, nurse: &Session, devices: &[&Session]) {
    let deposits = place.line.count(path::DEPOSITS);
    let sent = nurse.send(&draft(&[GP], "Scellé")).unwrap();
    let report = nurse.sync().await.unwrap();
    assert_eq!((report.sent, report.waiting, report.refused), (0, 1, 0));
    assert_eq!(state(nurse, sent, GP), "queued");
    assert_eq!(place.line.count(path::DEPOSITS), deposits, "it left the phone");
    place.line.honest();
    nurse.hurry().unwrap();
    assert_eq!(nurse.sync().await.unwrap().sent, 1);
    for device in devices {
        device.sync().await.unwrap();
        assert_eq!(inbox(device), ["Scellé"]);
    }
}

/// The older list leaves the tablet out: who has seen the newer one sends nothing by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_shows_an_older_list_gets_no_mail() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let older = shown(&place, GP).await.list;
    let tablet = linked(&place, &gp, "tablet").await;
    nurse.identity(&address(GP)).await.unwrap();
    say(&place, path::KEYS, move |keys| {
        keys.list = older.clone();
        let listed = VerifiedAccount::verify(&keys.identity, &keys.list).unwrap();
        keys.prekeys.retain(|prekey| listed.device(&prekey.device).is_some());
    });
    waits_for_an_honest_relay(&place, &nurse, &[&gp, &tablet]).await;
}

/// Whoever hands out no prekey for a listed device is not believed by who takes the deposit.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_left_out_of_the_keys_is_not_left_out_of_the_mail() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    say(&place, path::KEYS, |keys| keys.prekeys.truncate(1));
    let sent = nurse.send(&draft(&[GP], "À tous")).unwrap();
    let report = nurse.sync().await.unwrap();
    assert_eq!((report.sent, report.waiting, report.refused), (0, 1, 0));
    assert_eq!(state(&nurse, sent, GP), "queued");
    place.line.honest();
    nurse.hurry().unwrap();
    nurse.sync().await.unwrap();
    for device in [&gp, &tablet] {
        device.sync().await.unwrap();
        assert_eq!(inbox(device), ["À tous"]);
    }
}

/// The private half is burnt with the first mail: the second is asked for again, and comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_prekey_that_is_handed_out_twice_costs_a_detour_and_no_mail() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let cardiologist = place.enrol(CARDIOLOGIST).await;
    let first = Mutex::new(None);
    say(&place, path::KEYS, move |keys| {
        if !keys.prekeys.is_empty() {
            let mut first = first.lock().unwrap();
            keys.prekeys = first.get_or_insert_with(|| keys.prekeys.clone()).clone();
        }
    });
    for (phone, subject, count) in [(&nurse, "Un", (1, 0)), (&cardiologist, "Deux", (0, 1))] {
        phone.send(&draft(&[GP], subject)).unwrap();
        assert_eq!(phone.sync().await.unwrap().sent, 1);
        let report = gp.sync().await.unwrap();
        assert_eq!((report.received, report.unopened), count, "{subject}");
    }
    assert_eq!(gp.unopened().unwrap()[0].reason, UnopenedReason::NoPrekey);
    place.line.honest();
    for phone in [&nurse, &cardiologist, &gp] {
        phone.sync().await.unwrap();
    }
    let mut came = inbox(&gp);
    came.sort();
    assert_eq!(came, ["Deux", "Un"]);
    assert!(gp.unopened().unwrap().is_empty());
}

/// What the relay makes of what it hands out.
type Swap = Box<dyn Fn(&mut AccountKeys) + Send + Sync>;

/// A key of the relay's own in a batch of the phone's, a batch of its own in the phone's name, a whole prekey of somebody else,
/// and one of the tablet.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_to_a_prekey_that_was_swapped() {
    let place = Place::open().await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let tablet = linked(&place, &gp, "tablet").await;
    let foreign = stranger.keys(NURSE).await.accounts[0].prekeys[0].clone();
    let own = stranger.secrets[0].public().unwrap();
    let batch = stranger.root(&own);
    let swaps: [Swap; 4] = [
        Box::new(move |keys| {
            if let Some(leaf) = keys.prekeys.first_mut().and_then(|prekey| prekey.leaf.as_mut()) {
                leaf.key = own.clone();
            }
        }),
        Box::new(move |keys| {
            if let Some(prekey) = keys.prekeys.first_mut() {
                let root = BatchRoot {
                    address: address(GP),
                    device: prekey.device,
                    ..batch.clone()
                };
                (prekey.root, prekey.leaf) = (Signed::make(&root, &stranger.key), None);
            }
        }),
        Box::new(move |keys| {
            if let Some(prekey) = keys.prekeys.first_mut() {
                let device = prekey.device;
                *prekey = foreign.clone();
                prekey.device = device;
            }
        }),
        Box::new(|keys| {
            if let [phone, tablet] = keys.prekeys.as_mut_slice() {
                (phone.root, phone.leaf) = (tablet.root.clone(), tablet.leaf.clone());
            }
        }),
    ];
    for swap in swaps {
        say(&place, path::KEYS, swap);
        waits_for_an_honest_relay(&place, &nurse, &[&gp, &tablet]).await;
        for device in [&gp, &tablet] {
            let mail = device.list(pli_core::Folder::Inbox, None, 1).unwrap()[0].number;
            device.delete(mail).unwrap();
        }
    }
}

/// What the relay shows of the GP's account once it has made an identity itself that says it follows the GP's.
fn invented(present: AccountKeys) -> AccountKeys {
    let [identity_key, key, recovery] = [0; 3].map(|_| SigningKey::make().unwrap());
    let created_at = Timestamp::now();
    let from = present.identity.digest();
    let identity = Identity {
        address: address(GP),
        key: identity_key.verifying_key(),
        recovery: recovery.verifying_key(),
        created_at,
        follows: Some(from),
    };
    let identity = Signed::make(&identity, &identity_key);
    let to = identity.digest();
    let certificate = DeviceCertificate {
        address: address(GP),
        identity: to,
        key: key.verifying_key(),
        created_at,
    };
    let list = DeviceList {
        address: address(GP),
        identity: to,
        version: 1,
        devices: vec![Signed::make(&certificate, &identity_key)],
        issued_at: created_at,
    };
    let succession = Succession {
        address: address(GP),
        from,
        to,
        issued_at: created_at,
    };
    AccountKeys {
        list: Signed::make(&list, &identity_key),
        identity,
        prekeys: Vec::new(),
        predecessors: vec![Predecessor {
            identity: present.identity,
            list: present.list,
            succession: Signed::make(&succession, &recovery),
        }],
        ended: Vec::new(),
    }
}

/// Correspondents send it nothing, and the phone that it would put out of its account erases nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_invented_successor_gets_no_mail_and_erases_no_phone() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.identity(&address(GP)).await.unwrap();
    let invented = invented(shown(&place, GP).await);
    for path in [path::KEYS, path::IDENTITIES] {
        let invented = invented.clone();
        say(&place, path, move |keys| *keys = invented.clone());
    }
    let asked = nurse.identity(&address(GP)).await.unwrap();
    assert!(asked.changed.is_some(), "it is followed");
    waits_for_an_honest_relay(&place, &nurse, &[&gp]).await;

    // The relay knows the phone no more, and shows that identity in its place.
    let identity = invented.clone();
    place.line.edit(path::IDENTITIES, move |_| {
        cbor::encode(&KeysAnswer {
            accounts: vec![identity.clone()],
        })
    });
    let code = place.reissue(GP);
    Stranger::enrol_at(place.plain_url(), GP, code).await;
    let refused = gp.sync().await;
    assert!(matches!(refused, Err(Error::Relay(Code::DeviceUnknown))), "{refused:?}");
    assert_eq!(inbox(&gp), ["Scellé"]);
}

/// The deposit is on its way when the tablet is put on the list: it is refused, and sent again with a wrap for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_added_between_keys_and_deposit_has_the_mail_too() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let sent = nurse.send(&draft(&[GP], "Entre deux")).unwrap();
    let gate = place.line.hold_next(path::DEPOSITS);
    let (report, tablet) = tokio::join!(nurse.sync(), async {
        gate.reached().await;
        let tablet = linked(&place, &gp, "tablet").await;
        gate.open();
        tablet
    });
    assert_eq!(report.unwrap().sent, 1);
    assert_eq!(state(&nurse, sent, GP), "available");
    for device in [&gp, &tablet] {
        device.sync().await.unwrap();
        assert_eq!(inbox(device), ["Entre deux"]);
        assert!(device.unopened().unwrap().is_empty());
    }
}
