//! What one call did on the network.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Counters of one call; connections and bodies write to them from other tasks.
#[derive(Default)]
pub(crate) struct Traffic {
    /// What was refused last, with what to do about it.
    refused: Mutex<Option<String>>,
    denials: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    /// What the host refused during this call, if anything.
    pub(crate) fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the host refused.
    pub(crate) fn denials(&self) -> u32 {
        self.denials.load(Ordering::Relaxed)
    }

    /// Bytes of requests, header sections included, that were handed to a connection.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of responses, header sections included.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn deny(&self, advice: String) {
        self.denials.fetch_add(1, Ordering::Relaxed);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(advice);
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
