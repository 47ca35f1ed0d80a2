//! Why a call failed.

use std::fmt;

use crate::ErrorKind;
use crate::bindings::acme_manager::dns::types as wit;

/// A failed call: a kind, by which the host decides what to do next, and a sentence for the operator.
///
/// The message says what was tried and what came back. The host replaces the values of secret environment keys in
/// it, but nothing that was derived from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after_seconds: Option<u32>,
}

impl Error {
    /// An error of any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_seconds: None }
    }

    /// The environment is incomplete or contradictory.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// The credentials were refused.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthorized, message)
    }

    /// The account has no zone that holds `name`.
    pub fn zone_not_found(name: &str) -> Self {
        Self::new(ErrorKind::ZoneNotFound, format!("the account has no zone that holds {name}"))
    }

    /// The vendor asked to slow down.
    pub fn rate_limited(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::RateLimited, message)
    }

    /// Another change is under way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// The vendor did not answer, or failed itself.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// The vendor understood the request and said no.
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected, message)
    }

    /// Nothing of the above.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other, message)
    }

    /// The kind that fits an HTTP status.
    pub fn from_status(status: u16, message: impl Into<String>) -> Self {
        let kind = match status {
            401 | 403 => ErrorKind::Unauthorized,
            409 | 412 => ErrorKind::Conflict,
            429 => ErrorKind::RateLimited,
            408 | 500..=599 => ErrorKind::Unavailable,
            400..=499 => ErrorKind::Rejected,
            _ => ErrorKind::Other,
        };
        Self::new(kind, message)
    }

    /// The same with another kind, where the vendor's own code says more than the HTTP status.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says how many seconds to wait before another try.
    #[must_use]
    pub fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after_seconds = seconds;
        self
    }

    /// Puts what was attempted before the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: &str) -> Self {
        self.message.insert_str(0, ": ");
        self.message.insert_str(0, context);
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kind as the contract spells it: `zone-not-found`.
    #[cfg(any(feature = "issuance-hook", not(target_family = "wasm")))]
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            ErrorKind::Config => "config",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::ZoneNotFound => "zone-not-found",
            ErrorKind::RateLimited => "rate-limited",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Rejected => "rejected",
            ErrorKind::Other => "other",
        }
    }

    /// The sentence for the operator.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Seconds to wait before another try, where the vendor named them.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after_seconds
    }

    pub(crate) fn into_wit(self) -> wit::Error {
        wit::Error { kind: self.kind, message: self.message, retry_after: self.retry_after_seconds }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map_to_the_kinds_of_the_contract() {
        let kinds = [
            (400, ErrorKind::Rejected),
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Unauthorized),
            (404, ErrorKind::Rejected),
            (409, ErrorKind::Conflict),
            (412, ErrorKind::Conflict),
            (422, ErrorKind::Rejected),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (302, ErrorKind::Other),
        ];
        for (status, kind) in kinds {
            assert_eq!(Error::from_status(status, "").kind(), kind, "status {status}");
        }
    }
}
