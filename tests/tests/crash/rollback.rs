//! A relay that was put back to an earlier copy, and phones that end while they bring it up to date; a phone that was put back,
//! and ends while it becomes another device.

use pli_core::Folder;
use pli_tests::place::{GP, NURSE, inbox, state};
use pli_tests::process::Outside;

use crate::story::{Beginning, Command, PROGRAM, at_each_commit, at_each_step, at_the_end, ends};

const BRING_UP: usize = 0;

/// What is done before the copy of the relay is made, then before it takes the relay's place, then afterwards.
const BEFORE: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (NURSE, &["send", GP, "Hier", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
];
const LOST: &[Command] = &[
    (NURSE, &["send", GP, "Relevée", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (NURSE, &["sync"]),
    (NURSE, &["send", GP, "En attente", "60000"]),
    (NURSE, &["sync"]),
];
const AFTER: &[Command] = &[
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (NURSE, &["sync"]),
    (NURSE, &["send", GP, "Après", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (NURSE, &["sync"]),
];

/// Each step of the core that only this story comes to, and the commands of [`AFTER`] in which a phone ends there.
pub(crate) const STEPS: &[(&str, &[usize])] = &[("relay-brought-up", &[BRING_UP, BRING_UP + 1])];

/// What a phone had sent since it was copied, it has again.
const SENT_ONLY: &[Command] = &[(GP, &["sync"]), (NURSE, &["sync"]), (GP, &["sync"])];
pub(crate) const PHONE_STEPS: &[(&str, &[usize])] = &[("phone-brought-up", &[BRING_UP])];

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_while_it_gets_again_what_it_sent_goes_on() {
    let told = |outside: &Outside, what: &str| {
        let gp = outside.phone(GP);
        let sent = gp.list(Folder::Sent, None, 10).unwrap();
        let shown: Vec<_> = sent
            .iter()
            .map(|mail| (mail.subject.as_str(), state(&gp, mail.number, NURSE)))
            .collect();
        assert_eq!(shown, [("Envoyé", "retrieved")], "{what}");
        assert_eq!(inbox(&outside.phone(NURSE)), ["Envoyé"], "{what}");
    };
    let tell =
        async |beginning: &Beginning, step: &str| beginning.tell(step, |_, _| (), at_the_end(SENT_ONLY, told)).await;
    at_each_step(ends(PHONE_STEPS), begin_put_back, tell).await;
    at_each_commit(&[BRING_UP], (&["store-committed"], 1), begin_put_back, tell).await;
}

/// What comes after the phone was put back.
async fn begin_put_back(at: usize) -> Beginning {
    let outside = Outside::open(PROGRAM);
    for (who, words) in BEFORE.iter().take(2) {
        outside.run(who, words, None).await.well();
    }
    outside.run(GP, &["back-up"], None).await.well();
    outside.run(GP, &["sync"], None).await.well();
    outside.copy(GP, "copy");
    outside.run(GP, &["send", NURSE, "Envoyé", "100"], None).await.well();
    outside.run(GP, &["sync"], None).await.well();
    outside.put_back("copy", GP);
    Beginning::after(outside, SENT_ONLY, at).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_while_it_brings_the_relay_up_goes_on() {
    at_each_step(ends(STEPS), begin, tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_ends_after_any_commit_of_bringing_the_relay_up_goes_on() {
    at_each_commit(&[BRING_UP, BRING_UP + 1], (&["store-committed"], 1), begin, tell).await;
}

/// What comes after the relay was put back.
async fn begin(at: usize) -> Beginning {
    let mut outside = Outside::open(PROGRAM);
    for (who, words) in BEFORE {
        outside.run(who, words, None).await.well();
    }
    outside.stop_relay();
    outside.copy("relay", "copy");
    outside.start_relay(None);
    for (who, words) in LOST {
        outside.run(who, words, None).await.well();
    }
    outside.kill_relay();
    outside.put_back("copy", "relay");
    outside.start_relay(None);
    Beginning::after(outside, AFTER, at).await
}

async fn tell(beginning: &Beginning, step: &str) -> bool {
    beginning.tell(step, |_, _| (), at_the_end(AFTER, check)).await
}

/// Whatever happened on the way: what the relay had lost is there once.
fn check(outside: &Outside, what: &str) {
    let (nurse, gp) = (outside.phone(NURSE), outside.phone(GP));
    assert_eq!(inbox(&gp), ["Hier", "Relevée", "En attente", "Après"], "{what}");
    assert!(gp.unopened().unwrap().is_empty(), "{what}");
    for mail in nurse.list(Folder::Sent, None, 10).unwrap() {
        assert_eq!(state(&nurse, mail.number, GP), "retrieved", "{what}: {}", mail.subject);
    }
}

/// The phone that was put back takes the account over again: after each commit of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_put_back_and_ends_while_it_becomes_another_device_goes_on() {
    for step in ["store-committed", "recovery-stored", "recovery-accepted"] {
        let mut nth = 1;
        while take_over(&format!("{step}:{nth}")).await {
            nth += 1;
        }
        assert!(nth > 1, "{step} is not reached");
    }
}

async fn take_over(step: &str) -> bool {
    let outside = Outside::open(PROGRAM);
    for (who, words) in BEFORE {
        outside.run(who, words, None).await.well();
    }
    outside.run(GP, &["back-up"], None).await.well();
    outside.run(GP, &["sync"], None).await.well();
    outside.copy(GP, "copy");
    for (who, words) in LOST {
        outside.run(who, words, None).await.well();
    }
    outside.put_back("copy", GP);
    let told = outside.run(GP, &["sync"], None).await;
    assert!(told.said.contains("[device-put-back]"), "{told:?}");
    let end = outside.run(GP, &["recover", GP], Some(step)).await;
    if end.crashed() {
        outside.run(GP, &["recover", GP], None).await.well();
    } else {
        end.well();
    }
    for who in [GP, NURSE, NURSE, GP] {
        outside.run(who, &["sync"], None).await.well();
    }
    let gp = outside.phone(GP);
    assert_eq!(inbox(&gp), ["Hier", "Relevée", "En attente"], "{step}");
    assert!(gp.unopened().unwrap().is_empty(), "{step}");
    end.crashed()
}
