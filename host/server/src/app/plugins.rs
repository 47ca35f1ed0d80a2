//! Loads the bundled plugins and those of the config, each with its own environment, grants and limits.
//!
//! A plugin that cannot be loaded does not keep the server from starting: requests that name it learn why.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acme_manager_plugin_runtime::{
    CallReport, Description, Engine, EngineSettings, Grants, HostGrant, Limits, Observer, Origin, Plugin, PluginDigest,
    PluginSettings, read_component,
};
use anyhow::Context;
use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::certificates::chain;
use crate::challenges::providers::{ProviderEntry, UsableProvider};
use crate::config::{self, Config, Environment, PluginSource};
use crate::names::ProviderName;
use crate::telemetry::Metrics;

/// The components that are part of this binary: name, bytes, digest.
#[expect(unreachable_pub, reason = "the build script writes it for any place")]
mod bundled {
    include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
}

/// A plugin as the operator sees it: for the list.
pub struct Loaded {
    /// The name under which requests refer to it.
    pub name: ProviderName,
    /// `bundled` or the path.
    pub origin: String,
    /// The plugin, or why there is none.
    pub plugin: Result<Plugin, String>,
    /// Calls a second, if limited.
    calls_per_second: Option<NonZeroU32>,
}

/// The engine that all plugins of this process share.
///
/// # Errors
/// When wasmtime cannot be set up on this machine.
pub fn engine(config: &Config) -> anyhow::Result<Engine> {
    Engine::new(EngineSettings { compile_cache: cache_folder(config), ..EngineSettings::default() })
        .context("cannot start the plugin engine")
}

/// Loads everything for the solver.
///
/// # Errors
/// When the engine cannot be started; a plugin that cannot be loaded is an entry that says so.
pub(super) async fn load(
    config: &Config,
    environment: &Environment,
    allow_unverified: bool,
    metrics: &Metrics,
) -> anyhow::Result<BTreeMap<ProviderName, ProviderEntry>> {
    let engine = engine(config)?;
    let mut entries = BTreeMap::new();
    for loaded in load_all(&engine, config, environment, allow_unverified, Some(metrics)).await {
        let entry = match loaded.plugin {
            Ok(plugin) => {
                tracing::info!(plugin = %loaded.name, origin = loaded.origin, digest = %plugin.digest(), "plugin loaded");
                let description = Arc::new(plugin.description().clone());
                let calls_per_second = loaded.calls_per_second;
                ProviderEntry::Usable(UsableProvider { provider: Arc::new(plugin), description, calls_per_second })
            }
            Err(reason) => {
                tracing::error!(plugin = %loaded.name, origin = loaded.origin, reason, "the plugin cannot be used");
                ProviderEntry::Unusable { reason }
            }
        };
        entries.insert(loaded.name, entry);
    }
    Ok(entries)
}

/// Loads all bundled and configured plugins side by side, in the order of their names.
pub async fn load_all(
    engine: &Engine,
    config: &Config,
    environment: &Environment,
    allow_unverified: bool,
    metrics: Option<&Metrics>,
) -> Vec<Loaded> {
    let observer = metrics.map(observer);
    let entries: BTreeMap<&str, &config::Plugin> =
        config.common.plugins.iter().map(|plugin| (plugin.name.as_str(), plugin)).collect();
    let of_binary = bundled::BUNDLED.iter().map(|(name, bytes, digest)| {
        // An entry with a path replaces the bundled plugin of that name.
        let entry = entries.get(name).copied();
        let replaced = entry.is_some_and(|entry| entry.source != PluginSource::Bundled);
        let digest = PluginDigest::from(*digest);
        let observer = observer.clone();
        async move {
            if replaced {
                return None;
            }
            let origin = Origin::Bundled { bytes, digest };
            let plugin = bundled_plugin(engine, name, origin, entry, environment, observer).await;
            Some(Loaded {
                name: name.parse().expect("bundled plugins have valid names"),
                origin: "bundled".to_owned(),
                plugin,
                calls_per_second: entry.and_then(rate),
            })
        }
    });
    let of_config = config.common.plugins.iter().filter(|entry| !is_bundled(entry)).map(|entry| {
        let observer = observer.clone();
        async move {
            Loaded {
                name: entry.name.clone(),
                origin: path(entry).map_or_else(|| "bundled".to_owned(), |path| path.display().to_string()),
                plugin: foreign_plugin(engine, entry, allow_unverified, observer).await,
                calls_per_second: rate(entry),
            }
        }
    });
    let (bundled, foreign) = tokio::join!(join_all(of_binary), join_all(of_config));
    let mut all: Vec<Loaded> = bundled.into_iter().flatten().chain(foreign).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// A bundled plugin gets what its description names and nothing else of the environment.
async fn bundled_plugin(
    engine: &Engine,
    name: &str,
    origin: Origin,
    entry: Option<&config::Plugin>,
    environment: &Environment,
    observer: Option<Observer>,
) -> Result<Plugin, String> {
    let bare = engine.load(PluginSettings::new(name, origin.clone())).await.map_err(|e| chain(&e))?;
    let description = bare.description().clone();
    let mut settings = PluginSettings::new(name, origin);
    settings.environment = declared_environment(&description, environment)?;
    if let Some(entry) = entry {
        settings.environment.extend(entry.env.clone());
        settings.limits = limits(entry);
    }
    settings.grants = grants(&description.hosts, entry)?;
    settings.grants.hosts.extend(endpoints(&description, &settings.environment)?);
    settings.observer = observer;
    bare.equip(settings).await.map_err(|e| chain(&e))
}

/// A foreign plugin gets exactly what its entry says.
async fn foreign_plugin(
    engine: &Engine,
    entry: &config::Plugin,
    allow_unverified: bool,
    observer: Option<Observer>,
) -> Result<Plugin, String> {
    let origin = match &entry.source {
        PluginSource::Bundled => {
            let names: Vec<&str> = bundled::BUNDLED.iter().map(|(name, _, _)| *name).collect();
            return Err(format!(
                "it has no `path`, and no bundled plugin has that name (bundled: {})",
                names.join(", ")
            ));
        }
        PluginSource::Broken { problem, .. } => return Err(problem.clone()),
        PluginSource::File { path, checksum } => {
            Origin::File { path: path.clone(), checksum: PluginDigest::from(checksum.0) }
        }
        PluginSource::Unverified { path } if allow_unverified => {
            let file = path.clone();
            let read = tokio::task::spawn_blocking(move || read_component(&file).map(|bytes| PluginDigest::of(&bytes)));
            let read = read.await.map_err(|_| format!("{} cannot be read: the server is ending", path.display()))?;
            let checksum = read.map_err(|e| chain(&e))?;
            tracing::warn!(plugin = %entry.name, path = %path.display(), %checksum, "loading a plugin without a checksum");
            Origin::File { path: path.clone(), checksum }
        }
        PluginSource::Unverified { path } => {
            return Err(format!(
                "it has no `checksum`: add the output of `acme-manager-server plugin checksum {}`",
                path.display()
            ));
        }
    };
    let mut settings = PluginSettings::new(entry.name.as_str(), origin);
    settings.environment.clone_from(&entry.env);
    settings.limits = limits(entry);
    settings.grants = grants(&[], Some(entry))?;
    settings.observer = observer;
    engine.load(settings).await.map_err(|e| chain(&e))
}

/// The values of the declared keys, taken from the first name that is set.
fn declared_environment(
    description: &Description,
    environment: &Environment,
) -> Result<BTreeMap<String, SecretString>, String> {
    let mut values = BTreeMap::new();
    for key in &description.environment {
        for name in std::iter::once(&key.name).chain(&key.aliases) {
            if let Some(value) = environment.resolve(name).map_err(|problem| problem.to_string())? {
                values.insert(key.name.clone(), value.clone());
                break;
            }
        }
    }
    Ok(values)
}

fn grants(declared: &[String], entry: Option<&config::Plugin>) -> Result<Grants, String> {
    let mut grants = Grants::default();
    let allowed = entry.map(|entry| entry.allowed_hosts.as_slice()).unwrap_or_default();
    for host in declared.iter().chain(allowed) {
        grants.hosts.push(host.parse::<HostGrant>().map_err(|e| format!("allowed_hosts: {e}"))?);
    }
    grants.cidrs = entry.map(|entry| entry.allowed_cidrs.clone()).unwrap_or_default();
    Ok(grants)
}

/// Setting an endpoint key is granting that origin.
fn endpoints(description: &Description, values: &BTreeMap<String, SecretString>) -> Result<Vec<HostGrant>, String> {
    let mut grants = Vec::new();
    for key in description.environment.iter().filter(|key| key.endpoint) {
        let Some(value) = values.get(&key.name) else { continue };
        let wrong = || format!("{} is not an address of the form https://host[:port][/path]", key.name);
        let url = Url::parse(value.expose_secret()).map_err(|_| wrong())?;
        grants.push(HostGrant::origin(&url).ok_or_else(wrong)?);
    }
    Ok(grants)
}

fn limits(entry: &config::Plugin) -> Limits {
    let mut limits = Limits::default();
    limits.timeout = entry.timeout;
    limits.memory_bytes = usize::try_from(entry.memory_mb).unwrap_or(usize::MAX).saturating_mul(1 << 20);
    limits.fuel = entry.fuel.unwrap_or(limits.fuel);
    if let Some(calls) = entry.max_concurrency {
        limits.max_concurrency = usize::try_from(calls).unwrap_or(usize::MAX);
    }
    limits
}

fn rate(entry: &config::Plugin) -> Option<NonZeroU32> {
    entry.dns_rate_limit.and_then(NonZeroU32::new)
}

fn is_bundled(entry: &config::Plugin) -> bool {
    entry.source == PluginSource::Bundled && bundled::BUNDLED.iter().any(|(name, _, _)| *name == entry.name.as_str())
}

fn path(entry: &config::Plugin) -> Option<&Path> {
    match &entry.source {
        PluginSource::Bundled => None,
        PluginSource::File { path, .. } | PluginSource::Unverified { path } | PluginSource::Broken { path, .. } => {
            Some(path)
        }
    }
}

fn observer(metrics: &Metrics) -> Observer {
    let metrics = metrics.clone();
    Arc::new(move |report: &CallReport| {
        let (operation, outcome) = (report.function.as_str(), report.outcome.as_str());
        metrics.plugin(&report.plugin, operation, outcome, report.wall.as_secs_f64());
    })
}

/// Compiled plugins are kept beside the data, so that the next start need not compile them. Without a data folder
/// there is no cache: a shared temporary folder would let others plant code.
fn cache_folder(config: &Config) -> Option<PathBuf> {
    let data = match &config.storage {
        config::Storage::Embedded(embedded) => embedded.path.parent().map(Path::to_owned),
        config::Storage::Vault(_) => {
            config.common.rootpath_certificate.as_ref().and_then(|path| path.parent()).map(Path::to_owned)
        }
    }?;
    let data = if data.as_os_str().is_empty() { PathBuf::from(".") } else { data };
    Some(std::path::absolute(data).ok()?.join("plugin-cache"))
}
