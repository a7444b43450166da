//! The tolerant reader: bytes of a file to documents, with a warning for each deviation.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use html_escape::decode_html_entities;

use super::charset::Charset;
use super::date::{DateForm, DateLine};
use super::document::{Document, tidy_lines};
use super::guess::{guess, line_text};
use super::header::{Header, LINES, WIDTHS, without_controls};
use super::lab::{FIELDS, Flag, Lab, LabLine, LabResult, Prefix, ResultKind, ResultStatus, is_exactly_marked, marked};
use super::lines::{Line, LineEnd, split, split_lines, usual_line_end};
use super::marker::{Marker, is_armoured, is_pdf, is_rtf};
use super::place::PlaceForm;
use super::refusal::{HprimError, refuse_other_formats};
use super::source::Source;
use super::warning::{Deviation, Warning, Warnings};

/// The longest file read, in bytes: the largest message ever granted.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

/// The most lines read.
pub const MAX_LINES: usize = 100_000;

/// The most documents read from one file.
pub const MAX_DOCUMENTS: usize = 1_000;

/// Blank lines before a header that are looked past.
const MAX_SHIFT: usize = 3;

/// The fewest and most fields of a `RES` line that count as usual, `RES` included.
const FIELD_RANGE: RangeInclusive<usize> = 4..=FIELDS;

/// A file as it was read.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The documents, in their order; at least one.
    pub documents: Vec<Document>,
    /// For each document, its bytes in the file, `****FIN****` included.
    pub ranges: Vec<Range<usize>>,
    /// What stood outside the documents: text after the end, or too few lines to be one. Lines separated by `\n`.
    pub stray: String,
    /// The charset found.
    pub encoding: Charset,
    /// The usual line end of the file.
    pub line_end: LineEnd,
    /// Every deviation from the strict format, in the order of the file.
    pub warnings: Vec<Warning>,
}

impl Reading {
    /// What a person reads of all the documents, one after the other, and then what stood outside them.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let mut texts: Vec<String> = self.documents.iter().map(Document::plain_text).collect();
        if !self.stray.is_empty() {
            texts.push(self.stray.clone());
        }
        texts.join("\n\n")
    }
}

impl fmt::Debug for Reading {
    /// Says nothing of what was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Reading {{ documents: {}, warnings: {:?}, .. }}",
            self.documents.len(),
            self.warnings
        )
    }
}

/// Reads an HPRIM file, however it was written.
///
/// # Errors
///
/// When there is no document to read in it, or it is over a limit.
pub fn read(bytes: &[u8]) -> Result<Reading, HprimError> {
    if bytes.len() > MAX_BYTES {
        return Err(HprimError::TooLarge);
    }
    let mut warnings = Warnings::default();
    let source = open(bytes, &mut warnings);
    refuse_other_formats(&source.bytes)?;
    let content = match source.bytes.strip_suffix(b"\x1A") {
        Some(content) => {
            warnings.note(Deviation::EndOfFileByte, 0);
            content
        }
        None => &source.bytes,
    };
    let line_end = usual_line_end(content);
    if line_end != LineEnd::CrLf {
        warnings.note(Deviation::LineEndNotCrlf, 0);
    }
    let mut file = FileReader {
        bytes: content,
        charset: source.charset,
        has_marker: false,
        warnings,
        documents: Vec::new(),
        ranges: Vec::new(),
        stray: Vec::new(),
    };
    file.read_lines(line_end).map_err(|error| match error {
        // Only now: a letter with a stray NUL in it can still be read.
        _ if content.contains(&0) => HprimError::NotText,
        HprimError::NoHeader if clean(content, source.charset).trim().is_empty() => HprimError::Empty,
        error => error,
    })?;
    let FileReader {
        documents,
        mut ranges,
        stray,
        warnings,
        ..
    } = file;
    source.place_in_file(&mut ranges);
    Ok(Reading {
        documents,
        ranges,
        stray: tidy_lines(&stray, String::as_str).join("\n"),
        encoding: source.charset,
        line_end,
        warnings: warnings.into_vec(),
    })
}

/// All of a file as text, lines separated by `\n`, whether it is HPRIM or not; nothing of one that is no text.
#[must_use]
pub fn text_of(bytes: &[u8]) -> String {
    if matches!(read(bytes), Err(HprimError::NotText | HprimError::Pdf)) {
        return String::new();
    }
    let source = open(bytes, &mut Warnings::default());
    let bytes = &*source.bytes;
    let lines: Vec<String> = split(bytes, usual_line_end(bytes))
        .filter_map(|(range, _)| bytes.get(range))
        .map(|line| clean(line, source.charset))
        .collect();
    lines.join("\n")
}

/// The charset [`read`](fn@read) would take `bytes` to be in, whether they are HPRIM or not.
#[must_use]
pub fn charset_of(bytes: &[u8]) -> Charset {
    guess(bytes).charset
}

fn clean(line: &[u8], charset: Charset) -> String {
    without_controls(&line_text(line, charset).0)
}

fn open<'a>(bytes: &'a [u8], warnings: &mut Warnings) -> Source<'a> {
    let guess = guess(bytes);
    let deviation = match guess.charset {
        Charset::Cp850 => Some(Deviation::CharsetCp850),
        Charset::Iso8859_1 => None,
        Charset::MacRoman => Some(Deviation::CharsetMacRoman),
        Charset::Utf16Be | Charset::Utf16Le => Some(Deviation::CharsetUtf16),
        Charset::Utf8 | Charset::Utf8Bom => Some(Deviation::CharsetUtf8),
        Charset::Windows1252 => Some(Deviation::CharsetWindows1252),
    };
    if guess.charset == Charset::Utf8Bom {
        warnings.note(Deviation::ByteOrderMark, 1);
    }
    if let Some(deviation) = deviation {
        warnings.note(deviation, 0);
    }
    if guess.is_unmarked {
        warnings.note(Deviation::ByteOrderMarkMissing, 0);
    }
    if guess.is_doubtful {
        warnings.note(Deviation::CharsetDoubtful, 0);
    }
    Source::new(bytes, guess.charset, warnings)
}

/// A file on its way to documents.
struct FileReader<'a> {
    bytes: &'a [u8],
    charset: Charset,
    has_marker: bool,
    warnings: Warnings,
    documents: Vec<Document>,
    ranges: Vec<Range<usize>>,
    stray: Vec<String>,
}

impl<'a> FileReader<'a> {
    fn read_lines(&mut self, line_end: LineEnd) -> Result<(), HprimError> {
        let lines = split_lines(self.bytes, line_end, &mut self.warnings)?;
        self.has_marker = lines.iter().any(|line| line.marker.is_some());
        self.read_documents(&lines)?;
        if self.documents.is_empty() {
            return Err(HprimError::NoHeader);
        }
        Ok(())
    }

    fn read_documents(&mut self, lines: &[Line]) -> Result<(), HprimError> {
        let mut rest = lines;
        let mut is_past_end = false;
        loop {
            let end = rest
                .iter()
                .position(|line| matches!(line.marker, Some(Marker::DocumentEnd | Marker::FileEnd)));
            let Some(end) = end else {
                if is_past_end {
                    self.keep_stray(rest);
                    return Ok(());
                }
                if self.read_document(rest)? {
                    self.warnings.note(Deviation::DocumentEndMissing, last_number(rest));
                }
                self.warnings.note(Deviation::FileEndMissing, last_number(lines));
                return Ok(());
            };
            let (segment, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            let Some((marker_line, after)) = tail.split_first() else {
                return Ok(());
            };
            rest = after;
            if is_past_end && !self.is_named_document(segment) {
                self.keep_stray(segment);
                self.warnings.note(Deviation::MarkerRepeated, marker_line.number);
                continue;
            }
            if is_past_end {
                self.warnings.note(Deviation::DocumentAfterEnd, first_number(segment));
            }
            self.note_exactness(marker_line);
            let is_document = self.read_document(segment)?;
            match (marker_line.marker, is_document) {
                (Some(Marker::DocumentEnd), true) => {
                    if let Some(range) = self.ranges.last_mut() {
                        range.end = marker_line.next;
                    }
                }
                (Some(Marker::DocumentEnd), false) => {
                    self.warnings.note(Deviation::MarkerRepeated, marker_line.number);
                }
                (_, is_document) => {
                    if is_document {
                        self.warnings.note(Deviation::DocumentEndMissing, marker_line.number);
                    }
                    is_past_end = true;
                }
            }
        }
    }

    /// Text after the end is no document, unless it has all that files one: another file was appended then.
    fn is_named_document(&self, segment: &[Line]) -> bool {
        let shifted = segment.get(self.shift(segment)..).unwrap_or_default();
        let mut lines: [String; LINES] = Default::default();
        for (place, line) in lines.iter_mut().zip(shifted) {
            *place = self.text(line);
        }
        let header = Header::from_lines(lines);
        shifted.len() >= LINES
            && !(header.surname().is_empty() || header.given().is_empty())
            && header.birth_date().is_some()
    }

    fn keep_stray(&mut self, lines: &[Line]) {
        for line in lines {
            if line.marker.is_some() {
                self.warnings.note(Deviation::MarkerRepeated, line.number);
                continue;
            }
            let text = self.text(line);
            if !text.trim().is_empty() {
                self.warnings.note(Deviation::TextAfterEnd, line.number);
            }
            self.stray.push(text);
        }
    }

    /// Reads the lines up to an end marker, and says whether they were a document.
    fn read_document(&mut self, segment: &[Line]) -> Result<bool, HprimError> {
        if segment.iter().all(|line| self.is_blank(line)) {
            return Ok(false);
        }
        let shift = self.shift(segment);
        let shifted = segment.get(shift..).unwrap_or_default();
        let Some((header_lines, body)) = shifted.split_at_checked(LINES) else {
            if self.documents.is_empty() {
                return Err(HprimError::NoHeader);
            }
            self.warnings.note(Deviation::DocumentTruncated, first_number(segment));
            let texts: Vec<String> = segment.iter().map(|line| self.text(line)).collect();
            self.stray.extend(texts);
            return Ok(false);
        };
        if self.documents.len() == MAX_DOCUMENTS {
            return Err(HprimError::TooManyDocuments);
        }
        if shift > 0 {
            self.warnings.note(Deviation::HeaderShifted, first_number(segment));
        }
        let header = self.read_header(header_lines)?;
        let (text, lab) = self.read_body(body);
        self.documents.push(Document { header, text, lab });
        let start = header_lines.first().map_or(0, |line| line.range.start);
        let end = shifted.last().map_or(start, |line| line.next);
        self.ranges.push(start..end);
        Ok(true)
    }

    /// Blank lines before the header: there are some when line 7 is a date only past them.
    fn shift(&self, segment: &[Line]) -> usize {
        let birth_line = |shift: usize| segment.get(LINES.saturating_div(2).saturating_add(shift));
        let has_date = |shift: usize| {
            birth_line(shift).is_some_and(|line| DateLine::read(&self.text(line), None).date().is_some())
        };
        // Blank lines that a header of twelve needs are its own.
        let spare = segment.len().saturating_sub(LINES).min(MAX_SHIFT);
        let blanks = segment
            .iter()
            .take(spare)
            .take_while(|line| self.is_blank(line))
            .count();
        if has_date(0) {
            0
        } else {
            (1..=blanks).find(|&shift| has_date(shift)).unwrap_or(0)
        }
    }

    fn read_header(&mut self, header_lines: &[Line]) -> Result<Header, HprimError> {
        let first = first_number(header_lines);
        let mut lines: [String; LINES] = Default::default();
        for ((line, place), width) in header_lines.iter().zip(&mut lines).zip(WIDTHS) {
            let text = self.clean_text(line);
            *place = self.without_entities(text, line.number);
            if width > 0 && place.trim().chars().count() > width {
                self.warnings.note(Deviation::FieldTooLong, line.number);
            }
        }
        let header = Header::from_lines(lines);
        // Any text has twelve lines sooner or later: a date of birth or the format's own lines make it HPRIM.
        if header.birth_date().is_none() && !self.has_marker {
            return Err(HprimError::NoHeader);
        }
        let line = |place: usize| first.saturating_add(place);
        if header.surname().is_empty() {
            self.warnings.note(Deviation::SurnameMissing, line(1));
        }
        if header.given().is_empty() {
            self.warnings.note(Deviation::GivenNameMissing, line(2));
        }
        match header.place_form() {
            PlaceForm::Joined => self.warnings.note(Deviation::PostcodeJoined, line(5)),
            PlaceForm::Other => self.warnings.note(Deviation::PostcodeInexact, line(5)),
            PlaceForm::Strict => {}
        }
        if header.birth_line() == DateLine::Blank {
            self.warnings.note(Deviation::BirthDateMissing, line(6));
        }
        self.note_date(header.birth_line(), line(6));
        if header.is_nir_inexact() {
            self.warnings.note(Deviation::NirInexact, line(7));
        }
        if header.is_nir_malformed() {
            self.warnings.note(Deviation::NirMalformed, line(7));
        }
        if header.nir().is_some_and(|nir| nir.key_fits() == Some(false)) {
            self.warnings.note(Deviation::NirKeyWrong, line(7));
        }
        self.note_date(header.document_line(), line(9));
        if header
            .birth_date()
            .zip(header.document_date())
            .is_some_and(|(birth, document)| birth > document)
        {
            self.warnings.note(Deviation::BirthAfterDocument, line(6));
        }
        for place in header.ambiguous_parties() {
            self.warnings.note(Deviation::PartyAmbiguous, line(place));
        }
        Ok(header)
    }

    fn note_date(&mut self, date: DateLine, line: usize) {
        match date {
            DateLine::Blank | DateLine::Written(_, DateForm::Strict) => {}
            DateLine::Unreadable => self.warnings.note(Deviation::DateUnreadable, line),
            DateLine::Written(_, DateForm::Other) => self.warnings.note(Deviation::DateFormat, line),
            DateLine::Written(_, DateForm::TwoDigitYear) => self.warnings.note(Deviation::TwoDigitYear, line),
        }
    }

    fn read_body(&mut self, body: &[Line]) -> (String, Option<Lab>) {
        if let [blank, rest @ ..] = body
            && self.is_blank(blank)
            && !rest.is_empty()
        {
            self.warnings.note(Deviation::ThirteenthLine, blank.number);
        }
        let mut text = Vec::new();
        let mut lab: Option<Lab> = None;
        let mut blanks = 0usize;
        let mut has_result = false;
        for line in body {
            if line.marker == Some(Marker::Lab) {
                self.note_exactness(line);
                if lab.is_some() {
                    self.warnings.note(Deviation::MarkerRepeated, line.number);
                }
                lab.get_or_insert_default();
                continue;
            }
            let content = self.clean_text(line);
            self.note_format(&content, line.number);
            if lab.is_none() && marked(&content).is_some() {
                self.warnings.note(Deviation::ResultOutsideLab, line.number);
                lab = Some(Lab::default());
            }
            let Some(lab) = &mut lab else {
                let content = self.without_entities(content, line.number);
                text.push(content);
                continue;
            };
            if content.trim().is_empty() {
                blanks = blanks.saturating_add(1);
                continue;
            }
            if blanks > 0 {
                self.warnings
                    .note(Deviation::BlankLineInResults, line.number.saturating_sub(1));
                blanks = 0;
            }
            let lab_line = self.read_lab_line(content, line.number, !has_result);
            has_result |= matches!(lab_line, LabLine::Result(_));
            lab.lines.push(lab_line);
        }
        (tidy_lines(&text, String::as_str).join("\n"), lab)
    }

    fn read_lab_line(&mut self, content: String, number: usize, is_first: bool) -> LabLine {
        if marked(&content).is_some() && !is_exactly_marked(&content) {
            self.warnings.note(Deviation::LabPrefixInexact, number);
        }
        match marked(&content) {
            Some((Prefix::Tex, text)) => LabLine::Text(self.without_entities(text.to_owned(), number)),
            Some((Prefix::Res, line)) => LabLine::Result(Box::new(self.read_result(line, number, is_first))),
            None => {
                self.warnings.note(Deviation::UnmarkedLabLine, number);
                LabLine::Text(self.without_entities(content, number))
            }
        }
    }

    fn read_result(&mut self, line: &str, number: usize, is_first: bool) -> LabResult {
        // The last one is all that follows the fourteen.
        let fields: Vec<&str> = line.splitn(FIELDS.saturating_add(1), '|').collect();
        match fields.get(FIELDS..).unwrap_or_default() {
            [] if FIELD_RANGE.contains(&fields.len()) => {}
            [""] => self.warnings.note(Deviation::TrailingSeparator, number),
            _ => self.warnings.note(Deviation::ResultFieldCount, number),
        }
        // Only now: a separator that was written as an entity separates nothing.
        let fields: Vec<String> = fields
            .into_iter()
            .map(|field| self.without_entities(field.to_owned(), number))
            .collect();
        let result = LabResult::read(&fields);
        if matches!(result.kind, ResultKind::Other(_)) {
            self.warnings.note(Deviation::ResultKindUnknown, number);
        }
        if matches!(result.flag, Flag::Other(_)) {
            self.warnings.note(Deviation::ResultFlagUnknown, number);
        }
        if matches!(result.status, ResultStatus::Other(_)) {
            self.warnings.note(Deviation::ResultStatusUnknown, number);
        }
        if result.kind == ResultKind::Numeric && !result.value.trim().is_empty() {
            if result.number().is_none() {
                self.warnings.note(Deviation::ResultNotNumeric, number);
            } else if result.value.contains(',') {
                self.warnings.note(Deviation::DecimalComma, number);
            }
        }
        if result.continues() && is_first {
            self.warnings.note(Deviation::OrphanContinuation, number);
        }
        result
    }

    fn note_format(&mut self, line: &str, number: usize) {
        let line = line.as_bytes();
        let deviation = if is_armoured(line) {
            Deviation::ArmouredPart
        } else if is_pdf(line) {
            Deviation::PdfPart
        } else if is_rtf(line) {
            Deviation::RtfPart
        } else {
            return;
        };
        self.warnings.note(deviation, number);
    }

    fn without_entities(&mut self, text: String, number: usize) -> String {
        match decode_html_entities(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(decoded) => {
                self.warnings.note(Deviation::HtmlEntity, number);
                without_controls(&decoded)
            }
        }
    }

    fn note_exactness(&mut self, line: &Line) {
        let written = self.raw(line);
        if line.marker.is_some_and(|marker| marker.line().as_bytes() != written) {
            self.warnings.note(Deviation::MarkerInexact, line.number);
        }
    }

    /// The line without control characters; those it had are noted.
    fn clean_text(&mut self, line: &Line) -> String {
        let (text, deviation) = line_text(self.raw(line), self.charset);
        if let Some(deviation) = deviation {
            self.warnings.note(deviation, line.number);
        }
        if text.chars().any(|c| c.is_control() && c != '\t') {
            self.warnings.note(Deviation::ControlCharacter, line.number);
        }
        without_controls(&text)
    }

    fn text(&self, line: &Line) -> String {
        clean(self.raw(line), self.charset)
    }

    fn raw(&self, line: &Line) -> &'a [u8] {
        self.bytes.get(line.range.clone()).unwrap_or_default()
    }

    fn is_blank(&self, line: &Line) -> bool {
        let raw = self.raw(line);
        let first = raw.iter().find(|byte| !(byte.is_ascii_control() || **byte == b' '));
        match first {
            None => true,
            // A space can be written in many ways.
            Some(byte) if *byte == b'&' || !byte.is_ascii() => {
                without_controls(&decode_html_entities(&self.text(line)))
                    .trim()
                    .is_empty()
            }
            Some(_) => false,
        }
    }
}

fn first_number(lines: &[Line]) -> usize {
    lines.first().map_or(0, |line| line.number)
}

fn last_number(lines: &[Line]) -> usize {
    lines.last().map_or(0, |line| line.number)
}
