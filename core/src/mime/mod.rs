//! A letter and its MIME form: what is sealed, and what `.eml` export writes, byte for byte.
//! Not here: reading HPRIM (`crate::hprim`), sealing, storing. The shape of the message is in `docs/hprim.md`, "In a mail".
//! Read next: [`Letter`], [`compose()`], [`parse()`].

mod compose;
mod document;
mod name;
mod parse;
mod text;

use std::fmt;

use protocol::Timestamp;

use crate::code::coded;

pub use compose::compose;
pub use name::{MAX_NAME_CHARS, safe_name};
pub use parse::parse;

/// Longest message parsed, in bytes: 10 MB of attachments, the most ever granted, in base64 with its line ends.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Most parts of a message, containers included.
pub const MAX_PARTS: usize = 200;

/// Deepest nesting of parts.
pub const MAX_DEPTH: usize = 8;

/// Longest header block of the message or of a part, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// A mail as a person writes and reads it.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Letter {
    /// Message id without angle brackets.
    pub message_id: String,
    /// Message id of the letter this one answers.
    pub in_reply_to: Option<String>,
    /// Address of the sender.
    pub from: String,
    /// Addresses of the correspondents.
    pub to: Vec<String>,
    /// When it was written, to the second.
    pub date: Option<Timestamp>,
    /// Subject, one line.
    pub subject: String,
    /// What a person reads, lines separated by `\n`. For HPRIM it is read from the document, see [`Letter::carry_hprim`].
    pub text: String,
    /// The HPRIM document exactly as it arrived or was written. It then is a text part; `text` is not sent besides.
    pub hprim: Option<Vec<u8>>,
    /// What was written above an HPRIM document, lines separated by `\n`. It is a text part of its own; empty without a document.
    pub note: String,
    /// Attachments, in their order.
    pub attachments: Vec<Attachment>,
}

impl Letter {
    /// Makes `document`, the bytes of an HPRIM file, the text of this letter.
    pub fn carry_hprim(&mut self, document: Vec<u8>) {
        self.text = document::hprim_text(&document);
        self.hprim = Some(document);
    }

    /// All that a person reads: the note, and the text below it.
    #[must_use]
    pub fn reading(&self) -> String {
        if self.note.is_empty() {
            self.text.clone()
        } else {
            format!("{}\n\n{}", self.note.trim_end(), self.text)
        }
    }
}

impl fmt::Debug for Letter {
    /// Says nothing of the content or the correspondents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter { .. }")
    }
}

/// A file that travels with a letter.
#[derive(Clone, Eq, PartialEq)]
pub struct Attachment {
    /// Name of the file: no folder, nothing a file system takes for a command. See [`safe_name`].
    pub name: String,
    /// Media type without parameters, lower case.
    pub media_type: String,
    /// The file.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Attachment {
    /// Says nothing of the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment {{ bytes: {}, .. }}", self.bytes.len())
    }
}

/// Why bytes cannot be read as a message. Codes are stable; none is worth trying again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MimeError {
    /// No bytes.
    #[error("the message is empty: ask the sender to send it again")]
    Empty,
    /// Over [`MAX_HEADER_BYTES`].
    #[error("a header of the message is too long: ask the sender to send it again")]
    HeaderTooLarge,
    /// Over [`MAX_DEPTH`].
    #[error("the parts of the message are nested too deep: ask the sender to attach the files one by one")]
    TooDeep,
    /// Over [`MAX_BYTES`].
    #[error("the message is too large: ask the sender to send it in parts")]
    TooLarge,
    /// Over [`MAX_PARTS`].
    #[error("the message has too many parts: ask the sender to send fewer attachments")]
    TooManyParts,
    /// No header at all.
    #[error("this is not a message: ask the sender to send it again")]
    Unreadable,
}

coded! {
    MimeError {
        Empty = "mime-empty",
        HeaderTooLarge = "mime-header-too-large",
        TooDeep = "mime-too-deep",
        TooLarge = "mime-too-large",
        TooManyParts = "mime-too-many-parts",
        Unreadable = "mime-unreadable",
    }
}

impl MimeError {
    /// The sentence shown to a French-speaking user; `Display` has the English one.
    #[must_use]
    pub const fn in_french(self) -> &'static str {
        match self {
            Self::Empty => "Le message est vide : demandez à l'expéditeur de le renvoyer.",
            Self::HeaderTooLarge => {
                "Un en-tête du message est trop long : demandez à l'expéditeur de renvoyer le message."
            }
            Self::TooDeep => {
                "Les parties du message sont trop imbriquées : demandez à l'expéditeur de joindre les fichiers un à un."
            }
            Self::TooLarge => {
                "Le message est trop volumineux : demandez à l'expéditeur de l'envoyer en plusieurs fois."
            }
            Self::TooManyParts => {
                "Le message a trop de parties : demandez à l'expéditeur de joindre moins de fichiers."
            }
            Self::Unreadable => "Ce n'est pas un message : demandez à l'expéditeur de le renvoyer.",
        }
    }
}
