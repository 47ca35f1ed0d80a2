//! What one call did on the network.

use std::{
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

/// Counters of one call; connections and bodies write to them from other tasks.
#[derive(Default)]
pub(crate) struct Traffic {
    /// What was refused or cut off last, with what to do about it.
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

    /// Takes note of a bound that the exchange ran into. The guest gets a code and answers in its own words; this is
    /// what the operator reads beside them.
    pub(crate) fn exceed(&self, what: &str, limit: impl Display) {
        let text = format!("{what} beyond {limit} bytes, a bound that no setting changes");
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
