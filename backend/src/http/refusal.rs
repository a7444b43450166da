//! Every error a client sees, as a problem document; what went wrong inside stays in the log.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::cbor::FormatError;
use protocol::problem::MEDIA_TYPE;
use protocol::{Code, Problem};

use crate::limits::Buckets;
use crate::storage::StorageError;

/// A request that is not granted.
#[derive(Debug)]
pub(super) struct Refusal(Problem);

impl Refusal {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Problem::new(code).with_detail(detail))
    }

    /// The same with another HTTP status than the code's own.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status.as_u16();
        self
    }

    pub(super) const fn code(&self) -> Code {
        self.0.code
    }
}

/// Counts `count` of what `key` asks for against a limit.
pub(super) fn admit(limit: &Buckets, key: &[u8], count: u32) -> Result<(), Refusal> {
    if limit.take(key, count) {
        Ok(())
    } else {
        Err(Refusal::new(Code::Throttled, ""))
    }
}

impl From<FormatError> for Refusal {
    /// A binary body that cannot be taken.
    fn from(error: FormatError) -> Self {
        let code = match error {
            FormatError::TooLarge { .. } => Code::TooLarge,
            _ => Code::Malformed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Refused(code, detail) => Self::new(code, detail),
            StorageError::Stopped => Self::new(Code::TemporarilyUnavailable, ""),
            error => {
                tracing::error!(%error, "a request failed");
                Self::new(Code::TemporarilyUnavailable, "")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        tracing::debug!(code = self.0.code.as_str(), "refused");
        let body = serde_json::to_string(&self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.extensions_mut().insert(self.0.code);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self.0.code {
            Code::TokenRefused => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::Throttled => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
            }
            _ => (),
        }
        response
    }
}
