//! One story that passes every persisted step of both sides, told command by command, each a process of its own.
//! Whoever crashes in it is started again; how it has to end is always the same.

use futures_util::future::join_all;
use pli_core::{Folder, UnopenedReason};
use pli_tests::place::{GP, NURSE, inbox, state};
use pli_tests::process::{End, Outside};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pli-steps");

/// A command and whose phone runs it.
pub(crate) type Command = (&'static str, &'static [&'static str]);

/// Text of a mail whose payload the relay keeps in its row.
const SMALL: &str = "100";
/// Text of a mail whose payload the relay keeps in a file.
const LARGE: &str = "60000";

/// What each command of [`STORY`] is, by its place.
pub(crate) const ENROL: usize = 0;
pub(crate) const SEND: usize = 2;
pub(crate) const DEPOSIT: usize = 3;
pub(crate) const RECEIVE: usize = 4;
pub(crate) const READ: usize = 5;
pub(crate) const HANDLE: usize = 6;
pub(crate) const RECEIPTS: usize = 7;
pub(crate) const LEARN: usize = 8;
pub(crate) const DEPOSIT_LARGE: usize = 10;
pub(crate) const WITHDRAW: usize = 11;
pub(crate) const WITHDRAWAL: usize = 12;
pub(crate) const DELETE: usize = 14;

pub(crate) const STORY: &[Command] = &[
    (NURSE, &["enrol", NURSE]),
    (GP, &["enrol", GP]),
    (NURSE, &["send", GP, "Une fois", SMALL]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (GP, &["read", "Une fois"]),
    (GP, &["handle", "Une fois"]),
    (GP, &["sync"]),
    (NURSE, &["sync"]),
    (NURSE, &["send", GP, "Reprise", LARGE]),
    (NURSE, &["sync"]),
    (NURSE, &["withdraw", "Reprise"]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (GP, &["delete", "Une fois"]),
    (NURSE, &["send", GP, "Grande", LARGE]),
    (NURSE, &["sync"]),
    (GP, &["sync"]),
    (NURSE, &["sync"]),
];

/// Runs one command of the story and hands back how it ended.
pub(crate) async fn run(outside: &Outside, at: usize, crash_at: Option<&str>) -> End {
    let (who, words) = STORY[at];
    outside.run(who, words, crash_at).await
}

/// After the command at this place: what each phone has to show by then.
pub(crate) fn check(outside: &Outside, at: usize, what: &str) {
    let seen = |who| inbox(&outside.phone(who));
    match at {
        RECEIVE => assert_eq!(seen(GP), ["Une fois"], "{what}"),
        DELETE => assert!(seen(GP).is_empty(), "{what}"),
        _ if at == STORY.len() - 1 => {
            assert_eq!(seen(GP), ["Grande"], "{what}");
            let nurse = outside.phone(NURSE);
            let mut sent = nurse.list(Folder::Sent, None, 100).unwrap();
            sent.sort_by_key(|mail| mail.number);
            let states: Vec<_> = sent
                .iter()
                .map(|mail| (mail.subject.as_str(), state(&nurse, mail.number, GP)))
                .collect();
            assert_eq!(
                states,
                [
                    ("Une fois", "handled"),
                    ("Reprise", "withdrawn"),
                    ("Grande", "retrieved")
                ],
                "{what}"
            );
            assert!(nurse.unopened().unwrap().is_empty(), "{what}");
            // Its place, without it, is all that came of the one that was taken back.
            let kept = outside.phone(GP).unopened().unwrap();
            let reasons: Vec<_> = kept.iter().map(|kept| kept.reason).collect();
            assert_eq!(reasons, [UnopenedReason::Emptied], "{what}");
        }
        _ => {}
    }
}

/// Each step with each of its commands.
pub(crate) fn ends(steps: &'static [(&'static str, &'static [usize])]) -> impl Iterator<Item = (&'static str, usize)> {
    steps
        .iter()
        .flat_map(|(step, commands)| commands.iter().map(move |command| (*step, *command)))
}

/// Has a story told with an end at each of these steps: `tell` says whether it was reached.
pub(crate) async fn at_each_step(
    story: &[Command],
    ends: impl Iterator<Item = (&'static str, usize)>,
    tell: impl AsyncFn(usize, &str) -> bool,
) {
    join_all(ends.map(async |(step, command)| {
        assert!(
            tell(command, step).await,
            "{step} is not reached by {:?}",
            story[command]
        );
    }))
    .await;
}

/// Has a story told with an end at each commit of these commands, from the `first` on.
pub(crate) async fn at_each_commit(
    story: &[Command],
    commands: &[usize],
    (step, first): (&str, u32),
    tell: impl AsyncFn(usize, &str) -> bool,
) {
    join_all(commands.iter().map(async |command| {
        let mut nth = first;
        while tell(*command, &format!("{step}:{nth}")).await {
            nth += 1;
        }
        assert!(nth > first, "{:?} commits nothing", story[*command]);
    }))
    .await;
}

/// Tells a story with a phone that ends once, at `step` of one command, and is started again; whether it did end there.
/// `ended` looks at what it has left.
pub(crate) async fn tell(
    story: &[Command],
    (crashing, step): (usize, &str),
    ended: impl Fn(&Outside, &str),
    check: impl Fn(&Outside, &str),
) -> bool {
    let outside = Outside::open(PROGRAM);
    let what = format!("{step} in {:?}", story[crashing]);
    for (at, (who, words)) in story.iter().enumerate() {
        if at == crashing {
            let end = outside.run(who, words, Some(step)).await;
            if !end.crashed() {
                end.well();
                return false;
            }
            ended(&outside, &what);
        }
        outside.run(who, words, None).await.well();
    }
    check(&outside, &what);
    true
}

/// The same with a relay that ends during that command.
pub(crate) async fn tell_of_relay(
    story: &[Command],
    (crashing, step): (usize, &str),
    check: impl Fn(&Outside, &str),
) -> bool {
    let mut outside = Outside::open(PROGRAM);
    for (at, (who, words)) in story.iter().enumerate() {
        if at == crashing {
            outside.stop_relay();
            outside.start_relay(Some(step));
            outside.run(who, words, None).await;
            if !outside.relay_crashed() {
                return false;
            }
            outside.start_relay(None);
        }
        outside.run(who, words, None).await.well();
    }
    check(&outside, step);
    true
}
