//! What the server says of its plugins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One plugin: an entry of `GET /api/v1/plugins`. Fields that are not known before the plugin is loaded are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PluginStatus {
    /// The name that requests use.
    #[schema(example = "cloudflare")]
    pub name: String,
    /// What it is for.
    pub kind: PluginKind,
    /// `bundled`, or the path in the config.
    #[schema(example = "bundled")]
    pub origin: String,
    /// Whether it can be used.
    pub state: PluginState,
    /// Why not, when it is `suspended` or `unusable`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why the settings that the config has now are not in force: they could not be loaded, and the plugin runs with those
    /// before. Left out when it runs with those of the config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_update: Option<String>,
    /// What a DNS provider's own check of its environment and credentials said when it was loaded: `ok`, or the error. Left
    /// out as long as nothing is known, and for plugins that the config does not speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ok")]
    pub check: Option<String>,
    /// The plugin's own version.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "1.0.0")]
    pub version: String,
    /// SHA-256 of the component, hexadecimal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Size of the component in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The limits of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<PluginLimits>,
    /// Calls that broke since the last one that gave an answer.
    pub breakages_in_a_row: u32,
    /// For how many seconds no call goes through, when it is `suspended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_seconds: Option<u64>,
    /// What was called since the server started, and what that cost, by the contract's function.
    pub operations: BTreeMap<String, PluginCalls>,
}

/// What a plugin is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// It places TXT values at a DNS vendor.
    #[default]
    DnsProvider,
    /// It is asked before every order.
    IssuanceHook,
}

/// Whether a plugin can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// Nobody needed it so far; it is loaded when somebody does.
    #[default]
    Unloaded,
    /// It is loaded.
    Usable,
    /// Its last calls broke; for a while none is made.
    Suspended,
    /// It cannot be loaded.
    Unusable,
}

/// The limits of one call of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PluginLimits {
    /// Seconds from the request to the answer (`timeout`).
    pub timeout_seconds: f64,
    /// Linear memory in MiB (`memory_mb`).
    pub memory_mb: u64,
    /// Instructions, roughly (`fuel`).
    pub fuel: u64,
    /// Calls at the same time (`max_concurrency`).
    pub max_concurrency: u64,
}

/// What the calls of one function of a plugin came to since the server started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PluginCalls {
    /// Finished calls.
    pub calls: u64,
    /// Those that ended with an error, by its class.
    pub errors: BTreeMap<String, u64>,
    /// Seconds of all calls together.
    pub seconds: f64,
    /// Fuel of all calls together.
    pub fuel: u64,
    /// The most linear memory that one call held, in bytes.
    pub peak_memory_bytes: u64,
    /// Calls of the contract's own functions (`log`, `remaining`, `take`), HTTP requests and DNS messages.
    pub host_calls: u64,
    /// HTTP requests and DNS messages, sent or refused.
    pub requests: u64,
    /// Bytes of HTTP requests and DNS messages.
    pub sent_bytes: u64,
    /// Bytes of the answers.
    pub received_bytes: u64,
    /// Requests and addresses that were refused because they are not granted.
    pub denials: u64,
    /// Log lines beyond the limit.
    pub dropped_log_lines: u64,
}
