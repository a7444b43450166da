//! HPRIM: random documents come back as they were written, random bytes do no harm. Rule by rule: `hprim`.

use jiff::civil::{Date, date};
use pli_core::hprim::{
    Charset, Deviation, Document, Fields, Flag, Header, Lab, LabLine, LabResult, LineEnd, Party, ResultKind,
    ResultStatus, WriteOptions, read, write,
};
use proptest::prelude::*;

use crate::hprim::fixture;
use crate::hprim_promise::hold_together;
use crate::seeds;

/// Characters of ISO-8859-1 whose runs are seldom taken for UTF-8: its bytes 80 to BF are left out.
const LATIN: &str = "[ -{}~À-ÿ]";

fn word(longest: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("{LATIN}{{0,{longest}}}"))
        .unwrap()
        .prop_map(|text| text.trim().to_owned())
}

fn any_date() -> impl Strategy<Value = Date> {
    (1850i16..=2199, 1i8..=12, 1i8..=28).prop_map(|(year, month, day)| date(year, month, day))
}

fn party() -> impl Strategy<Value = Party> {
    ("[A-Z0-9]{0,10}", word(30)).prop_map(|(code, name)| Party { code, name })
}

prop_compose! {
    fn header()(
        patient_code in "[A-Z0-9]{0,10}",
        surname in "[A-ZÀ-Ý][A-ZÀ-Ý ]{0,40}[A-ZÀ-Ý]",
        given in word(50),
        street in word(30),
        street2 in word(30),
        place in prop_oneof![
            Just(("", "")), Just(("28000", "CHARTRES")), Just(("2A004", "AJACCIO")), Just(("", "LE HAVRE")),
        ],
        birth_date in any_date(),
        nir in prop_oneof![Just(""), Just("2510328085042"), Just("2510328085042 01"), Just("néant")],
        file_number in word(20),
        document_date in proptest::option::of(any_date()),
        sender in party(),
        addressee in party(),
    ) -> Header {
        Header::from_fields(&Fields {
            patient_code, surname, given, street: [street, street2],
            postcode: place.0.to_owned(), town: place.1.to_owned(),
            birth_date: Some(birth_date), nir: nir.to_owned(), file_number, document_date, sender, addressee,
        })
    }
}

fn field() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ -{}~À-ÿ]{0,12}").unwrap()
}

prop_compose! {
    fn result()(
        texts in proptest::array::uniform11(field()),
        kind in "[NACZ]?", flag in "[LHNZ]{0,2}", status in "[FRCZ]?",
    ) -> LabLine {
        let [label, code, value, unit, low, high, value2, unit2, low2, high2, extra] = texts;
        LabLine::Result(Box::new(LabResult {
            label, code, value, unit, low, high, value2, unit2, low2, high2, extra: extra.trim().to_owned(),
            kind: ResultKind::read(&kind), flag: Flag::read(&flag), status: ResultStatus::read(&status),
        }))
    }
}

fn lab() -> impl Strategy<Value = Lab> {
    let line = prop_oneof![field().prop_map(LabLine::Text), result()];
    proptest::collection::vec(line, 0..6).prop_map(|lines| Lab { lines })
}

prop_compose! {
    fn document()(
        header in header(),
        lines in proptest::collection::vec(word(60), 0..8),
        lab in proptest::option::of(lab()),
    ) -> Document {
        let text = lines.join("\n").trim_matches('\n').to_owned();
        Document { header, text, lab }
    }
}

fn options() -> impl Strategy<Value = WriteOptions> {
    let charset = proptest::sample::select(vec![
        Charset::Cp850,
        Charset::Iso8859_1,
        Charset::MacRoman,
        Charset::Utf16Be,
        Charset::Utf16Le,
        Charset::Utf8,
        Charset::Utf8Bom,
        Charset::Windows1252,
    ]);
    let line_end = proptest::sample::select(vec![
        LineEnd::Cr,
        LineEnd::CrCrLf,
        LineEnd::CrLf,
        LineEnd::Lf,
        LineEnd::LfCr,
    ]);
    (charset, line_end).prop_map(|(charset, line_end)| WriteOptions { charset, line_end })
}

/// Documents of any text at all: control characters, separators, markers.
fn hostile() -> impl Strategy<Value = Document> {
    let text = || {
        prop_oneof![
            any::<String>(),
            "[\\x00-\\xFF]{0,20}",
            proptest::sample::select(vec![
                "****FIN****",
                " ****finfichier**** ",
                "****LAB****",
                "RES|a",
                " TEX|b",
                "H|~^\\&",
                "#BINASCII1#",
                "\r\n",
                "x\ny",
                "\u{feff}",
                "01/01/1990",
                "\u{85}",
            ])
            .prop_map(str::to_owned),
        ]
    };
    let lines = proptest::array::uniform12(text());
    let lab = proptest::collection::vec((text(), text(), text()), 0..4).prop_map(|lines| {
        let line = |(label, value, kind): (String, String, String)| {
            let kind = ResultKind::Other(kind);
            [
                LabLine::Text(label.clone()),
                LabLine::Result(Box::new(LabResult {
                    label,
                    value,
                    kind,
                    ..LabResult::default()
                })),
            ]
        };
        Lab {
            lines: lines.into_iter().flat_map(line).collect(),
        }
    });
    (
        lines,
        proptest::collection::vec(text(), 0..6),
        proptest::option::of(lab),
    )
        .prop_map(|(mut lines, text, lab)| {
            // A document without a word is none.
            lines[1].push('S');
            Document {
                header: Header::from_lines(lines),
                text: text.join("\n"),
                lab,
            }
        })
}

proptest! {
    #![proptest_config(seeds::cases(512))]

    #[test]
    fn what_is_written_reads_back_the_same(
        documents in proptest::collection::vec(document(), 1..4),
        options in options(),
    ) {
        let written = write(&documents, &options);
        let is_changed = written.warnings.iter().any(|warning| {
            matches!(
                warning.deviation,
                Deviation::CharacterSpelled | Deviation::CharsetAmbiguous | Deviation::EntityInText
            )
        });
        let again = read(&written.bytes).unwrap();
        prop_assert!(is_changed || again.documents == documents, "{:?}", String::from_utf8_lossy(&written.bytes));
        prop_assert_eq!(again.documents.len(), documents.len());
        prop_assert_eq!(again.line_end, options.line_end);
        prop_assert_eq!(again.stray.as_str(), "");
        let joined: Vec<u8> = again.ranges.iter().flat_map(|range| &written.bytes[range.clone()]).copied().collect();
        prop_assert!(written.bytes.windows(joined.len()).any(|part| part == joined));
    }

    #[test]
    fn any_document_at_all_stays_one_document(
        documents in proptest::collection::vec(hostile(), 1..4),
        options in options(),
    ) {
        let written = write(&documents, &options);
        let again = read(&written.bytes).unwrap();
        prop_assert_eq!(again.documents.len(), documents.len());
        prop_assert_eq!(again.stray.as_str(), "");
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        hold_together(&bytes);
    }

    #[test]
    fn bytes_of_the_field_are_read_or_refused(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..60),
        mark in proptest::sample::select(vec!["", "\u{FEFF}", "\r\n", "\x0B"]),
        charset in 0u8..5,
    ) {
        let text = format!("{mark}{}", parts.concat());
        let bytes: Vec<u8> = match charset {
            0 => text.into_bytes(),
            1 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            2 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            3 => encoding_rs::MACINTOSH.encode(&text).0.into_owned(),
            _ => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
        };
        hold_together(&bytes);
    }

    #[test]
    fn whatever_follows_a_header_is_a_document(
        tail in proptest::collection::vec(any::<u8>(), 0..300),
        name in proptest::sample::select(vec!["strict.hpr", "strict-macroman.hpr", "lf-cr.hpr"]),
    ) {
        let mut bytes = fixture(name);
        let end = bytes.windows(11).position(|part| part == b"****FIN****").unwrap();
        bytes.truncate(end);
        bytes.extend(tail);
        let reading = read(&bytes).unwrap();
        prop_assert_eq!(reading.documents[0].header.surname(), "DESOMBRE");
        hold_together(&bytes);
    }

    #[test]
    fn broken_files_are_read_or_refused(
        name in proptest::sample::select(vec![
            "strict.hpr", "lab-loose.hpr", "two-documents.hpr", "windows-1252.hpr", "strict-macroman.hpr", "strict-utf16le.hpr",
            "strict-mangled-macroman.hpr", "strict-utf16-unmarked.hpr", "strict-cp850.hpr", "appended.hpr", "entities.hpr", "parts.hpr",
        ]),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..3), 1..20),
    ) {
        let mut bytes = fixture(name);
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => { bytes.remove(place); }
            }
        }
        hold_together(&bytes);
    }
}

/// What letters and reports are made of, and what they break on.
const PARTS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\n\r",
    "\r\r\n",
    "****FIN****\r\n",
    "****FINFICHIER****\r\n",
    "****LAB****\r\n",
    "TEX|",
    "RES|",
    "res||",
    "|",
    "RES|Fer|FE|N|4,5|g/L|1|2|H|R||||\r\n",
    "DURAND",
    "Zoé",
    "07/03/1951",
    "01/01/20",
    "28 000 X",
    "2A004",
    "Ã©",
    "é",
    "œ",
    "&eacute;",
    "&#124;",
    "&#10;",
    "#BINASCII1#",
    "{\\rtf1",
    "%PDF-1.4",
    "MSH|^~\\&|",
    "H|~^\\&",
    "\0",
    "\x1A",
    "\t",
    " ",
    "x",
    "2510328085042 18",
    "P1\r\nDURAND\r\nZoé\r\n\r\n\r\n28000 CHARTRES\r\n07/03/1951\r\n\r\n\r\n01/02/2024\r\nLABO28;Labo\r\nDr Martin\r\n",
];
