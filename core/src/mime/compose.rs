//! Writing: a letter as RFC 5322 and 2045, every body in base64 so that no byte of it changes on any way.

use std::fmt::Write as _;

use mail_builder::headers::raw::Raw;
use mail_builder::headers::{HeaderType, content_type as builder};
use mail_builder::mime::{BodyPart, MimePart};
use protocol::Timestamp;
use sha2::{Digest as _, Sha256};

use super::Letter;
use super::document::HPRIM_NAME;
use super::name::{safe_media_type, safe_name};
use super::text::{one_line, token, with_crlf};
use crate::hprim;

/// The message for `letter`: RFC 5322 and 2045, every body in base64 so that no byte of it changes on any way.
///
/// What a header cannot hold (control characters, spaces in addresses) is left out, and names are made safe as [`safe_name`] does.
#[must_use]
pub fn compose(letter: &Letter) -> Vec<u8> {
    let mut parts = bodies(letter);
    parts.extend(letter.attachments.iter().map(|attachment| {
        let disposition = disposition("attachment", &safe_name(&attachment.name));
        part(
            &safe_media_type(&attachment.media_type),
            Some(&disposition),
            attachment.bytes.clone(),
        )
    }));
    let body = match <[MimePart<'_>; 1]>::try_from(parts) {
        Ok([body]) => body,
        Err(parts) => {
            // No body holds an underscore, so no line of one can be taken for this boundary.
            let boundary = format!("=_pli_{}", short_digest(&letter.message_id));
            MimePart::raw(BodyPart::Multipart(parts)).header(
                "Content-Type",
                builder::ContentType::new("multipart/mixed").attribute("boundary", boundary),
            )
        }
    };
    let mut bytes = header_block(letter).into_bytes();
    // Writing to memory cannot fail.
    let _ = body.write_part(&mut bytes);
    bytes
}

/// What is read: the text alone, or the document below the note, if there is one.
fn bodies(letter: &Letter) -> Vec<MimePart<'static>> {
    let text = |text: &str| part("text/plain; charset=utf-8", None, with_crlf(text).into_bytes());
    let Some(document) = &letter.hprim else {
        return vec![text(&letter.text)];
    };
    let media_type = format!("text/plain; charset={}", hprim::charset_of(document).label());
    let document = part(&media_type, Some(&disposition("inline", HPRIM_NAME)), document.clone());
    if letter.note.is_empty() {
        vec![document]
    } else {
        vec![text(&letter.note), document]
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
