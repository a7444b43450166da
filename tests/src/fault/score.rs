//! The score: what was accepted and what each phone showed, against what the phones show now.
//! What is wrong is said as text, and ends the schedule.

use std::collections::{BTreeMap, BTreeSet};

use pli_core::{DeliveryState, Folder, Session};

use super::schedule::PEOPLE;

/// What a phone shows.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    received: BTreeSet<String>,
    /// Subject, and the state with each recipient.
    sent: BTreeMap<String, BTreeMap<String, DeliveryState>>,
    drafts: BTreeSet<String>,
    /// Why something is kept sealed, and whose it is.
    unopened: Vec<(String, &'static str)>,
}

impl Shown {
    /// What this phone shows, in which nothing stands twice.
    pub(crate) fn by(phone: &Session) -> Result<Self, String> {
        let mut shown = Self::default();
        let list = |folder| phone.list(folder, None, 10_000).map_err(|error| error.to_string());
        for mail in list(Folder::Inbox)?.into_iter().chain(list(Folder::Archive)?) {
            once(shown.received.insert(mail.subject.clone()), &mail.subject)?;
        }
        for mail in list(Folder::Sent)? {
            let view = phone.message(mail.number).map_err(|error| error.to_string())?;
            let states = view.deliveries.into_iter();
            let states = states.map(|delivery| (delivery.address, delivery.state)).collect();
            once(shown.sent.insert(mail.subject.clone(), states).is_none(), &mail.subject)?;
        }
        for mail in list(Folder::Drafts)? {
            once(shown.drafts.insert(mail.subject.clone()), &mail.subject)?;
        }
        let unopened = phone.unopened().map_err(|error| error.to_string())?;
        shown.unopened = unopened
            .into_iter()
            .map(|kept| (kept.sender, kept.reason.code()))
            .collect();
        Ok(shown)
    }

    pub(crate) fn has_sent(&self, subject: &str) -> bool {
        self.sent.contains_key(subject)
    }

    pub(crate) fn has_kept(&self, subject: &str) -> bool {
        self.drafts.contains(subject)
    }

    /// The numbers of what it shows.
    pub(crate) fn sum(&self) -> String {
        format!(
            "{} in, {} sent, {} sealed",
            self.received.len(),
            self.sent.len(),
            self.unopened.len()
        )
    }
}

fn once(is_first: bool, subject: &str) -> Result<(), String> {
    if is_first {
        Ok(())
    } else {
        Err(format!("{subject:?} is there twice"))
    }
}

/// A mail that was accepted: from whom to whom.
struct Mail {
    subject: String,
    from: usize,
    to: Vec<usize>,
    nobody: bool,
}

/// What is known of one person.
#[derive(Default)]
struct Person {
    /// What the phone showed last.
    last: Shown,
    /// What it showed, and what had been deleted, after the last sync that ended well: the backup has all of it.
    kept: (Shown, BTreeSet<String>),
    deleted: BTreeSet<String>,
    /// Received or deleted here between the backup and the loss of a phone: it may be there or not.
    open: BTreeSet<String>,
    was_lost: bool,
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
            people: Default::default(),
        }
    }

    /// `send` accepted it.
    pub(crate) fn accepted(&mut self, from: usize, subject: &str, to: &[usize], nobody: bool) {
        self.mails.push(Mail {
            subject: subject.to_owned(),
            from,
            to: to.to_vec(),
            nobody,
        });
    }

    /// The phone of `who` shows this after somebody may have deleted `deleting`. Nothing else goes away.
    pub(crate) fn saw(&mut self, who: usize, shown: Shown, deleting: Option<&str>) -> Result<(), String> {
        let person = &mut self.people[who];
        for subject in person.last.received.difference(&shown.received) {
            if deleting != Some(subject) {
                return Err(format!("{subject:?} is gone from a phone that had it"));
            }
            person.deleted.insert(subject.clone());
        }
        if let Some(subject) = shown.received.iter().find(|subject| person.deleted.contains(*subject)) {
            return Err(format!("{subject:?} is back after it was deleted"));
        }
        if let Some(subject) = person
            .last
            .sent
            .keys()
            .find(|subject| !shown.sent.contains_key(*subject))
        {
            return Err(format!("{subject:?} is not among the sent mails any more"));
        }
        if let Some(subject) = person.last.drafts.difference(&shown.drafts).next() {
            return Err(format!("{subject:?} is not among the drafts any more"));
        }
        person.open.retain(|subject| !shown.received.contains(subject));
        person.last = shown;
        Ok(())
    }

    /// What this phone shows is in its backup.
    pub(crate) fn backed_up(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.kept = (person.last.clone(), person.deleted.clone());
    }

    /// The phone is gone, and with it what the backup has not.
    pub(crate) fn lost(&mut self, who: usize) {
        let person = &mut self.people[who];
        let (kept, deleted) = &person.kept;
        let came_since = person.last.received.difference(&kept.received);
        let deleted_since = person.deleted.difference(deleted);
        person.open.extend(came_since.chain(deleted_since).cloned());
        person.deleted.clone_from(deleted);
        person.last = Shown::default();
        person.was_lost = true;
    }

    /// Everybody is back, the line is honest, nothing moves any more: what has to hold then.
    pub(crate) fn settled(&self) -> Result<(), String> {
        for mail in &self.mails {
            for to in &mail.to {
                self.settled_with(mail, *to)?;
            }
            let state = self.state(mail, &self.nobody);
            if mail.nobody && state.is_some_and(|state| state < DeliveryState::Unreachable) {
                return Err(format!("{:?} reached nobody and is {state:?}", mail.subject));
            }
        }
        (0..PEOPLE).try_for_each(|who| self.settled_at(who))
    }

    fn settled_with(&self, mail: &Mail, to: usize) -> Result<(), String> {
        let (sender, reader) = (&self.people[mail.from], &self.people[to]);
        let is_there = reader.last.received.contains(&mail.subject);
        let state = self.state(mail, &self.addresses[to]);
        let what = || format!("{:?} from {} to {to} ({state:?})", mail.subject, mail.from);
        if !is_there && !reader.deleted.contains(&mail.subject) && !reader.open.contains(&mail.subject) {
            return match state {
                Some(state) if state >= DeliveryState::Unreachable => Ok(()),
                None if sender.was_lost => Ok(()),
                _ => Err(format!("{} did not come", what())),
            };
        }
        match state {
            None if !sender.was_lost => Err(format!("{} is not among the sent ones", what())),
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
        let states = self.people[mail.from].last.sent.get(&mail.subject)?;
        states.get(address).copied()
    }

    /// The backup's promise, and nothing sealed that its sender could have wrapped again.
    fn settled_at(&self, who: usize) -> Result<(), String> {
        let person = &self.people[who];
        let (kept, _) = &person.kept;
        let mut missing = kept.received.difference(&person.last.received);
        if let Some(subject) =
            missing.find(|subject| !person.deleted.contains(*subject) && !person.open.contains(*subject))
        {
            return Err(format!("{subject:?} was in the backup of {who} and is not there"));
        }
        if let Some(subject) = kept.sent.keys().find(|subject| !person.last.has_sent(subject)) {
            return Err(format!(
                "{subject:?}, sent, was in the backup of {who} and is not there"
            ));
        }
        if let Some(subject) = kept.drafts.difference(&person.last.drafts).next() {
            return Err(format!("{subject:?} was in the backup of {who} and is not there"));
        }
        for (other, address) in self.addresses.iter().enumerate() {
            let sealed: Vec<_> = person
                .last
                .unopened
                .iter()
                .filter(|(sender, _)| sender == address)
                .collect();
            let cannot = self.mails.iter().filter(|mail| {
                mail.from == other
                    && mail.to.contains(&who)
                    && !person.last.received.contains(&mail.subject)
                    && self.state(mail, &self.addresses[who]).is_none()
            });
            if sealed.len() > cannot.count() {
                return Err(format!("{who} keeps {sealed:?} of {other}, who has what is in them"));
            }
        }
        // The place of a mail that was taken back comes without it.
        let (emptied, others): (Vec<_>, Vec<_>) = (person.last.unopened.iter())
            .filter(|(sender, _)| !self.addresses.contains(sender))
            .partition(|(_, reason)| *reason == "taken-back-or-dropped");
        let taken_back = self.mails.iter().filter(|mail| {
            mail.to.contains(&who)
                && matches!(
                    self.state(mail, &self.addresses[who]),
                    None | Some(DeliveryState::Withdrawn)
                )
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
