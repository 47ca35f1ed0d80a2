//! The bundled plugins and those of the config, each with its own environment, grants and limits.
//!
//! A plugin that cannot be loaded does not keep the server from starting: requests that name it learn why.

mod artifact;
mod foreign;
mod load;
mod recorder;
mod set;
pub(super) mod signature;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acme_manager_plugin_runtime::{
    CallReport, Engine, EngineSettings, Hook, Loaded, Observer, Origin, Plugin, PluginDigest,
};
use anyhow::Context;
use futures::future::join_all;

use crate::challenges::providers::UsableProvider;
use crate::config::{self, Config, DefaultChallenge, Environment, PluginKind, PluginSource};
use crate::hooks::UsableHook;
use crate::names::ProviderName;
use crate::telemetry::Metrics;
use crate::telemetry::plugins::{PluginCall, PluginCosts, PluginMetrics};
use bundled::BUNDLED;
use load::Kind;
pub use set::PluginSet;

/// A component that is part of this binary.
struct Bundled {
    name: &'static str,
    is_hook: bool,
    bytes: &'static [u8],
    digest: [u8; 32],
}

/// All of them.
#[expect(unreachable_pub, reason = "the build script writes it for any place")]
mod bundled {
    include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
}

/// What all plugins of this process share.
#[derive(Clone)]
pub struct Loader {
    engine: Engine,
    /// Where components from registries are kept.
    downloads: Option<PathBuf>,
    observer: Option<Observer>,
    metrics: Option<PluginMetrics>,
    allow_unverified: bool,
}

/// Everything that one plugin is made from. Nothing is read before [`Plan::load`].
#[derive(Clone)]
pub struct Plan {
    /// The name under which requests refer to it.
    pub name: ProviderName,
    /// What it is for.
    pub kind: PluginKind,
    component: Component,
    entry: Option<config::Plugin>,
    environment: Arc<Environment>,
}

#[derive(Clone, Copy)]
enum Component {
    Bundled { bytes: &'static [u8], digest: PluginDigest },
    OfEntry,
}

/// Names by which configs of the existing system call bundled plugins, and what they are called now.
const FORMER_NAMES: &[(&str, &str)] = &[("rfc2136", "dnsupdate")];

/// A plugin that can be called.
pub enum LoadedPlugin {
    /// A DNS provider.
    Provider(Plugin),
    /// An issuance hook.
    Hook(Hook),
}

impl LoadedPlugin {
    /// Its own version.
    #[must_use]
    pub fn version(&self) -> &str {
        match self {
            Self::Provider(plugin) => &plugin.description().version,
            Self::Hook(hook) => &hook.description().version,
        }
    }

    /// The digest of the component.
    #[must_use]
    pub fn digest(&self) -> PluginDigest {
        match self {
            Self::Provider(plugin) => plugin.digest(),
            Self::Hook(hook) => hook.digest(),
        }
    }
}

impl Loader {
    /// A loader whose plugins report their calls to `metrics`.
    ///
    /// # Errors
    /// When wasmtime cannot be set up on this machine.
    pub fn new(config: &Config, allow_unverified: bool, metrics: Option<&Metrics>) -> anyhow::Result<Self> {
        let mut settings =
            EngineSettings { compile_cache: beside_data(config, "plugin-cache"), ..EngineSettings::default() };
        settings.max_instances = config.common.plugin_max_concurrency.unwrap_or(settings.max_instances);
        let engine = Engine::new(settings).context("cannot start the plugin engine")?;
        let downloads = beside_data(config, "plugin-downloads");
        let observer = metrics.map(observer);
        let metrics = metrics.map(|metrics| metrics.plugins().clone());
        Ok(Self { engine, downloads, observer, metrics, allow_unverified })
    }
}

impl Plan {
    /// All bundled and configured plugins, in the order of their names. An entry with a path replaces the bundled
    /// plugin of that name. A bundled hook is there only if the config has an entry for it.
    #[must_use]
    pub fn all(config: &Config, environment: &Arc<Environment>) -> Vec<Self> {
        let plan = |name: ProviderName, kind, component, entry: Option<&config::Plugin>| Self {
            name,
            kind,
            component,
            entry: entry.cloned(),
            environment: environment.clone(),
        };
        let mut plans = BTreeMap::new();
        for Bundled { name, is_hook, bytes, digest } in BUNDLED {
            let name: ProviderName = name.parse().expect("bundled plugins have valid names");
            let component = Component::Bundled { bytes, digest: PluginDigest::from(*digest) };
            let kind = if *is_hook { PluginKind::IssuanceHook } else { PluginKind::DnsProvider };
            plans.insert(name.clone(), plan(name, kind, component, None));
        }
        for (old, name) in FORMER_NAMES {
            let (old, name): (ProviderName, ProviderName) =
                (old.parse().expect("a valid name"), name.parse().expect("a valid name"));
            if let Some(found) = plans.get(&name).cloned() {
                plans.insert(old.clone(), Self { name: old, ..found });
            }
        }
        for entry in &config.common.plugins {
            let bundled = plans.get(&entry.name).map(|plan| (plan.kind, plan.component));
            let (own_kind, component) = match (&entry.source, bundled) {
                (PluginSource::Bundled, Some((kind, component))) => (Some(kind), component),
                _ => (None, Component::OfEntry),
            };
            let kind = entry.kind.or(own_kind).unwrap_or(PluginKind::DnsProvider);
            plans.insert(entry.name.clone(), plan(entry.name.clone(), kind, component, Some(entry)));
        }
        plans.retain(|_, plan| plan.is_configured() || plan.kind == PluginKind::DnsProvider);
        plans.into_values().collect()
    }

    /// Where the component comes from, for people: `bundled` or a path.
    #[must_use]
    pub fn origin(&self) -> String {
        match self.entry.as_ref().map(|entry| &entry.source) {
            None | Some(PluginSource::Bundled) => "bundled".to_owned(),
            Some(PluginSource::Registry { artifact, .. }) => artifact.to_string(),
            Some(
                PluginSource::File { path, .. } | PluginSource::Unverified { path } | PluginSource::Broken { path, .. },
            ) => path.display().to_string(),
        }
    }

    /// Whether the config speaks of it.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.entry.is_some()
    }

    /// Reads, checks, compiles and introduces the plugin.
    ///
    /// # Errors
    /// Why it cannot be used, in words for the operator.
    pub async fn load(&self, loader: &Loader) -> Result<LoadedPlugin, String> {
        match self.kind {
            PluginKind::DnsProvider => self.load_as(loader).await.map(LoadedPlugin::Provider),
            PluginKind::IssuanceHook => self.load_as(loader).await.map(LoadedPlugin::Hook),
        }
    }

    async fn load_as<D: Kind>(&self, loader: &Loader) -> Result<Loaded<D>, String> {
        let observer = loader.observer.clone();
        match (self.component, &self.entry) {
            (Component::Bundled { bytes, digest }, entry) => {
                let origin = Origin::Bundled { bytes, digest };
                let (name, environment) = (self.name.as_str(), &self.environment);
                load::bundled(&loader.engine, name, origin, entry.as_ref(), environment, observer).await
            }
            (Component::OfEntry, Some(entry)) => load::foreign(loader, entry, observer).await,
            (Component::OfEntry, None) => unreachable!("only an entry names a component that is not bundled"),
        }
    }

    /// Loads it for the solver and says so in the log.
    async fn load_provider(&self, loader: &Loader) -> Result<UsableProvider, String> {
        let plugin: Plugin = self.report(loader, self.load_as(loader).await)?;
        let calls_per_second = self.entry.as_ref().and_then(|entry| entry.dns_rate_limit);
        let calls_per_second = calls_per_second.and_then(std::num::NonZeroU32::new);
        Ok(UsableProvider::from_plugin(plugin, calls_per_second, self.account()))
    }

    /// The present name of a bundled plugin that goes by a former one: there is one account behind both.
    fn account(&self) -> Option<ProviderName> {
        let is_bundled = matches!(self.component, Component::Bundled { .. });
        let former = FORMER_NAMES.iter().find(|(old, _)| is_bundled && *old == self.name.as_str());
        former.and_then(|(_, name)| name.parse().ok())
    }

    /// Loads it as a hook and says so in the log.
    async fn load_hook(&self, loader: &Loader) -> Result<UsableHook, String> {
        self.report(loader, self.load_as(loader).await).map(UsableHook::from_plugin)
    }

    fn report<D: Kind>(&self, loader: &Loader, loaded: Result<Loaded<D>, String>) -> Result<Loaded<D>, String> {
        let (name, origin) = (self.name.as_str(), self.origin());
        match &loaded {
            Ok(plugin) => {
                tracing::info!(plugin = name, origin, digest = %plugin.digest(), "plugin loaded");
                if let Some(metrics) = &loader.metrics {
                    metrics.loaded(name, plugin.description().about().version, &plugin.digest().to_string());
                }
            }
            Err(reason) => tracing::error!(plugin = name, origin, reason, "the plugin cannot be used"),
        }
        loaded
    }
}

/// Names in the config that lead to no plugin. The server runs all the same: only requests that need them fail.
#[must_use]
pub fn doubts(config: &Config) -> Vec<String> {
    let former = FORMER_NAMES.iter().map(|(old, _)| *old);
    let bundled: Vec<&str> = BUNDLED.iter().map(|plugin| plugin.name).chain(former).collect();
    let configured = |name: &str| config.common.plugins.iter().any(|entry| entry.name.as_str() == name);
    let mut doubts = Vec::new();
    for entry in &config.common.plugins {
        let name = entry.name.as_str();
        if entry.source == PluginSource::Bundled && !bundled.contains(&name) {
            doubts.push(format!("common.plugins ({name}): {}", load::no_such_bundled_plugin()));
        }
    }
    for (issuer, settings) in &config.issuers {
        if let Some(DefaultChallenge::Dns(name)) = &settings.challenge
            && !bundled.contains(&name.as_str())
            && !configured(name.as_str())
        {
            doubts.push(format!(
                "issuer.{issuer}.dns_challenge: there is no plugin {name}; bundled are {}, others stand in common.plugins",
                bundled.join(", ")
            ));
        }
    }
    doubts
}

/// Files of plugins that are not what the config says. Reads all of them.
#[must_use]
pub fn wrong_files(config: &Config) -> Vec<String> {
    let wrong = |entry: &config::Plugin| {
        let PluginSource::File { .. } = &entry.source else { return None };
        match foreign::read(entry, false) {
            // A missing file is among the config's own warnings.
            Err(foreign::Refusal::Missing(_)) | Ok(_) => None,
            Err(problem) => Some(format!("common.plugins ({}): {problem}", entry.name)),
        }
    };
    config.common.plugins.iter().filter_map(wrong).collect()
}

/// Loads all plugins side by side: for lists.
pub async fn load_all(loader: &Loader, plans: Vec<Plan>) -> Vec<(Plan, Result<LoadedPlugin, String>)> {
    join_all(plans.into_iter().map(|plan| async move {
        let plugin = plan.load(loader).await;
        (plan, plugin)
    }))
    .await
}

fn observer(metrics: &Metrics) -> Observer {
    let metrics = metrics.plugins().clone();
    Arc::new(move |report: &CallReport| {
        metrics.called(&PluginCall {
            plugin: &report.plugin,
            operation: report.function.as_str(),
            outcome: report.outcome.as_str(),
            error: report.error,
            seconds: report.wall.as_secs_f64(),
            costs: PluginCosts {
                fuel: report.fuel,
                peak_memory_bytes: report.peak_memory_bytes as u64,
                host_calls: report.host_calls.into(),
                requests: report.requests.into(),
                sent_bytes: report.sent_bytes,
                received_bytes: report.received_bytes,
                denials: report.denials.into(),
                dropped_log_lines: report.dropped_log_lines,
            },
            is_suspended: report.is_suspended,
        });
    })
}

/// Compiled and downloaded plugins are kept beside the data, so that the next start need not do it again. Without a
/// data folder they are not kept: a shared temporary folder would let others plant code.
fn beside_data(config: &Config, folder: &str) -> Option<PathBuf> {
    let data = match &config.storage {
        config::Storage::Embedded(embedded) => embedded.path.parent().map(Path::to_owned),
        config::Storage::Vault(_) => {
            config.common.rootpath_certificate.as_ref().and_then(|path| path.parent()).map(Path::to_owned)
        }
    }?;
    let data = if data.as_os_str().is_empty() { PathBuf::from(".") } else { data };
    Some(std::path::absolute(data).ok()?.join(folder))
}

#[cfg(test)]
mod tests;
