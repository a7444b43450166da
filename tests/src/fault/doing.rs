//! People do something with a device, trouble befalls it, and what the device shows afterwards is noted.

use super::schedule::{Doing, Trouble, What, Which};
use super::shown::Shown;
use super::{ADDRESSES, World};
use crate::place::UNREACHABLE;
use crate::process::End;

/// What happens while a request is held up.
enum Meanwhile {
    RelayKilled,
    PhoneKilled,
    Does(Doing),
}

/// How a command ended, and what was done meanwhile and where, and how that ended.
pub(super) type Tried = (End, Option<(Doing, String, End)>);

impl World {
    /// What is done is tried once: who is to take the account over does that instead.
    pub(super) async fn does(&mut self, doing: &Doing, trouble: Trouble) -> Result<(), String> {
        if let What::Change(change, at) = doing.what {
            return self.changes(doing.who, change, Some((at, trouble))).await;
        }
        let is_with_other = doing.device == Which::Second;
        let home = self
            .home(doing.who, doing.device)
            .filter(|_| is_with_other || self.people[doing.who].recovering.is_none());
        let Some(home) = home else {
            return self.recovers(doing.who, trouble).await;
        };
        if self.people[doing.who].main != home {
            self.happens("second-device");
        }
        let words = words(&doing.what);
        let (end, meanwhile) = self.tried(doing.who, &home, &words, trouble).await;
        let Some((other, other_home, said)) = meanwhile else {
            return self.came_of(doing.who, &home, &doing.what, &end);
        };
        self.log(format!("  meanwhile {said:?}"));
        if other_home == home {
            self.log(format!("  {end:?}"));
            // Which of the two was over last is not known: none says that the backup has all of it.
            return self.note(other.who, &home, &other.what, said.status.success());
        }
        self.came_of(other.who, &other_home, &other.what, &said)?;
        self.came_of(doing.who, &home, &doing.what, &end)
    }

    /// Runs a command, and trouble befalls it.
    pub(super) async fn tried(&mut self, who: usize, home: &str, words: &[String], trouble: Trouble) -> Tried {
        let end = match trouble {
            Trouble::None => self.run(who, home, words, None).await,
            Trouble::PhoneEnds(step) => {
                let end = self.run(who, home, words, Some(&step)).await;
                if end.crashed() {
                    self.happens("phone-ends");
                }
                end
            }
            Trouble::RelayEnds(step) => {
                self.outside.stop_relay();
                self.outside.start_relay(Some(&step));
                let end = self.run(who, home, words, None).await;
                if self.outside.relay_crashed() {
                    self.happens("relay-ends");
                    self.log("  the relay ended there".to_owned());
                }
                self.outside.start_relay(None);
                end
            }
            Trouble::Cut(faults) => {
                for (path, fault) in faults {
                    self.outside.line.fail_next(path, fault);
                }
                let end = self.run(who, home, words, None).await;
                if !end.status.success() {
                    self.happens("cut");
                }
                self.outside.line.calm();
                end
            }
            Trouble::RelayKilled(path) => return self.held(who, home, words, path, Meanwhile::RelayKilled).await,
            Trouble::HalfOpen(path) => return self.held(who, home, words, path, Meanwhile::PhoneKilled).await,
            Trouble::Slow(path, other) => return self.held(who, home, words, path, Meanwhile::Does(*other)).await,
        };
        (end, None)
    }

    /// Does something while a request of this command is held up.
    async fn held(
        &mut self,
        who: usize,
        home: &str,
        words: &[String],
        path: &'static str,
        meanwhile: Meanwhile,
    ) -> Tried {
        let gate = self.outside.line.hold_next(path);
        self.prepare(who);
        let borrowed: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut started = self.outside.start(home, &borrowed, None);
        let is_held = tokio::select! {
            () = gate.reached() => true,
            () = started.over() => false,
        };
        self.outside.line.calm();
        let mut done = None;
        match meanwhile {
            _ if !is_held => {}
            Meanwhile::RelayKilled => {
                self.happens("relay-killed");
                self.outside.kill_relay();
                gate.open();
                gate.passed().await;
            }
            Meanwhile::PhoneKilled => {
                self.happens("half-open");
                started.kill().await;
                gate.open();
                gate.passed().await;
            }
            Meanwhile::Does(other) => {
                // Nobody takes an account over twice at once, or uses a phone that is not set up.
                let is_taking_over = [who, other.who].map(|who| self.people[who].recovering.is_some());
                if let Some(other_home) = self
                    .home(other.who, other.device)
                    .filter(|_| is_taking_over == [false; 2])
                {
                    self.happens("slow");
                    let end = self.run(other.who, &other_home, &self::words(&other.what), None).await;
                    done = Some((other, other_home, end));
                }
                gate.open();
            }
        }
        let end = started.end().await;
        self.log(format!("  held up: {is_held}"));
        if self.outside.is_relay_gone() {
            self.outside.start_relay(None);
        }
        (end, done)
    }

    /// What a command that has ended changed on its device.
    pub(super) fn came_of(&mut self, who: usize, home: &str, what: &What, end: &End) -> Result<(), String> {
        self.log(format!("  {home}: {end:?}"));
        if end.said.contains("[device-put-back]") {
            return self.is_put_back(who, home);
        }
        let is_done = end.status.success();
        self.note(who, home, what, is_done)?;
        if !is_done || !matches!(what, What::Exchange) {
            return Ok(());
        }
        if end.told.contains("relay_put_back: true") {
            self.happens("relay-told-put-back");
        }
        let person = &mut self.people[who];
        person.is_relay_behind &= home != person.main || person.recovering.is_some();
        person.is_known |= home == person.main && !person.is_list_stale && person.recovering.is_none();
        if person.with_backup.as_deref() == Some(home) {
            self.score.backed_up(who, home);
        }
        Ok(())
    }

    /// Keeps the score of what a device shows.
    pub(super) fn note(&mut self, who: usize, home: &str, what: &What, is_done: bool) -> Result<(), String> {
        if !self.outside.home(home).join("store.db").exists() {
            let person = &mut self.people[who];
            // Whether a list went out that leaves it out is not known.
            if !person.has_tried {
                return Err(format!("a device of {who} erased itself"));
            }
            person.leaves(home);
            self.score.lost(who, home);
            return Ok(());
        }
        let shown = Shown::by(&self.outside.phone(home))?;
        self.log(format!("  {home} of {who} shows {}", shown.sum()));
        let mut deleting = None;
        let is_kept = match what {
            What::Send {
                subject, to, nobody, ..
            } => {
                let is_there = shown.sent.contains_key(subject);
                if is_there {
                    self.happens("send");
                    self.score.accepted(who, subject, to, *nobody);
                }
                is_there
            }
            What::Keep(subject) => {
                if is_done {
                    self.happens("keep");
                }
                shown.drafts.contains(subject)
            }
            What::Mark(word, subject) => {
                if is_done {
                    self.happens(word);
                }
                deleting = Some(subject.as_str()).filter(|_| *word == "delete");
                true
            }
            What::Withdraw(_) => {
                if is_done {
                    self.happens("withdraw");
                }
                true
            }
            What::Exchange | What::Change(..) => true,
        };
        if is_done && !is_kept {
            return Err("it was accepted and is not there".to_owned());
        }
        self.score.saw(who, home, shown, deleting)
    }
}

/// The command by which somebody does this.
pub(super) fn words(what: &What) -> Vec<String> {
    let words: Vec<&str> = match what {
        What::Exchange | What::Change(..) => vec!["exchange"],
        What::Send {
            subject,
            to,
            nobody,
            size,
        } => {
            let to = to.iter().map(|to| ADDRESSES[*to]).chain(nobody.then_some(UNREACHABLE));
            let to = to.collect::<Vec<_>>().join(",");
            return ["send".to_owned(), to, subject.clone(), size.to_string()].into();
        }
        What::Mark(word, subject) => vec![word, subject],
        What::Withdraw(subject) => vec!["withdraw", subject],
        What::Keep(subject) => vec!["keep", UNREACHABLE, subject],
    };
    words.into_iter().map(str::to_owned).collect()
}
