//! One page, opened: envelopes are opened and their senders looked up before the transaction that stores them.
//! What cannot be opened is kept sealed, and never holds up what comes after it.

use std::collections::{HashMap, HashSet};

use protocol::api::PrekeyWish;
use protocol::envelope::{self, Class, EnvelopeError, Header, Kind, Message, Opened};
use protocol::identity::VerifiedAccount;
use protocol::prekey::PrekeyId;
use protocol::sequence::{Entry, EntryBody, MailEntry, Notice, SequencePage};
use protocol::{Address, Code, DeviceId, MessageId, Timestamp, cbor};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::SyncReport;
use super::removed::Signers;
use super::unopened::{self, Reason};
use super::{receipts, rewrap, states};
use crate::account::correspondent::{self, Known};
use crate::account::{self, Account, prekeys};
use crate::clock;
use crate::error::{Error, KeysError, NetworkError};
use crate::mail::delivery::{self, DeliveryState};
use crate::mail::received;
use crate::session::Session;
use crate::store;
use crate::store::column::Column;

/// An entry and what was made of it.
pub(super) struct Arrival<'a> {
    pub(super) entry: &'a Entry,
    what: What,
}

impl Arrival<'_> {
    /// Whether it is more than bytes that are kept sealed.
    pub(super) const fn is_opened(&self) -> bool {
        !matches!(self.what, What::Unopened { .. })
    }

    /// Whether the secret that opens it is gone.
    pub(super) const fn lacks_key(&self) -> bool {
        matches!(
            self.what,
            What::Unopened {
                reason: Reason::NoPrekey,
                ..
            }
        )
    }

    /// Stores what came, inside the transaction that moves the cursor. What the store does not take is kept as it came: one
    /// entry holds up none of the others.
    pub(super) fn store(&self, tx: &Transaction<'_>, done: &mut SyncReport) -> Result<(), Error> {
        if !self.try_store(tx, done)? {
            let from = match &self.what {
                What::Message { message, .. } => Some((message.header.from.clone(), message.header.id)),
                _ => None,
            };
            unopened::keep(tx, Reason::CannotStore, from.as_ref(), self.entry)?;
            done.unopened = done.unopened.saturating_add(1);
        }
        Ok(())
    }

    /// Stores what came, or leaves no trace of it; whether the store took it.
    pub(super) fn try_store(&self, tx: &Transaction<'_>, done: &mut SyncReport) -> Result<bool, Error> {
        let mut counted = *done;
        match store::attempt(tx, |tx| self.put(tx, &mut counted))? {
            Ok(()) => {
                *done = counted;
                Ok(true)
            }
            Err(error) if error.is_of_one_entry() => {
                tracing::warn!(code = error.code(), "the store does not take what came");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// What came, with the burnt key and the seen id.
    fn put(&self, tx: &Transaction<'_>, done: &mut SyncReport) -> Result<(), Error> {
        match &self.what {
            What::Message {
                message,
                prekey,
                deposited_at,
            } => {
                if is_seen(tx, &message.header.from, &message.header.id)? {
                    return Ok(());
                }
                match message.kind {
                    Kind::Mail => {
                        received::store(tx, message, *deposited_at)?;
                        states::record_here(tx, &message.header.from, message.header.id)?;
                        done.received = done.received.saturating_add(1);
                    }
                    Kind::Rewrap => rewrap::answer(tx, message)?,
                    // Only the account's own devices are listened to in its own matters.
                    Kind::State | Kind::History if account::own_address(tx)? != message.header.from => {}
                    Kind::State => states::apply(tx, message)?,
                    Kind::History => crate::archive::take_note(tx, message)?,
                    Kind::Receipts => {
                        let count = receipts::apply(tx, message)?;
                        done.notices = done.notices.saturating_add(count);
                    }
                }
                prekeys::burn(tx, *prekey)?;
                unopened::forget(tx, &message.header.from, message.header.id)?;
                mark_seen(tx, &message.header.from, &message.header.id)
            }
            What::Notice(notice) => {
                if delivery::advance_by_id(
                    tx,
                    &notice.id,
                    &notice.recipient,
                    DeliveryState::of_step(notice.step),
                    notice.at,
                )? {
                    done.notices = done.notices.saturating_add(1);
                }
                Ok(())
            }
            What::Nothing => Ok(()),
            What::OwnLost => crate::archive::note_may_be_lost(tx),
            What::Unopened { reason, from } => {
                unopened::keep(tx, *reason, from.as_ref(), self.entry)?;
                done.unopened = done.unopened.saturating_add(1);
                Ok(())
            }
        }
    }
}

pub(super) enum What {
    /// A message, and the prekey that it burns.
    Message {
        message: Box<Message>,
        prekey: PrekeyId,
        deposited_at: Timestamp,
    },
    Notice(Notice),
    /// Known already, or nothing that could still be of use.
    Nothing,
    /// Another device of this account said something that does not open.
    OwnLost,
    /// Kept as it came.
    Unopened {
        reason: Reason,
        from: Option<(Address, MessageId)>,
    },
}

/// An envelope between opening and the check of its sender.
pub(super) enum Step {
    Done(What),
    ToVerify {
        opened: Box<Opened>,
        mail: MailEntry,
        from: Address,
        id: MessageId,
    },
}

impl Session {
    /// Opens every entry of a page; asks the relay for senders whose devices are not known yet.
    pub(super) async fn open_page<'a>(
        &self,
        account: &Account,
        page: &'a SequencePage,
    ) -> Result<Vec<Arrival<'a>>, Error> {
        let mut steps = Vec::with_capacity(page.entries.len());
        for entry in &page.entries {
            steps.push(match self.open_entry(account, entry) {
                Err(error) if error.is_of_one_entry() => {
                    tracing::warn!(code = error.code(), "an entry could not be looked at");
                    let from = sender_of(entry);
                    Step::Done(What::Unopened {
                        reason: Reason::CannotStore,
                        from,
                    })
                }
                step => step?,
            });
        }
        let senders = self.senders(account, &steps).await?;
        let mut signers = self.removed(account, &steps, &senders).await?;
        self.add_ended(account, &steps, &senders, &mut signers).await?;
        let arrivals = page.entries.iter().zip(steps).map(|(entry, step)| Arrival {
            entry,
            what: match step {
                Step::Done(what) => what,
                Step::ToVerify { opened, mail, from, id } => {
                    verify(account, *opened, &mail, (&from, id), (&senders, &signers))
                }
            },
        });
        Ok(arrivals.collect())
    }

    fn open_entry(&self, account: &Account, entry: &Entry) -> Result<Step, Error> {
        let keep = |reason, from| Ok(Step::Done(What::Unopened { reason, from }));
        let mail = match entry.open() {
            Ok(Some(EntryBody::Mail(mail))) => mail,
            Ok(Some(EntryBody::Notice(notice))) => return Ok(Step::Done(What::Notice(notice))),
            // That a mail was here and is not any more is shown: the relay alone says why.
            Ok(None) => return keep(Reason::Emptied, None),
            // The relay has lost the payload and says so: what it still shows is whose it was.
            Err(_) if entry.payload.is_none() => return keep(Reason::PayloadLost, sender_of(entry)),
            Err(_) => return keep(Reason::Malformed, None),
        };
        let Ok(header) = Header::parse(&mail.header) else {
            return keep(Reason::Malformed, None);
        };
        let from = Some((header.from.clone(), header.id));
        if mail.wrap.address != account.address {
            return keep(Reason::Malformed, from);
        }
        // The receiver looks up (sender, message id) before it looks for a prekey: the first arrival burnt it.
        if self.read(|connection| is_seen(connection, &header.from, &header.id))? {
            return Ok(Step::Done(What::Nothing));
        }
        // It waited for a device that this one has come after.
        if mail.wrap.device != account.device {
            return Ok(Step::Done(without_key(Reason::NoPrekey, &header)));
        }
        let Some(secret) = self.read(|connection| prekeys::secret(connection, mail.wrap.prekey))? else {
            return Ok(Step::Done(without_key(Reason::NoPrekey, &header)));
        };
        let payload = entry.payload.as_deref().map_or(&[][..], Vec::as_slice);
        match envelope::open(&mail.header, &mail.wrap, payload, &secret) {
            Ok(opened) => Ok(Step::ToVerify {
                opened: Box::new(opened),
                from: header.from,
                id: header.id,
                mail,
            }),
            Err(_) => Ok(Step::Done(without_key(Reason::CannotOpen, &header))),
        }
    }

    /// The accounts of everyone who signed something on the page; only unknown or outdated ones are asked for.
    async fn senders(&self, account: &Account, steps: &[Step]) -> Result<HashMap<Address, Known>, Error> {
        let mut senders = HashMap::new();
        let mut unknown = HashSet::new();
        for step in steps {
            let Step::ToVerify { opened, from, .. } = step else {
                continue;
            };
            let covers = |known: &VerifiedAccount| {
                known.device(&opened.device()).is_some() && known.list_version() >= opened.list_version()
            };
            // Many entries are of the same few: their lists are verified once.
            if matches!(senders.get(from), Some(Known::Trusted { account, .. }) if covers(account)) {
                continue;
            }
            // The account's own list is read anew, too: another device, or process, of it may have been added meanwhile.
            let known = |connection: &Connection| {
                if *from == account.address {
                    Ok(Some(Account::load(connection)?.verified))
                } else {
                    correspondent::pinned(connection, from)
                }
            };
            let pinned = match self.read(known) {
                // What is kept of this one cannot be read: the relay is asked.
                Err(error) if error.is_of_one_entry() => None,
                pinned => pinned?,
            };
            match pinned {
                Some(known) if covers(&known) => {
                    senders.insert(
                        from.clone(),
                        Known::Trusted {
                            account: Box::new(known),
                            former: Vec::new(),
                            prekeys: Vec::new(),
                        },
                    );
                }
                _ => {
                    unknown.insert(from.clone());
                }
            }
        }
        if !unknown.is_empty() {
            let mut asked: Vec<_> = unknown.into_iter().collect();
            asked.sort();
            for some in asked.chunks(protocol::limits::RECIPIENTS) {
                match self.ask_keys(account, some.to_vec(), PrekeyWish::None).await {
                    // Something about one of them is more than the relay, or this phone, takes: they are asked for one by one.
                    Err(error) if is_of_those_asked(&error) => {
                        for one in some {
                            let known = match self.ask_keys(account, vec![one.clone()], PrekeyWish::None).await {
                                Err(error) if is_of_those_asked(&error) => {
                                    HashMap::from([(one.clone(), Known::Unverified(KeysError::Unverified))])
                                }
                                known => known?,
                            };
                            senders.extend(known);
                        }
                    }
                    known => senders.extend(known?),
                }
            }
        }
        Ok(senders)
    }
}

/// What no key here opens. A mail is kept, for its sender can wrap it again; of all else its sender keeps nothing.
fn without_key(reason: Reason, header: &Header) -> What {
    match header.class {
        Class::Mail => What::Unopened {
            reason,
            from: Some((header.from.clone(), header.id)),
        },
        Class::Quiet => What::Nothing,
        Class::Own => What::OwnLost,
    }
}

/// Whether it lies in whom the relay was asked for, and not in the relay or the line.
const fn is_of_those_asked(error: &Error) -> bool {
    matches!(
        error,
        Error::Relay(Code::Malformed | Code::NotFound | Code::TooLarge) | Error::Network(NetworkError::AnswerTooLarge)
    )
}

/// Who the header says it is from, unverified.
fn sender_of(entry: &Entry) -> Option<(Address, MessageId)> {
    let Ok(EntryBody::Mail(mail)) = cbor::decode(entry.body.as_deref()?) else {
        return None;
    };
    let header = Header::parse(&mail.header).ok()?;
    Some((header.from, header.id))
}

fn verify(
    reader: &Account,
    opened: Opened,
    mail: &MailEntry,
    (from, id): (&Address, MessageId),
    (senders, signers): (&HashMap<Address, Known>, &Signers),
) -> What {
    let unopened = |reason| What::Unopened {
        reason,
        from: Some((from.clone(), id)),
    };
    let device = opened.device();
    match senders.get(from) {
        Some(Known::Trusted { account, former, .. }) => {
            let signer = signers
                .get(&(from.clone(), id))
                .or_else(|| signer(account, former, device));
            match opened.verify(signer.unwrap_or(account), &reader.address, &reader.identities) {
                Ok(message) => What::Message {
                    message: Box::new(message),
                    prekey: mail.wrap.prekey,
                    deposited_at: mail.deposited_at,
                },
                Err(EnvelopeError::Recipient) => unopened(Reason::OtherRecipient),
                Err(_) => unopened(Reason::WrongSignature),
            }
        }
        Some(Known::Changed) => unopened(Reason::IdentityChanged),
        Some(Known::Unverified(_)) => unopened(Reason::KeysUnverified),
        None => unopened(Reason::SenderUnknown),
    }
}

/// The account on whose list the device stands: the sender's, or one of those that it was before.
pub(super) fn signer<'a>(
    account: &'a VerifiedAccount,
    former: &'a [VerifiedAccount],
    device: DeviceId,
) -> Option<&'a VerifiedAccount> {
    let mut line = std::iter::once(account).chain(former);
    line.find(|account| account.device(&device).is_some())
}

/// What was signed by a device that is on no list of its sender's.
pub(super) struct Unlisted<'a> {
    pub(super) message: (Address, MessageId),
    pub(super) device: DeviceId,
    pub(super) header: &'a [u8],
    pub(super) sender: &'a VerifiedAccount,
    pub(super) former: &'a [VerifiedAccount],
}

/// What of a page no list of its sender's verifies.
pub(super) fn unlisted<'a>(
    steps: &'a [Step],
    senders: &'a HashMap<Address, Known>,
) -> impl Iterator<Item = Unlisted<'a>> {
    steps.iter().filter_map(|step| {
        let Step::ToVerify { opened, mail, from, id } = step else {
            return None;
        };
        let Some(Known::Trusted {
            account: sender,
            former,
            ..
        }) = senders.get(from)
        else {
            return None;
        };
        let device = opened.device();
        signer(sender, former, device).is_none().then(|| Unlisted {
            message: (from.clone(), *id),
            device,
            header: &mail.header,
            sender,
            former,
        })
    })
}

/// Whether it arrived before; of a request, whether it was answered.
pub(super) fn is_seen(connection: &Connection, sender: &Address, id: &MessageId) -> Result<bool, Error> {
    let seen = connection
        .query_row(
            "SELECT 1 FROM seen WHERE sender = ?1 AND id = ?2",
            params![Column(sender), Column(id)],
            |_| Ok(()),
        )
        .optional()?;
    Ok(seen.is_some())
}

pub(super) fn mark_seen(tx: &Transaction<'_>, sender: &Address, id: &MessageId) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO seen (sender, id, seen_at) VALUES (?1, ?2, ?3)",
        params![Column(sender), Column(id), Column(&clock::now())],
    )?;
    Ok(())
}
