//! HPRIM in every charset and line end that circulates: each file says what the strict one says. Rule by rule: `hprim`.

use pli_core::hprim::{Charset, Deviation, Document, LineEnd, WriteOptions, charset_of, read, text_of, write};
use proptest::prelude::*;

use crate::hprim::{fixture, reading, told};
use crate::seeds;

/// The deviation that names a charset.
type Told = &'static [(&'static str, usize)];

#[test]
fn every_charset_and_line_end_reads_as_the_strict_file() {
    let strict = reading("strict.hpr");
    let others: &[(&str, Charset, LineEnd, Told)] = &[
        ("strict-utf8.hpr", Charset::Utf8, LineEnd::CrLf, &[("charset-utf8", 0)]),
        (
            "strict-utf8-bom.hpr",
            Charset::Utf8Bom,
            LineEnd::CrLf,
            &[("byte-order-mark", 1), ("charset-utf8", 0)],
        ),
        (
            "strict-utf16le.hpr",
            Charset::Utf16Le,
            LineEnd::CrLf,
            &[("charset-utf16", 0)],
        ),
        (
            "strict-utf16be.hpr",
            Charset::Utf16Be,
            LineEnd::CrLf,
            &[("charset-utf16", 0)],
        ),
        (
            "strict-utf16-unmarked.hpr",
            Charset::Utf16Le,
            LineEnd::CrLf,
            &[("charset-utf16", 0), ("byte-order-mark-missing", 0)],
        ),
        (
            "strict-macroman.hpr",
            Charset::MacRoman,
            LineEnd::CrLf,
            &[("charset-macroman", 0)],
        ),
        (
            "strict-cp850.hpr",
            Charset::Cp850,
            LineEnd::CrLf,
            &[("charset-cp850", 0)],
        ),
        ("lf.hpr", Charset::Iso8859_1, LineEnd::Lf, &[("line-end-not-crlf", 0)]),
        ("cr.hpr", Charset::Iso8859_1, LineEnd::Cr, &[("line-end-not-crlf", 0)]),
        (
            "lf-cr.hpr",
            Charset::Iso8859_1,
            LineEnd::LfCr,
            &[("line-end-not-crlf", 0)],
        ),
        (
            "strict-cr-cr-lf.hpr",
            Charset::Iso8859_1,
            LineEnd::CrCrLf,
            &[("line-end-not-crlf", 0)],
        ),
        (
            "mixed-line-ends.hpr",
            Charset::Iso8859_1,
            LineEnd::CrLf,
            &[("line-ends-mixed", 13), ("line-ends-mixed", 14)],
        ),
    ];
    for (name, charset, line_end, warnings) in others {
        let other = reading(name);
        assert!(other.documents == strict.documents, "{name} reads otherwise");
        assert_eq!((other.encoding, other.line_end), (*charset, *line_end), "{name}");
        assert_eq!(told(&other.warnings), *warnings, "{name}");
        assert_eq!(charset_of(&fixture(name)), *charset, "{name}");
    }
}

#[test]
fn accents_that_were_mangled_are_put_right_line_by_line() {
    let strict = reading("strict.hpr");
    let accented = |text: &str| -> Vec<usize> {
        let lines = (1..).zip(text.lines());
        lines
            .filter(|(_, line)| !line.is_ascii())
            .map(|(number, _)| number)
            .collect()
    };
    let lines = accented(&text_of(&fixture("strict.hpr")));
    let others = [
        ("strict-mangled-macroman.hpr", Charset::MacRoman, "accents-mended", 0),
        ("strict-mangled-cp850.hpr", Charset::Cp850, "accents-mended", 0),
        ("strict-mangled-utf8.hpr", Charset::Utf8, "accents-mended", 0),
        ("strict-mangled-twice.hpr", Charset::Utf8, "accents-mended", 0),
        ("strict-mixed.hpr", Charset::Iso8859_1, "charset-mixed", 12),
        ("strict-bom-latin1.hpr", Charset::Utf8Bom, "charset-mixed", 0),
    ];
    for (name, charset, code, after) in others {
        let other = reading(name);
        assert_eq!(other.encoding, charset, "{name}");
        assert!(other.documents == strict.documents, "{name} reads otherwise");
        let expected: Vec<_> = lines
            .iter()
            .filter(|line| **line > after)
            .map(|line| (code, *line))
            .collect();
        let mended: Vec<_> = told(&other.warnings)
            .into_iter()
            .filter(|(_, line)| *line > 1)
            .collect();
        assert_eq!(mended, expected, "{name}");
    }
}

#[test]
fn a_file_of_utf16_has_its_documents_where_they_stand() {
    let bytes: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(
            "\u{1F600}é\r\n"
                .repeat(12)
                .encode_utf16()
                .chain("****FIN****\r\n".encode_utf16())
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    let reading = read(&bytes).unwrap();
    assert_eq!(reading.ranges.len(), 1);
    assert_eq!(reading.ranges[0], 2..bytes.len());
    let two = text_of(&fixture("two-documents.hpr")).replace('\n', "\r\n");
    let bytes: Vec<u8> = [0xFE, 0xFF]
        .into_iter()
        .chain(two.encode_utf16().flat_map(u16::to_be_bytes))
        .collect();
    let reading = read(&bytes).unwrap();
    let plain = self::reading("two-documents.hpr");
    assert!(reading.documents == plain.documents);
    for (range, other) in reading.ranges.iter().zip(&plain.ranges) {
        assert_eq!((range.start - 2, range.end - 2), (other.start * 2, other.end * 2));
    }
}

#[test]
fn half_a_character_of_utf16_costs_no_more_than_itself() {
    let mut bytes = fixture("strict-utf16le.hpr");
    bytes.extend([0x00, 0xD8, 0x41]);
    let reading = read(&bytes).unwrap();
    assert!(reading.documents == self::reading("strict.hpr").documents);
    assert_eq!(reading.stray, "\u{FFFD}");
    assert!(told(&reading.warnings).contains(&("invalid-utf16", 0)));
}

#[test]
fn bytes_that_mean_nothing_make_the_charset_doubtful() {
    let mut bytes = fixture("windows-1252.hpr");
    let place = bytes.iter().position(|byte| *byte == 0x9C).unwrap();
    bytes[place] = 0x81;
    let codes = told(&read(&bytes).unwrap().warnings);
    assert_eq!(codes, [("charset-windows-1252", 0), ("charset-doubtful", 0)]);
}

#[test]
fn what_reads_otherwise_is_told_when_it_is_written() {
    let ambiguous = |text: &str, charset: Charset| {
        let document = Document {
            text: text.to_owned(),
            ..Document::default()
        };
        let options = WriteOptions {
            charset,
            ..WriteOptions::default()
        };
        told(&write(&[document], &options).warnings)
    };
    assert_eq!(
        ambiguous("Ã©tÃ©", Charset::Iso8859_1),
        [("charset-ambiguous", 13)],
        "UTF-8"
    );
    assert_eq!(
        ambiguous("a\nÃ©tÃ©", Charset::Utf8),
        [("charset-ambiguous", 14)],
        "mangled"
    );
    assert_eq!(ambiguous("Žž", Charset::MacRoman).len(), 1, "spelled");
    assert_eq!(ambiguous("l’été déjà passé", Charset::MacRoman), []);
    assert_eq!(ambiguous("été déjà passé", Charset::Cp850), []);
    assert_eq!(ambiguous("Ã©tÃ© à 5 µg", Charset::Iso8859_1), []);
}

#[test]
fn one_accent_tells_the_charset_of_most_words() {
    let words = "été confrère fièvre hépatique où gêne août sûr Noël reçu français déjà être tête contrôle née GLYCÉMIE HÉMATOLOGIE \
        RÉSULTATS Élodie élevé hémoglobine vésicule bilatérale prélèvement Lefèvre très Gwénaëlle Zoé André Hélène Françoise Jérôme Benoît \
        Chloé Léa Noémie Anaïs Agnès Thérèse Joël Raphaël Mickaël René Aimée Émile ÉMILE HÉLÈNE FRANÇOIS Müller José à";
    for charset in [Charset::Iso8859_1, Charset::MacRoman, Charset::Cp850] {
        for word in words.split_whitespace() {
            let document = Document {
                text: format!("Le {word} du jour"),
                ..Document::default()
            };
            let options = WriteOptions {
                charset,
                ..WriteOptions::default()
            };
            let written = write(&[document], &options);
            let again = read(&written.bytes).unwrap();
            assert_eq!(again.encoding, charset, "{word} reads {}", again.documents[0].text);
        }
    }
}

#[test]
fn iso_8859_1_that_reads_badly_is_doubtful() {
    // n°12 in MacRoman.
    let mut bytes = fixture("strict.hpr");
    let place = bytes.iter().position(|byte| *byte == 0xE9).unwrap();
    bytes[place - 1..=place].copy_from_slice(b"n\xA1");
    bytes.retain(|byte| !(0xC0..=0xFF).contains(byte));
    let told = told(&read(&bytes).unwrap().warnings);
    assert_eq!(told, [("charset-doubtful", 0)]);
}

/// Words of letters and reports, as people write them.
const WORDS: &[&str] = &[
    "été",
    "à",
    "Cher",
    "confrère",
    "patiente",
    "fièvre",
    "hépatique",
    "où",
    "gêne",
    "août",
    "sûr",
    "Noël",
    "reçu",
    "français",
    "déjà",
    "âge",
    "être",
    "île",
    "tête",
    "contrôle",
    "née",
    "le",
    "de",
    "suivi",
    "GLYCÉMIE",
    "HÉMATOLOGIE",
    "RÉSULTATS",
    "À",
    "Élodie",
    "38,5 °C",
    "n° 12",
    "élevé",
    "œdème",
    "cœur",
    "l’an",
    "d’été",
    "« bon »",
    "–",
    "5 µg",
    "m²",
    "25 €",
    "fin…",
    "hémoglobine",
    "vésicule",
    "bilatérale",
    "prélèvement",
    "Mme",
    "Lefèvre",
    "ci-joint",
    "très",
];

/// A page of them, with enough accents to tell a charset by.
fn page() -> impl Strategy<Value = String> {
    let line = proptest::collection::vec(proptest::sample::select(WORDS), 1..10).prop_map(|words| words.join(" "));
    proptest::collection::vec(line, 2..12).prop_map(|lines| format!("Le résultat est à revoir\n{}", lines.join("\n")))
}

proptest! {
    #![proptest_config(seeds::cases(512))]

    #[test]
    fn french_is_read_in_the_charset_it_was_written_in(
        text in page(),
        charset in proptest::sample::select(vec![
            Charset::Cp850, Charset::Iso8859_1, Charset::MacRoman, Charset::Utf16Be, Charset::Utf16Le, Charset::Utf8,
            Charset::Utf8Bom, Charset::Windows1252,
        ]),
    ) {
        let document = Document { text, ..Document::default() };
        let written = write(&[document], &WriteOptions { charset, ..WriteOptions::default() });
        let told = told(&written.warnings);
        prop_assert!(!told.iter().any(|(code, _)| *code == "charset-ambiguous"), "{told:?} {charset:?}");
        let again = read(&written.bytes).unwrap();
        prop_assert!(
            again.encoding == charset || charset == Charset::Windows1252 && again.encoding == Charset::Iso8859_1,
            "{charset:?} read as {:?}",
            again.encoding
        );
    }

    #[test]
    fn mangled_french_is_put_right(text in page(), charset in proptest::sample::select(vec!["utf8", "macroman"])) {
        let lines: Vec<String> = ["", "S", "", "", "", "", "01/01/1990", "", "", "", "", ""].map(str::to_owned).to_vec();
        let file = format!("{}\r\n{}\r\n", lines.join("\r\n"), text.replace('\n', "\r\n"));
        // The UTF-8 of the file, read as ISO-8859-1.
        let mangled: String = file.bytes().map(char::from).collect();
        let bytes = match charset {
            "utf8" => mangled.into_bytes(),
            _ => encoding_rs::MACINTOSH.encode(&mangled).0.into_owned(),
        };
        // MacRoman lacks some of ISO-8859-1, as what is left of œ and ’: then there is nothing to put right.
        if !bytes.contains(&b'&') {
            let reading = read(&bytes).unwrap();
            prop_assert_eq!(&reading.documents[0].text, &text);
            prop_assert!(reading.warnings.iter().any(|warning| warning.deviation == Deviation::AccentsMended));
        }
    }
}
