//! What a call can end with. A plugin's "no" ([`CallError::Refused`]) is an answer; everything else is a breakage or a
//! limit, and its text names the plugin and, for limits, the configuration key that changes it.

use std::{fmt, sync::Arc, time::Duration};

use crate::bindings::types;

/// The keys of the configuration that raise a limit, as its documentation writes them.
const TIMEOUT: &str = "common.plugins[].timeout";
const FUEL: &str = "common.plugins[].fuel";
const MEMORY: &str = "common.plugins[].memory_mb";
pub(crate) const CONCURRENCY: &str = "common.plugins[].max_concurrency";
pub(crate) const CONCURRENCY_OF_ALL: &str = "common.plugin_max_concurrency";

/// Why a plugin said no, in its own words; the contract freezes the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The environment is incomplete or contradictory.
    Config,
    /// The credentials were refused.
    Unauthorized,
    /// The account has no zone that holds the name.
    ZoneNotFound,
    /// The vendor asked to slow down.
    RateLimited,
    /// Another change is under way.
    Conflict,
    /// The vendor did not answer or failed itself.
    Unavailable,
    /// The vendor understood the request and said no.
    Rejected,
    /// None of the above.
    Other,
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin answered with an error of its own. The only variant that does not mean that something broke.
    #[error("plugin `{plugin}`: {message} ({kind}){}", Hint(.denied))]
    Refused {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The class of the failure.
        kind: ErrorKind,
        /// The plugin's sentence, secrets removed.
        message: String,
        /// How long the vendor asked to wait, at most an hour.
        retry_after: Option<Duration>,
        /// What the host refused the plugin during this call, if that may be the reason.
        denied: Option<String>,
    },
    /// The call took longer than it may.
    #[error("plugin `{plugin}` did not finish within {} s; raise `{TIMEOUT}`{}", .limit.as_secs_f64(), Hint(.denied))]
    Timeout {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The limit.
        limit: Duration,
        /// What the host refused the plugin during this call.
        denied: Option<String>,
    },
    /// The call computed more than it may.
    #[error("plugin `{plugin}` used up its {limit} units of computation; raise `{FUEL}`")]
    OutOfFuel {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The limit.
        limit: u64,
    },
    /// The call wanted more memory than it may have.
    #[error("plugin `{plugin}` wanted more than its {} MiB of memory; raise `{MEMORY}`", .limit_bytes >> 20)]
    OutOfMemory {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The limit in bytes.
        limit_bytes: usize,
    },
    /// The call ran into one of the fixed bounds between host and guest.
    #[error("plugin `{plugin}` exceeded a bound that no setting changes: {detail}")]
    OutOfBounds {
        /// The plugin's name.
        plugin: Arc<str>,
        /// Which one.
        detail: String,
    },
    /// The guest's code trapped: a panic, an abort, a stray pointer.
    #[error("plugin `{plugin}` crashed: {detail}")]
    Panicked {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The trap, and the last line the guest wrote on its standard error; secrets removed.
        detail: String,
    },
    /// The guest ended itself instead of returning.
    #[error("plugin `{plugin}` called exit({status}) instead of returning")]
    Exited {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The status: 0 for success, 1 for everything else, which is all that the interface tells.
        status: i32,
    },
    /// What the guest returned breaks the contract.
    #[error("plugin `{plugin}` returned something unusable: {detail}")]
    BadReturn {
        /// The plugin's name.
        plugin: Arc<str>,
        /// What is wrong with it.
        detail: String,
    },
    /// The last calls broke, so that this one was not made.
    #[error(
        "plugin `{plugin}` broke {breakages} times in a row and is not called for another {} s; the last time: {last}; \
         another component or other settings, once reloaded, begin anew",
        .remaining.as_secs_f64().ceil()
    )]
    Suspended {
        /// The plugin's name.
        plugin: Arc<str>,
        /// How often.
        breakages: u32,
        /// Until the next call goes through.
        remaining: Duration,
        /// How it broke the last time; secrets removed.
        last: String,
    },
    /// Too many calls of this plugin, or of all plugins, run or wait already.
    #[error("plugin `{plugin}` has no free slot: {detail}; raise `{setting}`")]
    Overloaded {
        /// The plugin's name.
        plugin: Arc<str>,
        /// Which queue is full.
        detail: String,
        /// The key of the configuration that makes it longer.
        setting: &'static str,
    },
    /// The host itself failed. This is a defect of acme-manager, not of the plugin.
    #[error("the plugin runtime failed while it ran plugin `{plugin}`: {detail}")]
    Host {
        /// The plugin's name.
        plugin: Arc<str>,
        /// What happened.
        detail: String,
    },
}

impl CallError {
    /// Whether the same call can succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused { kind, .. } => kind.retryable() && !self.is_denial(),
            Self::Timeout { .. } | Self::Overloaded { .. } | Self::Suspended { .. } => true,
            Self::OutOfFuel { .. }
            | Self::OutOfMemory { .. }
            | Self::OutOfBounds { .. }
            | Self::Panicked { .. }
            | Self::Exited { .. }
            | Self::BadReturn { .. }
            | Self::Host { .. } => false,
        }
    }

    /// Whether a destination was refused and the plugin's own word does not speak against that being the reason: then
    /// only the operator can help, by granting it.
    fn is_denial(&self) -> bool {
        use ErrorKind::{Config, Other, Unavailable};
        matches!(self, Self::Refused { kind: Config | Unavailable | Other, denied: Some(_), .. })
    }

    /// The class, for counting: the kind of a refusal, `denied` where a destination was refused, otherwise what broke or
    /// which limit was reached.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Refused { .. } if self.is_denial() => "denied",
            Self::Refused { kind, .. } => kind.as_str(),
            Self::Timeout { .. } => "timeout",
            Self::OutOfFuel { .. } => "out-of-fuel",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::OutOfBounds { .. } => "out-of-bounds",
            Self::Panicked { .. } => "panicked",
            Self::Exited { .. } => "exited",
            Self::BadReturn { .. } => "bad-return",
            Self::Suspended { .. } => "suspended",
            Self::Overloaded { .. } => "overloaded",
            Self::Host { .. } => "host",
        }
    }

    /// The key of the configuration that raises the limit which the call ran into. `None` when it ran into none, or
    /// into a bound that is fixed; the text says which.
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Timeout { .. } => Some(TIMEOUT),
            Self::OutOfFuel { .. } => Some(FUEL),
            Self::OutOfMemory { .. } => Some(MEMORY),
            Self::Overloaded { setting, .. } => Some(setting),
            Self::Refused { .. }
            | Self::OutOfBounds { .. }
            | Self::Panicked { .. }
            | Self::Exited { .. }
            | Self::BadReturn { .. }
            | Self::Suspended { .. }
            | Self::Host { .. } => None,
        }
    }

    /// How long to wait before another try: as the vendor asked, or until the suspension ends.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Suspended { remaining, .. } => Some(*remaining),
            _ => None,
        }
    }

    /// Whether the plugin answered, as opposed to breaking or being cut off.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl ErrorKind {
    /// Whether waiting can help.
    pub fn retryable(self) -> bool {
        match self {
            Self::RateLimited | Self::Conflict | Self::Unavailable => true,
            Self::Config | Self::Unauthorized | Self::ZoneNotFound | Self::Rejected | Self::Other => false,
        }
    }

    /// The word that the contract uses, for example `rate-limited`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Unauthorized => "unauthorized",
            Self::ZoneNotFound => "zone-not-found",
            Self::RateLimited => "rate-limited",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<types::ErrorKind> for ErrorKind {
    fn from(kind: types::ErrorKind) -> Self {
        match kind {
            types::ErrorKind::Config => Self::Config,
            types::ErrorKind::Unauthorized => Self::Unauthorized,
            types::ErrorKind::ZoneNotFound => Self::ZoneNotFound,
            types::ErrorKind::RateLimited => Self::RateLimited,
            types::ErrorKind::Conflict => Self::Conflict,
            types::ErrorKind::Unavailable => Self::Unavailable,
            types::ErrorKind::Rejected => Self::Rejected,
            types::ErrorKind::Other => Self::Other,
        }
    }
}

/// The appendix of an error that a refused request may explain.
struct Hint<'a>(&'a Option<String>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(denied) => write!(f, "; {denied}"),
            None => Ok(()),
        }
    }
}
