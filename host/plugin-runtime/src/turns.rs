//! Turns at names: what two must not do at the same time is done one after the other, in the order of asking.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as TurnLock, OwnedMutexGuard};

/// Names that nobody waits for are forgotten when there are more than this, so that the map stays small without
/// being searched at each change.
const REMEMBERED_NAMES: usize = 1024;
/// The contract's bound of what a guest asks with.
const MAX_WHAT_BYTES: usize = 255;

/// The turns at some names.
#[derive(Debug)]
pub struct Turns<N>(Mutex<HashMap<N, Weak<TurnLock<()>>>>);

/// The turn at one name; others wait for the name until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct Turn {
    _held: OwnedMutexGuard<()>,
}

impl<N: Eq + Hash> Turns<N> {
    /// Waits for the turn at `name`, as long as it takes.
    pub async fn take(&self, name: N) -> Turn {
        Turn { _held: self.lock(name).lock_owned().await }
    }

    /// How many names are remembered.
    pub fn remembered(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn lock(&self, name: N) -> Arc<TurnLock<()>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = names.get(&name).and_then(Weak::upgrade) {
            return lock;
        }
        if names.len() >= REMEMBERED_NAMES {
            names.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(TurnLock::new(()));
        names.insert(name, Arc::downgrade(&lock));
        lock
    }
}

impl<N> Default for Turns<N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Those of all plugins, by the plugin's name and the text that it asks with.
pub(crate) type PluginTurns = Turns<(Arc<str>, String)>;

/// The turn that one call of a plugin may have.
pub(crate) struct CallTurn {
    plugin: Arc<str>,
    turns: Arc<PluginTurns>,
    held: Option<(String, Turn)>,
}

impl CallTurn {
    pub(crate) fn new(plugin: Arc<str>, turns: Arc<PluginTurns>) -> Self {
        Self { plugin, turns, held: None }
    }

    /// Waits for the turn at `what`; it is held until `self` is dropped.
    ///
    /// # Errors
    /// A sentence for the guest, when it has another turn or `what` is too long.
    pub(crate) async fn take(&mut self, what: String) -> Result<(), String> {
        match &self.held {
            Some((held, _)) if *held == what => return Ok(()),
            // Two calls that wait for each other's turns would both wait for ever.
            Some((held, _)) => return Err(format!("this call has the turn at `{held}` and cannot have a second one")),
            None => {}
        }
        if what.len() > MAX_WHAT_BYTES {
            return Err(format!("a text of {} bytes; {MAX_WHAT_BYTES} are allowed", what.len()));
        }
        let turn = self.turns.take((self.plugin.clone(), what.clone())).await;
        self.held = Some((what, turn));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn one_name_has_one_turn_and_others_are_free() {
        let turns = Turns::default();
        let turn = turns.take("a").await;
        timeout(SOON, turns.take("b")).await.map(drop).expect("free");
        timeout(SOON, turns.take("a")).await.map(drop).expect_err("taken");
        drop(turn);
        timeout(SOON, turns.take("a")).await.map(drop).expect("free again");
    }

    #[tokio::test]
    async fn names_that_nobody_uses_are_forgotten() {
        let turns = Turns::default();
        let _kept = turns.take(usize::MAX).await;
        for number in 0..3 * REMEMBERED_NAMES {
            drop(turns.take(number).await);
        }
        assert!(turns.remembered() <= REMEMBERED_NAMES);
        timeout(SOON, turns.take(usize::MAX)).await.map(drop).expect_err("still taken");
    }
}
