//! The relay's description of itself, in `OpenAPI` 3.1, made of the endpoints that it serves.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::http::{Method, StatusCode};
use protocol::{Code, Problem, problem};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::describe::{JSON, Operation};
use super::routes::{self, Endpoint};

/// Path of the document.
pub(super) const PATH: &str = "/openapi.json";

/// What a relay does at each path, in `OpenAPI` 3.1: it is served at `/openapi.json`.
#[must_use]
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| describe(&routes::endpoints()).to_string())
}

fn describe(endpoints: &[Endpoint]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths = BTreeMap::<&str, Map<String, Value>>::new();
    for endpoint in endpoints {
        let told = operation(endpoint, &mut schemas);
        let methods = paths.entry(&endpoint.path).or_default();
        methods.insert(endpoint.method.as_str().to_lowercase(), told);
    }
    schemas.subschema_for::<Problem>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pli relay",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "What a relay does at each path. The order of its checks and its limits are in docs/protocol/api.md, \
                the binary formats in the pages beside it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(endpoint: &Endpoint, schemas: &mut SchemaGenerator) -> Value {
    let told = (endpoint.tell)(schemas);
    let mut operation = Map::new();
    let mut tell = |name: &str, value| operation.insert(name.to_owned(), value);
    tell("operationId", operation_id(endpoint).into());
    tell("summary", endpoint.summary.into());
    tell("parameters", parameters(endpoint, &told).into());
    let token = if told.needs_token {
        json!([{ "token": [] }])
    } else {
        json!([])
    };
    tell("security", token);
    tell("responses", responses(endpoint, &told));
    if let Some(body) = told.body {
        tell("requestBody", body);
    }
    Value::Object(operation)
}

/// The method and the path's words.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint
        .path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let method = endpoint.method.as_str().to_lowercase();
    [method.as_str()].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(endpoint: &Endpoint, told: &Operation) -> Vec<Value> {
    let names = endpoint
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let in_path = names
        .zip(&told.places)
        .map(|(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    in_path.chain(told.query.iter().cloned()).collect()
}

fn responses(endpoint: &Endpoint, told: &Operation) -> Value {
    let mut refusals = BTreeMap::<u16, Vec<Code>>::new();
    for code in told.codes.iter().chain(endpoint.codes) {
        let of_status = refusals.entry(code.status()).or_default();
        if !of_status.contains(code) {
            of_status.push(*code);
        }
    }
    let (status, content) = &told.answer;
    let mut responses = Map::new();
    let reason = status.canonical_reason();
    let answer = match content {
        Some(content) => json!({ "description": reason, "content": content }),
        None => json!({ "description": reason }),
    };
    responses.insert(status.as_str().to_owned(), answer);
    if endpoint.method == Method::GET && content.as_ref().is_some_and(|content| content.get(JSON).is_some()) {
        let unchanged = json!({ "description": "It is what the entity tag in If-None-Match says." });
        responses.insert(StatusCode::NOT_MODIFIED.as_str().to_owned(), unchanged);
    }
    for (status, codes) in refusals {
        responses.insert(status.to_string(), refusal(status, &codes));
    }
    Value::Object(responses)
}

fn refusal(status: u16, codes: &[Code]) -> Value {
    let titles: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.title()))
        .collect();
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let schema = json!({
        "allOf": [
            { "$ref": "#/components/schemas/Problem" },
            { "properties": { "code": { "enum": names } } },
        ],
    });
    let content = json!({ problem::MEDIA_TYPE: { "schema": schema } });
    let headers = if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
        json!({ "Retry-After": { "schema": { "type": "integer" } } })
    } else {
        json!({})
    };
    json!({ "description": titles.join("\n\n"), "headers": headers, "content": content })
}
