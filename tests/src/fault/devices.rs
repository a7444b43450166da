//! Devices of an account come, go, change their roles, and are put back to earlier copies.

use super::person::Device;
use super::schedule::{Change, Trouble, What, Which};
use super::{ADDRESSES, World, score};

/// A copy of a device.
pub(super) struct Copy {
    who: usize,
    home: String,
    folder: String,
    shown: score::Device,
}

impl World {
    /// Changes somebody's devices by several commands, of which trouble befalls one; the first that fails ends it.
    pub(super) async fn changes(
        &mut self,
        who: usize,
        change: Change,
        trouble: Option<(usize, Trouble)>,
    ) -> Result<(), String> {
        let (at, trouble) = trouble.unwrap_or((0, Trouble::None));
        // A list is dated by the main device: a clock that is months behind would date it before what the removed one sent.
        let clock = &mut self.people[who].clock;
        *clock = (*clock).max(-3);
        let person = &self.people[who];
        if person.recovering.is_some() {
            return self.recovers(who, trouble).await;
        }
        let other = person.other();
        // A role that is being handed over arrives before anything else changes.
        let change = if person.is_handing_over {
            Change::HandOver
        } else {
            change
        };
        let is_linked = other.as_ref().is_some_and(|other| other.is_linked);
        match (change, other) {
            (Change::HandOver, Some(other)) if is_linked => self.hands_over(who, &other.home, at, trouble).await,
            (Change::Link, other) if !is_linked => {
                let home = other.map_or_else(|| self.new_home(), |other| other.home);
                self.links(who, &home, at, trouble).await
            }
            (Change::Remove, other) => self.removes(who, other, at, trouble).await,
            _ => {
                let home = self.people[who].main.clone();
                self.is_done(who, &home, &["exchange"], trouble).await.map(drop)
            }
        }
    }

    /// Runs one command of several; whether it did what it was to do.
    async fn is_done(&mut self, who: usize, home: &str, words: &[&str], trouble: Trouble) -> Result<bool, String> {
        let owned: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (end, _) = self.tried(who, home, &owned, trouble).await;
        let is_done = end.status.success();
        let what = if words == ["exchange"] {
            What::Exchange
        } else {
            What::Change(Change::Link, 0)
        };
        if self.people[who].is_linked(home) {
            self.came_of(who, home, &what, &end)?;
        } else {
            self.log(format!("  {home}: {end:?}"));
        }
        Ok(is_done && self.people[who].recovering.is_none())
    }

    async fn links(&mut self, who: usize, home: &str, at: usize, trouble: Trouble) -> Result<(), String> {
        if self.people[who].other().is_none() {
            self.people[who].devices.push(Device {
                home: home.to_owned(),
                is_linked: false,
            });
        }
        let main = self.people[who].main.clone();
        let mut troubles = befalls(at, trouble);
        let mut next = || troubles.next().unwrap_or(Trouble::None);
        // It shows its code first: the device that it was is none of its business from then on.
        let is_shown = self.is_done(who, home, &["show-code", ADDRESSES[who]], next()).await?;
        if !is_shown || !self.tidies(who).await? {
            return Ok(());
        }
        // An earlier attempt may have come further than anybody heard.
        let is_confirmed = self.is_done(who, &main, &["confirm-code"], next()).await?;
        if is_confirmed && !self.is_done(who, &main, &["exchange"], next()).await? {
            return Ok(());
        }
        if self.is_done(who, home, &["finish-link"], next()).await? {
            // A device that was put back keeps its mail.
            self.happens(if self.score.knows(who, home) {
                "link-again"
            } else {
                "link"
            });
            for device in self.people[who].devices.iter_mut().filter(|device| device.home == home) {
                device.is_linked = true;
            }
        }
        Ok(())
    }

    async fn hands_over(&mut self, who: usize, to: &str, at: usize, trouble: Trouble) -> Result<(), String> {
        let main = self.people[who].main.clone();
        let mut troubles = befalls(at, trouble);
        let mut next = || troubles.next().unwrap_or(Trouble::None);
        if !self.is_done(who, to, &["show-main-code"], next()).await? {
            return Ok(());
        }
        self.people[who].is_handing_over = true;
        // It may have been answered before.
        self.is_done(who, &main, &["hand-over"], next()).await?;
        if self.people[who]
            .other()
            .is_none_or(|other| other.home != to || !other.is_linked)
        {
            return Ok(());
        }
        if self.is_done(who, to, &["finish-handover"], next()).await? {
            let person = &mut self.people[who];
            to.clone_into(&mut person.main);
            // The backup goes over with the role.
            if person.with_backup.as_deref() == Some(&main) {
                person.with_backup = Some(to.to_owned());
            }
            if self.is_done(who, &main, &["exchange"], next()).await? {
                self.happens("hand-over");
                self.copy.take_if(|copy| copy.who == who);
                self.people[who].is_handing_over = false;
            }
        } else {
            // A relay that was put back may not know the other one before the main one has told it.
            self.is_done(who, &main, &["exchange"], Trouble::None).await?;
        }
        Ok(())
    }

    async fn removes(&mut self, who: usize, other: Option<Device>, at: usize, trouble: Trouble) -> Result<(), String> {
        let mut troubles = befalls(at, trouble);
        let mut next = || troubles.next().unwrap_or(Trouble::None);
        let main = self.people[who].main.clone();
        if let Some(other) = other {
            self.people[who].leaves(&other.home);
            self.score.gone(who, &other.home);
            if other.is_linked {
                self.happens("remove");
                self.people[who].may_find(other.home);
            }
            self.is_done(who, &main, &["remove-others"], next()).await?;
        }
        if self.tidies(who).await? {
            self.is_done(who, &main, &["exchange"], next()).await?;
        }
        Ok(())
    }

    /// The main device takes off the list what is no device any more, and keeps the backup if nobody does.
    async fn tidies(&mut self, who: usize) -> Result<bool, String> {
        let main = self.people[who].main.clone();
        if self.people[who].is_list_stale {
            if !self.is_done(who, &main, &["remove-others"], Trouble::None).await? {
                return Ok(false);
            }
            self.people[who].is_list_stale = false;
        }
        if self.people[who].with_backup.is_none() {
            if !self
                .is_done(who, &main, &["back-up", ADDRESSES[who]], Trouble::None)
                .await?
            {
                return Ok(false);
            }
            self.forget_copy(&main);
            self.people[who].with_backup = Some(main);
        }
        Ok(true)
    }

    /// Takes the account over by the phrase.
    pub(super) async fn recovers(&mut self, who: usize, trouble: Trouble) -> Result<(), String> {
        let Some(home) = self.people[who].recovering.clone() else {
            return Ok(());
        };
        self.people[who].has_tried = true;
        let words = ["recover".to_owned(), ADDRESSES[who].to_owned()];
        let (end, _) = self.tried(who, &home, &words, trouble).await;
        self.log(format!("  {home}: {end:?}"));
        if end.status.success() {
            let is_in_place = self.people[who].devices.iter().any(|device| device.home == home);
            self.happens(if is_in_place { "recover-in-place" } else { "recover" });
            self.has_recovered[who] = true;
            let has_backup = self.score.has_backup(who);
            self.people[who].recovered(has_backup);
            self.score.recovered(who, &home);
        }
        Ok(())
    }

    pub(super) fn lose(&mut self, who: usize, device: Which) {
        let new = self.new_home();
        let Some(home) = self.home(who, device) else {
            // One that has not even taken the account over is not worth being found.
            self.people[who].recovering = Some(new);
            return;
        };
        self.forget_copy(&home);
        let person = &mut self.people[who];
        let is_main = person.main == home || person.is_handing_over;
        person.leaves(&home);
        person.may_find(home.clone());
        if person.recovering.is_none() && !is_main {
            self.happens("lose-second");
            self.score.gone(who, &home);
            return;
        }
        person.recovering.get_or_insert(new);
        self.happens("lose-main");
        self.may_fork(who);
        self.score.lost(who, &home);
    }

    /// A device that was lost, and whose account has a list without it by now, hears so and erases itself.
    pub(super) async fn find(&mut self, who: usize) -> Result<(), String> {
        let person = &mut self.people[who];
        if !person.is_known || person.recovering.is_some() {
            return Ok(());
        }
        let Some(home) = person.lost.pop() else {
            return Ok(());
        };
        self.happens("find");
        let end = self.run(who, &home, &["exchange".to_owned()], None).await;
        self.log(format!("  it said: {}", end.said.trim()));
        if self.outside.home(&home).join("store.db").exists() {
            return Err("a device that was removed from its account kept its store".to_owned());
        }
        Ok(())
    }

    pub(super) fn copy_device(&mut self, who: usize, device: Which) {
        let Some(home) = self.home(who, device).filter(|_| self.people[who].recovering.is_none()) else {
            return;
        };
        let folder = self.new_home();
        self.outside.copy(&home, &folder);
        let shown = self.score.device(who, &home);
        self.copy = Some(Copy {
            who,
            home,
            folder,
            shown,
        });
    }

    pub(super) fn put_device_back(&mut self) -> Result<(), String> {
        let Some(Copy {
            who,
            home,
            folder,
            shown,
        }) = self.copy.take()
        else {
            return Ok(());
        };
        if !self.people[who].is_linked(&home) || self.people[who].recovering.is_some() {
            return Ok(());
        }
        self.outside.put_back(&folder, &home);
        self.happens("put-device-back");
        self.score.put_back(who, &home, shown);
        self.note(who, &home, &What::Exchange, false)
    }

    /// A device says that it was put back: it goes on by the phrase, or as another one that the main one adds.
    pub(super) fn is_put_back(&mut self, who: usize, home: &str) -> Result<(), String> {
        self.note(who, home, &What::Exchange, false)?;
        self.happens("told-put-back");
        let person = &mut self.people[who];
        if person.recovering.is_none() && (person.main == home || person.is_handing_over) {
            person.recovering = Some(home.to_owned());
        }
        person.unlinked(home);
        self.may_fork(who);
        Ok(())
    }

    /// The relay goes on from an earlier copy. A lost device that was added after that never hears of its end, as nobody's list
    /// says that it ever was; and no device is put back to a time which neither it nor the relay remembers.
    pub(super) fn relay_put_back(&mut self) {
        self.happens("put-relay-back");
        self.is_relay_copied = false;
        self.copy = None;
        self.score.relay_put_back();
        let recovered = std::mem::take(&mut self.has_recovered);
        for (who, person) in self.people.iter_mut().enumerate() {
            // It is lost until the main device is in touch.
            self.is_line_lost[who] = recovered[who] || (self.is_line_lost[who] && person.is_relay_behind);
            person.lost.clear();
            person.is_relay_behind = true;
            person.is_forked |= self.is_line_lost[who] && person.recovering.is_some();
        }
    }

    /// Whoever takes this account over next learns from the relay whom to follow.
    fn may_fork(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.is_forked |= person.recovering.is_some() && person.is_relay_behind && self.is_line_lost[who];
    }

    fn forget_copy(&mut self, home: &str) {
        self.copy.take_if(|copy| copy.home == home);
    }
}

/// What befalls each of several commands.
fn befalls(at: usize, trouble: Trouble) -> impl Iterator<Item = Trouble> {
    (0..at).map(|_| Trouble::None).chain([trouble])
}
