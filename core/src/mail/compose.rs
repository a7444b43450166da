//! Composing: a draft is checked, turned into a letter, and queued. What `send` returned for is never lost.

use std::fmt;

use jiff::Zoned;
use jiff::civil::Date;
use protocol::{Address, MessageId, Recipients, Timestamp, limits};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::delivery::{self, DeliveryState};
use super::list::{self, Direction};
use crate::account::Account;
use crate::clock;
use crate::crash::crash_point;
use crate::error::{DraftError, Error};
use crate::hprim::{self, Deviation, Document, HeaderProblem, Party, Patient, Written};
use crate::mime::{self, Attachment, Letter};
use crate::session::Session;
use crate::store::column::Column;
use crate::sync::OutboxKind;
use crate::sync::states::{self, Field};

/// A mail that is being written.
#[derive(Clone, Default)]
pub struct Draft {
    /// The recipients.
    pub to: Vec<Address>,
    /// The subject.
    pub subject: String,
    /// The text; above a document of `hprim`, a note.
    pub text: String,
    /// Whom it is about: makes an HPRIM header.
    pub patient: Option<Patient>,
    /// A whole HPRIM document, sent byte for byte; `patient` is not used then.
    pub hprim: Option<Vec<u8>>,
    /// Files beside the text.
    pub attachments: Vec<Attachment>,
    /// The mail that it answers.
    pub in_reply_to: Option<MessageId>,
    /// The number under which it was kept: that one goes away when this is sent or kept again.
    pub kept_as: Option<i64>,
}

impl fmt::Debug for Draft {
    /// Says nothing of the content or the correspondents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draft { .. }")
    }
}

/// What a person should look at before sending. None of them forbids it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendWarning {
    /// A short text is attached as a file: it would do as text.
    AttachmentInsteadOfText,
    /// The patient's birth date is missing or lies in the future.
    BirthDateMissing,
    /// It goes to more than one person.
    SeveralRecipients,
    /// No patient is named, so the receiving software cannot file it.
    PatientMissing,
    /// The patient's surname or first name is missing.
    PatientNameMissing,
    /// It has no subject.
    SubjectMissing,
    /// It is larger than a mail may be; sending will be refused.
    TooLarge,
    /// The document that it becomes does not hold all of it as it was typed.
    Written(Deviation),
}

impl SendWarning {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AttachmentInsteadOfText => "attachment-instead-of-text",
            Self::BirthDateMissing => "birth-date-missing",
            Self::PatientMissing => "patient-missing",
            Self::PatientNameMissing => "patient-name-missing",
            Self::SeveralRecipients => "several-recipients",
            Self::SubjectMissing => "subject-missing",
            Self::TooLarge => "too-large",
            Self::Written(deviation) => deviation.code(),
        }
    }
}

impl Session {
    /// What the person should look at before sending `draft`.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], or [`Error::Hprim`] when the document cannot be read at all.
    pub fn check(&self, draft: &Draft) -> Result<Vec<SendWarning>, Error> {
        let account = self.read(Account::load)?;
        let letter = letter(&account.address, draft, MessageId::make()?, clock::now())?;
        let mut warnings = Vec::new();
        if draft.subject.trim().is_empty() {
            warnings.push(SendWarning::SubjectMissing);
        }
        if draft.to.len() > 1 {
            warnings.push(SendWarning::SeveralRecipients);
        }
        match &letter.hprim {
            None => warnings.push(SendWarning::PatientMissing),
            Some(bytes) => {
                let today = Zoned::now().date();
                for document in hprim::read(bytes)?.documents {
                    for problem in hprim::header_problems(&document.header, today) {
                        let warning = match problem {
                            HeaderProblem::BirthDateInFuture
                            | HeaderProblem::BirthDateMissing
                            | HeaderProblem::BirthDateUnreadable => SendWarning::BirthDateMissing,
                            _ => SendWarning::PatientNameMissing,
                        };
                        if !warnings.contains(&warning) {
                            warnings.push(warning);
                        }
                    }
                }
            }
        }
        let written = own_document(&account.address, draft).map_or_else(Vec::new, |written| written.warnings);
        for warning in written {
            let warning = SendWarning::Written(warning.deviation);
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        if draft
            .attachments
            .iter()
            .any(|attachment| attachment.media_type.starts_with("text/"))
        {
            warnings.push(SendWarning::AttachmentInsteadOfText);
        }
        if mime::compose(&letter).len() > limits::MAIL_BYTES {
            warnings.push(SendWarning::TooLarge);
        }
        Ok(warnings)
    }

    /// Queues `draft` and returns the number of the message: once this returns, the mail is on disk and will be sent.
    ///
    /// # Errors
    ///
    /// [`Error::Draft`] for a draft that no relay would take; [`Error::NotEnrolled`], [`Error::Store`].
    pub fn send(&self, draft: &Draft) -> Result<i64, Error> {
        let account = self.read(Account::load)?;
        let to = recipients(&account.address, draft)?;
        let (id, now) = (MessageId::make()?, clock::now());
        let letter = letter(&account.address, draft, id, now)?;
        let content = mime::compose(&letter);
        if content.len() > limits::MAIL_BYTES {
            return Err(DraftError::TooLarge.into());
        }
        let at = self.relay.clock.now();
        let rowid = self.write(|tx| {
            // Two who send what was kept once send one mail.
            if !drop_kept(tx, draft, at)? {
                return Err(DraftError::Gone.into());
            }
            let rowid = insert(tx, &account.address, id, Direction::Sent, &letter, &content, draft, now)?;
            for address in &to {
                delivery::insert(tx, rowid, address, DeliveryState::Queued, now)?;
            }
            tx.execute(
                "INSERT INTO outbox (kind, idempotency_key, message, recipients) VALUES (?1, ?2, ?3, ?4)",
                params![OutboxKind::Mail, Column(&id), rowid, Column(&to)],
            )?;
            Ok(rowid)
        })?;
        crash_point!("mail-queued");
        Ok(rowid)
    }

    /// Keeps `draft` for later, in the place of the one it was taken from, and returns its number.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], [`Error::Store`].
    pub fn save_draft(&self, draft: &Draft) -> Result<i64, Error> {
        let account = self.read(Account::load)?;
        let (id, now) = (MessageId::make()?, clock::now());
        let letter = letter(&account.address, draft, id, now)?;
        let content = mime::compose(&letter);
        let at = self.relay.clock.now();
        self.write(|tx| {
            drop_kept(tx, draft, at)?;
            let number = insert(
                tx,
                &account.address,
                id,
                Direction::Draft,
                &letter,
                &content,
                draft,
                now,
            )?;
            states::record(tx, number, Field::Draft, true, at)?;
            Ok(number)
        })
    }

    /// The draft that was kept under this number, to be gone on with, sent, or kept again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] when no draft has this number.
    pub fn draft(&self, number: i64) -> Result<Draft, Error> {
        let (original, in_reply_to) = self.read(|connection| {
            let Column(in_reply_to) = connection
                .query_row(
                    "SELECT in_reply_to FROM message WHERE rowid = ?1 AND direction = ?2",
                    params![number, Direction::Draft],
                    |row| row.get(0),
                )
                .optional()?
                .ok_or(Error::NoSuchMessage)?;
            Ok((list::original(connection, number)?, in_reply_to))
        })?;
        let letter = mime::parse(&original.content)?;
        let patient = letter
            .hprim
            .as_deref()
            .filter(|_| letter.note.is_empty())
            .and_then(|bytes| patient_of_letter(&original.sender, &letter, bytes));
        let is_document = letter.hprim.is_some() && patient.is_none();
        Ok(Draft {
            to: letter.to.iter().filter_map(|to| to.parse().ok()).collect(),
            subject: letter.subject,
            text: if is_document { letter.note } else { letter.text },
            hprim: letter.hprim.filter(|_| is_document),
            patient,
            attachments: letter.attachments,
            in_reply_to,
            kept_as: Some(number),
        })
    }

    /// A draft that answers the mail with this number.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn answer(&self, number: i64) -> Result<Draft, Error> {
        let (original, letter) = self.original(number)?;
        let patient = letter.hprim.as_deref().and_then(patient_of);
        Ok(Draft {
            to: vec![original.sender],
            subject: prefixed("Re: ", &letter.subject),
            patient,
            in_reply_to: Some(original.id),
            ..Draft::default()
        })
    }

    /// A draft that forwards the mail with this number, document and attachments included.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn forward(&self, number: i64) -> Result<Draft, Error> {
        let (_, letter) = self.original(number)?;
        Ok(Draft {
            subject: prefixed("Tr: ", &letter.subject),
            text: if letter.hprim.is_some() {
                letter.note
            } else {
                letter.text
            },
            hprim: letter.hprim,
            attachments: letter.attachments,
            ..Draft::default()
        })
    }

    fn original(&self, number: i64) -> Result<(list::Original, Letter), Error> {
        let original = self.read(|connection| list::original(connection, number))?;
        let letter = mime::parse(&original.content)?;
        Ok((original, letter))
    }
}

/// The letter of a draft. A patient gives it an HPRIM document of its own.
fn letter(from: &Address, draft: &Draft, id: MessageId, date: Timestamp) -> Result<Letter, Error> {
    let hprim = match &draft.hprim {
        Some(bytes) => {
            hprim::read(bytes)?;
            Some(bytes.clone())
        }
        None => own_document(from, draft).map(|written| written.bytes),
    };
    let mut letter = Letter {
        message_id: format!("{id}@{}", host_of(from)),
        in_reply_to: draft
            .in_reply_to
            .map(|answered| format!("{answered}@{}", draft.to.first().map_or("", host_of))),
        from: from.to_string(),
        to: draft.to.iter().map(Address::to_string).collect(),
        date: Some(date),
        subject: draft.subject.clone(),
        text: draft.text.clone(),
        attachments: draft.attachments.clone(),
        ..Letter::default()
    };
    if let Some(document) = hprim {
        if draft.hprim.is_some() && !draft.text.trim().is_empty() {
            letter.note.clone_from(&draft.text);
        }
        letter.carry_hprim(document);
    }
    Ok(letter)
}

/// The HPRIM document that a draft about a patient becomes, when it brings none.
fn own_document(from: &Address, draft: &Draft) -> Option<Written> {
    let patient = draft.patient.as_ref().filter(|_| draft.hprim.is_none())?;
    let to = draft.to.first().map_or("", Address::local_part);
    Some(document(from, to, patient, Zoned::now().date(), &draft.text))
}

/// The HPRIM document of a letter about a patient.
fn document(from: &Address, to: &str, patient: &Patient, date: Date, text: &str) -> Written {
    let document = Document::for_letter(patient, Party::named(from.local_part()), Party::named(to), date, text);
    hprim::write(&[document], &hprim::WriteOptions::default())
}

/// The patient of a document that [`document`] made, and would make again; none of one that came from elsewhere.
fn patient_of_letter(from: &Address, letter: &Letter, bytes: &[u8]) -> Option<Patient> {
    let reading = hprim::read(bytes).ok()?;
    let [read] = reading.documents.as_slice() else {
        return None;
    };
    let (patient, date) = (read.patient(), read.header.document_date()?);
    let to = letter.to.first().and_then(|to| to.parse::<Address>().ok());
    let again = document(
        from,
        to.as_ref().map_or("", Address::local_part),
        &patient,
        date,
        &letter.text,
    );
    (again.bytes == bytes).then_some(patient)
}

/// What was kept of this draft goes away with the transaction that stores what becomes of it; `false` when it was gone already.
fn drop_kept(tx: &Transaction<'_>, draft: &Draft, at: Timestamp) -> Result<bool, Error> {
    let Some(number) = draft.kept_as else { return Ok(true) };
    let is_kept = tx
        .prepare_cached("SELECT 1 FROM message WHERE rowid = ?1 AND direction = ?2")?
        .exists(params![number, Direction::Draft])?;
    if is_kept {
        states::record(tx, number, Field::Deleted, true, at)?;
        tx.execute("DELETE FROM message WHERE rowid = ?1", [number])?;
    }
    Ok(is_kept)
}

fn host_of(address: &Address) -> &str {
    address.as_str().split_once('@').map_or("", |(_, host)| host)
}

/// Whom the draft goes to, now that it is to leave.
fn recipients(own: &Address, draft: &Draft) -> Result<Recipients, DraftError> {
    let to = Recipients::new(draft.to.clone())?;
    if to.as_slice().contains(own) {
        return Err(DraftError::RecipientTwice);
    }
    Ok(to)
}

#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
fn insert(
    tx: &Transaction<'_>,
    sender: &Address,
    id: MessageId,
    direction: Direction,
    letter: &Letter,
    content: &[u8],
    draft: &Draft,
    now: Timestamp,
) -> Result<i64, Error> {
    list::insert(
        tx,
        &list::NewMessage {
            id,
            sender,
            direction,
            letter,
            content,
            people: &draft.to.iter().map(Address::as_str).collect::<Vec<_>>().join(" "),
            in_reply_to: draft.in_reply_to,
            statement: &[],
            signature: &[],
            content_key: &[],
            header: &[],
            dated_at: now,
        },
    )
}

/// The patient of an HPRIM document, for lists, search and answers.
pub(crate) fn patient_of(bytes: &[u8]) -> Option<Patient> {
    let reading = hprim::read(bytes).ok()?;
    reading.documents.first().map(Document::patient)
}

fn prefixed(prefix: &str, subject: &str) -> String {
    if subject.to_lowercase().starts_with(&prefix.to_lowercase()) {
        subject.to_owned()
    } else {
        format!("{prefix}{subject}")
    }
}

/// How a patient is shown in a list: SURNAME First dd/mm/yyyy.
pub(crate) fn patient_line(patient: &Patient) -> String {
    let birth = patient
        .birth_date
        .map(|date| date.strftime("%d/%m/%Y").to_string())
        .unwrap_or_default();
    [patient.surname.as_str(), patient.given.as_str(), birth.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
