//! What the operator counts, and sees of an entry.

use backend::RelayError;
use backend::admin::{self, Activation, Day, Figures, Users};
use protocol::sequence::Cursor;

use super::support::{IDA, LEA, PAUL, TestRelay, ZOE, after};

fn users(profession: &str, entries: u64, enrolled: u64) -> Users {
    Users {
        profession: profession.to_owned(),
        departement: "28".to_owned(),
        entries,
        enrolled,
    }
}

#[tokio::test]
async fn users_are_counted_by_profession_and_departement_and_mails_by_day() {
    let relay = TestRelay::start().await;
    let (lea, paul, _zoe) = (relay.enrol(LEA).await, relay.enrol(PAUL).await, relay.enrol(ZOE).await);
    relay.send(&lea, &[PAUL, ZOE], b"un").await;
    let entries = relay.page(&paul, Cursor::START).await;
    relay.acknowledge(&paul, after(Cursor::START, &entries)).await;
    let earlier = relay.send(&lea, &[PAUL], b"deux").await;
    relay.alter(&format!(
        "UPDATE deposit SET accepted_at = accepted_at - 3 * 86400000 WHERE message = x'{earlier}'"
    ));
    let counted = admin::figures(relay.data.path(), 7).unwrap();
    let today: String = relay.look("SELECT date('now')");
    let then: String = relay.look("SELECT date('now', '-3 days')");
    let day = |day: &str, mails, recipients, retrieved| Day {
        day: day.to_owned(),
        mails,
        recipients,
        retrieved,
    };
    let expected = Figures {
        users: vec![users("Infirmière", 1, 1), users("Médecin", 3, 2)],
        days: vec![day(&today, 1, 2, 1), day(&then, 1, 1, 0)],
    };
    assert_eq!(counted, expected);
    assert_eq!(admin::figures(relay.data.path(), 2).unwrap().days.len(), 1);
    let told = serde_json::to_string(&counted).unwrap().to_lowercase();
    for name in ["petit", "noël", "noel", "lefevre", "@", "chartres"] {
        assert!(!told.contains(name), "{name} in {told}");
    }
}

#[tokio::test]
async fn an_entry_is_shown_with_its_code_and_its_devices() {
    let relay = TestRelay::start().await;
    let found = |words: &str| admin::find(relay.data.path(), words, "").unwrap();
    let code_of = |words: &str| found(words)[0].standing.code;
    assert_eq!(code_of(IDA), Activation::None);
    relay.code(IDA);
    assert_eq!(code_of(IDA), Activation::Waiting);
    relay.alter("UPDATE activation SET expires_at = 1");
    assert_eq!(code_of(IDA), Activation::Expired);
    relay.enrol(LEA).await;
    let lea = found("petit").remove(0);
    assert_eq!(lea.entry.address.as_str(), LEA);
    assert!(lea.standing.enrolled_at.is_some());
    assert_eq!(
        (lea.standing.code, lea.standing.devices, lea.standing.suspended),
        (Activation::Used, 1, 0)
    );
    relay.alter("UPDATE device SET suspended_at = 5");
    assert_eq!(found(LEA)[0].standing.suspended, 1);
    admin::reissue(relay.data.path(), &LEA.parse().unwrap()).unwrap();
    assert_eq!(code_of(LEA), Activation::Reissued);
    assert_eq!(found("nobody").len(), 0);
    let empty = tempfile::tempdir().unwrap();
    let nothing = admin::figures(empty.path(), 7);
    assert!(matches!(nothing, Err(RelayError::NoRelay)), "{nothing:?}");
    assert_eq!(empty.path().read_dir().unwrap().count(), 0);
}
