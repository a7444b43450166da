//! Correspondents of whom the relay says what does not hold: their mail waits or is kept sealed, that of others goes on.

use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use protocol::api::{AccountKeys, KeysAnswer};
use protocol::cbor;

/// Edits what the relay says of the cardiologist; `None` leaves the account out.
fn say(place: &Place, edit: impl Fn(AccountKeys) -> Option<AccountKeys> + Send + Sync + 'static) {
    let name = address(CARDIOLOGIST).to_string().into_bytes();
    place.line.edit("/v1/keys", move |bytes| {
        let Ok(mut answer) = cbor::decode::<KeysAnswer>(&bytes) else {
            return bytes;
        };
        answer.accounts = answer
            .accounts
            .into_iter()
            .filter_map(|keys| {
                let is_hers = cbor::encode(&keys.identity)
                    .windows(name.len())
                    .any(|part| part == name);
                if is_hers { edit(keys) } else { Some(keys) }
            })
            .collect();
        cbor::encode(&answer)
    });
}

fn forged(mut keys: AccountKeys) -> AccountKeys {
    let mut identity = cbor::encode(&keys.identity);
    *identity.last_mut().unwrap() ^= 1;
    keys.identity = cbor::decode(&identity).unwrap();
    keys
}

fn without_prekeys(mut keys: AccountKeys) -> AccountKeys {
    keys.prekeys.clear();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_keys_do_not_verify_holds_up_mail_to_no_other() {
    for edit in [forged, without_prekeys] {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let cardiologist = place.enrol(CARDIOLOGIST).await;
        say(&place, move |keys| Some(edit(keys)));
        let waiting = nurse.send(&draft(&[CARDIOLOGIST], "Attend")).unwrap();
        nurse.send(&draft(&[GP], "Part")).unwrap();
        let report = nurse.sync().await.unwrap();
        assert_eq!((report.sent, report.waiting, report.refused), (1, 1, 0));
        assert_eq!(state(&nurse, waiting, CARDIOLOGIST), "queued");
        gp.sync().await.unwrap();
        assert_eq!(inbox(&gp), ["Part"]);

        place.line.honest();
        nurse.hurry().unwrap();
        nurse.sync().await.unwrap();
        cardiologist.sync().await.unwrap();
        assert_eq!(inbox(&cardiologist), ["Attend"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_sends_whose_keys_do_not_verify_or_are_gone_waits_sealed() {
    for (edit, reason) in [
        (
            (|keys| Some(forged(keys))) as fn(AccountKeys) -> Option<AccountKeys>,
            "keys-unverified",
        ),
        (|_| None, "sender-unknown"),
    ] {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let cardiologist = place.enrol(CARDIOLOGIST).await;
        cardiologist.send(&draft(&[GP], "Scellé")).unwrap();
        cardiologist.sync().await.unwrap();
        nurse.send(&draft(&[GP], "Lisible")).unwrap();
        nurse.sync().await.unwrap();
        say(&place, edit);
        gp.sync().await.unwrap();
        let kept: Vec<_> = gp
            .unopened()
            .unwrap()
            .into_iter()
            .map(|kept| kept.reason.code())
            .collect();
        assert_eq!(kept, [reason]);
        assert_eq!(inbox(&gp), ["Lisible"]);

        place.line.honest();
        let report = gp.sync().await.unwrap();
        assert_eq!((report.received, report.unopened), (1, 0));
        assert!(gp.unopened().unwrap().is_empty());
        let mut came = inbox(&gp);
        came.sort();
        assert_eq!(came, ["Lisible", "Scellé"]);
        gp.sync().await.unwrap();
        assert_eq!(inbox(&gp).len(), 2);
    }
}
