//! A schedule: what people do and what befalls them, drawn from a seed alone. What came of it changes nothing in it.

use std::path::Path;

use protocol::api::path;

use crate::dice::Dice;
use crate::line::Fault;
use crate::process::steps_in;

/// How many people there are.
pub(crate) const PEOPLE: usize = 4;

/// How many of them have a second device now and then.
const WITH_SECOND: usize = 2;

/// Requests that something can befall.
const REQUESTS: [&str; 13] = [
    path::CHALLENGES,
    path::TOKENS,
    path::KEYS,
    path::IDENTITIES,
    path::LISTS,
    path::LINKS,
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
    /// The clocks of somebody's devices are ahead by so many days from now on.
    Clock { who: usize, days: i64 },
    /// The relay ends, in order or by `kill -9`, and is started again, its clock ahead by so many days.
    Restart { is_killed: bool, days: i64 },
    /// A device is lost. If it is the main one, the next that its owner does is to take the account over on another.
    Lose { who: usize, device: Which },
    /// The device that was lost or removed last is switched on again.
    Find { who: usize },
    /// The relay's folder is copied.
    CopyRelay,
    /// The relay ends and goes on from the copy of its folder.
    PutRelayBack { is_killed: bool },
    /// A device is copied, as a backup of the whole phone does.
    CopyDevice { who: usize, device: Which },
    /// That device goes on from its copy.
    PutDeviceBack,
    /// A stranger uses up prekeys.
    Drain { of: usize, count: u64 },
}

/// Which of somebody's devices; the first one stands for a second one that is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    First,
    Second,
}

/// Who does what.
#[derive(Clone, Debug)]
pub(crate) struct Doing {
    pub(crate) who: usize,
    pub(crate) device: Which,
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
    /// Changes the account's devices, which takes several commands. Trouble befalls the one at this place.
    Change(Change, usize),
}

/// How somebody's devices change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// A second device is added.
    Link,
    /// The one that is not the main one becomes it.
    HandOver,
    /// The main one removes the other.
    Remove,
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
        let (who, device) = self.device();
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
        Doing { who, device, what }
    }

    fn which(&mut self) -> Which {
        self.dice.pick(&[Which::First, Which::First, Which::Second])
    }

    /// One of somebody's devices.
    fn device(&mut self) -> (usize, Which) {
        let device = self.which();
        let among = if device == Which::Second { WITH_SECOND } else { PEOPLE };
        (self.dice.place(among), device)
    }

    fn changes(&mut self) -> Doing {
        use Change::{HandOver, Link, Remove};
        let change = self.dice.pick(&[Link, Link, Link, Link, HandOver, HandOver, Remove]);
        self.change(change)
    }

    fn change(&mut self, change: Change) -> Doing {
        Doing {
            who: self.dice.place(WITH_SECOND),
            device: Which::First,
            what: What::Change(change, self.dice.place(4)),
        }
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
        if !matches!(doing.what, What::Exchange | What::Change(..)) {
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
            _ if matches!(doing.what, What::Change(..)) => Trouble::Cut(vec![self.cut()]),
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
        if self.next == 1 && self.dice.roll(2) == 0 {
            return Some(Act::Does(self.change(Change::Link), Trouble::None));
        }
        let act = match self.dice.roll(100) {
            0..4 => {
                let days = if self.dice.roll(4) > 0 {
                    self.dice.pick(&[-3, -2, -1, 0, 0, 1, 2, 3])
                } else {
                    self.dice.pick(&[-400, -100, -40, 40, 100, 400])
                };
                Act::Clock { who, days }
            }
            4..8 => Act::Restart {
                is_killed: self.dice.roll(2) == 0,
                days: self.dice.pick(&[-1, 0, 0, 0, 1]),
            },
            8..11 => {
                let (who, device) = self.device();
                Act::Lose { who, device }
            }
            11..14 => Act::Find { who },
            14..16 => Act::Drain {
                of: who,
                count: self.dice.pick(&[1, 20, 75, 105]),
            },
            16..18 => Act::CopyRelay,
            18..20 => Act::PutRelayBack {
                is_killed: self.dice.roll(2) == 0,
            },
            20..22 => {
                let (among, device) = self.dice.pick(&[(PEOPLE, Which::First), (WITH_SECOND, Which::Second)]);
                Act::CopyDevice {
                    who: self.dice.place(among),
                    device,
                }
            }
            22..25 => Act::PutDeviceBack,
            roll => {
                let doing = if roll < 33 { self.changes() } else { self.does() };
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
