//! Values of flags, and errors about them in the words of this command line.

use std::error::Error as _;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::FlagError;
use crate::config::dns::host_and_port;
use crate::durations::go_duration;

/// Which log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// All.
    Debug,
    /// What happened.
    Info,
    /// What needs a look.
    Warn,
    /// What failed.
    Error,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `:port`: every interface, IPv6 and IPv4.
    AllInterfaces {
        /// 0 lets the kernel choose.
        port: u16,
    },
    /// `host:port`.
    Host {
        /// An IP address or a name.
        host: String,
        /// 0 lets the kernel choose.
        port: u16,
    },
}

impl ListenAddress {
    /// What to bind, in the order to try: a machine without IPv6 refuses the first of all interfaces.
    #[must_use]
    pub fn candidates(&self) -> Vec<String> {
        match self {
            Self::AllInterfaces { port } => vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")],
            Self::Host { .. } => vec![self.to_string()],
        }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::AllInterfaces { port } | Self::Host { port, .. } => *port,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllInterfaces { port } => write!(f, ":{port}"),
            Self::Host { host, port } => write_address(f, host, *port),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected host:port or :port";
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let port = port.parse().map_err(|_| "expected a port from 0 to 65535 after the last `:`")?;
        if host.is_empty() {
            return Ok(Self::AllInterfaces { port });
        }
        if host.contains(':') && !host.starts_with('[') {
            return Err("expected [host]:port around an IPv6 address");
        }
        // The port of this second text does not matter; port 0 would be refused there.
        let (host, _) = host_and_port(&format!("{host}:1"), 1).map_err(|_| EXPECTED)?;
        Ok(Self::Host { host, port })
    }
}

/// Another node: where it can be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAddress {
    /// An IP address or a name.
    pub host: String,
    /// 7946 unless given.
    pub port: u16,
}

impl fmt::Display for MemberAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, &self.host, self.port)
    }
}

impl FromStr for MemberAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (host, port) = host_and_port(text.trim(), CLUSTER_PORT)?;
        Ok(Self { host, port })
    }
}

/// The port that the nodes of a cluster use among themselves.
const CLUSTER_PORT: u16 = 7946;

/// The words that Go accepts.
pub(crate) fn parse_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false"),
    }
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    go_duration(text).map_err(|error| error.to_string())
}

/// A pause between two looks: none at all would keep a processor busy.
pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval.is_zero() { Err("must be longer than 0".to_owned()) } else { Ok(interval) }
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("expected whole seconds from 1 to 86400")
}

/// The library's error in the words of this command line.
pub(super) fn explain(error: &clap::Error) -> FlagError {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    // The library names the flag as `--flag <kind>`.
    let flag = word(ContextKind::InvalidArg);
    let flag = flag.trim_start_matches('-').split(' ').next().unwrap_or_default().to_owned();
    let value = word(ContextKind::InvalidValue);
    let reason = match (error.kind(), error.source()) {
        (ErrorKind::InvalidValue, _) => format!("expected one of {}, got {value:?}", word(ContextKind::ValidValue)),
        (_, Some(source)) => format!("{source}, got {value:?}"),
        _ => error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    FlagError::Invalid { flag, reason }
}

fn write_address(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
}
