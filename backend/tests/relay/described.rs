//! What the relay says of itself at `/openapi.json`, against what it does and what `docs/protocol/api.md` says.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Code;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::support::{TestRelay, problem_of};

/// What any path may refuse with: the page says so once.
const GENERAL: [Code; 8] = [
    Code::DeviceSuspended,
    Code::DeviceUnknown,
    Code::Malformed,
    Code::NotFound,
    Code::TemporarilyUnavailable,
    Code::Throttled,
    Code::TokenRefused,
    Code::TooLarge,
];

/// The document as the relay tells it.
pub(crate) fn document() -> Value {
    serde_json::from_str(backend::openapi()).unwrap()
}

/// Method, path and description of each operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, _)| -> Vec<_> {
        let methods: &Value = methods;
        let methods = methods.as_object().unwrap().iter();
        methods
            .map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
            .collect()
    };
    paths.iter().flat_map(of).collect()
}

/// The codes that an operation may refuse with.
fn codes(operation: &Value) -> BTreeSet<&str> {
    let responses = operation["responses"].as_object().unwrap().values();
    let schemas = responses.map(|response| &response["content"]["application/problem+json"]["schema"]);
    let names = schemas.filter_map(|schema| schema["allOf"][1]["properties"]["code"]["enum"].as_array());
    names.flatten().map(|code| code.as_str().unwrap()).collect()
}

/// Whether a path of the document stands for this one.
fn stands_for(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(pattern, path)| pattern.starts_with('{') || pattern == path)
}

/// Every refusal that a test of this folder meets is one that the document tells of.
pub(crate) fn check_told(path: &str, code: Code) {
    let document = document();
    let mut told = BTreeSet::new();
    for (_, pattern, operation) in operations(&document) {
        if stands_for(&pattern, path) {
            told.extend(codes(operation).into_iter().map(str::to_owned));
        }
    }
    let is_path = !told.is_empty();
    assert!(
        !is_path || told.contains(code.as_str()),
        "{path} is not told to refuse with {}",
        code.as_str()
    );
}

#[tokio::test]
async fn it_tells_of_each_path_and_method_that_the_relay_serves_and_of_no_other() {
    let relay = TestRelay::start().await;
    let served = relay.request(Method::GET, "/openapi.json").send().await.unwrap();
    assert_eq!(served.headers()["content-type"], "application/json");
    assert_eq!(served.json::<Value>().await.unwrap(), document());
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut methods = BTreeMap::<String, BTreeSet<String>>::new();
    for (method, path, _) in operations(&document) {
        methods.entry(path).or_default().insert(method);
    }
    for (path, told) in methods {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let request = relay.request(method.parse().unwrap(), &path.replace(['{', '}'], ""));
            let answer = request.send().await.unwrap();
            let (status, body) = (answer.status(), answer.text().await.unwrap());
            assert_eq!(
                status == StatusCode::METHOD_NOT_ALLOWED,
                !told.contains(method),
                "{method} {path}"
            );
            assert!(!body.contains("no such path"), "{method} {path}");
            let operation = &document["paths"][&path][method.to_lowercase()];
            let is_told = operation["responses"].get(status.as_str()).is_some();
            assert_eq!(is_told, told.contains(method), "{method} {path}: {status}");
        }
    }
}

#[test]
fn it_and_the_page_tell_of_the_same_paths_and_codes() {
    let document = document();
    let page = super::page::read("docs/protocol/api.md");
    let rows = |heading: &str| -> Vec<Vec<String>> {
        let (_, rest) = page.split_once(heading).unwrap();
        let section = rest.split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| "));
        let cells = |row: &str| {
            row.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        };
        rows.skip(2).map(cells).collect()
    };
    let on_page: BTreeSet<_> = rows("\n## Paths\n")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1] == "yes"))
        .collect();
    let told: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| {
            (
                format!("{method} {path}"),
                !operation["security"].as_array().unwrap().is_empty(),
            )
        })
        .collect();
    assert_eq!(on_page, told);

    let quoted = |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let is_own = |code: &str| GENERAL.iter().all(|general| general.as_str() != code);
    let mut of_paths = BTreeMap::<String, BTreeSet<String>>::new();
    for (_, path, operation) in operations(&document) {
        let words: Vec<_> = path.split('/').take(3).collect();
        let own = of_paths.entry(words.join("/")).or_default();
        own.extend(
            codes(operation)
                .into_iter()
                .filter(|code| is_own(code))
                .map(str::to_owned),
        );
    }
    of_paths.retain(|_, codes| !codes.is_empty());
    let mut written = BTreeMap::<String, BTreeSet<String>>::new();
    for row in rows("\n## Codes\n") {
        let codes: BTreeSet<_> = quoted(&row[1]).into_iter().filter(|code| is_own(code)).collect();
        for path in quoted(&row[0]).into_iter().filter(|_| !codes.is_empty()) {
            written.insert(path, codes.clone());
        }
    }
    assert_eq!(written, of_paths);
}

#[test]
fn every_code_is_told_and_every_reference_leads_somewhere() {
    let document = document();
    let told: BTreeSet<_> = operations(&document)
        .iter()
        .flat_map(|(_, _, operation)| codes(operation))
        .collect();
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(told, all);
    let text = document.to_string();
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let ids: BTreeSet<_> = operations(&document)
        .iter()
        .map(|(_, _, op)| op["operationId"].to_string())
        .collect();
    assert_eq!(ids.len(), operations(&document).len());
}

#[tokio::test]
async fn a_refusal_that_it_does_not_tell_of_is_noticed() {
    let relay = TestRelay::start().await;
    let answer = relay.request(Method::GET, "/v1/prekeys").send().await.unwrap();
    assert_eq!(problem_of(answer).await, Code::TokenRefused);
    let noticed = std::panic::catch_unwind(|| check_told("/v1/prekeys", Code::CursorMismatch));
    assert!(noticed.is_err());
}
