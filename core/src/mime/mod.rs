//! A letter and its MIME form: what is sealed, and what `.eml` export writes, byte for byte.
//! Not here: reading HPRIM (`crate::hprim`), sealing, storing. The shape of the message is in `docs/hprim.md`, "In a mail".
//! Read next: [`Letter`], [`compose`], [`parse`].

use std::fmt;
use std::fmt::Write as _;
use std::panic::catch_unwind;

use mail_builder::headers::raw::Raw;
use mail_builder::headers::{HeaderType, content_type as builder};
use mail_builder::mime::{BodyPart, MimePart};
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};
use mail_parser::{ContentType, DateTime, Header, HeaderName, HeaderValue, MessageParser};
use protocol::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::code::coded;
use crate::hprim;

/// Longest message parsed, in bytes: 10 MB of attachments, the most ever granted, in base64 with its line ends.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Most parts of a message, containers included.
pub const MAX_PARTS: usize = 200;

/// Deepest nesting of parts.
pub const MAX_DEPTH: usize = 8;

/// Longest header block of the message or of a part, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Longest name of an attachment, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// The name of the text part that marks it as HPRIM.
const HPRIM_NAME: &str = "document.hpr";

/// What names of HPRIM files end with.
const HPRIM_ENDS: [&str; 3] = [".hpr", ".hpm", ".hprim"];

const DEFAULT_MEDIA_TYPE: &str = "application/octet-stream";

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
    /// The HPRIM document exactly as it arrived or was written. It then is the text part; `text` is not sent besides.
    pub hprim: Option<Vec<u8>>,
    /// Attachments, in their order.
    pub attachments: Vec<Attachment>,
}

impl Letter {
    /// Makes `document`, the bytes of an HPRIM file, the text of this letter.
    pub fn carry_hprim(&mut self, document: Vec<u8>) {
        self.text = hprim_text(&document);
        self.hprim = Some(document);
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
    /// Over [`MAX_BYTES`].
    #[error("the message is too large: ask the sender to send it in parts")]
    TooLarge,
    /// Over [`MAX_PARTS`].
    #[error("the message has too many parts: ask the sender to send fewer attachments")]
    TooManyParts,
    /// Over [`MAX_DEPTH`].
    #[error("the parts of the message are nested too deep: ask the sender to attach the files one by one")]
    TooDeep,
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

/// The message for `letter`: RFC 5322 and 2045, every body in base64 so that no byte of it changes on any way.
///
/// What a header cannot hold (control characters, spaces in addresses) is left out, and names are made safe as [`safe_name`] does.
#[must_use]
pub fn compose(letter: &Letter) -> Vec<u8> {
    let body = match &letter.hprim {
        Some(document) => {
            let media_type = format!("text/plain; charset={}", hprim::charset_of(document).label());
            part(&media_type, Some(&disposition("inline", HPRIM_NAME)), document.clone())
        }
        None => part("text/plain; charset=utf-8", None, with_crlf(&letter.text).into_bytes()),
    };
    let body = if letter.attachments.is_empty() {
        body
    } else {
        let attachments = letter.attachments.iter().map(|attachment| {
            let disposition = disposition("attachment", &safe_name(&attachment.name));
            part(
                &safe_media_type(&attachment.media_type),
                Some(&disposition),
                attachment.bytes.clone(),
            )
        });
        // No body holds an underscore, so no line of one can be taken for this boundary.
        let boundary = format!("=_pli_{}", short_digest(&letter.message_id));
        MimePart::raw(BodyPart::Multipart(std::iter::once(body).chain(attachments).collect())).header(
            "Content-Type",
            builder::ContentType::new("multipart/mixed").attribute("boundary", boundary),
        )
    };
    let mut bytes = header_block(letter).into_bytes();
    // Writing to memory cannot fail.
    let _ = body.write_part(&mut bytes);
    bytes
}

/// Reads a message, whoever wrote it.
///
/// # Errors
///
/// When it is no message, or over a limit.
pub fn parse(bytes: &[u8]) -> Result<Letter, MimeError> {
    if bytes.is_empty() {
        return Err(MimeError::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(MimeError::TooLarge);
    }
    // The bytes are a stranger's: a fault in the parser below must cost this message alone, not the sync around it.
    catch_unwind(|| read_message(bytes)).unwrap_or(Err(MimeError::Unreadable))
}

/// The HPRIM file of `letter`, exactly as it arrived or was written.
#[must_use]
pub fn export_hprim(letter: &Letter) -> Option<&[u8]> {
    letter.hprim.as_deref()
}

/// `name` as a file may be called on any system: no folder, no control or invisible character, no reserved word.
#[must_use]
pub fn safe_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = base
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| {
            if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') {
                '_'
            } else {
                c
            }
        })
        .collect();
    let kept = shortened(kept.trim_matches(|c: char| c == '.' || c.is_whitespace()));
    if kept.is_empty() {
        return "attachment".to_owned();
    }
    let stem = kept.split('.').next().unwrap_or_default().trim_end();
    if is_reserved(stem) { format!("_{kept}") } else { kept }
}

/// What a person reads of an HPRIM file; all of it when it is none.
fn hprim_text(document: &[u8]) -> String {
    match hprim::read(document) {
        Ok(reading) => reading.plain_text(),
        Err(_) => with_lf(&decoded(document, Some(hprim::charset_of(document).label()))),
    }
}

fn header_block(letter: &Letter) -> String {
    let mut block = String::new();
    let mut add = |name: &str, value: &str| {
        block.push_str(name);
        block.push_str(": ");
        block.push_str(value);
        block.push_str("\r\n");
    };
    add("Message-ID", &format!("<{}>", token(&letter.message_id)));
    if let Some(answered) = &letter.in_reply_to {
        let answered = format!("<{}>", token(answered));
        add("In-Reply-To", &answered);
        add("References", &answered);
    }
    add("From", &format!("<{}>", token(&letter.from)));
    if !letter.to.is_empty() {
        let addresses: Vec<String> = letter
            .to
            .iter()
            .map(|address| format!("<{}>", token(address)))
            .collect();
        add("To", &addresses.join(",\r\n "));
    }
    if let Some(date) = letter.date.and_then(rfc5322_date) {
        add("Date", &date);
    }
    add("Subject", &encoded_subject(&letter.subject));
    add("MIME-Version", "1.0");
    block
}

fn part(media_type: &str, disposition: Option<&str>, bytes: Vec<u8>) -> MimePart<'static> {
    let header = |value: &str| HeaderType::Raw(Raw::new(value.to_owned()));
    let mut part = MimePart::raw(BodyPart::Binary(bytes.into())).header("Content-Type", header(media_type));
    if let Some(disposition) = disposition {
        part = part.header("Content-Disposition", header(disposition));
    }
    part
}

/// A disposition with its file name as RFC 2231 writes it.
fn disposition(kind: &str, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if name.bytes().all(is_plain) {
        return format!("{kind}; filename=\"{name}\"");
    }
    let mut value = format!("{kind}; filename*=utf-8''");
    for byte in name.bytes() {
        if is_plain(byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

fn short_digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// `text` as an address or id between angle brackets holds it.
fn token(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() && !"<>()[]\\,;:\"".contains(*c))
        .collect()
}

fn rfc5322_date(date: Timestamp) -> Option<String> {
    let date = jiff::Timestamp::from_millisecond(date.as_millis()).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_string(&date)
        .ok()
}

/// The subject as it is when every reader takes it so, else in encoded words (RFC 2047).
fn encoded_subject(subject: &str) -> String {
    let subject = one_line(subject);
    let is_plain = subject.len() <= 66
        && subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !subject.contains("=?")
        && !subject.contains("  ");
    if is_plain {
        return subject;
    }
    let mut words = Vec::new();
    let mut chunk = String::new();
    for c in subject.chars() {
        if chunk.len().saturating_add(c.len_utf8()) > 45 {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    let encode = |word: &String| format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(word.as_bytes()));
    words.iter().map(encode).collect::<Vec<_>>().join("\r\n ")
}

/// `text` without control characters, nor spaces at its ends.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

fn safe_media_type(media_type: &str) -> String {
    let is_token = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match media_type.split_once('/') {
        // A container cannot travel in base64 (RFC 2045, 6.4), so it travels as a file.
        Some((kind, subtype))
            if media_type.len() <= 100
                && is_token(kind)
                && is_token(subtype)
                && !kind.eq_ignore_ascii_case("multipart")
                && !kind.eq_ignore_ascii_case("message") =>
        {
            media_type.to_ascii_lowercase()
        }
        _ => DEFAULT_MEDIA_TYPE.to_owned(),
    }
}

fn with_crlf(text: &str) -> String {
    with_lf(text).replace('\n', "\r\n")
}

fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn read_message(bytes: &[u8]) -> Result<Letter, MimeError> {
    let (block, body) = split_header(bytes)?;
    let headers = Headers::read(&block);
    if headers.0.is_empty() {
        return Err(MimeError::Unreadable);
    }
    let mut letter = Letter {
        message_id: first_id(headers.value(&HeaderName::MessageId)).unwrap_or_default(),
        in_reply_to: first_id(headers.value(&HeaderName::InReplyTo)),
        from: addresses(headers.value(&HeaderName::From))
            .into_iter()
            .next()
            .unwrap_or_default(),
        to: addresses(headers.value(&HeaderName::To)),
        date: headers.date(),
        subject: one_line(headers.text(&HeaderName::Subject).unwrap_or_default()),
        ..Letter::default()
    };
    let mut reader = PartReader {
        letter: &mut letter,
        parts: 0,
        has_text: false,
    };
    reader.read(&headers, body, 0)?;
    Ok(letter)
}

/// The header block of a message or part, closed by a blank line, and what follows it.
fn split_header(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), MimeError> {
    let mut end = 0usize;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        if without_line_end(line).is_empty() {
            break;
        }
        end = end.saturating_add(line.len());
        if end > MAX_HEADER_BYTES {
            return Err(MimeError::HeaderTooLarge);
        }
    }
    let mut block = bytes.get(..end).unwrap_or_default().to_vec();
    block.extend_from_slice(b"\r\n\r\n");
    Ok((block, rest))
}

/// The header fields of a message or part; a part may have none.
struct Headers<'a>(Vec<Header<'a>>);

impl<'a> Headers<'a> {
    fn read(block: &'a [u8]) -> Self {
        let message = MessageParser::default().parse_headers(block);
        Self(
            message
                .and_then(|message| message.parts.into_iter().next())
                .map_or_else(Vec::new, |part| part.headers),
        )
    }

    fn value(&self, name: &HeaderName<'_>) -> Option<&HeaderValue<'a>> {
        self.0
            .iter()
            .find(|header| header.name == *name)
            .map(|header| &header.value)
    }

    fn text(&self, name: &HeaderName<'_>) -> Option<&str> {
        self.value(name)?.as_text()
    }

    fn content_type(&self) -> Option<&ContentType<'a>> {
        self.value(&HeaderName::ContentType)?.as_content_type()
    }

    fn disposition(&self) -> Option<&ContentType<'a>> {
        self.value(&HeaderName::ContentDisposition)?.as_content_type()
    }

    fn file_name(&self) -> Option<&str> {
        let disposed = self
            .disposition()
            .and_then(|disposition| disposition.attribute("filename"));
        disposed.or_else(|| self.content_type().and_then(|kind| kind.attribute("name")))
    }

    fn date(&self) -> Option<Timestamp> {
        let date: &DateTime = self.value(&HeaderName::Date)?.as_datetime()?;
        if !date.is_valid() {
            return None;
        }
        date.to_timestamp().checked_mul(1_000).map(Timestamp::from_millis)
    }
}

/// The first line of `bytes` with its end, and the rest.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |place| place.saturating_add(1));
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn first_id(value: Option<&HeaderValue<'_>>) -> Option<String> {
    let id = match value? {
        HeaderValue::Text(id) => id,
        HeaderValue::TextList(ids) => ids.first()?,
        _ => return None,
    };
    Some(token(id))
}

fn addresses(value: Option<&HeaderValue<'_>>) -> Vec<String> {
    let Some(HeaderValue::Address(list)) = value else {
        return Vec::new();
    };
    list.iter()
        .filter_map(|one| one.address())
        .map(token)
        .filter(|address| !address.is_empty())
        .collect()
}

/// Parts on their way into a letter.
struct PartReader<'a> {
    letter: &'a mut Letter,
    parts: usize,
    has_text: bool,
}

impl PartReader<'_> {
    fn read(&mut self, headers: &Headers<'_>, body: &[u8], depth: usize) -> Result<(), MimeError> {
        self.parts = self.parts.saturating_add(1);
        if self.parts > MAX_PARTS {
            return Err(MimeError::TooManyParts);
        }
        let content_type = headers.content_type();
        let boundary = content_type
            .filter(|kind| kind.ctype() == "multipart")
            .and_then(|kind| kind.attribute("boundary"));
        match boundary {
            Some(boundary) if !boundary.is_empty() => {
                let is_alternative = content_type.and_then(ContentType::subtype) == Some("alternative");
                self.read_container(boundary.as_bytes(), body, is_alternative, depth)
            }
            _ => {
                self.read_leaf(headers, body);
                Ok(())
            }
        }
    }

    fn read_container(
        &mut self,
        boundary: &[u8],
        body: &[u8],
        is_alternative: bool,
        depth: usize,
    ) -> Result<(), MimeError> {
        if depth >= MAX_DEPTH {
            return Err(MimeError::TooDeep);
        }
        let had_text = self.has_text;
        let left = MAX_PARTS.saturating_sub(self.parts);
        for part in split_parts(body, boundary, left).ok_or(MimeError::TooManyParts)? {
            let (block, content) = split_header(part)?;
            let headers = Headers::read(&block);
            // The other forms of a text that was just read say the same again.
            let is_text = headers.content_type().is_some_and(|kind| kind.ctype() == "text");
            if is_alternative && is_text && self.has_text && !had_text {
                continue;
            }
            self.read(&headers, content, depth.saturating_add(1))?;
        }
        Ok(())
    }

    fn read_leaf(&mut self, headers: &Headers<'_>, body: &[u8]) {
        let bytes = without_transfer_encoding(headers, body);
        let content_type = headers.content_type();
        let media_type = content_type.map_or_else(
            || "text/plain".to_owned(),
            |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()),
        );
        let charset = content_type.and_then(|kind| kind.attribute("charset"));
        let is_attached = headers.disposition().is_some_and(ContentType::is_attachment);
        let name = headers.file_name();
        let is_hprim_name = name.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            HPRIM_ENDS.iter().any(|end| name.ends_with(end))
        });
        let is_body = !self.has_text && !is_attached && (name.is_none() || is_hprim_name);
        match media_type.as_str() {
            "text/plain" if is_body && is_hprim_name => self.letter.carry_hprim(bytes),
            "text/plain" if is_body => self.letter.text = with_lf(&decoded(&bytes, charset)),
            "text/html" if is_body => self.letter.text = with_lf(&html_to_text(&decoded(&bytes, charset))),
            _ => {
                let name = safe_name(name.unwrap_or_default());
                let media_type = if media_type.starts_with("message/") {
                    media_type
                } else {
                    safe_media_type(&media_type)
                };
                self.letter.attachments.push(Attachment {
                    name,
                    media_type,
                    bytes,
                });
                return;
            }
        }
        self.has_text = true;
    }
}

/// The parts of a container: what stands between its boundary lines. `None`: more than `most`.
fn split_parts<'a>(body: &'a [u8], boundary: &[u8], most: usize) -> Option<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    let mut rest = body;
    let mut offset = 0usize;
    let mut start: Option<usize> = None;
    let mut close = |start: usize, end: usize| {
        // The line end before a boundary belongs to the boundary.
        let part = without_line_end(body.get(start..end).unwrap_or_default());
        parts.push(part);
        parts.len() <= most
    };
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        let next = offset.saturating_add(line.len());
        let tail = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary))
            .map(<[u8]>::trim_ascii);
        if let Some(tail @ (b"" | b"--")) = tail {
            if let Some(start) = start.replace(next)
                && !close(start, offset)
            {
                return None;
            }
            if tail == b"--" {
                return Some(parts);
            }
        }
        offset = next;
    }
    // The closing boundary is missing: what was begun is kept.
    if let Some(start) = start
        && !close(start, body.len())
    {
        return None;
    }
    Some(parts)
}

/// The bytes of a body before its transfer encoding; the body itself when it does not decode.
fn without_transfer_encoding(headers: &Headers<'_>, body: &[u8]) -> Vec<u8> {
    let encoding = headers
        .text(&HeaderName::ContentTransferEncoding)
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "base64" => base64_decode(body),
        "quoted-printable" => quoted_printable_decode(body),
        _ => None,
    };
    bytes.unwrap_or_else(|| body.to_vec())
}

/// `bytes` as text; without a known charset, UTF-8 if it is that, else Windows-1252.
fn decoded(bytes: &[u8], charset: Option<&str>) -> String {
    let named = charset.and_then(|label| encoding_rs::Encoding::for_label(label.trim().as_bytes()));
    let encoding = named.unwrap_or_else(|| {
        if std::str::from_utf8(bytes).is_ok() {
            encoding_rs::UTF_8
        } else {
            encoding_rs::WINDOWS_1252
        }
    });
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// Characters that show nothing or turn the text around them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{AD}')
}

/// `name` in at most [`MAX_NAME_CHARS`] characters, its extension kept.
fn shortened(name: &str) -> String {
    if name.chars().count() <= MAX_NAME_CHARS {
        return name.to_owned();
    }
    let extension = name
        .rfind('.')
        .and_then(|dot| name.get(dot..))
        .filter(|end| end.chars().count() <= 10);
    let extension = extension.unwrap_or_default();
    let room = MAX_NAME_CHARS.saturating_sub(extension.chars().count());
    let stem: String = name.chars().take(room).collect();
    format!(
        "{}{extension}",
        stem.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
    )
}

/// Words that Windows takes for devices.
fn is_reserved(stem: &str) -> bool {
    let stem = stem.to_ascii_uppercase();
    let is_port = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|number| {
            let mut chars = number.chars();
            matches!(chars.next(), Some('1'..='9' | '¹' | '²' | '³')) && chars.next().is_none()
        })
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || is_port("COM") || is_port("LPT")
}
