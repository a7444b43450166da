//! The tolerant reader: bytes of a file to documents, with a warning for each deviation.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use super::charset::{self, BOM, Charset};
use super::date::{DateForm, DateLine};
use super::document::{Document, tidy_lines};
use super::header::{Header, LINES, WIDTHS, without_controls};
use super::lab::{FIELDS, Flag, Lab, LabLine, LabResult, Prefix, ResultKind, ResultStatus, marked};
use super::marker::{Marker, is_armoured, is_hprim_sante};
use super::warning::{Deviation, Warning, Warnings};
use crate::code::coded;

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
    /// What a person reads of all the documents, one after the other.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let texts: Vec<String> = self.documents.iter().map(Document::plain_text).collect();
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

/// How lines end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LineEnd {
    /// 0D.
    Cr,
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
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::LfCr => b"\n\r",
        }
    }
}

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
    /// `H|~^\&`.
    #[error("this is an HPRIM Santé (ASTM) file, another format: open it in the laboratory software")]
    HprimSante,
    /// Fewer than twelve lines, or twelve that are no header.
    #[error("the twelve header lines of HPRIM are missing: check that this is the right file")]
    NoHeader,
    /// NUL bytes.
    #[error("this is not a text file: check that this is the right file")]
    NotText,
    /// Over [`MAX_BYTES`].
    #[error("the file is larger than 10 MB: send it in parts")]
    TooLarge,
    /// Over [`MAX_DOCUMENTS`].
    #[error("the file holds more than 1,000 documents: send it in parts")]
    TooManyDocuments,
    /// Over [`MAX_LINES`].
    #[error("the file holds more than 100,000 lines: send it in parts")]
    TooManyLines,
    /// A byte order mark of UTF-16.
    #[error("the file is in UTF-16: save it as ISO-8859-1 or UTF-8")]
    Utf16,
}

coded! {
    HprimError {
        Armoured = "hprim-armoured",
        Empty = "hprim-empty",
        HprimSante = "hprim-sante",
        NoHeader = "hprim-no-header",
        NotText = "hprim-not-text",
        TooLarge = "hprim-too-large",
        TooManyDocuments = "hprim-too-many-documents",
        TooManyLines = "hprim-too-many-lines",
        Utf16 = "hprim-utf16",
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
            Self::HprimSante => {
                "C'est un fichier HPRIM Santé (ASTM), un autre format : ouvrez-le dans le logiciel de laboratoire."
            }
            Self::NoHeader => "Les douze lignes d'en-tête HPRIM manquent : vérifiez que c'est le bon fichier.",
            Self::NotText => "Ce n'est pas un fichier de texte : vérifiez que c'est le bon fichier.",
            Self::TooLarge => "Le fichier dépasse 10 Mo : envoyez-le en plusieurs fois.",
            Self::TooManyDocuments => "Le fichier contient plus de 1 000 documents : envoyez-le en plusieurs fois.",
            Self::TooManyLines => "Le fichier contient plus de 100 000 lignes : envoyez-le en plusieurs fois.",
            Self::Utf16 => "Le fichier est en UTF-16 : enregistrez-le en ISO-8859-1 ou en UTF-8.",
        }
    }
}

/// Reads an HPRIM file, however it was written.
///
/// # Errors
///
/// When there is no document to read in it, or it is over a limit.
pub fn read(bytes: &[u8]) -> Result<Reading, HprimError> {
    let content_start = refuse_other_formats(bytes)?;
    let mut warnings = Warnings::default();
    let encoding = note_charset(bytes, &mut warnings);
    let content_end = match bytes.strip_suffix(b"\x1A") {
        Some(rest) => {
            warnings.note(Deviation::EndOfFileByte, 0);
            rest.len().max(content_start)
        }
        None => bytes.len(),
    };
    let content = bytes.get(content_start..content_end).unwrap_or_default();
    let line_end = usual_line_end(content);
    if line_end != LineEnd::CrLf {
        warnings.note(Deviation::LineEndNotCrlf, 0);
    }
    let lines = split_lines(content, content_start, line_end, &mut warnings)?;

    let has_marker = lines.iter().any(|line| line.marker.is_some());
    let mut file = FileReader {
        bytes,
        encoding,
        lines: &lines,
        has_marker,
        warnings,
        documents: Vec::new(),
        ranges: Vec::new(),
        stray: Vec::new(),
    };
    file.read_documents()?;
    let FileReader {
        documents,
        ranges,
        stray,
        warnings,
        ..
    } = file;
    if documents.is_empty() {
        return Err(HprimError::NoHeader);
    }
    let stray = tidy_lines(&stray, String::as_str).join("\n");
    Ok(Reading {
        documents,
        ranges,
        stray,
        encoding,
        line_end,
        warnings: warnings.into_vec(),
    })
}

/// The charset [`read`](fn@read) would take `bytes` to be in, whether they are HPRIM or not.
#[must_use]
pub fn charset_of(bytes: &[u8]) -> Charset {
    charset::detect(bytes).unwrap_or(Charset::Utf8Bom)
}

/// Where the content starts, past a byte order mark.
fn refuse_other_formats(bytes: &[u8]) -> Result<usize, HprimError> {
    if bytes.len() > MAX_BYTES {
        return Err(HprimError::TooLarge);
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(HprimError::Utf16);
    }
    let content = bytes.strip_prefix(BOM).unwrap_or(bytes);
    if content.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x1A) {
        return Err(HprimError::Empty);
    }
    if is_hprim_sante(content) {
        return Err(HprimError::HprimSante);
    }
    if is_armoured(content) {
        return Err(HprimError::Armoured);
    }
    if content.contains(&0) {
        return Err(HprimError::NotText);
    }
    Ok(bytes.len().saturating_sub(content.len()))
}

fn note_charset(bytes: &[u8], warnings: &mut Warnings) -> Charset {
    if bytes.starts_with(BOM) {
        warnings.note(Deviation::ByteOrderMark, 1);
    }
    let Some(encoding) = charset::detect(bytes) else {
        warnings.note(Deviation::InvalidUtf8, 0);
        return Charset::Utf8Bom;
    };
    match encoding {
        Charset::Iso8859_1 => {}
        Charset::Utf8 | Charset::Utf8Bom => warnings.note(Deviation::CharsetUtf8, 0),
        Charset::Windows1252 => {
            warnings.note(Deviation::CharsetWindows1252, 0);
            // 8E is Ž here, and é in MacRoman: French has far more of the latter.
            if bytes
                .iter()
                .any(|byte| matches!(byte, 0x81 | 0x8D | 0x8E | 0x8F | 0x90 | 0x9D))
            {
                warnings.note(Deviation::CharsetDoubtful, 0);
            }
        }
    }
    encoding
}

/// One line of the file.
struct Line {
    /// From 1.
    number: usize,
    /// Its bytes in the file, line end excluded.
    range: Range<usize>,
    /// Where the next line starts.
    next: usize,
    marker: Option<Marker>,
}

/// The line end most lines have. Lone pairs and single characters tell; runs of three and more are blank lines.
fn usual_line_end(content: &[u8]) -> LineEnd {
    let (mut cr, mut cr_lf, mut lf, mut lf_cr) = (0usize, 0usize, 0usize, 0usize);
    let mut rest = content;
    while let Some(start) = rest.iter().position(|byte| is_line_byte(*byte)) {
        let run = rest.get(start..).unwrap_or_default();
        let length = run.iter().position(|byte| !is_line_byte(*byte)).unwrap_or(run.len());
        let (run, after) = run.split_at_checked(length).unwrap_or((run, &[]));
        let count = match run {
            [b'\r'] | [b'\r', b'\r', ..] => &mut cr,
            [b'\n'] | [b'\n', b'\n', ..] => &mut lf,
            [b'\n', ..] => &mut lf_cr,
            _ => &mut cr_lf,
        };
        *count = count.saturating_add(1);
        rest = after;
    }
    let most = cr.max(cr_lf).max(lf).max(lf_cr);
    match most {
        _ if most == cr_lf => LineEnd::CrLf,
        _ if most == lf => LineEnd::Lf,
        _ if most == cr => LineEnd::Cr,
        _ => LineEnd::LfCr,
    }
}

fn is_line_byte(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The lines of `content`, which starts at `offset` in the file.
fn split_lines(
    content: &[u8],
    offset: usize,
    usual: LineEnd,
    warnings: &mut Warnings,
) -> Result<Vec<Line>, HprimError> {
    let mut lines = Vec::new();
    let mut rest = content;
    let mut start = offset;
    while !rest.is_empty() {
        if lines.len() == MAX_LINES {
            return Err(HprimError::TooManyLines);
        }
        let number = lines.len().saturating_add(1);
        let length = rest.iter().position(|byte| is_line_byte(*byte)).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        let line_end = match after {
            [] => None,
            [b'\n', b'\r', ..] if usual == LineEnd::LfCr => Some(LineEnd::LfCr),
            [b'\r', b'\n', ..] => Some(LineEnd::CrLf),
            [b'\r', ..] => Some(LineEnd::Cr),
            _ => Some(LineEnd::Lf),
        };
        if line_end.is_some_and(|line_end| line_end != usual) {
            warnings.note(Deviation::LineEndsMixed, number);
        }
        let end_length = line_end.map_or(0, |line_end| line_end.bytes().len());
        let end = start.saturating_add(length);
        let next = end.saturating_add(end_length);
        lines.push(Line {
            number,
            range: start..end,
            next,
            marker: Marker::of(line),
        });
        rest = after.get(end_length..).unwrap_or_default();
        start = next;
    }
    Ok(lines)
}

/// A file on its way to documents.
struct FileReader<'a> {
    bytes: &'a [u8],
    encoding: Charset,
    lines: &'a [Line],
    has_marker: bool,
    warnings: Warnings,
    documents: Vec<Document>,
    ranges: Vec<Range<usize>>,
    stray: Vec<String>,
}

impl<'a> FileReader<'a> {
    fn read_documents(&mut self) -> Result<(), HprimError> {
        let mut rest = self.lines;
        loop {
            let end = rest
                .iter()
                .position(|line| matches!(line.marker, Some(Marker::DocumentEnd | Marker::FileEnd)));
            let Some(end) = end else {
                if self.read_document(rest)? {
                    self.warnings.note(Deviation::DocumentEndMissing, last_number(rest));
                }
                self.warnings.note(Deviation::FileEndMissing, last_number(self.lines));
                return Ok(());
            };
            let (segment, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            let Some((marker_line, after)) = tail.split_first() else {
                return Ok(());
            };
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
                    self.read_after_end(after);
                    return Ok(());
                }
            }
            rest = after;
        }
    }

    /// What follows `****FINFICHIER****` is kept as text: nothing tells whether it is meant to be a document.
    fn read_after_end(&mut self, lines: &[Line]) {
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
    fn read_document(&mut self, segment: &'a [Line]) -> Result<bool, HprimError> {
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
            *place = self.clean_text(line);
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
        if header.is_postcode_joined() {
            self.warnings.note(Deviation::PostcodeJoined, line(5));
        }
        if header.birth_line() == DateLine::Blank {
            self.warnings.note(Deviation::BirthDateMissing, line(6));
        }
        self.note_date(header.birth_line(), line(6));
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

    fn read_body(&mut self, body: &'a [Line]) -> (String, Option<Lab>) {
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
            if is_armoured(content.as_bytes()) {
                self.warnings.note(Deviation::ArmouredPart, line.number);
            }
            if lab.is_none() && marked(&content).is_some() {
                self.warnings.note(Deviation::ResultOutsideLab, line.number);
                lab = Some(Lab::default());
            }
            let Some(lab) = &mut lab else {
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
        match marked(&content) {
            Some((Prefix::Tex, text)) => LabLine::Text(text.to_owned()),
            Some((Prefix::Res, line)) => LabLine::Result(Box::new(self.read_result(line, number, is_first))),
            None => {
                self.warnings.note(Deviation::UnmarkedLabLine, number);
                LabLine::Text(content)
            }
        }
    }

    fn read_result(&mut self, line: &str, number: usize, is_first: bool) -> LabResult {
        // One more than is kept tells a trailing separator from a field too many.
        let fields: Vec<&str> = line.splitn(FIELDS.saturating_add(2), '|').collect();
        match fields.get(FIELDS..).unwrap_or_default() {
            [] if FIELD_RANGE.contains(&fields.len()) => {}
            [""] => self.warnings.note(Deviation::TrailingSeparator, number),
            _ => self.warnings.note(Deviation::ResultFieldCount, number),
        }
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

    fn note_exactness(&mut self, line: &Line) {
        let written = self.raw(line);
        if line.marker.is_some_and(|marker| marker.line().as_bytes() != written) {
            self.warnings.note(Deviation::MarkerInexact, line.number);
        }
    }

    /// The line without control characters; those it had are noted.
    fn clean_text(&mut self, line: &Line) -> String {
        let written = charset::decode(self.raw(line), self.encoding);
        if written.chars().any(|c| c.is_control() && c != '\t') {
            self.warnings.note(Deviation::ControlCharacter, line.number);
        }
        without_controls(&written)
    }

    fn text(&self, line: &Line) -> String {
        without_controls(&charset::decode(self.raw(line), self.encoding))
    }

    fn raw(&self, line: &Line) -> &'a [u8] {
        self.bytes.get(line.range.clone()).unwrap_or_default()
    }

    fn is_blank(&self, line: &Line) -> bool {
        self.raw(line).trim_ascii().is_empty()
    }
}

fn first_number(lines: &[Line]) -> usize {
    lines.first().map_or(0, |line| line.number)
}

fn last_number(lines: &[Line]) -> usize {
    lines.last().map_or(0, |line| line.number)
}
