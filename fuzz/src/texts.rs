//! What people type, and mail: addresses, codes, phrases, MIME.

use pli_core::RecoveryPhrase;
use pli_core::mime::{self, Attachment, Letter};
use protocol::address::{Departement, fold_name};
use protocol::link::{Hello, LinkCode};
use protocol::{Address, DeviceName, Timestamp};

use crate::{cut, seeds};

pub(crate) fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.as_str(), text.to_ascii_lowercase());
        assert_eq!(address.to_string().parse(), Ok(address.clone()));
        assert!(address.departement().parse::<Departement>().is_ok());
    }
    let folded = fold_name(&text);
    assert_eq!(fold_name(&folded), folded);
    assert!(folded.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()));
    let (given, surname) = text.split_once('.').unwrap_or((&text, &text));
    let homonym = u16::from(bytes.first().copied().unwrap_or(0));
    if let Ok(address) = Address::for_person(given, surname, &"2A".parse().unwrap(), homonym) {
        assert_eq!(address.departement(), "2a");
    }
    if let Ok(name) = text.parse::<DeviceName>() {
        assert_eq!(name.as_str(), text);
        assert!(!text.chars().any(char::is_control));
    }
}

pub(crate) fn address_seeds() -> Vec<Vec<u8>> {
    let page = seeds::page("address");
    let texts = ["taken", "refused"].map(|list| page["derived"][list].as_array().unwrap().clone());
    let texts = texts.iter().flatten();
    texts.map(|vector| vector["text"].as_str().unwrap().into()).collect()
}

/// A code that is read is shown so that it is read again.
pub(crate) fn link_code(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(code) = LinkCode::parse(&text) else { return };
    let shown = code.to_text();
    let again = LinkCode::parse(&shown).unwrap();
    assert!(again == code);
    assert_eq!(again.to_text(), shown);
    assert_eq!(again.channel(), code.channel());
    assert!(code.open_hello::<Hello>(bytes).is_err());
}

pub(crate) fn link_code_seeds() -> Vec<Vec<u8>> {
    let page = seeds::page("link");
    let mut texts = Vec::new();
    for vector in page["derived"]["codes"].as_array().unwrap() {
        texts.push(vector["code"].clone());
        texts.extend(vector["spellings"].as_array().unwrap().iter().cloned());
    }
    for vector in page["derived"]["codes_refused"].as_array().unwrap() {
        texts.push(vector["code"].clone());
    }
    texts.iter().map(|text| text.as_str().unwrap().into()).collect()
}

/// A phrase that is taken is taken as it is then written, too.
pub(crate) fn phrase(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(phrase) = RecoveryPhrase::parse(&text) else {
        return;
    };
    assert_eq!(phrase.words().split(' ').count(), 12);
    let again = RecoveryPhrase::parse(phrase.words()).unwrap();
    assert_eq!(again.words(), phrase.words());
}

pub(crate) fn phrase_seeds() -> Vec<Vec<u8>> {
    let french = "abaisser ".repeat(11) + "abeille";
    let english = "abandon ".repeat(11) + "about";
    let loose = english.to_uppercase().replace(' ', "\t\n ");
    vec![
        french.into(),
        english.into(),
        loose.into(),
        b"abaisser abandon".to_vec(),
    ]
}

/// What is read of a mail is written so that it reads the same.
pub(crate) fn mime(bytes: &[u8]) {
    let Ok(letter) = mime::parse(bytes) else { return };
    for attachment in &letter.attachments {
        let name = mime::safe_name(&attachment.name);
        assert!(!name.is_empty() && !name.contains(['/', '\\', '\0']), "{name:?}");
        assert!(name != "." && name != "..");
    }
    assert!(!letter.subject.contains(['\r', '\n']), "a subject of several lines");
    drop(mime::parse(&mime::compose(&letter)).expect("what is written is read"));
}

pub(crate) fn mime_seeds() -> Vec<Vec<u8>> {
    let mut made: Vec<_> = letter_seeds()
        .iter()
        .map(|seed| mime::compose(&letter_of(seed)))
        .collect();
    made.push(b"Subject: =?utf-8?Q?R=C3=A9sultat?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>un<br>deux</p>\r\n--b\r\nContent-Type: application/pdf; name*=utf-8''..%2Fa.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n".to_vec());
    made.push(b"From: a@b\nTo: c@d\nDate: Mon, 2 Mar 2026 08:00:00 +0100\n\nBonjour".to_vec());
    made
}

/// A letter of any texts at all comes back with what was attached, byte for byte.
pub(crate) fn letter(bytes: &[u8]) {
    let letter = letter_of(bytes);
    let again = mime::parse(&mime::compose(&letter)).expect("what is written is read");
    let contents = |letter: &Letter| -> Vec<_> {
        letter
            .attachments
            .iter()
            .map(|attachment| attachment.bytes.clone())
            .collect()
    };
    assert_eq!(contents(&again), contents(&letter));
    assert_eq!(again.hprim, letter.hprim);
}

pub(crate) fn letter_seeds() -> Vec<Vec<u8>> {
    let hprim = seeds::files("core/tests/fixtures/hprim").swap_remove(0);
    let plain: [&[u8]; 5] = [
        b"Bonjour",
        "Œdème depuis dimanche.\n\nÀ bientôt".as_bytes(),
        b"",
        b"a.pdf",
        b"%PDF-1.4",
    ];
    let document: [&[u8]; 5] = ["Résultat".as_bytes(), b"note", &hprim, b"", b""];
    vec![cut::join(&plain), cut::join(&document)]
}

fn letter_of(mut bytes: &[u8]) -> Letter {
    let mut text = || String::from_utf8_lossy(cut::take(&mut bytes)).replace('\r', "");
    let (subject, body) = (text().replace('\n', " "), text());
    let hprim = cut::take(&mut bytes).to_vec();
    let mut letter = Letter {
        message_id: "01010101010101010101010101010101@pli".to_owned(),
        from: "lea.petit@medical28.apicrypt.org".to_owned(),
        to: vec!["jean.martin@medical28.apicrypt.org".to_owned()],
        date: Some(Timestamp::from_millis(1_772_438_400_000)),
        subject,
        ..Letter::default()
    };
    if hprim.is_empty() {
        letter.text = body;
    } else {
        letter.note = body;
        letter.carry_hprim(hprim);
    }
    while !bytes.is_empty() {
        let name = String::from_utf8_lossy(cut::take(&mut bytes)).into_owned();
        let content = cut::take(&mut bytes).to_vec();
        letter.attachments.push(Attachment {
            name,
            media_type: "application/octet-stream".to_owned(),
            bytes: content,
        });
    }
    letter
}
