"""Bodies in CBOR, for Schemathesis: what it makes up in JSON, encoded, so that the relay's parsers see both CBOR and nonsense."""

import json
import struct

import schemathesis


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    return b"\xff"


def encode(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return head(3, len(text)) + text
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = ((number, item) for number, item in enumerate(value.values()))
        return head(5, len(value)) + b"".join(encode(number) + encode(item) for number, item in pairs)
    return json.dumps(value).encode()


@schemathesis.serializer("application/cbor")
def cbor(ctx, value):
    return encode(value)


@schemathesis.deserializer("application/cbor")
def sealed(ctx, response):
    return {}
