//! The lines the format keeps for itself, and what other formats start with.

use super::lab;

/// A line that structures the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Marker {
    DocumentEnd,
    FileEnd,
    Lab,
}

impl Marker {
    /// The line as it is written.
    pub(super) const fn line(self) -> &'static str {
        match self {
            Self::DocumentEnd => "****FIN****",
            Self::FileEnd => "****FINFICHIER****",
            Self::Lab => "****LAB****",
        }
    }

    /// The marker `line` is, white space around it and case aside.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        [Self::DocumentEnd, Self::FileEnd, Self::Lab]
            .into_iter()
            .find(|marker| line.eq_ignore_ascii_case(marker.line().as_bytes()))
    }
}

/// Whether `bytes` start as HPRIM Santé and ASTM files do: `H` and the separators they declare.
pub(super) fn is_hprim_sante(bytes: &[u8]) -> bool {
    bytes
        .strip_prefix(b"H")
        .and_then(|rest| rest.get(..4))
        .is_some_and(|four| four.iter().all(u8::is_ascii_punctuation))
}

/// Whether `bytes` start with the armour of APICRYPT v1.
pub(super) fn is_armoured(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"#BINASCII1#")
}

/// Whether `bytes` start as a PDF does.
pub(super) fn is_pdf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-")
}

/// Whether `bytes` start as a text in RTF does.
pub(super) fn is_rtf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{\\rtf")
}

/// `line` changed so that no reader takes it for one of the format's own; `None` when none would.
pub(super) fn as_plain_text(line: &str) -> Option<String> {
    if Marker::of(line.as_bytes()).is_some() {
        return Some(format!("**** {} ****", line.trim().trim_matches('*')));
    }
    if is_armoured(line.as_bytes()) {
        return Some(line.replacen('#', "# ", 1));
    }
    lab::marked(line).map(|_| line.replacen('|', "¦", 1))
}
