//! One provider that requests can name. It is loaded when it is first needed: a server holds some thirty providers and
//! uses one or two, and compiling all of them would hold up its start.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acme_manager_plugin_runtime::{Description, Plugin};
use futures::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::challenges::provider::Provider;

/// How long a failed attempt to load stands for the next ones. A file that is put right is taken up without a
/// restart, and requests for a broken plugin cost no more than one attempt in this time.
const FAILURE_STANDS: Duration = Duration::from_secs(10);

type Loader = Box<dyn Fn() -> BoxFuture<'static, Result<UsableProvider, String>> + Send + Sync>;

/// One configured or bundled provider.
pub struct ProviderEntry {
    origin: String,
    load: Loader,
    loaded: OnceCell<UsableProvider>,
    failed: Mutex<Option<(Instant, String)>>,
}

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
}

impl UsableProvider {
    /// A loaded plugin, which introduced itself when it was loaded.
    #[must_use]
    pub fn from_plugin(plugin: Plugin, calls_per_second: Option<NonZeroU32>) -> Self {
        let description = Arc::new(plugin.description().clone());
        Self { provider: Arc::new(plugin.clone()), plugin: Some(plugin), description, calls_per_second }
    }
}

impl ProviderEntry {
    /// A provider that `load` loads when it is first needed. The text of an error is for the operator; so is `origin`,
    /// which says where the component comes from.
    pub fn on_demand(
        origin: String,
        load: impl Fn() -> BoxFuture<'static, Result<UsableProvider, String>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { origin, load: Box::new(load), loaded: OnceCell::new(), failed: Mutex::default() })
    }

    /// A provider that is there already.
    #[must_use]
    pub fn usable(usable: UsableProvider) -> Arc<Self> {
        Self::on_demand("given".to_owned(), move || {
            let usable = usable.clone();
            Box::pin(async move { Ok(usable) })
        })
    }

    /// A provider that cannot be used; a request that names it learns why.
    #[must_use]
    pub fn unusable(reason: String) -> Arc<Self> {
        Self::on_demand("given".to_owned(), move || {
            let reason = reason.clone();
            Box::pin(async move { Err(reason) })
        })
    }

    /// The provider, loaded now if need be. Whoever comes meanwhile waits for the same attempt.
    ///
    /// # Errors
    /// Why it cannot be loaded, in words for the operator.
    pub async fn get(&self) -> Result<UsableProvider, String> {
        let load = || async {
            if let Some((_, reason)) = self.failure().filter(|(since, _)| since.elapsed() < FAILURE_STANDS) {
                return Err(reason);
            }
            let loaded = (self.load)().await;
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) =
                loaded.as_ref().err().map(|reason| (Instant::now(), reason.clone()));
            loaded
        };
        self.loaded.get_or_try_init(load).await.cloned()
    }

    /// Where the component comes from: `bundled` or a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What is known without loading anything: nothing yet, the provider, or why the last attempt failed.
    #[must_use]
    pub fn peek(&self) -> Option<Result<UsableProvider, String>> {
        let loaded = self.loaded.get().cloned().map(Ok);
        loaded.or_else(|| self.failure().map(|(_, reason)| Err(reason)))
    }

    fn failure(&self) -> Option<(Instant, String)> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_stands_for_a_while_and_is_then_tried_again() {
        let attempts = Arc::new(AtomicUsize::new(0));
        let counted = attempts.clone();
        let entry = ProviderEntry::on_demand("given".to_owned(), move || {
            let attempt = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { Err(format!("attempt {attempt}")) })
        });
        assert!(entry.peek().is_none(), "nothing is loaded unasked");
        let (first, second) = tokio::join!(entry.get(), entry.get());
        assert_eq!(first.err().as_deref(), Some("attempt 0"));
        assert_eq!(second.err().as_deref(), Some("attempt 0"));
        tokio::time::advance(FAILURE_STANDS).await;
        assert_eq!(entry.get().await.err().as_deref(), Some("attempt 1"));
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
    }
}
