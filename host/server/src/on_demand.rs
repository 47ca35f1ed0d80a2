//! What is loaded when it is first needed: a server holds some thirty plugins and uses one or two, and compiling all of
//! them would hold up its start.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long a failed attempt to load stands for the next ones. A file that is put right is taken up without a
/// restart, and requests for a broken plugin cost no more than one attempt in this time.
const FAILURE_STANDS: Duration = Duration::from_secs(10);

type Loader<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, String>> + Send + Sync>;

/// One configured or bundled plugin as a `T`.
pub struct OnDemand<T> {
    origin: String,
    load: Loader<T>,
    loaded: OnceCell<T>,
    failed: Mutex<Option<(Instant, String)>>,
}

impl<T: Clone + Send + Sync + 'static> OnDemand<T> {
    /// A plugin that `load` loads when it is first needed. The text of an error is for the operator; so is `origin`,
    /// which says where the component comes from.
    pub fn new(
        origin: String,
        load: impl Fn() -> BoxFuture<'static, Result<T, String>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { origin, load: Box::new(load), loaded: OnceCell::new(), failed: Mutex::default() })
    }

    /// A plugin that is there already.
    #[must_use]
    pub fn usable(usable: T) -> Arc<Self> {
        Self::new("given".to_owned(), move || {
            let usable = usable.clone();
            Box::pin(async move { Ok(usable) })
        })
    }

    /// A plugin that cannot be used; whoever needs it learns why.
    #[must_use]
    pub fn unusable(reason: String) -> Arc<Self> {
        Self::new("given".to_owned(), move || {
            let reason = reason.clone();
            Box::pin(async move { Err(reason) })
        })
    }

    /// The plugin, loaded now if need be. Whoever comes meanwhile waits for the same attempt.
    ///
    /// # Errors
    /// Why it cannot be loaded, in words for the operator.
    pub async fn get(&self) -> Result<T, String> {
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

    /// What is known without loading anything: nothing yet, the plugin, or why the last attempt failed.
    #[must_use]
    pub fn peek(&self) -> Option<Result<T, String>> {
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
        let entry = OnDemand::<()>::new("given".to_owned(), move || {
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
