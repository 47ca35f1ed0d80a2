//! Components in use, by digest: plugins that differ in settings alone share their code, and two that are loaded at the
//! same moment are compiled once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::{digest::PluginDigest, world::Linked};

/// One component's place; locked while it is being compiled.
type Slot<T> = Arc<Mutex<Weak<T>>>;

pub(crate) struct Components<T = Linked>(Mutex<HashMap<PluginDigest, Slot<T>>>);

impl<T> Default for Components<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Components<T> {
    /// The component with this digest, made by `make` unless a plugin uses it already. Blocks while another thread
    /// makes it.
    pub(crate) fn get_or_make<E>(
        &self,
        digest: PluginDigest,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // A slot that nobody else holds, and whose component is gone, is of no use.
            slots.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|component| component.strong_count() > 0)
            });
            slots.entry(digest).or_default().clone()
        };
        let mut component = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = component.upgrade() {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        *component = Arc::downgrade(&made);
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_lives_as_long_as_it_is_used() {
        let components = Components::<u32>::default();
        let digest = PluginDigest::of(b"a");
        let first = components.get_or_make(digest, || Ok::<_, ()>(1)).expect("made");
        assert_eq!(components.get_or_make(digest, || Ok::<_, ()>(2)), Ok(first.clone()));
        assert_eq!(components.get_or_make(PluginDigest::of(b"b"), || Err::<u32, _>("bad")), Err("bad"));
        drop(first);
        assert_eq!(components.get_or_make(digest, || Ok::<_, ()>(3)).as_deref(), Ok(&3));
        assert_eq!(components.0.lock().expect("no panic").len(), 1, "what is gone leaves nothing behind");
    }

    #[test]
    fn threads_that_come_together_make_one() {
        let components = Components::<u32>::default();
        let made = std::sync::atomic::AtomicU32::new(0);
        let keep: Vec<_> = std::thread::scope(|scope| {
            let make = || {
                components.get_or_make(PluginDigest::of(b"a"), || {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    Ok::<_, ()>(made.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                })
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic").expect("made")).collect()
        });
        assert_eq!(keep.len(), 4);
        assert_eq!(made.into_inner(), 1);
    }
}
