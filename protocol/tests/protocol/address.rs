//! Vectors of `docs/protocol/address.md`.

use protocol::Address;
use protocol::address::{AddressError, Departement, fold_name};
use serde_json::{Value, json};

use crate::vectors::{agree, text};

#[test]
fn addresses_are_those_of_the_page() {
    let derived = json!({
        "taken": taken(),
        "refused": refused(),
        "folded": folded(),
        "people": people(),
    });
    let file = agree("address", &derived, || json!({}));
    for vector in file["derived"]["taken"].as_array().unwrap() {
        let address: Address = text(&vector["text"]).parse().unwrap();
        assert_eq!(address.as_str(), text(&vector["address"]));
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    for vector in file["derived"]["refused"].as_array().unwrap() {
        let error = text(&vector["text"]).parse::<Address>().unwrap_err();
        assert_eq!(name_of(error), text(&vector["error"]), "{}", vector["text"]);
    }
}

fn taken() -> Vec<Value> {
    [
        "lea.petit@medical28.apicrypt.org",
        "Pierre-Marie.DESOMBRE@Medical2A.Apicrypt.ORG",
        "a.b@medical01.apicrypt.org",
        "jean.martin2@medical95.apicrypt.org",
        "jean.martin65535@medical976.apicrypt.org",
        "anne.de-la-tour@medical2b.apicrypt.org",
    ]
    .iter()
    .map(|text| {
        let address: Address = text.parse().unwrap();
        json!({
            "text": text,
            "address": address,
            "local_part": address.local_part(),
            "departement": address.departement(),
        })
    })
    .collect()
}

fn refused() -> Vec<Value> {
    let long = format!("{}.b@medical28.apicrypt.org", "a".repeat(63));
    let longer = "a".repeat(255);
    [
        "",
        "jean.martin",
        "jean.martin@example.org",
        "jean.martin@medical28.apicrypt.org.example.org",
        "jean.martin@medical28.apicrypt.org ",
        "jean.martin@medical.apicrypt.org",
        "jean.martin@medical00.apicrypt.org",
        "jean.martin@medical20.apicrypt.org",
        "jean.martin@medical96.apicrypt.org",
        "jean.martin@medical970.apicrypt.org",
        "jean.martin@medical977.apicrypt.org",
        "jean.martin@medical028.apicrypt.org",
        "jean.martin@medical2c.apicrypt.org",
        "jean@medical28.apicrypt.org",
        ".martin@medical28.apicrypt.org",
        "jean.@medical28.apicrypt.org",
        "jean..martin@medical28.apicrypt.org",
        "jean.martin.roux@medical28.apicrypt.org",
        "jean.martin0@medical28.apicrypt.org",
        "jean.martin1@medical28.apicrypt.org",
        "jean.martin02@medical28.apicrypt.org",
        "jean.martin65536@medical28.apicrypt.org",
        "jean2.martin@medical28.apicrypt.org",
        "jean.2@medical28.apicrypt.org",
        "-jean.martin@medical28.apicrypt.org",
        "jean.martin-@medical28.apicrypt.org",
        "jean--marie.martin@medical28.apicrypt.org",
        "hélène.martin@medical28.apicrypt.org",
        "\u{212A}arl.martin@medical28.apicrypt.org",
        "../../x.y@medical28.apicrypt.org",
        "a@b.c@medical28.apicrypt.org",
        &long,
        &longer,
    ]
    .iter()
    .map(|text| json!({ "text": text, "error": name_of(text.parse::<Address>().unwrap_err()) }))
    .collect()
}

fn folded() -> Vec<Value> {
    [
        "Pierre-Marie",
        "Hélène",
        "He\u{301}le\u{300}ne",
        "Lœtitia",
        "Æther",
        "Strauß",
        "D’Artagnan",
        "O'Brien",
        "de la Tour",
        "  NOËL -- Ançay ",
        "Saint\u{a0}Jean",
        "Ana–Maria",
        "Łukasz Øster",
        "Jean (dit Jo) 2",
        "«»",
        "",
    ]
    .iter()
    .map(|name| json!({ "name": name, "folded": fold_name(name) }))
    .collect()
}

fn people() -> Vec<Value> {
    [
        ("Jean", "Martin", "28", 1_u16),
        ("Jean", "Martin", "28", 2),
        ("Hélène", "de la Tour", "2A", 1),
        ("Pierre Marie", "D’Artagnan", "971", 12),
    ]
    .iter()
    .map(|(given, surname, departement, homonym)| {
        let code: Departement = departement.parse().unwrap();
        json!({
            "given": given,
            "surname": surname,
            "departement": departement,
            "homonym": homonym,
            "address": Address::for_person(given, surname, &code, *homonym).unwrap(),
        })
    })
    .collect()
}

fn name_of(error: AddressError) -> &'static str {
    match error {
        AddressError::Departement => "departement",
        AddressError::Host => "host",
        AddressError::Name => "name",
        AddressError::NoAt => "no-at",
        AddressError::TooLong => "too-long",
    }
}
