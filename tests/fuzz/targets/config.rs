//! The list of plugins in the config, and checksums: whatever the text is, it is read or refused, and what was read
//! holds what its types promise.
#![no_main]

use acme_manager_plugin_runtime::{HostGrant, PluginDigest};
use acme_manager_server::config::{Config, PluginSource};
use libfuzzer_sys::fuzz_target;

/// A config that lacks nothing but its plugins.
const SOUND: &str = include_str!("../sound.yml");

fuzz_target!(|text: &str| {
    digest(text.lines().next().unwrap_or_default());
    // References read files; which ones there are must not decide what the fuzzer finds.
    if text.contains("file:") {
        return;
    }
    read(text);
    let indented: String = text.lines().map(|line| format!("      {line}\n")).collect();
    read(&format!("{SOUND}  plugins:\n    -\n{indented}"));
});

fn digest(text: &str) {
    match text.parse::<PluginDigest>() {
        Ok(digest) => {
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert!(text.to_lowercase().contains(&digest.to_string()));
        }
        Err(error) => assert!(error.to_string().contains("SHA-256")),
    }
}

fn read(text: &str) {
    let loaded = match Config::parse(text) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for plugin in &loaded.config.common.plugins {
        assert!((1..=4096).contains(&plugin.memory_mb) && plugin.fuel != Some(0) && plugin.max_concurrency != Some(0));
        assert!(plugin.timeout.as_secs() <= 3600);
        match &plugin.source {
            PluginSource::File { path, checksum } => {
                assert!(path.is_absolute());
                assert_eq!(checksum.to_string().parse(), Ok(PluginDigest::from(checksum.0)));
            }
            PluginSource::Unverified { path } => assert!(path.is_absolute()),
            PluginSource::Bundled | PluginSource::Registry { .. } | PluginSource::Broken { .. } => {}
        }
        // What the config lets through, the runtime understands.
        for host in &plugin.allowed_hosts {
            let grant = host.parse::<HostGrant>();
            assert!(grant.is_ok(), "{host:?}: {grant:?}");
        }
        for key in plugin.env.keys() {
            assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !key.is_empty());
        }
        // Neither of these shows a value.
        let _ = format!("{plugin:?}");
    }
    for warning in &loaded.warnings {
        assert!(!warning.to_string().is_empty());
    }
}
