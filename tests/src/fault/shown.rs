//! What a device shows of its mail.

use std::collections::{BTreeMap, BTreeSet};

use pli_core::{DeliveryState, Folder, Session};
use protocol::Timestamp;

/// What a device shows, mail by mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) received: BTreeMap<String, Marks>,
    /// Subject, and the state with each recipient.
    pub(crate) sent: BTreeMap<String, BTreeMap<String, DeliveryState>>,
    pub(crate) drafts: BTreeSet<String>,
    /// Why something is kept sealed, and whose it is.
    pub(crate) unopened: Vec<(String, &'static str)>,
}

/// What became of a received mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Marks {
    read_at: Option<Timestamp>,
    handled_at: Option<Timestamp>,
    is_archived: bool,
}

impl Shown {
    /// What this device shows, in which nothing stands twice.
    pub(crate) fn by(phone: &Session) -> Result<Self, String> {
        let mut shown = Self::default();
        let list = |folder| phone.list(folder, None, 10_000).map_err(|error| error.to_string());
        for folder in [Folder::Inbox, Folder::Archive] {
            for mail in list(folder)? {
                let marks = Marks {
                    read_at: mail.read_at,
                    handled_at: mail.handled_at,
                    is_archived: folder == Folder::Archive,
                };
                once(
                    shown.received.insert(mail.subject.clone(), marks).is_none(),
                    &mail.subject,
                )?;
            }
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

    /// A mail of which another device of the account shows something else, and what.
    pub(crate) fn unlike(&self, other: &Self) -> Option<String> {
        let unlike = |one: String, other: String| (one != other).then(|| format!("{one} here, {other} there"));
        first_unlike(&self.received, &other.received)
            .or_else(|| not_there(self, other))
            .or_else(|| not_there(other, self))
            .or_else(|| unlike(format!("{:?}", self.drafts), format!("{:?}", other.drafts)))
    }

    /// The numbers of what it shows.
    pub(crate) fn sum(&self) -> String {
        format!(
            "{} in, {} sent, {} drafts, {} sealed",
            self.received.len(),
            self.sent.len(),
            self.drafts.len(),
            self.unopened.len()
        )
    }
}

/// The subjects of what left `here` and `there` has not: one that was taken back before it left, or was for nobody, stays on the
/// device where it was written. A relay that was put back knows nothing of one that is taken back then, and tells the others nothing.
fn not_there(here: &Shown, there: &Shown) -> Option<String> {
    let left = here.sent.iter().filter(|(_, states)| {
        let mut states = states.values();
        states.any(|state| *state < DeliveryState::Unreachable)
    });
    let mut missing = left.filter(|(subject, _)| !there.sent.contains_key(*subject));
    missing
        .next()
        .map(|(subject, _)| format!("{subject:?} was sent, and is not among the sent ones"))
}

fn first_unlike<T: PartialEq + std::fmt::Debug>(
    here: &BTreeMap<String, T>,
    there: &BTreeMap<String, T>,
) -> Option<String> {
    let subjects: BTreeSet<_> = here.keys().chain(there.keys()).collect();
    let mut unlike = subjects
        .into_iter()
        .filter(|subject| here.get(*subject) != there.get(*subject));
    unlike.next().map(|subject| {
        format!(
            "{subject:?} is {:?} here and {:?} there",
            here.get(subject),
            there.get(subject)
        )
    })
}

fn once(is_first: bool, subject: &str) -> Result<(), String> {
    if is_first {
        Ok(())
    } else {
        Err(format!("{subject:?} is there twice"))
    }
}
