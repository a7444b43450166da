//! HPRIM: each rule by a file of bytes, the writer by exact bytes. Random documents and random bytes: `hprim_random`.

use std::path::Path;

use jiff::civil::date;
use pli_core::hprim::{
    Deviation, Document, Fields, Flag, Header, HeaderProblem, HprimError, Lab, LabLine, LabResult, MAX_BYTES,
    MAX_DOCUMENTS, MAX_LINES, MAX_WARNINGS, Party, Patient, Reading, ResultKind, ResultStatus, Warning, WriteOptions,
    read, text_of, write,
};

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/hprim")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn reading(name: &str) -> Reading {
    read(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn told(warnings: &[Warning]) -> Vec<(&'static str, usize)> {
    warnings
        .iter()
        .map(|warning| (warning.deviation.code().trim_start_matches("hprim-"), warning.line))
        .collect()
}

#[test]
fn each_file_is_told_its_deviations_and_no_others() {
    let expected: &[(&str, &[(&str, usize)])] = &[
        ("strict.hpr", &[]),
        ("windows-1252.hpr", &[("charset-windows-1252", 0)]),
        ("two-documents.hpr", &[]),
        (
            "after-end.hpr",
            &[("end-of-file-byte", 0), ("text-after-end", 17), ("marker-repeated", 18)],
        ),
        ("no-end.hpr", &[("document-end-missing", 13), ("file-end-missing", 13)]),
        ("no-document-end.hpr", &[("document-end-missing", 14)]),
        (
            "lab-loose.hpr",
            &[
                ("marker-inexact", 14),
                ("orphan-continuation", 15),
                ("decimal-comma", 17),
                ("result-flag-unknown", 18),
                ("result-status-unknown", 18),
                ("result-not-numeric", 18),
                ("trailing-separator", 19),
                ("result-kind-unknown", 19),
                ("result-field-count", 20),
                ("result-field-count", 21),
                ("blank-line-in-results", 22),
                ("unmarked-lab-line", 23),
                ("marker-repeated", 24),
            ],
        ),
        ("lab-without-marker.hpr", &[("result-outside-lab", 14)]),
        ("dates-loose.hpr", &[("date-format", 7), ("two-digit-year", 10)]),
        ("century.hpr", &[("two-digit-year", 7)]),
        (
            "header-wrong.hpr",
            &[
                ("field-too-long", 4),
                ("surname-missing", 2),
                ("given-name-missing", 3),
                ("postcode-joined", 6),
                ("date-unreadable", 7),
                ("nir-key-wrong", 8),
                ("party-ambiguous", 11),
                ("party-ambiguous", 12),
            ],
        ),
        ("header-missing.hpr", &[("birth-date-missing", 7), ("nir-malformed", 8)]),
        ("birth-after-document.hpr", &[("birth-after-document", 7)]),
        (
            "shifted.hpr",
            &[("marker-inexact", 17), ("header-shifted", 1), ("thirteenth-line", 15)],
        ),
        ("control.hpr", &[("control-character", 13), ("armoured-part", 14)]),
        (
            "truncated-second.hpr",
            &[("document-truncated", 15), ("marker-repeated", 17)],
        ),
        ("repeated-end.hpr", &[("marker-repeated", 16)]),
        ("corsica.hpr", &[("nir-inexact", 8)]),
        (
            "entities.hpr",
            &[
                ("html-entity", 13),
                ("html-entity", 14),
                ("html-entity", 16),
                ("html-entity", 17),
                ("result-not-numeric", 17),
            ],
        ),
        (
            "parts.hpr",
            &[("pdf-part", 14), ("rtf-part", 15), ("armoured-part", 16)],
        ),
        ("nul.hpr", &[("control-character", 16)]),
    ];
    for (name, warnings) in expected {
        assert_eq!(told(&reading(name).warnings), *warnings, "{name}");
    }
}

#[test]
fn what_is_no_hprim_is_named() {
    let expected = [
        ("hprim-sante.hpr", HprimError::HprimSante),
        ("armoured.hpr", HprimError::Armoured),
        ("empty.hpr", HprimError::Empty),
        ("blank.hpr", HprimError::Empty),
        ("short.hpr", HprimError::NoHeader),
        ("letter.txt", HprimError::NoHeader),
        ("hl7.hpr", HprimError::Hl7),
        ("pdf.hpr", HprimError::Pdf),
        ("rtf.hpr", HprimError::Rtf),
        ("binary.hpr", HprimError::NotText),
    ];
    for (name, error) in expected {
        assert_eq!(read(&fixture(name)), Err(error), "{name}");
    }
}

#[test]
fn what_is_no_hprim_is_shown_when_it_is_text() {
    let expected = [
        ("letter.txt", "Bonjour\n\nceci est\nune lettre"),
        ("hl7.hpr", " MSH|^~\\&|LABO|28|DPI"),
        ("hprim-sante.hpr", "H|"),
        ("rtf.hpr", "{\\rtf1\\ansi Cher"),
        ("armoured.hpr", "#BINASCII1#"),
    ];
    for (name, start) in expected {
        let text = text_of(&fixture(name));
        assert!(text.starts_with(start), "{name}: {text:?}");
    }
    for name in ["pdf.hpr", "binary.hpr", "empty.hpr"] {
        assert_eq!(text_of(&fixture(name)), "", "{name}");
    }
}

#[test]
fn limits_are_refused_before_they_cost() {
    let strict = fixture("strict.hpr");
    assert_eq!(read(&vec![b'a'; MAX_BYTES + 1]), Err(HprimError::TooLarge));
    assert_eq!(read(&b"a\n".repeat(MAX_LINES + 1)), Err(HprimError::TooManyLines));
    let document = strict.strip_suffix(b"****FINFICHIER****\r\n").unwrap();
    assert_eq!(
        read(&document.repeat(MAX_DOCUMENTS)).unwrap().documents.len(),
        MAX_DOCUMENTS
    );
    assert_eq!(
        read(&document.repeat(MAX_DOCUMENTS + 1)),
        Err(HprimError::TooManyDocuments)
    );
    let mut noisy = strict
        .strip_suffix(b"****FIN****\r\n****FINFICHIER****\r\n")
        .unwrap()
        .to_vec();
    noisy.extend(b"RES|a\r\n".repeat(MAX_WARNINGS * 2));
    let warnings = read(&noisy).unwrap().warnings;
    assert_eq!(warnings.len(), MAX_WARNINGS);
    assert_eq!(warnings.last().unwrap().deviation, Deviation::WarningsCut);
}

#[test]
fn windows_1252_has_what_iso_8859_1_lacks() {
    let text = &reading("windows-1252.hpr").documents[0].text;
    assert_eq!(text, "Le cœur est régulier – coût : 25 €…");
}

#[test]
fn results_keep_their_fields_and_continue_the_label_above() {
    let reading = reading("strict.hpr");
    let lab = reading.documents[0].lab.as_ref().unwrap();
    assert!(lab.lines[0] == LabLine::Text("Glycémie à jeun".to_owned()));
    let results: Vec<(&str, &LabResult)> = lab.results().collect();
    let labels: Vec<&str> = results.iter().map(|(label, _)| *label).collect();
    assert_eq!(labels, ["Glycémie", "Hémoglobine", "Hémoglobine"]);
    let glycaemia = results[0].1;
    assert_eq!(glycaemia.number(), Some(5.4));
    assert_eq!(
        (glycaemia.flag.clone(), glycaemia.status.clone()),
        (Flag::Normal, ResultStatus::Validated)
    );
    assert_eq!((glycaemia.value2.as_str(), glycaemia.unit2.as_str()), ("0.97", "g/L"));
    assert_eq!((glycaemia.low2.as_str(), glycaemia.high2.as_str()), ("0.74", "1.06"));
    assert_eq!(results[1].1.flag, Flag::Low);
    assert_eq!(results[2].1.kind, ResultKind::Text);
    assert_eq!(
        reading.documents[0].plain_text().lines().skip(4).collect::<Vec<_>>(),
        [
            "Glycémie à jeun",
            "Glycémie : 5.4 mmol/L (4.1 - 5.9) [0.97 g/L]",
            "Hémoglobine : 10.2 g/dL (12.0 - 16.0) L",
            "contrôlée",
        ]
    );
}

#[test]
fn short_and_long_result_lines_are_read() {
    let reading = reading("lab-loose.hpr");
    let lab = reading.documents[0].lab.as_ref().unwrap();
    let results: Vec<&LabResult> = lab.results().map(|(_, result)| result).collect();
    assert_eq!(results.len(), 7);
    assert_eq!((results[1].label.as_str(), results[1].value.as_str()), ("Sodium", ""));
    assert_eq!(results[2].number(), Some(4.1));
    assert_eq!(results[3].number(), None);
    assert_eq!(results[3].flag, Flag::Other("LLL".to_owned()));
    assert!(lab.lines.last() == Some(&LabLine::Text("Prélèvement du matin".to_owned())));
}

#[test]
fn each_document_has_its_bytes_and_the_rest_is_kept() {
    let bytes = fixture("two-documents.hpr");
    let reading = read(&bytes).unwrap();
    assert_eq!(reading.ranges.len(), 2);
    for range in &reading.ranges {
        assert!(bytes[range.clone()].ends_with(b"****FIN****\r\n"));
    }
    assert_eq!(reading.ranges[0].end, reading.ranges[1].start);
    assert_eq!(reading.documents[1].header.surname(), "LE GUEN");
    assert_eq!(self::reading("after-end.hpr").stray, "Envoyé depuis le secrétariat");
    assert_eq!(self::reading("truncated-second.hpr").stray, "P0043\nLE GUEN");
    assert_eq!(self::reading("shifted.hpr").documents[0].header.surname(), "DESOMBRE");
}

#[test]
fn a_file_appended_to_another_is_read_and_told() {
    let bytes = fixture("appended.hpr");
    let reading = read(&bytes).unwrap();
    let surnames: Vec<&str> = reading
        .documents
        .iter()
        .map(|document| document.header.surname())
        .collect();
    assert_eq!(surnames, ["DESOMBRE", "LE GUEN"]);
    assert_eq!(
        told(&reading.warnings)
            .into_iter()
            .filter(|(_, line)| *line > 0)
            .collect::<Vec<_>>(),
        [
            ("text-after-end", 24),
            ("marker-repeated", 25),
            ("document-after-end", 26),
            ("marker-repeated", 40),
            ("marker-repeated", 41),
            ("text-after-end", 42)
        ]
    );
    assert_eq!(reading.stray, "Relu le soir\nfin");
    assert!(reading.plain_text().ends_with("\n\nRelu le soir\nfin"));
    let [_, second] = reading.ranges.as_slice() else {
        panic!("two")
    };
    assert!(bytes[second.clone()].ends_with(b"****FIN****\r\n"));
}

#[test]
fn entities_are_put_right_and_structure_nothing() {
    let plain = reading("strict.hpr");
    let entities = reading("strict-entities.hpr");
    assert!(entities.documents == plain.documents);
    assert!(
        entities
            .warnings
            .iter()
            .all(|warning| warning.deviation == Deviation::HtmlEntity)
    );
    let document = &reading("entities.hpr").documents[0];
    assert_eq!(document.text, "Dose < 5 mg & R&D; &inconnu;  fin\n****FIN****");
    let lab = document.lab.as_ref().unwrap();
    assert!(lab.lines[0] == LabLine::Text("Na|K".to_owned()));
    let (label, result) = lab.results().next().unwrap();
    assert_eq!((label, result.code.as_str(), result.value.as_str()), ("A|B", "C", "<5"));
}

#[test]
fn what_would_read_as_an_entity_is_told_when_it_is_written() {
    let document = Document {
        text: "&eacute; R&D AT&T;".to_owned(),
        ..Document::default()
    };
    let written = write(&[document], &WriteOptions::default());
    assert_eq!(told(&written.warnings), [("entity-in-text", 13)]);
    assert_eq!(read(&written.bytes).unwrap().documents[0].text, "& eacute; R& D AT& T;");
}

#[test]
fn the_strict_file_is_written_back_byte_for_byte() {
    let bytes = fixture("strict.hpr");
    let written = write(&read(&bytes).unwrap().documents, &WriteOptions::default());
    assert_eq!(String::from_utf8_lossy(&written.bytes), String::from_utf8_lossy(&bytes));
    assert!(written.bytes == bytes);
    assert_eq!(told(&written.warnings), []);
}

#[test]
fn a_loose_file_is_written_strictly() {
    let written = write(&reading("dates-loose.hpr").documents, &WriteOptions::default());
    let lines: Vec<&[u8]> = written.bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[6], b"07/03/1951\r");
    assert_eq!(lines[9], b"14/05/2024\r");
    let written = write(&reading("lab-loose.hpr").documents, &WriteOptions::default());
    let counts: Vec<usize> = written
        .bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"RES|"))
        .map(|line| line.split(|byte| *byte == b'|').count())
        .collect();
    // What follows the fourteen fields of the last one stays.
    assert_eq!(counts, [14, 14, 14, 14, 14, 14, 15]);
    assert!(written.bytes.windows(7).any(|part| part == b"|x\xA6y\r\nT"));
}

#[test]
fn result_lines_of_every_length_are_read_and_lose_nothing() {
    let strict = fixture("strict.hpr");
    let place = strict.windows(4).position(|part| part == b"RES|").unwrap();
    for count in 1..=20usize {
        let fields: Vec<String> = (1..count).map(|number| format!("f{number}")).collect();
        let line = format!("RES|{}", fields.join("|"));
        let mut bytes = strict[..place].to_vec();
        bytes.extend(format!("{line}\r\nres||x|A|suite\r\n****FIN****\r\n****FINFICHIER****\r\n").bytes());
        let reading = read(&bytes).unwrap();
        let text = reading.documents[0].plain_text();
        let results: Vec<(&str, &LabResult)> = reading.documents[0].lab.as_ref().unwrap().results().collect();
        let (label, result) = results[0];
        assert_eq!(label, fields.first().map_or("", String::as_str), "{line}");
        assert_eq!(result.value, fields.get(3).map_or("", String::as_str), "{line}");
        assert_eq!(result.extra, fields.get(13..).unwrap_or_default().join("|"), "{line}");
        assert!(text.contains(&result.extra), "{text}");
        assert_eq!(results[1], (label, results[1].1), "the second continues the first");
        assert_eq!(results[1].1.value, "suite");
        let codes: Vec<&str> = told(&reading.warnings).into_iter().map(|(code, _)| code).collect();
        let is_usual = (4..=14).contains(&count);
        assert_eq!(codes.contains(&"result-field-count"), !is_usual, "{count}: {codes:?}");
        assert!(codes.contains(&"lab-prefix-inexact"));
        let again = read(&write(&reading.documents, &WriteOptions::default()).bytes).unwrap();
        let again = again.documents[0].lab.clone().unwrap();
        assert_eq!(
            again.results().next().unwrap().1.extra,
            result.extra.replace('|', "¦"),
            "{line}"
        );
    }
}

#[test]
fn what_the_laboratory_does_not_vouch_for_is_shown_so() {
    let shown = |status: &str| {
        let result = LabResult {
            label: "Fer".to_owned(),
            value: "12".to_owned(),
            status: ResultStatus::read(status),
            ..LabResult::default()
        };
        LabLine::Result(Box::new(result)).plain_text()
    };
    assert_eq!(shown("F"), "Fer : 12");
    assert_eq!(shown("R"), "Fer : 12 (non validé)");
    assert_eq!(shown("C"), "Fer : 12 (corrigé)");
}

#[test]
fn a_letter_becomes_these_bytes() {
    let patient = Patient {
        surname: "Desombre".to_owned(),
        given: "Gwénaëlle".to_owned(),
        birth_date: Some(date(1951, 3, 7)),
    };
    let sender = Party {
        code: "LABO28".to_owned(),
        name: "Laboratoire du Parvis".to_owned(),
    };
    let text = "\r\nLe cœur va bien – 25 € d’avance…\r\n****FIN****\r\nRES|x\n\n";
    let document = Document::for_letter(
        &patient,
        sender,
        Party::named("pierre-marie.desombre"),
        date(2024, 5, 14),
        text,
    );
    let written = write(&[document], &WriteOptions::default());
    let expected: &[u8] = b"\r\nDESOMBRE\r\nGw\xE9na\xEBlle\r\n\r\n\r\n\r\n07/03/1951\r\n\r\n\r\n14/05/2024\r\n\
        LABO28     Laboratoire du Parvis\r\n.          pierre-marie.desombre\r\n\
        Le coeur va bien - 25 EUR d'avance...\r\n**** FIN ****\r\nRES\xA6x\r\n****FIN****\r\n****FINFICHIER****\r\n";
    assert_eq!(
        String::from_utf8_lossy(&written.bytes),
        String::from_utf8_lossy(expected)
    );
    assert!(written.bytes == expected);
    assert_eq!(
        told(&written.warnings),
        [
            ("character-spelled", 13),
            ("marker-in-text", 14),
            ("marker-in-text", 15)
        ]
    );
}

#[test]
fn what_the_charset_lacks_is_spelled_out() {
    let spelled = |text: &str| {
        let document = Document {
            text: text.to_owned(),
            ..Document::default()
        };
        let written = write(&[document], &WriteOptions::default());
        let line = written.bytes.split(|byte| *byte == b'\n').nth(12).unwrap();
        let is_told = written
            .warnings
            .iter()
            .any(|warning| warning.deviation == Deviation::CharacterSpelled);
        (
            line.strip_suffix(b"\r")
                .unwrap()
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>(),
            is_told,
        )
    };
    let expected = [
        ("œdème, Œuvre, 12 €", "oedème, Oeuvre, 12 EUR"),
        (
            "l’an «\u{202F}bon\u{202F}» “ici” – là — fin…",
            "l'an « bon » \"ici\" - là - fin...",
        ),
        ("10⁹/L, 10⁻³, 10¹⁰", "10^9/L, 10^-3, 10^10"),
        ("≤ 5 ≥ 3 → β-HCG, 3 μg", "<= 5 >= 3 -> beta-HCG, 3 µg"),
        ("Ÿ š Łódź", "Y s Lódz"),
        ("\u{FFFD}", "[U+FFFD]"),
    ];
    for (text, written) in expected {
        let written = written.replace("Oeuvre", "OEuvre");
        assert_eq!(spelled(text), (written, true), "{text}");
    }
    assert_eq!(spelled("m² cm³ ½ µg é"), ("m² cm³ ½ µg é".to_owned(), false));
    assert_eq!(spelled("e\u{301}tude\u{301}"), ("étudé".to_owned(), false));
}

#[test]
fn values_cannot_break_out_of_their_field() {
    let mut header = Fields {
        surname: "A\r\nB".to_owned(),
        ..Fields::default()
    };
    header.patient_code = "H|~^\\&".to_owned();
    header.file_number = "****FINFICHIER****".to_owned();
    let result = LabResult {
        label: "a|b\nc".to_owned(),
        ..LabResult::default()
    };
    let lab = Lab {
        lines: vec![
            LabLine::Result(Box::new(result)),
            LabLine::Text("x|y\r****FIN****".to_owned()),
        ],
    };
    let document = Document {
        header: Header::from_fields(&header),
        text: "t".to_owned(),
        lab: Some(lab),
    };
    let written = write(&[document], &WriteOptions::default());
    let again = read(&written.bytes).unwrap();
    assert_eq!(again.documents.len(), 1);
    assert_eq!(again.documents[0].header.surname(), "A  B");
    let lines = &again.documents[0].lab.as_ref().unwrap().lines;
    assert!(
        lines[0]
            == LabLine::Result(Box::new(LabResult {
                label: "a¦b c".to_owned(),
                ..LabResult::default()
            }))
    );
    assert!(lines[1] == LabLine::Text("x¦y ****FIN****".to_owned()));
    let warned: Vec<&str> = told(&written.warnings).into_iter().map(|(code, _)| code).collect();
    for code in ["separator-replaced", "control-character", "marker-in-text"] {
        assert!(warned.contains(&code), "{code}");
    }
}

#[test]
fn nothing_is_cut_but_everything_too_wide_is_told() {
    let street = "3 allée des Grands Champs du Moulin à Vent".to_owned();
    let fields = Fields {
        surname: "S".to_owned(),
        street: [street.clone(), String::new()],
        ..Fields::default()
    };
    let document = Document {
        header: Header::from_fields(&fields),
        ..Document::default()
    };
    let written = write(&[document], &WriteOptions::default());
    assert_eq!(told(&written.warnings), [("field-too-long", 4)]);
    assert_eq!(
        read(&written.bytes).unwrap().documents[0].header.fields().street[0],
        street
    );
}

#[test]
fn debug_output_names_no_patient() {
    let reading = reading("strict.hpr");
    let document = &reading.documents[0];
    let shown = format!(
        "{reading:?} {document:?} {:?} {:?} {:?}",
        document.header,
        document.patient(),
        document.lab
    );
    for word in ["DESOMBRE", "Gwénaëlle", "Tanneurs", "1951", "Glyc", "confrère"] {
        assert!(!shown.contains(word), "{word} in {shown}");
    }
}

#[test]
fn the_format_page_lists_every_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hprim.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut codes: Vec<&str> = Deviation::ALL.iter().map(|deviation| deviation.code()).collect();
    codes.extend(HprimError::ALL.iter().map(|error| error.code()));
    codes.extend(HeaderProblem::ALL.iter().map(|problem| problem.code()));
    for code in &codes {
        assert!(page.contains(&format!("| `{code}` |")), "docs/hprim.md lacks {code}");
    }
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| `hprim-") || line.starts_with("| `patient-"))
        .count();
    assert_eq!(
        rows,
        codes.len(),
        "docs/hprim.md lists a code that does not exist, or one twice"
    );
}
