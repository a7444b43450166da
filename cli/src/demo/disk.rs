//! A byte search over a folder, in the forms in which text lies on a disk.

use std::fs;
use std::io;
use std::path::Path;

use data_encoding::BASE64;

/// Names of the forms that are searched for, for people.
pub(super) const FORMS: &str = "UTF-8, UTF-16, ISO-8859-1, base64";

/// Which of the texts lie readable in any file below the folder.
pub(super) fn readable<'a>(folder: &Path, texts: &[&'a str]) -> io::Result<Vec<&'a str>> {
    let needles: Vec<(&str, Vec<Vec<u8>>)> = texts.iter().map(|text| (*text, forms(text))).collect();
    let mut found = Vec::new();
    walk(folder, &mut |bytes| {
        for (text, forms) in &needles {
            if !found.contains(text) && forms.iter().any(|form| contains(bytes, form)) {
                found.push(*text);
            }
        }
    })?;
    Ok(found)
}

fn walk(folder: &Path, look: &mut impl FnMut(&[u8])) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), look)?;
        } else {
            look(&fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn forms(text: &str) -> Vec<Vec<u8>> {
    let utf8 = text.as_bytes().to_vec();
    let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let mut forms: Vec<Vec<u8>> = [&utf8]
        .into_iter()
        .chain(&latin1)
        .flat_map(|bytes| base64(bytes))
        .collect();
    forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    forms.push(utf8);
    forms.extend(latin1);
    forms
}

/// What is the same in base64 wherever the text begins, for each of the three places in a group.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..3_usize)
        .map(|before| {
            let mut shifted = vec![0; before];
            shifted.extend_from_slice(bytes);
            let whole = shifted.len().saturating_sub(shifted.len().rem_euclid(3));
            let encoded = BASE64.encode(shifted.get(..whole).unwrap_or_default());
            // The first group mixes with what stands before, unless the text begins with it.
            let skipped = if before == 0 { 0 } else { 4 };
            encoded.as_bytes().get(skipped..).unwrap_or_default().to_vec()
        })
        .filter(|form| form.len() >= 4)
        .collect()
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    let Some(first) = form.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(form) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(bytes: &[u8]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        fs::write(folder.path().join("blobs/1"), bytes).unwrap();
        !readable(folder.path(), &["Hélène Vasseur"]).unwrap().is_empty()
    }

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        let text = "Hélène Vasseur";
        let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for body in [text.as_bytes().to_vec(), latin1.clone(), utf16] {
            assert!(found_in(&[b"..".as_slice(), &body, b".."].concat()));
        }
        for body in [text.as_bytes(), &latin1] {
            for before in 0..4 {
                let text = [&b"xyzt"[..before], body, b"after"].concat();
                assert!(found_in(BASE64.encode(&text).as_bytes()), "{before}");
            }
        }
        assert!(!found_in(b"something else"));
    }
}
