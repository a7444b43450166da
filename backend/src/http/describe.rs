//! What a handler takes and answers, told from its types: the relay's description of itself cannot say otherwise.
//! The endpoints are in [`super::routes`]; the document made of them is in [`super::openapi`].

use std::future::Future;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::StatusCode;
use protocol::cbor::Format;
use protocol::{Address, ArchiveId, Code, DeviceId, api};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::App;
use super::extract::{
    Asked, Binary, BinaryAnswer, Caller, DocumentAnswer, InPath, Json, Sealed, SealedAnswer, Stranger, TextAnswer,
    Upgraded,
};
use super::refusal::Refusal;

/// Media type of what is not sealed.
pub(super) const JSON: &str = "application/json";
/// What any answer may be instead of the one that was asked for.
const EVERYWHERE: [Code; 4] = [
    Code::Malformed,
    Code::NotFound,
    Code::TemporarilyUnavailable,
    Code::TooLarge,
];
/// What it may be wherever a token is needed.
const OF_TOKENS: [Code; 4] = [
    Code::TokenRefused,
    Code::DeviceSuspended,
    Code::DeviceUnknown,
    Code::Throttled,
];

/// An operation, as its handler's types tell it.
pub(super) struct Operation {
    pub(super) needs_token: bool,
    /// Schemas of what stands in the path, in its order.
    pub(super) places: Vec<Value>,
    pub(super) query: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) answer: (StatusCode, Option<Value>),
    pub(super) codes: Vec<Code>,
}

impl Operation {
    fn new() -> Self {
        Self {
            needs_token: false,
            places: Vec::new(),
            query: Vec::new(),
            body: None,
            answer: (StatusCode::OK, None),
            codes: EVERYWHERE.to_vec(),
        }
    }

    fn takes(&mut self, media_type: &str, schema: &Value) {
        self.body = Some(json!({ "required": true, "content": { media_type: { "schema": schema } } }));
    }
}

/// What stands before a handler's body: it says what it needs of a request.
pub(super) trait Takes {
    fn tell(operation: &mut Operation, schemas: &mut SchemaGenerator);
}

/// What a handler answers with.
pub(super) trait Answers {
    fn tell(schemas: &mut SchemaGenerator) -> (StatusCode, Option<Value>);
}

/// A handler whose types tell what it does. `T` is what axum tells handlers apart by.
pub(super) trait Told<T> {
    fn tell(schemas: &mut SchemaGenerator) -> Operation;
}

macro_rules! told {
    ($($taken:ident),*) => {
        impl<H, M, A, R, $($taken),*> Told<(M, $($taken,)*)> for H
        where
            H: FnOnce($($taken),*) -> A,
            A: Future<Output = R>,
            R: Answers,
            $($taken: Takes,)*
        {
            fn tell(schemas: &mut SchemaGenerator) -> Operation {
                let mut operation = Operation::new();
                $($taken::tell(&mut operation, schemas);)*
                operation.answer = R::tell(schemas);
                operation
            }
        }
    };
}

told!();
told!(T1);
told!(T1, T2);
told!(T1, T2, T3);
told!(T1, T2, T3, T4);

impl Takes for State<App> {
    fn tell(_: &mut Operation, _: &mut SchemaGenerator) {}
}

impl Takes for Caller {
    fn tell(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.needs_token = true;
        operation.codes.extend(OF_TOKENS);
    }
}

impl<D> Takes for Stranger<D> {
    fn tell(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.codes.push(Code::Throttled);
    }
}

impl<T: JsonSchema> Takes for Json<T> {
    fn tell(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.takes(JSON, &schemas.subschema_for::<T>().to_value());
    }
}

impl<T: Format> Takes for Binary<T> {
    fn tell(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.takes(api::BINARY, &binary(T::NAME, T::LIMIT));
    }
}

impl<const LIMIT: usize> Takes for Sealed<LIMIT> {
    fn tell(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.takes(api::BINARY, &binary("sealed bytes", LIMIT));
    }
}

impl<T: Places> Takes for InPath<T> {
    fn tell(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        T::tell(&mut operation.places, schemas);
    }
}

/// The handler itself says what is wrong with it.
impl<T: Places> Takes for Result<InPath<T>, Refusal> {
    fn tell(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        T::tell(&mut operation.places, schemas);
    }
}

impl<T: JsonSchema> Takes for Asked<T> {
    fn tell(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        let schema = T::json_schema(schemas).to_value();
        let parameters = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        operation.query.extend(
            parameters
                .map(|(name, schema)| json!({ "name": name, "in": "query", "required": false, "schema": schema })),
        );
    }
}

impl Takes for Result<WebSocketUpgrade, WebSocketUpgradeRejection> {
    fn tell(_: &mut Operation, _: &mut SchemaGenerator) {}
}

/// What can stand in a path.
pub(super) trait Places {
    fn tell(places: &mut Vec<Value>, schemas: &mut SchemaGenerator);
}

macro_rules! place {
    ($($place:ty),*) => {
        $(impl Places for $place {
            fn tell(places: &mut Vec<Value>, schemas: &mut SchemaGenerator) {
                places.push(schemas.subschema_for::<Self>().to_value());
            }
        })*
    };
}

place!(Address, ArchiveId, DeviceId, String);

impl Places for u64 {
    fn tell(places: &mut Vec<Value>, _: &mut SchemaGenerator) {
        // As far as a column counts.
        places.push(json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX }));
    }
}

impl<A: Places, B: Places> Places for (A, B) {
    fn tell(places: &mut Vec<Value>, schemas: &mut SchemaGenerator) {
        A::tell(places, schemas);
        B::tell(places, schemas);
    }
}

impl<A: Answers> Answers for Result<A, Refusal> {
    fn tell(schemas: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        A::tell(schemas)
    }
}

impl<T: JsonSchema> Answers for JsonAnswer<T> {
    fn tell(schemas: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        let schema = schemas.subschema_for::<T>().to_value();
        (StatusCode::OK, Some(content(JSON, &schema)))
    }
}

impl<T: Format> Answers for BinaryAnswer<T> {
    fn tell(_: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        (StatusCode::OK, Some(content(api::BINARY, &binary(T::NAME, T::LIMIT))))
    }
}

impl Answers for SealedAnswer {
    fn tell(_: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        (
            StatusCode::OK,
            Some(content(
                api::BINARY,
                &json!({ "description": "Sealed bytes, as they were put there." }),
            )),
        )
    }
}

impl Answers for TextAnswer {
    fn tell(_: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        (
            StatusCode::OK,
            Some(content("text/plain; charset=utf-8", &json!({ "type": "string" }))),
        )
    }
}

impl Answers for DocumentAnswer {
    fn tell(_: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        (StatusCode::OK, Some(content(JSON, &json!({ "type": "object" }))))
    }
}

impl Answers for Upgraded {
    fn tell(_: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        (StatusCode::SWITCHING_PROTOCOLS, None)
    }
}

/// Nothing: what was asked is done.
impl Answers for StatusCode {
    fn tell(_: &mut SchemaGenerator) -> (StatusCode, Option<Value>) {
        (Self::NO_CONTENT, None)
    }
}

fn content(media_type: &str, schema: &Value) -> Value {
    json!({ media_type: { "schema": schema } })
}

/// Bytes are no JSON, of which a schema could tell: it names the format and its page.
fn binary(name: &str, limit: usize) -> Value {
    json!({
        "description": format!("Deterministic CBOR or sealed bytes: {name}, at most {limit} bytes. See docs/protocol."),
        "x-format": name,
        "x-max-bytes": limit,
    })
}
