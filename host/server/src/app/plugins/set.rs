//! The plugins that requests can name, and their replacement while the server runs.
//!
//! A plugin whose settings did not change is kept as it is. One that changed is loaded before it takes the place of
//! the old one; if it cannot be loaded the old one stays. Calls that are under way finish with what they began with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use super::{Component, Loader, Plan};
use crate::challenges::providers::{ProviderEntry, Providers};
use crate::config::{Config, DefaultChallenge, Environment, PluginKind};
use crate::hooks::{HookEntry, Hooks};
use crate::names::ProviderName;

/// What the running plugins were made from.
pub struct PluginSet {
    loader: Loader,
    current: BTreeMap<ProviderName, Member>,
}

#[derive(Clone)]
struct Member {
    /// Of all settings, values of secrets included, so that a change is noticed and nothing kept in clear.
    fingerprint: [u8; 32],
    entry: Entry,
}

#[derive(Clone)]
enum Entry {
    Provider(Arc<ProviderEntry>),
    Hook(Arc<HookEntry>),
}

impl Entry {
    /// Loads it now if need be, and says whether it can be used.
    async fn load(&self) -> bool {
        match self {
            Self::Provider(entry) => entry.get().await.is_ok(),
            Self::Hook(entry) => entry.get().await.is_ok(),
        }
    }

    /// Whether it is loaded.
    fn is_loaded(&self) -> bool {
        match self {
            Self::Provider(entry) => matches!(entry.peek(), Some(Ok(_))),
            Self::Hook(entry) => matches!(entry.peek(), Some(Ok(_))),
        }
    }
}

/// What a new config did to the plugins.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Loaded anew.
    pub replaced: BTreeSet<ProviderName>,
    /// No longer there.
    pub removed: BTreeSet<ProviderName>,
    /// Could not be loaded: the old one stays if there was one.
    pub refused: BTreeSet<ProviderName>,
}

impl PluginSet {
    /// Nothing yet; [`PluginSet::start`] fills it.
    #[must_use]
    pub fn new(loader: Loader) -> Self {
        Self { loader, current: BTreeMap::new() }
    }

    /// The plugins of the first config. None of them is loaded yet, but loading those that the config speaks of
    /// begins in the background.
    pub fn start(
        &mut self,
        config: &Config,
        environment: &Arc<Environment>,
        tracker: &TaskTracker,
    ) -> (Providers, Hooks) {
        for plan in Plan::all(config, environment) {
            let member = self.member(&plan);
            if is_wanted(&plan, config) {
                let entry = member.entry.clone();
                tracker.spawn(async move { entry.load().await });
            }
            self.current.insert(plan.name, member);
        }
        (Providers::new(self.providers()), Hooks::new(self.hooks(config)))
    }

    /// Brings the plugins to what `config` says, and `providers` and `hooks` to the plugins.
    pub async fn change(
        &mut self,
        config: &Config,
        environment: &Arc<Environment>,
        providers: &Providers,
        hooks: &Hooks,
    ) -> Changes {
        let mut changes = Changes::default();
        let mut next = BTreeMap::new();
        let mut changed = Vec::new();
        for plan in Plan::all(config, environment) {
            let member = self.member(&plan);
            match self.current.get(&plan.name) {
                Some(old) if old.fingerprint == member.fingerprint => drop(next.insert(plan.name, old.clone())),
                old => changed.push((plan, member, old.cloned())),
            }
        }
        let tried = changed.into_iter().map(|(plan, member, old)| async move {
            // What nobody used so far is left for its first use.
            let in_use = old.as_ref().is_some_and(|old| old.entry.is_loaded());
            let good = !(in_use || is_wanted(&plan, config)) || member.entry.load().await;
            (plan, member, old.filter(|_| in_use), good)
        });
        for (plan, member, old, good) in join_all(tried).await {
            let kept = match (good, old) {
                (false, Some(old)) => {
                    tracing::error!(plugin = %plan.name, "its new version cannot be used; the old one stays");
                    old
                }
                _ => member,
            };
            let outcome = if good { &mut changes.replaced } else { &mut changes.refused };
            outcome.insert(plan.name.clone());
            next.insert(plan.name, kept);
        }
        changes.removed = self.current.keys().filter(|name| !next.contains_key(*name)).cloned().collect();
        if let Some(metrics) = &self.loader.metrics {
            changes.removed.iter().for_each(|name| metrics.removed(name.as_str()));
        }
        self.current = next;
        providers.swap(self.providers());
        hooks.swap(self.hooks(config));
        changes
    }

    fn providers(&self) -> BTreeMap<ProviderName, Arc<ProviderEntry>> {
        let provider = |(name, member): (&ProviderName, &Member)| match &member.entry {
            Entry::Provider(entry) => Some((name.clone(), entry.clone())),
            Entry::Hook(_) => None,
        };
        self.current.iter().filter_map(provider).collect()
    }

    /// The hooks in the order of their entries in the config.
    fn hooks(&self, config: &Config) -> Vec<(ProviderName, Arc<HookEntry>)> {
        let hook = |name: &ProviderName| match &self.current.get(name)?.entry {
            Entry::Hook(entry) => Some((name.clone(), entry.clone())),
            Entry::Provider(_) => None,
        };
        config.common.plugins.iter().filter_map(|entry| hook(&entry.name)).collect()
    }

    fn member(&self, plan: &Plan) -> Member {
        let fingerprint = fingerprint(plan);
        let (origin, plan, loader) = (plan.origin(), plan.clone(), self.loader.clone());
        let entry = match plan.kind {
            PluginKind::DnsProvider => Entry::Provider(ProviderEntry::new(origin, move || {
                let (plan, loader) = (plan.clone(), loader.clone());
                Box::pin(async move { plan.load_provider(&loader).await })
            })),
            PluginKind::IssuanceHook => Entry::Hook(HookEntry::new(origin, move || {
                let (plan, loader) = (plan.clone(), loader.clone());
                Box::pin(async move { plan.load_hook(&loader).await })
            })),
        };
        Member { fingerprint, entry }
    }
}

/// Whether the config has an entry for the plugin or an issuer uses it by default.
fn is_wanted(plan: &Plan, config: &Config) -> bool {
    let default = |challenge: &DefaultChallenge| matches!(challenge, DefaultChallenge::Dns(name) if *name == plan.name);
    plan.is_configured() || config.issuers.values().any(|issuer| issuer.challenge.as_ref().is_some_and(default))
}

fn fingerprint(plan: &Plan) -> [u8; 32] {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two lists of parts look alike.
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_be_bytes());
        hash.update(bytes);
    };
    // `Debug` shows everything but the values of secrets, which follow.
    part(format!("{:?}", plan.entry).as_bytes());
    for (name, value) in plan.entry.iter().flat_map(|entry| &entry.env) {
        part(name.as_bytes());
        part(value.expose_secret().as_bytes());
    }
    for user in plan.entry.iter().filter_map(|entry| entry.registry_user.as_ref()) {
        part(user.password.expose_secret().as_bytes());
    }
    // Only a bundled plugin takes anything from the environment; what, it says when it is loaded.
    if matches!(plan.component, Component::Bundled { .. }) {
        for name in plan.environment.names() {
            part(name.as_bytes());
            part(plan.environment.get(name).map(|value| value.expose_secret().as_bytes()).unwrap_or_default());
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
