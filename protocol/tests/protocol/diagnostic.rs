//! CBOR in diagnostic notation (RFC 8949 §8), to be read beside the bytes of a vector.
//! Byte strings longer than 40 bytes are shortened to their first eight and their length.

use minicbor::Decoder;
use minicbor::data::Type;

/// What `cbor` says.
pub(crate) fn diagnostic(cbor: &[u8]) -> String {
    let mut decoder = Decoder::new(cbor);
    let text = item(&mut decoder);
    assert_eq!(decoder.position(), cbor.len(), "bytes after the item");
    text
}

fn item(decoder: &mut Decoder<'_>) -> String {
    match decoder.datatype().unwrap() {
        Type::Bool => decoder.bool().unwrap().to_string(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            decoder.int().unwrap().to_string()
        }
        Type::Bytes => bytes(decoder.bytes().unwrap()),
        Type::String => format!("{:?}", decoder.str().unwrap()),
        Type::Array => {
            let count = decoder.array().unwrap().unwrap();
            let items: Vec<_> = (0..count).map(|_| item(decoder)).collect();
            format!("[{}]", items.join(", "))
        }
        Type::Map => {
            let count = decoder.map().unwrap().unwrap();
            let pairs: Vec<_> = (0..count)
                .map(|_| {
                    let key = item(decoder);
                    format!("{key}: {}", item(decoder))
                })
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => panic!("no format has a {other}"),
    }
}

fn bytes(bytes: &[u8]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    if bytes.len() <= 40 {
        format!("h'{hex}'")
    } else {
        format!("h'{}…' / {} bytes /", &hex[..16], bytes.len())
    }
}
