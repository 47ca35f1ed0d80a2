//! Temporary.
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Config,
    Unauthorized,
    ZoneNotFound,
    RateLimited,
    Conflict,
    Unavailable,
    Rejected,
    Other,
}
impl ErrorKind {
    pub fn retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Conflict | Self::Unavailable)
    }
}
#[derive(Debug, Clone)]
pub struct TxtRecord {
    pub zone: String,
    pub name: String,
    pub value: String,
    pub ttl: u32,
}
#[derive(Debug, Clone)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub homepage: String,
    pub environment: Vec<String>,
    pub hosts: Vec<String>,
    pub default_ttl: u32,
    pub propagation_timeout: Duration,
    pub propagation_interval: Duration,
    pub multiple_values: bool,
    pub reports_ready: bool,
}
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    #[error("refused: {message}")]
    Refused {
        plugin: Arc<str>,
        kind: ErrorKind,
        message: String,
        retry_after: Option<Duration>,
        denied: Option<String>,
    },
    #[error("timeout")]
    Timeout { plugin: Arc<str>, limit: Duration, denied: Option<String> },
}
impl CallError {
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused { kind, .. } => kind.retryable(),
            Self::Timeout { .. } => true,
        }
    }
}
