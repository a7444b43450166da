//! The role of main device goes from one device to another, which is suspended and let in before: both end at each of their steps,
//! and are started again.

use pli_core::keystore::{self, KeyPlace};
use pli_core::store::StoreError;
use pli_tests::place::{GP, NURSE, inbox};
use pli_tests::process::Outside;

use crate::story::{AROUND_COMMITS, Beginning, Command, at_each_commit, at_each_step, at_the_end, ends};

/// The GP's second device, which becomes the main one.
const TABLET: &str = "tablet";

const LIFT: usize = 10;
const SHOW: usize = 13;
const HAND_OVER: usize = 14;
const FINISH: usize = 15;
const SEE: usize = 16;

const STORY: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (TABLET, &["show-code", GP]),
    (GP, &["confirm-code"]),
    (GP, &["sync"]),
    (TABLET, &["finish-link"]),
    (TABLET, &["sync"]),
    (GP, &["suspend-others"]),
    (NURSE, &["send", GP, "Pendant", "100"]),
    (NURSE, &["sync"]),
    (GP, &["let-others-in"]),
    (GP, &["sync"]),
    (TABLET, &["sync"]),
    (TABLET, &["show-main-code"]),
    (GP, &["hand-over"]),
    (TABLET, &["finish-handover"]),
    (GP, &["sync"]),
    (TABLET, &["sync"]),
    (NURSE, &["send", GP, "Après", "100"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (TABLET, &["sync"]),
];

/// Each step of the core that only this story comes to, and the commands in which a device ends there.
pub(crate) const STEPS: &[(&str, &[usize])] = &[
    ("claim-stored", &[SHOW]),
    ("handover-stored", &[HAND_OVER]),
    ("main-key-stored", &[FINISH]),
    ("other-main-seen", &[SEE]),
    ("suspension-lifted", &[LIFT]),
];

/// Commands of which each commit is tried, before and after.
const COMMITTING: &[usize] = &[SHOW, HAND_OVER, FINISH, SEE];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_ends_at_a_step_of_the_handing_over_goes_on() {
    // What another story names happens here, too: the list of the new main device.
    let lists = [("list-signed", FINISH), ("list-published", FINISH)];
    at_each_step(ends(STEPS).chain(lists), begin, tell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_ends_around_any_commit_of_the_handing_over_goes_on() {
    at_each_commit(COMMITTING, (AROUND_COMMITS, 1), begin, tell).await;
}

async fn begin(at: usize) -> Beginning {
    // What a code leads to is in the relay's memory alone.
    let is_coded = (SHOW..=FINISH).contains(&at);
    Beginning::of(STORY, if is_coded { SHOW } else { at }).await.led_to(at)
}

/// At no time has nobody the identity's key.
async fn tell(beginning: &Beginning, step: &str) -> bool {
    let somebody_can_sign = |outside: &Outside, what: &str| assert!(!who_can_sign(outside).is_empty(), "{what}");
    beginning.tell(step, somebody_can_sign, at_the_end(STORY, check)).await
}

/// The devices of the GP that have the identity's key.
fn who_can_sign(outside: &Outside) -> Vec<&'static str> {
    let mut can_sign = Vec::new();
    for who in [GP, TABLET] {
        let home = outside.home(who);
        let store = keystore::open_or_create(&home, &KeyPlace::File(home.join("store.key"))).unwrap();
        let has_key: bool = store
            .read::<_, StoreError>(|connection| {
                let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE identity_seed <> x'')";
                Ok(connection.query_row(sql, [], |row| row.get(0))?)
            })
            .unwrap();
        if has_key {
            can_sign.push(who);
        }
    }
    can_sign
}

/// Whatever happened on the way: the tablet alone has the key and is the first on both lists, and both have all mail once.
fn check(outside: &Outside, what: &str) {
    assert_eq!(who_can_sign(outside), [TABLET], "{what}");
    for who in [GP, TABLET] {
        let device = outside.phone(who);
        let devices = device.devices().unwrap();
        assert_eq!(devices.len(), 2, "{who}: {what}");
        assert_eq!(devices[0].is_this, who == TABLET, "{who}: {what}");
        assert_eq!(inbox(&device), ["Pendant", "Après"], "{who}: {what}");
        assert!(device.unopened().unwrap().is_empty(), "{who}: {what}");
        assert_eq!(device.handing_over_to().unwrap(), None, "{who}: {what}");
    }
}
