//! The section `common`: what concerns all issuers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::plugin::{self, Plugin};
use super::section::{Notes, Section};
use super::tree::Value;
use crate::durations::{GoDuration, RenewalDays};

pub(super) const KEYS: &[&str] = &[
    "api_key_hash",
    "cert_days_renewal",
    "cert_timeout",
    "rootpath_account",
    "rootpath_certificate",
    "plugins",
    "plugin_max_concurrency",
    "plugin_trusted_keys",
    "http_client_retry_max",
    "http_client_retry_wait_min",
    "http_client_retry_wait_max",
    "http_client_retry_status_code",
    "http_client_debug",
    "rate_limit_enabled",
    "rate_limit_window",
    "rate_limit_max_requests",
];

/// The section `common`.
#[derive(Debug, Clone)]
pub struct Common {
    /// Digest of the key that manages tokens; `None` refuses every management of tokens.
    pub api_key_hash: Option<ApiKeyHash>,
    /// When certificates are renewed whose request does not say so.
    pub renewal_days: RenewalDays,
    /// How long one issuance or renewal may take at the CA.
    pub cert_timeout: Duration,
    /// Where account files of the older layout lie, to be imported.
    pub rootpath_account: Option<PathBuf>,
    /// Where certificate files of the older layout lie.
    pub rootpath_certificate: Option<PathBuf>,
    /// Plugins, in the order of the file; their names are unique.
    pub plugins: Vec<Plugin>,
    /// Retries of requests to CAs.
    pub http_client_retry: Retry,
    /// HTTP statuses (400–599) that are retried besides 429 and the 5xx ones.
    pub http_client_retry_status_codes: Vec<u16>,
    /// Whether requests to CAs and their answers are logged, redacted.
    pub http_client_debug: bool,
    /// How often a certificate may be requested; `None` when switched off.
    pub rate_limit: Option<RateLimit>,
    /// Calls of all plugins that run at the same time.
    pub plugin_max_concurrency: Option<u32>,
}

/// How often and how patiently a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Repetitions after the first attempt.
    pub max: u32,
    /// First wait.
    pub wait_min: Duration,
    /// Longest wait; at least `wait_min`.
    pub wait_max: Duration,
}

/// At most so many requests for one certificate of one owner in a fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Length of the window, above zero.
    pub window: Duration,
    /// At least 1.
    pub max_requests: u32,
}

/// The digest of the API key. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyHash {
    /// SHA-256, what new installations use.
    Sha256([u8; 32]),
    /// SHA-1, as old installations of the Go server have it.
    Sha1([u8; 20]),
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Sha256(…)",
            Self::Sha1(_) => "Sha1(…)",
        })
    }
}

/// The Go server bounds an issuance by this, and its agents wait a little longer.
const CERT_TIMEOUT: Duration = Duration::from_secs(240);
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Digests of the empty key: a sample, or an accident, but never a secret.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const EMPTY_SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

pub(super) fn read(root: &Section<'_>, notes: &Notes) -> Common {
    let empty = super::tree::Node { value: Value::Null, line: 0 };
    let section = root.child("common").unwrap_or_else(|| Section::new("common", &empty, notes));
    section.only(KEYS, &[("issuer.<name>", super::issuer::KEYS)]);
    Common {
        api_key_hash: read_api_key_hash(&section),
        renewal_days: section.parsed("cert_days_renewal").unwrap_or_default(),
        cert_timeout: section.seconds("cert_timeout", DAY_SECONDS).unwrap_or(CERT_TIMEOUT),
        rootpath_account: section.optional_text("rootpath_account").map(PathBuf::from),
        rootpath_certificate: section.optional_text("rootpath_certificate").map(PathBuf::from),
        plugins: plugin::read_all(&section, notes),
        http_client_retry: read_retry(&section, "http_client_retry", 5),
        http_client_retry_status_codes: read_status_codes(&section, notes),
        http_client_debug: section.flag("http_client_debug").unwrap_or(false),
        rate_limit: read_rate_limit(&section),
        plugin_max_concurrency: section.count("plugin_max_concurrency", "a number of calls", 2..=1_024),
    }
}

/// The keys `<prefix>_max`, `<prefix>_wait_min` and `<prefix>_wait_max`; 0 stands for the default.
pub(super) fn read_retry(section: &Section<'_>, prefix: &str, default_max: u32) -> Retry {
    let [max_key, min_key, longest_key] = ["max", "wait_min", "wait_max"].map(|part| format!("{prefix}_{part}"));
    let max = section.count(&max_key, "a number of retries", 0..=100).filter(|max| *max > 0);
    let wait_min = section.seconds(&min_key, 3_600).unwrap_or(Duration::from_secs(1));
    let wait_max = section.seconds(&longest_key, 3_600);
    let longest = wait_max.unwrap_or(Duration::from_secs(10));
    if longest < wait_min {
        let (longest, min) = (longest.as_secs(), wait_min.as_secs());
        section.mistake(
            if wait_max.is_some() { &longest_key } else { &min_key },
            format!(
                "the longest wait ({longest} s) must not be below the first one ({min} s): \
             raise `{longest_key}` or lower `{min_key}`"
            ),
        );
    }
    Retry { max: max.unwrap_or(default_max), wait_min, wait_max: longest }
}

fn read_api_key_hash(section: &Section<'_>) -> Option<ApiKeyHash> {
    const KEY: &str = "api_key_hash";
    let text = section.optional_text(KEY).unwrap_or_default().to_ascii_lowercase();
    let mut sha256 = [0; 32];
    let mut sha1 = [0; 20];
    match text.as_str() {
        "" => {
            section.warning(KEY, "not set: every request to manage tokens is answered 401");
            None
        }
        EMPTY_SHA256 | EMPTY_SHA1 => {
            let message =
                "is the digest of an empty key and is ignored: every request to manage tokens is answered 401";
            section.warning(KEY, message);
            None
        }
        hash if hex::decode_to_slice(hash, &mut sha256).is_ok() => Some(ApiKeyHash::Sha256(sha256)),
        hash if hex::decode_to_slice(hash, &mut sha1).is_ok() => {
            section.warning(KEY, "is a SHA-1 digest: still accepted, make a new key with SHA-256");
            Some(ApiKeyHash::Sha1(sha1))
        }
        other => {
            // The value is not shown: a frequent mistake is to write the key itself.
            let message = format!("expected a SHA-256 digest of 64 hex digits, got {} characters", other.len());
            section.mistake(KEY, message);
            None
        }
    }
}

fn read_status_codes(section: &Section<'_>, notes: &Notes) -> Vec<u16> {
    let mut codes = Vec::new();
    for (path, node) in section.list("http_client_retry_status_code") {
        match &node.value {
            Value::Integer { value, .. } if (400..=599).contains(value) => {
                let code = u16::try_from(*value).expect("the range was checked");
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
            _ => {
                let found = node.describe(super::tree::Show::Value);
                notes.mistake(path, node.line, format!("expected an HTTP status from 400 to 599, got {found}"));
            }
        }
    }
    codes
}

fn read_rate_limit(section: &Section<'_>) -> Option<RateLimit> {
    let enabled = section.flag("rate_limit_enabled").unwrap_or(false);
    let window = section.parsed::<GoDuration>("rate_limit_window").map(|window| window.0);
    if window.is_some_and(|window| window.is_zero()) {
        section.mistake("rate_limit_window", "must be longer than 0");
    }
    let max_requests = section.count("rate_limit_max_requests", "a number of requests", 0..=1_000_000).unwrap_or(1);
    enabled
        .then(|| RateLimit { window: window.unwrap_or(Duration::from_secs(3_600)), max_requests: max_requests.max(1) })
}
