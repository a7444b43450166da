//! The lines of a file, however they end.

use std::ops::Range;

use super::marker::Marker;
use super::read::MAX_LINES;
use super::refusal::HprimError;
use super::warning::{Deviation, Warnings};

/// How lines end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LineEnd {
    /// 0D.
    Cr,
    /// 0D 0D 0A: CR LF that a program took for LF, and made CR LF of again.
    CrCrLf,
    /// 0D 0A, the strict form.
    #[default]
    CrLf,
    /// 0A.
    Lf,
    /// 0A 0D.
    LfCr,
}

impl LineEnd {
    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::CrCrLf => b"\r\r\n",
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::LfCr => b"\n\r",
        }
    }
}

/// One line of the file.
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    /// Its bytes in the file, line end excluded.
    pub(super) range: Range<usize>,
    /// Where the next line starts.
    pub(super) next: usize,
    pub(super) marker: Option<Marker>,
}

/// The line end most lines have. Lone pairs and single characters tell; runs of three and more are blank lines.
pub(super) fn usual_line_end(content: &[u8]) -> LineEnd {
    let (mut cr, mut cr_cr_lf, mut cr_lf, mut lf, mut lf_cr) = (0usize, 0usize, 0usize, 0usize, 0usize);
    let mut rest = content;
    while let Some(start) = rest.iter().position(|byte| is_line_byte(*byte)) {
        let run = rest.get(start..).unwrap_or_default();
        let length = run.iter().position(|byte| !is_line_byte(*byte)).unwrap_or(run.len());
        let (run, after) = run.split_at_checked(length).unwrap_or((run, &[]));
        let count = match run {
            [b'\r', b'\r', b'\n', ..] => &mut cr_cr_lf,
            [b'\r'] | [b'\r', b'\r', ..] => &mut cr,
            [b'\n'] | [b'\n', b'\n', ..] => &mut lf,
            [b'\n', ..] => &mut lf_cr,
            _ => &mut cr_lf,
        };
        *count = count.saturating_add(1);
        rest = after;
    }
    let most = cr.max(cr_cr_lf).max(cr_lf).max(lf).max(lf_cr);
    match most {
        _ if most == cr_lf => LineEnd::CrLf,
        _ if most == lf => LineEnd::Lf,
        _ if most == cr => LineEnd::Cr,
        _ if most == cr_cr_lf => LineEnd::CrCrLf,
        _ => LineEnd::LfCr,
    }
}

fn is_line_byte(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The lines of `content`: the bytes of each, and of its end.
pub(super) fn split(content: &[u8], usual: LineEnd) -> impl Iterator<Item = (Range<usize>, Option<LineEnd>)> {
    let mut start = 0usize;
    std::iter::from_fn(move || {
        let rest = content.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| is_line_byte(*byte)).unwrap_or(rest.len());
        let line_end = match rest.get(length..).unwrap_or_default() {
            [] => None,
            [b'\r', b'\r', b'\n', ..] if usual == LineEnd::CrCrLf => Some(LineEnd::CrCrLf),
            [b'\n', b'\r', ..] if usual == LineEnd::LfCr => Some(LineEnd::LfCr),
            [b'\r', b'\n', ..] => Some(LineEnd::CrLf),
            [b'\r', ..] => Some(LineEnd::Cr),
            _ => Some(LineEnd::Lf),
        };
        let end = start.saturating_add(length);
        let range = start..end;
        start = end.saturating_add(line_end.map_or(0, |line_end| line_end.bytes().len()));
        Some((range, line_end))
    })
}

/// The lines of `content` with their markers, no more than [`MAX_LINES`].
pub(super) fn split_lines(content: &[u8], usual: LineEnd, warnings: &mut Warnings) -> Result<Vec<Line>, HprimError> {
    let mut lines = Vec::new();
    for ((range, line_end), number) in split(content, usual).zip(1..) {
        if number > MAX_LINES {
            return Err(HprimError::TooManyLines);
        }
        if line_end.is_some_and(|line_end| line_end != usual) {
            warnings.note(Deviation::LineEndsMixed, number);
        }
        let line = content.get(range.clone()).unwrap_or_default();
        let end_length = line_end.map_or(0, |line_end| line_end.bytes().len());
        lines.push(Line {
            number,
            next: range.end.saturating_add(end_length),
            range,
            marker: Marker::of(line),
        });
    }
    Ok(lines)
}
