//! Why a file is not read as HPRIM, and what it is instead.

use super::marker::{is_armoured, is_hprim_sante, is_pdf, is_rtf};
use crate::code::coded;

/// Why a file cannot be read as HPRIM. Codes are stable; none is worth trying again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HprimError {
    /// `#BINASCII1#`.
    #[error("this is a message in the old #BINASCII1# armour (APICRYPT v1): ask the sender to send it again")]
    Armoured,
    /// Nothing but blanks.
    #[error("the file is empty: ask the sender to send it again")]
    Empty,
    /// `MSH|`.
    #[error("this is an HL7 message, another format: open it in the software that takes HL7")]
    Hl7,
    /// `H|~^\&`.
    #[error("this is an HPRIM Santé (ASTM) file, another format: open it in the laboratory software")]
    HprimSante,
    /// Fewer than twelve lines, or twelve that are no header.
    #[error("the twelve header lines of HPRIM are missing: check that this is the right file")]
    NoHeader,
    /// NUL bytes.
    #[error("this is not a text file: check that this is the right file")]
    NotText,
    /// `%PDF-`.
    #[error("this is a PDF: attach it to a mail as it is")]
    Pdf,
    /// `{\rtf`.
    #[error("this is an RTF text: open it in a word processor, or attach it to a mail as it is")]
    Rtf,
    /// Over [`MAX_BYTES`](super::MAX_BYTES).
    #[error("the file is larger than 10 MB: send it in parts")]
    TooLarge,
    /// Over [`MAX_DOCUMENTS`].
    #[error("the file holds more than 1,000 documents: send it in parts")]
    TooManyDocuments,
    /// Over [`MAX_LINES`].
    #[error("the file holds more than 100,000 lines: send it in parts")]
    TooManyLines,
}

coded! {
    HprimError {
        Armoured = "hprim-armoured",
        Empty = "hprim-empty",
        Hl7 = "hprim-hl7",
        HprimSante = "hprim-sante",
        NoHeader = "hprim-no-header",
        NotText = "hprim-not-text",
        Pdf = "hprim-pdf",
        Rtf = "hprim-rtf",
        TooLarge = "hprim-too-large",
        TooManyDocuments = "hprim-too-many-documents",
        TooManyLines = "hprim-too-many-lines",
    }
}

impl HprimError {
    /// The sentence shown to a French-speaking user; `Display` has the English one.
    #[must_use]
    pub const fn in_french(self) -> &'static str {
        match self {
            Self::Armoured => {
                "C'est un message à l'ancien format #BINASCII1# (APICRYPT v1) : demandez à l'expéditeur de le renvoyer."
            }
            Self::Empty => "Le fichier est vide : demandez à l'expéditeur de le renvoyer.",
            Self::Hl7 => "C'est un message HL7, un autre format : ouvrez-le dans le logiciel qui prend le HL7.",
            Self::HprimSante => {
                "C'est un fichier HPRIM Santé (ASTM), un autre format : ouvrez-le dans le logiciel de laboratoire."
            }
            Self::NoHeader => "Les douze lignes d'en-tête HPRIM manquent : vérifiez que c'est le bon fichier.",
            Self::NotText => "Ce n'est pas un fichier de texte : vérifiez que c'est le bon fichier.",
            Self::Pdf => "C'est un PDF : joignez-le tel quel à un courrier.",
            Self::Rtf => {
                "C'est un texte RTF : ouvrez-le dans un traitement de texte, ou joignez-le tel quel à un courrier."
            }
            Self::TooLarge => "Le fichier dépasse 10 Mo : envoyez-le en plusieurs fois.",
            Self::TooManyDocuments => "Le fichier contient plus de 1 000 documents : envoyez-le en plusieurs fois.",
            Self::TooManyLines => "Le fichier contient plus de 100 000 lignes : envoyez-le en plusieurs fois.",
        }
    }
}

/// Refuses `content`, a file without its byte order mark, when it is empty or in another format.
pub(super) fn refuse_other_formats(content: &[u8]) -> Result<(), HprimError> {
    if content.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x1A) {
        return Err(HprimError::Empty);
    }
    other_format(content).map_or(Ok(()), Err)
}

/// The other format that `content` starts like.
pub(super) fn other_format(content: &[u8]) -> Option<HprimError> {
    // Messages that were cut out of a connection keep the byte that opened them there.
    let message = content.strip_prefix(b"\x0B").unwrap_or(content);
    if is_hprim_sante(message) {
        Some(HprimError::HprimSante)
    } else if [b"MSH|".as_slice(), b"FHS|", b"BHS|"]
        .iter()
        .any(|start| message.starts_with(start))
    {
        Some(HprimError::Hl7)
    } else if is_armoured(content) {
        Some(HprimError::Armoured)
    } else if is_pdf(content) {
        Some(HprimError::Pdf)
    } else if is_rtf(content) {
        Some(HprimError::Rtf)
    } else {
        None
    }
}
