//! A schedule: what people do and what befalls them, drawn from a seed alone. What came of it changes nothing in it.

use std::path::Path;

use protocol::api::path;

use crate::dice::Dice;
use crate::line::Fault;
use crate::process::steps_in;

/// How many people have a phone.
pub(crate) const PEOPLE: usize = 4;

/// Requests that something can befall.
const REQUESTS: [&str; 11] = [
    path::CHALLENGES,
    path::TOKENS,
    path::KEYS,
    path::IDENTITIES,
    path::PREKEYS,
    path::DEPOSITS,
    path::REWRAPS,
    path::ARCHIVES,
    path::WITHDRAWALS,
    path::SEQUENCE,
    path::ACKNOWLEDGEMENTS,
];

/// What one step of a schedule is.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Somebody does something with their phone, and something may befall it.
    Does(Doing, Trouble),
    /// A phone's clock is ahead by so many days from now on.
    Clock { who: usize, days: i64 },
    /// The relay ends, in order or by `kill -9`, and is started again.
    Restart { is_killed: bool },
    /// A phone is lost. The next that its owner does is to take the account over on another.
    Lose { who: usize },
    /// The phone that was lost is switched on again.
    Find { who: usize },
    /// A stranger uses up prekeys.
    Drain { of: usize, count: u64 },
}

/// Who does what.
#[derive(Clone, Debug)]
pub(crate) struct Doing {
    pub(crate) who: usize,
    pub(crate) what: What,
}

/// What somebody does.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Exchange,
    /// To people, by their places; `nobody` adds somebody who has no device.
    Send {
        subject: String,
        to: Vec<usize>,
        nobody: bool,
        size: u64,
    },
    /// Read, handled, archived or deleted.
    Mark(&'static str, String),
    Withdraw(String),
    Keep(String),
}

/// What befalls a command.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    None,
    /// The phone ends at a step.
    PhoneEnds(String),
    /// The relay ends at a step.
    RelayEnds(String),
    /// The relay is killed when it is asked for this.
    RelayKilled(&'static str),
    /// Requests, or replies to them, are lost or cut.
    Cut(Vec<(&'static str, Fault)>),
    /// A request is not answered until the phone is killed, and arrives nevertheless.
    HalfOpen(&'static str),
    /// A request is slow: something else is done, whole, before it arrives.
    Slow(&'static str, Box<Doing>),
}

/// A schedule, step by step.
pub(crate) struct Schedule {
    dice: Dice,
    phone_steps: Vec<String>,
    relay_steps: Vec<String>,
    sent: Vec<(usize, String, Vec<usize>)>,
    next: u32,
}

impl Schedule {
    pub(crate) fn of(seed: u64) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Self {
            dice: Dice(seed),
            phone_steps: steps_in(&root.join("core/src")),
            relay_steps: steps_in(&root.join("backend/src")),
            sent: Vec::new(),
            next: 0,
        }
    }

    fn does(&mut self) -> Doing {
        let who = self.dice.place(PEOPLE);
        let what = match self.dice.roll(100) {
            0..48 => What::Exchange,
            48..72 => self.send(who),
            72..76 => What::Keep(self.subject("Brouillon")),
            76..82 => self.withdraw(who).unwrap_or(What::Exchange),
            roll => {
                let word = match roll {
                    82..88 => "read",
                    88..92 => "handle",
                    92..94 => "archive",
                    _ => "delete",
                };
                self.mark(who, word).unwrap_or(What::Exchange)
            }
        };
        Doing { who, what }
    }

    fn subject(&self, word: &str) -> String {
        format!("{word} {}", self.next)
    }

    fn send(&mut self, who: usize) -> What {
        let count = self.dice.pick(&[1, 1, 1, 2, 3]);
        let mut to: Vec<usize> = (0..PEOPLE).filter(|other| *other != who).collect();
        while to.len() > count {
            to.remove(self.dice.place(to.len()));
        }
        let subject = self.subject("Mail");
        self.sent.push((who, subject.clone(), to.clone()));
        What::Send {
            subject,
            to,
            nobody: self.dice.roll(12) == 0,
            size: self.dice.pick(&[20, 100, 3_000, 20_000, 60_000]),
        }
    }

    fn withdraw(&mut self, who: usize) -> Option<What> {
        let own = self.sent.iter().filter(|(sender, ..)| *sender == who);
        let subjects: Vec<_> = own.map(|(_, subject, _)| subject.clone()).collect();
        self.recent(&subjects).map(What::Withdraw)
    }

    fn mark(&mut self, who: usize, word: &'static str) -> Option<What> {
        let theirs = self.sent.iter().filter(|(.., to)| to.contains(&who));
        let subjects: Vec<_> = theirs.map(|(_, subject, _)| subject.clone()).collect();
        self.recent(&subjects).map(|subject| What::Mark(word, subject))
    }

    /// One of the last few.
    fn recent(&mut self, subjects: &[String]) -> Option<String> {
        let first = subjects.len().saturating_sub(6);
        let last = &subjects[first..];
        (!last.is_empty()).then(|| self.dice.pick(last))
    }

    fn trouble(&mut self, doing: &Doing) -> Trouble {
        if self.dice.roll(100) < 50 {
            return Trouble::None;
        }
        if !matches!(doing.what, What::Exchange) {
            let step = self
                .dice
                .pick(&["store-commit-due", "store-committed", "mail-queued", "mail-deleted"]);
            return Trouble::PhoneEnds(step.to_owned());
        }
        match self.dice.roll(100) {
            0..30 => Trouble::PhoneEnds(self.step(true)),
            30..45 => Trouble::RelayEnds(self.step(false)),
            45..55 => Trouble::RelayKilled(self.dice.pick(&REQUESTS)),
            55..75 => {
                let count = self.dice.roll(3) + 1;
                Trouble::Cut((0..count).map(|_| self.cut()).collect())
            }
            75..85 => Trouble::HalfOpen(self.dice.pick(&REQUESTS)),
            _ => {
                let request = self.dice.pick(&REQUESTS);
                Trouble::Slow(request, Box::new(self.does()))
            }
        }
    }

    /// A step and the how manieth time it is come to.
    fn step(&mut self, of_phone: bool) -> String {
        let commits = self.dice.pick(&[false, false, true]);
        let steps = if of_phone { &self.phone_steps } else { &self.relay_steps };
        let is_commit = |step: &&String| step.contains("commit");
        let among: Vec<_> = steps.iter().filter(|step| is_commit(step) == commits).collect();
        let step = self.dice.pick(&among);
        let times = if commits { 10 } else { 2 };
        format!("{step}:{}", self.dice.roll(times) + 1)
    }

    fn cut(&mut self) -> (&'static str, Fault) {
        let fault = [
            Fault::RequestLost,
            Fault::ReplyLost,
            Fault::ReplyLost,
            Fault::Page,
            Fault::ReplyCut,
        ];
        (self.dice.pick(&REQUESTS), self.dice.pick(&fault))
    }
}

impl Iterator for Schedule {
    type Item = Act;

    /// It has no end of its own.
    fn next(&mut self) -> Option<Act> {
        self.next += 1;
        let who = self.dice.place(PEOPLE);
        let act = match self.dice.roll(100) {
            0..5 => {
                let days = if self.dice.roll(4) > 0 {
                    self.dice.pick(&[-3, -2, -1, 0, 0, 1, 2, 3])
                } else {
                    self.dice.pick(&[-400, -100, -40, 40, 100, 400])
                };
                Act::Clock { who, days }
            }
            5..8 => Act::Restart {
                is_killed: self.dice.roll(2) == 0,
            },
            8..11 => Act::Lose { who },
            11..13 => Act::Find { who },
            13..16 => Act::Drain {
                of: who,
                count: self.dice.pick(&[1, 20, 75, 105]),
            },
            _ => {
                let doing = self.does();
                let trouble = self.trouble(&doing);
                Act::Does(doing, trouble)
            }
        };
        Some(act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_schedule_and_another_seed_another() {
        let first = |seed| format!("{:?}", Schedule::of(seed).take(200).collect::<Vec<_>>());
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
