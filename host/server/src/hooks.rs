//! Issuance hooks: what is asked before every order, in the order of the config. The first that does not allow an
//! order, or cannot be asked, ends it.

use std::sync::Arc;

use acme_manager_plugin_runtime::{CallError, Hook, ProposedOrder};
use arc_swap::ArcSwap;
use futures::future::BoxFuture;

use crate::names::ProviderName;
use crate::on_demand::OnDemand;

/// One configured hook.
pub type HookEntry = OnDemand<UsableHook>;

/// Something that can be asked about an order.
pub trait Policy: Send + Sync {
    /// Allows the order, or says why not.
    fn review<'a>(&'a self, order: &'a ProposedOrder) -> BoxFuture<'a, Result<(), CallError>>;
}

impl Policy for Hook {
    fn review<'a>(&'a self, order: &'a ProposedOrder) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(Self::review(self, order))
    }
}

/// A hook that loaded.
#[derive(Clone)]
pub struct UsableHook {
    /// What to ask.
    pub policy: Arc<dyn Policy>,
    /// The same as a plugin; nothing for another kind of policy.
    pub plugin: Option<Hook>,
}

impl UsableHook {
    /// A loaded component.
    #[must_use]
    pub fn from_plugin(hook: Hook) -> Self {
        Self { policy: Arc::new(hook.clone()), plugin: Some(hook) }
    }
}

/// Why an order must not be placed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// A hook said no.
    #[error("the issuance hook {hook} does not allow it: {message}")]
    Refused {
        /// Which one.
        hook: ProviderName,
        /// Its words, without secrets.
        message: String,
    },
    /// A hook gave no answer, so that nobody allowed the order.
    #[error("the issuance hook {hook} gave no answer, so that nothing is ordered")]
    Failed {
        /// Which one.
        hook: ProviderName,
        /// Why.
        #[source]
        source: CallError,
    },
    /// A hook cannot be loaded.
    #[error("the issuance hook {hook} cannot be used, so that nothing is ordered: {reason}")]
    Unusable {
        /// Which one.
        hook: ProviderName,
        /// Why, for the operator.
        reason: String,
    },
}

impl HookError {
    /// Whether the same order may be allowed later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unusable { .. } => false,
            Self::Failed { source, .. } => source.retryable(),
        }
    }
}

/// All hooks, in the order in which they are asked.
#[derive(Default)]
pub struct Hooks {
    current: ArcSwap<Vec<(ProviderName, Arc<HookEntry>)>>,
}

impl Hooks {
    /// Hooks that are asked in this order.
    #[must_use]
    pub fn new(entries: Vec<(ProviderName, Arc<HookEntry>)>) -> Self {
        Self { current: ArcSwap::from_pointee(entries) }
    }

    /// Replaces all of them at once. Reviews that are under way finish with those they began with.
    pub fn swap(&self, entries: Vec<(ProviderName, Arc<HookEntry>)>) {
        self.current.store(Arc::new(entries));
    }

    /// All hooks.
    #[must_use]
    pub fn list(&self) -> Arc<Vec<(ProviderName, Arc<HookEntry>)>> {
        self.current.load_full()
    }

    /// Asks one hook after the other.
    ///
    /// # Errors
    /// Of the first that did not allow the order.
    pub async fn review(&self, order: &ProposedOrder) -> Result<(), HookError> {
        for (name, entry) in self.list().iter() {
            let hook = || name.clone();
            let usable = entry.get().await.map_err(|reason| HookError::Unusable { hook: hook(), reason })?;
            usable.policy.review(order).await.map_err(|error| match error {
                CallError::Refused { kind, message, .. } if !kind.retryable() => {
                    HookError::Refused { hook: hook(), message }
                }
                source => HookError::Failed { hook: hook(), source },
            })?;
            tracing::debug!(hook = %name, domains = ?order.domains, issuer = order.issuer, "the order is allowed");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
