//! Who may change which name now, and how fast the vendor's account may be called.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as TurnLock, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until, timeout};

/// Names that nobody waits for are forgotten when there are more than this, so that the map stays small without
/// being searched at each change.
const REMEMBERED_NAMES: usize = 1024;

/// The turns and the pace of one provider account.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    names: Mutex<HashMap<String, Weak<TurnLock<()>>>>,
    next_call: Mutex<Option<Instant>>,
}

/// The turn at one name of one provider account; others wait for the name until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct NameGuard {
    fqdn: String,
    _turn: OwnedMutexGuard<()>,
}

impl NameGuard {
    /// The name whose turn it is.
    #[must_use]
    pub fn fqdn(&self) -> &str {
        &self.fqdn
    }
}

impl Turns {
    /// Waits for the turn at `fqdn`, in the order of asking; `None` when it did not come within `patience`.
    pub(crate) async fn take(&self, fqdn: &str, patience: Duration) -> Option<NameGuard> {
        let turn = timeout(patience, self.lock(fqdn).lock_owned()).await.ok()?;
        Some(NameGuard { fqdn: fqdn.to_owned(), _turn: turn })
    }

    /// Waits until one more call keeps the rate.
    pub(crate) async fn pace(&self, calls_per_second: Option<NonZeroU32>) {
        let Some(rate) = calls_per_second else { return };
        let slot = {
            let mut next = self.next_call.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let slot = next.map_or(now, |next| next.max(now));
            *next = Some(slot + Duration::from_secs(1) / rate.get());
            slot
        };
        sleep_until(slot).await;
    }

    fn lock(&self, fqdn: &str) -> Arc<TurnLock<()>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = names.get(fqdn).and_then(Weak::upgrade) {
            return lock;
        }
        if names.len() >= REMEMBERED_NAMES {
            names.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(TurnLock::new(()));
        names.insert(fqdn.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_name_has_one_turn_and_others_are_free() {
        let turns = Turns::default();
        let guard = turns.take("a", Duration::from_secs(1)).await.expect("free");
        assert!(turns.take("b", Duration::from_secs(1)).await.is_some());
        assert!(turns.take("a", Duration::from_secs(1)).await.is_none());
        drop(guard);
        assert!(turns.take("a", Duration::from_secs(1)).await.is_some());
    }

    #[tokio::test]
    async fn names_that_nobody_uses_are_forgotten() {
        let turns = Turns::default();
        let kept = turns.take("kept", Duration::from_secs(1)).await.expect("free");
        for number in 0..3 * REMEMBERED_NAMES {
            drop(turns.take(&number.to_string(), Duration::from_secs(1)).await.expect("free"));
        }
        assert!(turns.names.lock().expect("lock").len() <= REMEMBERED_NAMES);
        assert!(turns.take(kept.fqdn(), Duration::ZERO).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_the_rate() {
        let turns = Turns::default();
        let started = Instant::now();
        for _ in 0..11 {
            turns.pace(NonZeroU32::new(5)).await;
        }
        assert_eq!(started.elapsed().as_millis(), 2000);
        turns.pace(None).await;
        assert_eq!(started.elapsed().as_millis(), 2000);
    }
}
