//! Errors as they travel: RFC 9457 problem documents with a stable code.
//! See `docs/protocol/problems.md`.

use serde::{Deserialize, Serialize};

/// Media type of a problem document (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// `urn:pli:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's meaning, in English.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Code,
    /// What it is about this time; never an address, name or content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Problem {
    /// The document of `code`, with no detail.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            kind: format!("urn:pli:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: String::new(),
        }
    }

    /// The same document, saying what it is about this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $status:literal, $title:literal;)*) => {
        /// What went wrong, stable over releases.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        #[non_exhaustive]
        pub enum Code {
            $(
                $(#[$doc])*
                #[serde(rename = $text)]
                $name,
            )*
            /// A code that this release does not know.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl Code {
            /// Every code a relay sends.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown => "unknown",
                }
            }

            /// The HTTP status it is sent with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    Self::Unknown => 500,
                }
            }

            /// What it means, in English.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                    Self::Unknown => "A problem that this release does not know.",
                }
            }
        }
    };
}

codes! {
    /// The activation code is wrong, used, or past its date.
    ActivationRefused, "activation-refused", 403, "The activation code is wrong, used or expired: ask the operator for a new one.";
    /// The account already has an identity.
    AlreadyEnrolled, "already-enrolled", 409, "This address is already enrolled: link this device from the main one, or ask the operator.";
    /// A part of an archive that does not come next, or stands there with other bytes.
    ArchiveMismatch, "archive-mismatch", 409, "The archive holds another part there, or none before it.";
    /// The challenge is unknown or expired, or its signature is wrong.
    ChallengeRefused, "challenge-refused", 401, "The challenge was not answered in time or not by this device: try again.";
    /// The device acknowledges or asks for entries that the relay does not know so.
    CursorMismatch, "cursor-mismatch", 409, "The relay and this device do not agree on what was delivered.";
    /// The wraps are not those of the current device lists.
    DevicesChanged, "devices-changed", 409, "The devices of a correspondent changed: ask for their keys again.";
    /// The device is suspended: by another device of its account, or because it was silent for too long.
    DeviceSuspended, "device-suspended", 403, "This device is suspended: its account's main device can let it in again.";
    /// The device is not on its account's list.
    DeviceUnknown, "device-unknown", 401, "The relay does not know this device.";
    /// The device list is not the one that follows the present one.
    ListOutdated, "list-outdated", 409, "This device list does not follow the one that the relay has.";
    /// The request's body is malformed.
    Malformed, "malformed", 400, "The request cannot be read.";
    /// The same message id was used for another envelope.
    MessageIdReused, "message-id-reused", 409, "This message id already names another message.";
    /// There is no such entry.
    NotFound, "not-found", 404, "There is no such thing.";
    /// Only the main device of the account may do this.
    NotMain, "not-main", 403, "Only the main device of the account may do this.";
    /// The token's account is not the sender's, or may not do this.
    NotYours, "not-yours", 403, "This belongs to another account.";
    /// A batch number that is not higher than the last one.
    PrekeysOutdated, "prekeys-outdated", 409, "A newer batch of prekeys is already known.";
    /// Identity, list, batch or signature does not verify.
    SignatureRefused, "signature-refused", 422, "A signature or certificate does not verify.";
    /// The relay cannot do it now.
    TemporarilyUnavailable, "temporarily-unavailable", 503, "The relay cannot do this now: try again later.";
    /// Too many requests.
    Throttled, "throttled", 429, "Too many requests: wait before the next.";
    /// The token is missing, unknown or expired.
    TokenRefused, "token-refused", 401, "The access token is missing or expired.";
    /// The body passes the limit.
    TooLarge, "too-large", 413, "Larger than the relay accepts.";
    /// Every recipient is unknown or has no device.
    Unreachable, "unreachable", 422, "No recipient can be reached: they have no device yet.";
    /// The sender has taken the message back before it came.
    Withdrawn, "withdrawn", 409, "This message was taken back before it arrived.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back_and_unknown_codes_are_taken() {
        let problem = Problem::new(Code::Throttled).with_detail("wait 30 s");
        let text = serde_json::to_string(&problem).unwrap();
        assert!(text.contains(r#""type":"urn:pli:problem:throttled""#), "{text}");
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
        let newer = text.replace(r#""code":"throttled""#, r#""code":"of-a-later-release""#);
        assert_eq!(serde_json::from_str::<Problem>(&newer).unwrap().code, Code::Unknown);
    }
}
