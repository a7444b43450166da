//! The score: what was accepted and what each device showed, against what the devices show now.
//! What is wrong is said as text, and ends the schedule.

use std::collections::{BTreeMap, BTreeSet};

use pli_core::DeliveryState;

use super::schedule::PEOPLE;
use super::shown::Shown;

/// A mail that was accepted: from whom to whom.
struct Mail {
    subject: String,
    from: usize,
    to: Vec<usize>,
    nobody: bool,
    /// The device that accepted it is gone or was put back to before that, and no other one and no backup is known to have it.
    is_lost: bool,
    /// Who had it when the relay was put back, which may not know that any more: it can be taken back nevertheless.
    had: BTreeSet<usize>,
    /// From whom it was taken back. A relay that was put back to before that has it again, and hands it to nobody who had its place.
    taken_back: BTreeSet<usize>,
}

/// What is known of one device.
#[derive(Clone, Default)]
pub(crate) struct Device {
    /// What it showed last.
    last: Shown,
    /// What was deleted from it.
    gone: BTreeSet<String>,
}

/// What is known of one person.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each of them comes and goes by itself")]
struct Person {
    /// By their folders.
    devices: BTreeMap<String, Device>,
    /// What the device with the backup showed after its last sync that ended well: the backup has all of it.
    kept: Device,
    has_backup: bool,
    /// The same when the relay was copied.
    copied: (Device, bool),
    /// What a backup held when a phone was to take it in.
    owed: Shown,
    is_restored: bool,
    deleted: BTreeSet<String>,
    /// Deleted on a device that is gone or was put back, and may not have told anybody.
    unsure: BTreeSet<String>,
    /// Received between the backup and the loss of a phone: it may be there or not.
    open: BTreeSet<String>,
    was_lost: bool,
    /// The identity that this person has does not follow the one before it: what was sealed to that one, or signed by it, may be
    /// opened by nobody any more.
    is_forked: bool,
}

/// What was accepted, and what became of it.
pub(crate) struct Score {
    addresses: [String; PEOPLE],
    nobody: String,
    mails: Vec<Mail>,
    people: [Person; PEOPLE],
}

impl Score {
    pub(crate) fn new(addresses: [String; PEOPLE], nobody: String) -> Self {
        Self {
            addresses,
            nobody,
            mails: Vec::new(),
            people: std::array::from_fn(|_| Person {
                is_restored: true,
                ..Person::default()
            }),
        }
    }

    /// `send` accepted it.
    pub(crate) fn accepted(&mut self, from: usize, subject: &str, to: &[usize], nobody: bool) {
        self.mails.push(Mail {
            subject: subject.to_owned(),
            from,
            to: to.to_vec(),
            nobody,
            is_lost: false,
            had: BTreeSet::new(),
            taken_back: BTreeSet::new(),
        });
    }

    /// This device shows this after somebody may have deleted `deleting` on it. Nothing else goes away.
    pub(crate) fn saw(&mut self, who: usize, home: &str, shown: Shown, deleting: Option<&str>) -> Result<(), String> {
        let person = &mut self.people[who];
        let device = person.devices.entry(home.to_owned()).or_default();
        for subject in device.last.received.keys() {
            if shown.received.contains_key(subject) {
                continue;
            }
            let is_deleted = deleting == Some(subject) || person.unsure.contains(subject);
            if !is_deleted && !person.deleted.contains(subject) {
                return Err(format!("{subject:?} is gone from a device that had it"));
            }
            person.deleted.insert(subject.clone());
            device.gone.insert(subject.clone());
        }
        if let Some(subject) = shown.received.keys().find(|subject| device.gone.contains(*subject)) {
            return Err(format!("{subject:?} is back after it was deleted"));
        }
        let mut sent = device.last.sent.keys();
        if let Some(subject) = sent.find(|subject| !shown.sent.contains_key(*subject)) {
            return Err(format!("{subject:?} is not among the sent mails any more"));
        }
        if let Some(subject) = device.last.drafts.difference(&shown.drafts).next() {
            return Err(format!("{subject:?} is not among the drafts any more"));
        }
        for mail in self.mails.iter_mut().filter(|mail| mail.from == who) {
            let Some(states) = shown.sent.get(&mail.subject) else {
                continue;
            };
            let withdrawn = |to: &&usize| states.get(&self.addresses[**to]) == Some(&DeliveryState::Withdrawn);
            mail.taken_back.extend(mail.to.iter().filter(withdrawn));
        }
        person.open.retain(|subject| !shown.received.contains_key(subject));
        device.last = shown;
        Ok(())
    }

    /// What this device shows is in the backup.
    pub(crate) fn backed_up(&mut self, who: usize, home: &str) {
        let person = &mut self.people[who];
        let Some(device) = person.devices.get(home) else { return };
        person.kept.last = device.last.clone();
        person.kept.gone.extend(device.gone.iter().cloned());
        person.is_restored = true;
        person.has_backup = true;
    }

    /// Whether the relay has a backup.
    pub(crate) fn has_backup(&self, who: usize) -> bool {
        self.people[who].has_backup
    }

    /// A device is gone, and the account goes on without it.
    pub(crate) fn gone(&mut self, who: usize, home: &str) {
        self.drop_device(who, home, &Device::default());
    }

    /// A device is gone, and with it what the backup has not.
    pub(crate) fn lost(&mut self, who: usize, home: &str) {
        let kept = self.people[who].kept.clone();
        let device = self.drop_device(who, home, &kept);
        let received = device.last.received.keys();
        let not_kept = received.filter(|subject| !kept.last.received.contains_key(*subject));
        let mut open: Vec<String> = not_kept.cloned().collect();
        // What it kept sealed nobody can name. Of a sender from whom the backup has less, it is among what came nowhere.
        for mail in self.mails.iter().filter(|mail| mail.to.contains(&who)) {
            let sender = &self.addresses[mail.from];
            let sealed = |shown: &Shown| shown.unopened.iter().filter(|(of, _)| of == sender).count();
            let devices = &self.people[who].devices;
            if sealed(&device.last) > sealed(&kept.last)
                && !devices
                    .values()
                    .any(|other| other.last.received.contains_key(&mail.subject))
            {
                open.push(mail.subject.clone());
            }
        }
        self.people[who].open.extend(open);
    }

    /// The account was taken over on this device; what others showed counts no more.
    pub(crate) fn recovered(&mut self, who: usize, home: &str) {
        let others: Vec<String> = self.people[who].devices.keys().cloned().collect();
        for other in others.iter().filter(|other| *other != home) {
            self.lost(who, other);
        }
        let person = &mut self.people[who];
        person.owed = person.kept.last.clone();
        person.is_restored = false;
    }

    /// The account goes on from an earlier identity: what was sealed to the one after that names another recipient.
    pub(crate) fn forked(&mut self, who: usize) {
        self.people[who].is_forked = true;
    }

    /// Whether this device was one of the account's.
    pub(crate) fn knows(&self, who: usize, home: &str) -> bool {
        self.people[who].devices.contains_key(home)
    }

    /// What was known of a device, when it is copied.
    pub(crate) fn device(&self, who: usize, home: &str) -> Device {
        self.people[who].devices.get(home).cloned().unwrap_or_default()
    }

    /// A device goes on from its copy: it is as if what it did since had been done on a device that is lost.
    pub(crate) fn put_back(&mut self, who: usize, home: &str, copy: Device) {
        let device = self.drop_device(who, home, &copy);
        let person = &mut self.people[who];
        let received = device.last.received.into_keys();
        person.open.extend(received.filter(|subject| {
            !copy.last.received.contains_key(subject) && !person.kept.last.received.contains_key(subject)
        }));
        person.devices.insert(home.to_owned(), copy);
    }

    /// The relay was copied, and with it the backups.
    pub(crate) fn relay_copied(&mut self) {
        for person in &mut self.people {
            person.copied = (person.kept.clone(), person.has_backup);
        }
    }

    /// The relay goes on from its copy. What a device shows it gives back; what only a later backup held, nobody has.
    pub(crate) fn relay_put_back(&mut self) {
        for who in 0..PEOPLE {
            for mail in self.mails.iter_mut().filter(|mail| mail.to.contains(&who)) {
                let mut devices = self.people[who].devices.values();
                if devices.any(|device| device.last.received.contains_key(&mail.subject)) {
                    mail.had.insert(who);
                }
            }
            let (copied, had_backup) = self.people[who].copied.clone();
            let later = Device {
                last: self.people[who].kept.last.clone(),
                gone: self.people[who].kept.gone.clone(),
            };
            if !self.people[who].is_restored {
                self.people[who].owed = copied.last.clone();
            }
            self.people[who].kept = copied.clone();
            self.people[who].has_backup = had_backup;
            self.forget(who, &later, &copied);
            let received = later.last.received.into_keys();
            let person = &mut self.people[who];
            person.open.extend(received.filter(|subject| {
                let mut devices = person.devices.values();
                !copied.last.received.contains_key(subject)
                    && !devices.any(|device| device.last.received.contains_key(subject))
            }));
        }
    }

    /// What of this person shows on no device and not in `kept` either, is lost.
    fn drop_device(&mut self, who: usize, home: &str, kept: &Device) -> Device {
        let device = self.people[who].devices.remove(home).unwrap_or_default();
        self.people[who].was_lost = true;
        self.forget(who, &device, kept);
        device
    }

    /// What was sent from or deleted on this device, and neither on one that is there nor by what is kept, may not be so any more.
    fn forget(&mut self, who: usize, device: &Device, kept: &Device) {
        let person = &mut self.people[who];
        for mail in self.mails.iter_mut().filter(|mail| mail.from == who) {
            let is_in = |shown: &Shown| shown.sent.contains_key(&mail.subject);
            if is_in(&device.last) && !is_in(&kept.last) && !person.devices.values().any(|other| is_in(&other.last)) {
                mail.is_lost = true;
            }
        }
        for subject in &device.gone {
            let mut known = person.devices.values().chain([kept]);
            if !known.any(|other| other.gone.contains(subject)) {
                person.deleted.remove(subject);
                person.unsure.insert(subject.clone());
            }
        }
    }

    /// Everybody is back, the line is honest, nothing moves any more: what has to hold then.
    pub(crate) fn settled(&self) -> Result<(), String> {
        for who in 0..PEOPLE {
            self.devices_agree(who)?;
        }
        for mail in &self.mails {
            for to in &mail.to {
                self.settled_with(mail, *to)?;
            }
            let state = self.state(mail, &self.nobody);
            if mail.nobody && state.is_some_and(|state| state < DeliveryState::Unreachable) {
                return Err(format!("{:?} reached nobody and is {state:?}", mail.subject));
            }
        }
        for who in 0..PEOPLE {
            self.backup_held(who)?;
            for device in self.people[who].devices.values() {
                self.nothing_is_sealed(who, &device.last)?;
            }
        }
        Ok(())
    }

    fn devices_agree(&self, who: usize) -> Result<(), String> {
        let first = self.shown(who);
        for (home, device) in &self.people[who].devices {
            if let Some(unlike) = first.unlike(&device.last) {
                return Err(format!("the devices of {who} differ: {unlike} ({home})"));
            }
        }
        Ok(())
    }

    /// What this person's devices show.
    fn shown(&self, who: usize) -> &Shown {
        &self.people[who].devices.values().next().unwrap().last
    }

    fn settled_with(&self, mail: &Mail, to: usize) -> Result<(), String> {
        let (sender, reader) = (&self.people[mail.from], &self.people[to]);
        let is_there = self.shown(to).received.contains_key(&mail.subject);
        let state = self.state(mail, &self.addresses[to]);
        let what = || format!("{:?} from {} to {to} ({state:?})", mail.subject, mail.from);
        if is_there && reader.deleted.contains(&mail.subject) {
            return Err(format!("{} was deleted and is there", what()));
        }
        let may_be_missing = [&reader.deleted, &reader.unsure, &reader.open];
        if !is_there && !may_be_missing.iter().any(|may| may.contains(&mail.subject)) {
            return match state {
                Some(state) if state >= DeliveryState::Unreachable => Ok(()),
                _ if mail.taken_back.contains(&to) || sender.is_forked || reader.is_forked => Ok(()),
                None if mail.is_lost => Ok(()),
                _ => Err(format!("{} did not come", what())),
            };
        }
        match state {
            None if !mail.is_lost => Err(format!("{} is not among the sent ones", what())),
            Some(DeliveryState::Withdrawn) if mail.had.contains(&to) => Ok(()),
            Some(DeliveryState::Withdrawn) if is_there => Err(format!("{} came though it was taken back", what())),
            Some(state)
                if !sender.was_lost
                    && !(DeliveryState::Retrieved..=DeliveryState::Handled).contains(&state)
                    && !reader.was_lost =>
            {
                Err(format!("{} came, and its sender does not hear of it", what()))
            }
            _ => Ok(()),
        }
    }

    fn state(&self, mail: &Mail, address: &str) -> Option<DeliveryState> {
        // One that never left is on the device where it was written alone.
        let mut devices = self.people[mail.from].devices.values();
        let states = devices.find_map(|device| device.last.sent.get(&mail.subject))?;
        states.get(address).copied()
    }

    /// What a phone was to take in of a backup is there.
    fn backup_held(&self, who: usize) -> Result<(), String> {
        let (person, shown) = (&self.people[who], self.shown(who));
        let owed = &person.owed;
        let may_be_missing = |subject: &String| person.deleted.contains(subject) || person.unsure.contains(subject);
        let received = (owed.received.keys()).filter(|subject| !shown.received.contains_key(*subject));
        let received = received.filter(|subject| !may_be_missing(subject));
        let sent = owed.sent.keys().filter(|subject| !shown.sent.contains_key(*subject));
        let drafts = owed.drafts.difference(&shown.drafts);
        match received.chain(sent).chain(drafts).next() {
            Some(subject) => Err(format!("{subject:?} was in the backup of {who} and is not there")),
            None => Ok(()),
        }
    }

    /// Nothing is kept sealed that its sender could have wrapped again.
    fn nothing_is_sealed(&self, who: usize, shown: &Shown) -> Result<(), String> {
        for (other, address) in self.addresses.iter().enumerate() {
            // What a device of one's own had sealed nobody wraps again once that is gone.
            if other == who && self.people[who].was_lost {
                continue;
            }
            let sealed: Vec<_> = (shown.unopened.iter())
                .filter(|(sender, _)| sender == address)
                .filter(|_| !self.people[who].is_forked && !self.people[other].is_forked)
                .collect();
            let cannot = self.mails.iter().filter(|mail| {
                mail.from == other
                    && mail.to.contains(&who)
                    && !shown.received.contains_key(&mail.subject)
                    && self.state(mail, &self.addresses[who]).is_none()
            });
            if sealed.len() > cannot.count() {
                return Err(format!("{who} keeps {sealed:?} of {other}, who has what is in them"));
            }
        }
        // The place of a mail that was taken back comes without it.
        let (emptied, others): (Vec<_>, Vec<_>) = (shown.unopened.iter())
            .filter(|(sender, _)| !self.addresses.contains(sender))
            .partition(|(_, reason)| *reason == "taken-back-or-dropped");
        let taken_back = self.mails.iter().filter(|mail| {
            mail.to.contains(&who)
                && (mail.taken_back.contains(&who)
                    || matches!(
                        self.state(mail, &self.addresses[who]),
                        None | Some(DeliveryState::Withdrawn)
                    ))
        });
        if emptied.len() > taken_back.count() {
            return Err(format!(
                "{} places came empty to {who}, of more than was taken back",
                emptied.len()
            ));
        }
        match others.first() {
            Some(kept) => Err(format!("{who} keeps {kept:?}")),
            None => Ok(()),
        }
    }
}
