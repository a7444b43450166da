//! One story that passes every persisted step of both sides, told command by command, each a process of its own.
//! Whoever crashes in it is started again; how it has to end is always the same.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use pli_core::{Folder, UnopenedReason};
use pli_tests::place::{GP, NURSE, inbox, state};
use pli_tests::process::{End, Outside};
use tempfile::TempDir;

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

/// A story as it stands before one of its commands: told once, and gone on with from there as often as it takes.
pub(crate) struct Beginning {
    story: &'static [Command],
    /// What was there before the command at this place.
    folder: TempDir,
    kept_at: usize,
    /// The place of the command that comes next.
    at: usize,
}

impl Beginning {
    /// The story from its first command on.
    pub(crate) async fn of(story: &'static [Command], at: usize) -> Self {
        Self::after(Outside::open(PROGRAM), story, at).await
    }

    /// The story as it goes on from here.
    pub(crate) async fn after(outside: Outside, story: &'static [Command], at: usize) -> Self {
        for (who, words) in &story[..at] {
            outside.run(who, words, None).await.well();
        }
        let folder = outside.close();
        Self {
            story,
            folder,
            kept_at: at,
            at,
        }
    }

    /// The same before a later command: those in between are told each time, as the relay forgets something of them when it ends.
    pub(crate) fn led_to(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// The command that comes next, by its place, and those after it.
    fn rest(&self) -> impl Iterator<Item = (usize, &'static Command)> {
        self.story.iter().enumerate().skip(self.at)
    }

    /// Everything as it was, in a place of its own.
    async fn again(&self) -> Outside {
        let mut outside = Outside::copied(PROGRAM, self.folder.path());
        outside.start_relay(None);
        for (who, words) in &self.story[self.kept_at..self.at] {
            outside.run(who, words, None).await.well();
        }
        outside
    }

    fn what(&self, step: &str) -> String {
        format!("{step} in {:?}", self.story[self.at])
    }

    /// Goes on with a phone that ends once, at `step` of the next command, and is started again; whether it did end there.
    /// `ended` looks at what it has left, `check` at what is there after each command.
    pub(crate) async fn tell(
        &self,
        step: &str,
        ended: impl Fn(&Outside, &str),
        check: impl Fn(&Outside, usize, &str),
    ) -> bool {
        let outside = self.again().await;
        let (who, words) = self.story[self.at];
        let end = outside.run(who, words, Some(step)).await;
        if !end.crashed() {
            end.well();
            return false;
        }
        ended(&outside, &self.what(step));
        self.finish(&outside, step, check).await;
        true
    }

    /// The same with a relay that ends during that command.
    pub(crate) async fn tell_of_relay(&self, step: &str, check: impl Fn(&Outside, usize, &str)) -> bool {
        let mut outside = self.again().await;
        outside.stop_relay();
        outside.start_relay(Some(step));
        let (who, words) = self.story[self.at];
        let end = outside.run(who, words, None).await;
        if !outside.relay_crashed() {
            end.well();
            return false;
        }
        outside.start_relay(None);
        self.finish(&outside, step, check).await;
        true
    }

    async fn finish(&self, outside: &Outside, step: &str, check: impl Fn(&Outside, usize, &str)) {
        let what = self.what(step);
        for (at, (who, words)) in self.rest() {
            outside.run(who, words, None).await.well();
            check(outside, at, &what);
        }
    }
}

/// The story before any of its commands.
pub(crate) fn begin(story: &'static [Command]) -> impl AsyncFn(usize) -> Beginning {
    async move |at| Beginning::of(story, at).await
}

/// The story with a phone that ends, and what is there once all is told.
pub(crate) fn tell(
    story: &'static [Command],
    check: impl Fn(&Outside, &str),
) -> impl AsyncFn(&Beginning, &str) -> bool {
    let check = at_the_end(story, check);
    async move |beginning, step| beginning.tell(step, |_, _| (), &check).await
}

/// The same with a relay that ends.
pub(crate) fn tell_of_relay(
    story: &'static [Command],
    check: impl Fn(&Outside, &str),
) -> impl AsyncFn(&Beginning, &str) -> bool {
    let check = at_the_end(story, check);
    async move |beginning, step| beginning.tell_of_relay(step, &check).await
}

/// A check of what is there once all is told.
pub(crate) fn at_the_end(story: &'static [Command], check: impl Fn(&Outside, &str)) -> impl Fn(&Outside, usize, &str) {
    move |outside, at, what| {
        if at == story.len() - 1 {
            check(outside, what);
        }
    }
}

/// Has a story told with an end at each of these steps, of these commands: `tell` says whether it was reached.
pub(crate) async fn at_each_step(
    ends: impl Iterator<Item = (&'static str, usize)>,
    begin: impl AsyncFn(usize) -> Beginning,
    tell: impl AsyncFn(&Beginning, &str) -> bool,
) {
    let mut of_commands: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (step, command) in ends {
        of_commands.entry(command).or_default().push(step);
    }
    join_all(of_commands.iter().map(async |(command, steps)| {
        let beginning = begin(*command).await;
        join_all(steps.iter().map(async |step| {
            let what = beginning.what(step);
            assert!(tell(&beginning, step).await, "{what} is not reached");
        }))
        .await;
    }))
    .await;
}

/// Before a commit, and after it.
pub(crate) const AROUND_COMMITS: &[&str] = &["store-commit-due", "store-committed"];

/// Has a story told with an end at each of these steps of each commit of these commands, from the `first` on.
pub(crate) async fn at_each_commit(
    commands: &[usize],
    (steps, first): (&[&str], u32),
    begin: impl AsyncFn(usize) -> Beginning,
    tell: impl AsyncFn(&Beginning, &str) -> bool,
) {
    join_all(commands.iter().map(async |command| {
        let beginning = begin(*command).await;
        for step in steps {
            let mut nth = first;
            while tell(&beginning, &format!("{step}:{nth}")).await {
                nth += 1;
            }
            assert!(nth > first, "{} is not reached", beginning.what(step));
        }
    }))
    .await;
}
