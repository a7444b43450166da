//! The strict writer: documents to the bytes of a file, with a warning for each thing that could not stay as it was.

use std::borrow::Cow;
use std::fmt;

use html_escape::decode_html_entities;

use super::charset::{self, Charset};
use super::date::DateLine;
use super::document::{Document, tidy_text};
use super::header::{Header, WIDTHS, without_controls};
use super::lab::{Lab, LabLine};
use super::lines::LineEnd;
use super::marker::{Marker, as_plain_text};
use super::read::text_of;
use super::refusal::other_format;
use super::spell::spell;
use super::warning::{Deviation, Warning, Warnings};

/// How to write. The default is what practice software expects: ISO-8859-1 and CR LF.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WriteOptions {
    /// The charset.
    pub charset: Charset,
    /// The end of each line.
    pub line_end: LineEnd,
}

/// A file as it was written.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// What changed on the way, or what receiving software may stumble over.
    pub warnings: Vec<Warning>,
}

impl fmt::Debug for Written {
    /// Says nothing of what was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Written {{ bytes: {}, warnings: {:?} }}",
            self.bytes.len(),
            self.warnings
        )
    }
}

/// Writes `documents` as one file.
#[must_use]
pub fn write(documents: &[Document], options: &WriteOptions) -> Written {
    let mut file = FileWriter {
        options,
        bytes: Vec::new(),
        text: String::new(),
        line: 0,
        warnings: Warnings::default(),
    };
    file.bytes.extend_from_slice(options.charset.mark());
    for document in documents {
        file.write_document(document);
    }
    file.put(Marker::FileEnd.line());
    file.note_ambiguity();
    Written {
        bytes: file.bytes,
        warnings: file.warnings.into_vec(),
    }
}

/// A file as it grows.
struct FileWriter<'a> {
    options: &'a WriteOptions,
    bytes: Vec<u8>,
    /// What the bytes are to be read as, each line closed by `\n`.
    text: String,
    /// Lines written.
    line: usize,
    warnings: Warnings,
}

impl FileWriter<'_> {
    fn write_document(&mut self, document: &Document) {
        self.write_header(&document.header);
        let text = tidy_text(&document.text);
        if !text.is_empty() {
            for line in text.split('\n') {
                let line = self.clean(line);
                let line = self.plain(line);
                self.put(&line);
            }
        }
        if let Some(lab) = &document.lab {
            self.write_lab(lab);
        }
        self.put(Marker::DocumentEnd.line());
    }

    fn write_header(&mut self, header: &Header) {
        let first = self.line;
        // Spelling comes first: it changes the width of the code field.
        let mut spelled: [String; WIDTHS.len()] = Default::default();
        for (line, place) in header.lines().iter().zip(&mut spelled) {
            *place = self.clean(line);
            self.line = self.line.saturating_add(1);
        }
        self.line = first;
        let strict = Header::from_lines(spelled).strict();
        let dates = [(6usize, strict.birth_line()), (9, strict.document_line())];
        for ((place, line), width) in strict.lines().iter().enumerate().zip(WIDTHS) {
            if width > 0 && line.chars().count() > width {
                self.warn(Deviation::FieldTooLong);
            }
            if dates.contains(&(place, DateLine::Unreadable)) {
                self.warn(Deviation::DateUnreadable);
            }
            let line = self.plain(line.clone());
            self.put(&line);
        }
    }

    fn write_lab(&mut self, lab: &Lab) {
        self.put(Marker::Lab.line());
        for line in &lab.lines {
            let fields: Vec<&str> = match line {
                LabLine::Result(result) => result.fields(),
                LabLine::Text(text) => vec!["TEX", text],
            };
            let fields: Vec<String> = fields.into_iter().map(|field| self.field(field)).collect();
            self.put(&fields.join("|"));
        }
    }

    fn field(&mut self, value: &str) -> String {
        let value = self.clean(value);
        if !value.contains('|') {
            return value;
        }
        self.warn(Deviation::SeparatorReplaced);
        value.replace('|', "¦")
    }

    /// `text` in characters of the charset, without control characters.
    fn clean(&mut self, text: &str) -> String {
        if text.chars().any(|c| c.is_control() && c != '\t') {
            self.warn(Deviation::ControlCharacter);
        }
        let text = without_controls(text);
        let (spelled, is_spelled) = spell(&text, self.options.charset);
        if is_spelled {
            self.warn(Deviation::CharacterSpelled);
        }
        if matches!(decode_html_entities(&*spelled), Cow::Borrowed(_)) {
            return spelled.into_owned();
        }
        self.warn(Deviation::EntityInText);
        spelled.replace('&', "& ")
    }

    /// `line` as something no reader takes for one of the format's own lines.
    fn plain(&mut self, line: String) -> String {
        // Other formats are told by the first line alone.
        let starts_other_format = self.line == 0 && other_format(line.as_bytes()).is_some();
        match as_plain_text(&line).or_else(|| starts_other_format.then(|| format!(" {line}"))) {
            Some(changed) => {
                self.warn(Deviation::MarkerInText);
                changed
            }
            None => line,
        }
    }

    fn put(&mut self, line: &str) {
        let charset = self.options.charset;
        charset::encode(line, charset, &mut self.bytes);
        for byte in self.options.line_end.bytes() {
            charset::encode(char::from(*byte).encode_utf8(&mut [0]), charset, &mut self.bytes);
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.line = self.line.saturating_add(1);
    }

    /// Nothing in a file says its charset: other software may guess like the reader here.
    fn note_ambiguity(&mut self) {
        let read = text_of(&self.bytes);
        let differs = |(written, read): (&str, &str)| written != read;
        if let Some(place) = self.text.lines().zip(read.split('\n')).position(differs) {
            self.warnings.note(Deviation::CharsetAmbiguous, place.saturating_add(1));
        }
    }

    /// Notes `deviation` for the line about to be written.
    fn warn(&mut self, deviation: Deviation) {
        self.warnings.note(deviation, self.line.saturating_add(1));
    }
}
