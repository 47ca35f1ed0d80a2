//! The plugins that requests can name, and their replacement while the server runs.
//!
//! A plugin whose settings did not change is kept as it is. The new version of one that is in use is loaded before it takes
//! the place of the old one, and nothing else waits for that; if it cannot be loaded the old one stays. Calls that are
//! under way finish with what they began with.

mod fingerprint;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::{Background, Loader, Plan};
use crate::challenges::providers::{ProviderEntry, Providers};
use crate::config::{Config, DefaultChallenge, Environment, PluginKind, PluginSource, Role};
use crate::hooks::{HookEntry, Hooks};
use crate::names::ProviderName;
use fingerprint::fingerprint;
pub use fingerprint::{Sections, sections};

/// What the running plugins were made from.
pub struct PluginSet {
    loader: Loader,
    current: BTreeMap<ProviderName, Member>,
    /// New versions of plugins in use that are being loaded.
    coming: BTreeMap<ProviderName, Coming>,
    loads: JoinSet<Result<(), String>>,
    background: Background,
    /// Ends what goes on in the background.
    _end: DropGuard,
    /// Versions that could not be loaded, so that an older one is in force; why.
    refused: BTreeMap<ProviderName, String>,
    /// The entries of the config in their order, which is that in which hooks are asked.
    order: Vec<ProviderName>,
    /// Of the first config: what is read at the start alone.
    started_with: Sections,
}

#[derive(Clone)]
struct Member {
    /// Of all settings, values of secrets included, so that a change is noticed and nothing kept in clear.
    fingerprint: [u8; 32],
    role: Role,
    /// Its settings say exactly which component it is.
    is_pinned: bool,
    entry: Entry,
}

struct Coming {
    member: Member,
    task: AbortHandle,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
enum Entry {
    Provider(Arc<ProviderEntry>),
    Hook(Arc<HookEntry>),
}

impl Entry {
    /// Loads it now if need be, and says why it cannot be used.
    async fn load(&self) -> Result<(), String> {
        match self {
            Self::Provider(entry) => entry.get().await.map(drop),
            Self::Hook(entry) => entry.get().await.map(drop),
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

impl Member {
    /// Whether it is what `new` would be. A file that is gone or exchanged under unchanged settings makes no other plugin
    /// of one that is loaded, nor of one whose component is pinned.
    fn is(&self, new: &Self) -> bool {
        let was_known = new.is_pinned && matches!(self.role, Role::Known(_));
        let keeps_role = self.entry.is_loaded() || (was_known && matches!(new.role, Role::Unknown(_) | Role::Named));
        self.fingerprint == new.fingerprint && (self.role == new.role || keeps_role)
    }

    /// Whether it goes on until `new` is loaded. A provider does not where a policy is to be asked from now on: as long as
    /// that cannot be asked, nothing may be issued.
    fn outlasts(&self, new: &Self) -> bool {
        let is_provider = matches!(self.entry, Entry::Provider(_));
        let becomes_hook = matches!(new.role, Role::Known(PluginKind::IssuanceHook) | Role::Contradicted(_));
        self.entry.is_loaded() && !(is_provider && becomes_hook)
    }
}

/// What a new config did to the plugins at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New, or in place of what nobody used.
    pub replaced: BTreeSet<ProviderName>,
    /// No longer there.
    pub removed: BTreeSet<ProviderName>,
}

/// What became of a new version that had to be loaded first.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is in force.
    Replaced(ProviderName),
    /// It could not be loaded: the old one stays.
    Refused(ProviderName),
}

impl PluginSet {
    /// Nothing yet; [`PluginSet::start`] fills it.
    #[must_use]
    pub fn new(loader: Loader) -> Self {
        let (background, end) = Background::on(&TaskTracker::new());
        Self {
            loader,
            background,
            _end: end,
            current: BTreeMap::new(),
            coming: BTreeMap::new(),
            loads: JoinSet::new(),
            refused: BTreeMap::new(),
            order: Vec::new(),
            started_with: Sections::new(),
        }
    }

    /// The plugins of the first config. None of them is loaded yet, but loading those that the config speaks of
    /// begins in the background.
    pub fn start(
        &mut self,
        config: &Config,
        environment: &Arc<Environment>,
        tracker: &TaskTracker,
    ) -> (Providers, Hooks) {
        (self.background, self._end) = Background::on(tracker);
        self.started_with = sections(config, environment);
        self.order = order(config);
        for plan in Plan::all(config, environment) {
            let is_wanted = is_wanted(&plan, config);
            let member = self.member(&plan, is_wanted);
            if is_wanted {
                let entry = member.entry.clone();
                self.background.spawn(async move { drop(entry.load().await) });
            }
            self.current.insert(plan.name, member);
        }
        (Providers::new(self.providers()), Hooks::new(self.hooks()))
    }

    /// Brings the plugins to what `config` says, and `providers` and `hooks` to the plugins. New versions of plugins in
    /// use begin to be loaded; [`PluginSet::settle`] puts them in force.
    pub fn change(
        &mut self,
        config: &Config,
        environment: &Arc<Environment>,
        providers: &Providers,
        hooks: &Hooks,
    ) -> Changes {
        let mut changes = Changes::default();
        let plans = Plan::all(config, environment);
        let names: BTreeSet<ProviderName> = plans.iter().map(|plan| plan.name.clone()).collect();
        changes.removed = self.current.keys().filter(|name| !names.contains(*name)).cloned().collect();
        for name in &changes.removed {
            self.remove(name);
        }
        for mut plan in plans {
            let is_wanted = is_wanted(&plan, config);
            let new = self.member(&plan, is_wanted);
            match self.current.get(&plan.name) {
                Some(old) if old.is(&new) => self.call_off(&plan.name),
                Some(old) if old.outlasts(&new) => {
                    if let Role::Unknown(_) = plan.role {
                        // The old one goes on, so that nothing is held up: what is wrong is told by loading it.
                        plan.role = Role::Known(old.role.kind());
                    }
                    let new = self.member(&plan, is_wanted);
                    self.begin(plan.name, new);
                }
                _ => {
                    self.call_off(&plan.name);
                    // What nobody asks for is left for its first use.
                    if is_wanted {
                        self.spawn(&new);
                    }
                    self.current.insert(plan.name.clone(), new);
                    changes.replaced.insert(plan.name);
                }
            }
        }
        self.order = order(config);
        self.publish(providers, hooks);
        changes
    }

    /// Waits until one of the new versions is loaded or cannot be; ends at once if there is none. May be dropped at any
    /// time.
    pub async fn settle(&mut self, providers: &Providers, hooks: &Hooks) -> Option<Settled> {
        loop {
            let (task, outcome) = match self.loads.join_next_with_id().await? {
                Ok((task, outcome)) => (task, outcome),
                Err(stopped) => (stopped.id(), Err(format!("loading it was given up: {stopped}"))),
            };
            let is_its = |(_, coming): &(&ProviderName, &Coming)| coming.task.id() == task;
            // What was called off, or is in its place already, changes nothing.
            let Some(name) = self.coming.iter().find(is_its).map(|(name, _)| name.clone()) else { continue };
            let Some(coming) = self.coming.remove(&name) else { continue };
            let Err(reason) = outcome else {
                self.current.insert(name.clone(), coming.member.clone());
                self.forget_refusal(&name);
                self.publish(providers, hooks);
                return Some(Settled::Replaced(name));
            };
            if self.refused.insert(name.clone(), reason.clone()).as_ref() != Some(&reason) {
                tracing::error!(plugin = %name, reason, "its new version cannot be used; the old one stays");
            }
            if let Some(metrics) = &self.loader.metrics {
                metrics.news().refused_update(name.as_str(), Some(reason));
            }
            return Some(Settled::Refused(name));
        }
    }

    /// Whether something is being loaded.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        !self.loads.is_empty()
    }

    /// Whether all plugins run with the settings of the last config.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.coming.is_empty() && self.refused.is_empty()
    }

    /// Of the first config and environment: what is read at the start alone.
    #[must_use]
    pub fn started_with(&self) -> &Sections {
        &self.started_with
    }

    fn remove(&mut self, name: &ProviderName) {
        self.current.remove(name);
        self.call_off(name);
        if let Some(metrics) = &self.loader.metrics {
            metrics.removed(name.as_str());
        }
    }

    /// Nothing is to take the place of what is there.
    fn call_off(&mut self, name: &ProviderName) {
        self.coming.remove(name);
        self.forget_refusal(name);
    }

    fn forget_refusal(&mut self, name: &ProviderName) {
        if self.refused.remove(name).is_some()
            && let Some(metrics) = &self.loader.metrics
        {
            metrics.news().refused_update(name.as_str(), None);
        }
    }

    /// Loads a new version, unless that is being done.
    fn begin(&mut self, name: ProviderName, member: Member) {
        if self.coming.get(&name).is_none_or(|coming| !coming.member.is(&member)) {
            let task = self.spawn(&member);
            self.coming.insert(name, Coming { member, task });
        }
    }

    fn spawn(&mut self, member: &Member) -> AbortHandle {
        let entry = member.entry.clone();
        self.loads.spawn(async move { entry.load().await })
    }

    fn publish(&self, providers: &Providers, hooks: &Hooks) {
        // A hook that takes a provider's name, or loses it, is never missing in both.
        hooks.swap(self.hooks());
        providers.swap(self.providers());
    }

    fn providers(&self) -> BTreeMap<ProviderName, Arc<ProviderEntry>> {
        let provider = |(name, member): (&ProviderName, &Member)| match &member.entry {
            Entry::Provider(entry) => Some((name.clone(), entry.clone())),
            Entry::Hook(_) => None,
        };
        self.current.iter().filter_map(provider).collect()
    }

    /// The hooks in the order of their entries in the config.
    fn hooks(&self) -> Vec<(ProviderName, Arc<HookEntry>)> {
        let hook = |name: &ProviderName| match &self.current.get(name)?.entry {
            Entry::Hook(entry) => Some((name.clone(), entry.clone())),
            Entry::Provider(_) => None,
        };
        self.order.iter().filter_map(hook).collect()
    }

    fn member(&self, plan: &Plan, is_wanted: bool) -> Member {
        let fingerprint = fingerprint(plan);
        let role = plan.role.clone();
        let is_pinned = plan
            .entry
            .as_ref()
            .is_some_and(|entry| matches!(entry.source, PluginSource::File { .. } | PluginSource::Registry { .. }));
        let (origin, plan, loader) = (plan.origin(), plan.clone(), self.loader.clone());
        let checks = is_wanted.then(|| self.background.clone());
        let entry = match role.kind() {
            PluginKind::DnsProvider => Entry::Provider(ProviderEntry::new(origin, move || {
                let (plan, loader, checks) = (plan.clone(), loader.clone(), checks.clone());
                Box::pin(async move { plan.load_provider(&loader, checks.as_ref()).await })
            })),
            PluginKind::IssuanceHook => Entry::Hook(HookEntry::new(origin, move || {
                let (plan, loader) = (plan.clone(), loader.clone());
                Box::pin(async move { plan.load_hook(&loader).await })
            })),
        };
        Member { fingerprint, role, is_pinned, entry }
    }
}

fn order(config: &Config) -> Vec<ProviderName> {
    config.common.plugins.iter().map(|entry| entry.name.clone()).collect()
}

/// Whether the config has an entry for the plugin or an issuer uses it by default.
fn is_wanted(plan: &Plan, config: &Config) -> bool {
    let default = |challenge: &DefaultChallenge| matches!(challenge, DefaultChallenge::Dns(name) if *name == plan.name);
    plan.is_configured() || config.issuers.values().any(|issuer| issuer.challenge.as_ref().is_some_and(default))
}

#[cfg(test)]
mod tests;
