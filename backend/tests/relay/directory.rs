//! The directory: what an import makes of a file, and what a search finds in it.

use std::io::Read as _;

use backend::{RelayError, admin};
use flate2::read::GzDecoder;
use protocol::Code;
use protocol::api::{DirectoryEntries, DirectoryEntry, path};
use reqwest::{Method, Response, StatusCode};

use super::support::{LEA, PAUL, Phone, TestRelay, problem_of};

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

/// A `GET` with these headers.
async fn get(relay: &TestRelay, token: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = relay.request(Method::GET, path).bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn who_has_an_answer_already_is_sent_nothing_until_it_changes() {
    let relay = TestRelay::start().await;
    let lea = relay.enrol(LEA).await;
    let path = format!("{}/{PAUL}", path::ENTRIES);
    let first = get(&relay, &lea.token, &path, &[]).await;
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    for known in [
        tag.as_str(),
        "*",
        &format!("\"other\", {tag}"),
        tag.trim_start_matches("W/"),
    ] {
        let again = get(&relay, &lea.token, &path, &[("if-none-match", known)]).await;
        assert_eq!(
            (again.status(), &again.headers()["etag"]),
            (StatusCode::NOT_MODIFIED, &tag.parse().unwrap())
        );
        assert!(again.bytes().await.unwrap().is_empty());
    }
    // Who lost the token is told that, and not that nothing changed.
    let stranger = get(&relay, "none", &path, &[("if-none-match", "*")]).await;
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    relay.enrol(PAUL).await;
    let changed = get(&relay, &lea.token, &path, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert!(changed.json::<DirectoryEntry>().await.unwrap().reachable);
}

#[tokio::test]
async fn who_takes_gzip_has_lists_in_it_and_sealed_bytes_as_they_are() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    let plain = get(&relay, "", "/openapi.json", &[("accept-encoding", "br, gzip;q=0")]).await;
    assert!(plain.headers().get("content-encoding").is_none());
    let plain = plain.bytes().await.unwrap();
    let short = get(&relay, "", "/openapi.json", &[("accept-encoding", "br, GZIP")]).await;
    assert_eq!(
        (&short.headers()["content-encoding"], &short.headers()["vary"]),
        (&"gzip".parse().unwrap(), &"accept-encoding".parse().unwrap())
    );
    let short = short.bytes().await.unwrap();
    assert!(short.len() * 4 < plain.len(), "{} of {}", short.len(), plain.len());
    let mut unpacked = Vec::new();
    GzDecoder::new(short.as_ref()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    relay.send(&lea, &[PAUL], &vec![b'x'; 20_000]).await;
    let sealed = get(&relay, &paul.token, path::SEQUENCE, &[("accept-encoding", "gzip")]).await;
    for header in ["content-encoding", "etag"] {
        assert!(sealed.headers().get(header).is_none(), "{header}");
    }
}

#[tokio::test]
async fn a_search_goes_on_where_a_page_ended() {
    let relay = TestRelay::start().await;
    let given = ["Anne", "Ben", "Cléa", "Dan", "Ève", "Flo", "Guy"];
    let rows = given.map(|given| format!("{given},Le Goff,28,Brest"));
    let csv = format!("given,surname,departement,town\n{}\n", rows.join("\n"));
    admin::import_csv(relay.data.path(), csv.as_bytes()).unwrap();
    let lea = relay.enrol(LEA).await;
    let page = async |skip: u32| {
        let path = format!("{}?q=goff&limit=3&skip={skip}", path::ENTRIES);
        get(&relay, &lea.token, &path, &[])
            .await
            .json::<DirectoryEntries>()
            .await
            .unwrap()
    };
    let (mut seen, mut more) = (Vec::new(), true);
    while more {
        let found = page(u32::try_from(seen.len()).unwrap()).await;
        assert!(found.entries.len() <= 3 && !found.entries.is_empty());
        more = found.more;
        seen.extend(found.entries.into_iter().map(|entry| entry.address));
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (7, 7));
    let path = format!("{}?q=goff&skip=1001", path::ENTRIES);
    assert_eq!(
        problem_of(get(&relay, &lea.token, &path, &[]).await).await,
        Code::Malformed
    );
}
