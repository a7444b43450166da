//! What is asked for again: answered once a day for each device that asks, and after what people wrote.

use pli_core::Folder;
use pli_tests::line::Fault;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox};
use pli_tests::stranger::Stranger;
use protocol::api::path;
use protocol::envelope::{self, Kind, Sender, Wrap};
use protocol::identity::VerifiedAccount;
use protocol::rewrap::RewrapRequest;
use protocol::statement::StatedRecipient;
use protocol::{MessageId, Timestamp, cbor};

#[tokio::test(flavor = "multi_thread")]
async fn one_who_asks_again_and_again_is_answered_once() {
    let place = Place::open().await;
    let nurse = place.enrol(NURSE).await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    nurse.send(&draft(&[CARDIOLOGIST], "Gros")).unwrap();
    nurse.sync().await.unwrap();
    let id = nurse.list(Folder::Sent, None, 10).unwrap()[0].id;
    for _ in 0..3 {
        for _ in 0..4 {
            ask(&stranger, id).await;
        }
        for _ in 0..2 {
            nurse.sync().await.unwrap();
        }
    }
    assert_eq!(place.line.count(path::REWRAPS), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_wrote_leaves_before_what_others_ask_for_again() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    nurse.send(&draft(&[CARDIOLOGIST], "Avant")).unwrap();
    nurse.sync().await.unwrap();
    ask(&stranger, nurse.list(Folder::Sent, None, 10).unwrap()[0].id).await;
    // The answer is queued before the mail, and not sent yet.
    place.line.fail_next(path::ACKNOWLEDGEMENTS, Fault::RequestLost);
    assert!(nurse.sync().await.is_err());
    assert_eq!(place.line.count(path::REWRAPS), 0);
    nurse.send(&draft(&[GP], "Urgent")).unwrap();
    let gate = place.line.hold_next(path::REWRAPS);
    let (synced, ()) = tokio::join!(nurse.sync(), async {
        gate.reached().await;
        gp.sync().await.unwrap();
        assert_eq!(inbox(&gp), ["Urgent"]);
        gate.open();
    });
    synced.unwrap();
}

/// A request for one mail of the nurse's, thrice in one envelope.
async fn ask(stranger: &Stranger, id: MessageId) {
    let keys = stranger.keys(NURSE).await.accounts.remove(0);
    let nurse = VerifiedAccount::verify(&keys.identity, &keys.list).unwrap();
    let sender = Sender {
        address: &stranger.address,
        device: stranger.device,
        key: &stranger.key,
        list_version: stranger.account.list_version(),
        list_digest: stranger.account.list_digest(),
    };
    let to = StatedRecipient {
        address: nurse.address().clone(),
        identity: nurse.fingerprint(),
    };
    let (now, own) = (Timestamp::now(), MessageId::make().unwrap());
    let request = cbor::encode(&RewrapRequest { ids: vec![id; 3] });
    let sealed = envelope::seal(sender, own, Kind::Rewrap, vec![to], &request, now).unwrap();
    let prekeys = keys.prekeys.iter().map(|handed| handed.verify(&nurse, 0, now).unwrap());
    let wraps: Vec<_> = prekeys
        .map(|prekey| Wrap::make(&sealed.key, &sealed.header, &prekey).unwrap())
        .collect();
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
}
