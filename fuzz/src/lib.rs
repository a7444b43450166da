//! One fuzz target for each reader of bytes that come from outside: each takes any bytes, and panics where a promise is broken.
//! `tests/corpus.rs` feeds each its seeds and its corpus. Read next: [`TARGETS`].

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a promise that is broken ends the run"
)]

mod cut;
mod formats;
mod hprim;
mod json;
mod phone;
mod place;
mod relay;
mod sealed;
pub mod seeds;
mod texts;

/// A reader under test.
pub struct Target {
    /// Its name on the command line, and of its corpus' folder.
    pub name: &'static str,
    /// What it reads, and what holds.
    pub what: &'static str,
    /// Feeds it.
    pub read: fn(&[u8]),
    /// Where its seeds come from.
    pub(crate) seeds: seeds::Source,
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A binary format, whose seeds are the vectors that bear its name.
macro_rules! format {
    ($name:literal, $what:literal, $read:expr) => {
        Target {
            name: $name,
            what: $what,
            read: $read,
            seeds: seeds::Source::Format,
        }
    };
}

macro_rules! other {
    ($name:literal, $what:literal, $read:expr, $seeds:expr) => {
        Target {
            name: $name,
            what: $what,
            read: $read,
            seeds: seeds::Source::Made($seeds),
        }
    };
}

/// All of them: the binary formats first, as `docs/protocol/` has them.
pub const TARGETS: &[Target] = &[
    format!("archive-part", "a part of an archive, opened", formats::part),
    format!(
        "batch-root",
        "what a device signs of its prekeys",
        formats::same::<protocol::prekey::BatchRoot>
    ),
    format!(
        "challenge",
        "what a relay has a device sign",
        formats::same::<protocol::api::Challenge>
    ),
    format!(
        "claim",
        "a device that is to be the main one",
        formats::same::<protocol::handover::Claim>
    ),
    format!(
        "cursor",
        "how far a device is",
        formats::same::<protocol::sequence::Cursor>
    ),
    format!("deposit", "an envelope on its way to the relay", formats::deposit),
    format!(
        "device-certificate",
        "a device, in its identity's words",
        formats::same::<protocol::identity::DeviceCertificate>
    ),
    format!(
        "device-list",
        "an account's devices",
        formats::same::<protocol::identity::DeviceList>
    ),
    format!("enrolment", "all that a device enrols with", formats::enrolment),
    format!(
        "entry-body",
        "an entry of a sequence, opened",
        formats::same::<protocol::sequence::EntryBody>
    ),
    format!("handover", "what the main device hands over", formats::handover),
    format!("header", "what the relay reads of an envelope", formats::header),
    format!("hello", "what a new device says of itself", formats::hello),
    format!(
        "history",
        "a message of before, for a device that was linked",
        formats::same::<protocol::state::History>
    ),
    format!(
        "identity",
        "what an account states of itself",
        formats::same::<protocol::identity::Identity>
    ),
    format!("keys", "what a relay hands out of accounts, verified", formats::keys),
    format!(
        "link-answer",
        "what the main device answers",
        formats::same::<protocol::link::Answer>
    ),
    format!(
        "list-upload",
        "an account's next device list, verified",
        formats::list_upload
    ),
    format!(
        "predecessor",
        "an identity that another follows, verified",
        formats::predecessor
    ),
    format!(
        "receipts",
        "what was read and handled",
        formats::same::<protocol::receipt::Receipts>
    ),
    format!("removal", "that a device was taken off, verified", formats::removal),
    format!(
        "rewrap-request",
        "messages that are to be wrapped anew",
        formats::same::<protocol::rewrap::RewrapRequest>
    ),
    format!("sequence-page", "entries of a sequence, opened", formats::page),
    format!(
        "signed-batch-root",
        "a batch root, signed",
        formats::signed::<protocol::prekey::BatchRoot>
    ),
    format!(
        "signed-claim",
        "a claim, signed",
        formats::signed::<protocol::handover::Claim>
    ),
    format!(
        "signed-device-certificate",
        "a certificate, signed",
        formats::signed::<protocol::identity::DeviceCertificate>
    ),
    format!(
        "signed-device-list",
        "a device list, signed",
        formats::signed::<protocol::identity::DeviceList>
    ),
    format!(
        "signed-identity",
        "an identity, signed",
        formats::signed::<protocol::identity::Identity>
    ),
    format!(
        "signed-succession",
        "a succession, signed",
        formats::signed::<protocol::identity::Succession>
    ),
    format!(
        "statement",
        "what a sender vouches for",
        formats::same::<protocol::statement::Statement>
    ),
    format!(
        "states",
        "what an account's devices tell each other",
        formats::same::<protocol::state::States>
    ),
    format!(
        "succession",
        "the word of a recovery key",
        formats::same::<protocol::identity::Succession>
    ),
    format!("upload", "a batch of prekeys, verified", formats::upload),
    format!("wrap", "a sealed content key, opened", formats::wrap),
    other!(
        "account",
        "identity and list behind good signatures",
        sealed::account,
        sealed::account_seeds
    ),
    other!(
        "archive-sealed",
        "a sealed part, edited",
        sealed::archive,
        sealed::archive_seeds
    ),
    other!(
        "chunked",
        "chunks, edited: none opens but the one that was sealed",
        sealed::chunks,
        sealed::chunk_seeds
    ),
    other!(
        "envelope",
        "an envelope behind good seals and signatures",
        sealed::envelope,
        sealed::envelope_seeds
    ),
    other!("padding", "padded content", sealed::padding, sealed::padding_seeds),
    other!(
        "payload",
        "what stands in a payload that opens",
        sealed::payload,
        sealed::payload_seeds
    ),
    other!(
        "prekey",
        "a prekey handed out, behind a good signature",
        sealed::prekey,
        sealed::prekey_seeds
    ),
    other!(
        "json",
        "the relay's requests and answers in JSON, and its problems",
        json::any,
        json::seeds
    ),
    other!(
        "address",
        "addresses, names that become one, device names",
        texts::address,
        texts::address_seeds
    ),
    other!(
        "link-code",
        "a device's code, typed",
        texts::link_code,
        texts::link_code_seeds
    ),
    other!("phrase", "a recovery phrase, typed", texts::phrase, texts::phrase_seeds),
    other!("mime", "a mail's content", texts::mime, texts::mime_seeds),
    other!(
        "mime-letter",
        "a letter written, then read",
        texts::letter,
        texts::letter_seeds
    ),
    other!(
        "hprim",
        "a file of the practice's or the laboratory's",
        hprim::any,
        hprim::seeds
    ),
    other!(
        "hprim-charset",
        "its charset and its text alone",
        hprim::charset,
        hprim::charset_seeds
    ),
    other!(
        "hprim-lab",
        "its laboratory block, below a good header",
        hprim::lab,
        hprim::lab_seeds
    ),
    other!(
        "relay",
        "requests of three accounts against a relay: nothing accepted is lost or doubled",
        relay::run,
        relay::seeds
    ),
    other!(
        "phone",
        "pages of a hostile relay: nothing forged is shown, and honest mail still comes",
        phone::run,
        phone::seeds
    ),
];
