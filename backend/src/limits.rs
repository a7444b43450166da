//! The relay's limits in one table: how often who may do what, and what happens when that cannot be told.
//! Sizes of messages are the protocol's: [`protocol::limits`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use protocol::Digest;

/// Keys remembered for each limit; when that many are in use at once, the limit fails open or closed.
const KEYS: usize = 100_000;

/// What is done when a limit cannot tell whether it is passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failing {
    /// The request is refused.
    Closed,
    /// The request is granted.
    Open,
}

/// A token bucket for each key: it starts full, a request takes one, and it refills evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Its name, as in the logs.
    pub name: &'static str,
    /// What the bucket holds.
    pub bucket: u32,
    /// How many come back in [`Limit::refill_seconds`].
    pub refill: u32,
    /// See [`Limit::refill`].
    pub refill_seconds: u32,
    /// When too many keys are in use at once.
    pub failing: Failing,
}

/// What the bodies of requests may hold in memory while they come and are worked on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// All of them together, in bytes.
    pub bytes: usize,
    /// Those of one key, in bytes.
    pub share_bytes: usize,
}

/// Every limit of the relay.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Wrong activation codes, for each network address and address: nobody is to lock out the holder from elsewhere.
    pub activation: Limit,
    /// Wrong activation codes from everywhere, for each address.
    pub guesses: Limit,
    /// Enrolments, for each network address: their signatures cost time.
    pub enrolments: Limit,
    /// Look-ups of an identity without a token, for each network address.
    pub identities: Limit,
    /// Parts of archives, for each device.
    pub archives: Limit,
    /// Requests for a challenge or a token, for each network address: before anything of them is read.
    pub knocks: Limit,
    /// Challenges, for each network address and device: nobody is to use up a device's from elsewhere.
    pub challenges: Limit,
    /// Tokens, for each device that proved itself.
    pub tokens: Limit,
    /// Accounts whose keys are asked for, for each device: prekeys are used up by it.
    pub keys: Limit,
    /// Deposits and withdrawals, for each device.
    pub deposits: Limit,
    /// Envelopes given once more, for each account: they are answers, and nobody asks for many in a day.
    pub rewraps: Limit,
    /// Batches of prekeys and device lists, for each device: the relay verifies each of their keys and signatures.
    pub uploads: Limit,
    /// Directory look-ups, for each device.
    pub directory: Limit,
    /// Connections at once; more are closed as they come. Each is a file descriptor of the process.
    pub connections: usize,
    /// Connections at once from one network address: none has all the places.
    pub network_connections: usize,
    /// Requests at once on one connection of HTTP/2.
    pub connection_requests: u32,
    /// How long a connection may take to say what it wants, each time: its TLS, or the head of a request. In seconds.
    pub head_seconds: u64,
    /// How long a connection of HTTP/2 may stay without a request, though it answers pings. In seconds.
    pub idle_seconds: u64,
    /// A request whose body stood still for this long is given up. In seconds.
    pub body_silence_seconds: u64,
    /// How long a device may take over a body: the largest one over a bad mobile line, with some to spare. In seconds.
    pub body_seconds: u64,
    /// The same without a token, where bodies are smaller. In seconds.
    pub stranger_body_seconds: u64,
    /// Bodies of devices, with a share for each.
    pub device_bodies: Room,
    /// Bodies that come without a token, with a share for each network address.
    pub stranger_bodies: Room,
}

impl Default for Limits {
    fn default() -> Self {
        let row = |name, bucket, refill, refill_seconds, failing| Limit {
            name,
            bucket,
            refill,
            refill_seconds,
            failing,
        };
        Self {
            // A code has 80 random bits and lives 30 days. A million wrong ones a day from everywhere are 3.1e7 tries of
            // 1.2e24: one chance in 4e16. To keep a holder out takes 2,000 networks that try without a pause. Both fail
            // open: whatever the relay could weigh in 30 days is hopeless, and failing closed would keep everybody out.
            activation: row("activation", 5, 5, 15 * 60, Failing::Open),
            guesses: row("guesses", 1_000_000, 1_000_000, 24 * 60 * 60, Failing::Open),
            enrolments: row("enrolments", 500, 60, 60, Failing::Closed),
            identities: row("identities", 120, 60, 60, Failing::Closed),
            archives: row("archives", 2_000, 300, 60, Failing::Open),
            // Bodies are bounded besides, so it fails open: failing closed would keep everybody out.
            knocks: row("knocks", 6_000, 6_000, 60, Failing::Open),
            challenges: row("challenges", 120, 60, 60, Failing::Open),
            tokens: row("tokens", 120, 60, 60, Failing::Closed),
            keys: row("keys", 10_000, 600, 60, Failing::Open),
            deposits: row("deposits", 20_000, 3_000, 60, Failing::Open),
            rewraps: row("rewraps", 2_000, 2_000, 24 * 60 * 60, Failing::Open),
            uploads: row("uploads", 120, 60, 60 * 60, Failing::Open),
            directory: row("directory", 2_000, 600, 60, Failing::Open),
            connections: 10_000,
            network_connections: 2_500,
            connection_requests: 64,
            head_seconds: 30,
            idle_seconds: 120,
            body_silence_seconds: 30,
            body_seconds: 15 * 60,
            stranger_body_seconds: 2 * 60,
            device_bodies: Room {
                bytes: 512 * 1024 * 1024,
                share_bytes: 16 * 1024 * 1024,
            },
            stranger_bodies: Room {
                bytes: 64 * 1024 * 1024,
                share_bytes: 4 * 1024 * 1024,
            },
        }
    }
}

/// The buckets of one [`Limit`].
#[derive(Debug)]
pub(crate) struct Buckets {
    limit: Limit,
    levels: Mutex<HashMap<Digest, Level>>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// What is left, in thousandths.
    left: u64,
    at: Instant,
}

impl Buckets {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            limit,
            levels: Mutex::default(),
        }
    }

    /// Whether `key` may go on; nothing is taken.
    pub(crate) fn is_open(&self, key: &[u8]) -> bool {
        self.take(key, 0)
    }

    /// Takes `count` from the bucket of `key`; refused when it holds less.
    ///
    /// With a count of 0 it is refused when the bucket is empty.
    pub(crate) fn take(&self, key: &[u8], count: u32) -> bool {
        let now = Instant::now();
        let key = Digest::of(&[key]);
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= KEYS && !levels.contains_key(&key) {
            levels.retain(|_, level| self.level(*level, now) < self.full());
            if levels.len() >= KEYS {
                tracing::warn!(limit = self.limit.name, "too many keys in use for a limit");
                return self.limit.failing == Failing::Open;
            }
        }
        let left = levels.get(&key).map_or(self.full(), |level| self.level(*level, now));
        let wanted = u64::from(count).saturating_mul(1_000);
        let granted = left >= wanted.max(1_000);
        if granted && count > 0 {
            let left = left.saturating_sub(wanted);
            levels.insert(key, Level { left, at: now });
        }
        granted
    }

    fn full(&self) -> u64 {
        u64::from(self.limit.bucket).saturating_mul(1_000)
    }

    fn level(&self, level: Level, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(level.at).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let refilled = millis
            .saturating_mul(u64::from(self.limit.refill))
            .checked_div(u64::from(self.limit.refill_seconds))
            .unwrap_or(0);
        level.left.saturating_add(refilled).min(self.full())
    }
}

/// The buckets of every limit.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) activation: Buckets,
    pub(crate) guesses: Buckets,
    pub(crate) enrolments: Buckets,
    pub(crate) identities: Buckets,
    pub(crate) archives: Buckets,
    pub(crate) knocks: Buckets,
    pub(crate) challenges: Buckets,
    pub(crate) tokens: Buckets,
    pub(crate) keys: Buckets,
    pub(crate) deposits: Buckets,
    pub(crate) rewraps: Buckets,
    pub(crate) uploads: Buckets,
    pub(crate) directory: Buckets,
}

impl Doors {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            activation: Buckets::new(limits.activation),
            guesses: Buckets::new(limits.guesses),
            enrolments: Buckets::new(limits.enrolments),
            identities: Buckets::new(limits.identities),
            archives: Buckets::new(limits.archives),
            knocks: Buckets::new(limits.knocks),
            challenges: Buckets::new(limits.challenges),
            tokens: Buckets::new(limits.tokens),
            keys: Buckets::new(limits.keys),
            deposits: Buckets::new(limits.deposits),
            rewraps: Buckets::new(limits.rewraps),
            uploads: Buckets::new(limits.uploads),
            directory: Buckets::new(limits.directory),
        }
    }
}

/// A network address as a key: of IPv6 the half that is given to one customer, who has all the rest of it.
pub(crate) fn network(peer: IpAddr) -> [u8; 8] {
    let mut key = [0; 8];
    match peer.to_canonical() {
        IpAddr::V4(peer) => key.iter_mut().zip(peer.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(peer) => key.iter_mut().zip(peer.octets()).for_each(|(to, from)| *to = from),
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_whole_network_is_one_key() {
        let key = |peer: &str| network(peer.parse().unwrap());
        assert_eq!(key("2001:db8:0:7::1"), key("2001:db8:0:7:ffff::2"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
        for other in ["2001:db8:0:8::1", "192.0.2.7", "192.0.2.8"] {
            assert_ne!(key("2001:db8:0:7::1"), key(other));
        }
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }

    fn buckets(failing: Failing) -> Buckets {
        Buckets::new(Limit {
            name: "test",
            bucket: 2,
            refill: 1,
            refill_seconds: 3_600,
            failing,
        })
    }

    #[test]
    fn a_bucket_is_refused_once_it_is_empty_and_others_are_not() {
        let buckets = buckets(Failing::Closed);
        assert!(buckets.take(b"a", 1) && buckets.is_open(b"a") && buckets.take(b"a", 1));
        assert!(!buckets.is_open(b"a") && !buckets.take(b"a", 1));
        assert!(buckets.take(b"b", 2));
        assert!(!buckets.take(b"c", 3));
    }

    #[test]
    fn with_too_many_keys_it_fails_as_the_table_says() {
        for failing in [Failing::Open, Failing::Closed] {
            let buckets = buckets(failing);
            for key in 0..KEYS {
                assert!(buckets.take(&key.to_be_bytes(), 1));
            }
            assert_eq!(buckets.take(b"one more", 1), failing == Failing::Open);
        }
    }
}
