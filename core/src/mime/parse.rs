//! Reading: whatever a stranger sent, within limits; what is not understood becomes an attachment.

use std::panic::catch_unwind;

use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};
use mail_parser::{ContentType, DateTime, Header, HeaderName, HeaderValue, MessageParser};
use protocol::Timestamp;

use super::document::is_hprim_name;
use super::name::{safe_media_type, safe_name};
use super::text::{decoded, one_line, token, with_lf};
use super::{Attachment, Letter, MAX_BYTES, MAX_DEPTH, MAX_HEADER_BYTES, MAX_PARTS, MimeError};

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
        let is_body = !self.has_text && !is_attached && name.is_none();
        let is_document = name.is_some_and(is_hprim_name) && !is_attached && self.letter.hprim.is_none();
        match media_type.as_str() {
            "text/plain" if is_document => {
                self.letter.note = std::mem::take(&mut self.letter.text);
                self.letter.carry_hprim(bytes);
            }
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
