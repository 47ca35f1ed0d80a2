//! The bundled plugins and those of the config, each with its own environment, grants and limits.
//!
//! A plugin that cannot be loaded does not keep the server from starting: requests that name it learn why.

mod artifact;
mod background;
mod doubts;
mod foreign;
mod load;
mod recorder;
mod remarks;
mod set;
pub(super) mod signature;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acme_manager_plugin_runtime::{
    CallReport, Engine, EngineError, EngineSettings, EnvironmentKey, Hook, Loaded, Observer, Origin, Plugin,
    PluginDigest,
};
use anyhow::Context;
use futures::future::join_all;

use crate::certificates::chain;
use crate::challenges::providers::UsableProvider;
use crate::config::{self, Config, Environment, PluginKind, PluginSource, Role};
use crate::hooks::UsableHook;
use crate::names::ProviderName;
use crate::telemetry::Metrics;
use crate::telemetry::plugins::{Check, PluginCall, PluginCosts, PluginMetrics};
use background::Background;
use bundled::BUNDLED;
pub use doubts::{doubts, wrong_files};
use load::Kind;
use remarks::Remarks;
pub use set::{PluginSet, Sections, Settled, sections};

/// A component that is part of this binary.
struct Bundled {
    name: &'static str,
    is_hook: bool,
    /// With zlib.
    packed: &'static [u8],
    /// Of the unpacked component.
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
    /// What it is taken for.
    pub role: Role,
    component: Component,
    entry: Option<config::Plugin>,
    environment: Arc<Environment>,
}

#[derive(Clone, Copy)]
enum Component {
    Bundled { packed: &'static [u8], digest: PluginDigest },
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
    /// A folder for compiled plugins that cannot be used costs time at each start, but does not keep the server from it.
    ///
    /// # Errors
    /// When wasmtime cannot be set up on this machine.
    pub fn new(config: &Config, allow_unverified: bool, metrics: Option<&Metrics>) -> anyhow::Result<Self> {
        let mut settings =
            EngineSettings { compile_cache: beside_data(config, "plugin-cache"), ..EngineSettings::default() };
        settings.max_instances = config.common.plugin_max_concurrency.unwrap_or(settings.max_instances);
        let engine = match Engine::new(settings.clone()) {
            Err(error @ EngineError::Cache { .. }) => {
                let error = chain(&error);
                tracing::error!(error, "compiled plugins are not kept: each start compiles them anew");
                Engine::new(EngineSettings { compile_cache: None, ..settings })
            }
            other => other,
        };
        let engine = engine.context("cannot start the plugin engine")?;
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
        let plan = |name: ProviderName, role, component, entry: Option<&config::Plugin>| Self {
            name,
            role,
            component,
            entry: entry.cloned(),
            environment: environment.clone(),
        };
        let mut plans = BTreeMap::new();
        for Bundled { name, is_hook, packed, digest } in BUNDLED {
            let name: ProviderName = name.parse().expect("bundled plugins have valid names");
            let component = Component::Bundled { packed, digest: PluginDigest::from(*digest) };
            let kind = if *is_hook { PluginKind::IssuanceHook } else { PluginKind::DnsProvider };
            plans.insert(name.clone(), plan(name, Role::Known(kind), component, None));
        }
        for (old, name) in FORMER_NAMES {
            let (old, name): (ProviderName, ProviderName) =
                (old.parse().expect("a valid name"), name.parse().expect("a valid name"));
            if let Some(found) = plans.get(&name).cloned() {
                plans.insert(old.clone(), Self { name: old, ..found });
            }
        }
        for entry in &config.common.plugins {
            let bundled = plans.get(&entry.name).map(|plan| (plan.role.kind(), plan.component));
            let (role, component) = match (&entry.source, bundled) {
                (PluginSource::Bundled, Some((kind, component))) => (role_of_bundled(entry, kind), component),
                (PluginSource::Bundled, None) => (config.role_of_nothing(entry), Component::OfEntry),
                _ => (config.role(entry), Component::OfEntry),
            };
            plans.insert(entry.name.clone(), plan(entry.name.clone(), role, component, Some(entry)));
        }
        plans.retain(|_, plan| plan.is_configured() || plan.role.kind() == PluginKind::DnsProvider);
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
        match self.role.kind() {
            PluginKind::DnsProvider => self.load_as(loader).await.map(LoadedPlugin::Provider),
            PluginKind::IssuanceHook => self.load_as(loader).await.map(LoadedPlugin::Hook),
        }
    }

    async fn load_as<D: Kind>(&self, loader: &Loader) -> Result<Loaded<D>, String> {
        if let Some(obstacle) = self.role.obstacle() {
            return Err(obstacle.to_owned());
        }
        let observer = loader.observer.clone();
        match (self.component, &self.entry) {
            (Component::Bundled { packed, digest }, entry) => {
                let origin = Origin::Bundled { packed, digest };
                let (name, environment) = (self.name.as_str(), &self.environment);
                load::bundled(&loader.engine, name, origin, entry.as_ref(), environment, observer).await
            }
            (Component::OfEntry, Some(entry)) => load::foreign(loader, entry, observer).await,
            (Component::OfEntry, None) => unreachable!("only an entry names a component that is not bundled"),
        }
    }

    /// Loads it for the solver and says so in the log. If there is a place for that, it is asked in the background whether
    /// it can work: nobody waits for it, and no answer keeps it from being used.
    async fn load_provider(&self, loader: &Loader, checks: Option<&Background>) -> Result<UsableProvider, String> {
        let plugin: Plugin = self.report(loader, self.load_as(loader).await)?;
        if let (Some(checks), Some(metrics)) = (checks, &loader.metrics) {
            let news = metrics.news().begin_check(self.name.as_str());
            checks.spawn(check(plugin.clone(), self.name.clone(), news));
        }
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
                let about = plugin.description().about();
                if let Some(metrics) = &loader.metrics {
                    metrics.loaded(name, about.version, &plugin.digest().to_string());
                }
                self.remarks(about.environment).log(name);
            }
            Err(reason) => tracing::error!(plugin = name, origin, reason, "the plugin cannot be used"),
        }
        loaded
    }

    fn remarks(&self, described: &[EnvironmentKey]) -> Remarks {
        // Only a bundled plugin takes anything from the environment.
        let environment = matches!(self.component, Component::Bundled { .. }).then_some(&*self.environment);
        Remarks::new(described, self.entry.as_ref(), environment)
    }
}

/// What an entry without a file is taken for, given what the server has under its name.
fn role_of_bundled(entry: &config::Plugin, kind: PluginKind) -> Role {
    match (entry.kind, kind) {
        (Some(PluginKind::DnsProvider), PluginKind::IssuanceHook) => {
            Role::Contradicted(doubts::is_a_hook(entry.name.as_str()))
        }
        (stated, kind) => Role::Known(stated.unwrap_or(kind)),
    }
}

/// Asks a provider whether its environment is complete and its credentials work, and tells log and API.
async fn check(plugin: Plugin, name: ProviderName, news: Check) {
    match plugin.check().await {
        Ok(()) => news.end("ok".to_owned()),
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(plugin = %name, error, "the plugin's own check failed: orders that need it will probably fail");
            news.end(error);
        }
    }
}

/// Loads all plugins side by side: for lists. What there is to say of the environment of configured ones goes to standard
/// error.
pub async fn load_all(loader: &Loader, plans: Vec<Plan>) -> Vec<(Plan, Result<LoadedPlugin, String>)> {
    let all = join_all(plans.into_iter().map(|plan| async move {
        let plugin = plan.load(loader).await;
        (plan, plugin)
    }))
    .await;
    for (plan, plugin) in all.iter().filter(|(plan, _)| plan.is_configured()) {
        let described = match plugin {
            Ok(LoadedPlugin::Provider(plugin)) => &plugin.description().environment,
            Ok(LoadedPlugin::Hook(hook)) => &hook.description().environment,
            Err(_) => continue,
        };
        for warning in plan.remarks(described).warnings() {
            super::tell(&format!("warning: common.plugins ({}): {warning}\n", plan.name));
        }
    }
    all
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
