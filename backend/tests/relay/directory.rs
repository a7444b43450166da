//! The directory: what an import makes of a file, and what a search finds in it.

use backend::{RelayError, admin};
use protocol::api::{DirectoryEntries, path};
use reqwest::Method;

use super::support::{LEA, Phone, TestRelay};

const WIDE: &str = "\u{feff}Surname;Given;Departement;Profession;Specialty;Postcode;Town;RPPS\r
Le Goff;Anne-Gaëlle;29;Médecin;Pédiatrie;29000;Quimper;1\r
Le Goff;Anne-Gaëlle;29;Infirmière;;29200;Brest;2\r
;;29;Médecin;;;;3\r
Kermarrec;Noé;999;Médecin;;;Brest;4\r
Œuvrard;Zoé;29;Sage-femme;;29200;Brest;5\r
";

async fn search(relay: &TestRelay, asking: &Phone, query: &[(&str, &str)]) -> Vec<String> {
    let request = relay.request(Method::GET, path::ENTRIES).query(query);
    let answer = request.bearer_auth(&asking.token).send().await.unwrap();
    let found: DirectoryEntries = answer.json().await.unwrap();
    found
        .entries
        .into_iter()
        .map(|entry| format!("{} {}, {}", entry.given, entry.surname, entry.town))
        .collect()
}

#[test]
fn an_import_takes_what_it_can_and_tells_the_rest() {
    let data = tempfile::tempdir().unwrap();
    let first = admin::import_csv(data.path(), WIDE.as_bytes()).unwrap();
    assert_eq!((first.added, first.updated, first.unchanged), (3, 0, 0));
    let lines: Vec<_> = first.refused.iter().map(|row| row.line).collect();
    assert_eq!(lines, [4, 5]);
    assert_ne!(first.addresses[0], first.addresses[1], "two people of one name");
    let again = admin::import_csv(data.path(), WIDE.as_bytes()).unwrap();
    assert_eq!((again.added, again.updated, again.unchanged), (0, 0, 3));
    assert_eq!(again.addresses, first.addresses);
    let changed = WIDE.replace("29000;Quimper", "29900;Quimper");
    let changed = admin::import_csv(data.path(), changed.as_bytes()).unwrap();
    assert_eq!((changed.added, changed.updated, changed.unchanged), (0, 1, 2));
    for not_utf8_or_no_column in [&b"given,surname\nL\xe9a,Petit\n"[..], b"", b"\xff\xfe"] {
        let refused = admin::import_csv(data.path(), not_utf8_or_no_column);
        assert!(matches!(refused, Err(RelayError::Csv(_))));
    }
    let latin1 = admin::import_csv(
        data.path(),
        &b"given,surname,departement\nL\xe9a,Petit,28\nPaul,Petit,28\n"[..],
    );
    let latin1 = latin1.unwrap();
    assert_eq!((latin1.added, latin1.refused.len()), (1, 1));
}

#[tokio::test]
async fn a_search_finds_by_any_part_of_a_name_in_any_order_and_by_town() {
    let relay = TestRelay::start().await;
    admin::import_csv(relay.data.path(), WIDE.as_bytes()).unwrap();
    let lea = relay.enrol(LEA).await;
    let (quimper, brest) = ("Anne-Gaëlle Le Goff, Quimper", "Anne-Gaëlle Le Goff, Brest");
    for query in ["goff", "GOFF gael", "gaëlle anne", "le goff anne-gaelle"] {
        let mut found = search(&relay, &lea, &[("q", query)]).await;
        found.sort();
        assert_eq!(found, [brest, quimper], "{query}");
    }
    assert_eq!(
        search(&relay, &lea, &[("q", "goff"), ("town", "QUIMP")]).await,
        [quimper]
    );
    assert_eq!(search(&relay, &lea, &[("q", "oeuvrard")]).await, ["Zoé Œuvrard, Brest"]);
    assert_eq!(search(&relay, &lea, &[("town", "brest")]).await.len(), 2);
    assert_eq!(
        search(&relay, &lea, &[("town", "brest"), ("limit", "1")]).await.len(),
        1
    );
    assert_eq!(search(&relay, &lea, &[("q", LEA)]).await, ["Léa Petit, Chartres"]);
    for nothing in ["", "%", "_", "' OR 1=1 --", "goff quimper", "inconnu"] {
        assert!(search(&relay, &lea, &[("q", nothing)]).await.is_empty(), "{nothing}");
    }
}
