//! The access token of this device, kept in memory only.

use std::sync::{Mutex, PoisonError};

use protocol::api::TokenAnswer;
use protocol::{DeviceId, Timestamp};
use zeroize::Zeroizing;

/// A token is not used in its last seconds: the request has to arrive before it ends.
const MARGIN_SECONDS: i64 = 20;

/// The token in use, if there is one.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Option<Token>>);

/// A token.
#[derive(Clone)]
pub(super) struct Token {
    device: DeviceId,
    text: Zeroizing<String>,
    expires_at: Timestamp,
    /// Whether phone and relay have compared notes under it.
    has_compared: bool,
}

impl Token {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Tokens {
    pub(super) fn current(&self, device: DeviceId, now: Timestamp) -> Option<Token> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone()
            .filter(|token| token.device == device && now.plus_seconds(MARGIN_SECONDS) < token.expires_at)
    }

    pub(super) fn keep(&self, device: DeviceId, answer: TokenAnswer) -> Token {
        let token = Token {
            device,
            text: Zeroizing::new(answer.token),
            expires_at: answer.expires_at,
            has_compared: false,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        token
    }

    /// Whether notes were compared under the token in use.
    pub(super) fn has_compared(&self, device: DeviceId, now: Timestamp) -> bool {
        self.current(device, now).is_some_and(|token| token.has_compared)
    }

    /// Notes were compared, or are to be compared again.
    pub(super) fn set_compared(&self, has_compared: bool) {
        if let Some(token) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            token.has_compared = has_compared;
        }
    }

    pub(super) fn forget(&self, token: &Token) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(|kept| kept.text == token.text) {
            *slot = None;
        }
    }
}
