//! From an entry of the config to a loaded plugin: its component, environment, grants and limits.

use std::collections::BTreeMap;

use acme_manager_plugin_runtime::{
    About, Description, DnsGrant, Engine, EnvironmentKey, Grants, Hook, HookDescription, HostGrant, Limits, LoadError,
    Loaded, Observer, Origin, Plugin, PluginSettings, Recorder,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{BUNDLED, Loader, artifact, foreign, recorder};
use crate::certificates::chain;
use crate::config::{self, Environment, PluginSource};

/// A world, as far as loading differs: its components are told apart by how they describe themselves.
pub(super) trait Kind: Sized {
    fn load(engine: &Engine, settings: PluginSettings) -> impl Future<Output = Result<Loaded<Self>, LoadError>> + Send;
    fn equip(
        bare: &Loaded<Self>,
        settings: PluginSettings,
    ) -> impl Future<Output = Result<Loaded<Self>, LoadError>> + Send;
    fn about(&self) -> About<'_>;
}

impl Kind for Description {
    async fn load(engine: &Engine, settings: PluginSettings) -> Result<Plugin, LoadError> {
        engine.load(settings).await
    }

    async fn equip(bare: &Plugin, settings: PluginSettings) -> Result<Plugin, LoadError> {
        bare.equip(settings).await
    }

    fn about(&self) -> About<'_> {
        // The inherent one.
        Self::about(self)
    }
}

impl Kind for HookDescription {
    async fn load(engine: &Engine, settings: PluginSettings) -> Result<Hook, LoadError> {
        engine.load_hook(settings).await
    }

    async fn equip(bare: &Hook, settings: PluginSettings) -> Result<Hook, LoadError> {
        bare.equip(settings).await
    }

    fn about(&self) -> About<'_> {
        // The inherent one.
        Self::about(self)
    }
}

/// A bundled plugin gets what its description names and nothing else of the environment.
pub(super) async fn bundled<D: Kind>(
    engine: &Engine,
    name: &str,
    origin: Origin,
    entry: Option<&config::Plugin>,
    environment: &Environment,
    observer: Option<Observer>,
) -> Result<Loaded<D>, String> {
    let bare = D::load(engine, PluginSettings::new(name, origin.clone())).await.map_err(|e| chain(&e))?;
    let about = bare.description().about();
    let mut settings = PluginSettings::new(name, origin);
    settings.environment = declared_environment(about.environment, environment)?;
    if let Some(entry) = entry {
        settings.environment.extend(entry.env.clone());
        settings.secrets.clone_from(&entry.env_from_files);
        settings.limits = limits(entry);
    }
    settings.grants = grants(about.hosts, entry)?;
    let (hosts, servers) = endpoints(about.environment, &settings.environment, bare.exchanges_dns())?;
    settings.grants.hosts.extend(hosts);
    settings.grants.dns_servers.extend(servers);
    settings.observer = observer;
    settings.recorder = recorder(entry);
    D::equip(&bare, settings).await.map_err(|e| chain(&e))
}

/// A foreign plugin gets exactly what its entry says.
pub(super) async fn foreign<D: Kind>(
    loader: &Loader,
    entry: &config::Plugin,
    observer: Option<Observer>,
) -> Result<Loaded<D>, String> {
    let fetched = match &entry.source {
        PluginSource::Registry { artifact, .. } => {
            let folder = loader.downloads.as_deref();
            Some(artifact::fetch(artifact, entry.registry_user.as_ref(), folder).await.map_err(|e| e.to_string())?)
        }
        _ => None,
    };
    let (wanted, allow_unverified) = (entry.clone(), loader.allow_unverified);
    let read = tokio::task::spawn_blocking(move || match fetched {
        Some(bytes) => foreign::check(&wanted, bytes),
        None => foreign::read(&wanted, allow_unverified),
    });
    let read = read.await.map_err(|_| "it cannot be read: the server is ending".to_owned())?;
    let origin = read.map_err(|refusal| refusal.to_string())?;
    let mut settings = PluginSettings::new(entry.name.as_str(), origin);
    settings.environment.clone_from(&entry.env);
    settings.secrets.clone_from(&entry.env_from_files);
    settings.limits = limits(entry);
    settings.grants = grants(&[], Some(entry))?;
    settings.observer = observer;
    settings.recorder = recorder(Some(entry));
    D::load(&loader.engine, settings).await.map_err(|e| chain(&e))
}

/// The values of the declared keys, taken from the first name that is set.
fn declared_environment(
    declared: &[EnvironmentKey],
    environment: &Environment,
) -> Result<BTreeMap<String, SecretString>, String> {
    let mut values = BTreeMap::new();
    for key in declared {
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
    let servers = entry.map(|entry| entry.allowed_dns_servers.as_slice()).unwrap_or_default();
    for server in servers {
        grants.dns_servers.push(server.parse::<DnsGrant>().map_err(|e| format!("allowed_dns_servers: {e}"))?);
    }
    grants.cidrs = entry.map(|entry| entry.allowed_cidrs.clone()).unwrap_or_default();
    Ok(grants)
}

/// Setting an endpoint key is granting that origin, or, where the plugin exchanges DNS messages and the value is no URL,
/// that name server.
fn endpoints(
    declared: &[EnvironmentKey],
    values: &BTreeMap<String, SecretString>,
    exchanges_dns: bool,
) -> Result<(Vec<HostGrant>, Vec<DnsGrant>), String> {
    let (mut hosts, mut servers) = (Vec::new(), Vec::new());
    for key in declared.iter().filter(|key| key.endpoint) {
        let Some(value) = values.get(&key.name) else { continue };
        let text = value.expose_secret();
        if exchanges_dns && !text.contains("://") {
            let server: DnsGrant = text.parse().map_err(|e| format!("{}: {e}", key.name))?;
            servers.push(server.at_any_address());
            continue;
        }
        let wrong = || format!("{} is not an address of the form https://host[:port][/path]", key.name);
        let url = Url::parse(text).map_err(|_| wrong())?;
        hosts.push(HostGrant::origin(&url).ok_or_else(wrong)?);
    }
    Ok((hosts, servers))
}

fn recorder(entry: Option<&config::Plugin>) -> Option<Recorder> {
    let entry = entry?;
    let folder = entry.record_failures.clone()?;
    Some(recorder::recorder(folder, entry.name.as_str()))
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

/// Why an entry without `path` is no plugin.
pub(super) fn no_such_bundled_plugin() -> String {
    let names: Vec<&str> = BUNDLED.iter().map(|plugin| plugin.name).collect();
    format!("it has no `path`, and no bundled plugin has that name (bundled: {})", names.join(", "))
}
