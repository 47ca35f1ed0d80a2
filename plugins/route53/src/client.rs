//! Amazon's SDK on this platform: its HTTP client, timers and executor.

use std::time::Duration;

use acme_manager_plugin::host;
use aws_credential_types::Credentials;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::config::timeout::TimeoutConfig;
use aws_sdk_route53::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_route53::{Client, Config};

#[cfg(not(target_family = "wasm"))]
use self::scripted as platform;
#[cfg(target_family = "wasm")]
use self::wasi as platform;

pub(crate) use platform::block_on;

/// Kept back from the call's time, so that an error of ours still reaches the host.
const MARGIN: Duration = Duration::from_millis(500);

/// Attempts within one call; the host tries the whole call again.
const MAX_ATTEMPTS: u32 = 3;

/// What the operator configured.
pub(crate) struct Settings {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) endpoint_url: Option<String>,
}

pub(crate) fn build(settings: Settings) -> Client {
    let credentials = Credentials::new(
        settings.access_key_id,
        settings.secret_access_key,
        settings.session_token,
        None,
        "environment",
    );
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(host::remaining().saturating_sub(MARGIN).max(MARGIN))
        .connect_timeout(Duration::from_secs(10))
        .build();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region))
        .credentials_provider(credentials)
        // An instance lives for one call.
        .identity_cache(IdentityCache::no_cache())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(timeouts)
        .http_client(platform::http_client())
        .sleep_impl(platform::sleep());
    config.set_endpoint_url(settings.endpoint_url);
    Client::from_conf(config.build())
}

#[cfg(target_family = "wasm")]
mod wasi;

#[cfg(not(target_family = "wasm"))]
mod scripted;
