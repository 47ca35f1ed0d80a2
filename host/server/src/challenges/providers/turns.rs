//! Who may change which name now, and how fast the vendor's account may be called.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use acme_manager_plugin_runtime::{Turn, Turns as NameTurns};
use tokio::time::{Instant, sleep_until, timeout};

/// The turns and the pace of one provider account.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    names: NameTurns<String>,
    next_call: Mutex<Option<Instant>>,
}

/// The turn at one name of one provider account; others wait for the name until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct NameGuard {
    fqdn: String,
    _turn: Turn,
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
        let turn = timeout(patience, self.names.take(fqdn.to_owned())).await.ok()?;
        Some(NameGuard { fqdn: fqdn.to_owned(), _turn: turn })
    }

    /// Waits until one more call keeps the rate. Where that would be after `deadline`, says at once how long it would take;
    /// then nothing is booked.
    pub(crate) async fn pace(&self, calls_per_second: Option<NonZeroU32>, deadline: Instant) -> Result<(), Duration> {
        let Some(rate) = calls_per_second else { return Ok(()) };
        let slot = {
            let mut next = self.next_call.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let slot = next.map_or(now, |next| next.max(now));
            if slot > deadline {
                return Err(slot - now);
            }
            *next = Some(slot + Duration::from_secs(1) / rate.get());
            slot
        };
        sleep_until(slot).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_with_a_turn_ends() {
        let turns = Turns::default();
        let guard = turns.take("a", Duration::from_secs(1)).await.expect("free");
        assert_eq!(guard.fqdn(), "a");
        assert!(turns.take("b", Duration::from_secs(1)).await.is_some());
        assert!(turns.take("a", Duration::from_secs(1)).await.is_none());
        drop(guard);
        assert!(turns.take("a", Duration::from_secs(1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_the_rate() {
        let turns = Turns::default();
        let started = Instant::now();
        let deadline = started + Duration::from_secs(60);
        for _ in 0..11 {
            turns.pace(NonZeroU32::new(5), deadline).await.expect("in time");
        }
        assert_eq!(started.elapsed().as_millis(), 2000);
        turns.pace(None, started).await.expect("no rate");
        assert_eq!(started.elapsed().as_millis(), 2000);
        // Who cannot come in time is told at once, and takes nobody's place.
        let wait = turns.pace(NonZeroU32::new(5), started + Duration::from_millis(2100)).await.expect_err("too late");
        assert_eq!((wait.as_millis(), started.elapsed().as_millis()), (200, 2000));
        turns.pace(NonZeroU32::new(5), deadline).await.expect("in time");
        assert_eq!(started.elapsed().as_millis(), 2200);
    }
}
