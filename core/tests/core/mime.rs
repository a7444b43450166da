//! MIME: what is composed parses back the same, HPRIM byte for byte; what others send is read or refused, never trusted.

use std::cell::Cell;
use std::path::Path;
use std::sync::Once;

use pli_core::hprim::{Charset, Document, LineEnd, Party, Patient, WriteOptions, write};
use pli_core::mime::{
    Attachment, Letter, MAX_BYTES, MAX_DEPTH, MAX_HEADER_BYTES, MAX_NAME_CHARS, MAX_PARTS, MimeError, compose, parse,
    safe_name,
};
use proptest::prelude::*;
use protocol::Timestamp;

use crate::seeds;

/// A message as other software writes it.
const OTHERS: &[u8] = b"From: Anne DURAND <Anne.Durand@medical28.apicrypt.org>\n\
    To: \"Le Guen, Yann\" <yann.le-guen@medical29.apicrypt.org>, x@y.fr\n\
    Subject: =?iso-8859-1?Q?R=E9sultats?=\n\
    Date: Tue, 14 May 2024 14:34:56 +0200\n\
    Content-Type: multipart/mixed; boundary=\"outer\"\n\n\
    preamble\n\
    --outer\n\
    Content-Type: multipart/alternative; boundary=inner\n\n\
    --inner\n\
    Content-Type: text/plain; charset=windows-1252\n\
    Content-Transfer-Encoding: quoted-printable\n\n\
    Le c=9Cur va=\n bien.\n\
    --inner\n\
    Content-Type: text/html\n\n\
    <p>Le c&oelig;ur va bien.</p>\n\
    --inner--\n\
    --outer\n\
    Content-Type: message/rfc822\n\
    Content-Disposition: attachment; filename=\"../ancien.eml\"\n\n\
    Subject: ancien\n\nbonjour\n\
    --outer\n\
    Content-Type: application/pdf; name=\"=?utf-8?B?w6kucGRm?=\"\n\
    Content-Transfer-Encoding: base64\n\n\
    JVBE\nRg==\n";

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Parses, and fails if anything on the way panicked: the fence in `parse` is for what no test found.
fn parse_soundly(bytes: &[u8]) -> Result<Letter, MimeError> {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            usual(panic);
        }));
    });
    let before = PANICS.get();
    let letter = parse(bytes);
    assert_eq!(PANICS.get(), before, "the parser panicked");
    letter
}

fn letter() -> Letter {
    Letter {
        message_id: "0123abcd@medical28.apicrypt.org".to_owned(),
        in_reply_to: Some("ffff@medical28.apicrypt.org".to_owned()),
        from: "anne.durand@medical28.apicrypt.org".to_owned(),
        to: vec![
            "yann.le-guen@medical29.apicrypt.org".to_owned(),
            "pierre-marie.desombre@medical28.apicrypt.org".to_owned(),
        ],
        date: Some(Timestamp::from_millis(1_715_690_096_000)),
        subject: "Avis".to_owned(),
        text: "Bonjour,\n\nMerci.\n".to_owned(),
        ..Letter::default()
    }
}

fn laboratory_file() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hprim/strict.hpr")).unwrap()
}

#[test]
fn a_letter_becomes_these_bytes() {
    let mut letter = letter();
    letter.subject = "Résultats de Mme Desombre".to_owned();
    let name = "photo n° 1.jpg".to_owned();
    letter.attachments = vec![Attachment {
        name,
        media_type: "image/jpeg".to_owned(),
        bytes: vec![0xFF, 0xD8, 0xFF],
    }];
    let expected = "Message-ID: <0123abcd@medical28.apicrypt.org>\r\n\
        In-Reply-To: <ffff@medical28.apicrypt.org>\r\n\
        References: <ffff@medical28.apicrypt.org>\r\n\
        From: <anne.durand@medical28.apicrypt.org>\r\n\
        To: <yann.le-guen@medical29.apicrypt.org>,\r\n <pierre-marie.desombre@medical28.apicrypt.org>\r\n\
        Date: Tue, 14 May 2024 12:34:56 -0000\r\n\
        Subject: =?utf-8?B?UsOpc3VsdGF0cyBkZSBNbWUgRGVzb21icmU=?=\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\"=_pli_BOUNDARY\"\r\n\
        \r\n\
        \r\n--=_pli_BOUNDARY\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: base64\r\n\
        \r\n\
        Qm9uam91ciwNCg0KTWVyY2kuDQo=\r\n\
        \r\n--=_pli_BOUNDARY\r\n\
        Content-Type: image/jpeg\r\n\
        Content-Disposition: attachment; filename*=utf-8''photo%20n%C2%B0%201.jpg\r\n\
        Content-Transfer-Encoding: base64\r\n\
        \r\n\
        /9j/\r\n\
        \r\n--=_pli_BOUNDARY--\r\n";
    let composed = String::from_utf8(compose(&letter)).unwrap();
    let boundary = composed.split("=_pli_").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(composed.replace(boundary, "BOUNDARY"), expected);
    assert!(
        compose(&letter) == composed.as_bytes(),
        "composing twice gives the same bytes"
    );
    assert!(parse(composed.as_bytes()).unwrap() == letter);
}

#[test]
fn hprim_is_the_text_part_and_comes_out_byte_for_byte() {
    for line_end in [b"\r\n".as_slice(), b"\n", b"\r", b"\n\r"] {
        let strict = laboratory_file();
        let text = String::from_utf8_lossy(&strict).into_owned();
        let document = if line_end == b"\r\n" {
            strict
        } else {
            text.replace("\r\n", std::str::from_utf8(line_end).unwrap())
                .into_bytes()
        };
        let mut letter = letter();
        letter.carry_hprim(document.clone());
        let bytes = compose(&letter);
        let again = parse(&bytes).unwrap();
        assert!(again.hprim.as_deref() == Some(document.as_slice()));
        assert!(again == letter);
        assert!(again.text.contains("Je vous adresse les"));
        assert!(again.text.contains(": 5.4 mmol/L"));
        assert!(again.attachments.is_empty());
    }
}

#[test]
fn other_software_finds_the_document_in_the_text_part() {
    let document = laboratory_file();
    let mut letter = letter();
    letter.carry_hprim(document.clone());
    letter.attachments = vec![Attachment {
        name: "a.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: vec![1],
    }];
    let bytes = compose(&letter);
    // The parser of another author, which decodes by the label.
    let message = mail_parser::MessageParser::default().parse(&bytes).unwrap();
    let text: String = document.iter().map(|byte| char::from(*byte)).collect();
    assert_eq!(message.body_text(0).unwrap(), text);
    assert_eq!(message.attachment_count(), 1);
}

#[test]
fn a_note_goes_above_the_document_and_both_are_read() {
    let document = laboratory_file();
    let mut letter = letter();
    letter.note = "Vu avec elle ce matin.\n".to_owned();
    letter.carry_hprim(document.clone());
    let bytes = compose(&letter);
    let again = parse(&bytes).unwrap();
    assert!(again == letter);
    assert!(again.hprim.as_deref() == Some(document.as_slice()) && again.attachments.is_empty());
    assert!(again.reading().starts_with("Vu avec elle ce matin.\n\n"));
    assert!(again.reading().contains(": 5.4 mmol/L"));
    // The parser of another author takes the note for the text and has the document beside it.
    let message = mail_parser::MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.body_text(0).unwrap(), "Vu avec elle ce matin.\r\n");
    let text: String = document.iter().map(|byte| char::from(*byte)).collect();
    assert_eq!(message.body_text(1).unwrap(), text);
}

#[test]
fn a_letter_about_a_patient_is_written_as_hprim() {
    let patient = Patient {
        surname: "Le Guen".to_owned(),
        given: "Yann".to_owned(),
        birth_date: None,
    };
    let day = jiff::civil::date(2024, 5, 14);
    let document = Document::for_letter(&patient, Party::named("anne.durand"), Party::named("b"), day, "Bonjour");
    let written = write(&[document], &WriteOptions::default());
    let mut letter = letter();
    letter.carry_hprim(written.bytes.clone());
    assert_eq!(letter.text, "Bonjour");
    assert!(parse(&compose(&letter)).unwrap().hprim.as_deref() == Some(written.bytes.as_slice()));
    assert_eq!(self::letter().hprim, None);
}

#[test]
fn nothing_breaks_out_of_a_header() {
    let mut hostile = letter();
    hostile.message_id = "a>\r\nBcc: <x@y.z".to_owned();
    hostile.from = "a@b.c>\r\n\r\nbody".to_owned();
    hostile.to = vec!["x@y.z, <other@y.z>".to_owned()];
    hostile.subject = "A\r\nBcc: x@y.z\r\n\r\nB".to_owned();
    hostile.attachments = vec![Attachment {
        name: "..\\..\\a\"\r\nX: y\u{202E}fdp.exe".to_owned(),
        media_type: "text/html\r\nX: y".to_owned(),
        bytes: Vec::new(),
    }];
    let bytes = compose(&hostile);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains("\nBcc:") && !text.contains("\nX:"), "{text}");
    let parsed = parse(&bytes).unwrap();
    assert_eq!(parsed.subject, "A  Bcc: x@y.z    B");
    assert_eq!(parsed.to.len(), 1);
    assert_eq!(parsed.text, hostile.text);
    assert_eq!(parsed.attachments[0].name, "a_X_ yfdp.exe");
    assert_eq!(parsed.attachments[0].media_type, "application/octet-stream");
}

#[test]
fn a_subject_arrives_as_it_was_typed() {
    let long = "Résultats ".repeat(40);
    for subject in [
        "=?utf-8?Q?x?=",
        "a  b",
        "",
        "a=?b",
        "Re: suite",
        "\u{1F9EA} analyse",
        long.trim(),
        &"x".repeat(300),
    ] {
        let letter = Letter {
            subject: subject.to_owned(),
            ..letter()
        };
        assert_eq!(parse(&compose(&letter)).unwrap().subject, subject);
    }
}

#[test]
fn names_of_attachments_are_made_safe() {
    let expected = [
        ("lettre.pdf", "lettre.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\a.dll", "a.dll"),
        ("..", "attachment"),
        ("", "attachment"),
        (".ssh", "ssh"),
        ("a/", "attachment"),
        ("nul", "_nul"),
        ("COM1.txt", "_COM1.txt"),
        ("com10.txt", "com10.txt"),
        ("aux .pdf", "_aux .pdf"),
        ("a\0b\r\nc.txt", "abc.txt"),
        ("fdp\u{202E}exe.pdf", "fdpexe.pdf"),
        ("a:b|c?.txt", "a_b_c_.txt"),
        ("fin. . .", "fin"),
        ("été n° 2.jpg", "été n° 2.jpg"),
    ];
    for (name, safe) in expected {
        assert_eq!(safe_name(name), safe, "{name:?}");
    }
    let long = safe_name(&format!("{}.pdf", "é".repeat(500)));
    assert_eq!(long.chars().count(), MAX_NAME_CHARS);
    assert_eq!(long.rsplit('.').next(), Some("pdf"));
}

#[test]
fn limits_are_refused_with_their_code() {
    assert_eq!(parse(b""), Err(MimeError::Empty));
    assert_eq!(parse(&vec![b'a'; MAX_BYTES + 1]), Err(MimeError::TooLarge));
    assert_eq!(parse(b"\r\n\r\nno header"), Err(MimeError::Unreadable));
    let header = format!("Subject: {}\r\n\r\n", "a".repeat(MAX_HEADER_BYTES));
    assert_eq!(parse(header.as_bytes()), Err(MimeError::HeaderTooLarge));
    let nested = |depth: usize| {
        let mut message = String::from("Content-Type: text/plain\n\nfond\n");
        for level in 0..depth {
            message =
                format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n{message}\n--b{level}x--\n");
        }
        parse(message.as_bytes())
    };
    assert_eq!(nested(MAX_DEPTH).unwrap().text, "fond\n");
    assert_eq!(nested(MAX_DEPTH + 1), Err(MimeError::TooDeep));
    assert_eq!(nested(10_000), Err(MimeError::TooDeep));
    let many = |parts: usize| {
        let part = "--b\nContent-Type: application/pdf\n\nx\n";
        parse(
            format!(
                "Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n",
                part.repeat(parts)
            )
            .as_bytes(),
        )
    };
    assert_eq!(many(MAX_PARTS - 1).unwrap().attachments.len(), MAX_PARTS - 1);
    assert_eq!(many(MAX_PARTS), Err(MimeError::TooManyParts));
    // Messages within messages are files here: no depth of them costs anything.
    let matryoshka = "Content-Type: message/rfc822\n\n".repeat(100_000);
    assert_eq!(parse(matryoshka.as_bytes()).unwrap().attachments.len(), 1);
}

#[test]
fn what_others_write_is_read() {
    let letter = parse(OTHERS).unwrap();
    assert_eq!(letter.from, "Anne.Durand@medical28.apicrypt.org");
    assert_eq!(letter.to, ["yann.le-guen@medical29.apicrypt.org", "x@y.fr"]);
    assert_eq!(letter.subject, "Résultats");
    assert_eq!(letter.date, Some(Timestamp::from_millis(1_715_690_096_000)));
    assert_eq!(letter.text, "Le cœur va bien.");
    let names: Vec<(&str, &str, &[u8])> = letter
        .attachments
        .iter()
        .map(|attachment| {
            (
                attachment.name.as_str(),
                attachment.media_type.as_str(),
                attachment.bytes.as_slice(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("ancien.eml", "message/rfc822", b"Subject: ancien\n\nbonjour".as_slice()),
            ("é.pdf", "application/pdf", b"%PDF".as_slice()),
        ]
    );
    let bare = parse(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nno header at all\n--b--\n").unwrap();
    assert_eq!(bare.text, "no header at all");
    let html = parse(b"Content-Type: text/html; charset=utf-8\n\n<p>Bonjour <b>Anne</b></p>").unwrap();
    assert_eq!(html.text.trim(), "Bonjour Anne");
}

#[test]
fn debug_output_names_nobody() {
    let mut letter = letter();
    letter.carry_hprim(laboratory_file());
    letter.attachments = vec![Attachment {
        name: "desombre.pdf".to_owned(),
        media_type: String::new(),
        bytes: vec![1],
    }];
    let shown = format!("{letter:?} {:?}", letter.attachments);
    for word in ["durand", "desombre", "DESOMBRE", "Avis"] {
        assert!(!shown.contains(word), "{word} in {shown}");
    }
}

#[test]
fn the_format_page_lists_every_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hprim.md");
    let page = std::fs::read_to_string(path).unwrap();
    for error in MimeError::ALL {
        assert!(
            page.contains(&format!("| `{}` |", error.code())),
            "docs/hprim.md lacks {}",
            error.code()
        );
    }
    assert_eq!(
        page.lines().filter(|line| line.starts_with("| `mime-")).count(),
        MimeError::ALL.len()
    );
}

fn address() -> impl Strategy<Value = String> {
    "[a-z]{1,12}(-[a-z]{1,8})?\\.[a-z]{1,12}@medical[0-9]{2}\\.apicrypt\\.org"
}

fn id() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,32}@[a-z0-9]{1,12}\\.org"
}

/// One line without spaces at its ends.
fn subject() -> impl Strategy<Value = String> {
    let any_line = any::<String>().prop_map(|text| {
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>()
    });
    prop_oneof![any_line, "[ -~]{0,200}", "[a-zéèœ ]{0,200}"].prop_map(|text| text.trim().to_owned())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~é€\n]{0,300}",
        "\u{feff}?(--=_pli_[0-9a-f]{0,16}(--)?\n){0,3}"
    ]
    .prop_map(|text| text.replace('\r', ""))
}

prop_compose! {
    fn attachment()(
        name in prop_oneof![any::<String>(), "[a-zéA-Z .]{0,120}\\.(pdf|jpg|hpr)"],
        media_type in proptest::sample::select(vec!["application/pdf", "image/jpeg", "text/plain", "text/html", "text/csv"]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) -> Attachment {
        Attachment { name: safe_name(&name), media_type: media_type.to_owned(), bytes }
    }
}

fn hprim_file() -> impl Strategy<Value = Vec<u8>> {
    let written = (any::<String>(), any::<String>(), 0u8..4, 0u8..4).prop_map(|(surname, text, charset, line_end)| {
        let patient = Patient {
            surname,
            given: "Anne".to_owned(),
            birth_date: None,
        };
        let day = jiff::civil::date(2024, 5, 14);
        let document = Document::for_letter(&patient, Party::named("a"), Party::named("b"), day, &text);
        let charset = match charset {
            0 => Charset::Iso8859_1,
            1 => Charset::Windows1252,
            2 => Charset::Utf8,
            _ => Charset::Utf8Bom,
        };
        let line_end = match line_end {
            0 => LineEnd::CrLf,
            1 => LineEnd::Lf,
            2 => LineEnd::Cr,
            _ => LineEnd::LfCr,
        };
        write(&[document], &WriteOptions { charset, line_end }).bytes
    });
    prop_oneof![
        written,
        proptest::collection::vec(any::<u8>(), 0..300),
        Just(laboratory_file())
    ]
}

prop_compose! {
    fn any_letter()(
        message_id in id(),
        in_reply_to in proptest::option::of(id()),
        from in address(),
        to in proptest::collection::vec(address(), 0..5),
        seconds in proptest::option::of(-2_000_000_000i64..30_000_000_000),
        subject in subject(),
        text in text(),
        hprim in proptest::option::of((hprim_file(), text())),
        attachments in proptest::collection::vec(attachment(), 0..4),
    ) -> Letter {
        let date = seconds.map(|seconds| Timestamp::from_millis(0).plus_seconds(seconds));
        let mut letter = Letter { message_id, in_reply_to, from, to, date, subject, text, attachments, ..Letter::default() };
        if let Some((document, note)) = hprim {
            letter.carry_hprim(document);
            letter.note = note;
        }
        letter
    }
}

/// The parts that differ, for a report without the whole letter.
fn differences(one: &Letter, other: &Letter) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, one: String, other: String| {
        if one != other {
            found.push(format!("{name}: {one} / {other}"));
        }
    };
    let shown = |letter: &Letter| {
        letter
            .attachments
            .iter()
            .map(|file| format!("{:?} {} {:?}", file.name, file.media_type, file.bytes))
            .collect::<Vec<_>>()
    };
    compare("message_id", one.message_id.clone(), other.message_id.clone());
    compare(
        "in_reply_to",
        format!("{:?}", one.in_reply_to),
        format!("{:?}", other.in_reply_to),
    );
    compare("from", one.from.clone(), other.from.clone());
    compare("to", format!("{:?}", one.to), format!("{:?}", other.to));
    compare("date", format!("{:?}", one.date), format!("{:?}", other.date));
    compare("subject", format!("{:?}", one.subject), format!("{:?}", other.subject));
    compare("text", format!("{:?}", one.text), format!("{:?}", other.text));
    compare("note", format!("{:?}", one.note), format!("{:?}", other.note));
    compare("hprim", format!("{:?}", one.hprim), format!("{:?}", other.hprim));
    compare(
        "attachments",
        format!("{:?}", shown(one)),
        format!("{:?}", shown(other)),
    );
    found
}

proptest! {
    #![proptest_config(seeds::cases(512))]

    #[test]
    fn what_is_composed_parses_back_the_same(letter in any_letter()) {
        let bytes = compose(&letter);
        prop_assert!(bytes.is_ascii());
        prop_assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
        let again = parse(&bytes).unwrap();
        prop_assert!(again == letter, "{:?}", differences(&letter, &again));
    }

    #[test]
    fn safe_names_stay_as_they_are(name in any::<String>()) {
        let safe = safe_name(&name);
        prop_assert_eq!(safe_name(&safe), safe);
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse_soundly(&bytes);
    }

    #[test]
    fn any_letter_whatever_its_fields_is_composed(
        texts in proptest::array::uniform5(any::<String>()),
        name in any::<String>(),
        media_type in any::<String>(),
    ) {
        let [message_id, from, to, subject, text] = texts;
        let attachments = vec![Attachment { name, media_type, bytes: b"--\r\n".to_vec() }];
        let letter = Letter { message_id, from, to: vec![to], subject, text, attachments, ..Letter::default() };
        let again = parse_soundly(&compose(&letter)).unwrap();
        prop_assert_eq!(again.attachments.len(), 1);
        prop_assert_eq!(again.text, letter.text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    #[test]
    fn broken_messages_are_read_or_refused(
        mut bytes in prop_oneof![any_letter().prop_map(|letter| compose(&letter)), Just(OTHERS.to_vec())],
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..4), 1..30),
    ) {
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 if bytes.len() > 1 => { bytes.remove(place); }
                _ => bytes.truncate(place.max(1)),
            }
        }
        if let Ok(read) = parse_soundly(&bytes) {
            for attachment in &read.attachments {
                prop_assert_eq!(&safe_name(&attachment.name), &attachment.name);
            }
        }
    }
}
