//! Names and media types of attachments: what any system takes for a file, and for nothing else.

const DEFAULT_MEDIA_TYPE: &str = "application/octet-stream";

/// Longest name of an attachment, in characters.
pub const MAX_NAME_CHARS: usize = 100;

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

pub(super) fn safe_media_type(media_type: &str) -> String {
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
