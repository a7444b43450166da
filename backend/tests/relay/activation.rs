//! Activation codes and enrolment: who gets in with what, how often one may try, and what a lost reply leaves.

use backend::{RelayError, admin};
use protocol::api::{ChallengeAnswer, ChallengeRequest, KeysAnswer, path};
use protocol::sequence::Cursor;
use protocol::{Code, DeviceId, Timestamp, cbor};
use reqwest::{Method, StatusCode};

use super::support::{IDA, LEA, PAUL, Phone, TestRelay, ZOE, mail_of, problem_of};

#[tokio::test]
async fn wrong_used_void_and_expired_codes_are_refused() {
    let relay = TestRelay::start().await;
    let lea = Phone::make(LEA, 1);
    let (void, expired) = (relay.code(LEA), relay.code(LEA));
    let of_another = relay.code(PAUL);
    relay.alter(&format!("UPDATE activation SET expires_at = 1 WHERE address = '{LEA}'"));
    for code in [void.as_str(), &expired, &of_another, ""] {
        assert_eq!(
            problem_of(relay.send_enrolment(&lea, code).await).await,
            Code::ActivationRefused
        );
    }
    let used = relay.code(LEA);
    relay.alter(&format!("UPDATE activation SET used = 1 WHERE address = '{LEA}'"));
    assert_eq!(
        problem_of(relay.send_enrolment(&lea, &used).await).await,
        Code::ActivationRefused
    );
    assert_eq!(
        problem_of(relay.challenge(lea.device).await).await,
        Code::DeviceUnknown,
        "none of it enrolled the phone"
    );
    let typed = relay.code(LEA).to_lowercase().replace('-', " ").replace('o', "0");
    assert_eq!(relay.send_enrolment(&lea, &typed).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn after_some_wrong_codes_even_the_right_one_waits_and_others_do_not() {
    let relay = TestRelay::start().await;
    let ida = Phone::make(IDA, 1);
    let code = relay.code(IDA);
    for _ in 0..5 {
        assert_eq!(
            problem_of(relay.send_enrolment(&ida, "AAAA").await).await,
            Code::ActivationRefused
        );
    }
    let answer = relay.send_enrolment(&ida, &code).await;
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(problem_of(answer).await, Code::Throttled);
    relay.enrol(LEA).await;
}

#[tokio::test]
async fn wrong_codes_all_at_once_are_no_more_tries_than_one_after_another() {
    let relay = TestRelay::start().await;
    let ida = Phone::make(IDA, 1);
    relay.code(IDA);
    let tries = (0..30).map(|_| relay.send_enrolment(&ida, "AAAA"));
    let mut weighed = 0;
    for answer in futures_util::future::join_all(tries).await {
        match problem_of(answer).await {
            Code::ActivationRefused => weighed += 1,
            other => assert_eq!(other, Code::Throttled),
        }
    }
    assert_eq!(weighed, 5);
}

#[tokio::test]
async fn the_same_enrolment_again_gets_the_same_answer() {
    let relay = TestRelay::start().await;
    let (lea, code) = (Phone::make(LEA, 1), relay.code(LEA));
    let at_once = (0..10).map(|_| relay.send_enrolment(&lea, &code));
    let mut answers = Vec::new();
    for answer in futures_util::future::join_all(at_once).await {
        answers.push(answer.text().await.unwrap());
    }
    let relay = relay.restart().await;
    answers.push(relay.send_enrolment(&lea, &code).await.text().await.unwrap());
    let expected = format!("{{\"device\":\"{}\"}}", lea.device);
    assert!(answers.iter().all(|answer| *answer == expected), "{answers:?}");
}

#[tokio::test]
async fn another_identity_does_not_take_an_account_over() {
    let relay = TestRelay::start().await;
    let (lea, code) = (Phone::make(LEA, 1), relay.code(LEA));
    assert_eq!(relay.send_enrolment(&lea, &code).await.status(), StatusCode::OK);
    let not_after = protocol::Timestamp::now().plus_days(30);
    let other = Phone::make_with(LEA, 1, 9, not_after);
    let with_used = relay.send_enrolment(&other, &code).await;
    assert_eq!(problem_of(with_used).await, Code::AlreadyEnrolled);
    let with_new = relay.send_enrolment(&other, &relay.code(LEA)).await;
    assert_eq!(problem_of(with_new).await, Code::AlreadyEnrolled);
    assert_eq!(
        problem_of(relay.send_enrolment(&other, "AAAA").await).await,
        Code::ActivationRefused,
        "who has no code learns nothing"
    );
    assert_eq!(
        problem_of(relay.challenge(other.device).await).await,
        Code::DeviceUnknown
    );
    relay.token(&lea).await;
}

#[tokio::test]
async fn a_challenge_is_good_once_and_for_the_key_of_its_device() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let challenge: protocol::api::ChallengeAnswer = relay.challenge(lea.device).await.json().await.unwrap();
    let by_another = relay.answer_challenge(&challenge.challenge, &paul.key).await;
    assert_eq!(problem_of(by_another).await, Code::ChallengeRefused);
    let used_up = relay.answer_challenge(&challenge.challenge, &lea.key).await;
    assert_eq!(problem_of(used_up).await, Code::ChallengeRefused);
    relay.token(&lea).await;
}

#[tokio::test]
async fn the_same_identity_with_a_code_typed_anew_or_a_new_one_gets_the_same_answer() {
    let relay = TestRelay::start().await;
    let (lea, code) = (Phone::make(LEA, 1), relay.code(LEA));
    assert_eq!(relay.send_enrolment(&lea, &code).await.status(), StatusCode::OK);
    let typed = code.to_lowercase().replace('-', " ");
    assert_eq!(relay.send_enrolment(&lea, &typed).await.status(), StatusCode::OK);
    let new = relay.code(LEA);
    for again in [&new, &new, &code] {
        assert_eq!(relay.send_enrolment(&lea, again).await.status(), StatusCode::OK);
    }
    assert_eq!(
        problem_of(relay.send_enrolment(&lea, &typed).await).await,
        Code::ActivationRefused,
        "the code before the new one is void"
    );
    relay.token(&lea).await;
}

/// The code of the answer to an enrolment with a wrong code, from another network address of this machine.
async fn guess_from(relay: &TestRelay, host: u8, phone: &Phone) -> Code {
    let asked = from(host).post(format!("{}{}", relay.base, path::ENROLMENTS));
    let body = protocol::cbor::encode(&phone.enrolment("AAAA"));
    problem_of(asked.body(body).send().await.unwrap()).await
}

/// A client at another network address of this machine.
fn from(host: u8) -> reqwest::Client {
    let elsewhere = reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, host]));
    elsewhere.build().unwrap()
}

#[tokio::test]
async fn wrong_codes_from_elsewhere_keep_nobody_from_enrolling() {
    let relay = TestRelay::start().await;
    let (ida, code) = (Phone::make(IDA, 1), relay.code(IDA));
    for _ in 0..5 {
        assert_eq!(guess_from(&relay, 2, &ida).await, Code::ActivationRefused);
    }
    assert_eq!(guess_from(&relay, 2, &ida).await, Code::Throttled);
    assert_eq!(relay.send_enrolment(&ida, &code).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn wrong_codes_from_everywhere_count_together() {
    let mut tuning = backend::Tuning::default();
    (tuning.limits.guesses.bucket, tuning.limits.guesses.refill) = (6, 0);
    let relay = TestRelay::start_tuned(tuning).await;
    let (ida, code) = (Phone::make(IDA, 1), relay.code(IDA));
    for host in [2, 3] {
        for _ in 0..3 {
            assert_eq!(guess_from(&relay, host, &ida).await, Code::ActivationRefused);
        }
    }
    assert_eq!(guess_from(&relay, 4, &ida).await, Code::Throttled);
    assert_eq!(
        problem_of(relay.send_enrolment(&ida, &code).await).await,
        Code::Throttled
    );
    relay.enrol(LEA).await;
}

#[tokio::test]
async fn nobody_locks_a_device_out_from_elsewhere() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    let elsewhere = from(2);
    let refused = loop {
        let asked = elsewhere.post(format!("{}{}", relay.base, path::CHALLENGES));
        let answer = asked
            .json(&ChallengeRequest { device: lea.device })
            .send()
            .await
            .unwrap();
        if answer.status() != StatusCode::OK {
            break problem_of(answer).await;
        }
    };
    assert_eq!(refused, Code::Throttled);
    relay.token(&lea).await;
}

#[tokio::test]
async fn who_cannot_sign_for_a_device_uses_up_none_of_its_tokens() {
    let mut tuning = backend::Tuning::default();
    tuning.limits.tokens.bucket = 3;
    tuning.limits.tokens.refill = 0;
    let relay = TestRelay::start_tuned(tuning).await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let challenge = async || {
        let answer = relay.challenge(lea.device).await;
        answer.json::<ChallengeAnswer>().await.unwrap().challenge
    };
    for _ in 0..5 {
        let forged = relay.answer_challenge(&challenge().await, &paul.key).await;
        assert_eq!(problem_of(forged).await, Code::ChallengeRefused);
    }
    for _ in 0..2 {
        relay.token(&lea).await;
    }
    let one_more = relay.answer_challenge(&challenge().await, &lea.key).await;
    assert_eq!(problem_of(one_more).await, Code::Throttled);
}

#[tokio::test]
async fn a_code_that_reissues_ends_the_identity_before_it_once() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let first = paul.device;
    let paul = relay.take_over(&paul, 1).await;
    relay.send(&lea, &[PAUL], b"un").await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    stream.page().await;
    let code = admin::reissue(relay.data.path(), &PAUL.parse().unwrap()).unwrap();
    let of_nobody = admin::reissue(relay.data.path(), &ZOE.parse().unwrap());
    assert!(matches!(of_nobody, Err(RelayError::NotEnrolled)));
    relay.page(&paul, Cursor::START).await;
    let mut next = Phone::make_with(PAUL, 4, 2, Timestamp::now().plus_days(30));
    assert_eq!(relay.send_enrolment(&next, &code).await.status(), StatusCode::OK);
    // The same again after a lost answer; and another one is too late.
    assert_eq!(relay.send_enrolment(&next, &code).await.status(), StatusCode::OK);
    let other = Phone::make_with(PAUL, 4, 3, Timestamp::now().plus_days(30));
    let late = relay.send_enrolment(&other, &code).await;
    assert_eq!(problem_of(late).await, Code::AlreadyEnrolled);
    assert_eq!(stream.end().await.1, "device-unknown");
    assert_eq!(
        problem_of(relay.poll(&paul, Cursor::START, 0).await).await,
        Code::TokenRefused
    );
    assert_eq!(
        problem_of(relay.challenge(paul.device).await).await,
        Code::DeviceUnknown
    );
    next.token = relay.token(&next).await;
    let entries = relay.page(&next, Cursor::START).await;
    assert_eq!(mail_of(&entries[0]).wrap.device, paul.device, "to be asked for again");
    let told = relay.identity(PAUL).await;
    assert_eq!(told.identity, next.identity);
    assert!(told.predecessors.is_empty(), "nobody follows it unasked");
    assert_eq!(told.ended, [paul.identity.digest()]);
    let ending = async |device: DeviceId| {
        let asked = relay.request(Method::GET, &format!("{}/{device}", path::ENDINGS));
        asked.bearer_auth(&lea.token).send().await.unwrap()
    };
    for device in [paul.device, first] {
        let answer: KeysAnswer = cbor::decode(&ending(device).await.bytes().await.unwrap()).unwrap();
        let [account] = answer.accounts.as_slice() else {
            panic!("one account")
        };
        assert_eq!(account.identity, paul.identity);
        assert_eq!(account.predecessors.len(), 1, "with the line that led to it");
    }
    for device in [next.device, lea.device] {
        assert_eq!(problem_of(ending(device).await).await, Code::NotFound);
    }
}
