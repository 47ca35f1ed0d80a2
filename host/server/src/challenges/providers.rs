//! The DNS providers that requests can name, and what belongs to each: turns at a name, calls per second.
//!
//! The set is swapped as a whole when the config is read again. Turns and pace survive a swap, because the account
//! behind a provider stays the same.

mod turns;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use acme_manager_plugin_runtime::{CallError, Description, Plugin};
use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::ChallengeError;
use super::provider::Provider;
use crate::names::ProviderName;
use crate::on_demand::OnDemand;
pub use turns::NameGuard;
pub(super) use turns::Turns;

/// How alike two names must be for one to be suggested, from 0 to 1. `cloudfare` and `cloudflare` are at 0.9,
/// `pdns` and `ovh` at 0.
const SUGGESTION_LIKENESS: f64 = 0.6;

/// One configured or bundled provider.
pub type ProviderEntry = OnDemand<UsableProvider>;

/// A provider that loaded.
#[derive(Clone)]
pub struct UsableProvider {
    /// The plugin.
    pub provider: Arc<dyn Provider>,
    /// The same as a plugin, with what operators want to know of it; nothing for another kind of provider.
    pub plugin: Option<Plugin>,
    /// What it says of itself.
    pub description: Arc<Description>,
    /// The most calls per second that the vendor's account allows (`dns_rate_limit`).
    pub calls_per_second: Option<NonZeroU32>,
    /// The name of the provider with the same account, for one that has several names.
    pub account: Option<ProviderName>,
}

impl UsableProvider {
    /// A loaded plugin, which introduced itself when it was loaded.
    #[must_use]
    pub fn from_plugin(plugin: Plugin, calls_per_second: Option<NonZeroU32>, account: Option<ProviderName>) -> Self {
        let description = Arc::new(plugin.description().clone());
        Self { provider: Arc::new(plugin.clone()), plugin: Some(plugin), description, calls_per_second, account }
    }
}

/// All providers by name.
#[derive(Default)]
pub struct Providers {
    current: ArcSwap<BTreeMap<ProviderName, Arc<ProviderEntry>>>,
    turns: Mutex<HashMap<ProviderName, Arc<Turns>>>,
}

/// A provider in use, with its turns.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) name: ProviderName,
    pub(super) usable: UsableProvider,
    pub(super) turns: Arc<Turns>,
}

impl Providers {
    /// A set with these entries.
    #[must_use]
    pub fn new(entries: BTreeMap<ProviderName, Arc<ProviderEntry>>) -> Self {
        let providers = Self::default();
        providers.swap(entries);
        providers
    }

    /// Replaces all entries at once. Work that is under way finishes with the plugin it began with.
    pub fn swap(&self, entries: BTreeMap<ProviderName, Arc<ProviderEntry>>) {
        self.current.store(Arc::new(entries));
    }

    /// All entries by name.
    #[must_use]
    pub fn list(&self) -> Arc<BTreeMap<ProviderName, Arc<ProviderEntry>>> {
        self.current.load_full()
    }

    /// Checks that requests may name the provider, loading it if that is still to be done.
    ///
    /// # Errors
    /// [`ChallengeError::UnknownProvider`] or [`ChallengeError::ProviderUnusable`].
    pub async fn require(&self, name: &ProviderName) -> Result<Arc<Description>, ChallengeError> {
        self.account(name).await.map(|account| account.usable.description)
    }

    pub(super) async fn account(&self, name: &ProviderName) -> Result<Account, ChallengeError> {
        let entries = self.current.load_full();
        let Some(entry) = entries.get(name) else {
            let available: Vec<ProviderName> = entries.keys().cloned().collect();
            let nearest = nearest(name, &available);
            return Err(ChallengeError::UnknownProvider { name: name.clone(), nearest, available });
        };
        match entry.get().await {
            Ok(usable) => {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                let of = usable.account.as_ref().unwrap_or(name);
                let turns = Arc::clone(turns.entry(of.clone()).or_default());
                Ok(Account { name: name.clone(), usable, turns })
            }
            Err(reason) => Err(ChallengeError::ProviderUnusable { name: name.clone(), reason }),
        }
    }
}

impl Account {
    /// Waits until the vendor's account allows one more call, if that is before `deadline`.
    pub(super) async fn pace(&self, deadline: Instant) -> Result<(), CallError> {
        self.turns.pace(self.usable.calls_per_second, deadline).await.map_err(|wait| CallError::Overloaded {
            plugin: self.name.as_str().into(),
            detail: format!(
                "the calls that wait already take {} s at the rate of the vendor's account",
                wait.as_secs()
            ),
            setting: "common.plugins[].dns_rate_limit",
        })
    }
}

/// The name that was probably meant.
pub(crate) fn nearest(name: &ProviderName, available: &[ProviderName]) -> Option<ProviderName> {
    let name = name.as_str().to_ascii_lowercase();
    available
        .iter()
        .map(|candidate| {
            (strsim::normalized_damerau_levenshtein(&name, &candidate.as_str().to_ascii_lowercase()), candidate)
        })
        .filter(|(likeness, _)| *likeness >= SUGGESTION_LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.clone())
}

#[cfg(test)]
mod tests;
