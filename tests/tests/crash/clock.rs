//! Phones and relays whose clock is wrong by a day or by more than a prekey lives, or is set right in the middle of it all.

use pli_tests::place::{CARDIOLOGIST, GP, NURSE, inbox};
use pli_tests::process::Outside;
use pli_tests::stranger::Stranger;

use crate::story::{ENROL, PROGRAM, RECEIVE, SEND, STORY, check, run};

#[tokio::test(flavor = "multi_thread")]
async fn phones_with_a_wrong_clock_miss_nothing() {
    for days in [-400, -1, 1, 400] {
        let mut outside = Outside::open(PROGRAM);
        outside.clock_ahead_days = days;
        for at in 0..STORY.len() {
            run(&outside, at, None).await.well();
            check(&outside, at, &format!("{days} days ahead"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_costs_no_key_and_no_mail() {
    for days in [-400, 400] {
        let mut outside = Outside::open(PROGRAM);
        for at in ENROL..SEND {
            run(&outside, at, None).await.well();
        }
        let stranger = Stranger::enrol_at(outside.plain_url(), CARDIOLOGIST, outside.code(CARDIOLOGIST)).await;
        outside.run(NURSE, &["send", GP, "Avant", "100"], None).await.well();
        outside.run(NURSE, &["sync"], None).await.well();
        // While the clock is wrong the stock is renewed, which is when old secrets are erased.
        outside.clock_ahead_days = days;
        for _ in 0..75 {
            stranger.take_prekey(GP).await;
        }
        outside.run(GP, &["sync"], None).await.well();
        assert_eq!(inbox(&outside.phone(GP)), ["Avant"], "{days} days ahead");
        assert_eq!(stranger.take_prekey(GP).await.batch, 2, "{days} days ahead");
        outside.run(NURSE, &["send", GP, "Pendant", "100"], None).await.well();
        outside.clock_ahead_days = 0;
        for _ in 0..2 {
            outside.run(NURSE, &["sync"], None).await.well();
            outside.run(GP, &["sync"], None).await.well();
        }
        let mut came = inbox(&outside.phone(GP));
        came.sort();
        assert_eq!(came, ["Avant", "Pendant"], "{days} days ahead");
        assert!(outside.phone(GP).unopened().unwrap().is_empty());
    }
}

/// The relay is the one that is wrong, by a day: before it is set right, or from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_clock_is_wrong_by_a_day_loses_nothing() {
    for days in [-1, 1] {
        for (before, after) in [(days, 0), (0, days)] {
            let mut outside = Outside::open(PROGRAM);
            set_relay(&mut outside, before);
            for at in 0..STORY.len() {
                if at == RECEIVE {
                    set_relay(&mut outside, after);
                }
                run(&outside, at, None).await.well();
                check(&outside, at, &format!("{before}, then {after} days ahead"));
            }
        }
    }
}

/// By the relay's time the batch has been over for long, and another one takes its place: what was sealed to it still opens.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_from_next_year_has_no_prekey_erased() {
    let mut outside = Outside::open(PROGRAM);
    for at in ENROL..SEND {
        run(&outside, at, None).await.well();
    }
    let mut stranger = Stranger::enrol_at(outside.plain_url(), CARDIOLOGIST, outside.code(CARDIOLOGIST)).await;
    let (sealed, wraps) = stranger.seal(GP, b"Subject: Bonjour\r\n\r\nBonjour.\r\n").await;
    set_relay(&mut outside, 365);
    outside.run(GP, &["sync"], None).await.well();
    set_relay(&mut outside, 0);
    stranger.sign_in().await;
    assert_eq!(stranger.take_prekey(GP).await.batch, 2, "it was renewed");
    stranger.deposit_accepted(&sealed.header, &wraps, &sealed.payload).await;
    outside.run(GP, &["sync"], None).await.well();
    assert_eq!(inbox(&outside.phone(GP)), ["Bonjour"]);
}

/// Starts the relay again by another clock.
fn set_relay(outside: &mut Outside, days: i64) {
    outside.stop_relay();
    outside.relay_ahead_days = days;
    outside.start_relay(None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_by_a_wrong_clock_is_asked_for_again_by_the_right_one() {
    let mut outside = Outside::open(PROGRAM);
    for who in [NURSE, GP] {
        outside.run(who, &["enrol", who], None).await.well();
        outside.run(who, &["back-up"], None).await.well();
        outside.run(who, &["exchange"], None).await.well();
    }
    outside.run(NURSE, &["send", GP, "En route", "100"], None).await.well();
    outside.run(NURSE, &["exchange"], None).await.well();
    outside.clock_ahead_days = 3;
    outside.run("gp-2", &["recover", GP], None).await.well();
    outside.run("gp-2", &["exchange"], None).await.well();
    assert_eq!(outside.phone("gp-2").unopened().unwrap().len(), 1);
    outside.clock_ahead_days = 0;
    // The question is lost with the phone that it went to.
    outside.run("nurse-2", &["recover", NURSE], None).await.well();
    for who in ["nurse-2", "gp-2", "nurse-2", "nurse-2", "gp-2"] {
        outside.run(who, &["exchange"], None).await.well();
    }
    assert_eq!(inbox(&outside.phone("gp-2")), ["En route"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_read_two_days_ago_is_read_again() {
    let mut outside = Outside::open(PROGRAM);
    set_relay(&mut outside, -2);
    outside.run(GP, &["enrol", GP], None).await.well();
    outside.run("tablet", &["show-code", GP], None).await.well();
    for words in [["confirm-code"], ["sync"]] {
        outside.run(GP, &words, None).await.well();
    }
    // The relay has forgotten what was said there, and the tablet never heard it.
    set_relay(&mut outside, 0);
    outside.run("tablet", &["show-code", GP], None).await.well();
    for words in [["confirm-code"], ["sync"]] {
        outside.run(GP, &words, None).await.well();
    }
    outside.run("tablet", &["finish-link"], None).await.well();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_device_had_sent_opens_after_it_came_by_a_clock_that_was_ahead() {
    let mut outside = Outside::open(PROGRAM);
    for who in [NURSE, GP] {
        outside.run(who, &["enrol", who], None).await.well();
    }
    outside.run("tablet", &["show-code", NURSE], None).await.well();
    outside.run(NURSE, &["confirm-code"], None).await.well();
    outside.run(NURSE, &["sync"], None).await.well();
    outside.run("tablet", &["finish-link"], None).await.well();
    outside
        .run("tablet", &["send", GP, "De la tablette", "100"], None)
        .await
        .well();
    outside.run("tablet", &["sync"], None).await.well();
    outside.run(NURSE, &["remove-others"], None).await.well();
    outside.run(NURSE, &["sync"], None).await.well();
    for days in [400, 0] {
        outside.clock_ahead_days = days;
        outside.run(GP, &["sync"], None).await.well();
    }
    assert_eq!(inbox(&outside.phone(GP)), ["De la tablette"]);
}
