//! JSON of the relay: what is read is written and read again the same.

use std::fmt::Debug;

use protocol::api::{
    Archives, ChallengeAnswer, ChallengeRequest, DepositAnswer, DirectoryEntries, DirectoryEntry, Enrolled,
    KeysRequest, PrekeyStock, ServerInfo, Standing, Suspensions, TokenRequest, Withdrawal, WithdrawalAnswer,
};
use protocol::sequence::Cursor;
use protocol::{Address, DeviceId, Digest, MessageId, Problem, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::seeds;

/// As each of the kinds.
pub(crate) fn any(bytes: &[u8]) {
    again::<Archives>(bytes);
    again::<ChallengeAnswer>(bytes);
    again::<ChallengeRequest>(bytes);
    again::<Cursor>(bytes);
    again::<DepositAnswer>(bytes);
    again::<DirectoryEntries>(bytes);
    again::<DirectoryEntry>(bytes);
    again::<Enrolled>(bytes);
    again::<KeysRequest>(bytes);
    again::<PrekeyStock>(bytes);
    again::<Problem>(bytes);
    again::<ServerInfo>(bytes);
    again::<Standing>(bytes);
    again::<Suspensions>(bytes);
    again::<TokenRequest>(bytes);
    again::<Withdrawal>(bytes);
    again::<WithdrawalAnswer>(bytes);
}

fn again<T: DeserializeOwned + Serialize + Debug + PartialEq>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&value).unwrap();
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), value);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let address = "jean.martin@medical28.apicrypt.org";
    let device = DeviceId::from_bytes([1; 16]);
    let message = MessageId::from_bytes([2; 16]);
    let outcomes = serde_json::json!([{ "address": address, "step": "available" }]);
    let now = Timestamp::from_millis(1_772_438_400_000);
    let entry = serde_json::json!({
        "address": address, "given": "Jean", "surname": "Martin", "profession": "Médecin", "specialty": "",
        "postcode": "28000", "town": "Chartres", "reachable": true,
    });
    let mut made = vec![
        serde_json::json!({ "name": "relay.example.org", "version": "0.1.0", "time": now }),
        serde_json::json!({ "device": device }),
        serde_json::json!({ "challenge": "AAAA" }),
        serde_json::json!({ "challenge": "AAAA", "signature": "AAAA" }),
        serde_json::json!({ "accounts": [address], "prekeys": "one-time" }),
        serde_json::json!({ "entries": [entry], "more": false }),
        serde_json::json!({ "suspensions": [{ "device": device, "since": now }] }),
        serde_json::json!({ "left": 3, "newest_batch": 2, "not_after": now }),
        serde_json::json!({ "accepted_at": now, "outcomes": outcomes }),
        serde_json::json!({ "id": message }),
        serde_json::json!({ "outcomes": outcomes }),
        serde_json::json!({ "archives": [{ "id": device, "parts": 1, "bytes": 2, "written_at": now }] }),
        serde_json::json!({ "agreed": true, "acknowledged": Cursor::START, "deposited": Digest::ZERO }),
        serde_json::to_value(Cursor::START).unwrap(),
        entry,
    ];
    assert!(address.parse::<Address>().is_ok());
    let page = seeds::page("problems");
    made.extend(page["derived"]["documents"].as_array().unwrap().iter().cloned());
    made.push(page["derived"]["detailed"].clone());
    made.iter().map(|value| serde_json::to_vec(value).unwrap()).collect()
}
