//! Correspondents of whom the relay says what does not hold: their mail waits or is kept sealed, that of others goes on.

use pli_core::UnopenedReason;
use pli_core::store::StoreError;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, address, draft, inbox, state};
use pli_tests::stranger::Stranger;
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

/// A mail waits for a recipient whose keys do not verify now, but not for ever: the others get it then.
#[tokio::test(flavor = "multi_thread")]
async fn one_whose_keys_do_not_verify_keeps_a_mail_from_the_others_for_a_while_alone() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    drop(place.enrol(CARDIOLOGIST).await);
    say(&place, |keys| Some(forged(keys)));
    let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "À deux")).unwrap();
    let alone = nurse.send(&draft(&[CARDIOLOGIST], "Attend")).unwrap();
    for _ in 0..3 {
        nurse.hurry().unwrap();
        assert_eq!(nurse.sync().await.unwrap().waiting, 2);
    }
    assert_eq!(state(&nurse, sent, CARDIOLOGIST), "queued");
    for _ in 0..10 {
        nurse.hurry().unwrap();
        nurse.sync().await.unwrap();
    }
    assert_eq!(state(&nurse, sent, CARDIOLOGIST), "keys-refused");
    assert_eq!(state(&nurse, alone, CARDIOLOGIST), "queued");
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["À deux"]);
}

/// What was not tried for longest is tried first: others that will never open do not keep it shut.
#[tokio::test(flavor = "multi_thread")]
async fn what_opens_by_now_is_opened_however_much_before_it_does_not() {
    let place = Place::open().await;
    let (gp, nurse) = (place.enrol(GP).await, Stranger::enrol(&place, NURSE).await);
    let cardiologist = Stranger::enrol(&place, CARDIOLOGIST).await;
    for (writer, count) in [(&cardiologist, 20), (&nurse, 1)] {
        for _ in 0..count {
            let (sealed, wraps) = writer.seal(GP, b"Subject: Bonjour\r\n\r\nBonjour.\r\n").await;
            writer.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
        }
    }
    place
        .line
        .edit("/v1/keys", |_| cbor::encode(&KeysAnswer { accounts: Vec::new() }));
    gp.sync().await.unwrap();
    assert_eq!(gp.unopened().unwrap().len(), 21);
    place.line.honest();
    say(&place, |_| None);
    for _ in 0..2 {
        gp.sync().await.unwrap();
    }
    assert_eq!(inbox(&gp), ["Bonjour"]);
    assert_eq!(gp.unopened().unwrap().len(), 20);
}

/// The person accepts the identity long after the mail came: once with its key here, once with a key that is gone by then.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_a_changed_identity_is_opened_whenever_it_is_accepted() {
    for key_is_gone in [false, true] {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        nurse.send(&draft(&[GP], "Avant")).unwrap();
        nurse.sync().await.unwrap();
        gp.sync().await.unwrap();
        drop(nurse);
        place.lose(NURSE);
        forget(&place, NURSE);
        let nurse = place.enrol(NURSE).await;
        nurse.send(&draft(&[GP], "Tenu")).unwrap();
        nurse.sync().await.unwrap();
        gp.sync().await.unwrap();
        assert_eq!(gp.unopened().unwrap()[0].reason, UnopenedReason::IdentityChanged);

        let store = place.store(GP);
        store
            .write(|tx| {
                tx.execute("UPDATE unopened SET received_at = received_at - 200 * 86400000", [])?;
                if key_is_gone {
                    tx.execute(
                        "DELETE FROM prekey WHERE leaf = (SELECT min(leaf) FROM prekey WHERE leaf >= 0)",
                        [],
                    )?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        gp.sync().await.unwrap();
        assert_eq!(gp.unopened().unwrap()[0].reason, UnopenedReason::IdentityChanged);
        let identity = gp.identity(&address(NURSE)).await.unwrap();
        gp.accept_identity(&address(NURSE), &identity.changed.unwrap()).unwrap();
        gp.sync().await.unwrap();
        if key_is_gone {
            assert_eq!(inbox(&gp), ["Avant"]);
            for phone in [&gp, &nurse, &gp] {
                phone.sync().await.unwrap();
            }
        }
        let kept: Vec<_> = gp.unopened().unwrap().iter().map(|kept| kept.reason).collect();
        assert_eq!(
            inbox(&gp),
            ["Avant", "Tenu"],
            "the key is gone: {key_is_gone}, {kept:?}"
        );
        assert!(gp.unopened().unwrap().is_empty());
    }
}

/// The relay does not know the account any more, and lets it enrol anew.
fn forget(place: &Place, who: &str) {
    let database = place.relay_database();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    let changed = database.execute(
        "UPDATE account SET address = 'ines.perdue@medical28.apicrypt.org' WHERE address = ?1",
        [who],
    );
    assert_eq!(changed.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_address_is_neither_compared_nor_accepted() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    assert_eq!(nurse.identity(&address(NURSE)).await.unwrap_err().code(), "own-address");
}
