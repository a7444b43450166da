//! Requests and answers of the relay: JSON for control, binary formats for sealed things.
//! Paths, methods and codes are in `docs/protocol/api.md`; errors in [`crate::problem`].

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::cbor::Format;
use crate::identity::{DeviceList, Identity, Predecessor, Signed};
use crate::ids::{ArchiveId, DeviceId, Digest, MessageId};
use crate::limits;
use crate::prekey::{BatchUpload, HandedPrekey};
use crate::sequence::{Cursor, Step};
use crate::time::Timestamp;

/// Media type of the binary formats.
pub const BINARY: &str = "application/cbor";

/// Paths of the relay.
pub mod path {
    /// `GET`: [`super::ServerInfo`].
    pub const SERVER: &str = "/v1/server";
    /// `POST` [`super::Enrolment`]: [`super::Enrolled`].
    pub const ENROLMENTS: &str = "/v1/enrolments";
    /// `POST` [`super::ChallengeRequest`]: [`super::ChallengeAnswer`].
    pub const CHALLENGES: &str = "/v1/challenges";
    /// `POST` [`super::TokenRequest`]: [`super::TokenAnswer`].
    pub const TOKENS: &str = "/v1/tokens";
    /// `GET` with `q`, `town`, `limit`: [`super::DirectoryEntries`]; `GET` with `/{address}`: [`super::DirectoryEntry`].
    pub const ENTRIES: &str = "/v1/entries";
    /// `POST` [`super::KeysRequest`]: [`super::KeysAnswer`] (binary).
    pub const KEYS: &str = "/v1/keys";
    /// `GET` with `/{address}`, without a token: [`super::KeysAnswer`] (binary) of one account, without prekeys.
    pub const IDENTITIES: &str = "/v1/identities";
    /// `POST` [`super::ListUpload`] (binary): nothing.
    pub const LISTS: &str = "/v1/lists";
    /// `GET`: [`super::Suspensions`]; `PUT`, `DELETE` with `/{device}`.
    pub const SUSPENSIONS: &str = "/v1/suspensions";
    /// `GET` with `/{device}`: [`crate::removal::Removal`] (binary).
    pub const REMOVALS: &str = "/v1/removals";
    /// `GET` with `/{device}`: [`super::KeysAnswer`] (binary) of one account that ended, without prekeys.
    pub const ENDINGS: &str = "/v1/endings";
    /// `PUT`, `GET` with `/{channel}/hello` or `/{channel}/answer`, without a token: sealed bytes (binary).
    pub const LINKS: &str = "/v1/links";
    /// `POST` [`crate::prekey::BatchUpload`] (binary), or `GET`: [`super::PrekeyStock`].
    pub const PREKEYS: &str = "/v1/prekeys";
    /// `POST` [`crate::envelope::Deposit`] (binary): [`super::DepositAnswer`].
    pub const DEPOSITS: &str = "/v1/deposits";
    /// `POST` [`crate::envelope::Deposit`] (binary), wrapped anew for devices of its recipients: nothing.
    pub const REWRAPS: &str = "/v1/rewraps";
    /// `GET`: [`super::Archives`]; `PUT`, `GET` with `/{archive}/{part}`: a sealed part (binary); `DELETE` with `/{archive}`.
    pub const ARCHIVES: &str = "/v1/archives";
    /// `POST` [`super::Withdrawal`]: [`super::WithdrawalAnswer`].
    pub const WITHDRAWALS: &str = "/v1/withdrawals";
    /// `GET` with `number`, `hash`, `wait_seconds`: [`crate::sequence::SequencePage`] (binary).
    pub const SEQUENCE: &str = "/v1/sequence";
    /// `POST` [`crate::sequence::Cursor`] (JSON): nothing; `GET` with `number`, `hash`: [`super::Standing`].
    pub const ACKNOWLEDGEMENTS: &str = "/v1/acknowledgements";
    /// WebSocket, `number` and `hash` as for [`SEQUENCE`]: pages one way, encoded [`crate::sequence::Cursor`]s the other.
    pub const STREAM: &str = "/v1/stream";
}

/// What a relay says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerInfo {
    /// Its name, part of every challenge.
    pub name: String,
    /// Its software's version.
    pub version: String,
    /// Its clock.
    pub time: Timestamp,
}

/// A device enrols its account: the first one, or one of an account that the relay lost when it was put back.
#[derive(Clone, Decode, Encode)]
#[cbor(map)]
pub struct Enrolment {
    /// The activation code from the operator: a secret.
    #[n(0)]
    pub code: String,
    /// The new identity.
    #[n(1)]
    pub identity: Signed<Identity>,
    /// Its device list: the first, with this device alone, or the newest.
    #[n(2)]
    pub list: Signed<DeviceList>,
    /// The device's batch.
    #[n(3)]
    pub batch: BatchUpload,
    /// The identities from the present one on, oldest first, whose recovery keys lead to the new one: with them an account is taken
    /// over without a code.
    #[n(4)]
    pub predecessors: Vec<Predecessor>,
}

impl Format for Enrolment {
    const NAME: &'static str = "enrolment";
    const LIMIT: usize = limits::BATCH_BYTES + 4 * limits::SIGNED_BYTES;
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment")
    }
}

/// The account is enrolled.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrolled {
    /// The device.
    pub device: DeviceId,
}

/// A device wants a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// The device.
    pub device: DeviceId,
}

/// What the device has to sign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChallengeAnswer {
    /// The encoded [`Challenge`], in base64 (RFC 4648 §4).
    pub challenge: String,
}

/// What a device signs to prove itself: it names the server, and the signature's context the purpose.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Challenge {
    /// The server's name.
    #[n(0)]
    pub server: String,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// 32 random bytes.
    #[n(2)]
    pub nonce: Digest,
    /// No token is given after this.
    #[n(3)]
    pub expires_at: Timestamp,
}

impl Format for Challenge {
    const NAME: &'static str = "challenge";
    const LIMIT: usize = 1_024;
}

/// A signed challenge.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The challenge, as it came.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$"
        ))
    )]
    pub challenge: String,
    /// The device's signature over the encoded challenge, in base64: 3,373 bytes.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Za-z0-9+/]{4497}[AQgw]==$")))]
    pub signature: String,
}

/// Where the relay sees a device, by the side of the cursor that the device named.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Standing {
    /// Whether the cursor is one that the relay knows so, and not behind what was acknowledged.
    pub agreed: bool,
    /// How far the device has acknowledged.
    pub acknowledged: Cursor,
    /// SHA-256 of the header of the last envelope that it deposited.
    pub deposited: Option<Digest>,
}

/// A short-lived token.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenAnswer {
    /// For the `Authorization: Bearer` header: a secret.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenAnswer")
    }
}

/// An entry of the directory.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirectoryEntry {
    /// The account.
    pub address: Address,
    /// First name, with its accents.
    pub given: String,
    /// Surname, with its accents.
    pub surname: String,
    /// Profession, as people say it.
    #[serde(default)]
    pub profession: String,
    /// Specialty, as people say it.
    #[serde(default)]
    pub specialty: String,
    /// Postcode of the place of practice.
    #[serde(default)]
    pub postcode: String,
    /// Town of the place of practice.
    #[serde(default)]
    pub town: String,
    /// Whether mail can be sealed to it now: it has a device, and that one was not away until its prekeys ended.
    pub reachable: bool,
}

/// What a search found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirectoryEntries {
    /// At most [`limits::SEARCH_ENTRIES`], best first.
    pub entries: Vec<DirectoryEntry>,
    /// Whether there are others after these.
    #[serde(default)]
    pub more: bool,
}

/// A sender asks for what it seals to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeysRequest {
    /// The accounts; the sender's own, too, if it has other devices.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 17), extend("uniqueItems" = true)))]
    pub accounts: Vec<Address>,
    /// What to hand out.
    pub prekeys: PrekeyWish,
}

/// Which prekeys a sender asks for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PrekeyWish {
    /// Last-resort prekeys: for receipts.
    LastResort,
    /// None: identity and list only.
    None,
    /// One-time prekeys while there are any: for mail.
    OneTime,
}

/// What a sender seals to.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct KeysAnswer {
    /// One for each account asked for that is enrolled, in that order; others are left out.
    #[n(0)]
    pub accounts: Vec<AccountKeys>,
}

impl Format for KeysAnswer {
    const NAME: &'static str = "keys";
    const LIMIT: usize =
        (limits::RECIPIENTS + 1) * (2 * limits::SIGNED_BYTES + (limits::DEVICES + limits::PREDECESSORS) * 16 * 1024);
}

/// What a sender seals to for one account.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct AccountKeys {
    /// The identity.
    #[n(0)]
    pub identity: Signed<Identity>,
    /// The current device list.
    #[n(1)]
    pub list: Signed<DeviceList>,
    /// A prekey for each device on the list; none where none were asked for.
    #[n(2)]
    pub prekeys: Vec<HandedPrekey>,
    /// The identities that this one follows, oldest first.
    #[n(3)]
    pub predecessors: Vec<Predecessor>,
    /// Fingerprints of the identities that the address had before, and that no word of a recovery key leads from, oldest first.
    #[n(4)]
    pub ended: Vec<Digest>,
}

/// An account's new device list.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ListUpload {
    /// The list, of the version that follows the present one.
    #[n(0)]
    pub list: Signed<DeviceList>,
    /// The first batch of the device that it adds, if it adds one.
    #[n(1)]
    pub batch: Option<BatchUpload>,
}

impl Format for ListUpload {
    const NAME: &'static str = "list upload";
    const LIMIT: usize = limits::BATCH_BYTES + limits::SIGNED_BYTES;
}

/// The devices of an account that are suspended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Suspensions {
    /// Those that were suspended first come first.
    pub suspensions: Vec<Suspension>,
}

/// A device that is suspended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Suspension {
    /// The device.
    pub device: DeviceId,
    /// Since when.
    pub since: Timestamp,
}

/// How many prekeys the relay still has of a device.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PrekeyStock {
    /// One-time prekeys left.
    pub left: u32,
    /// Number of the newest batch; 0 without one.
    pub newest_batch: u64,
    /// Until when the newest batch is handed out.
    pub not_after: Option<Timestamp>,
}

/// A deposit was accepted and is durable. The same deposit gets the same answer for [`limits::MAIL_DAYS`] days.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DepositAnswer {
    /// When it was accepted, by the relay's clock.
    pub accepted_at: Timestamp,
    /// What became of it for each recipient of the header.
    pub outcomes: Vec<Outcome>,
}

/// What became of a deposit for one recipient.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The recipient.
    pub address: Address,
    /// [`Step::Available`] or [`Step::Unreachable`].
    pub step: Step,
}

/// The sender wants a mail back that nobody has retrieved.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// The message.
    pub id: MessageId,
}

/// What became of a withdrawal, for each recipient.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WithdrawalAnswer {
    /// [`Step::Withdrawn`], or [`Step::Retrieved`] where it came too late.
    pub outcomes: Vec<Outcome>,
}

/// The archives that an account keeps at the relay.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Archives {
    /// The one written last comes first.
    pub archives: Vec<ArchiveSize>,
}

/// How much there is of an archive.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArchiveSize {
    /// The archive.
    pub id: ArchiveId,
    /// Its parts are numbered from 0.
    pub parts: u64,
    /// All parts together, sealed, in bytes.
    pub bytes: u64,
    /// When the last part came.
    pub written_at: Timestamp,
}
