//! What is said of a call when it is over.

use std::{fmt, sync::Arc, time::Duration};

use crate::{digest::PluginDigest, error::CallError};

/// The functions of a provider and of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the contract documents them")]
pub enum Function {
    Describe,
    Check,
    Present,
    Cleanup,
    Ready,
    Review,
}

/// How a call ended, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The plugin did what it was asked.
    Ok,
    /// The plugin said no.
    Refused,
    /// The call took too long.
    Timeout,
    /// A limit other than time was reached.
    Limit,
    /// There was no free slot.
    Overloaded,
    /// The call was not made because those before it broke.
    Suspended,
    /// The plugin broke: a trap, an exit, an unusable answer.
    Broken,
    /// The host broke.
    Host,
}

/// What one call was and cost.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// The component.
    pub digest: PluginDigest,
    /// The function that was called.
    pub function: Function,
    /// How it ended.
    pub outcome: Outcome,
    /// The class of the error, if it ended with one.
    pub error: Option<&'static str>,
    /// The time spent waiting for a slot.
    pub waited: Duration,
    /// The time from the slot to the end.
    pub wall: Duration,
    /// The fuel used.
    pub fuel: u64,
    /// The most linear memory held at once.
    pub peak_memory_bytes: usize,
    /// The functions of the host that the guest called: requests, log lines, looks at the time that is left.
    pub host_calls: u32,
    /// The HTTP requests and DNS messages sent or refused.
    pub requests: u32,
    /// What was refused: requests and addresses that are not granted.
    pub denials: u32,
    /// Bytes of requests and messages, header sections included.
    pub sent_bytes: u64,
    /// Bytes of the answers, header sections included.
    pub received_bytes: u64,
    /// The log lines beyond the limit.
    pub dropped_log_lines: u64,
    /// Whether the plugin is suspended after this call.
    pub is_suspended: bool,
}

/// Told of every call when it is over; must not block.
pub type Observer = Arc<dyn Fn(&CallReport) + Send + Sync>;

impl Function {
    /// All of them, in the order of the contracts.
    pub const ALL: [Self; 6] = [Self::Describe, Self::Check, Self::Present, Self::Cleanup, Self::Ready, Self::Review];

    /// The name in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Check => "check",
            Self::Present => "present",
            Self::Cleanup => "cleanup",
            Self::Ready => "ready",
            Self::Review => "review",
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Outcome {
    /// A word for a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Overloaded => "overloaded",
            Self::Suspended => "suspended",
            Self::Broken => "broken",
            Self::Host => "host",
        }
    }

    pub(crate) fn of<T>(result: &Result<T, &CallError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(CallError::Refused { .. }) => Self::Refused,
            Err(CallError::Timeout { .. }) => Self::Timeout,
            Err(CallError::OutOfFuel { .. } | CallError::OutOfMemory { .. } | CallError::OutOfBounds { .. }) => {
                Self::Limit
            }
            Err(CallError::Overloaded { .. }) => Self::Overloaded,
            Err(CallError::Suspended { .. }) => Self::Suspended,
            Err(CallError::Panicked { .. } | CallError::Exited { .. } | CallError::BadReturn { .. }) => Self::Broken,
            Err(CallError::Host { .. }) => Self::Host,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
