//! JSON schemas of what travels as JSON, for a relay that describes itself. Those of structs are derived beside them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::address::Address;
use crate::ids::{ArchiveId, DeviceId, Digest, MessageId};
use crate::problem::Code;
use crate::time::Timestamp;

macro_rules! hexadecimal {
    ($($name:ident, $description:literal;)*) => {
        $(impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": format!("^[0-9a-f]{{{}}}$", Self::LEN * 2),
                    "description": $description,
                })
            }
        })*
    };
}

hexadecimal! {
    ArchiveId, "An archive of an account.";
    DeviceId, "A device.";
    Digest, "A SHA-256 digest.";
    MessageId, "A message.";
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An address of the directory, as docs/protocol/address.md writes it.",
            "maxLength": 88,
            "pattern": "^[a-z]+(-[a-z]+)*\\.[a-z]+(-[a-z]+)*([2-9]|[1-9][0-9]{1,3})?@medical(0[1-9]|1[0-9]|2[1-9]|[3-8][0-9]|9[0-5]|2[ab]|97[1-6])\\.apicrypt\\.org$",
            "examples": ["jean.martin@medical28.apicrypt.org"],
        })
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Self::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({
            "type": "string",
            "description": "What went wrong, stable over releases: docs/protocol/problems.md says what to do.",
            "enum": codes,
        })
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "format": "int64",
            "description": "Milliseconds since 1970-01-01T00:00:00Z.",
        })
    }
}
