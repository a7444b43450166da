//! A device's sequence: the numbered, hashed entries that the relay holds for it until they are acknowledged.
//! See `docs/protocol/sequence.md`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::address::Address;
use crate::cbor::{self, Format, FormatError, refused};
use crate::envelope::Wrap;
use crate::ids::{Digest, MessageId};
use crate::limits;
use crate::time::Timestamp;

/// How far a device has come: the number of an entry and the running hash there.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Number of the last entry; 0 before the first.
    #[n(0)]
    #[cfg_attr(feature = "schema", schemars(range(max = u64::MAX)))]
    pub number: u64,
    /// Running hash there; zeros before the first.
    #[n(1)]
    pub hash: Digest,
}

impl Cursor {
    /// Before the first entry.
    pub const START: Self = Self {
        number: 0,
        hash: Digest::ZERO,
    };

    /// The cursor one entry later: SHA-256 over the running hash and the entry's digest.
    #[must_use]
    pub fn after(self, entry: &Digest) -> Self {
        let hash = Digest::of(&[self.hash.as_bytes(), entry.as_bytes()]);
        Self {
            number: self.number.saturating_add(1),
            hash,
        }
    }
}

impl Format for Cursor {
    const NAME: &'static str = "cursor";
    const LIMIT: usize = 128;
}

/// One entry, as it travels.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Entry {
    /// Its number.
    #[n(0)]
    pub number: u64,
    /// SHA-256 over the body.
    #[n(1)]
    pub digest: Digest,
    /// The encoded [`EntryBody`]; none when the sender has withdrawn it, or it expired.
    #[n(2)]
    pub body: Option<ByteVec>,
    /// The payload of a mail; none when the relay lost it.
    #[n(3)]
    pub payload: Option<ByteVec>,
}

impl Entry {
    /// What it holds, checked against its digests; `None` when nothing is left of it.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when body or payload do not fit.
    pub fn open(&self) -> Result<Option<EntryBody>, FormatError> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        if Digest::of(&[body]) != self.digest {
            return Err(refused::<EntryBody>("another digest"));
        }
        let body: EntryBody = cbor::decode(body)?;
        match (&body, &self.payload) {
            (EntryBody::Mail(mail), Some(payload)) if Digest::of(&[payload]) == mail.payload_digest => Ok(Some(body)),
            (EntryBody::Notice(_), None) => Ok(Some(body)),
            _ => Err(refused::<EntryBody>("another payload")),
        }
    }
}

/// What an entry holds.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum EntryBody {
    /// An envelope, with this device's wrap alone.
    #[n(0)]
    Mail(#[n(0)] MailEntry),
    /// What became of an envelope that this account sent.
    #[n(1)]
    Notice(#[n(0)] Notice),
}

impl Format for EntryBody {
    const NAME: &'static str = "sequence entry";
    const LIMIT: usize = 64 * 1024;
}

/// An envelope as one device gets it, but for the payload beside it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct MailEntry {
    /// The encoded header.
    #[n(0)]
    pub header: ByteVec,
    /// The device's own wrap.
    #[n(1)]
    pub wrap: Wrap,
    /// SHA-256 of the payload.
    #[n(2)]
    pub payload_digest: Digest,
    /// When the relay accepted it.
    #[n(3)]
    pub deposited_at: Timestamp,
}

/// The relay's word on one envelope and one recipient.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Notice {
    /// The message.
    #[n(0)]
    pub id: MessageId,
    /// The recipient.
    #[n(1)]
    pub recipient: Address,
    /// What happened.
    #[n(2)]
    pub step: Step,
    /// When.
    #[n(3)]
    pub at: Timestamp,
}

/// What can become of an envelope at the relay.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It waits for the recipient's devices.
    #[n(0)]
    Available,
    /// A device of the recipient has acknowledged it.
    #[n(1)]
    Retrieved,
    /// There is no such address, or it has no device.
    #[n(2)]
    Unreachable,
    /// The sender took it back before it was retrieved.
    #[n(3)]
    Withdrawn,
    /// Nobody retrieved it in time.
    #[n(4)]
    Expired,
    /// The relay lost it before it was retrieved: it has to be sent again.
    #[n(5)]
    Lost,
    /// It still waits, and nobody has retrieved it for some days.
    #[n(6)]
    NotRetrieved,
}

impl Step {
    /// Every step, by its number.
    pub const ALL: [Self; 7] = [
        Self::Available,
        Self::Retrieved,
        Self::Unreachable,
        Self::Withdrawn,
        Self::Expired,
        Self::Lost,
        Self::NotRetrieved,
    ];

    /// Its number, on the wire and in tables.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Available => 0,
            Self::Retrieved => 1,
            Self::Unreachable => 2,
            Self::Withdrawn => 3,
            Self::Expired => 4,
            Self::Lost => 5,
            Self::NotRetrieved => 6,
        }
    }

    /// The step with this number, if there is one.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.number() == number)
    }
}

/// Entries of a sequence, in order and without gaps.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct SequencePage {
    /// The entries; none when there is no news.
    #[n(0)]
    pub entries: Vec<Entry>,
}

impl Format for SequencePage {
    const NAME: &'static str = "sequence page";
    const LIMIT: usize = limits::PAGE_BYTES_MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_the_number_that_it_has_on_the_wire() {
        for step in Step::ALL {
            assert_eq!(
                minicbor::to_vec(step).unwrap(),
                minicbor::to_vec(step.number()).unwrap()
            );
            assert_eq!(Step::of_number(step.number()), Some(step));
        }
        assert_eq!((Step::of_number(-1), Step::of_number(7)), (None, None));
    }

    #[test]
    fn an_entry_opens_only_with_what_its_digests_say() {
        let notice = EntryBody::Notice(Notice {
            id: MessageId::from_bytes([1; 16]),
            recipient: "lea.petit@medical28.apicrypt.org".parse().unwrap(),
            step: Step::Retrieved,
            at: Timestamp::from_millis(5),
        });
        let body = cbor::encode(&notice);
        let entry = Entry {
            number: 1,
            digest: Digest::of(&[&body]),
            body: Some(body.into()),
            payload: None,
        };
        assert_eq!(entry.open(), Ok(Some(notice)));
        assert!(
            Entry {
                digest: Digest::ZERO,
                ..entry.clone()
            }
            .open()
            .is_err()
        );
        assert!(
            Entry {
                payload: Some(vec![1].into()),
                ..entry.clone()
            }
            .open()
            .is_err()
        );
        assert_eq!(Entry { body: None, ..entry }.open(), Ok(None));
    }
}
