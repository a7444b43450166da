//! HPRIM: each header line in every form seen. The rest, rule by rule: `hprim`.

use jiff::civil::date;
use pli_core::hprim::{
    Charset, Document, Fields, Header, HeaderProblem, LineEnd, Party, WriteOptions, header_problems, read, text_of,
    write,
};

use crate::hprim::{fixture, reading, told};

#[test]
fn the_header_says_who_and_when() {
    let reading = reading("strict.hpr");
    let [document] = reading.documents.as_slice() else {
        panic!("one document")
    };
    let fields = document.header.fields();
    assert_eq!(fields.patient_code, "P0042");
    assert_eq!(fields.surname, "DESOMBRE");
    assert_eq!(fields.given, "Gwénaëlle");
    assert_eq!(fields.street, ["12 rue des Tanneurs", "Bât. B"]);
    assert_eq!((fields.postcode.as_str(), fields.town.as_str()), ("28000", "CHARTRES"));
    assert_eq!(fields.birth_date, Some(date(1951, 3, 7)));
    assert_eq!(document.header.nir().unwrap().number(), "2510328085042");
    assert_eq!(document.header.nir().unwrap().key_fits(), Some(true));
    assert_eq!(fields.file_number, "D-2024-117");
    assert_eq!(fields.document_date, Some(date(2024, 5, 14)));
    assert_eq!(
        (fields.sender.code.as_str(), fields.sender.name.as_str()),
        ("LABO28", "Laboratoire du Parvis")
    );
    assert_eq!(
        (fields.addressee.code.as_str(), fields.addressee.name.as_str()),
        ("0000012345", "pierre-marie.desombre")
    );
    assert_eq!(
        document.text,
        "Cher confrère,\n\nJe vous adresse les résultats de Mme Desombre.\nBien à vous."
    );
    assert_eq!(
        (reading.encoding, reading.line_end),
        (Charset::Iso8859_1, LineEnd::CrLf)
    );
    let patient = document.patient();
    assert_eq!(
        (patient.surname.as_str(), patient.given.as_str()),
        ("DESOMBRE", "Gwénaëlle")
    );
}

#[test]
fn loose_dates_find_their_century() {
    let loose = &reading("dates-loose.hpr").documents[0].header;
    assert_eq!(loose.birth_date(), Some(date(1951, 3, 7)));
    assert_eq!(loose.document_date(), Some(date(2024, 5, 14)));
    // Born 07/03/25 in a letter of 2024: nobody is born after the letter about them.
    assert_eq!(
        reading("century.hpr").documents[0].header.birth_date(),
        Some(date(1925, 3, 7))
    );
}

#[test]
fn dates_are_read_in_every_form_seen_and_in_no_other() {
    let birth = |line: &str| {
        let mut lines: [String; 12] = Default::default();
        line.clone_into(&mut lines[6]);
        Header::from_lines(lines).birth_date()
    };
    let expected = Some(date(1951, 3, 7));
    for line in [
        "07/03/1951",
        " 7/3/1951 ",
        "07/03/51",
        "1951-03-07",
        "07-03-1951",
        "07.03.1951",
        "07031951",
        "19510307",
        "07 03 1951",
        "1951/03/07",
        "07/03/1951 00:00:00",
        "1951-03-07T08:30:00.000Z",
        "07/03/51 8h30",
        "19510307083000",
        "070351",
    ] {
        assert_eq!(birth(line), expected, "{line}");
    }
    for line in [
        "",
        "00/00/0000",
        "31/02/1951",
        "07/13/1951",
        "07/03/0196",
        "07/03",
        "07/03/1951/1",
        "07/03/1951 1",
        "03/25/1951",
        "070312",
        "07/03/1951 à 8h",
        "née en 1951",
        "7 mars",
    ] {
        assert_eq!(birth(line), None, "{line}");
    }
}

#[test]
fn party_lines_split_by_width_or_by_the_first_spaces() {
    let party = |line: &str| {
        let mut lines: [String; 12] = Default::default();
        line.clone_into(&mut lines[10]);
        let party = Header::from_lines(lines).sender();
        (party.code, party.name)
    };
    let is_ambiguous = |line: &str| header_told(11, line).contains(&"party-ambiguous");
    let expected = [
        ("0000012345 pierre.martin", "0000012345", "pierre.martin", false),
        (
            "LABO28     Laboratoire du Parvis",
            "LABO28",
            "Laboratoire du Parvis",
            false,
        ),
        ("DURAND     anne.durand", "DURAND", "anne.durand", false),
        (
            "LABO28\tLaboratoire du Parvis",
            "LABO28",
            "Laboratoire du Parvis",
            false,
        ),
        ("12 Durand Anne", "12", "Durand Anne", false),
        ("1234567 Durand Anne", "1234567", "Durand Anne", false),
        (".          Durand Anne", "", "Durand Anne", false),
        (". Durand Anne", "", "Durand Anne", false),
        ("           Durand Anne", "", "Durand Anne", false),
        ("0000012345", "0000012345", "", false),
        ("jean.dupont", "", "jean.dupont", false),
        ("jean.dupont2", "", "jean.dupont2", false),
        (
            "jean.martin@medical28.apicrypt.org",
            "",
            "jean.martin@medical28.apicrypt.org",
            false,
        ),
        ("Durand Anne", "Durand", "Anne", true),
        ("Dr. Durand Anne", "", "Dr. Durand Anne", true),
        ("MME Anne Durand", "", "MME Anne Durand", true),
        ("LABO28;Laboratoire du Parvis", "LABO28", "Laboratoire du Parvis", true),
        ("0000012345pierre.martin", "0000012345", "pierre.martin", true),
        ("medical28", "medical28", "", true),
        ("Durand", "", "Durand", true),
        ("desjardins", "", "desjardins", true),
        (".", "", "", false),
        ("", "", "", false),
    ];
    for (line, code, name, ambiguous) in expected {
        assert_eq!(party(line), (code.to_owned(), name.to_owned()), "{line:?}");
        assert_eq!(is_ambiguous(line), ambiguous, "{line:?}");
    }
}

#[test]
fn social_security_numbers_are_read_with_and_without_spaces_and_key() {
    let nir = |line: &str| {
        let mut lines: [String; 12] = Default::default();
        line.clone_into(&mut lines[7]);
        Header::from_lines(lines)
            .nir()
            .map(|nir| (nir.number().to_owned(), nir.key_fits()))
    };
    let number = "2510328085042".to_owned();
    let expected = [
        ("2510328085042 18", Some((number.clone(), Some(true))), None),
        (" 251032808504218", Some((number.clone(), Some(true))), None),
        ("2510328085042", Some((number.clone(), None)), None),
        (
            "2 51 03 28 085 042 18",
            Some((number.clone(), Some(true))),
            Some("nir-inexact"),
        ),
        (
            "2.51.03.28.085.042/18",
            Some((number.clone(), Some(true))),
            Some("nir-inexact"),
        ),
        (
            "2510328085042-18",
            Some((number.clone(), Some(true))),
            Some("nir-inexact"),
        ),
        ("2510328085042 19", Some((number, Some(false))), Some("nir-key-wrong")),
        ("0000000000000", None, Some("nir-malformed")),
        ("25103280850421", None, Some("nir-malformed")),
        ("non communiqué", None, Some("nir-malformed")),
        ("", None, None),
    ];
    for (line, number, code) in expected {
        assert_eq!(nir(line), number, "{line:?}");
        assert_eq!(header_told(8, line), Vec::from_iter(code), "{line:?}");
    }
}

#[test]
fn postcode_and_town_split_at_a_space_or_after_five_digits() {
    let split = |line: &str| {
        let mut lines: [String; 12] = Default::default();
        line.clone_into(&mut lines[5]);
        let header = Header::from_lines(lines);
        header.postcode_and_town()
    };
    let expected = [
        ("28000 CHARTRES", "28000", "CHARTRES", None),
        ("28000  CHARTRES CEDEX 9", "28000", "CHARTRES CEDEX 9", None),
        ("28000CHARTRES", "28000", "CHARTRES", Some("postcode-joined")),
        ("27000ÉVREUX", "27000", "ÉVREUX", Some("postcode-joined")),
        ("2A004AJACCIO", "2A004", "AJACCIO", Some("postcode-joined")),
        ("2A004 AJACCIO", "2A004", "AJACCIO", None),
        ("28000-CHARTRES", "28000", "CHARTRES", Some("postcode-inexact")),
        ("28000, CHARTRES", "28000", "CHARTRES", Some("postcode-inexact")),
        ("28000\tCHARTRES", "28000", "CHARTRES", Some("postcode-inexact")),
        ("28 000 CHARTRES", "28000", "CHARTRES", Some("postcode-inexact")),
        ("LE MANS 72000", "72000", "LE MANS", Some("postcode-inexact")),
        ("CHARTRES (28000)", "28000", "CHARTRES", Some("postcode-inexact")),
        ("B-1000 BRUXELLES", "B-1000", "BRUXELLES", None),
        ("LE HAVRE", "", "LE HAVRE", None),
        ("28000", "28000", "", None),
        ("", "", "", None),
    ];
    for (line, postcode, town, code) in expected {
        assert_eq!(split(line), (postcode.to_owned(), town.to_owned()), "{line:?}");
        assert_eq!(header_told(6, line), Vec::from_iter(code), "{line:?}");
    }
}

#[test]
fn a_date_on_line_8_does_not_cost_a_bare_header_its_first_line() {
    let mut lines: [String; 12] = Default::default();
    "S".clone_into(&mut lines[1]);
    "01/01/1990".clone_into(&mut lines[7]);
    let document = Document {
        header: Header::from_lines(lines),
        ..Document::default()
    };
    let written = write(&[document], &WriteOptions::default());
    assert_eq!(read(&written.bytes).unwrap().documents[0].header.surname(), "S");
}

#[test]
fn names_in_the_header_are_spelled_out_before_the_code_field_is_padded() {
    let fields = Fields {
        surname: "LEBŒUF".to_owned(),
        sender: Party {
            code: "œ1".to_owned(),
            name: "Cœur d’Eure".to_owned(),
        },
        ..Fields::default()
    };
    let document = Document {
        header: Header::from_fields(&fields),
        ..Document::default()
    };
    let written = write(&[document], &WriteOptions::default());
    let lines: Vec<&[u8]> = written.bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!(
        (lines[1], lines[10]),
        (b"LEBOEUF\r".as_slice(), b"oe1        Coeur d'Eure\r".as_slice())
    );
    assert_eq!(
        told(&written.warnings),
        [("character-spelled", 2), ("character-spelled", 11)]
    );
}

#[test]
fn a_header_is_checked_before_it_leaves() {
    let today = date(2024, 5, 14);
    let problems = |surname: &str, given: &str, birth: &str| {
        let mut lines: [String; 12] = Default::default();
        surname.clone_into(&mut lines[1]);
        given.clone_into(&mut lines[2]);
        birth.clone_into(&mut lines[6]);
        header_problems(&Header::from_lines(lines), today)
    };
    assert_eq!(problems("DESOMBRE", "Yann", "14/05/2024"), []);
    assert_eq!(
        problems("DESOMBRE", "Yann", "15/05/2024"),
        [HeaderProblem::BirthDateInFuture]
    );
    assert_eq!(
        problems("DESOMBRE", "Yann", "31/02/2024"),
        [HeaderProblem::BirthDateUnreadable]
    );
    assert_eq!(
        problems(" ", "", ""),
        [
            HeaderProblem::SurnameMissing,
            HeaderProblem::GivenNameMissing,
            HeaderProblem::BirthDateMissing
        ]
    );
}

/// What is told of a file whose header has `line` in this place, and is strict otherwise.
fn header_told(place: usize, line: &str) -> Vec<&'static str> {
    let mut lines: Vec<String> = text_of(&fixture("strict.hpr")).lines().map(str::to_owned).collect();
    line.clone_into(&mut lines[place - 1]);
    let mut file = lines.join("\r\n");
    file.push_str("\r\n");
    // In ISO-8859-1, as the file is.
    let bytes: Vec<u8> = file.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let warnings = read(&bytes).unwrap().warnings;
    assert!(warnings.iter().all(|warning| warning.line == place), "{warnings:?}");
    told(&warnings).into_iter().map(|(code, _)| code).collect()
}
