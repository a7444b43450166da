//! Text between its forms: lines, header words, charsets.

/// `text` without control characters, nor spaces at its ends.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// `text` as an address or id between angle brackets holds it.
pub(super) fn token(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() && !"<>()[]\\,;:\"".contains(*c))
        .collect()
}

pub(super) fn with_crlf(text: &str) -> String {
    with_lf(text).replace('\n', "\r\n")
}

pub(super) fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// `bytes` as text; without a known charset, UTF-8 if it is that, else Windows-1252.
pub(super) fn decoded(bytes: &[u8], charset: Option<&str>) -> String {
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
