//! Envelopes that the core would never make: each is kept sealed, and what comes after it arrives.

use std::sync::Mutex;

use pli_core::store::StoreError;
use pli_core::{Folder, Session};
use pli_tests::line::Fault;
use pli_tests::place::{CARDIOLOGIST, GP, NURSE, Place, draft, inbox, state};
use pli_tests::stranger::Stranger;
use protocol::api::{KeysAnswer, PrekeyStock};
use protocol::envelope::{self, Wrap};
use protocol::identity::{Signed, VerifiedAccount};
use protocol::prekey::{BatchRoot, HandedPrekey};
use protocol::seal::{PrekeyPublic, PrekeySecret};
use protocol::sequence::{Cursor, Entry, EntryBody, MailEntry, SequencePage};
use protocol::sign::SigningKey;
use protocol::{Code, Digest, Problem, Timestamp, cbor};

const LETTER: &[u8] = b"Subject: Bonjour\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBonjour.\r\n";

/// After the hostile envelope comes an honest mail, and the GP has both: one kept sealed, one in the inbox.
async fn is_kept_and_holds_nothing_up(place: &Place, reason: &str) {
    is_kept_and_holds_nothing_up_of(place, reason, place.enrol(NURSE).await).await;
}

async fn is_kept_and_holds_nothing_up_of(place: &Place, reason: &str, nurse: Session) {
    let gp = place.phone(GP);
    nurse.send(&draft(&[GP], "Honnête")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    let reasons: Vec<_> = gp
        .unopened()
        .unwrap()
        .into_iter()
        .map(|unopened| unopened.reason.code())
        .collect();
    assert_eq!(reasons, [reason]);
    assert_eq!(inbox(&gp), ["Honnête"]);
}

/// Runs this in the GP's store, from beside.
fn execute(place: &Place, sql: &str) {
    let store = place.store(GP);
    store
        .write(|tx| tx.execute_batch(sql).map_err(StoreError::from))
        .unwrap();
}

const TOO_NEW: &str = "too-new";
const NO_KEY: &str = "keys-refused";

/// From now on the relay hands out of this account a batch that opens what nobody writes yet, or holds what is no key.
fn spoil(place: &Place, stranger: &Stranger, how: &str) {
    let key = if how == NO_KEY {
        PrekeyPublic::try_from([0xFF; PrekeyPublic::LEN].as_slice()).unwrap()
    } else {
        PrekeySecret::make().unwrap().public().unwrap()
    };
    let root = BatchRoot {
        number: 1,
        opens: if how == TOO_NEW { vec![2] } else { vec![1] },
        ..stranger.root(&key)
    };
    let spoilt = HandedPrekey {
        device: stranger.device,
        root: Signed::make(&root, &stranger.key),
        leaf: None,
    };
    place.line.edit("/v1/keys", move |bytes| {
        let mut answer: KeysAnswer = cbor::decode(&bytes).unwrap();
        for prekey in answer.accounts.iter_mut().flat_map(|keys| &mut keys.prekeys) {
            if prekey.device == spoilt.device {
                *prekey = spoilt.clone();
            }
        }
        cbor::encode(&answer)
    });
}

/// Changes the only entry of all sequences as a relay would that takes what no relay does.
fn rewrite_only_entry(place: &Place, edit: impl FnOnce(&mut MailEntry)) {
    let database = place.relay_database();
    let body: Vec<u8> = database
        .query_row("SELECT body FROM sequence_entry", [], |row| row.get(0))
        .unwrap();
    let EntryBody::Mail(mut mail) = cbor::decode(&body).unwrap() else {
        panic!("no mail")
    };
    edit(&mut mail);
    let body = cbor::encode(&EntryBody::Mail(mail));
    let digest = Digest::of(&[&body]);
    let head = Cursor::START.after(&digest);
    for sql in [
        "UPDATE sequence_entry SET body = ?1, digest = ?2, hash = ?3",
        "UPDATE device SET head_hash = ?3 WHERE head_number = 1 AND ?1 <> ?2",
    ] {
        let values = rusqlite::params![body, digest.as_bytes(), head.hash.as_bytes()];
        assert_eq!(database.execute(sql, values).unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_does_not_open() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    let mut payload = sealed.payload.clone();
    payload[100] ^= 1;
    stranger.deposit_accepted(&sealed.header, &wraps, &payload).await;
    is_kept_and_holds_nothing_up(&place, "cannot-open").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_spliced_from_two() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (one, wraps) = stranger.seal(GP, LETTER).await;
    let (two, _) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&one.header, &wraps, &two.payload).await;
    is_kept_and_holds_nothing_up(&place, "cannot-open").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_no_device_of_the_sender_signed() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let mut stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    stranger.key = SigningKey::make().unwrap();
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    is_kept_and_holds_nothing_up(&place, "wrong-signature").await;
}

/// Whoever wraps a mail names the prekey: the number may be one that no column of a store takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrap_that_names_a_batch_beyond_all_numbers() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    rewrite_only_entry(&place, |mail| mail.wrap.prekey.batch = u64::MAX);
    is_kept_and_holds_nothing_up(&place, "no-prekey").await;
}

/// Whatever it is about one mail that the store does not take: the rest of the page is taken, and this mail is kept sealed
/// until the store takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_store_refuses() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    execute(
        &place,
        "CREATE TRIGGER no_bonjour BEFORE INSERT ON message WHEN new.subject = 'Bonjour'
         BEGIN SELECT raise(ABORT, 'not this one'); END",
    );
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    is_kept_and_holds_nothing_up(&place, "cannot-store").await;
    let gp = place.phone(GP);
    assert_eq!(gp.sync().await.unwrap().unopened, 0, "it is no news a second time");
    execute(&place, "DROP TRIGGER no_bonjour");
    gp.sync().await.unwrap();
    assert!(gp.unopened().unwrap().is_empty());
    let mut came = inbox(&gp);
    came.sort();
    assert_eq!(came, ["Bonjour", "Honnête"]);
}

/// The batch and the list of a sender or recipient may bear any number, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_number_beyond_all_is_not_taken() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let key = PrekeySecret::make().unwrap().public().unwrap();
    let answer = stranger.publish(key, |root| root.number = u64::MAX).await;
    assert!(answer.status().is_client_error());
    let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "À deux")).unwrap();
    nurse.sync().await.unwrap();
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["À deux"]);
    assert_eq!(state(&nurse, sent, CARDIOLOGIST), "available");
}

/// Who publishes keys that nothing can be sealed to is left out, and the others get their mail.
#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_whom_nothing_can_be_sealed_to_is_left_out_alone() {
    for spoilt in [TOO_NEW, NO_KEY] {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
        spoil(&place, &stranger, spoilt);
        let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "À deux")).unwrap();
        let report = nurse.sync().await.unwrap();
        assert_eq!((report.sent, report.waiting, report.refused), (1, 0, 0), "{spoilt}");
        gp.sync().await.unwrap();
        nurse.sync().await.unwrap();
        assert_eq!(inbox(&gp), ["À deux"]);
        assert_eq!(state(&nurse, sent, GP), "retrieved");
        assert_eq!(state(&nurse, sent, CARDIOLOGIST), spoilt);
    }
}

/// Keys that spoil once the mail is sealed keep it from nobody else, and do not hide that it was accepted.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_spoil_after_the_mail_was_sealed_change_nothing_for_the_others() {
    for (spoilt, fault) in [
        (TOO_NEW, Fault::ReplyLost),
        (NO_KEY, Fault::ReplyLost),
        (TOO_NEW, Fault::RequestLost),
        (NO_KEY, Fault::RequestLost),
    ] {
        let place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
        let sent = nurse.send(&draft(&[GP, CARDIOLOGIST], "À deux")).unwrap();
        place.line.fail_next("/v1/deposits", fault);
        nurse.sync().await.unwrap_err();
        spoil(&place, &stranger, spoilt);
        nurse.hurry().unwrap();
        assert_eq!(nurse.sync().await.unwrap().sent, 1, "{spoilt}");
        gp.sync().await.unwrap();
        nurse.sync().await.unwrap();
        assert_eq!(inbox(&gp), ["À deux"]);
        assert_eq!(state(&nurse, sent, GP), "retrieved");
        assert_eq!(state(&nurse, sent, CARDIOLOGIST), "available");
    }
}

/// A correspondent, and a relay that helps, wrap a mail for who sent it: it is that mail, and holds nothing up.
#[tokio::test(flavor = "multi_thread")]
async fn an_own_mail_that_is_handed_back_is_the_one_that_was_sent() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, Stranger::enrol(&place, GP).await);
    nurse.send(&draft(&[GP], "Un")).unwrap();
    nurse.sync().await.unwrap();
    let page = gp.page(Cursor::START).await;
    let entry = &page.entries[0];
    let Some(EntryBody::Mail(mail)) = entry.open().unwrap() else {
        panic!("no mail came")
    };
    let payload = entry.payload.as_deref().unwrap().clone();
    let secret = &gp.secrets[usize::try_from(mail.wrap.prekey.leaf.unwrap()).unwrap()];
    let keys = gp.keys(NURSE).await;
    let nurses = VerifiedAccount::verify(&keys.accounts[0].identity, &keys.accounts[0].list).unwrap();
    let prekey = keys.accounts[0].prekeys[0]
        .verify(&nurses, 0, Timestamp::now())
        .unwrap();
    let key = envelope::open(&mail.header, &mail.wrap, &payload, secret)
        .unwrap()
        .verify(&nurses, gp.account.address(), &[gp.account.fingerprint()])
        .unwrap()
        .key;
    let body = cbor::encode(&EntryBody::Mail(MailEntry {
        header: mail.header.clone(),
        wrap: Wrap::make(&key, &mail.header, &prekey).unwrap(),
        payload_digest: Digest::of(&[&payload]),
        deposited_at: Timestamp::now(),
    }));
    let back = Entry {
        number: 1,
        digest: Digest::of(&[&body]),
        body: Some(body.into()),
        payload: Some(payload.into()),
    };
    let pages = Mutex::new(vec![cbor::encode(&SequencePage { entries: vec![back] })]);
    let nothing = cbor::encode(&SequencePage { entries: Vec::new() });
    place.line.edit("/v1/sequence", move |_| {
        pages.lock().unwrap().pop().unwrap_or_else(|| nothing.clone())
    });
    // The relay does not know that entry, and says so: it is taken for one that was put back.
    assert!(nurse.sync().await.unwrap().relay_put_back);
    assert!(nurse.unopened().unwrap().is_empty());
    assert!(inbox(&nurse).is_empty());
    let listed = nurse.list(Folder::Sent, None, 10).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].subject, "Un");
}

/// A relay that hands out places without what was in them is noticed by who should have had it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_relay_drops_is_shown_as_dropped() {
    let place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    nurse.send(&draft(&[GP], "Perdu")).unwrap();
    nurse.sync().await.unwrap();
    place.line.edit("/v1/sequence", |bytes| {
        let mut page: SequencePage = cbor::decode(&bytes).unwrap();
        for entry in &mut page.entries {
            (entry.body, entry.payload) = (None, None);
        }
        cbor::encode(&page)
    });
    assert_eq!(gp.sync().await.unwrap().unopened, 1);
    assert!(inbox(&gp).is_empty());
    place.line.honest();
    is_kept_and_holds_nothing_up_of(&place, "taken-back-or-dropped", place.phone(NURSE)).await;
}

/// A relay that names batches which were never made is not followed there.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_counts_batches_up_is_not_followed() {
    let place = Place::open().await;
    let (gp, stranger) = (place.enrol(GP).await, Stranger::enrol(&place, CARDIOLOGIST).await);
    for newest in [u64::MAX, 1 << 40, u64::from(u32::MAX)] {
        place.line.edit("/v1/prekeys", move |_| stock(0, newest));
        gp.sync().await.unwrap();
        place.line.honest();
    }
    gp.sync().await.unwrap();
    while stranger.take_prekey(GP).await.leaf.is_some() {}
    gp.sync().await.unwrap();
    let next = stranger.take_prekey(GP).await;
    assert_eq!((next.batch, next.leaf), (2, Some(0)));
}

/// A relay that says again and again that it has no prekeys left does not fill the phone with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_always_wants_prekeys_gets_so_many() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    execute(
        &place,
        "WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 11000)
         INSERT INTO prekey SELECT 1, n, zeroblob(32), (SELECT max(not_after) FROM prekey) FROM n",
    );
    place.line.edit("/v1/prekeys", |_| stock(0, 1));
    gp.sync().await.unwrap();
    let asked = place.line.count("/v1/prekeys");
    gp.sync().await.unwrap();
    assert_eq!(place.line.count("/v1/prekeys"), asked + 1, "another batch went out");
}

fn stock(left: u32, newest_batch: u64) -> Vec<u8> {
    serde_json::to_vec(&PrekeyStock {
        left,
        newest_batch,
        not_after: None,
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_no_letter_is_still_kept() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    for content in [&b""[..], &[0; 1], &[0xFF; 5_000]] {
        let (sealed, wraps) = stranger.seal(GP, content).await;
        stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    }
    gp.sync().await.unwrap();
    let numbers: Vec<_> = gp
        .list(pli_core::Folder::Inbox, None, 10)
        .unwrap()
        .into_iter()
        .map(|mail| mail.number)
        .collect();
    assert_eq!(numbers.len(), 3);
    for number in numbers {
        gp.message(number).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_deposit_again_gets_the_same_answer_and_one_entry() {
    let place = Place::open().await;
    let gp = place.enrol(GP).await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    let first = stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    assert_eq!(
        stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await,
        first
    );
    // Other wraps change nothing: the id is looked up before any other check.
    assert_eq!(
        stranger.deposit_accepted(&sealed.header, &[], &sealed.payload).await,
        first
    );
    gp.sync().await.unwrap();
    assert_eq!(inbox(&gp), ["Bonjour"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_replayed_under_another_account_is_refused() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let author = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = author.seal(GP, LETTER).await;
    author.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    let other = Stranger::enrol(&place, NURSE).await;
    let answer = other.deposit(&sealed.header, &wraps, &sealed.payload).await;
    let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(problem.code, Code::NotYours);
}

#[tokio::test(flavor = "multi_thread")]
async fn wraps_that_are_not_of_the_device_lists_are_refused() {
    let place = Place::open().await;
    drop(place.enrol(GP).await);
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = stranger.seal(GP, LETTER).await;
    let twice: Vec<Wrap> = wraps.iter().chain(&wraps).cloned().collect();
    for (wrong, code) in [(&[][..], Code::DevicesChanged), (&twice, Code::Malformed)] {
        let answer = stranger.deposit(&sealed.header, wrong, &sealed.payload).await;
        let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(problem.code, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_to_one_device_leave_no_gap_in_its_sequence() {
    let place = Place::open().await;
    let reader = Stranger::enrol(&place, GP).await;
    let writers = [
        Stranger::enrol(&place, CARDIOLOGIST).await,
        Stranger::enrol(&place, NURSE).await,
    ];
    let mut deposits = Vec::new();
    for _ in 0..20 {
        for writer in &writers {
            let (sealed, wraps) = writer.seal(GP, LETTER).await;
            deposits.push(async move { writer.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await });
        }
    }
    let before = place.relay().commits();
    futures_util::future::join_all(deposits).await;
    let shared = place.relay().commits() - before;
    assert!(shared < 40, "{shared} commits for 40 deposits at once");
    let mut cursor = Cursor::START;
    loop {
        let page = reader.page(cursor).await;
        if page.entries.is_empty() {
            break;
        }
        for entry in page.entries {
            assert_eq!(entry.number, cursor.number + 1);
            entry.open().unwrap().unwrap();
            cursor = cursor.after(&entry.digest);
        }
    }
    assert_eq!(cursor.number, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bytes_at_every_door_get_a_code() {
    let place = Place::open().await;
    let stranger = Stranger::enrol(&place, CARDIOLOGIST).await;
    let (sealed, wraps) = {
        drop(place.enrol(GP).await);
        stranger.seal(GP, LETTER).await
    };
    let deposit = cbor::encode(&protocol::envelope::Deposit {
        header: sealed.header.into(),
        wraps,
        payload: sealed.payload.into(),
    });
    let mut later_version = deposit.clone();
    later_version[0] = 9;
    let mut longer = deposit.clone();
    longer.push(0);
    let bodies: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("cut", deposit[..deposit.len() / 2].to_vec()),
        ("a later version", later_version),
        ("trailing bytes", longer),
        ("not CBOR", b"{\"to\": \"quelqu'un\"}".to_vec()),
        ("not UTF-8", vec![0xFF; 64]),
    ];
    for path in [
        "/v1/deposits",
        "/v1/prekeys",
        "/v1/enrolments",
        "/v1/keys",
        "/v1/withdrawals",
        "/v1/acknowledgements",
        "/v1/challenges",
        "/v1/tokens",
    ] {
        for (what, body) in &bodies {
            let answer = stranger.post(path, body.clone()).await;
            assert_eq!(
                answer.headers()["content-type"],
                "application/problem+json",
                "{path} {what}"
            );
            let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_ne!(problem.code, Code::Unknown, "{path} {what}");
            assert!(
                (400..500).contains(&problem.status),
                "{path} {what}: {}",
                problem.status
            );
        }
        let status = stranger.announce(path, 3 * 1024 * 1024).await;
        assert!((400..500).contains(&status), "{path} oversized: {status}");
    }
    stranger.page(Cursor::START).await;
}
