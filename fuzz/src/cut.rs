//! Bytes that stand for several things: each but the last behind its length in two bytes.

/// The next thing and what follows; what is too short is all there is.
pub(crate) fn take<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return std::mem::take(bytes);
    };
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (thing, rest) = rest.split_at(length);
    *bytes = rest;
    thing
}

/// The next byte; 0 at the end.
pub(crate) fn byte(bytes: &mut &[u8]) -> u8 {
    let Some((first, rest)) = bytes.split_first() else {
        return 0;
    };
    *bytes = rest;
    *first
}

/// The next number; zeros at the end.
pub(crate) fn number(bytes: &mut &[u8]) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|_| byte(bytes)))
}

/// What [`take`] takes apart again.
pub(crate) fn join(things: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for thing in things {
        bytes.extend_from_slice(&u16::try_from(thing.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(thing);
    }
    bytes
}

/// Edits `target` as the bytes say, three at a time: where, how, and with what.
pub(crate) fn edit(target: &mut Vec<u8>, mut by: &[u8]) {
    while by.len() >= 4 && !target.is_empty() {
        let place = usize::from(u16::from_be_bytes([byte(&mut by), byte(&mut by)])) % target.len();
        let (how, value) = (byte(&mut by), byte(&mut by));
        match how % 4 {
            0 => target[place] ^= value.max(1),
            1 => target.insert(place, value),
            2 => drop(target.remove(place)),
            _ => target.truncate(place),
        }
    }
}
