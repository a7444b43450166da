//! Challenges and access tokens. Both live in memory alone: after a restart a device proves itself again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use protocol::api::Challenge;
use protocol::{Address, DeviceId, Digest, Timestamp, cbor, limits};

use crate::storage::accounts::StoredDevice;
use crate::storage::sequence::Place;

/// Challenges or tokens held at once; beyond it the expired ones go first, then the request is refused.
const HELD: usize = 200_000;

/// A device that proved itself.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) address: Address,
    pub(crate) device: DeviceId,
    pub(crate) place: Place,
    pub(crate) expires_at: Timestamp,
}

/// The challenges and tokens given.
#[derive(Default)]
pub(crate) struct Tokens {
    challenges: Mutex<HashMap<Digest, (DeviceId, Timestamp)>>,
    bearers: Mutex<HashMap<Digest, Arc<Bearer>>>,
}

impl Tokens {
    /// Draws a challenge for `device`; `None` when too many are held.
    pub(crate) fn challenge(&self, server: &str, device: DeviceId, now: Timestamp) -> Option<Vec<u8>> {
        let mut nonce = [0; Digest::LEN];
        getrandom::fill(&mut nonce).ok()?;
        let expires_at = now.plus_seconds(limits::CHALLENGE_SECONDS);
        let challenge = cbor::encode(&Challenge {
            server: server.to_owned(),
            device,
            nonce: Digest::from_bytes(nonce),
            expires_at,
        });
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut challenges, |(_, expires_at)| *expires_at >= now)?;
        challenges.insert(Digest::of(&[&challenge]), (device, expires_at));
        Some(challenge)
    }

    /// Uses up a challenge; the device it was given to, if it is known and not expired.
    pub(crate) fn take_challenge(&self, challenge: &[u8], now: Timestamp) -> Option<DeviceId> {
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        let (device, expires_at) = challenges.remove(&Digest::of(&[challenge]))?;
        (now <= expires_at).then_some(device)
    }

    /// Draws a token for a device; `None` when too many are held.
    pub(crate) fn give(
        &self,
        device: DeviceId,
        stored: &StoredDevice,
        now: Timestamp,
        seconds: i64,
    ) -> Option<(String, Timestamp)> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok()?;
        let token = BASE64URL_NOPAD.encode(&random);
        let expires_at = now.plus_seconds(seconds);
        let bearer = Bearer {
            address: stored.address.clone(),
            device,
            place: Place {
                device: stored.id,
                account: stored.account,
            },
            expires_at,
        };
        let mut bearers = self.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut bearers, |bearer| bearer.expires_at > now)?;
        bearers.insert(Digest::of(&[token.as_bytes()]), Arc::new(bearer));
        Some((token, expires_at))
    }

    /// Ends the tokens of devices that are no more.
    pub(crate) fn end(&self, devices: &[DeviceId]) {
        let mut bearers = self.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.retain(|_, bearer| !devices.contains(&bearer.device));
    }

    /// Whose token this is, if it has not ended.
    pub(crate) fn bearer(&self, token: &str, now: Timestamp) -> Option<Arc<Bearer>> {
        let bearers = self.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        let bearer = bearers.get(&Digest::of(&[token.as_bytes()]))?;
        (now < bearer.expires_at).then(|| Arc::clone(bearer))
    }
}

fn make_room<T>(held: &mut HashMap<Digest, T>, is_live: impl Fn(&T) -> bool) -> Option<()> {
    if held.len() >= HELD {
        held.retain(|_, value| is_live(value));
    }
    (held.len() < HELD).then_some(())
}
